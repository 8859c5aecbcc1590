using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Net.Sockets;
using System.Text;

namespace Esales.Notify.Tests
{
    /// <summary>A sandbox for one test: a process that ends when this is disposed.</summary>
    internal sealed class Sandbox : IDisposable
    {
        /// <summary>The budget of a call that gets no answer, in ms: long enough to send it from a busy machine.</summary>
        internal const int HangMs = 3000;

        private readonly Process process;
        private bool ended;

        internal Sandbox(params string[] arguments)
        {
            string[] all = new[] { "sandbox", "--listen", "127.0.0.1:0", "--json", "--until-stdin-closes" }.Concat(arguments).ToArray();
            ProcessStartInfo start = Processes.Command(
                Environment.GetEnvironmentVariable("ESALES_NOTIFY_COMMAND"), all);
            // Not redirected, so that it goes to the output of the suite.
            start.RedirectStandardError = false;
            // Never written: it closes when this process ends, which ends the sandbox.
            start.RedirectStandardInput = true;
            process = Process.Start(start);
            string line = process.StandardOutput.ReadLine();
            Check.That(line != null, "the sandbox ended before it listened; arguments: " + string.Join(" ", all));
            BaseUrl = (string)((Dictionary<string, object>)Json.Read(line))["base_url"];
        }

        internal string BaseUrl { get; }

        /// <summary>Requests that were received, oldest first.</summary>
        internal List<Dictionary<string, object>> Received
        {
            get
            {
                var list = (List<object>)Json.Read(Control("GET", "received", null));
                return list.Cast<Dictionary<string, object>>().ToList();
            }
        }

        /// <summary>Connections that sent a notification.</summary>
        internal int Connections
        {
            get { return Status("connections"); }
        }

        internal int ReceivedCount
        {
            get { return Status("received"); }
        }

        internal void Script(string answers)
        {
            Control("PUT", "script", answers);
        }

        internal void Forget()
        {
            Control("DELETE", "received", null);
        }

        /// <summary>Waits until this many requests have been received.</summary>
        internal void Await(int count)
        {
            var watch = Stopwatch.StartNew();
            while (ReceivedCount < count)
            {
                Check.That(watch.Elapsed < TimeSpan.FromSeconds(60), "the sandbox received less than " + count);
            }
        }

        /// <summary>A client of it. Its default budget is long, for busy machines.</summary>
        internal Client Client(params KeyValuePair<string, string>[] options)
        {
            var all = new ClientOptions
                { ["base_url"] = BaseUrl, ["timeout_ms"] = 60000, ["enqueue_timeout_ms"] = 60000 };
            foreach (KeyValuePair<string, string> option in options)
            {
                all[option.Key] = option.Value;
            }
            return new Client(all);
        }

        internal static KeyValuePair<string, string> Option(string name, string value)
        {
            return new KeyValuePair<string, string>(name, value);
        }

        /// <summary>Ends the sandbox. A second call does nothing, because some tests end the sandbox early.</summary>
        public void Dispose()
        {
            if (ended)
            {
                return;
            }
            ended = true;
            if (!process.HasExited)
            {
                process.Kill();
            }
            process.WaitForExit();
            process.Dispose();
        }

        private int Status(string counter)
        {
            return (int)(double)((Dictionary<string, object>)Json.Read(Control("GET", "status", null)))[counter];
        }

        /// <summary>
        /// One request to the control interface, on a separate connection. Written by hand, because Mono's
        /// HttpWebRequest sometimes aborts a request.
        /// </summary>
        private string Control(string method, string what, string body)
        {
            var address = new Uri(BaseUrl);
            byte[] content = Encoding.UTF8.GetBytes(body ?? "");
            byte[] head = Encoding.ASCII.GetBytes(
                method + " /sandbox/" + what + " HTTP/1.1\r\nHost: " + address.Authority
                + "\r\nConnection: close\r\nContent-Length: " + content.Length + "\r\n\r\n");
            using (var tcp = new TcpClient(address.Host, address.Port))
            using (NetworkStream stream = tcp.GetStream())
            using (var answer = new MemoryStream())
            {
                stream.Write(head.Concat(content).ToArray(), 0, head.Length + content.Length);
                stream.CopyTo(answer);
                string text = Encoding.UTF8.GetString(answer.ToArray());
                int end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
                Check.That(
                    end > 0 && text.StartsWith("HTTP/1.1 2", StringComparison.Ordinal)
                        && text.IndexOf("transfer-encoding", 0, end, StringComparison.OrdinalIgnoreCase) < 0,
                    method + " /sandbox/" + what + ": " + text);
                return text.Substring(end + 4);
            }
        }
    }
}
