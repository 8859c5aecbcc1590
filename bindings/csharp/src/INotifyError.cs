namespace Esales.Notify
{
    /// <summary>
    /// What every failure that the library reports has in common, whichever exception of .NET it derives from:
    /// <c>catch (Exception e) when (e is INotifyError)</c> catches them all.
    /// </summary>
    public interface INotifyError
    {
        /// <summary>The code, below zero.</summary>
        StatusCode StatusCode { get; }

        /// <summary>The code's name in the C API, such as <c>ESALES_TIMEOUT</c>.</summary>
        string StatusName { get; }

        /// <summary>What became of the notification; null if the failure is not about one that reached the library.</summary>
        Receipt Receipt { get; }
    }

    /// <summary>What an exception is made of.</summary>
    internal sealed class Failure
    {
        internal readonly StatusCode Code;
        internal readonly string Name;
        internal readonly string Words;
        internal readonly Receipt Receipt;

        internal Failure(StatusCode code, string name, string words, Receipt receipt)
        {
            Code = code;
            Name = name;
            Words = words;
            Receipt = receipt;
        }

        internal string Message
        {
            get { return Name + ": " + Words; }
        }
    }

    internal static class Failures
    {
        /// <summary>The exception of an outcome. A code of a later library becomes one of the general kind.</summary>
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
            // -20 to -29 are kept for what may succeed later, -10 to -19 for what cannot.
            int code = (int)failure.Code;
            if (code <= -20 && code >= -29)
            {
                return new RetryableException(failure);
            }
            return code <= -10 && code >= -19 ? new FinalException(failure) : new NotifyException(failure);
        }
    }
}
