<?php

declare(strict_types=1);

namespace Esales\Notify;

use Esales\Notify\Exception\InternalException;
use Esales\Notify\Internal\Functions;
use Esales\Notify\Internal\Text;

/**
 * Makes the keys and tokens of visitors. Nothing is sent.
 *
 * The keys are made in PHP alone, so a page gets them even if FFI is off or the shared library is missing.
 */
final class Identity
{
    private function __construct()
    {
    }

    /**
     * Returns the customer key of a signed-in visitor: the SHA-256 of the visitor's id, as 64 lower-case hex digits.
     *
     * @param string $customerId the visitor's id in the shop: 1 to 4096 bytes without control characters
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
     * Returns the token of a signed-in visitor: the HMAC-SHA256 of the customer key under the shop's private key, as
     * 64 lower-case hex digits.
     *
     * @param string $privateKey  the shop's private key, which the vendor issued: 1 to 4096 bytes without control
     *                            characters; the line break at the end of a file is not part of it
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
     * Returns a new random key (UUID version 4) for an anonymous customer key, a session key or an id.
     *
     * @throws InternalException if the system provides no random bytes
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
