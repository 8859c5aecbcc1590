// Generated from the Rust source by `make generate`: do not edit.

using System;

namespace Esales.Notify
{
    /// <summary>The outcome of a notification. Immutable; any thread may use it.</summary>
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

        /// <summary>The outcome, as a status code. A function that sends or enqueues returns the same code.</summary>
        public StatusCode StatusCode { get; }

        /// <summary>The code's name in the C API, such as <c>ESALES_DELIVERED</c>.</summary>
        public string StatusName { get; }

        /// <summary>HTTP status of the answer to the last attempt. null: the last attempt got no answer.</summary>
        public int? HttpStatus { get; }

        /// <summary>How many attempts were started. 0: nothing was sent.</summary>
        public int Attempts { get; }

        /// <summary>Duration of the call. In a receipt from the queue: the time from acceptance to the outcome, or until now if the notification is pending.</summary>
        public TimeSpan Elapsed { get; }

        /// <summary>The id that was sent, which is the same in every attempt. Empty if the arguments were refused. To send the same event again, pass this id.</summary>
        public string Id { get; }

        /// <summary>A message for a person: UTF-8, at most 255 bytes. A longer message is cut and ends with "...".</summary>
        public string Detail { get; }
    }
}
