using System;
using System.Runtime.InteropServices;

namespace Esales.Notify
{
    /// <summary>
    /// The C functions of one loaded library. Every parameter is a plain number or pointer, so that neither runtime
    /// copies or converts anything.
    /// </summary>
    internal sealed unsafe partial class Native
    {
        /// <param name="symbol">Finds a function's address, or throws.</param>
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
        /// The exception of a failed call. To be called by the thread that made the call, and before its next one:
        /// the library keeps the words per thread.
        /// </summary>
        internal Exception Failure(int status, Receipt receipt)
        {
            string words = Utf8.Read(LastError());
            if (words.Length == 0)
            {
                words = Utf8.Read(StatusText(status));
            }
            return Failures.Make(new Failure((StatusCode)status, NameOf(status), words, receipt));
        }

        private static T Bind<T>(Func<string, IntPtr> symbol, string name)
        {
            return Marshal.GetDelegateForFunctionPointer<T>(symbol(name));
        }
    }
}
