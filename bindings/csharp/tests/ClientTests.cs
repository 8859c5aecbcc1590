using System;
using System.Collections.Generic;
using System.Linq;

namespace Esales.Notify.Tests
{
    /// <summary>Options, arguments of the wrong kind, kept connections, and use after close.</summary>
    internal static class ClientTests
    {
        public static void Option_values_are_converted_to_text()
        {
            var options = new ClientOptions(new Dictionary<string, string> { ["market"] = "UK", ["proxy"] = null })
            {
                ["timeout_ms"] = 500,
                ["keep_alive_s"] = 3600L,
                ["allow_http"] = true,
                ["later"] = false,
                ["ca_file"] = null,
                ["unset"] = "x",
            };
            options["unset"] = null;
            Check.Equal(
                "allow_http=true keep_alive_s=3600 later=false market=UK timeout_ms=500",
                string.Join(" ", options.OrderBy(o => o.Key, StringComparer.Ordinal).Select(o => o.Key + "=" + o.Value)),
                "options");
            Check.Equal(5, options.Count, "count");
            Check.Equal("500", options["timeout_ms"].ToString(), "one that is set");
            Check.Equal(null, options["ca_file"].ToString(), "one that is not");
        }

        public static void Options_reach_the_library()
        {
            var options = new ClientOptions { ["base_url"] = "http://shop.example" };
            Check.Throws<InvalidConfigException>(() => new Client(options), "http without leave");
            options["allow_http"] = true;
            new Client(options).Dispose();
            options["allow_http"] = false;
            var e = Check.Throws<InvalidConfigException>(() => new Client(options), "http without leave");
            Check.Equal(StatusCode.InvalidConfig, e.StatusCode, "code");
            Check.Equal("ESALES_INVALID_CONFIG", e.StatusName, "name");
            Check.Equal(null, e.Receipt, "receipt");
        }

        public static void Market_option_applies_to_visitors_without_a_market()
        {
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client(Sandbox.Option("market", "Sweden")))
            {
                client.NotifyAddToCart(Visitor.Anonymous(Sample.CustomerKey, Sample.SessionKey), Sample.Ticket);
                Check.Contains("{\"market\":\"Sweden\",", (string)sandbox.Received[0]["body"], "body");
            }
        }

