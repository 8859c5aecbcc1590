<?php

declare(strict_types=1);

namespace Esales\Notify\Internal;

use Esales\Notify\Exception\NotifyException;
use Esales\Notify\Receipt;
use Esales\Notify\Visitor;
use FFI;
use FFI\CData;

/**
 * The C functions, one method each: conversion only.
 *
 * With ffi.enable=preload outside the command line, PHP allows FFI's own functions only to code that stands in a
 * preloaded function. So they are all called from methods of this class and of Loader, never from a callback.
 *
 * @internal
 */
final class Library
{
    private FFI $ffi;

    public function __construct(FFI $ffi)
    {
        $this->ffi = $ffi;
    }

    public function version(): string
    {
        return $this->ffi->esales_version();
    }

    public function statusName(int $status): string
    {
        return $this->ffi->esales_status_name($status);
    }

    public function statusText(int $status): string
    {
        return $this->ffi->esales_status_text($status);
    }

    /**
     * @throws NotifyException
     */
    public function customerKey(string $customerId): string
    {
        Text::withoutNul('customer_id', $customerId);
        $out = $this->ffi->new('char[65]');
        $this->check($this->ffi->esales_customer_key($customerId, $out));

        return FFI::string($out);
    }

    /**
     * @throws NotifyException
     */
    public function customerToken(
        #[\SensitiveParameter]
        string $privateKey,
        string $customerKey
    ): string {
        Text::withoutNul('private_key', $privateKey);
        Text::withoutNul('customer_key', $customerKey);
        $out = $this->ffi->new('char[65]');
        $this->check($this->ffi->esales_customer_token($privateKey, $customerKey, $out));

        return FFI::string($out);
    }

    /**
     * @throws NotifyException
     */
    public function newKey(): string
    {
        $out = $this->ffi->new('char[37]');
        $this->check($this->ffi->esales_new_key($out));

        return FFI::string($out);
    }

    /**
     * @param array<string, string> $options from Text::options()
     *
     * @return CData a handle for freeClient()
     *
     * @throws NotifyException
     */
    public function newClient(array $options): CData
    {
        $client = $this->ffi->new('esales_client *');
        if ($options === []) {
            $this->check($this->ffi->esales_client_new(null, FFI::addr($client)));

            return $client;
        }
        $config = $this->ffi->new('esales_config *');
        $this->check($this->ffi->esales_config_new(FFI::addr($config)));
        try {
            foreach ($options as $name => $value) {
                $this->check($this->ffi->esales_config_set($config, $name, $value));
            }
            $this->check($this->ffi->esales_client_new($config, FFI::addr($client)));
        } finally {
            $this->ffi->esales_config_free($config);
        }

        return $client;
    }

    public function freeClient(CData $client): void
    {
        $this->ffi->esales_client_free($client);
    }

    /**
     * @throws NotifyException
     */
    public function notifyAddToCart(CData $client, Visitor $visitor, string $ticket, ?string $id): Receipt
    {
        Text::withoutNul('ticket', $ticket);
        if ($id !== null) {
            Text::withoutNul('id', $id);
        }
        // A struct's char * does not own what it points to: the buffers must outlive the call, so a variable of this
        // function holds each of them.
        $market = $this->buffer($visitor->getMarket());
        $customerKey = $this->buffer($visitor->getCustomerKey());
        $sessionKey = $this->buffer($visitor->getSessionKey());
        $token = $this->buffer($visitor->getToken());

        $who = $this->ffi->new('esales_visitor');
        $who->struct_size = FFI::sizeof($who);
        $who->market = $this->pointer($market);
        $who->customer_key = $this->pointer($customerKey);
        $who->session_key = $this->pointer($sessionKey);
        $who->token = $this->pointer($token);

        $receipt = $this->ffi->new('esales_receipt');
        $receipt->struct_size = FFI::sizeof($receipt);

        $status = $this->ffi->esales_notify_add_to_cart(
            $client,
            FFI::addr($who),
            $ticket,
            $id,
            FFI::addr($receipt)
        );
        $result = new Receipt(
            $status,
            $this->statusName($status),
            $receipt->http_status === 0 ? null : $receipt->http_status,
            $receipt->attempts,
            $receipt->elapsed_us,
            FFI::string($receipt->id),
            FFI::string($receipt->detail)
        );
        if ($status < 0) {
            throw Failure::of($status, $result->getStatusName(), $result->getDetail(), $result);
        }

        return $result;
    }

    /**
     * A NUL-terminated copy in C's memory, which lives as long as the variable that holds it; null stays null.
     */
    private function buffer(?string $text): ?CData
    {
        if ($text === null) {
            return null;
        }
        $length = strlen($text);
        // New memory is zeroed, so that the NUL is there.
        $buffer = $this->ffi->new('char[' . ($length + 1) . ']');
        FFI::memcpy($buffer, $text, $length);

        return $buffer;
    }

    /**
     * What a struct's member takes: PHP refuses to assign memory that it owns, but not a pointer to it.
     */
    private function pointer(?CData $buffer): ?CData
    {
        return $buffer === null ? null : $this->ffi->cast('char *', $buffer);
    }

    /**
     * @throws NotifyException if the code is an error
     */
    private function check(int $status): void
    {
        if ($status < 0) {
            throw Failure::of($status, $this->statusName($status), $this->ffi->esales_last_error(), null);
        }
    }
}
