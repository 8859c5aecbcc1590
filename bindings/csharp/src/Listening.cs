using System;
using System.Threading;

namespace Esales.Notify
{
    /// <summary>
    /// A thread of the runtime's that asks the library what is new, again and again. The library could call back, but on
    /// threads of its own: those block all signals, and a runtime that stops its threads by signals, as Mono does, would
    /// wait for ever for one that has run managed code.
    /// </summary>
    internal static class Listening
    {
        /// <summary>
        /// How long it waits in native code, where neither an abort nor the end of a domain reaches it.
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
            // The process may end without it.
            thread.IsBackground = true;
            thread.Start();
        }
    }
}
