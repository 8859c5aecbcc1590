<?php

declare(strict_types=1);

namespace Esales\Notify;

use Esales\Notify\Internal\Loader;

/**
 * Keys and tokens that say who a visitor is. Nothing is sent.
 *
 * The last parameter of each, $library, is the path of the shared library; null: found as the README says.
 */
final class Identity
{
    private function __construct()
    {
    }

    /**
     * The customer key of a signed-in visitor: SHA-256 of the visitor's id in the shop, as 64 lower-case hex digits.
     *
     * @param string      $customerId the visitor's id in the shop: 1 to 4096 bytes, no control character
     * @param string|null $library    path of the shared library
     *
     * @throws Exception\InvalidArgumentException
     * @throws Exception\LibraryException         if the library cannot be loaded
     */
    public static function customerKey(
        #[\SensitiveParameter]
        string $customerId,
        ?string $library = null
    ): string {
        return Loader::load($library)->customerKey($customerId);
    }

    /**
     * The token of a signed-in visitor: HMAC-SHA256 of the customer key under the shop's private key, as 64
     * lower-case hex digits.
     *
     * @param string      $privateKey  from the vendor: 1 to 4096 bytes, no control character (mind the line break
     *                                 at the end of a file)
     * @param string      $customerKey from customerKey()
     * @param string|null $library     path of the shared library
     *
     * @throws Exception\InvalidArgumentException
     * @throws Exception\LibraryException         if the library cannot be loaded
     */
    public static function customerToken(
        #[\SensitiveParameter]
        string $privateKey,
        #[\SensitiveParameter]
        string $customerKey,
        ?string $library = null
    ): string {
        return Loader::load($library)->customerToken($privateKey, $customerKey);
    }

    /**
     * A new random key (UUID version 4): for anonymous customer keys, session keys and ids.
     *
     * @param string|null $library path of the shared library
     *
     * @throws Exception\InternalException if the system gives no random bytes
     * @throws Exception\LibraryException  if the library cannot be loaded
     */
    public static function newKey(?string $library = null): string
    {
        return Loader::load($library)->newKey();
    }
}
