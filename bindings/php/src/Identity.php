<?php

declare(strict_types=1);

namespace Esales\Notify;

use Esales\Notify\Internal\Functions;
use Esales\Notify\Internal\Keys;

/**
 * Keys and tokens that say who a visitor is. Nothing is sent, and the shared library is not needed.
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
        Functions::require();

        return hash('sha256', Keys::check('customer_id', $customerId));
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
        Functions::require();

        return hash_hmac(
            'sha256',
            Keys::check('customer_key', $customerKey),
            Keys::check('private_key', $privateKey)
        );
    }

    /**
     * A new random key (UUID version 4): for anonymous customer keys, session keys and ids.
     *
     * @throws Exception\InternalException if the system gives no random bytes
     */
    public static function newKey(): string
    {
        return Keys::random();
    }
}
