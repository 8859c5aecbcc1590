<?php

declare(strict_types=1);

namespace Esales\Notify;

use Esales\Notify\Internal\Loader;

/**
 * The status codes of the C API, named as there without the prefix ESALES_.
 *
 * The numbers are frozen: never renumbered, never reused. 0 and above is success.
 */
final class Status
{
    /** The service received the notification (2xx). */
    public const DELIVERED = 0;

    /** The notification is in the queue and will be delivered. */
    public const QUEUED = 1;

    /** An argument is missing or malformed; nothing was sent. */
    public const INVALID_ARGUMENT = -1;

    /** An option is unknown, out of range, or contradicts another. */
    public const INVALID_CONFIG = -2;

    /** The client was closed. */
    public const CLOSED = -3;

    /** 400: a ticket, a product key or an order line is missing. Final. */
    public const BAD_REQUEST = -10;

    /** 403: the customer key of a signed-in visitor could not be validated. Final. */
    public const FORBIDDEN = -11;

    /** Any other final answer. */
    public const REJECTED = -12;

    /** 5xx: unavailable or busy. May succeed later, with the same id. */
    public const SERVER_ERROR = -20;

    /** 429 or 425: come back later. May succeed later, with the same id. */
    public const THROTTLED = -21;

    /** No answer within timeout_ms, or 408. May succeed later, with the same id. */
    public const TIMEOUT = -22;

    /** Name not found, or no connection. May succeed later, with the same id. */
    public const CONNECT_FAILED = -23;

    /** TLS handshake failed or certificate refused. May succeed later, once mended. */
    public const TLS_FAILED = -24;

    /** The connection broke before the answer. May succeed later, with the same id. */
    public const CONNECTION_LOST = -25;

    /** The answer is not HTTP. May succeed later, with the same id. */
    public const BAD_RESPONSE = -26;

    /** The queue is full; not accepted. */
    public const QUEUE_FULL = -30;

    /** The spool could not be written; not accepted. */
    public const SPOOL_FAILED = -31;

    /** The notification was not delivered within max_age_s. */
    public const EXPIRED = -32;

    /** The notification was dropped: to make room, or by an operator. */
    public const DROPPED = -33;

    /** Nothing is known of the id. */
    public const UNKNOWN_ID = -34;

    /** A defect in the library. */
    public const INTERNAL = -90;

    private function __construct()
    {
    }

    /**
     * The name of a code in the C API, such as "ESALES_TIMEOUT"; "ESALES_UNKNOWN" for a number that is none.
     *
     * @param int         $status  a code
     * @param string|null $library path of the shared library; null: found as the README says
     *
     * @throws Exception\LibraryException if the library cannot be loaded
     */
    public static function name(int $status, ?string $library = null): string
    {
        return Loader::load($library)->statusName($status);
    }

    /**
     * What a code means, in one sentence.
     *
     * @param int         $status  a code
     * @param string|null $library path of the shared library; null: found as the README says
     *
     * @throws Exception\LibraryException if the library cannot be loaded
     */
    public static function text(int $status, ?string $library = null): string
    {
        return Loader::load($library)->statusText($status);
    }
}
