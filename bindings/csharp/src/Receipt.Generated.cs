// Generated from the Rust source by `make generate`: do not edit.

using System;

namespace Esales.Notify
{
    /// <summary>What became of a notification. Immutable; may be used from any thread.</summary>
    public sealed partial class Receipt
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

        /// <summary>What became of it; the code that the function returned, if it sends or enqueues.</summary>
        public StatusCode StatusCode { get; }

        /// <summary>The code's name in the C API, such as <c>ESALES_DELIVERED</c>.</summary>
        public string StatusName { get; }

        /// <summary>HTTP status of the last attempt's answer; null: it got none.</summary>
        public int? HttpStatus { get; }

        /// <summary>Attempts that were started; 0: nothing was sent.</summary>
        public int Attempts { get; }

        /// <summary>Duration of the call.</summary>
        public TimeSpan Elapsed { get; }

        /// <summary>The id that was sent; empty if the arguments were refused.</summary>
        public string Id { get; }

        /// <summary>What happened, for a person; UTF-8. What does not fit is cut between two characters, and then ends with "...". <c>esales_last_error</c> has all of it if the call failed.</summary>
        public string Detail { get; }
    }
}
