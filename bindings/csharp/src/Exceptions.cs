using System;

namespace Esales.Notify
{
    /// <summary>
    /// A failure that the library reports. <see cref="InvalidArgumentException"/> and <see cref="ClosedException"/>
    /// derive from .NET's own exceptions instead; <see cref="INotifyError"/> spans them all.
    /// </summary>
    public class NotifyException : Exception, INotifyError
    {
        internal NotifyException(Failure failure)
            : base(failure.Message)
        {
            StatusCode = failure.Code;
            StatusName = failure.Name;
            Receipt = failure.Receipt;
        }

        /// <summary>The code, below zero.</summary>
        public StatusCode StatusCode { get; }

        /// <summary>The code's name in the C API, such as <c>ESALES_TIMEOUT</c>.</summary>
        public string StatusName { get; }

        /// <summary>What became of the notification; null if the failure is not about one.</summary>
        public Receipt Receipt { get; }
    }

    /// <summary>-1: an argument is missing or malformed; nothing was sent.</summary>
    public sealed class InvalidArgumentException : ArgumentException, INotifyError
    {
        internal InvalidArgumentException(Failure failure)
            : base(failure.Message)
        {
            StatusName = failure.Name;
            Receipt = failure.Receipt;
        }

        internal InvalidArgumentException(string words, string parameter)
            : base("ESALES_INVALID_ARGUMENT: " + words, parameter)
        {
            StatusName = "ESALES_INVALID_ARGUMENT";
        }

        /// <summary><see cref="Notify.StatusCode.InvalidArgument"/>.</summary>
        public StatusCode StatusCode
        {
            get { return StatusCode.InvalidArgument; }
        }

        /// <summary><c>ESALES_INVALID_ARGUMENT</c>.</summary>
        public string StatusName { get; }

        /// <summary>The library's receipt, which says that nothing was sent; null if it was not asked.</summary>
        public Receipt Receipt { get; }
    }

    /// <summary>-2: an option is unknown, missing, out of range, or contradicts another.</summary>
    public sealed class InvalidConfigException : NotifyException
    {
        internal InvalidConfigException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-3: the client was disposed; nothing was sent.</summary>
    public sealed class ClosedException : ObjectDisposedException, INotifyError
    {
        internal ClosedException(string statusName)
            : base(typeof(Client).FullName, statusName + ": the client was disposed")
        {
            StatusName = statusName;
        }

        /// <summary><see cref="Notify.StatusCode.Closed"/>.</summary>
        public StatusCode StatusCode
        {
            get { return StatusCode.Closed; }
        }

        /// <summary><c>ESALES_CLOSED</c>.</summary>
        public string StatusName { get; }

        /// <summary>Always null: nothing was sent.</summary>
        public Receipt Receipt
        {
            get { return null; }
        }
    }

    /// <summary>-10 to -19: the service refused the notification for good; the same again cannot help.</summary>
    public class FinalException : NotifyException
    {
        internal FinalException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-10: a ticket, a product key or an order line is missing (400).</summary>
    public sealed class BadRequestException : FinalException
    {
        internal BadRequestException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>
    /// -11: the customer key of a signed-in visitor could not be validated (403): a wrong or rotated private key, or the
    /// token of another visitor.
    /// </summary>
    public sealed class ForbiddenException : FinalException
    {
        internal ForbiddenException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-12: any other final answer.</summary>
    public sealed class RejectedException : FinalException
    {
        internal RejectedException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-20 to -29: may succeed later; send it again with the id of the receipt.</summary>
    public class RetryableException : NotifyException
    {
        internal RetryableException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-20: the service is unavailable or busy (5xx).</summary>
    public sealed class ServerErrorException : RetryableException
    {
        internal ServerErrorException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-21: the service asks to come back later (429 or 425).</summary>
    public sealed class ThrottledException : RetryableException
    {
        internal ThrottledException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-22: no answer within <c>timeout_ms</c>, or 408. The event may have arrived all the same.</summary>
    public sealed class NotifyTimeoutException : RetryableException
    {
        internal NotifyTimeoutException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-23: the name was not found, or no connection could be made.</summary>
    public sealed class ConnectFailedException : RetryableException
    {
        internal ConnectFailedException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-24: the TLS handshake failed or the certificate was refused.</summary>
    public sealed class TlsFailedException : RetryableException
    {
        internal TlsFailedException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-25: the connection broke before the answer. The event may have arrived all the same.</summary>
    public sealed class ConnectionLostException : RetryableException
    {
        internal ConnectionLostException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-26: the answer is not HTTP. The event may have arrived all the same.</summary>
    public sealed class BadResponseException : RetryableException
    {
        internal BadResponseException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-30: the queue is full (<c>max_items</c>, <c>max_bytes</c>); the notification was not accepted.</summary>
    public sealed class QueueFullException : NotifyException
    {
        internal QueueFullException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>
    /// -31: the spool could not be read or written within <c>enqueue_timeout_ms</c>; a notification was not accepted.
    /// </summary>
    public sealed class SpoolFailedException : NotifyException
    {
        internal SpoolFailedException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-32: the notification was not delivered within <c>max_age_s</c>.</summary>
    public sealed class ExpiredException : NotifyException
    {
        internal ExpiredException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-33: the notification was dropped: to make room, or by an operator.</summary>
    public sealed class DroppedException : NotifyException
    {
        internal DroppedException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-34: nothing is known of the id. <see cref="Client.GetReceipt"/> returns null instead.</summary>
    public sealed class UnknownIdException : NotifyException
    {
        internal UnknownIdException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-90: a defect in the library.</summary>
    public sealed class InternalException : NotifyException
    {
        internal InternalException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>
    /// The native library cannot be loaded, or is of another version. The words list what was tried and what to do.
    /// </summary>
    public sealed class LibraryNotFoundException : DllNotFoundException
    {
        internal LibraryNotFoundException(string words)
            : base(words)
        {
        }
    }
}
