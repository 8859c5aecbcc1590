using System;

namespace Esales.Notify
{
    /// <summary>What became of a notification. Immutable; may be used from any thread.</summary>
    public sealed class Receipt
    {
        internal unsafe Receipt(Native native, NativeReceipt* receipt)
        {
            StatusCode = (StatusCode)receipt->Status;
            StatusName = native.NameOf(receipt->Status);
            HttpStatus = receipt->HttpStatus == 0 ? (int?)null : receipt->HttpStatus;
            Attempts = (int)receipt->Attempts;
            Elapsed = Microseconds(receipt->ElapsedMicroseconds);
            Id = Utf8.Read(receipt->Id, NativeReceipt.IdSize);
            Detail = Utf8.Read(receipt->Detail, NativeReceipt.DetailSize);
        }

        private const long TicksPerMicrosecond = TimeSpan.TicksPerMillisecond / 1000;

        /// <summary>The outcome.</summary>
        public StatusCode StatusCode { get; }

        /// <summary>The outcome's name in the C API, such as <c>ESALES_DELIVERED</c>.</summary>
        public string StatusName { get; }

        /// <summary>HTTP status of the last attempt's answer; null if it got none.</summary>
        public int? HttpStatus { get; }

        /// <summary>Attempts that were started; 0 if nothing was sent.</summary>
        public int Attempts { get; }

        /// <summary>
        /// Duration of the call, to the microsecond. From <see cref="Client.GetReceipt"/> and
        /// <see cref="Client.Settled"/>: from acceptance to settlement, or to now while it waits.
        /// </summary>
        public TimeSpan Elapsed { get; }

        /// <summary>
        /// The id that was sent; empty if the arguments were refused. To send the same event again, pass this id.
        /// </summary>
        public string Id { get; }

        /// <summary>What happened, in words for a person; at most 255 bytes of UTF-8.</summary>
        public string Detail { get; }

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
