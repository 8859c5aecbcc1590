using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.RegularExpressions;

namespace Esales.Notify.Tests
{
    /// <summary>The name of a status in C.</summary>
    internal static class Snake
    {
        internal static string Name(StatusCode code)
        {
            return Name("ESALES", code);
        }

        internal static string Name(string prefix, Enum code)
        {
            return prefix + Regex.Replace(code.ToString(), "[A-Z]", m => "_" + m.Value).ToUpperInvariant();
        }
    }

    /// <summary>The header, the project file, the README and the example.</summary>
    internal static class PackageTests
    {
        public static void Codes_kinds_and_levels_equal_the_header()
        {
            string header = Processes.Text("include", "esales_notify.h");
            var theirs = Regex.Matches(header, @"^#define (ESALES_\w+) (-?\d+)$", RegexOptions.Multiline).Cast<Match>()
                .Select(m => m.Groups[1].Value + " " + m.Groups[2].Value);
            var ours = Enum.GetValues(typeof(StatusCode)).Cast<StatusCode>()
                .Select(code => Snake.Name(code) + " " + (int)code)
                .Concat(Enum.GetValues(typeof(Kind)).Cast<Kind>().Select(kind => Snake.Name("ESALES", kind) + " " + (int)kind))
                .Concat(Enum.GetValues(typeof(LogLevel)).Cast<LogLevel>()
                    .Select(level => Snake.Name("ESALES_LOG", level) + " " + (int)level));
            Check.Equal(
                string.Join("\n", theirs.OrderBy(s => s, StringComparer.Ordinal)),
                string.Join("\n", ours.OrderBy(s => s, StringComparer.Ordinal)),
                "codes");
        }

        public static void Versions_equal_the_workspace()
        {
            string cargo = Processes.Text("Cargo.toml");
            string version = Regex.Match(cargo, @"\[workspace\.package\]\s+version = ""([^""]+)""").Groups[1].Value;
            Check.That(version.Length > 0, "Cargo.toml has no version");
            Check.Equal(version, Project("Version"), "project file");
            Check.Equal(version, NotifyLibrary.BindingVersion, "binding");
            Check.Equal(version, NotifyLibrary.Version, "library");
        }

        public static void Project_file_has_the_required_metadata()
        {
            foreach (string broken in new[] { "<a><b></a></b>", "<a>", "<a", "<a b=c/>", "<a/><a/>", "a", "<a>&</a>", "" })
            {
                Check.Throws<FormatException>(() => Xml.Read(broken, (path, text) => { }), "not XML: " + broken);
            }
            Check.Equal("netstandard2.0", Project("TargetFramework"), "target");
            Check.Equal("7.3", Project("LangVersion"), "language");
            Check.Equal("true", Project("GenerateDocumentationFile"), "documentation");
            Check.Equal("true", Project("AllowUnsafeBlocks"), "unsafe");
            Check.Equal("Esales.Notify", Project("PackageId"), "id");
            string cargo = Processes.Text("Cargo.toml");
            Check.Contains("license = \"" + Project("PackageLicenseExpression") + "\"", cargo, "licence");
        }

        public static void Csharp_readme_quotes_the_examples()
        {
            foreach (string example in new[] { "AddToCart.cs", "OtherEvents.cs", "Queue.cs" })
            {
                Check.Contains(
                    "```csharp\n" + Processes.Text("bindings", "csharp", "examples", example) + "```\n",
                    Processes.Text("bindings", "csharp", "README.md"),
                    "README.md");
            }
        }

        public static void Csharp_readme_names_every_exception_and_code()
        {
            string readme = Processes.Text("bindings", "csharp", "README.md");
            var exceptions = typeof(Client).Assembly.GetExportedTypes().Where(typeof(Exception).IsAssignableFrom);
            foreach (Type type in exceptions)
            {
                Check.Contains("`" + type.Name + "`", readme, "README.md");
            }
        }

        public static void Csharp_example_delivers()
        {
            using (var sandbox = new Sandbox())
            {
                var environment = new Dictionary<string, string> { ["ESALES_BASE_URL"] = sandbox.BaseUrl };
                Ended ended = Processes.Run(Processes.BuildFolder, environment, "AddToCart.exe");
                Check.Equal(0, ended.Code, ended.Output + ended.Errors);
                var received = sandbox.Received;
                Check.Equal(1, received.Count, "received");
                var notification = (Dictionary<string, object>)received[0]["notification"];
                Check.Equal("ESALES_DELIVERED " + notification["id"], ended.Output, "output");
                Check.Equal("UK", (string)notification["market"], "market");
                Check.Equal(Sample.CustomerKey, (string)notification["customerKey"], "customer key");
                Check.Equal(Sample.SessionKey, (string)notification["sessionKey"], "session key");
                Check.Equal(Sample.Ticket, (string)notification["ticket"], "ticket");
                Check.That(!notification.ContainsKey("token"), "a token");
            }
        }

        public static void Csharp_queue_example_delivers()
        {
            using (var sandbox = new Sandbox())
            {
                var environment = new Dictionary<string, string> { ["ESALES_BASE_URL"] = sandbox.BaseUrl };
                Ended ended = Processes.Run(Processes.BuildFolder, environment, "Queue.exe");
                Check.Equal(0, ended.Code, ended.Output + ended.Errors);
                // The event may come a little after the notification has left the queue.
                Check.Contains("receipt: ESALES_DELIVERED", ended.Output, ended.Errors);
                Check.Equal(1, sandbox.ReceivedCount, "received");
            }
        }

        public static void Csharp_example_of_other_events_delivers()
        {
            using (var sandbox = new Sandbox("--private-key", "a private key"))
            {
                var environment = new Dictionary<string, string>
                    { ["ESALES_BASE_URL"] = sandbox.BaseUrl, ["ESALES_PRIVATE_KEY"] = "a private key" };
                Ended ended = Processes.Run(Processes.BuildFolder, environment, "OtherEvents.exe");
                Check.Equal(0, ended.Code, ended.Output + ended.Errors);
                Check.Equal(
                    "click non_esales_click non_esales_add_to_cart secure_payment end",
                    string.Join(" ", sandbox.Received.Select(r => r["kind"])),
                    "kinds");
            }
        }

        private static string Project(string property)
        {
            var found = new List<string>();
            Xml.Read(Processes.Text("bindings", "csharp", "Esales.Notify.csproj"), (path, text) =>
            {
                if (path == "Project/PropertyGroup/" + property)
                {
                    found.Add(text);
                }
            });
            Check.Equal(1, found.Count, property);
            return found[0];
        }
    }
}
