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
        // Zero: never connected.
        private IntPtr number;

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

        /// <summary>Lets the client be told what is settled. To be called by one thread at a time.</summary>
        internal void Connect(Client client)
        {
            bool held = false;
            try
            {
                IntPtr pointer = Hold(ref held);
                if (number == IntPtr.Zero)
                {
                    number = Native.Settlements.Add(client);
                }
                Native.Check(Native.ClientOnDelivery(pointer, Native.Settlements.Callback, number));
            }
            finally
            {
                if (held)
                {
                    DangerousRelease();
                }
            }
        }

        /// <summary>Ends that, and waits until the client is being told nothing; not if this thread is telling it.</summary>
        internal void Disconnect()
        {
            bool held = false;
            try
            {
                Native.ClientOnDelivery(Hold(ref held), IntPtr.Zero, IntPtr.Zero);
            }
            catch (ClosedException)
            {
                // Another thread was faster, and freeing the client does the same.
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
            if (number != IntPtr.Zero)
            {
                Native.Settlements.Remove(number);
            }
            return true;
        }
    }
}
