using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;

namespace Esales.Notify.Tests
{
    /// <summary>Where the native library is searched, in which order, and the message if it is not found.</summary>
    internal static class LibraryTests
    {
        // A directory name that must not be taken for an address or a pattern.
        private const string Awkward = "esales åäö #1 100%25";

        public static void Library_is_loaded_from_the_path_in_the_environment()
        {
            Check.Equal(Processes.Library, NotifyLibrary.LoadedFrom, "path");
            NotifyLibrary.Load();
            NotifyLibrary.Load(Processes.Library);
        }

        public static void Library_path_argument_overrides_the_environment()
        {
            using (var folder = new Folder(Awkward))
            {
                string copy = Copy(folder.File("given.so"));
                Loaded(copy, Run(folder, "/nonexistent/variable.so", null, copy));
            }
        }

        public static void Library_path_variable_overrides_the_package()
        {
            using (var folder = new Folder(Awkward))
            {
                Copy(folder.File("libesales_notify.so"));
                string copy = Copy(folder.File("elsewhere", "named.so"));
                Loaded(copy, Run(folder, copy, null));
            }
        }

        public static void Library_of_the_package_overrides_the_system()
        {
            using (var folder = new Folder(Awkward))
            {
                string system = Path.GetDirectoryName(Copy(folder.File("system", "libesales_notify.so.0")));
                string deep = Copy(folder.File("runtimes", "linux-x64", "native", "libesales_notify.so"));
                Loaded(deep, Run(folder, null, system));
                string beside = Copy(folder.File("libesales_notify.so"));
                Loaded(beside, Run(folder, null, system));
            }
        }

        public static void Library_is_found_in_the_layout_of_the_package_manager_only()
        {
            foreach (string parent in new[] { "lib", "bin" })
            {
                using (var folder = new Folder(Awkward))
                {
                    string system = Path.GetDirectoryName(Copy(folder.File("system", "libesales_notify.so.0")));
                    string above = Copy(folder.File("runtimes", "linux-x64", "native", "libesales_notify.so"));
                    folder.AddPackage(parent, "netstandard2.0");
                    Loaded(
                        parent == "lib" ? above : "libesales_notify.so.0",
                        Run(Path.Combine(folder.Path, parent, "netstandard2.0"), null, system));
                }
            }
        }

        public static void Library_of_the_system_is_tried_last()
        {
            using (var folder = new Folder(Awkward))
            {
                string system = Path.GetDirectoryName(Copy(folder.File("system", "libesales_notify.so.0")));
                Loaded("libesales_notify.so.0", Run(folder, null, system));
                // An empty variable counts as not set.
                Loaded("libesales_notify.so.0", Run(folder, "", system));
            }
        }

        public static void No_other_library_is_tried_when_a_path_is_given()
        {
            using (var folder = new Folder(Awkward))
            {
                Copy(folder.File("libesales_notify.so"));
                string missing = Path.Combine(folder.Path, "missing.so");
                string output = Failed(Run(folder, null, null, missing));
                Check.Contains(missing + " (from the path given to NotifyLibrary.Load)", output, "message");
                Check.Contains("No such file", output, "message");
                output = Failed(Run(folder, missing, null));
                Check.Contains(missing + " (from the environment variable ESALES_NOTIFY_LIBRARY)", output, "message");

                string text = folder.File("text.so");
                File.WriteAllText(text, "this is no library");
                Check.Contains(text, Failed(Run(folder, null, null, text)), "message");
            }
        }

        public static void Missing_library_message_lists_the_tried_paths_and_gives_advice()
        {
            using (var folder = new Folder(Awkward))
            {
                // Hides a library that is installed on this machine.
                string broken = folder.File("system", "libesales_notify.so.0");
                File.WriteAllText(broken, "this is no library");
                string output = Failed(Run(folder, null, Path.GetDirectoryName(broken)));
                foreach (string part in new[]
                {
                    Path.Combine(folder.Path, "libesales_notify.so") + ": ",
                    Path.Combine(folder.Path, "runtimes", "linux-x64", "native", "libesales_notify.so") + ": ",
                    "\n  libesales_notify.so.0: ",
                    "set ESALES_NOTIFY_LIBRARY to its path",
                    "NotifyLibrary.Load",
                })
                {
                    Check.Contains(part, output, "message");
                }
            }
        }

