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

        /// <summary>What became of it: a status code. It is the code that the function returned, if it sends or enqueues.</summary>
        public StatusCode StatusCode { get; }

        /// <summary>The code's name in the C API, such as <c>ESALES_DELIVERED</c>.</summary>
        public string StatusName { get; }

        /// <summary>HTTP status of the last attempt's answer; null: it got none.</summary>
        public int? HttpStatus { get; }

        /// <summary>How many attempts were started; 0: nothing was sent.</summary>
        public int Attempts { get; }

        /// <summary>Duration of the call. If it comes from the queue: from acceptance to the outcome, or to now.</summary>
        public TimeSpan Elapsed { get; }

        /// <summary>The id that was sent, the same in every attempt; empty if the arguments were refused. To send the same event again, pass it as the id.</summary>
        public string Id { get; }

        /// <summary>What happened, for a person: UTF-8, at most 255 bytes. A longer text is cut, and then ends with "...".</summary>
        public string Detail { get; }
    }
}
