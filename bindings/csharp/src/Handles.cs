using System;
using System.Runtime.InteropServices;

namespace Esales.Notify
{
    /// <summary>
    /// An <c>esales_config</c> or <c>esales_client</c>. The runtime counts its users: if it is disposed while another
    /// thread is in a call, it is only marked as closed, and the last call frees it. The runtime would still admit new
    /// calls until then, so that a busy handle would never be freed; a separate flag refuses them.
    /// </summary>
    internal abstract class NativeHandle : SafeHandle
    {
        // Kept here, because a finalizer may run after statics were cleared.
        protected readonly Native Native;

        private volatile bool disposed;

        protected NativeHandle(Native native)
            : base(IntPtr.Zero, true)
        {
            Native = native;
        }

        public override bool IsInvalid
        {
            get { return handle == IntPtr.Zero; }
        }

        /// <summary>The pointer, which is valid until <see cref="SafeHandle.DangerousRelease"/>.</summary>
        /// <param name="held">Whether it must be released.</param>
        internal IntPtr Hold(ref bool held)
        {
            try
            {
                if (!disposed)
                {
                    DangerousAddRef(ref held);
                }
            }
            catch (ObjectDisposedException)
            {
                // Another thread disposed it after the flag was read.
            }
            if (!held)
            {
                throw new ClosedException(Native.NameOf((int)StatusCode.Closed));
            }
            return handle;
        }

        protected override void Dispose(bool disposing)
        {
            disposed = true;
            base.Dispose(disposing);
        }
    }

    internal sealed class ConfigHandle : NativeHandle
    {
        internal unsafe ConfigHandle(Native native)
            : base(native)
        {
            IntPtr created;
            native.Check(native.ConfigNew(&created));
            SetHandle(created);
        }

        internal unsafe void Set(string name, string value)
        {
            byte[] nameBytes = Utf8.Encode("option name", "name", name);
            byte[] valueBytes = Utf8.Encode("value of option " + name, "value", value);
            bool held = false;
            try
            {
                IntPtr config = Hold(ref held);
                fixed (byte* n = nameBytes, v = valueBytes)
                {
                    Native.Check(Native.ConfigSet(config, n, v));
                }
            }
            finally
            {
                if (held)
                {
                    DangerousRelease();
                }
            }
        }

        protected override bool ReleaseHandle()
        {
            Native.ConfigFree(handle);
            return true;
        }
    }

    internal sealed class ClientHandle : NativeHandle
    {
        /// <param name="native">The library.</param>
        /// <param name="config">The options. Null: read from the environment.</param>
        internal unsafe ClientHandle(Native native, ConfigHandle config)
            : base(native)
        {
            bool held = false;
            try
            {
                IntPtr options = config == null ? IntPtr.Zero : config.Hold(ref held);
                IntPtr created;
                native.Check(native.ClientNew(options, &created));
                SetHandle(created);
            }
            finally
            {
                if (held)
                {
                    config.DangerousRelease();
                }
            }
        }

        /// <summary>
        /// The next outcome since the first call of this method. Null: there was none within the time.
        /// </summary>
        /// <exception cref="ClosedException">The handle was disposed.</exception>
        internal unsafe Receipt NextDelivery(uint milliseconds)
        {
            var result = new NativeReceipt { StructSize = (uint)sizeof(NativeReceipt) };
            bool held = false;
            try
            {
                int status = Native.ClientDeliveryNext(Hold(ref held), milliseconds, &result);
                Native.Check(status);
                return status == 0 ? null : new Receipt(Native, &result);
            }
            finally
            {
                if (held)
                {
                    DangerousRelease();
                }
            }
        }

        protected override bool ReleaseHandle()
        {
            Native.ClientFree(handle);
            return true;
        }
    }
}
