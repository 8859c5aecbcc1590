<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify;

use Esales\Notify\Internal\Loader;

/**
 * The status codes of the C API, without the prefix ESALES_.
 *
 * The numbers are frozen: they are never renumbered or reused. 0 or more is success.
 */
final class Status
{
    /**
     * The service received the notification (2xx).
     */
    public const DELIVERED = 0;

    /**
     * The notification is in the queue and will be delivered.
     */
    public const QUEUED = 1;

    /**
     * An argument is missing or malformed; nothing was sent.
     */
    public const INVALID_ARGUMENT = -1;

    /**
     * An option is missing, unknown, out of range, or contradicts another.
     */
    public const INVALID_CONFIG = -2;

    /**
     * The client was closed; nothing was sent.
     */
    public const CLOSED = -3;

    /**
     * The service refused the request (400): a ticket, a product key or an order line is missing.
     */
    public const BAD_REQUEST = -10;

    /**
     * The service could not validate a signed-in visitor or a payment (403).
     */
    public const FORBIDDEN = -11;

    /**
     * The service gave another final answer, such as a 404 or a redirect.
     */
    public const REJECTED = -12;

    /**
     * It is not known whether the payment arrived; the service would count it twice if it were sent again.
     */
    public const MAY_HAVE_ARRIVED = -13;

    /**
     * The service is unavailable or busy (5xx).
     */
    public const SERVER_ERROR = -20;

    /**
     * The service asks the client to try again later (429 or 425).
     */
    public const THROTTLED = -21;

    /**
     * There was no answer within the time-out, or the answer was 408; the notification may have arrived.
     */
    public const TIMEOUT = -22;

    /**
     * The host name was not found, or no connection could be made.
     */
    public const CONNECT_FAILED = -23;

    /**
     * The TLS handshake failed, or the certificate was refused.
     */
    public const TLS_FAILED = -24;

    /**
     * The connection broke before the answer was complete; the notification may have arrived.
     */
    public const CONNECTION_LOST = -25;

    /**
     * The answer is not valid HTTP; the notification may have arrived.
     */
    public const BAD_RESPONSE = -26;

    /**
     * The queue is full; the notification was not accepted.
     */
    public const QUEUE_FULL = -30;

    /**
     * The spool could not be read or written. If the call was to enqueue, the notification was not accepted.
     */
    public const SPOOL_FAILED = -31;

    /**
     * The notification was not delivered within max_age_s; its delivery is no longer tried.
     */
    public const EXPIRED = -32;

    /**
     * The notification was dropped from the queue: to make room, or by an operator.
     */
    public const DROPPED = -33;

    /**
     * The id is unknown: it was never accepted here, or its receipt was discarded.
     */
    public const UNKNOWN_ID = -34;

    /**
     * The library has a defect; it is not known whether the call had an effect.
     */
    public const INTERNAL = -90;

    private function __construct()
    {
    }

    /**
     * Returns the name of a code in the C API, such as "ESALES_TIMEOUT", or "ESALES_UNKNOWN" for an unknown number.
     *
     * @param int         $status  a code
     * @param string|null $library path of the shared library; null: searched as described in the README
     *
     * @throws Exception\LibraryException if the library cannot be loaded
     */
    public static function name(int $status, ?string $library = null): string
    {
        return Loader::load($library)->statusName($status);
    }

    /**
     * Returns the meaning of a code, in one sentence.
     *
     * @param int         $status  a code
     * @param string|null $library path of the shared library; null: searched as described in the README
     *
     * @throws Exception\LibraryException if the library cannot be loaded
     */
    public static function text(int $status, ?string $library = null): string
    {
        return Loader::load($library)->statusText($status);
    }
}
