using System;
using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Threading;

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
        /// What became of the notification: delivered, the code it died with, or <see cref="StatusCode.Timeout"/> if it
        /// expired. Its <see cref="Notify.Receipt.Elapsed"/> counts from acceptance.
        /// </summary>
        public Receipt Receipt { get; }
    }

    /// <summary>
    /// The callback of <c>esales_client_on_delivery</c>, one for all clients of a library. C is handed a number and no
    /// pointer, so that a call for a client that has just gone finds nothing instead of something else; and the client
    /// is not held, so that one that was forgotten is collected although its handlers refer to it.
    /// </summary>
    internal sealed unsafe class Settlements
    {
        /// <summary>What C calls.</summary>
        internal readonly IntPtr Callback;

        private readonly ConcurrentDictionary<long, WeakReference<Client>> clients =
            new ConcurrentDictionary<long, WeakReference<Client>>();

        private readonly Native native;

        // The collector does not see that C holds it.
        private readonly Native.SettledFunction function;
        private long last;

        internal Settlements(Native native)
        {
            this.native = native;
            function = Call;
            Callback = Marshal.GetFunctionPointerForDelegate(function);
        }

        /// <summary>The number of a client, never used twice.</summary>
        internal IntPtr Add(Client client)
        {
            long number = Interlocked.Increment(ref last);
            clients[number] = new WeakReference<Client>(client);
            return (IntPtr)number;
        }

        internal void Remove(IntPtr number)
        {
            WeakReference<Client> removed;
            clients.TryRemove((long)number, out removed);
        }

        private void Call(IntPtr number, NativeReceipt* receipt)
        {
            try
            {
                WeakReference<Client> listed;
                Client client;
                if (clients.TryGetValue((long)number, out listed) && listed.TryGetTarget(out client))
                {
                    client.OnSettled(new Receipt(native, receipt));
                }
            }
            catch (Exception)
            {
                // Out of memory, say. It would end the process if it crossed into native code.
            }
        }
    }
}
