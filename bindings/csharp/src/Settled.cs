using System;

namespace Esales.Notify
{
    /// <summary>What <see cref="Client.Settled"/> tells.</summary>
    public sealed class SettledEventArgs : EventArgs
    {
        internal SettledEventArgs(Receipt receipt)
        {
            Receipt = receipt;
        }

        /// <summary>
        /// What became of the notification: delivered, the code it died with, or <see cref="StatusCode.Expired"/> if it
        /// expired. Its <see cref="Notify.Receipt.Elapsed"/> counts from acceptance.
        /// </summary>
        public Receipt Receipt { get; }
    }
}
