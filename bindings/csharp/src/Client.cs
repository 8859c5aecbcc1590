using System;
using System.Runtime.CompilerServices;
using System.Threading;

namespace Esales.Notify
{
    /// <summary>
    /// Sends notifications. Any number of threads may use it at once. Clients are cheap: in one process, clients that
    /// have the same endpoint settings share their connections, which stay open for <c>keep_alive_s</c> after the last
    /// client is disposed. Clients that have the same options share their queue, which is delivered even after they are
    /// disposed.
    /// </summary>
    public sealed class Client : IDisposable
    {
        private readonly Native native;
        private readonly ClientHandle handle;
        private readonly object gate = new object();

        // Locked while handlers run.
        private readonly object raising = new object();
        private EventHandler<CompletedEventArgs> completed;
        private bool isListening;

        /// <summary>
        /// Makes a client with the options in the <c>ESALES_*</c> environment variables of the process. This sends
        /// nothing and starts no thread.
        /// </summary>
        /// <exception cref="InvalidConfigException">
        /// An option is missing, out of range, or contradicts another.
        /// </exception>
        /// <exception cref="LibraryNotFoundException">The native library cannot be loaded.</exception>
        public Client()
            : this(null)
        {
        }

        /// <summary>Makes a client. This sends nothing and starts no thread.</summary>
        /// <param name="options">
        /// The options, which are copied. Null, or if no option is set: the options are read from the <c>ESALES_*</c>
        /// environment variables of the process. Otherwise the environment is not read.
        /// </param>
        /// <exception cref="InvalidConfigException">
        /// An option is unknown, missing, out of range, or contradicts another, <c>ca_file</c> cannot be used, or
        /// <c>spool</c> is not an absolute path.
        /// </exception>
        /// <exception cref="SpoolFailedException">The spool directory cannot be used.</exception>
        /// <exception cref="InvalidArgumentException">
        /// A name or value has a NUL or half of a surrogate pair.
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
        /// Raised for every notification of the client's queue that this process delivered, or that became a dead
        /// letter or expired, after the outcome is recorded. Handlers run one after the other on a separate thread,
        /// which the first handler starts. Delivery does not wait for them; if they fall behind by more than 1024
        /// notifications, the oldest are skipped. Handlers may use the client. Their exceptions are ignored, except for
        /// a message to <see cref="NotifyLog"/>. The event ends when the client is disposed or collected, so keep a
        /// reference to it.
        /// </summary>
        /// <exception cref="ClosedException">The client was disposed, when a handler is added.</exception>
        /// <exception cref="NotifyException">The queue cannot be used, when the first handler is added.</exception>
        public event EventHandler<CompletedEventArgs> Completed
        {
            add
            {
                lock (gate)
                {
                    if (!isListening)
                    {
                        // From now on the library keeps outcomes.
                        Receipt first = handle.NextDelivery(0);
                        isListening = true;
                        Listen(handle, new WeakReference<Client>(this), first);
                    }
                    completed += value;
                }
            }

            remove
            {
                lock (gate)
                {
                    completed -= value;
                }
            }
        }

        /// <summary>
        /// Sends a notification and waits for the answer. The call returns within the option <c>timeout_ms</c>,
        /// whatever the network does.
        /// </summary>
        /// <remarks>
        /// The service would count a repeated payment twice. A payment is therefore sent again only if the service
        /// certainly did not process it (option <c>payment_repeat</c>). If it may have arrived, the call throws a
        /// <see cref="MayHaveArrivedException"/>. <see cref="Notification.End"/> waits for older notifications in the
        /// client's queue, for at most half of <c>timeout_ms</c>.
        /// </remarks>
        /// <param name="visitor">The visitor who caused the event.</param>
        /// <param name="notification">What happened.</param>
        /// <returns>
        /// The receipt of a delivered notification or, with <c>on_failure=queue</c>, of a queued one
        /// (<see cref="StatusCode.Queued"/>). The exception of a failure has its receipt.
        /// </returns>
        /// <exception cref="InvalidArgumentException">
        /// A value is missing or malformed; nothing was sent. The message names it, for example
        /// <c>lines[2].selling_price</c>.
        /// </exception>
        /// <exception cref="ClosedException">The client was disposed; nothing was sent.</exception>
        /// <exception cref="FinalException">The service refused the notification for good.</exception>
        /// <exception cref="RetryableException">
        /// It may succeed later, with the same id. After <see cref="NotifyTimeoutException"/>,
        /// <see cref="ConnectionLostException"/>, <see cref="BadResponseException"/> and <see cref="ServerErrorException"/>
        /// the notification may have arrived.
        /// </exception>
        /// <exception cref="InternalException">A defect in the library.</exception>
        public Receipt Notify(Visitor visitor, Notification notification)
        {
            return Call(native.Notify, visitor, notification);
        }

