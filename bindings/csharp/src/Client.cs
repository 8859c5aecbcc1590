using System;
using System.Runtime.CompilerServices;
using System.Threading;

namespace Esales.Notify
{
    /// <summary>
    /// Sends notifications. May be used from any number of threads at once. Cheap: clients that lead to the same place
    /// share their connections, process-wide, also after they are disposed (option <c>keep_alive_s</c>). Those whose
    /// options for the queue are the same too share their queue: what is in it is delivered also after they are disposed.
    /// </summary>
    public sealed class Client : IDisposable
    {
        private readonly Native native;
        private readonly ClientHandle handle;
        private readonly object gate = new object();

        // Held while handlers run.
        private readonly object raising = new object();
        private EventHandler<SettledEventArgs> settled;
        private bool isListening;

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
        /// An option is unknown, missing, out of range, or contradicts another, <c>ca_file</c> cannot be used, or
        /// <c>spool</c> is not an absolute path.
        /// </exception>
        /// <exception cref="SpoolFailedException">The place of the spool cannot be used.</exception>
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
        /// A notification has left the queue: delivered, dead or expired. Raised for what this process delivers, whichever
        /// client of the same queue accepted it, after it is recorded. Handlers run one after the other on a thread that the
        /// first one starts; delivery does not wait for them, but if they fall behind by more than 1024 notifications, the
        /// oldest of these are not told. They may use the client, and what they throw is ignored but for a message to
        /// <see cref="NotifyLog"/>. It ends when the client is disposed, or forgotten and collected: keep the client.
        /// </summary>
        /// <exception cref="ClosedException">The client was disposed, when a handler is added.</exception>
        /// <exception cref="NotifyException">The queue cannot be used, when the first handler is added.</exception>
        public event EventHandler<SettledEventArgs> Settled
        {
            add
            {
                lock (gate)
                {
                    if (!isListening)
                    {
                        // From here on the library keeps what is settled.
                        Receipt first = handle.NextSettled(0);
                        isListening = true;
                        Listen(handle, new WeakReference<Client>(this), first);
                    }
                    settled += value;
                }
            }

            remove
            {
                lock (gate)
                {
                    settled -= value;
                }
            }
        }

        /// <summary>
        /// Tells the service what the visitor did, and waits for the answer. Blocks for at most the option
        /// <c>timeout_ms</c>, whatever the network does.
        /// </summary>
        /// <remarks>
        /// The service would count a payment twice if it received it twice. So a payment is sent again only if it is certain
        /// that the service did not process it (option <c>payment_repeat</c>). If it may have arrived, the call fails
        /// with a <see cref="MayHaveArrivedException"/>. <see cref="Notification.End"/> waits for older notifications
        /// in the client's queue, for at most half of <c>timeout_ms</c>.
        /// </remarks>
        /// <param name="visitor">Who did it.</param>
        /// <param name="notification">What happened.</param>
        /// <returns>
        /// The receipt of a delivered notification, or, with <c>on_failure=queue</c>, of one in the queue
        /// (<see cref="StatusCode.Queued"/>). Failures are thrown and carry theirs.
        /// </returns>
        /// <exception cref="InvalidArgumentException">
        /// An argument, or a value of one, is missing or malformed; nothing was sent. The message names it, such as
        /// <c>lines[2].selling_price</c>.
        /// </exception>
        /// <exception cref="ClosedException">The client was disposed; nothing was sent.</exception>
        /// <exception cref="FinalException">The service refused it for good: the same again cannot help.</exception>
        /// <exception cref="RetryableException">
        /// It may succeed later, with the same id. After <see cref="NotifyTimeoutException"/>,
        /// <see cref="ConnectionLostException"/>, <see cref="BadResponseException"/> and <see cref="ServerErrorException"/>
        /// the event may have arrived all the same.
        /// </exception>
        /// <exception cref="InternalException">A defect in the library.</exception>
        public Receipt Notify(Visitor visitor, Notification notification)
        {
            return Call(native.Notify, visitor, notification);
        }

