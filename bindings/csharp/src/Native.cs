using System;
using System.Runtime.InteropServices;

namespace Esales.Notify
{
    /// <summary><c>esales_visitor</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct NativeVisitor
    {
        internal uint StructSize;
        internal byte* Market;
        internal byte* CustomerKey;
        internal byte* SessionKey;
        internal byte* Token;
    }

    /// <summary><c>esales_line</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct NativeLine
    {
        internal uint StructSize;
        internal uint Quantity;
        internal byte* ProductKey;
        internal byte* VariantKey;
        internal byte* SellingPrice;
        internal byte* Cost;
    }

    /// <summary><c>esales_notification</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct NativeNotification
    {
        internal uint StructSize;
        internal int Kind;
        internal byte* Id;
        internal byte* Ticket;
        internal byte* ProductKey;
        internal byte* VariantKey;
        internal NativeLine* Lines;
        internal UIntPtr LineCount;
        internal byte* PrivateKey;
    }

    /// <summary><c>esales_receipt</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct NativeReceipt
    {
        internal const int IdSize = 129;
        internal const int DetailSize = 256;

        internal uint StructSize;
        internal int Status;
        internal int HttpStatus;
        internal uint Attempts;
        internal ulong ElapsedMicroseconds;
        internal fixed byte Id[IdSize];
        internal fixed byte Detail[DetailSize];
    }

    /// <summary><c>esales_stats</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct NativeStats
    {
        internal uint StructSize;
        internal uint GateFailures;
        internal ulong GateClosedMilliseconds;
        internal ulong Accepted;
        internal ulong Delivered;
        internal ulong Dead;
        internal ulong Expired;
        internal ulong Dropped;
        internal ulong Pending;
        internal ulong PendingBytes;
        internal ulong OldestAgeMilliseconds;
        internal ulong ProcessAccepted;
        internal ulong ProcessDelivered;
        internal ulong ProcessDead;
        internal ulong ProcessExpired;
        internal ulong ProcessDropped;
        internal ulong ProcessPending;
        internal ulong ProcessRefused;
        internal ulong AgeP50Milliseconds;
        internal ulong AgeP95Milliseconds;
        internal ulong AgeP99Milliseconds;
        internal ulong LatencyP50Microseconds;
        internal ulong LatencyP95Microseconds;
        internal ulong LatencyP99Microseconds;
    }

    /// <summary>
    /// The C functions of one loaded library. Every parameter is a plain number or pointer, so that neither runtime
    /// copies or converts anything.
    /// </summary>
    internal sealed unsafe class Native
    {
        internal readonly NewFunction ConfigNew;
        internal readonly SetFunction ConfigSet;
        internal readonly FreeFunction ConfigFree;
        internal readonly NewFromFunction ClientNew;
        internal readonly FreeFunction ClientFree;
        internal readonly NotifyFunction Notify;
        internal readonly NotifyFunction Enqueue;
        internal readonly AddToCartFunction NotifyAddToCart;
        internal readonly AddToCartFunction EnqueueAddToCart;
        internal readonly FlushFunction ClientFlush;
        internal readonly StopFunction ClientStopDelivery;
        internal readonly StopAllFunction StopDelivery;
        internal readonly StatsFunction ClientStats;
        internal readonly ReceiptFunction ClientReceipt;
        internal readonly DeliveryNextFunction ClientDeliveryNext;
        internal readonly LogToFunction LogTo;
        internal readonly LogNextFunction LogNext;
        internal readonly TextToTextFunction CustomerKey;
        internal readonly TwoTextsToTextFunction CustomerToken;
        internal readonly ToTextFunction NewKey;
        private readonly NumberToTextFunction statusName;
        private readonly NumberToTextFunction statusText;
        private readonly TextFunction lastError;
        private readonly TextFunction version;

