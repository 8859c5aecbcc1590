using System;

namespace Esales.Notify
{
    /// <summary>The argument of <see cref="Client.Completed"/>.</summary>
    public sealed class CompletedEventArgs : EventArgs
    {
        internal CompletedEventArgs(Receipt receipt)
        {
            Receipt = receipt;
        }

        /// <summary>
        /// The receipt of the notification. Its status is <see cref="StatusCode.Delivered"/>,
        /// <see cref="StatusCode.Expired"/>, or the code for which it became a dead letter. Its
        /// <see cref="Notify.Receipt.Elapsed"/> counts from acceptance.
        /// </summary>
        public Receipt Receipt { get; }
    }
}
