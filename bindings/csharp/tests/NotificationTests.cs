using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Threading;

namespace Esales.Notify.Tests
{
    /// <summary>Every kind of notification: its bytes, its prices, refused values, and repeated payments.</summary>
    internal static class NotificationTests
    {
        private const string PrivateKey = "a private key";
        private const string Who = "{\"market\":\"UK\",\"customerKey\":\"" + Sample.CustomerKey
            + "\",\"sessionKey\":\"" + Sample.SessionKey + "\"";

        private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
        private static readonly Line Mug = new Line("P_mug", 2, 199.50m, variantKey: "V_red");
        private static readonly Line Pot = new Line("P_pot", 1, 1000m, 600.25m);

        /// <summary>Each kind, with the end of its path and the members of its body after the visitor.</summary>
        private static readonly Dictionary<Notification, string[]> Kinds = new Dictionary<Notification, string[]>
        {
            [Notification.AddToCart("t", "1")] = new[] { "adding-to-cart", ",\"id\":\"1\",\"ticket\":\"t\"}" },
            [Notification.Click("t", "2")] = new[] { "click", ",\"id\":\"2\",\"ticket\":\"t\"}" },
            [Notification.NonEsalesClick("p", id: "3")] = new[]
                { "non-esales-click", ",\"id\":\"3\",\"productKey\":\"p\",\"variantKey\":null}" },
            [Notification.NonEsalesAddToCart("p", "v", "4")] = new[]
                { "non-esales-adding-to-cart", ",\"id\":\"4\",\"productKey\":\"p\",\"variantKey\":\"v\"}" },
            [Notification.Payment(new[] { Mug }, "5")] = new[]
            {
                "payment",
                ",\"lines\":[{\"productKey\":\"P_mug\",\"variantKey\":\"V_red\",\"quantity\":2,\"sellingPrice\":199.50}]}",
            },
            [Notification.SecurePayment(new[] { Mug, Pot }, PrivateKey, "6")] = new[]
            {
                "payment?paymentToken=",
                ",\"lines\":[{\"productKey\":\"P_mug\",\"variantKey\":\"V_red\",\"quantity\":2,\"sellingPrice\":199.50},"
                    + "{\"productKey\":\"P_pot\",\"quantity\":1,\"sellingPrice\":1000,\"cost\":600.25}]}",
            },
            [Notification.End("7")] = new[] { "end", "}" },
        };

        public static void Notify_sends_the_path_and_the_bytes_of_every_kind()
        {
            using (var sandbox = new Sandbox("--private-key", PrivateKey))
            using (Client client = sandbox.Client())
            {
                EveryKindArrives(sandbox, client.Notify, StatusCode.Delivered);
            }
        }

        public static void Enqueue_delivers_the_path_and_the_bytes_of_every_kind()
        {
            using (var sandbox = new Sandbox("--private-key", PrivateKey))
            using (Client client = sandbox.Client())
            {
                EveryKindArrives(
                    sandbox,
                    (visitor, what) =>
                    {
                        Receipt queued = client.Enqueue(visitor, what);
                        Check.That(client.Flush(Limit), "not flushed");
                        Check.Equal(StatusCode.Delivered, client.GetReceipt(what.Id).StatusCode, what.ToString());
                        return queued;
                    },
                    StatusCode.Queued);
            }
        }

        public static void Notify_makes_a_new_id_for_each_send_when_the_notification_has_none()
        {
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client())
            {
                Notification click = Notification.Click("t");
                string one = client.Notify(Sample.Anna, click).Id;
                string two = client.Notify(Sample.Anna, click).Id;
                Check.That(one != two, "the same id twice");
                Check.Equal(one, new Guid(one).ToString("D"), "shape of the id");
                Check.Equal(
                    "True True",
                    string.Join(" ", new[] { one, two }.Zip(
                        sandbox.Received, (id, r) => ((string)r["body"]).Contains("\"id\":\"" + id + "\""))),
                    "bodies");
                Check.Equal(null, click.Id, "id of the notification");
            }
        }

