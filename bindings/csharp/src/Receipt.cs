using System;

namespace Esales.Notify
{
    public sealed partial class Receipt
    {
        private const long TicksPerMicrosecond = TimeSpan.TicksPerMillisecond / 1000;

        /// <summary>The receipt of a call that threw before the native library wrote one.</summary>
        internal Receipt(StatusCode code, string name, string detail)
        {
            StatusCode = code;
            StatusName = name;
            Id = string.Empty;
            Detail = detail;
        }

        /// <summary>The status name, the id and the detail, for a log.</summary>
        /// <returns>One line.</returns>
        public override string ToString()
        {
            return StatusName + " " + Id + ": " + Detail;
        }

        internal static TimeSpan Microseconds(ulong microseconds)
        {
            return TimeSpan.FromTicks((long)microseconds * TicksPerMicrosecond);
        }
    }
}
