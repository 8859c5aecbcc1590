using System;
using System.Threading;

namespace Esales.Notify
{
    /// <summary>The level of a log message. The numbers are those of the C API.</summary>
    public enum LogLevel
    {
        /// <summary>No messages.</summary>
        Off = 0,

        /// <summary>Notifications were lost or may be lost: an operator must act.</summary>
        Error = 1,

        /// <summary>A problem that an operator should look at: a dead letter, an outage, expired notifications.</summary>
        Warn = 2,

        /// <summary>Delivery started or stopped, or the service is available again.</summary>
        Info = 3,

        /// <summary>Every attempt.</summary>
        Debug = 4,
    }

    /// <summary>One message of the library.</summary>
    public sealed class LogMessageEventArgs : EventArgs
    {
        internal LogMessageEventArgs(LogLevel level, string message)
        {
            Level = level;
            Message = message;
        }

        /// <summary>The level.</summary>
        public LogLevel Level { get; }

        /// <summary>The text. It never contains keys, tokens or tickets.</summary>
        public string Message { get; }

        /// <summary>The level and the text, for a log.</summary>
        /// <returns>One line.</returns>
        public override string ToString()
        {
            return Level + ": " + Message;
        }
    }

    /// <summary>
    /// The log messages of the native library, for the whole process. The log is off until a handler is added. Any
    /// thread may use it.
    /// </summary>
    public static unsafe class NotifyLog
    {
        // The size of a message with its NUL.
        private const int Size = 512;

        private static readonly object Gate = new object();

        private static EventHandler<LogMessageEventArgs> handlers;
        private static LogLevel level = LogLevel.Info;
        private static bool isListening;

        static NotifyLog()
        {
            // A web server may unload the domain but keep the process and the library.
            AppDomain.CurrentDomain.DomainUnload += (sender, e) =>
            {
                lock (Gate)
                {
                    handlers = null;
                    Apply();
                }
            };
        }

        /// <summary>
        /// Raised for every message. The first handler switches the log on and loads the library; removing the last
        /// handler switches it off, although that handler may still be running. Handlers run on a separate thread,
        /// which the first handler starts; a message about an exception in a handler of <see cref="Client.Completed"/>
        /// comes on the thread of that event. The library does not wait for handlers: it keeps the newest 256 messages.
        /// Exceptions of handlers are ignored. The sender is null.
        /// </summary>
        /// <exception cref="LibraryNotFoundException">The native library cannot be loaded.</exception>
        public static event EventHandler<LogMessageEventArgs> Message
        {
            add
            {
                // If the library cannot be loaded, nothing is changed.
                NotifyLibrary.Load();
                lock (Gate)
                {
                    handlers += value;
                    Apply();
                    if (handlers != null && !isListening)
                    {
                        isListening = true;
                        Listening.Start("esales-log", Listen);
                    }
                }
            }

            remove
            {
                lock (Gate)
                {
                    handlers -= value;
                    Apply();
                }
            }
        }

        /// <summary>
        /// The most verbose level that is logged. The default is <see cref="LogLevel.Info"/>.
        /// </summary>
        /// <exception cref="InvalidArgumentException">The value is not a level.</exception>
        public static LogLevel Level
        {
            get
            {
                lock (Gate)
                {
                    return level;
                }
            }

            set
            {
                if (value < LogLevel.Off || value > LogLevel.Debug)
                {
                    throw new InvalidArgumentException("level is " + (int)value + ", not 0 to 4", nameof(value));
                }
                lock (Gate)
                {
                    level = value;
                    Apply();
                }
            }
        }

        /// <summary>
        /// Runs every handler of an event. An exception of a handler stops neither the other handlers nor the library.
        /// The log gets only the type of the exception, because its message might contain secrets.
        /// </summary>
        internal static void Raise<T>(EventHandler<T> handlers, object sender, T what, string name)
        {
            if (handlers == null)
            {
                return;
            }
            foreach (Delegate handler in handlers.GetInvocationList())
            {
                try
                {
                    ((EventHandler<T>)handler)(sender, what);
                }
                catch (Exception e)
                {
                    // An exception of a log handler cannot be logged anywhere.
                    if (name != null && Level >= LogLevel.Error)
                    {
                        Raise(LogLevel.Error, "a handler of " + name + " threw " + e.GetType().FullName);
                    }
                }
            }
        }

        /// <summary>Sets the level in the library. Call it with the lock held.</summary>
        private static void Apply()
        {
            // Without a handler the library may not be loaded, and is not needed.
            if (NotifyLibrary.IsLoaded)
            {
                LogLevel wanted = handlers == null ? LogLevel.Off : level;
                NotifyLibrary.Native.LogTo(IntPtr.Zero, IntPtr.Zero, (int)wanted);
            }
        }

        private static void Raise(LogLevel level, string message)
        {
            Raise(Volatile.Read(ref handlers), null, new LogMessageEventArgs(level, message), null);
        }

        private static bool Listen()
        {
            int how;
            byte* text = stackalloc byte[Size];
            if (NotifyLibrary.Native.LogNext(Listening.SliceMilliseconds, &how, text) == 1)
            {
                Raise((LogLevel)how, Utf8.Read(text));
            }
            lock (Gate)
            {
                isListening = handlers != null;
                return isListening;
            }
        }
    }
}