        public static void Library_of_another_minor_version_is_refused()
        {
            using (var folder = new Folder(Awkward))
            {
                string ours = NotifyLibrary.Version;
                string theirs = "0.9" + ours.Substring(3);
                string patched = folder.File("other.so");
                File.WriteAllBytes(patched, Replaced(File.ReadAllBytes(Processes.Library), ours, theirs));
                string output = Failed(Run(folder, null, null, patched));
                Check.Contains(patched, output, "message");
                Check.Contains("version " + theirs + ", and this binding needs 0.1.x", output, "message");

                // A library of another version in the package is also an error, and the search ends.
                File.Copy(patched, folder.File("libesales_notify.so"));
                string system = Path.GetDirectoryName(Copy(folder.File("system", "libesales_notify.so.0")));
                Check.Contains("version " + theirs, Failed(Run(folder, null, system)), "message");
            }
        }

        public static void File_that_is_another_library_is_refused()
        {
            using (var folder = new Folder(Awkward))
            {
                string output = Failed(Run(folder, null, null, "libc.so.6"));
                Check.Contains("libc.so.6: it lacks the function esales_version", output, "message");
            }
        }

        public static void Second_library_in_one_process_is_refused()
        {
            using (var folder = new Folder(Awkward))
            {
                string copy = Copy(folder.File("one.so"));
                Ended ended = Run(folder, null, null, copy, Processes.Library);
                Check.Contains("InvalidOperationException: ", ended.Output, ended.Errors);
                Check.Contains("loaded before, from " + copy, ended.Output, ended.Errors);
            }
        }

        /// <summary>Copies the package into the folder and starts a process there that loads the library.</summary>
        private static Ended Run(Folder folder, string variable, string systemFolder, params string[] paths)
        {
            if (!File.Exists(Path.Combine(folder.Path, "tests.exe")))
            {
                folder.AddPackage();
            }
            return Run(folder.Path, variable, systemFolder, paths);
        }

        private static Ended Run(string folder, string variable, string systemFolder, params string[] paths)
        {
            var environment = new Dictionary<string, string>
            {
                ["ESALES_NOTIFY_LIBRARY"] = variable,
                ["LD_LIBRARY_PATH"] = systemFolder,
            };
            return Processes.Run(
                folder, environment, new[] { "tests.exe", "child", "load" }.Concat(paths).ToArray());
        }

        private static void Loaded(string from, Ended ended)
        {
            Check.Equal(NotifyLibrary.Version + " " + from, ended.Output, ended.Errors);
        }

        private static string Failed(Ended ended)
        {
            Check.That(
                ended.Output.StartsWith("LibraryNotFoundException: ", StringComparison.Ordinal),
                ended.Output + ended.Errors);
            return ended.Output;
        }

        private static string Copy(string to)
        {
            File.Copy(Processes.Library, to);
            return to;
        }

        private static byte[] Replaced(byte[] bytes, string from, string to)
        {
            byte[] before = Encoding.ASCII.GetBytes(from + "\0");
            byte[] after = Encoding.ASCII.GetBytes(to + "\0");
            Check.Equal(before.Length, after.Length, "length");
            int found = 0;
            for (int at = 0; at + before.Length <= bytes.Length; at++)
            {
                int same = 0;
                while (same < before.Length && bytes[at + same] == before[same])
                {
                    same++;
                }
                if (same == before.Length)
                {
                    after.CopyTo(bytes, at);
                    found++;
                }
            }
            Check.That(found > 0, "the library does not contain its version " + from);
            return bytes;
        }
    }
}
