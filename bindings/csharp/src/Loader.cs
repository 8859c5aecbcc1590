using System;
using System.Runtime.InteropServices;

namespace Esales.Notify
{
    /// <summary>
    /// The system's loader of libraries. A <c>DllImport</c> of the library itself would search in different folders
    /// under each runtime, and <c>NativeLibrary</c> is not in netstandard2.0.
    /// </summary>
    internal static class Loader
    {
        private const int ResolveNow = 2;

        private static readonly bool Windows = RuntimeInformation.IsOSPlatform(OSPlatform.Windows);
        private static readonly bool Mac = RuntimeInformation.IsOSPlatform(OSPlatform.OSX);

        /// <summary>The library's file inside a package.</summary>
        internal static string FileName
        {
            get { return Windows ? "esales_notify.dll" : Mac ? "libesales_notify.dylib" : "libesales_notify.so"; }
        }

        /// <summary>The name of the library for the system's loader: on Linux its SONAME.</summary>
        internal static string SystemName
        {
            get { return Windows || Mac ? FileName : "libesales_notify.so.0"; }
        }

        /// <summary>The system in the name of a package's <c>runtimes</c> folder.</summary>
        internal static string PlatformName
        {
            get { return Windows ? "win" : Mac ? "osx" : "linux"; }
        }

        /// <summary>Loads a library.</summary>
        /// <param name="path">Its path, or its name for the system's own search.</param>
        /// <param name="why">Receives the reason if it cannot be loaded.</param>
        /// <returns>The module; zero if it cannot be loaded.</returns>
        internal static IntPtr Open(string path, out string why)
        {
            why = null;
            IntPtr module;
            if (Windows)
            {
                module = LoadLibraryW(path);
                if (module == IntPtr.Zero)
                {
                    why = "LoadLibrary failed with error " + Marshal.GetLastWin32Error();
                }
                return module;
            }
            byte[] file = Utf8.Encode("path", "path", path);
            // Called in advance: to find dlerror, the runtime calls dlopen, which clears the message.
            LastError();
            module = Libdl.Missing ? Libc.dlopen(file, ResolveNow) : Libdl.dlopen(file, ResolveNow);
            if (module == IntPtr.Zero)
            {
                why = LastError();
            }
            return module;
        }

        /// <summary>The address of a function. Throws if the library does not have it.</summary>
        internal static IntPtr Symbol(IntPtr module, string name)
        {
            IntPtr address;
            if (Windows)
            {
                address = GetProcAddress(module, Utf8.Encode("name", "name", name));
            }
            else
            {
                byte[] bytes = Utf8.Encode("name", "name", name);
                address = Libdl.Missing ? Libc.dlsym(module, bytes) : Libdl.dlsym(module, bytes);
            }
            if (address == IntPtr.Zero)
            {
                throw new LibraryNotFoundException("it lacks the function " + name);
            }
            return address;
        }

        private static unsafe string LastError()
        {
            byte* text = (byte*)(Libdl.Missing ? Libc.dlerror() : Libdl.dlerror());
            return text == null ? "no reason given" : Utf8.Read(text);
        }

        [DllImport("kernel32", CharSet = CharSet.Unicode, ExactSpelling = true, SetLastError = true)]
        private static extern IntPtr LoadLibraryW(string path);

        [DllImport("kernel32", ExactSpelling = true)]
        private static extern IntPtr GetProcAddress(IntPtr module, byte[] name);

        private static class Libdl
        {
            /// <summary>Whether this system has no libdl.so.2: musl and macOS keep its functions in libc.</summary>
            internal static readonly bool Missing = IsMissing();

            [DllImport("libdl.so.2", ExactSpelling = true)]
            internal static extern IntPtr dlopen(byte[] path, int flags);

            [DllImport("libdl.so.2", ExactSpelling = true)]
            internal static extern IntPtr dlsym(IntPtr module, byte[] name);

            [DllImport("libdl.so.2", ExactSpelling = true)]
            internal static extern IntPtr dlerror();

            private static bool IsMissing()
            {
                try
                {
                    dlerror();
                    return false;
                }
                catch (DllNotFoundException)
                {
                    return true;
                }
            }
        }

        private static class Libc
        {
            [DllImport("libc", ExactSpelling = true)]
            internal static extern IntPtr dlopen(byte[] path, int flags);

            [DllImport("libc", ExactSpelling = true)]
            internal static extern IntPtr dlsym(IntPtr module, byte[] name);

            [DllImport("libc", ExactSpelling = true)]
            internal static extern IntPtr dlerror();
        }
    }
}
