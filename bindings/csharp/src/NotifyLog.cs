using System;
using System.Runtime.InteropServices;
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
        private static readonly object Gate = new object();

        // The collector does not see that C holds it.
        private static readonly Native.LogFunction Function = Call;
        private static readonly IntPtr Callback = Marshal.GetFunctionPointerForDelegate(Function);

        private static EventHandler<LogMessageEventArgs> handlers;
        private static LogLevel level = LogLevel.Info;
        private static bool isChanged;
        private static bool isApplying;

        static NotifyLog()
        {
            // A web server may unload the domain and keep the process, and with it the library.
            AppDomain.CurrentDomain.DomainUnload += (sender, e) => Set(ref handlers, null);
        }

        /// <summary>
        /// A message. The first handler switches the log on, and loads the library; removing the last one switches it
        /// off, and waits for a handler that is running on another thread: do not hold a lock that the handler takes.
        /// Handlers run on any thread, the library's own among them, and delivery waits for them: be quick. What a
        /// handler throws is ignored. The sender is null.
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
                }
                Apply();
            }

            remove
            {
                lock (Gate)
                {
                    handlers -= value;
                }
                Apply();
            }
        }

        /// <summary>
        /// The most verbose level that is wanted; <see cref="LogLevel.Info"/> unless set. Setting it waits as removing
        /// the last handler does.
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
                Set(ref level, value);
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

        private static void Set<T>(ref T field, T value)
        {
            lock (Gate)
            {
                field = value;
            }
            Apply();
        }

        /// <summary>
        /// Tells the library what is wanted. No lock is held meanwhile, because the library waits for handlers, which
        /// may be here as well: a thread that comes while another is at it leaves the work to that one.
        /// </summary>
        private static void Apply()
        {
            lock (Gate)
            {
                isChanged = true;
                if (isApplying)
                {
                    return;
                }
                isApplying = true;
            }
            for (;;)
            {
                LogLevel wanted;
                lock (Gate)
                {
                    if (!isChanged)
                    {
                        isApplying = false;
                        return;
                    }
                    isChanged = false;
                    wanted = handlers == null ? LogLevel.Off : level;
                }
                // Without a handler there may be no library, nor is one needed.
                if (NotifyLibrary.IsLoaded)
                {
                    IntPtr callback = wanted == LogLevel.Off ? IntPtr.Zero : Callback;
                    NotifyLibrary.Native.LogTo(callback, IntPtr.Zero, (int)wanted);
                }
            }
        }

        private static void Say(LogLevel how, string words)
        {
            Raise(Volatile.Read(ref handlers), null, new LogMessageEventArgs(how, words), null);
        }

        private static void Call(IntPtr userData, int how, byte* words)
        {
            try
            {
                Say((LogLevel)how, Utf8.Read(words));
            }
            catch (Exception)
            {
                // Out of memory, say. It would end the process if it crossed into native code.
            }
        }
    }
}
