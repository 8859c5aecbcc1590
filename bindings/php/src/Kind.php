<?php

declare(strict_types=1);

namespace Esales\Notify;

/**
 * The kinds of notification. Notification::click() and its like set them.
 */
final class Kind
{
    /** The visitor added a product to the cart that the service had shown. */
    public const ADD_TO_CART = 1;

    /** The visitor clicked a product that the service had shown. */
    public const CLICK = 2;

    /** The visitor clicked a product for which there is no ticket. */
    public const NON_ESALES_CLICK = 3;

    /** The visitor added a product to the cart for which there is no ticket. */
    public const NON_ESALES_ADD_TO_CART = 4;

    /** The visitor paid for an order. */
    public const PAYMENT = 5;

    /** The same, signed. */
    public const SECURE_PAYMENT = 6;

    /** The visitor signed out. */
    public const END = 7;

    private function __construct()
    {
    }
}
