using System;

namespace Esales.Notify
{
    /// <summary>
    /// A failure that the library reports. <see cref="InvalidArgumentException"/> and <see cref="ClosedException"/>
    /// derive from exceptions of .NET instead; all of them implement <see cref="INotifyError"/>.
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

        /// <summary>The code, less than 0.</summary>
        public StatusCode StatusCode { get; }

        /// <summary>The name of the code in the C API, such as <c>ESALES_TIMEOUT</c>.</summary>
        public string StatusName { get; }

        /// <summary>The receipt of the notification. Null: the failure is not about a notification.</summary>
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

        internal InvalidArgumentException(string message, string parameter)
            : base("ESALES_INVALID_ARGUMENT: " + message, parameter)
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

        /// <summary>The library's receipt. Null: the argument did not reach the library.</summary>
        public Receipt Receipt { get; }
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

    /// <summary>
    /// The native library cannot be loaded, or has another version. The message lists the paths that were tried, and
    /// advice.
    /// </summary>
    public sealed class LibraryNotFoundException : DllNotFoundException
    {
        internal LibraryNotFoundException(string message)
            : base(message)
        {
        }
    }
}