        public static void Decimal_price_is_sent_with_its_decimals_when_the_culture_has_a_comma()
        {
            // Some runtimes are installed without cultures, and return the invariant one for every name.
            var swedish = (CultureInfo)new CultureInfo("sv-SE").Clone();
            swedish.NumberFormat.NumberDecimalSeparator = ",";
            swedish.NumberFormat.NegativeSign = "\u2212";
            CultureInfo.CurrentCulture = swedish;
            Check.Equal("199,50", 199.50m.ToString(), "a price of this culture");

            var prices = new Dictionary<decimal, string>
            {
                [199.50m] = "199.50",
                [199m] = "199",
                [0.10m] = "0.10",
                [5.000m] = "5.000",
                [0m] = "0",
                [1234567.89m] = "1234567.89",
                [0.0000001m] = "0.0000001",
                [new decimal(1, 0, 0, false, 28)] = "0.0000000000000000000000000001",
                [decimal.MaxValue] = "79228162514264337593543950335",
            };
            string[] sent = Prices(prices.Keys.Select(price => new Line("p", 1, price)));
            Check.Equal(string.Join(" ", prices.Values), string.Join(" ", sent), "prices");
            var both = new Line("p", 1, 199.50m, 99.90m);
            Check.Equal("199.50 99.90", both.SellingPrice + " " + both.Cost, "price and cost");
        }

        public static void Text_price_is_sent_as_written()
        {
            var prices = new[] { "199.50", "199.5", "0", "0.00", "1.10000000000000000000000000000", new string('9', 32) };
            string[] sent = Prices(prices.Select(price => new Line("p", 1, price)));
            Check.Equal(string.Join(" ", prices), string.Join(" ", sent), "prices");
        }