        /// <summary>
        /// Accepts the notification into the queue and returns at once; it is delivered later, by a thread of this process
        /// or by another process (option <c>delivery</c>). Never waits on the network; on the disk and other processes at
        /// most <c>enqueue_timeout_ms</c>. What is accepted is delivered at least once, always with the same bytes, or
        /// counted as dead, expired or dropped.
        /// </summary>
        /// <remarks>
        /// A payment that may have arrived is not sent again: it becomes a dead letter, which an operator may
        /// retry. <see cref="Notification.End"/> is delivered after everything that was
        /// queued of its session before.
        /// </remarks>
        /// <param name="visitor">Who did it.</param>
        /// <param name="notification">What happened.</param>
        /// <returns>
        /// A receipt that says <see cref="StatusCode.Queued"/>; <see cref="GetReceipt"/> returns by its id what became of it.
        /// </returns>
        /// <exception cref="InvalidArgumentException">
        /// An argument, or a value of one, is missing or malformed; not accepted. The message names it, such as
        /// <c>lines[2].selling_price</c>.
        /// </exception>
        /// <exception cref="ClosedException">The client was disposed; not accepted.</exception>
        /// <exception cref="QueueFullException">The queue is full; not accepted.</exception>
        /// <exception cref="SpoolFailedException">The spool could not be written; not accepted.</exception>
        /// <exception cref="InternalException">A defect in the library.</exception>
        public Receipt Enqueue(Visitor visitor, Notification notification)
        {
            return Call(native.Enqueue, visitor, notification);
        }

        /// <summary>
        /// Tells the service that the visitor added the product behind the ticket to the cart, and waits for the
        /// answer. Blocks for at most the option <c>timeout_ms</c>, whatever the network does.
        /// </summary>
        /// <param name="visitor">Who did it.</param>
        /// <param name="ticket">The string that the service gave with the product, at most 8192 bytes, sent unchanged; refused if it has a control character.</param>
        /// <param name="id">
        /// Names this one event, at most 128 bytes; null: a new UUID. It is the same in every attempt. To send the same
        /// event again, pass the id of the receipt.
        /// </param>
        /// <returns>
        /// The receipt of a delivered notification, or, with <c>on_failure=queue</c>, of one in the queue
        /// (<see cref="StatusCode.Queued"/>). Failures are thrown and carry theirs.
        /// </returns>
        /// <exception cref="InvalidArgumentException">An argument is missing or malformed; nothing was sent.</exception>
        /// <exception cref="ClosedException">The client was disposed; nothing was sent.</exception>
        /// <exception cref="FinalException">The service refused it for good: the same again cannot help.</exception>
        /// <exception cref="RetryableException">
        /// It may succeed later, with the same id. After <see cref="NotifyTimeoutException"/>,
        /// <see cref="ConnectionLostException"/> and <see cref="BadResponseException"/> the event may have arrived all
        /// the same.
        /// </exception>
        /// <exception cref="InternalException">A defect in the library.</exception>
        public Receipt NotifyAddToCart(Visitor visitor, string ticket, string id = null)
        {
            return Call(native.NotifyAddToCart, visitor, ticket, id);
        }

        /// <summary>
        /// Accepts the notification into the queue and returns at once; it is delivered later, by a thread of this process
        /// or by another process (option <c>delivery</c>). Never waits on the network; on the disk and other processes at
        /// most <c>enqueue_timeout_ms</c>. What is accepted is delivered at least once, always with the same id, or counted
        /// as dead, expired or dropped.
        /// </summary>
        /// <param name="visitor">Who did it.</param>
        /// <param name="ticket">The string that the service gave with the product, at most 8192 bytes, sent unchanged; refused if it has a control character.</param>
        /// <param name="id">Names this one event, at most 128 bytes; null: a new UUID.</param>
        /// <returns>
        /// A receipt that says <see cref="StatusCode.Queued"/>; <see cref="GetReceipt"/> tells by its id what became of it.
        /// </returns>
        /// <exception cref="InvalidArgumentException">An argument is missing or malformed; not accepted.</exception>
        /// <exception cref="ClosedException">The client was disposed; not accepted.</exception>
        /// <exception cref="QueueFullException">The queue is full; not accepted.</exception>
        /// <exception cref="SpoolFailedException">The spool could not be written; not accepted.</exception>
        /// <exception cref="InternalException">A defect in the library.</exception>
        public Receipt EnqueueAddToCart(Visitor visitor, string ticket, string id = null)
        {
            return Call(native.EnqueueAddToCart, visitor, ticket, id);
        }

        /// <summary><see cref="Enqueue"/> for a page that must not fail: it never throws.</summary>
        /// <param name="visitor">Who did it.</param>
        /// <param name="notification">What happened.</param>
        /// <returns>
        /// A receipt that says <see cref="StatusCode.Queued"/>, or a code below 0: not accepted, and the detail says why.
        /// Log it.
        /// </returns>
        public Receipt TryEnqueue(Visitor visitor, Notification notification)
        {
            try
            {
                return Enqueue(visitor, notification);
            }
            catch (Exception e)
            {
                return ReceiptOf(e);
            }
        }

