// Generated from the Rust source by `make generate`: do not edit.

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
    internal unsafe struct NativeStats
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
        internal ulong Lost;
    }

    internal sealed unsafe partial class Native
    {
        internal ClientNewFunction ClientNew;
        internal ClientFreeFunction ClientFree;
        internal ConfigNewFunction ConfigNew;
        internal ConfigSetFunction ConfigSet;
        internal ClientFreeFunction ConfigFree;
        internal CustomerKeyFunction CustomerKey;
        internal CustomerTokenFunction CustomerToken;
        internal NewKeyFunction NewKey;
        internal LogToFunction LogTo;
        internal LogNextFunction LogNext;
        internal NotifyFunction Notify;
        internal NotifyFunction Enqueue;
        internal NotifyAddToCartFunction NotifyAddToCart;
        internal NotifyAddToCartFunction EnqueueAddToCart;
        internal ClientFlushFunction ClientFlush;
        internal ClientStopDeliveryFunction ClientStopDelivery;
        internal StopDeliveryFunction StopDelivery;
        internal ClientStatsFunction ClientStats;
        internal ClientReceiptFunction ClientReceipt;
        internal ClientDeliveryNextFunction ClientDeliveryNext;
        internal ClientOnDeliveryFunction ClientOnDelivery;
        internal StatusNameFunction StatusName;
        internal StatusNameFunction StatusText;
        internal LastErrorFunction LastError;
        internal LastErrorFunction Version;

        private void BindAll(Func<string, IntPtr> symbol)
        {
            Version = Bind<LastErrorFunction>(symbol, "esales_version");
            CheckVersion();
            ClientNew = Bind<ClientNewFunction>(symbol, "esales_client_new");
            ClientFree = Bind<ClientFreeFunction>(symbol, "esales_client_free");
            ConfigNew = Bind<ConfigNewFunction>(symbol, "esales_config_new");
            ConfigSet = Bind<ConfigSetFunction>(symbol, "esales_config_set");
            ConfigFree = Bind<ClientFreeFunction>(symbol, "esales_config_free");
            CustomerKey = Bind<CustomerKeyFunction>(symbol, "esales_customer_key");
            CustomerToken = Bind<CustomerTokenFunction>(symbol, "esales_customer_token");
            NewKey = Bind<NewKeyFunction>(symbol, "esales_new_key");
            LogTo = Bind<LogToFunction>(symbol, "esales_log_to");
            LogNext = Bind<LogNextFunction>(symbol, "esales_log_next");
            Notify = Bind<NotifyFunction>(symbol, "esales_notify");
            Enqueue = Bind<NotifyFunction>(symbol, "esales_enqueue");
            NotifyAddToCart = Bind<NotifyAddToCartFunction>(symbol, "esales_notify_add_to_cart");
            EnqueueAddToCart = Bind<NotifyAddToCartFunction>(symbol, "esales_enqueue_add_to_cart");
            ClientFlush = Bind<ClientFlushFunction>(symbol, "esales_client_flush");
            ClientStopDelivery = Bind<ClientStopDeliveryFunction>(symbol, "esales_client_stop_delivery");
            StopDelivery = Bind<StopDeliveryFunction>(symbol, "esales_stop_delivery");
            ClientStats = Bind<ClientStatsFunction>(symbol, "esales_client_stats");
            ClientReceipt = Bind<ClientReceiptFunction>(symbol, "esales_client_receipt");
            ClientDeliveryNext = Bind<ClientDeliveryNextFunction>(symbol, "esales_client_delivery_next");
            ClientOnDelivery = Bind<ClientOnDeliveryFunction>(symbol, "esales_client_on_delivery");
            StatusName = Bind<StatusNameFunction>(symbol, "esales_status_name");
            StatusText = Bind<StatusNameFunction>(symbol, "esales_status_text");
            LastError = Bind<LastErrorFunction>(symbol, "esales_last_error");
        }

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int ClientNewFunction(
            IntPtr config, IntPtr* result);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void ClientFreeFunction(
            IntPtr client);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int ConfigNewFunction(
            IntPtr* result);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int ConfigSetFunction(
            IntPtr config, byte* name, byte* value);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int CustomerKeyFunction(
            byte* customerId, byte* result);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int CustomerTokenFunction(
            byte* privateKey, byte* customerKey, byte* result);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int NewKeyFunction(
            byte* result);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int LogToFunction(
            IntPtr callback, IntPtr userData, int level);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int LogNextFunction(
            uint timeoutMs, int* level, byte* message);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int NotifyFunction(
            IntPtr client, NativeVisitor* visitor, NativeNotification* notification, NativeReceipt* receipt);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int NotifyAddToCartFunction(
            IntPtr client, NativeVisitor* visitor, byte* ticket, byte* id, NativeReceipt* receipt);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int ClientFlushFunction(
            IntPtr client, uint timeoutMs, NativeStats* stats);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int ClientStopDeliveryFunction(
            IntPtr client, uint timeoutMs);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int StopDeliveryFunction(
            uint timeoutMs);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int ClientStatsFunction(
            IntPtr client, NativeStats* stats);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int ClientReceiptFunction(
            IntPtr client, byte* id, NativeReceipt* receipt);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int ClientDeliveryNextFunction(
            IntPtr client, uint timeoutMs, NativeReceipt* receipt);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int ClientOnDeliveryFunction(
            IntPtr client, IntPtr callback, IntPtr userData);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate byte* StatusNameFunction(
            int status);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate byte* LastErrorFunction();
    }
}
