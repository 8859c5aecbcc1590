namespace Esales.Notify
{
    /// <summary>
    /// The outcome of a call. The numbers are those of the C API and are frozen: never renumbered, never reused.
    /// Zero and above is success. A later library may return a number that is not listed here.
    /// </summary>
    public enum StatusCode
    {
        /// <summary>The service received the notification (2xx).</summary>
        Delivered = 0,

        /// <summary>The notification is in the queue and will be delivered.</summary>
        Queued = 1,

        /// <summary>An argument is missing or malformed; nothing was sent.</summary>
        InvalidArgument = -1,

        /// <summary>An option is unknown, out of range, or contradicts another.</summary>
        InvalidConfig = -2,

        /// <summary>The client was closed.</summary>
        Closed = -3,

        /// <summary>400: a ticket, a product key or an order line is missing. Final.</summary>
        BadRequest = -10,

        /// <summary>403: the customer key of a signed-in visitor could not be validated. Final.</summary>
        Forbidden = -11,

        /// <summary>Any other final answer.</summary>
        Rejected = -12,

        /// <summary>5xx: unavailable or busy. May succeed later, with the same id.</summary>
        ServerError = -20,

        /// <summary>429 or 425: come back later. May succeed later, with the same id.</summary>
        Throttled = -21,

        /// <summary>No answer within <c>timeout_ms</c>, or 408. May succeed later, with the same id.</summary>
        Timeout = -22,

        /// <summary>Name not found, or no connection. May succeed later, with the same id.</summary>
        ConnectFailed = -23,

        /// <summary>TLS handshake failed or certificate refused. May succeed later, once mended.</summary>
        TlsFailed = -24,

        /// <summary>The connection broke before the answer. May succeed later, with the same id.</summary>
        ConnectionLost = -25,

        /// <summary>The answer is not HTTP. May succeed later, with the same id.</summary>
        BadResponse = -26,

        /// <summary>The queue is full; not accepted.</summary>
        QueueFull = -30,

        /// <summary>The spool could not be written; not accepted.</summary>
        SpoolFailed = -31,

        /// <summary>The notification was not delivered within <c>max_age_s</c>.</summary>
        Expired = -32,

        /// <summary>The notification was dropped: to make room, or by an operator.</summary>
        Dropped = -33,

        /// <summary>Nothing is known of the id.</summary>
        UnknownId = -34,

        /// <summary>A defect in the library.</summary>
        Internal = -90,
    }
}
