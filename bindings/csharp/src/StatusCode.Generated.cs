// Generated from the Rust source by `make generate`: do not edit.

namespace Esales.Notify
{
    /// <summary>
    /// The outcome of a call. The numbers are those of the C API and are frozen: they are never renumbered or reused.
    /// Zero or more is success. A later library may return a number that is not listed here.
    ///
                   /// </summary>
    public enum StatusCode
    {
        /// <summary>The service received the notification (2xx).</summary>
        Delivered = 0,

        /// <summary>The notification is in the queue and will be delivered.</summary>
        Queued = 1,

        /// <summary>An argument is missing or malformed; nothing was sent.</summary>
        InvalidArgument = -1,

        /// <summary>An option is missing, unknown, out of range, or contradicts another.</summary>
        InvalidConfig = -2,

        /// <summary>The client was closed; nothing was sent.</summary>
        Closed = -3,

        /// <summary>The service refused the request (400): a ticket, a product key or an order line is missing.</summary>
        BadRequest = -10,

        /// <summary>The service could not validate a signed-in visitor or a payment (403).</summary>
        Forbidden = -11,

        /// <summary>The service gave another final answer, such as a 404 or a redirect.</summary>
        Rejected = -12,

        /// <summary>It is not known whether the payment arrived; the service would count it twice if it were sent again.</summary>
        MayHaveArrived = -13,

        /// <summary>The service is unavailable or busy (5xx).</summary>
        ServerError = -20,

        /// <summary>The service asks the client to try again later (429 or 425).</summary>
        Throttled = -21,

        /// <summary>There was no answer within the time-out, or the answer was 408; the notification may have arrived.</summary>
        Timeout = -22,

        /// <summary>The host name was not found, or no connection could be made.</summary>
        ConnectFailed = -23,

        /// <summary>The TLS handshake failed, or the certificate was refused.</summary>
        TlsFailed = -24,

        /// <summary>The connection broke before the answer was complete; the notification may have arrived.</summary>
        ConnectionLost = -25,

        /// <summary>The answer is not valid HTTP; the notification may have arrived.</summary>
        BadResponse = -26,

        /// <summary>The queue is full; the notification was not accepted.</summary>
        QueueFull = -30,

        /// <summary>The spool could not be read or written. If the call was to enqueue, the notification was not accepted.</summary>
        SpoolFailed = -31,

        /// <summary>The notification was not delivered within <c>max_age_s</c>; its delivery is no longer tried.</summary>
        Expired = -32,

        /// <summary>The notification was dropped from the queue: to make room, or by an operator.</summary>
        Dropped = -33,

        /// <summary>The id is unknown: it was never accepted here, or its receipt was discarded.</summary>
        UnknownId = -34,

        /// <summary>The library has a defect; it is not known whether the call had an effect.</summary>
        Internal = -90,
    }
}
