using System;
using System.Runtime.InteropServices;

namespace Esales.Notify
{
    /// <summary>
    /// The C functions of one loaded library. Every parameter is a number or a pointer, so that no runtime copies or
    /// converts it.
    /// </summary>
    internal sealed unsafe partial class Native
    {
        /// <param name="symbol">Returns the address of a function, or throws.</param>
        internal Native(Func<string, IntPtr> symbol)
        {
            BindAll(symbol);
        }

        private void CheckVersion()
        {
            NotifyLibrary.CheckVersion(VersionText);
        }

        internal string VersionText
        {
            get { return Utf8.Read(Version()); }
        }

        internal string NameOf(int status)
        {
            return Utf8.Read(StatusName(status));
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
        /// The exception of a failed call. Call it on the thread that made the call, before its next call, because the
        /// library keeps the message per thread.
        /// </summary>
        internal Exception Failure(int status, Receipt receipt)
        {
            string message = Utf8.Read(LastError());
            if (message.Length == 0)
            {
                message = Utf8.Read(StatusText(status));
            }
            return Failures.Make(new Failure((StatusCode)status, NameOf(status), message, receipt));
        }

        private static T Bind<T>(Func<string, IntPtr> symbol, string name)
        {
            return Marshal.GetDelegateForFunctionPointer<T>(symbol(name));
        }
    }
}
