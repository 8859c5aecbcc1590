<?php

declare(strict_types=1);

namespace Esales\Notify;

use Esales\Notify\Internal\Loader;

/**
 * Makes the keys and tokens of visitors. Nothing is sent.
 *
 * The last parameter of each method, $library, is the path of the shared library; null: searched as described in the
 * README.
 */
final class Identity
{
    private function __construct()
    {
    }

    /**
     * Returns the customer key of a signed-in visitor: the SHA-256 of the visitor's id, as 64 lower-case hex digits.
     *
     * @param string      $customerId the visitor's id in the shop: 1 to 4096 bytes without control characters
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
     * Returns the token of a signed-in visitor: the HMAC-SHA256 of the customer key under the shop's private key, as
     * 64 lower-case hex digits.
     *
     * @param string      $privateKey  the shop's private key, which the vendor issued: 1 to 4096 bytes without
     *                                 control characters; the line break at the end of a file is not part of it
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
     * Returns a new random key (UUID version 4) for an anonymous customer key, a session key or an id.
     *
     * @param string|null $library path of the shared library
     *
     * @throws Exception\InternalException if the system provides no random bytes
     * @throws Exception\LibraryException  if the library cannot be loaded
     */
    public static function newKey(?string $library = null): string
    {
        return Loader::load($library)->newKey();
    }
}
