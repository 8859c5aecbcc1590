using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Text.RegularExpressions;

namespace Esales.Notify.Tests
{
    /// <summary>The vectors that every language's suite reads: tests/vectors.</summary>
    internal static class VectorTests
    {
        private static readonly string[] Visitors = { "market", "customer_key", "session_key", "token", "id" };

        /// <summary>The arguments of each kind's function, without the id.</summary>
        private static readonly Dictionary<string, string[]> Members = new Dictionary<string, string[]>
        {
            ["add_to_cart"] = new[] { "ticket" },
            ["click"] = new[] { "ticket" },
            ["non_esales_click"] = new[] { "product_key", "variant_key" },
            ["non_esales_add_to_cart"] = new[] { "product_key", "variant_key" },
            ["payment"] = new[] { "lines" },
            ["secure_payment"] = new[] { "lines", "private_key" },
            ["end"] = new string[0],
        };

        public static void Notification_bytes_equal_the_vectors()
        {
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client())
            {
                sandbox.Script("204:times=1000000");
                foreach (var row in Rows("notifications.json"))
                {
                    Arrives(sandbox, row, client.Notify(VisitorOf(row), NotificationOf(row)));
                    if ((string)row["kind"] == "add_to_cart")
                    {
                        Arrives(sandbox, row, client.NotifyAddToCart(
                            VisitorOf(row), (string)row["ticket"], (string)row["id"]));
                    }
                }
            }
        }

        public static void Customer_keys_and_tokens_equal_the_vectors()
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

        public static void Invalid_input_is_refused_with_the_message_of_the_vector()
        {
            var seen = new Dictionary<string, int>();
            var examples = Rows("notifications.json").GroupBy(row => (string)row["kind"])
                .ToDictionary(kind => kind.Key, kind => kind.First());
            using (var sandbox = new Sandbox())
            {
                foreach (var row in Rows("bad_input.json").Where(CanBeWritten))
                {
                    string name = (string)row["name"];
                    INotifyError error = Check.Fails(() => Use(sandbox, examples, row), name);
                    Check.Equal((int)(double)row["status"], (int)error.StatusCode, name);
                    string message = ((System.Exception)error).Message;
                    object option;
                    bool named = message.Contains((string)row["names"])
                        || (row.TryGetValue("option", out option) && message.Contains("option " + option));
                    Check.That(named, name + ": the message name neither: " + message);
                    string kind = row.ContainsKey("kind") ? (string)row["kind"] : "";
                    seen[kind] = (seen.ContainsKey(kind) ? seen[kind] : 0) + 1;
                }
                Check.Equal(0, sandbox.ReceivedCount, "received");
            }
            foreach (string kind in examples.Keys)
            {
                Check.That(seen.ContainsKey(kind) && seen[kind] >= 12, "few bad inputs of " + kind);
            }
        }

        private static void Arrives(Sandbox sandbox, Dictionary<string, object> row, Receipt receipt)
        {
            string name = (string)row["name"];
            Check.Equal(StatusCode.Delivered, receipt.StatusCode, name);
            Check.Equal((string)row["id"], receipt.Id, name);
            var received = sandbox.Received;
            sandbox.Forget();
            Check.Equal(1, received.Count, name);
            Check.Equal((string)row["path"], (string)received[0]["path"], name);
            Check.Equal((string)row["body"], (string)received[0]["body"], name);
        }

        /// <summary>Whether it can be written in C#: the functions of the kinds have no parameters for other kinds.</summary>
        private static bool CanBeWritten(Dictionary<string, object> row)
        {
            if ((string)row["call"] != "notify")
            {
                return true;
            }
            foreach (var member in (Dictionary<string, object>)row["set"])
            {
                string name = member.Key.Split('[')[0];
                if (!Visitors.Contains(name) && !Members[(string)row["kind"]].Contains(name))
                {
                    return false;
                }
                if (member.Value is double && (int)(double)member.Value != (double)member.Value)
                {
                    // The quantity is an int.
                    return false;
                }
            }
            return true;
        }

