// Generated from the Rust source by `make generate`: do not edit.

namespace Esales.Notify
{
    /// <summary>-2: An option is missing, unknown, out of range, or contradicts another.</summary>
    public sealed class InvalidConfigException : NotifyException
    {
        internal InvalidConfigException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-10 to -19: The notification is not sent again: the service refused it, or would count it twice.</summary>
    public class FinalException : NotifyException
    {
        internal FinalException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-10: The service refused the request (400): a ticket, a product key or an order line is missing.</summary>
    public sealed class BadRequestException : FinalException
    {
        internal BadRequestException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-11: The service could not validate a signed-in visitor or a payment (403).</summary>
    public sealed class ForbiddenException : FinalException
    {
        internal ForbiddenException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-12: The service gave another final answer, such as a 404 or a redirect.</summary>
    public sealed class RejectedException : FinalException
    {
        internal RejectedException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-13: It is not known whether the payment arrived; the service would count it twice if it were sent again.</summary>
    public sealed class MayHaveArrivedException : FinalException
    {
        internal MayHaveArrivedException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-20 to -29: The same notification may succeed later, with the same id.</summary>
    public class RetryableException : NotifyException
    {
        internal RetryableException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-20: The service is unavailable or busy (5xx).</summary>
    public sealed class ServerErrorException : RetryableException
    {
        internal ServerErrorException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-21: The service asks the client to try again later (429 or 425).</summary>
    public sealed class ThrottledException : RetryableException
    {
        internal ThrottledException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-22: There was no answer within the time-out, or the answer was 408; the notification may have arrived.</summary>
    public sealed class NotifyTimeoutException : RetryableException
    {
        internal NotifyTimeoutException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-23: The host name was not found, or no connection could be made.</summary>
    public sealed class ConnectFailedException : RetryableException
    {
        internal ConnectFailedException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-24: The TLS handshake failed, or the certificate was refused.</summary>
    public sealed class TlsFailedException : RetryableException
    {
        internal TlsFailedException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-25: The connection broke before the answer was complete; the notification may have arrived.</summary>
    public sealed class ConnectionLostException : RetryableException
    {
        internal ConnectionLostException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-26: The answer is not valid HTTP; the notification may have arrived.</summary>
    public sealed class BadResponseException : RetryableException
    {
        internal BadResponseException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-30: The queue is full; the notification was not accepted.</summary>
    public sealed class QueueFullException : NotifyException
    {
        internal QueueFullException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-31: The spool could not be read or written. If the call was to enqueue, the notification was not accepted.</summary>
    public sealed class SpoolFailedException : NotifyException
    {
        internal SpoolFailedException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-32: The notification was not delivered within <c>max_age_s</c>; its delivery is no longer tried.</summary>
    public sealed class ExpiredException : NotifyException
    {
        internal ExpiredException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-33: The notification was dropped from the queue: to make room, or by an operator.</summary>
    public sealed class DroppedException : NotifyException
    {
        internal DroppedException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-34: The id is unknown: it was never accepted here, or its receipt was discarded.</summary>
    public sealed class UnknownIdException : NotifyException
    {
        internal UnknownIdException(Failure failure)
            : base(failure)
        {
        }
    }

    /// <summary>-90: The library has a defect; it is not known whether the call had an effect.</summary>
    public sealed class InternalException : NotifyException
    {
        internal InternalException(Failure failure)
            : base(failure)
        {
        }
    }

    internal static class Failures
    {
        /// <summary>The exception of an outcome. An unknown code of a later library gets the exception of its group.</summary>
        internal static System.Exception Make(Failure failure)
        {
            switch (failure.Code)
            {
                case StatusCode.InvalidArgument: return new InvalidArgumentException(failure);
                case StatusCode.InvalidConfig: return new InvalidConfigException(failure);
                case StatusCode.Closed: return new ClosedException(failure.Name);
                case StatusCode.BadRequest: return new BadRequestException(failure);
                case StatusCode.Forbidden: return new ForbiddenException(failure);
                case StatusCode.Rejected: return new RejectedException(failure);
                case StatusCode.MayHaveArrived: return new MayHaveArrivedException(failure);
                case StatusCode.ServerError: return new ServerErrorException(failure);
                case StatusCode.Throttled: return new ThrottledException(failure);
                case StatusCode.Timeout: return new NotifyTimeoutException(failure);
                case StatusCode.ConnectFailed: return new ConnectFailedException(failure);
                case StatusCode.TlsFailed: return new TlsFailedException(failure);
                case StatusCode.ConnectionLost: return new ConnectionLostException(failure);
                case StatusCode.BadResponse: return new BadResponseException(failure);
                case StatusCode.QueueFull: return new QueueFullException(failure);
                case StatusCode.SpoolFailed: return new SpoolFailedException(failure);
                case StatusCode.Expired: return new ExpiredException(failure);
                case StatusCode.Dropped: return new DroppedException(failure);
                case StatusCode.UnknownId: return new UnknownIdException(failure);
                case StatusCode.Internal: return new InternalException(failure);
            }
            int code = (int)failure.Code;
            if (code >= -19 && code <= -10)
            {
                return new FinalException(failure);
            }
            if (code >= -29 && code <= -20)
            {
                return new RetryableException(failure);
            }
            return new NotifyException(failure);
        }
    }
}
