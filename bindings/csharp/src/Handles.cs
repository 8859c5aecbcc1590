using System;
using System.Runtime.InteropServices;

namespace Esales.Notify
{
    /// <summary>
    /// An <c>esales_config</c> or <c>esales_client</c>. The runtime counts its users: whoever disposes it while another
    /// thread is in a call only marks it closed, and the last call to leave frees it. But until then the runtime lets
    /// new users in as well, so that under steady traffic it would never be freed: hence a flag of our own.
    /// </summary>
    internal abstract class NativeHandle : SafeHandle
    {
        // Kept here because a finalizer may run when statics are gone already.
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

        /// <summary>The pointer, to be used until <see cref="SafeHandle.DangerousRelease"/>.</summary>
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
                // Disposed by another thread since the flag was read.
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
        /// <param name="config">The options; null: from the environment.</param>
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
        /// What was settled since the first call of this method and not yet taken; null if nothing is within the time.
        /// </summary>
        /// <exception cref="ClosedException">It was disposed.</exception>
        internal unsafe Receipt NextSettled(uint milliseconds)
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