        public static void Payment_has_at_most_ten_thousand_lines()
        {
            List<Line> lines = Enumerable.Range(0, 10000)
                .Select(i => new Line("P_\u00e5\u00e4\u00f6_" + i, 1 + i, i + 0.50m, variantKey: i % 2 == 0 ? null : "V" + i))
                .ToList();
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client())
            {
                client.Notify(Sample.Anna, Notification.Payment(lines));
                string[] expected = lines.Select(line => "{\"productKey\":\"" + line.ProductKey + "\""
                    + (line.VariantKey == null ? "" : ",\"variantKey\":\"" + line.VariantKey + "\"")
                    + ",\"quantity\":" + line.Quantity + ",\"sellingPrice\":" + line.SellingPrice + "}").ToArray();
                string body = Who + ",\"lines\":[" + string.Join(",", expected) + "]}";
                Check.That(body == (string)sandbox.Received[0]["body"], "another body");

                lines.Add(lines[0]);
                Refused("lines has 10001", () => client.Notify(Sample.Anna, Notification.Payment(lines)));
                Refused("lines has 10001", () => client.Enqueue(Sample.Anna, Notification.Payment(lines)));
                Check.Equal(1, sandbox.ReceivedCount, "received");
            }
        }

        public static void Invalid_value_is_refused_by_name()
        {
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client())
            {
                Action<string, Func<Notification>> refuses = (message, make) =>
                {
                    Refused(message, () => client.Notify(Sample.Anna, make()));
                    Refused(message, () => client.Enqueue(Sample.Anna, make()));
                };

                refuses("notification is NULL", () => null);
                refuses("ticket is missing", () => Notification.Click(null));
                refuses("ticket is empty", () => Notification.AddToCart(""));
                refuses("ticket contains a NUL", () => Notification.Click("a\0"));
                refuses("ticket cannot be UTF-8", () => Notification.Click("\ud83d"));
                refuses("id is empty", () => Notification.End(""));
                refuses("id contains a NUL", () => Notification.End("\0"));
                refuses("product_key is missing", () => Notification.NonEsalesClick(null));
                refuses("product_key is 257 bytes", () => Notification.NonEsalesAddToCart(new string('x', 257)));
                refuses("variant_key is empty", () => Notification.NonEsalesClick("p", ""));
                refuses("lines are missing", () => Notification.Payment(null));
                refuses("lines[1] is null", () => Notification.Payment(new[] { Mug, null }));
                refuses("lines are missing", () => Notification.Payment(new Line[0]));
                refuses("private_key is missing", () => Notification.SecurePayment(new[] { Mug }, null));
                refuses("private_key is empty", () => Notification.SecurePayment(new[] { Mug }, ""));
                refuses("private_key cannot be UTF-8", () => Notification.SecurePayment(new[] { Mug }, "\udc00"));
                refuses("lines[1].product_key is missing", () => With(new Line(null, 1, 1m)));
                refuses("lines[1].product_key contains a NUL", () => With(new Line("a\0", 1, 1m)));
                refuses("lines[1].variant_key cannot be UTF-8", () => With(new Line("p", 1, 1m, variantKey: "\ud800")));
                refuses("lines[1].quantity is 0;", () => With(new Line("p", 0, 1m)));
                refuses("lines[1].quantity is -1;", () => With(new Line("p", -1, 1m)));
                refuses("lines[1].selling_price is NULL", () => With(new Line("p", 1, (string)null)));
                refuses("lines[1].selling_price is empty", () => With(new Line("p", 1, "")));
                refuses("lines[1].selling_price is 33 bytes", () => With(new Line("p", 1, new string('9', 33))));
                refuses("lines[1].selling_price begins with a 0", () => With(new Line("p", 1, "01")));
                refuses("lines[1].selling_price is not a decimal number", () => With(new Line("p", 1, -0.01m)));
                foreach (string price in new[] { "1,5", " 1", "1e2", "1e999", "0x10", "NaN", "+1", "1.", ".5", "1 000" })
                {
                    refuses("lines[1].selling_price is not a decimal number", () => With(new Line("p", 1, price)));
                }
                refuses("lines[1].cost does not belong to payment", () => With(new Line("p", 1, 2m, 1m)));
                refuses("lines[0].cost must be", () => Notification.SecurePayment(
                    new[] { new Line("p", 1, 1.00m, 1m) }, PrivateKey));
                Refused("visitor is NULL", () => client.Notify(null, Notification.End()));
                Refused("customer_key contains a NUL", () => client.Notify(
                    Visitor.Anonymous("\0", Sample.SessionKey, "UK"), Notification.End()));

                Check.Equal(0, sandbox.ReceivedCount, "received");
                Check.Equal(0L, client.GetStats().Spool.Accepted, "accepted");
            }
        }

        public static void Invalid_string_is_refused_with_the_name_of_the_csharp_parameter()
        {
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client())
            {
                Visitor half = Visitor.Anonymous("\ud800", Sample.SessionKey, "UK");
                Check.Equal("visitor", ParameterOf(() => client.Notify(half, Notification.End())), "visitor");
                Check.Equal("notification", ParameterOf(() => client.Notify(Sample.Anna, Notification.Click("\0"))), "ticket");
                Check.Equal("notification", ParameterOf(() => client.Notify(Sample.Anna, With(new Line("\0", 1, 1m)))), "line");
                Check.Equal("notification", ParameterOf(() => client.Notify(Sample.Anna, With(new Line("p", -1, 1m)))), "quantity");
                Check.Equal("lines", ParameterOf(() => Notification.Payment(null)), "lines");
                Check.Equal("lines", ParameterOf(() => Notification.SecurePayment(new Line[1], PrivateKey)), "a line");
            }
        }

        public static void Notify_throws_closed_when_the_client_was_disposed()
        {
            using (var sandbox = new Sandbox())
            {
                Client client = sandbox.Client();
                client.Dispose();
                Check.Throws<ClosedException>(() => client.Notify(Sample.Anna, Notification.End()), "notify");
                Check.Throws<ClosedException>(() => client.Enqueue(Sample.Anna, Notification.End()), "enqueue");
                Check.Equal(0, sandbox.ReceivedCount, "received");
            }
        }

        public static void Notification_keeps_its_lines_when_the_list_changes()
        {
            var lines = new List<Line> { Mug };
            Notification payment = Notification.Payment(lines);
            lines[0] = Pot;
            lines.Add(Pot);
            Check.Equal(1, payment.Lines.Count, "lines");
            Check.Equal(Mug, payment.Lines[0], "line");
            Check.That(!(payment.Lines is Line[]), "the array can be reached");
        }

        public static void ToString_shows_no_secret()
        {
            string key = Identity.CustomerKey("customer-4711");
            string token = Identity.CustomerToken(PrivateKey, key);
            Check.Equal(
                "signed-in visitor in UK", Visitor.SignedIn(key, Sample.SessionKey, token, "UK").ToString(), "visitor");
            Check.Equal(
                "anonymous visitor", Visitor.Anonymous(Sample.CustomerKey, Sample.SessionKey).ToString(), "visitor");
            Check.Equal("Click an id", Notification.Click(Sample.Ticket, "an id").ToString(), "click");
            Check.Equal("End without an id", Notification.End().ToString(), "end");
            Check.Equal(
                "SecurePayment 6, 2 lines", Notification.SecurePayment(new[] { Mug, Pot }, PrivateKey, "6").ToString(), "payment");
            Check.That(
                typeof(Notification).GetProperties().All(property => property.Name != "PrivateKey"), "the key is public");
        }

        public static void Payment_is_sent_once_when_it_may_have_arrived()
        {
            foreach (string answer in new[] { "close", "hang", "garbage", "500" })
            {
                using (var sandbox = new Sandbox("--answers", answer + ":times=100"))
                using (Client client = sandbox.Client(
                    Sandbox.Option("backoff_ms", "0"),
                    Sandbox.Option("timeout_ms", answer == "hang" ? Sandbox.HangMs.ToString() : "60000"),
                    // on_failure=queue does not make a payment safe to send again.
                    Sandbox.Option("on_failure", "queue")))
                {
                    var error = Check.Throws<MayHaveArrivedException>(
                        () => client.Notify(Sample.Anna, Notification.Payment(new[] { Mug }, "an order")), answer);
                    Check.Equal(StatusCode.MayHaveArrived, error.StatusCode, answer);
                    Check.Equal(1, error.Receipt.Attempts, answer);
                    sandbox.Await(1);
                    Check.Equal(1, sandbox.ReceivedCount, answer);
                    Check.Equal(0L, client.GetStats().Spool.Pending, answer);
                }
            }
        }

        public static void Payment_is_sent_again_when_it_was_certainly_not_processed()
        {
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client(Sandbox.Option("backoff_ms", "0")))
            {
                sandbox.Script("503, 429, 204");
                Receipt receipt = client.Notify(Sample.Anna, Notification.Payment(new[] { Mug }));
                Check.Equal(3, receipt.Attempts, "attempts");
                Check.Equal(1, sandbox.Received.Select(r => (string)r["body"]).Distinct().Count(), "different bodies");
            }
        }

        public static void Payment_is_sent_again_when_payment_repeat_is_always()
        {
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client(
                Sandbox.Option("backoff_ms", "0"), Sandbox.Option("payment_repeat", "always")))
            {
                sandbox.Script("close, 204");
                Check.Equal(2, client.Notify(Sample.Anna, Notification.Payment(new[] { Mug })).Attempts, "attempts");
            }
        }

        public static void Queued_payment_becomes_a_dead_letter_when_it_may_have_arrived()
        {
            using (var sandbox = new Sandbox("--answers", "close:times=100"))
            using (Client client = sandbox.Client())
            {
                client.Enqueue(Sample.Anna, Notification.SecurePayment(new[] { Mug, Pot }, PrivateKey, "an order"));
                Check.That(client.Flush(Limit), "not flushed");
                Receipt dead = client.GetReceipt("an order");
                Check.Equal(StatusCode.MayHaveArrived, dead.StatusCode, "code");
                Check.Equal(1, sandbox.ReceivedCount, "received");
                Counts counts = client.GetStats().Spool;
                Check.Equal("1 0 1", counts.Accepted + " " + counts.Delivered + " " + counts.Dead, "accepted, delivered, dead");
            }
        }

        public static void Queued_end_arrives_last_when_its_session_has_older_notifications()
        {
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client())
            {
                // The clicks must be sent again, so the end must wait for them.
                sandbox.Script("503:retry-after=1, 503:retry-after=1");
                for (int i = 0; i < 20; i++)
                {
                    client.Enqueue(Sample.Anna, Notification.Click("t"));
                }
                client.Enqueue(Sample.Anna, Notification.End());
                Check.That(client.Flush(Limit), "not flushed");
                Check.Equal(21L, client.GetStats().Spool.Delivered, "delivered");
                List<string> paths = sandbox.Received.Select(r => (string)r["path"]).ToList();
                Check.Equal(1, paths.Count(path => path.EndsWith("/end", StringComparison.Ordinal)), "ends");
                Check.That(paths.Last().EndsWith("/end", StringComparison.Ordinal), "the last is " + paths.Last());
            }
        }

        public static void Notified_end_arrives_last_when_older_notifications_are_queued()
        {
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client())
            {
                sandbox.Script("503:retry-after=1");
                client.Enqueue(Sample.Anna, Notification.Click("t"));
                client.Notify(Sample.Anna, Notification.End());
                Check.Contains("/end", (string)sandbox.Received.Last()["path"], "last");
                Check.Equal(1L, client.GetStats().Spool.Delivered, "delivered");
            }
        }

        public static void Strings_stay_pinned_when_the_collector_runs_during_calls()
        {
            const int Threads = 4;
            const int Calls = 40;
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client())
            {
                bool isOver = false;
                var collector = new Thread(() =>
                {
                    while (!Volatile.Read(ref isOver))
                    {
                        GC.KeepAlive(new byte[100000]);
                        GC.Collect();
                    }
                });
                collector.Start();
                List<Thread> senders = Enumerable.Range(0, Threads).Select(thread => new Thread(() =>
                {
                    for (int i = 0; i < Calls; i++)
                    {
                        string name = "P" + thread + "_" + i;
                        Line[] lines = Enumerable.Range(0, 50).Select(n => new Line(name, 1, n + "." + n, variantKey: name)).ToArray();
                        client.Notify(Sample.Anna, Notification.Payment(lines));
                    }
                })).ToList();
                senders.ForEach(thread => thread.Start());
                senders.ForEach(thread => thread.Join());
                Volatile.Write(ref isOver, true);
                collector.Join();

                IEnumerable<string> expected =
                    from thread in Enumerable.Range(0, Threads)
                    from i in Enumerable.Range(0, Calls)
                    let name = "\"P" + thread + "_" + i + "\""
                    let lines = Enumerable.Range(0, 50).Select(n => "{\"productKey\":" + name + ",\"variantKey\":" + name
                        + ",\"quantity\":1,\"sellingPrice\":" + n + "." + n + "}")
                    select Who + ",\"lines\":[" + string.Join(",", lines) + "]}";
                var sent = new HashSet<string>(sandbox.Received.Select(r => (string)r["body"]));
                Check.That(sent.SetEquals(expected), "other bodies");
            }
        }

        private static void EveryKindArrives(Sandbox sandbox, Func<Visitor, Notification, Receipt> send, StatusCode code)
        {
            Check.Equal(
                string.Join(" ", Enum.GetNames(typeof(Kind))),
                string.Join(" ", Kinds.Keys.Select(notification => notification.Kind)),
                "kinds");
            foreach (var kind in Kinds)
            {
                string name = kind.Key.ToString();
                sandbox.Forget();
                Receipt receipt = send(Sample.Anna, kind.Key);
                Check.Equal(code, receipt.StatusCode, name);
                Check.Equal(kind.Key.Id, receipt.Id, name);
                var received = sandbox.Received;
                Check.Equal(1, received.Count, name);
                Check.Equal(Who + kind.Value[1], (string)received[0]["body"], name);
                string path = "/api/v1/notifications/" + kind.Value[0];
                // The sandbox computes the signature itself. The signature is the rest of the path.
                bool isSigned = kind.Key.Kind == Kind.SecurePayment;
                Check.Equal(isSigned ? (object)true : null, received[0]["payment_token_valid"], name);
                string sent = (string)received[0]["path"];
                Check.Equal(path, isSigned ? sent.Substring(0, path.Length) : sent, name);
            }
        }

        /// <summary>The prices of the lines in the received body, as text.</summary>
        private static string[] Prices(IEnumerable<Line> lines)
        {
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client())
            {
                client.Notify(Sample.Anna, Notification.Payment(lines));
                const string Member = "\"sellingPrice\":";
                string body = (string)sandbox.Received[0]["body"];
                return body.Split(new[] { Member }, StringSplitOptions.None).Skip(1).Select(s => s.Split('}')[0]).ToArray();
            }
        }

        private static Notification With(Line line)
        {
            return Notification.Payment(new[] { Mug, line });
        }

        private static string ParameterOf(Action action)
        {
            return Check.Throws<InvalidArgumentException>(action, "refused").ParamName;
        }

        private static void Refused(string message, Action action)
        {
            var e = Check.Throws<InvalidArgumentException>(action, message);
            Check.Contains(message, e.Message, "message");
        }
    }
}
