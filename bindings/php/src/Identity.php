<?php

declare(strict_types=1);

namespace Esales\Notify;

use Esales\Notify\Internal\Functions;
use Esales\Notify\Internal\Keys;

/**
 * Makes the keys and tokens of visitors. Nothing is sent, and the shared library is not needed.
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
        Functions::require();

        return hash('sha256', Keys::check('customer_id', $customerId));
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
        Functions::require();

        return hash_hmac(
            'sha256',
            Keys::check('customer_key', $customerKey),
            Keys::check('private_key', $privateKey)
        );
    }

    /**
     * Returns a new random key (UUID version 4) for an anonymous customer key, a session key or an id.
     *
     * @throws Exception\InternalException if the system provides no random bytes
     */
    public static function newKey(): string
    {
        return Keys::random();
    }
}
