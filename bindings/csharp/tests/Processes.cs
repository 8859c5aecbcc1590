using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;

namespace Esales.Notify.Tests
{
    /// <summary>The output and exit code of a process.</summary>
    internal sealed class Ended
    {
        internal int Code;
        internal string Output;
        internal string Errors;
    }

    internal static class Processes
    {
        internal static string Root
        {
            get { return Environment.GetEnvironmentVariable("ESALES_TEST_ROOT"); }
        }

        internal static string Library
        {
            get { return Environment.GetEnvironmentVariable("ESALES_NOTIFY_LIBRARY"); }
        }

        internal static string BuildFolder
        {
            get { return AppDomain.CurrentDomain.BaseDirectory; }
        }

        internal static string Text(params string[] path)
        {
            return File.ReadAllText(Path.Combine(new[] { Root }.Concat(path).ToArray()));
        }

        internal static ProcessStartInfo Command(string program, params string[] arguments)
        {
            return new ProcessStartInfo(program, string.Join(" ", arguments.Select(a => "\"" + a + "\"")))
            {
                UseShellExecute = false,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
        }

        /// <summary>Runs a program of this runtime to its end.</summary>
        /// <param name="folder">The folder of the program and its assemblies.</param>
        /// <param name="environment">Variables to set; null removes one.</param>
        /// <param name="program">Its file name, and its arguments.</param>
        internal static Ended Run(string folder, IDictionary<string, string> environment, params string[] program)
        {
            string file = Path.Combine(folder, program[0]);
            ProcessStartInfo start = Command(
                Environment.GetEnvironmentVariable("ESALES_TEST_RUN"),
                new[] { file }.Concat(program.Skip(1)).ToArray());
            foreach (var variable in environment)
            {
                start.EnvironmentVariables.Remove(variable.Key);
                if (variable.Value != null)
                {
                    start.EnvironmentVariables.Add(variable.Key, variable.Value);
                }
            }
            using (Process process = Process.Start(start))
            {
                // Both pipes must be read at the same time; otherwise a process that fills the other one would wait
                // for ever.
                var errors = process.StandardError.ReadToEndAsync();
                string output = process.StandardOutput.ReadToEnd();
                process.WaitForExit();
                return new Ended { Code = process.ExitCode, Output = output.Trim(), Errors = errors.Result.Trim() };
            }
        }
    }

    /// <summary>A new folder, removed when disposed.</summary>
    internal sealed class Folder : IDisposable
    {
        internal readonly string Path;

        /// <param name="name">A part of its name.</param>
        internal Folder(string name)
        {
            Path = System.IO.Path.Combine(System.IO.Path.GetTempPath(), name + " " + Guid.NewGuid().ToString("N"));
            Directory.CreateDirectory(Path);
        }

        /// <summary>The path of a file in it. Makes the folder of the file.</summary>
        internal string File(params string[] path)
        {
            string file = System.IO.Path.Combine(new[] { Path }.Concat(path).ToArray());
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(file));
            return file;
        }

        /// <summary>Copies the binding and the test program into it, or into a folder below it.</summary>
        internal void AddPackage(params string[] below)
        {
            foreach (string name in new[] { "Esales.Notify.dll", "tests.exe" })
            {
                System.IO.File.Copy(System.IO.Path.Combine(Processes.BuildFolder, name), File(below.Concat(new[] { name }).ToArray()));
            }
        }

        public void Dispose()
        {
            // Renamed first: a worker that still writes would otherwise create files while they are removed.
            Directory.Move(Path, Path + ".gone");
            Directory.Delete(Path + ".gone", true);
        }
    }
}