        /// <summary>
        /// <see cref="EnqueueAddToCart"/> for a page that must not fail: it never throws, as <see cref="TryEnqueue"/>.
        /// </summary>
        /// <param name="visitor">Who did it.</param>
        /// <param name="ticket">As for <see cref="NotifyAddToCart"/>.</param>
        /// <param name="id">As for <see cref="NotifyAddToCart"/>.</param>
        /// <returns>As <see cref="TryEnqueue"/>.</returns>
        public Receipt TryEnqueueAddToCart(Visitor visitor, string ticket, string id = null)
        {
            try
            {
                return EnqueueAddToCart(visitor, ticket, id);
            }
            catch (Exception e)
            {
                return ReceiptOf(e);
            }
        }

        /// <summary>
        /// Waits until everything that was accepted before the call has left the queue. What has not then stays in the
        /// queue; <see cref="GetStats"/> says how much that is.
        /// </summary>
        /// <param name="timeout">Waits at most so long, rounded up to the millisecond; 0 to 49 days.</param>
        /// <returns>Whether everything has left the queue.</returns>
        /// <exception cref="InvalidArgumentException">The timeout is negative or too long.</exception>
        /// <exception cref="ClosedException">The client was disposed.</exception>
        /// <exception cref="SpoolFailedException">The spool cannot be read.</exception>
        public unsafe bool Flush(TimeSpan timeout)
        {
            return Wait((client, milliseconds) => native.ClientFlush(client, milliseconds, null), timeout);
        }

        /// <summary>
        /// Ends this process's part in the delivery of the client's queue, for good: the process takes nothing more out of
        /// the queue, and the call waits for requests in flight. For a service that is told to stop: a request that is in
        /// flight when the process ends is sent again later. The regular end of the process
        /// (<see cref="AppDomain.ProcessExit"/>) does this by itself for every <c>spool</c>, and waits at most 2 seconds.
        /// Clients that share the queue, also later ones, do not deliver either. What is left stays in the queue.
        /// </summary>
        /// <param name="timeout">Waits at most so long, rounded up to the millisecond; 0 to 49 days.</param>
        /// <returns>
        /// Whether nothing is in flight any more. If false, what was in flight is sent once more later, under the same id.
        /// </returns>
        /// <exception cref="InvalidArgumentException">The timeout is negative or too long.</exception>
        /// <exception cref="ClosedException">The client was disposed.</exception>
        public bool StopDelivery(TimeSpan timeout)
        {
            return Wait((client, milliseconds) => native.ClientStopDelivery(client, milliseconds), timeout);
        }

        /// <summary>The queue in numbers.</summary>
        /// <returns>The numbers of one moment.</returns>
        /// <exception cref="ClosedException">The client was disposed.</exception>
        /// <exception cref="SpoolFailedException">
        /// The spool cannot be read within <c>enqueue_timeout_ms</c>.
        /// </exception>
        public unsafe Stats GetStats()
        {
            var result = new NativeStats { StructSize = (uint)sizeof(NativeStats) };
            bool held = false;
            try
            {
                native.Check(native.ClientStats(handle.Hold(ref held), &result));
            }
            finally
            {
                if (held)
                {
                    handle.DangerousRelease();
                }
            }
            return new Stats(&result);
        }

