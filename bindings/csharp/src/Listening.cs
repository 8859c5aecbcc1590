using System;
using System.Threading;

namespace Esales.Notify
{
    /// <summary>
    /// A managed thread that polls the library. The library could also call back, but on its own threads, which block
    /// all signals. A runtime that stops its threads by signals, as Mono does, would wait for ever for such a thread
    /// after it has run managed code.
    /// </summary>
    internal static class Listening
    {
        /// <summary>
        /// How long it waits in native code, where an abort or the end of a domain cannot interrupt it.
        /// </summary>
        internal const uint SliceMilliseconds = 100;

        /// <summary>Calls <paramref name="step"/>, which waits for one slice at most, until it returns false.</summary>
        internal static void Start(string name, Func<bool> step)
        {
            var thread = new Thread(() =>
            {
                while (step())
                {
                }
            });
            thread.Name = name;
            // The thread does not keep the process alive.
            thread.IsBackground = true;
            thread.Start();
        }
    }
}