        /// <summary>
        /// Accepts the notification into the queue and returns. A thread of this process or another process delivers it
        /// later (option <c>delivery</c>). The call never waits for the network; it waits for the disk and other
        /// processes for at most <c>enqueue_timeout_ms</c>. An accepted notification is delivered at least once, always
        /// with the same bytes, or it is counted as dead, expired or dropped.
        /// </summary>
        /// <remarks>
        /// A payment that may have arrived is not sent again. It becomes a dead letter, which an operator may retry.
        /// <see cref="Notification.End"/> is delivered after all older notifications of its session in the queue.
        /// </remarks>
        /// <param name="visitor">The visitor who caused the event.</param>
        /// <param name="notification">What happened.</param>
        /// <returns>
        /// A receipt with the status <see cref="StatusCode.Queued"/>. Pass its id to <see cref="GetReceipt"/> to get
        /// the outcome later.
        /// </returns>
        /// <exception cref="InvalidArgumentException">
        /// A value is missing or malformed; the notification was not accepted. The message names it, for example
        /// <c>lines[2].selling_price</c>.
        /// </exception>
        /// <exception cref="ClosedException">The client was disposed; the notification was not accepted.</exception>
        /// <exception cref="QueueFullException">The queue is full; the notification was not accepted.</exception>
        /// <exception cref="SpoolFailedException">The spool could not be written; the notification was not accepted.</exception>
        /// <exception cref="InternalException">A defect in the library.</exception>
        public Receipt Enqueue(Visitor visitor, Notification notification)
        {
            return Call(native.Enqueue, visitor, notification);
        }

        /// <summary>
        /// Sends the most common notification with <see cref="Notify"/>: the visitor added the ticket's product to the
        /// cart.
        /// </summary>
        /// <param name="visitor">The visitor who caused the event.</param>
        /// <param name="ticket">
        /// The string that the service returned with the product, at most 8192 bytes, sent unchanged. A ticket with a
        /// control character is refused.
        /// </param>
        /// <param name="id">
        /// Id of this one event, at most 128 bytes. Null: a new UUID. All attempts send the same id. To send the same
        /// event again, pass the id of its receipt.
        /// </param>
        /// <returns>
        /// The receipt of a delivered notification or, with <c>on_failure=queue</c>, of a queued one
        /// (<see cref="StatusCode.Queued"/>). The exception of a failure has its receipt.
        /// </returns>
        /// <exception cref="InvalidArgumentException">An argument is missing or malformed; nothing was sent.</exception>
        /// <exception cref="ClosedException">The client was disposed; nothing was sent.</exception>
        /// <exception cref="FinalException">The service refused the notification for good.</exception>
        /// <exception cref="RetryableException">
        /// It may succeed later, with the same id. After <see cref="NotifyTimeoutException"/>,
        /// <see cref="ConnectionLostException"/> and <see cref="BadResponseException"/> the notification may have
        /// arrived.
        /// </exception>
        /// <exception cref="InternalException">A defect in the library.</exception>
        public Receipt NotifyAddToCart(Visitor visitor, string ticket, string id = null)
        {
            return Call(native.NotifyAddToCart, visitor, ticket, id);
        }

        /// <summary>
        /// Enqueues the most common notification with <see cref="Enqueue"/>: the visitor added the ticket's product to
        /// the cart.
        /// </summary>
        /// <param name="visitor">The visitor who caused the event.</param>
        /// <param name="ticket">
        /// The string that the service returned with the product, at most 8192 bytes, sent unchanged. A ticket with a
        /// control character is refused.
        /// </param>
        /// <param name="id">Id of this one event, at most 128 bytes. Null: a new UUID.</param>
        /// <returns>
        /// A receipt with the status <see cref="StatusCode.Queued"/>. Pass its id to <see cref="GetReceipt"/> to get
        /// the outcome later.
        /// </returns>
        /// <exception cref="InvalidArgumentException">An argument is missing or malformed; the notification was not accepted.</exception>
        /// <exception cref="ClosedException">The client was disposed; the notification was not accepted.</exception>
        /// <exception cref="QueueFullException">The queue is full; the notification was not accepted.</exception>
        /// <exception cref="SpoolFailedException">The spool could not be written; the notification was not accepted.</exception>
        /// <exception cref="InternalException">A defect in the library.</exception>
        public Receipt EnqueueAddToCart(Visitor visitor, string ticket, string id = null)
        {
            return Call(native.EnqueueAddToCart, visitor, ticket, id);
        }

