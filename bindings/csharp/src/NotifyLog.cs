using System;
using System.Threading;

namespace Esales.Notify
{
    /// <summary>How bad a message is, or how much detail it is. The numbers are those of the C API.</summary>
    public enum LogLevel
    {
        /// <summary>No messages.</summary>
        Off = 0,

        /// <summary>Events may be lost, or were: an operator must act.</summary>
        Error = 1,

        /// <summary>Something to look at: a dead letter, an outage, expired or dropped events.</summary>
        Warn = 2,

        /// <summary>Turns in the delivery: the service is back.</summary>
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

        /// <summary>How bad it is, or how much detail.</summary>
        public LogLevel Level { get; }

        /// <summary>The words; keys, tokens and tickets never appear in them.</summary>
        public string Message { get; }

        /// <summary>The level and the words, for a log.</summary>
        /// <returns>One line.</returns>
        public override string ToString()
        {
            return Level + ": " + Message;
        }
    }

    /// <summary>
    /// What the native library says about its doings, for the whole process. Silent until somebody listens. May be used
    /// from any thread.
    /// </summary>
    public static unsafe class NotifyLog
    {
        // Of a message, with its NUL.
        private const int Size = 512;

        private static readonly object Gate = new object();

        private static EventHandler<LogMessageEventArgs> handlers;
        private static LogLevel level = LogLevel.Info;
        private static bool isListening;

        static NotifyLog()
        {
            // A web server may unload the domain and keep the process, and with it the library.
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
        /// A message. The first handler switches the log on, and loads the library; removing the last one switches it
        /// off; as with any event, it may be running at that moment. Handlers run on a thread that the first one starts
        /// (and on that of <see cref="Client.Settled"/>, when a handler there has thrown). The library does not wait for
        /// them: it keeps 256 messages, of more the newest. What a handler throws is ignored. The sender is null.
        /// </summary>
        /// <exception cref="LibraryNotFoundException">The native library cannot be loaded.</exception>
        public static event EventHandler<LogMessageEventArgs> Message
        {
            add
            {
                // If it is not there, nothing has changed.
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
        /// The most verbose level that is wanted; <see cref="LogLevel.Info"/> unless set.
        /// </summary>
        /// <exception cref="InvalidArgumentException">The value is no level.</exception>
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
        /// Runs every handler of an event for native code: one that throws keeps neither the others from running nor
        /// the library from going on. Of what it threw the log gets the type only, for the words might hold anything.
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
                    // A failing handler of the log has no other place to go to.
                    if (name != null && Level >= LogLevel.Error)
                    {
                        Say(LogLevel.Error, "a handler of " + name + " threw " + e.GetType().FullName);
                    }
                }
            }
        }

        /// <summary>Tells the library what is wanted. To be called with the gate held.</summary>
        private static void Apply()
        {
            // Without a handler there may be no library, nor is one needed.
            if (NotifyLibrary.IsLoaded)
            {
                LogLevel wanted = handlers == null ? LogLevel.Off : level;
                NotifyLibrary.Native.LogTo(IntPtr.Zero, IntPtr.Zero, (int)wanted);
            }
        }

        private static void Say(LogLevel how, string words)
        {
            Raise(Volatile.Read(ref handlers), null, new LogMessageEventArgs(how, words), null);
        }

        private static bool Listen()
        {
            int how;
            byte* words = stackalloc byte[Size];
            if (NotifyLibrary.Native.LogNext(Listening.SliceMilliseconds, &how, words) == 1)
            {
                Say((LogLevel)how, Utf8.Read(words));
            }
            lock (Gate)
            {
                isListening = handlers != null;
                return isListening;
            }
        }
    }
}
