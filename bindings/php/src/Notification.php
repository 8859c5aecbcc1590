<?php

declare(strict_types=1);

namespace Esales\Notify;

use Esales\Notify\Internal\Functions;
use Esales\Notify\Internal\Text;

/**
 * What the visitor did. Made by the method of its kind, such as click(). Immutable.
 *
 * The strings are UTF-8 and sent as they are; none may be empty or hold a control character. A NUL byte is refused
 * here, everything else by the call that sends the notification, before anything is sent.
 *
 * The $id of each method names this one event, at most 128 bytes; null: a new UUID. To send the same event again, pass
 * the id of the receipt. The service gets it with clicks and carts only.
 */
final class Notification
{
    private int $kind;

    private ?string $id;

    private ?string $ticket = null;

    private ?string $productKey = null;

    private ?string $variantKey = null;

    /** @var list<Line> */
    private array $lines = [];

    private ?string $privateKey = null;

    private function __construct(int $kind, ?string $id)
    {
        Functions::require();
        $this->kind = $kind;
        $this->id = $id === null ? null : Text::withoutNul('id', $id);
    }

    /**
     * The visitor added the product behind the ticket to the cart.
     *
     * @param string $ticket the string that the service gave with the product, at most 8192 bytes, sent unchanged
     *
     * @throws Exception\InvalidArgumentException for a NUL byte
     */
    public static function addToCart(
        #[\SensitiveParameter]
        string $ticket,
        ?string $id = null
    ): self {
        return self::withTicket(Kind::ADD_TO_CART, $ticket, $id);
    }

    /**
     * The visitor clicked the product behind the ticket.
     *
     * @param string $ticket the string that the service gave with the product, at most 8192 bytes, sent unchanged
     *
     * @throws Exception\InvalidArgumentException for a NUL byte
     */
    public static function click(
        #[\SensitiveParameter]
        string $ticket,
        ?string $id = null
    ): self {
        return self::withTicket(Kind::CLICK, $ticket, $id);
    }

    /**
     * The visitor clicked a product for which there is no ticket.
     *
     * @param string|null $productKey the shop's key of the product, at most 256 bytes; null: $variantKey is given. The
     *                                service may refuse a variant without its product.
     * @param string|null $variantKey the shop's key of the variant, at most 256 bytes; null: none
     *
     * @throws Exception\InvalidArgumentException for a NUL byte
     */
    public static function nonEsalesClick(?string $productKey, ?string $variantKey = null, ?string $id = null): self
    {
        return self::withKeys(Kind::NON_ESALES_CLICK, $productKey, $variantKey, $id);
    }

    /**
     * The visitor added a product to the cart for which there is no ticket.
     *
     * @param string|null $productKey as for nonEsalesClick()
     * @param string|null $variantKey as for nonEsalesClick()
     *
     * @throws Exception\InvalidArgumentException for a NUL byte
     */
    public static function nonEsalesAddToCart(?string $productKey, ?string $variantKey = null, ?string $id = null): self
    {
        return self::withKeys(Kind::NON_ESALES_ADD_TO_CART, $productKey, $variantKey, $id);
    }

    /**
     * The visitor paid for an order. Not every cluster accepts payments that are not signed.
     *
     * @param iterable<Line> $lines 1 to 10,000 lines
     *
     * @throws Exception\InvalidArgumentException for a line that is no Line
     */
    public static function payment(iterable $lines, ?string $id = null): self
    {
        return self::withLines(Kind::PAYMENT, $lines, $id);
    }

    /**
     * The visitor paid for an order. The private key signs the notification, and its lines may have costs.
     *
     * @param iterable<Line> $lines      1 to 10,000 lines
     * @param string         $privateKey the shop's, at most 4096 bytes. The library uses it during the call and does
     *                                   not keep it.
     *
     * @throws Exception\InvalidArgumentException for a line that is no Line, or a NUL byte
     */
    public static function securePayment(
        iterable $lines,
        #[\SensitiveParameter]
        string $privateKey,
        ?string $id = null
    ): self {
        $notification = self::withLines(Kind::SECURE_PAYMENT, $lines, $id);
        $notification->privateKey = Text::withoutNul('private_key', $privateKey);

        return $notification;
    }

    /**
     * The visitor signed out: the session ends.
     *
     * @throws Exception\InvalidArgumentException for a NUL byte
     */
    public static function end(?string $id = null): self
    {
        return new self(Kind::END, $id);
    }

    /**
     * One of the class Kind.
     */
    public function getKind(): int
    {
        return $this->kind;
    }

    /**
     * What names this one event; null: a new UUID.
     */
    public function getId(): ?string
    {
        return $this->id;
    }

    /**
     * Clicks and carts: the ticket.
     */
    public function getTicket(): ?string
    {
        return $this->ticket;
    }

    /**
     * Non-eSales clicks and carts: the shop's key of the product.
     */
    public function getProductKey(): ?string
    {
        return $this->productKey;
    }

    /**
     * Non-eSales clicks and carts: the shop's key of the variant.
     */
    public function getVariantKey(): ?string
    {
        return $this->variantKey;
    }

    /**
     * Payments: the lines of the order.
     *
     * @return list<Line>
     */
    public function getLines(): array
    {
        return $this->lines;
    }

    /**
     * Secure payments: the shop's private key.
     */
    public function getPrivateKey(): ?string
    {
        return $this->privateKey;
    }

    /**
     * What var_dump() and its like show: neither the ticket nor the private key, so that they stay out of logs.
     *
     * @return array<string, mixed>
     */
    public function __debugInfo(): array
    {
        return [
            'ticket' => $this->ticket === null ? null : '(hidden)',
            'privateKey' => $this->privateKey === null ? null : '(hidden)',
        ] + get_object_vars($this);
    }

    private static function withTicket(
        int $kind,
        #[\SensitiveParameter]
        string $ticket,
        ?string $id
    ): self {
        $notification = new self($kind, $id);
        $notification->ticket = Text::withoutNul('ticket', $ticket);

        return $notification;
    }

    private static function withKeys(int $kind, ?string $productKey, ?string $variantKey, ?string $id): self
    {
        $notification = new self($kind, $id);
        $notification->productKey = $productKey === null ? null : Text::withoutNul('product_key', $productKey);
        $notification->variantKey = $variantKey === null ? null : Text::withoutNul('variant_key', $variantKey);

        return $notification;
    }

    /**
     * @param iterable<mixed> $lines
     */
    private static function withLines(int $kind, iterable $lines, ?string $id): self
    {
        $notification = new self($kind, $id);
        foreach ($lines as $line) {
            if (!$line instanceof Line) {
                throw Text::refusal(
                    'lines[' . count($notification->lines) . '] must be a ' . Line::class . ', not ' . Text::type($line)
                );
            }
            $notification->lines[] = $line;
        }

        return $notification;
    }
}