        /// <summary>Like <see cref="Enqueue"/>, but never throws. It is for a page that must not fail.</summary>
        /// <param name="visitor">The visitor who caused the event.</param>
        /// <param name="notification">What happened.</param>
        /// <returns>
        /// A receipt. Its status is <see cref="StatusCode.Queued"/>, or a code below 0 if the notification was not accepted;
        /// the detail has the reason, which the page should log.
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
        /// Like <see cref="EnqueueAddToCart"/>, but never throws, like <see cref="TryEnqueue"/>.
        /// </summary>
        /// <param name="visitor">The visitor who caused the event.</param>
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
        /// Waits until all notifications that were accepted before the call have left the queue. The others stay in the
        /// queue; <see cref="GetStats"/> returns their number. Handlers of <see cref="Completed"/> may run a little
        /// later.
        /// </summary>
        /// <param name="timeout">The longest time to wait, rounded up to the millisecond; 0 to 49 days.</param>
        /// <returns>Whether all of them have left the queue.</returns>
        /// <exception cref="InvalidArgumentException">The timeout is negative or too long.</exception>
        /// <exception cref="ClosedException">The client was disposed.</exception>
        /// <exception cref="SpoolFailedException">The spool cannot be read.</exception>
        public unsafe bool Flush(TimeSpan timeout)
        {
            return Wait((client, milliseconds) => native.ClientFlush(client, milliseconds, null), timeout);
        }

        /// <summary>
        /// Ends this process's delivery of the client's queue, for good, and waits for requests in flight. Call it in a
        /// service that is about to end: a request that is in flight when the process ends is sent again later. The
        /// regular end of the process (<see cref="AppDomain.ProcessExit"/>) does this for every <c>spool</c> and waits
        /// at most 2 seconds. No other client of this process delivers the queue either, even if it is made later.
        /// Pending notifications stay in the queue.
        /// </summary>
        /// <param name="timeout">The longest time to wait, rounded up to the millisecond; 0 to 49 days.</param>
        /// <returns>
        /// Whether no request is in flight any more. False: the requests that were still in flight are sent again
        /// later, with the same ids.
        /// </returns>
        /// <exception cref="InvalidArgumentException">The timeout is negative or too long.</exception>
        /// <exception cref="ClosedException">The client was disposed.</exception>
        public bool StopDelivery(TimeSpan timeout)
        {
            return Wait((client, milliseconds) => native.ClientStopDelivery(client, milliseconds), timeout);
        }

        /// <summary>Returns the counters of the queue.</summary>
        /// <returns>The counters.</returns>
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

        /// <summary>Returns the receipt of a notification that was accepted into the queue.</summary>
        /// <param name="id">The id in the receipt of <see cref="Enqueue"/> or <see cref="EnqueueAddToCart"/>.</param>
        /// <returns>
        /// The receipt. Its status is <see cref="StatusCode.Queued"/> while the notification is pending, then
        /// <see cref="StatusCode.Delivered"/>, <see cref="StatusCode.Expired"/>, <see cref="StatusCode.Dropped"/>, or the
        /// code for which it became a dead letter. Null (ESALES_UNKNOWN_ID in C): the id was never accepted here, or
        /// the notification left the queue more than <c>receipt_retention_s</c> ago.
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
        /// Closes the client. A second call does nothing. Calls of other threads that are in progress finish normally;
        /// later calls throw a <see cref="ClosedException"/>. The process keeps delivering the queue until it ends or
        /// <see cref="StopDelivery"/> is called. The method returns at once, with one exception: it waits for a handler
        /// of <see cref="Completed"/> that runs on another thread, so do not hold a lock that the handler needs. No
        /// handler runs after that.
        /// </summary>
        public void Dispose()
        {
            lock (gate)
            {
                completed = null;
                isListening = false;
            }
            handle.Dispose();
            lock (raising)
            {
                // A running handler has ended, and none is called again.
            }
        }

        /// <summary>Whether a call that waits ended in time.</summary>
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
        /// Has a weak reference to the client, so that an unreferenced client and its handle are collected in spite of
        /// handlers.
        /// </summary>
        private static void Listen(ClientHandle handle, WeakReference<Client> listener, Receipt first)
        {
            Receipt next = first;
            Listening.Start("esales-outcomes", () =>
            {
                try
                {
                    next = next ?? handle.NextDelivery(Listening.SliceMilliseconds);
                }
                catch (Exception e) when (e is INotifyError)
                {
                    // Disposed. Nothing else can fail after the start.
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
        /// False if the client was collected. A separate method, so that the waiting thread's stack has no reference to
        /// the client.
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
                client.OnCompleted(next);
            }
            return true;
        }

        private void OnCompleted(Receipt receipt)
        {
            lock (raising)
            {
                NotifyLog.Raise(Volatile.Read(ref completed), this, new CompletedEventArgs(receipt), "Client.Completed");
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

        /// <summary>The receipt of a success; throws if the call failed. Call it on the thread that made the call.</summary>
        private unsafe Receipt Outcome(int status, NativeReceipt* result)
        {
            if (status < 0)
            {
                // After a defect in the library the receipt was not written, and would show a success.
                throw native.Failure(status, result->Status == status ? new Receipt(native, result) : null);
            }
            return new Receipt(native, result);
        }
    }
}
