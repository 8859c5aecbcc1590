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
     * The visitor added a product to the cart that the service had shown.
     */
    public const ADD_TO_CART = 1;

    /**
     * The visitor clicked a product that the service had shown.
     */
    public const CLICK = 2;

    /**
     * The visitor clicked a product that the service had not shown, so that there is no ticket for it.
     */
    public const NON_ESALES_CLICK = 3;

    /**
     * The visitor added a product to the cart that the service had not shown, so that there is no ticket for it.
     */
    public const NON_ESALES_ADD_TO_CART = 4;

    /**
     * The visitor paid for an order. Not every cluster accepts payments that are not signed.
     */
    public const PAYMENT = 5;

    /**
     * The visitor paid for an order. The shop's private key signs the notification, and its lines may have costs.
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
