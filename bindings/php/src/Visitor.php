<?php

declare(strict_types=1);

namespace Esales\Notify;

use Esales\Notify\Internal\Text;

/**
 * The visitor who caused the event. Immutable.
 *
 * The strings are UTF-8 and sent unchanged. None may be empty or contain a control character. A NUL byte is refused
 * here; the call that sends the visitor checks the rest, before anything is sent.
 */
final class Visitor
{
    private ?string $market;

    private string $customerKey;

    private string $sessionKey;

    private ?string $token;

    private function __construct(
        ?string $market,
        #[\SensitiveParameter]
        string $customerKey,
        string $sessionKey,
        #[\SensitiveParameter]
        ?string $token
    ) {
        $this->market = $market === null ? null : Text::withoutNul('market', $market);
        $this->customerKey = Text::withoutNul('customer_key', $customerKey);
        $this->sessionKey = Text::withoutNul('session_key', $sessionKey);
        $this->token = $token === null ? null : Text::withoutNul('token', $token);
    }

    /**
     * A visitor who is not signed in.
     *
     * @param string      $customerKey a UUID that the shop makes with Identity::newKey() and keeps, at most 256 bytes
     * @param string      $sessionKey  a UUID for the session (visit), at most 256 bytes
     * @param string|null $market      storefront market, at most 128 bytes; null: the client's option "market"
     *
     * @throws Exception\InvalidArgumentException if a text has a NUL byte
     */
    public static function anonymous(
        #[\SensitiveParameter]
        string $customerKey,
        string $sessionKey,
        ?string $market = null
    ): self {
        return new self($market, $customerKey, $sessionKey, null);
    }

    /**
     * A signed-in visitor.
     *
     * @param string      $customerKey Identity::customerKey() of the visitor's id in the shop
     * @param string      $sessionKey  a UUID for the session (visit), at most 256 bytes
     * @param string      $token       Identity::customerToken(), at most 256 bytes
     * @param string|null $market      storefront market, at most 128 bytes; null: the client's option "market"
     *
     * @throws Exception\InvalidArgumentException if a text has a NUL byte
     */
    public static function signedIn(
        #[\SensitiveParameter]
        string $customerKey,
        string $sessionKey,
        #[\SensitiveParameter]
        string $token,
        ?string $market = null
    ): self {
        return new self($market, $customerKey, $sessionKey, $token);
    }

    /**
     * The storefront market; null: the client's option "market".
     */
    public function getMarket(): ?string
    {
        return $this->market;
    }

    /**
     * The key of the visitor.
     */
    public function getCustomerKey(): string
    {
        return $this->customerKey;
    }

    /**
     * The key of the session (visit).
     */
    public function getSessionKey(): string
    {
        return $this->sessionKey;
    }

    /**
     * The token of a signed-in visitor; null: the visitor is anonymous.
     */
    public function getToken(): ?string
    {
        return $this->token;
    }

    /**
     * The output of var_dump() and similar functions, without the token, which must stay out of logs.
     *
     * @return array<string, string|null>
     */
    public function __debugInfo(): array
    {
        return ['token' => $this->token === null ? null : '(hidden)'] + get_object_vars($this);
    }
}
