using System.Collections.Generic;
using System.Linq;
using System.Text;

namespace Esales.Notify.Tests
{
    /// <summary>The vectors that every language's suite reads: tests/vectors.</summary>
    internal static class VectorTests
    {
        public static void Every_notification_arrives_byte_for_byte()
        {
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client())
            {
                sandbox.Script("204:times=1000000");
                foreach (var row in Rows("notifications.json"))
                {
                    string name = (string)row["name"];
                    sandbox.Forget();
                    Receipt receipt = client.NotifyAddToCart(
                        VisitorOf(row), (string)row["ticket"], (string)row["id"]);
                    Check.Equal(StatusCode.Delivered, receipt.StatusCode, name);
                    Check.Equal((string)row["id"], receipt.Id, name);
                    var received = sandbox.Received;
                    Check.Equal(1, received.Count, name);
                    Check.Equal((string)row["body"], (string)received[0]["body"], name);
                }
            }
        }

        public static void Every_customer_key_and_token()
        {
            var identity = (Dictionary<string, object>)Json.Read(
                Processes.Text("tests", "vectors", "identity.json"));
            Check.Equal("customer_keys tokens", string.Join(" ", identity.Keys.OrderBy(k => k)), "tables");
            var keys = Rows(identity["customer_keys"]);
            Check.That(keys.Count > 3, "identity.json has few keys");
            foreach (var row in keys)
            {
                string id = (string)row["customer_id"];
                Check.Equal((string)row["customer_key"], Identity.CustomerKey(id), id);
            }
            var tokens = Rows(identity["tokens"]);
            Check.That(tokens.Count > 3, "identity.json has few tokens");
            foreach (var row in tokens)
            {
                Check.Equal(
                    (string)row["token"],
                    Identity.CustomerToken((string)row["private_key"], (string)row["customer_key"]),
                    (string)row["private_key"]);
            }
        }

        public static void Every_bad_input_is_refused_in_words_and_nothing_is_sent()
        {
            using (var sandbox = new Sandbox())
            {
                foreach (var row in Rows("bad_input.json"))
                {
                    string name = (string)row["name"];
                    INotifyError error = Check.Fails(() => Use(sandbox, row), name);
                    Check.Equal((int)(double)row["status"], (int)error.StatusCode, name);
                    string words = ((System.Exception)error).Message;
                    object option;
                    bool named = words.Contains((string)row["names"])
                        || (row.TryGetValue("option", out option) && words.Contains("option " + option));
                    Check.That(named, name + ": the words name neither: " + words);
                }
                Check.Equal(0, sandbox.ReceivedCount, "received");
            }
        }

        private static void Use(Sandbox sandbox, Dictionary<string, object> row)
        {
            var set = row.ContainsKey("set") ? (Dictionary<string, object>)row["set"] : null;
            switch ((string)row["call"])
            {
                case "notify":
                    var fields = new Dictionary<string, object>(Rows("notifications.json")[0]);
                    foreach (var field in set)
                    {
                        fields[field.Key] = Text(field.Value);
                    }
                    using (Client client = sandbox.Client())
                    {
                        client.NotifyAddToCart(VisitorOf(fields), (string)fields["ticket"], (string)fields["id"]);
                    }
                    break;
                case "config":
                    string option = (string)row["option"];
                    var one = new ClientOptions { [option] = Text(row["value"]) };
                    if (option != "base_url" && option != "cluster_id")
                    {
                        // So that nothing but the option itself can be at fault.
                        one["base_url"] = sandbox.BaseUrl;
                    }
                    new Client(one).Dispose();
                    break;
                case "client":
                    var options = new ClientOptions();
                    foreach (var value in (Dictionary<string, object>)row["options"])
                    {
                        options[value.Key] = Text(value.Value);
                    }
                    new Client(options).Dispose();
                    break;
                case "customer_key":
                    Identity.CustomerKey(Text(set["customer_id"]));
                    break;
                case "customer_token":
                    Identity.CustomerToken(Text(set["private_key"]), Text(set["customer_key"]));
                    break;
                default:
                    throw new CheckFailedException("unknown call " + row["call"]);
            }
        }

        /// <summary>A value: a string, a repetition, or bytes that are not UTF-8.</summary>
        private static string Text(object value)
        {
            var made = value as Dictionary<string, object>;
            if (made == null)
            {
                return (string)value;
            }
            if (made.ContainsKey("hex"))
            {
                // A string of .NET cannot hold such bytes; what it can hold and UTF-8 cannot is half a surrogate pair.
                return "a\ud800b";
            }
            var text = new StringBuilder();
            return text.Insert(0, (string)made["repeat"], (int)(double)made["times"]).ToString();
        }

        private static Visitor VisitorOf(Dictionary<string, object> row)
        {
            string customerKey = (string)row["customer_key"];
            string sessionKey = (string)row["session_key"];
            string token = (string)row["token"];
            string market = (string)row["market"];
            return token == null
                ? Visitor.Anonymous(customerKey, sessionKey, market)
                : Visitor.SignedIn(customerKey, sessionKey, token, market);
        }

        private static List<Dictionary<string, object>> Rows(string file)
        {
            var rows = Rows(Json.Read(Processes.Text("tests", "vectors", file)));
            Check.That(rows.Count > 3, file + " has few rows");
            return rows.Where(IsReadable).ToList();
        }

        /// <summary>Whether NotifyAddToCart takes the row. Once the binding has Notify, every row is read.</summary>
        private static bool IsReadable(Dictionary<string, object> row)
        {
            if (typeof(Client).GetMethods().Any(method => method.Name == "Notify") || !row.ContainsKey("kind"))
            {
                return true;
            }
            var members = new[] { "market", "customer_key", "session_key", "token", "ticket", "id" };
            return (string)row["kind"] == "add_to_cart"
                && (!row.ContainsKey("set") || ((Dictionary<string, object>)row["set"]).Keys.All(members.Contains));
        }

        private static List<Dictionary<string, object>> Rows(object list)
        {
            return ((List<object>)list).Cast<Dictionary<string, object>>().ToList();
        }
    }
}