        public static void Argument_is_refused_by_name_when_it_is_invalid()
        {
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client())
            {
                Refused("option name", "name", () => new ClientOptions { ["a\0b"] = "1" }.MakeClient());
                Refused("option name", "name", () => new ClientOptions { ["\udc00"] = "1" }.MakeClient());
                Refused("option", "name", () => new ClientOptions { [null] = "1" }.MakeClient());
                Refused("value of option market", "value", () => new ClientOptions { ["market"] = "\0" }.MakeClient());
                Refused("token", "token", () => Visitor.SignedIn(Sample.CustomerKey, Sample.SessionKey, null));
                Refused("visitor", null, () => client.NotifyAddToCart(null, Sample.Ticket));
                Refused("ticket", null, () => client.NotifyAddToCart(Sample.Anna, null));
                Refused("ticket", "ticket", () => client.NotifyAddToCart(Sample.Anna, "a\0"));
                Refused("ticket", "ticket", () => client.NotifyAddToCart(Sample.Anna, "\ud83d"));
                Refused("id", "id", () => client.NotifyAddToCart(Sample.Anna, Sample.Ticket, "\udc00\ud800"));
                Refused("customer_key", "visitor", () => client.NotifyAddToCart(
                    Visitor.Anonymous("\ud800", Sample.SessionKey, "UK"), Sample.Ticket));
                Refused("customer_id", "customerId", () => Identity.CustomerKey("\0"));
                Refused("customer_id", null, () => Identity.CustomerKey(null));
                Refused("private_key", "privateKey", () => Identity.CustomerToken("\0", "k"));
                Refused("customer_key", "customerKey", () => Identity.CustomerToken("k", "\ud800"));
                Refused("path", "path", () => NotifyLibrary.Load(""));
                Refused("path", "path", () => NotifyLibrary.Load("a\0b"));
                Check.Equal(0, sandbox.ReceivedCount, "received");
            }
        }

        public static void Exception_has_a_receipt_when_the_library_refuses_the_arguments()
        {
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client())
            {
                var e = Check.Throws<InvalidArgumentException>(() => client.NotifyAddToCart(Sample.Anna, ""), "empty");
                Check.Equal(StatusCode.InvalidArgument, e.Receipt.StatusCode, "code");
                Check.Equal(0, e.Receipt.Attempts, "attempts");
                Check.Equal((int?)null, e.Receipt.HttpStatus, "HTTP status");
                Check.Equal("", e.Receipt.Id, "id");
            }
        }

        public static void New_keys_are_distinct_uuids()
        {
            var keys = Enumerable.Range(0, 100).Select(_ => Identity.NewKey()).ToList();
            Check.Equal(100, keys.Distinct().Count(), "different keys");
            Check.That(keys.All(k => k == new Guid(k).ToString("D") && k[14] == '4'), "shape: " + keys[0]);
        }

        public static void Fifty_sends_use_one_connection()
        {
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client())
            {
                for (int i = 0; i < 50; i++)
                {
                    client.NotifyAddToCart(Sample.Anna, Sample.Ticket);
                }
                Check.Equal(50, sandbox.ReceivedCount, "received");
                Check.Equal(1, sandbox.Connections, "connections");
            }
        }

        public static void Next_client_reuses_the_connection()
        {
            using (var sandbox = new Sandbox())
            {
                for (int i = 0; i < 2; i++)
                {
                    using (Client client = sandbox.Client())
                    {
                        client.NotifyAddToCart(Sample.Anna, Sample.Ticket);
                    }
                }
                Check.Equal(2, sandbox.ReceivedCount, "received");
                Check.Equal(1, sandbox.Connections, "connections");
            }
        }

        public static void Client_is_closed_after_dispose()
        {
            using (var sandbox = new Sandbox())
            {
                Client client = sandbox.Client();
                client.Dispose();
                client.Dispose();
                var e = Check.Throws<ClosedException>(() => client.NotifyAddToCart(Sample.Anna, Sample.Ticket), "closed");
                Check.That(e is ObjectDisposedException, "not .NET's own");
                Check.Equal(StatusCode.Closed, e.StatusCode, "code");
                Check.Equal("ESALES_CLOSED", e.StatusName, "name");
                Check.Equal("Esales.Notify.Client", e.ObjectName, "object");
                Check.Contains("ESALES_CLOSED", e.Message, "message");
                Check.Equal(0, sandbox.ReceivedCount, "received");
            }
        }

        public static void Client_reads_the_environment_when_it_has_no_options()
        {
            using (var sandbox = new Sandbox())
            {
                var environment = new Dictionary<string, string>
                {
                    ["ESALES_BASE_URL"] = sandbox.BaseUrl,
                    ["ESALES_MARKET"] = "Norway",
                    ["ESALES_TIMEOUT_MS"] = "60000",
                };
                foreach (string kind in new[] { "none", "null", "empty" })
                {
                    sandbox.Forget();
                    Ended ended = Processes.Run(Processes.BuildFolder, environment, "tests.exe", "child", "send", kind);
                    Check.Equal("ESALES_DELIVERED", ended.Output, kind + " " + ended.Errors);
                    Check.Equal(0, ended.Code, kind + " " + ended.Errors);
                    Check.Contains("\"market\":\"Norway\"", (string)sandbox.Received[0]["body"], kind);
                }
            }
        }

        public static void Client_ignores_the_environment_when_it_has_an_option()
        {
            using (var sandbox = new Sandbox())
            {
                var environment = new Dictionary<string, string> { ["ESALES_BASE_URL"] = sandbox.BaseUrl };
                Ended ended = Processes.Run(Processes.BuildFolder, environment, "tests.exe", "child", "send", "one");
                Check.Contains("InvalidConfigException: ESALES_INVALID_CONFIG: cluster_id", ended.Output, ended.Errors);
                Check.Equal(0, sandbox.ReceivedCount, "received");
            }
        }

        public static void Variable_set_by_the_program_is_read_under_mono()
        {
            using (var sandbox = new Sandbox())
            {
                var environment = new Dictionary<string, string>
                    { ["ESALES_MARKET"] = "Norway", ["ESALES_TIMEOUT_MS"] = "60000" };
                Ended ended = Processes.Run(
                    Processes.BuildFolder, environment, "tests.exe", "child", "set-variable", sandbox.BaseUrl);
                // The same test for Mono as in the README.
                bool counts = Type.GetType("Mono.Runtime") != null;
                Check.Contains(
                    counts ? "ESALES_DELIVERED" : "InvalidConfigException: ESALES_INVALID_CONFIG: cluster_id",
                    ended.Output,
                    ended.Errors);
                Check.Equal(counts ? 1 : 0, sandbox.ReceivedCount, "received");
            }
        }

        private static void MakeClient(this ClientOptions options)
        {
            new Client(options).Dispose();
        }

        private static void Refused(string message, string parameter, Action action)
        {
            var e = Check.Throws<InvalidArgumentException>(action, message);
            Check.That(e is ArgumentException, "not .NET's own");
            Check.Equal(StatusCode.InvalidArgument, e.StatusCode, message);
            Check.Equal("ESALES_INVALID_ARGUMENT", e.StatusName, message);
            Check.Contains(message, e.Message, "message");
            Check.Equal(parameter, e.ParamName, message);
        }
    }
}
