using System;

namespace Esales.Notify
{
    public sealed partial class Stats
    {
        private static TimeSpan Milliseconds(ulong milliseconds)
        {
            return TimeSpan.FromTicks((long)milliseconds * TimeSpan.TicksPerMillisecond);
        }
    }

    public sealed partial class Counts
    {
        /// <summary>The counters, for a log.</summary>
        /// <returns>One line.</returns>
        public override string ToString()
        {
            return "accepted " + Accepted + " = delivered " + Delivered + " + dead " + Dead + " + expired " + Expired
                + " + dropped " + Dropped + " + pending " + Pending;
        }
    }
}