        private static void Use(
            Sandbox sandbox, Dictionary<string, Dictionary<string, object>> examples, Dictionary<string, object> row)
        {
            var set = row.ContainsKey("set") ? (Dictionary<string, object>)row["set"] : null;
            switch ((string)row["call"])
            {
                case "notify":
                    var fields = Changed(examples[(string)row["kind"]], set);
                    using (Client client = sandbox.Client())
                    {
                        client.Notify(VisitorOf(fields), NotificationOf(fields));
                    }
                    break;
                case "config":
                    string option = (string)row["option"];
                    var one = new ClientOptions { [option] = Text(row["value"]) };
                    if (option != "base_url" && option != "cluster_id")
                    {
                        // A valid address, so that only the option can be wrong.
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

        /// <summary>A copy of the example with other members, such as <c>ticket</c> or <c>lines[1].cost</c>.</summary>
        private static Dictionary<string, object> Changed(
            Dictionary<string, object> example, Dictionary<string, object> set)
        {
            var fields = new Dictionary<string, object>(example);
            if (fields.ContainsKey("lines"))
            {
                fields["lines"] = Rows(fields["lines"]).Select(line => (object)new Dictionary<string, object>(line)).ToList();
            }
            foreach (var member in set)
            {
                Match inLine = Regex.Match(member.Key, @"^lines\[(\d+)\]\.(\w+)$");
                if (inLine.Success)
                {
                    var line = (Dictionary<string, object>)((List<object>)fields["lines"])[int.Parse(inLine.Groups[1].Value)];
                    line[inLine.Groups[2].Value] = Value(member.Value);
                }
                else
                {
                    fields[member.Key] = Value(member.Value);
                }
            }
            return fields;
        }

        /// <summary>A value: a string, a number, a list, a repetition, or bytes that are not UTF-8.</summary>
        private static object Value(object value)
        {
            var made = value as Dictionary<string, object>;
            if (made == null)
            {
                return value;
            }
            if (made.ContainsKey("hex"))
            {
                // A .NET string cannot hold such bytes, but half a surrogate pair, which UTF-8 cannot hold.
                return "a\ud800b";
            }
            var times = (int)(double)made["times"];
            var lines = made["repeat"] as List<object>;
            return lines != null
                ? (object)Enumerable.Repeat(lines, times).SelectMany(line => line).ToList()
                : new StringBuilder().Insert(0, (string)made["repeat"], times).ToString();
        }

        private static string Text(object value)
        {
            return (string)Value(value);
        }

        private static Notification NotificationOf(Dictionary<string, object> row)
        {
            string id = (string)Member(row, "id");
            string ticket = (string)Member(row, "ticket");
            string productKey = (string)Member(row, "product_key");
            string variantKey = (string)Member(row, "variant_key");
            object list = Member(row, "lines");
            IEnumerable<Line> lines = list == null ? null : Rows(list).Select(LineOf);
            switch ((string)row["kind"])
            {
                case "add_to_cart": return Notification.AddToCart(ticket, id);
                case "click": return Notification.Click(ticket, id);
                case "non_esales_click": return Notification.NonEsalesClick(productKey, variantKey, id);
                case "non_esales_add_to_cart": return Notification.NonEsalesAddToCart(productKey, variantKey, id);
                case "payment": return Notification.Payment(lines, id);
                case "secure_payment":
                    return Notification.SecurePayment(lines, (string)Member(row, "private_key"), id);
                case "end": return Notification.End(id);
                default: throw new CheckFailedException("unknown kind " + row["kind"]);
            }
        }

        private static Line LineOf(Dictionary<string, object> line)
        {
            return new Line(
                (string)Member(line, "product_key"),
                (int)(double)line["quantity"],
                (string)Member(line, "selling_price"),
                (string)Member(line, "cost"),
                (string)Member(line, "variant_key"));
        }

        private static object Member(Dictionary<string, object> row, string name)
        {
            object value;
            return row.TryGetValue(name, out value) ? value : null;
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
            return rows;
        }

        private static List<Dictionary<string, object>> Rows(object list)
        {
            return ((List<object>)list).Cast<Dictionary<string, object>>().ToList();
        }
    }
}