        /// <param name="symbol">Finds a function's address, or throws.</param>
        internal Native(Func<string, IntPtr> symbol)
        {
            // First of all: a library that lacks it is not ours, and one of another version may lack the rest.
            version = Bind<TextFunction>(symbol, "esales_version");
            NotifyLibrary.CheckVersion(Version);
            ConfigNew = Bind<NewFunction>(symbol, "esales_config_new");
            ConfigSet = Bind<SetFunction>(symbol, "esales_config_set");
            ConfigFree = Bind<FreeFunction>(symbol, "esales_config_free");
            ClientNew = Bind<NewFromFunction>(symbol, "esales_client_new");
            ClientFree = Bind<FreeFunction>(symbol, "esales_client_free");
            Notify = Bind<NotifyFunction>(symbol, "esales_notify");
            Enqueue = Bind<NotifyFunction>(symbol, "esales_enqueue");
            NotifyAddToCart = Bind<AddToCartFunction>(symbol, "esales_notify_add_to_cart");
            EnqueueAddToCart = Bind<AddToCartFunction>(symbol, "esales_enqueue_add_to_cart");
            ClientFlush = Bind<FlushFunction>(symbol, "esales_client_flush");
            ClientStopDelivery = Bind<StopFunction>(symbol, "esales_client_stop_delivery");
            StopDelivery = Bind<StopAllFunction>(symbol, "esales_stop_delivery");
            ClientStats = Bind<StatsFunction>(symbol, "esales_client_stats");
            ClientReceipt = Bind<ReceiptFunction>(symbol, "esales_client_receipt");
            ClientDeliveryNext = Bind<DeliveryNextFunction>(symbol, "esales_client_delivery_next");
            LogTo = Bind<LogToFunction>(symbol, "esales_log_to");
            LogNext = Bind<LogNextFunction>(symbol, "esales_log_next");
            CustomerKey = Bind<TextToTextFunction>(symbol, "esales_customer_key");
            CustomerToken = Bind<TwoTextsToTextFunction>(symbol, "esales_customer_token");
            NewKey = Bind<ToTextFunction>(symbol, "esales_new_key");
            statusName = Bind<NumberToTextFunction>(symbol, "esales_status_name");
            statusText = Bind<NumberToTextFunction>(symbol, "esales_status_text");
            lastError = Bind<TextFunction>(symbol, "esales_last_error");
        }

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int NewFunction(IntPtr* created);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int NewFromFunction(IntPtr config, IntPtr* created);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int SetFunction(IntPtr config, byte* name, byte* value);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void FreeFunction(IntPtr handle);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int NotifyFunction(
            IntPtr client, NativeVisitor* visitor, NativeNotification* notification, NativeReceipt* receipt);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int AddToCartFunction(
            IntPtr client, NativeVisitor* visitor, byte* ticket, byte* id, NativeReceipt* receipt);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int FlushFunction(IntPtr client, uint milliseconds, NativeStats* stats);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int StopFunction(IntPtr client, uint milliseconds);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int StopAllFunction(uint milliseconds);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int StatsFunction(IntPtr client, NativeStats* stats);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int ReceiptFunction(IntPtr client, byte* id, NativeReceipt* receipt);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int DeliveryNextFunction(IntPtr client, uint milliseconds, NativeReceipt* receipt);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int LogToFunction(IntPtr callback, IntPtr userData, int level);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int LogNextFunction(uint milliseconds, int* level, byte* message);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int ToTextFunction(byte* result);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int TextToTextFunction(byte* text, byte* result);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int TwoTextsToTextFunction(byte* first, byte* second, byte* result);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        private delegate byte* NumberToTextFunction(int number);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        private delegate byte* TextFunction();

        internal string Version
        {
            get { return Utf8.Read(version()); }
        }

        internal string NameOf(int status)
        {
            return Utf8.Read(statusName(status));
        }

        /// <summary>Throws if <paramref name="status"/> is a failure.</summary>
        internal void Check(int status)
        {
            if (status < 0)
            {
                throw Failure(status, null);
            }
        }

        /// <summary>
        /// The exception of a failed call. To be called by the thread that made the call, and before its next one:
        /// the library keeps the words per thread.
        /// </summary>
        internal Exception Failure(int status, Receipt receipt)
        {
            string words = Utf8.Read(lastError());
            if (words.Length == 0)
            {
                words = Utf8.Read(statusText(status));
            }
            return Failures.Make(new Failure((StatusCode)status, NameOf(status), words, receipt));
        }

        private static T Bind<T>(Func<string, IntPtr> symbol, string name)
        {
            return Marshal.GetDelegateForFunctionPointer<T>(symbol(name));
        }
    }
}
