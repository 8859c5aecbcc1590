<?php

declare(strict_types=1);

namespace Esales\Notify;

use Esales\Notify\Exception\InternalException;
use Esales\Notify\Internal\Functions;
use Esales\Notify\Internal\Text;

/**
 * Keys and tokens that say who a visitor is. Nothing is sent.
 *
 * Written in PHP alone: a page gets its keys where FFI is off and where the shared library is missing, too.
 */
final class Identity
{
    private function __construct()
    {
    }

    /**
     * The customer key of a signed-in visitor: SHA-256 of the visitor's id in the shop, as 64 lower-case hex digits.
     *
     * @param string $customerId the visitor's id in the shop: 1 to 4096 bytes, no control character
     *
     * @throws Exception\InvalidArgumentException
     */
    public static function customerKey(
        #[\SensitiveParameter]
        string $customerId
    ): string {
        Text::identity('customer_id', $customerId);

        return hash('sha256', $customerId);
    }

    /**
     * The token of a signed-in visitor: HMAC-SHA256 of the customer key under the shop's private key, as 64
     * lower-case hex digits.
     *
     * @param string $privateKey  the shop's private key, from the vendor: 1 to 4096 bytes, no control character (mind
     *                            the line break at the end of a file)
     * @param string $customerKey from customerKey()
     *
     * @throws Exception\InvalidArgumentException
     */
    public static function customerToken(
        #[\SensitiveParameter]
        string $privateKey,
        #[\SensitiveParameter]
        string $customerKey
    ): string {
        Text::identity('customer_key', $customerKey);
        Text::identity('private_key', $privateKey);

        return hash_hmac('sha256', $customerKey, $privateKey);
    }

    /**
     * A new random key (UUID version 4): for anonymous customer keys, session keys and ids.
     *
     * @throws InternalException if the system gives no random bytes
     */
    public static function newKey(): string
    {
        Functions::require();
        try {
            $bytes = random_bytes(16);
        } catch (\Exception $e) {
            throw new InternalException('no random bytes: ' . $e->getMessage(), Status::INTERNAL, 'ESALES_INTERNAL');
        }
        // The version and the variant of RFC 9562.
        $bytes[6] = chr(ord($bytes[6]) & 0x0f | 0x40);
        $bytes[8] = chr(ord($bytes[8]) & 0x3f | 0x80);

        return preg_replace('/^(.{8})(.{4})(.{4})(.{4})/', '$1-$2-$3-$4-', bin2hex($bytes));
    }
}
