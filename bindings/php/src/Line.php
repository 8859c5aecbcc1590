<?php

declare(strict_types=1);

namespace Esales\Notify;

use Esales\Notify\Internal\Text;

/**
 * One line of an order. Immutable.
 *
 * Prices are decimal numbers: a string such as '199.50', or an int. They are sent exactly as given, with every digit,
 * in every locale. A float is refused, because it cannot hold most decimal numbers exactly.
 */
final class Line
{
    private ?string $productKey;

    private ?string $variantKey;

    private int $quantity;

    private string $sellingPrice;

    private ?string $cost;

    /**
     * The call that sends the line checks the contents of the strings, before anything is sent.
     *
     * @param string|null     $productKey   the shop's key of the product, at most 256 bytes; may be null if
     *                                      $variantKey is given
     * @param string|null     $variantKey   the shop's key of the variant, at most 256 bytes; may be null if
     *                                      $productKey is given
     * @param int             $quantity     number of items bought, 1 to 2147483647
     * @param string|int      $sellingPrice selling price of one item
     * @param string|int|null $cost         cost of one item for the shop: more than 0 and less than $sellingPrice;
     *                                      only in a secure payment; null: the cost is not known
     *
     * @throws Exception\InvalidArgumentException if a text has a NUL byte, a price is neither a string nor an int, or
     *                                            the quantity is out of range
     */
    public function __construct(
        ?string $productKey,
        ?string $variantKey,
        int $quantity,
        $sellingPrice,
        $cost = null
    ) {
        $this->productKey = $productKey === null ? null : Text::withoutNul('product_key', $productKey);
        $this->variantKey = $variantKey === null ? null : Text::withoutNul('variant_key', $variantKey);
        $this->quantity = Text::quantity($quantity);
        $this->sellingPrice = Text::price('selling_price', $sellingPrice);
        $this->cost = $cost === null ? null : Text::price('cost', $cost);
    }

    /**
     * The shop's key of the product; null: not given.
     */
    public function getProductKey(): ?string
    {
        return $this->productKey;
    }

    /**
     * The shop's key of the variant; null: not given.
     */
    public function getVariantKey(): ?string
    {
        return $this->variantKey;
    }

    /**
     * Number of items bought.
     */
    public function getQuantity(): int
    {
        return $this->quantity;
    }

    /**
     * Selling price of one item, as it is sent.
     */
    public function getSellingPrice(): string
    {
        return $this->sellingPrice;
    }

    /**
     * Cost of one item for the shop, as it is sent; null: not known.
     */
    public function getCost(): ?string
    {
        return $this->cost;
    }
}