        /// <summary>What became of a notification that went into the queue.</summary>
        /// <param name="id">Its id, from the receipt of <see cref="Enqueue"/> or <see cref="EnqueueAddToCart"/>.</param>
        /// <returns>
        /// Its status is <see cref="StatusCode.Queued"/> while the notification waits,
        /// <see cref="StatusCode.Delivered"/>, the code it died with, <see cref="StatusCode.Expired"/> or
        /// <see cref="StatusCode.Dropped"/>. Null (ESALES_UNKNOWN_ID in C) if nothing is known of the id: never accepted
        /// here, or settled longer ago than <c>receipt_retention_s</c>.
        /// </returns>
        /// <exception cref="InvalidArgumentException">The id is null or malformed.</exception>
        /// <exception cref="ClosedException">The client was disposed.</exception>
        /// <exception cref="SpoolFailedException">The spool cannot be read.</exception>
        public unsafe Receipt GetReceipt(string id)
        {
            if (id == null)
            {
                throw new InvalidArgumentException("id is null", nameof(id));
            }
            byte[] idBytes = Utf8.Encode("id", nameof(id), id);
            var result = new NativeReceipt { StructSize = (uint)sizeof(NativeReceipt) };
            bool held = false;
            try
            {
                IntPtr client = handle.Hold(ref held);
                fixed (byte* i = idBytes)
                {
                    int status = native.ClientReceipt(client, i, &result);
                    if (status == (int)StatusCode.UnknownId)
                    {
                        return null;
                    }
                    native.Check(status);
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
        /// ones get a <see cref="ClosedException"/>. The process keeps delivering what is in the queue, until it ends or
        /// <see cref="StopDelivery"/> was called. Only for a handler of <see cref="Settled"/> that is running on another
        /// thread it waits: do not hold a lock that the handler takes.
        /// No handler runs after that. Doing it twice is fine.
        /// </summary>
        public void Dispose()
        {
            lock (gate)
            {
                settled = null;
                isListening = false;
            }
            handle.Dispose();
            lock (raising)
            {
                // A handler that was running has ended, and none is called again.
            }
        }

        /// <summary>Whether it was done in time.</summary>
        private bool Wait(Func<IntPtr, uint, int> function, TimeSpan timeout)
        {
            double milliseconds = Math.Ceiling(timeout.TotalMilliseconds);
            if (timeout < TimeSpan.Zero || milliseconds > uint.MaxValue)
            {
                throw new InvalidArgumentException("timeout is " + timeout + ", not 0 to 49 days", nameof(timeout));
            }
            bool held = false;
            try
            {
                int status = function(handle.Hold(ref held), (uint)milliseconds);
                if (status == (int)StatusCode.Timeout)
                {
                    return false;
                }
                native.Check(status);
                return true;
            }
            finally
            {
                if (held)
                {
                    handle.DangerousRelease();
                }
            }
        }

        /// <summary>The receipt of a call that threw. Without a code, the cause is a defect of this binding.</summary>
        private static Receipt ReceiptOf(Exception e)
        {
            var error = e as INotifyError;
            return error == null
                ? new Receipt(StatusCode.Internal, "ESALES_INTERNAL", e.Message)
                : error.Receipt ?? new Receipt(error.StatusCode, error.StatusName, e.Message);
        }

        /// <summary>
        /// Knows the client weakly: one that was forgotten is collected although it is listened to, and its handle with it.
        /// </summary>
        private static void Listen(ClientHandle handle, WeakReference<Client> listener, Receipt first)
        {
            Receipt next = first;
            Listening.Start("esales-settled", () =>
            {
                try
                {
                    next = next ?? handle.NextSettled(Listening.SliceMilliseconds);
                }
                catch (Exception e) when (e is INotifyError)
                {
                    // Disposed. (Nothing else can go wrong once it began.)
                    return false;
                }
                if (!Tell(listener, next))
                {
                    handle.Dispose();
                    return false;
                }
                next = null;
                return true;
            });
        }

        /// <summary>
        /// False if the client is gone. On its own, so that no reference stays on the stack of the thread while it waits.
        /// </summary>
        [MethodImpl(MethodImplOptions.NoInlining)]
        private static bool Tell(WeakReference<Client> listener, Receipt next)
        {
            Client client;
            if (!listener.TryGetTarget(out client))
            {
                return false;
            }
            if (next != null)
            {
                client.OnSettled(next);
            }
            return true;
        }

        private void OnSettled(Receipt receipt)
        {
            lock (raising)
            {
                NotifyLog.Raise(Volatile.Read(ref settled), this, new SettledEventArgs(receipt), "Client.Settled");
            }
        }

        private unsafe Receipt Call(Native.NotifyAddToCartFunction function, Visitor visitor, string ticket, string id)
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
                    status = function(client, visitor == null ? null : &who, k, i, &result);
                }
                return Outcome(status, &result);
            }
            finally
            {
                if (held)
                {
                    handle.DangerousRelease();
                }
            }
        }

        private unsafe Receipt Call(Native.NotifyFunction function, Visitor visitor, Notification notification)
        {
            var strings = new byte[CallMemory.Room(visitor, notification)];
            var lines = new NativeLine[notification == null ? 0 : notification.Lines.Count];
            var result = new NativeReceipt { StructSize = (uint)sizeof(NativeReceipt) };
            int status;
            bool held = false;
            try
            {
                fixed (byte* s = strings)
                fixed (NativeLine* l = lines)
                {
                    var memory = new CallMemory(s);
                    NativeVisitor who = visitor == null ? default(NativeVisitor) : memory.Add(visitor);
                    NativeNotification what =
                        notification == null ? default(NativeNotification) : memory.Add(notification, l);
                    status = function(
                        handle.Hold(ref held),
                        visitor == null ? null : &who,
                        notification == null ? null : &what,
                        &result);
                }
                return Outcome(status, &result);
            }
            finally
            {
                if (held)
                {
                    handle.DangerousRelease();
                }
            }
        }

        /// <summary>The receipt of a success; throws if the call failed. To be called by the thread that made it.</summary>
        private unsafe Receipt Outcome(int status, NativeReceipt* result)
        {
            if (status < 0)
            {
                // After a defect in the library the receipt is as we made it, and would claim a success.
                throw native.Failure(status, result->Status == status ? new Receipt(native, result) : null);
            }
            return new Receipt(native, result);
        }
    }
}
