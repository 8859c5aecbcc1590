<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify;

/**
 * What the visitor did.
 */
final class Kind
{
    /**
     * The visitor added to the cart a product that the service had returned.
     */
    public const ADD_TO_CART = 1;

    /**
     * The visitor clicked a product that the service had returned.
     */
    public const CLICK = 2;

    /**
     * The visitor clicked a product that did not come from the service and has no ticket.
     */
    public const NON_ESALES_CLICK = 3;

    /**
     * The visitor added to the cart a product that did not come from the service and has no ticket.
     */
    public const NON_ESALES_ADD_TO_CART = 4;

    /**
     * The visitor paid for an order. Some clusters accept only signed payments.
     */
    public const PAYMENT = 5;

    /**
     * The visitor paid for an order. The notification is signed with the shop's private key, and its lines may have
     * costs.
     */
    public const SECURE_PAYMENT = 6;

    /**
     * The visitor signed out: the session ends.
     */
    public const END = 7;

    private function __construct()
    {
    }
}
