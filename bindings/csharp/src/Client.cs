using System;

namespace Esales.Notify
{
    /// <summary>
    /// Sends notifications. May be used from any number of threads at once. Cheap: clients that lead to the same place
    /// share their connections, process-wide, also after they are disposed (option <c>keep_alive_s</c>).
    /// </summary>
    public sealed class Client : IDisposable
    {
        private readonly Native native;
        private readonly ClientHandle handle;

        /// <summary>
        /// Makes a client whose options are read from the <c>ESALES_*</c> environment variables of the process. Nothing
        /// is sent, no thread is started.
        /// </summary>
        /// <exception cref="InvalidConfigException">
        /// An option is missing, out of range, or contradicts another.
        /// </exception>
        /// <exception cref="LibraryNotFoundException">The native library cannot be loaded.</exception>
        public Client()
            : this(null)
        {
        }

        /// <summary>Makes a client. Nothing is sent, no thread is started.</summary>
        /// <param name="options">
        /// Its options, copied; the environment is then not consulted. Null, or options of which none is set: they are
        /// read from the <c>ESALES_*</c> environment variables of the process.
        /// </param>
        /// <exception cref="InvalidConfigException">
        /// An option is unknown, missing, out of range, or contradicts another, or <c>ca_file</c> cannot be used.
        /// </exception>
        /// <exception cref="InvalidArgumentException">
        /// A name or value holds a NUL or half of a surrogate pair.
        /// </exception>
        /// <exception cref="LibraryNotFoundException">The native library cannot be loaded.</exception>
        public Client(ClientOptions options)
        {
            native = NotifyLibrary.Native;
            if (options == null || options.Count == 0)
            {
                handle = new ClientHandle(native, null);
                return;
            }
            using (var config = new ConfigHandle(native))
            {
                foreach (var option in options)
                {
                    config.Set(option.Key, option.Value);
                }
                handle = new ClientHandle(native, config);
            }
        }

        /// <summary>
        /// Tells the service that the visitor added the product behind the ticket to the cart, and waits for the
        /// answer. Blocks for at most the option <c>timeout_ms</c>, whatever the network does.
        /// </summary>
        /// <param name="visitor">Who did it.</param>
        /// <param name="ticket">The service's own opaque string, at most 8192 bytes, sent as it is.</param>
        /// <param name="id">
        /// Names this one event, at most 128 bytes; null: a new UUID. It is the same in every attempt. To send the same
        /// event again, pass the id of the receipt.
        /// </param>
        /// <returns>The receipt of a delivered notification. Failures are thrown and carry theirs.</returns>
        /// <exception cref="InvalidArgumentException">An argument is missing or malformed; nothing was sent.</exception>
        /// <exception cref="ClosedException">The client was disposed; nothing was sent.</exception>
        /// <exception cref="FinalException">The service refused it for good: the same again cannot help.</exception>
        /// <exception cref="RetryableException">
        /// It may succeed later, with the same id. After <see cref="NotifyTimeoutException"/>,
        /// <see cref="ConnectionLostException"/> and <see cref="BadResponseException"/> the event may have arrived all
        /// the same.
        /// </exception>
        /// <exception cref="InternalException">A defect in the library.</exception>
        public unsafe Receipt NotifyAddToCart(Visitor visitor, string ticket, string id = null)
        {
            byte[] market = Utf8.Encode("market", nameof(visitor), visitor?.Market);
            byte[] customerKey = Utf8.Encode("customer_key", nameof(visitor), visitor?.CustomerKey);
            byte[] sessionKey = Utf8.Encode("session_key", nameof(visitor), visitor?.SessionKey);
            byte[] token = Utf8.Encode("token", nameof(visitor), visitor?.Token);
            byte[] ticketBytes = Utf8.Encode("ticket", nameof(ticket), ticket);
            byte[] idBytes = Utf8.Encode("id", nameof(id), id);

            var result = new NativeReceipt { StructSize = (uint)sizeof(NativeReceipt) };
            int status;
            bool held = false;
            try
            {
                IntPtr client = handle.Hold(ref held);
                fixed (byte* m = market, c = customerKey, s = sessionKey, t = token, k = ticketBytes, i = idBytes)
                {
                    var who = new NativeVisitor
                    {
                        StructSize = (uint)sizeof(NativeVisitor),
                        Market = m,
                        CustomerKey = c,
                        SessionKey = s,
                        Token = t,
                    };
                    status = native.NotifyAddToCart(client, visitor == null ? null : &who, k, i, &result);
                }
                if (status < 0)
                {
                    // After a defect in the library the receipt is as we made it, and would claim a success.
                    throw native.Failure(status, result.Status == status ? new Receipt(native, &result) : null);
                }
            }
            finally
            {
                if (held)
                {
                    handle.DangerousRelease();
                }
            }
            return new Receipt(native, &result);
        }

        /// <summary>
        /// Closes the client. Returns at once, also while other threads are in a call: those finish undisturbed, later
        /// ones get a <see cref="ClosedException"/>. Doing it twice is fine.
        /// </summary>
        public void Dispose()
        {
            handle.Dispose();
        }
    }
}
