<?php

declare(strict_types=1);

namespace Esales\Notify;

use Esales\Notify\Internal\Text;

/**
 * One line of an order. Immutable.
 *
 * Prices are decimal numbers: a string such as '199.50', or an int. They are sent exactly as given, with every digit,
 * in every locale. A float is refused, because it is rarely the number that was written.
 */
final class Line
{
    private ?string $productKey;

    private ?string $variantKey;

    private int $quantity;

    private string $sellingPrice;

    private ?string $cost;

    /**
     * What the strings hold is checked by the call that sends the line, before anything is sent.
     *
     * @param string|null     $productKey   the shop's key of the product, at most 256 bytes; null: $variantKey is given
     * @param string|null     $variantKey   the shop's key of the variant, at most 256 bytes; null: $productKey is given
     * @param int             $quantity     how many were bought, 1 to 2147483647
     * @param string|int      $sellingPrice what one of them was sold for
     * @param string|int|null $cost         what one of them cost the shop: more than 0 and less than $sellingPrice, in
     *                                      a secure payment only; null: not known
     *
     * @throws Exception\InvalidArgumentException for a NUL byte, a price that is neither a string nor an int, and a
     *                                            quantity out of range
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
     * The shop's key of the product; null: only the variant's is known.
     */
    public function getProductKey(): ?string
    {
        return $this->productKey;
    }

    /**
     * The shop's key of the variant; null: none.
     */
    public function getVariantKey(): ?string
    {
        return $this->variantKey;
    }

    /**
     * How many were bought.
     */
    public function getQuantity(): int
    {
        return $this->quantity;
    }

    /**
     * What one of them was sold for, as it is sent.
     */
    public function getSellingPrice(): string
    {
        return $this->sellingPrice;
    }

    /**
     * What one of them cost the shop, as it is sent; null: not known.
     */
    public function getCost(): ?string
    {
        return $this->cost;
    }
}
