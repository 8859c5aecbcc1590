using System;
using System.Collections.Generic;
using System.IO;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Esales.Notify
{
    /// <summary>
    /// The native library: its path and its version. It is loaded once per process, on first use. It is searched in
    /// this order: the path given to <see cref="Load"/>; the environment variable <c>ESALES_NOTIFY_LIBRARY</c>; the
    /// directory of <c>Esales.Notify.dll</c>, and <c>runtimes/linux-x64/native</c> in it; the system's loader. If a
    /// given path cannot be loaded, that is an error, and the search ends. Any thread may use it.
    /// </summary>
    public static class NotifyLibrary
    {
        /// <summary>The version of this binding. It works with libraries of the same major and minor version.</summary>
        public const string BindingVersion = "0.1.0";

        private const string Variable = "ESALES_NOTIFY_LIBRARY";

        // How long the end of the process waits for requests in flight.
        private const uint StopMilliseconds = 2000;

        private static readonly object Gate = new object();
        private static volatile Native native;
        private static string loadedFrom;

        /// <summary>The version of the native library, such as <c>0.1.0</c>. Loads the library.</summary>
        /// <exception cref="LibraryNotFoundException">The library cannot be loaded.</exception>
        public static string Version
        {
            get { return Native.VersionText; }
        }

        /// <summary>The path or name from which the native library was loaded. Loads the library.</summary>
        /// <exception cref="LibraryNotFoundException">The library cannot be loaded.</exception>
        public static string LoadedFrom
        {
            get
            {
                Load();
                return loadedFrom;
            }
        }

        internal static bool IsLoaded
        {
            get { return native != null; }
        }

        internal static Native Native
        {
            get
            {
                if (native == null)
                {
                    Load();
                }
                return native;
            }
        }

        /// <summary>Loads the library now, for example at the start of the program.</summary>
        /// <param name="path">
        /// The file of the library. The system's loader searches a name without a slash. Null: searched as described
        /// above.
        /// </param>
        /// <exception cref="LibraryNotFoundException">The library cannot be loaded.</exception>
        /// <exception cref="InvalidArgumentException">The path is empty or has a NUL.</exception>
        /// <exception cref="InvalidOperationException">
        /// The library was already loaded from another path than <paramref name="path"/>.
        /// </exception>
        public static void Load(string path = null)
        {
            // dlopen("") would return the program itself.
            if (path != null && path.Length == 0)
            {
                throw new InvalidArgumentException("path is empty", nameof(path));
            }
            Utf8.Encode("path", nameof(path), path);
            lock (Gate)
            {
                if (native == null)
                {
                    Search(path);
                }
                else if (path != null && path != loadedFrom)
                {
                    throw new InvalidOperationException(
                        "the native library was loaded before, from " + loadedFrom + "; load " + path
                        + " before anything else of Esales.Notify is used");
                }
            }
        }

        internal static void CheckVersion(string version)
        {
            string[] theirs = version.Split('.');
            string[] ours = BindingVersion.Split('.');
            if (theirs.Length < 2 || theirs[0] != ours[0] || theirs[1] != ours[1])
            {
                throw new LibraryNotFoundException(
                    "it has version " + version + ", and this binding needs " + ours[0] + "." + ours[1] + ".x");
            }
        }

        private static void Search(string path)
        {
            string variable = Environment.GetEnvironmentVariable(Variable);
            if (path != null)
            {
                OpenGiven(path, "the path given to NotifyLibrary.Load");
            }
            else if (!string.IsNullOrEmpty(variable))
            {
                OpenGiven(variable, "the environment variable " + Variable);
            }
            else
            {
                OpenFirst(Candidates());
            }
        }

        private static void OpenGiven(string path, string giver)
        {
            string why = Open(path);
            if (why != null)
            {
                throw new LibraryNotFoundException(
                    "cannot load the native library " + path + " (from " + giver + "): " + why);
            }
        }

        private static void OpenFirst(IEnumerable<string> candidates)
        {
            var tried = new List<string>();
            foreach (string candidate in candidates)
            {
                string why = Open(candidate);
                if (why == null)
                {
                    return;
                }
                tried.Add("\n  " + candidate + ": " + why);
            }
            throw new LibraryNotFoundException(
                "cannot find the native library of esales-notify. Tried:" + string.Concat(tried)
                + "\nInstall it, put it next to Esales.Notify.dll, set " + Variable
                + " to its path, or pass the path to NotifyLibrary.Load.");
        }

        /// <summary>Returns null, or the reason why the library cannot be opened.</summary>
        private static string Open(string path)
        {
            string why;
            IntPtr module = Loader.Open(path, out why);
            if (module == IntPtr.Zero)
            {
                return why;
            }
            try
            {
                native = new Native(name => Loader.Symbol(module, name));
            }
            catch (LibraryNotFoundException e)
            {
                // The file exists but is unusable: another library would hide that.
                throw new LibraryNotFoundException("cannot use the native library " + path + ": " + e.Message);
            }
            loadedFrom = path;
            AppDomain.CurrentDomain.ProcessExit += StopDelivery;
            return null;
        }

        /// <summary>Stops delivery, because requests in flight when the process ends are sent again.</summary>
        private static void StopDelivery(object sender, EventArgs e)
        {
            native.StopDelivery(StopMilliseconds);
        }

        private static IEnumerable<string> Candidates()
        {
            string architecture = RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();
            string platform = Path.Combine("runtimes", Loader.PlatformName + "-" + architecture, "native");
            foreach (string directory in PackageDirectories())
            {
                yield return Path.Combine(directory, Loader.FileName);
                yield return Path.Combine(directory, platform, Loader.FileName);
                // In the package manager's cache the assembly is in lib/netstandard2.0. Elsewhere the folder two levels
                // up does not belong to the package, and nothing is loaded from it.
                string parent = Path.GetDirectoryName(directory);
                if (Path.GetFileName(parent) == "lib")
                {
                    yield return Path.Combine(Path.GetDirectoryName(parent), platform, Loader.FileName);
                }
            }
            yield return Loader.SystemName;
        }

        private static IEnumerable<string> PackageDirectories()
        {
            Assembly assembly = typeof(NotifyLibrary).GetTypeInfo().Assembly;
            // Empty if the program is bundled into one file.
            string location = string.IsNullOrEmpty(assembly.Location)
                ? AppDomain.CurrentDomain.BaseDirectory
                : Path.GetDirectoryName(assembly.Location);
            yield return location;
            string origin = Origin(assembly);
            if (origin != null && origin != location)
            {
                yield return origin;
            }
        }

        /// <summary>
        /// The original path of the assembly: web servers run shadow copies, without the files next to the original.
        /// Null: it is not known.
        /// </summary>
        private static string Origin(Assembly assembly)
        {
            try
            {
                var address = new Uri(assembly.EscapedCodeBase);
                // .NET Core does not escape a #, so the path would end there, in a foreign folder.
                return address.IsFile && File.Exists(address.LocalPath) ? Path.GetDirectoryName(address.LocalPath) : null;
            }
            catch (Exception e) when (e is NotSupportedException || e is UriFormatException)
            {
                // A program that is bundled into one file has no path.
                return null;
            }
        }
    }
}
