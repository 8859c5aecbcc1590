using System;
using System.Collections.Generic;
using System.Linq;
using System.Net;
using System.Net.Sockets;

namespace Esales.Notify.Tests
{
    /// <summary>Every outcome has its exception, with code, name and receipt.</summary>
    internal static class OutcomeTests
    {
        private static readonly KeyValuePair<string, string> Once = Sandbox.Option("max_attempts", "1");

        public static void Notify_returns_a_delivered_receipt()
        {
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client())
            {
                Receipt receipt = client.NotifyAddToCart(Sample.Anna, Sample.Ticket, "an id");
                Check.Equal(StatusCode.Delivered, receipt.StatusCode, "code");
                Check.Equal("ESALES_DELIVERED", receipt.StatusName, "name");
                Check.Equal(204, receipt.HttpStatus, "HTTP status");
                Check.Equal(1, receipt.Attempts, "attempts");
                Check.Equal("an id", receipt.Id, "id");
                Check.That(receipt.Elapsed > TimeSpan.Zero, "no time passed");
                Check.That(receipt.Detail.Length > 0, "no detail");
                Check.Contains("ESALES_DELIVERED an id", receipt.ToString(), "line");
            }
        }

        public static void Receipt_has_a_new_id_when_none_was_given()
        {
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client())
            {
                string one = client.NotifyAddToCart(Sample.Anna, Sample.Ticket).Id;
                string two = client.NotifyAddToCart(Sample.Anna, Sample.Ticket).Id;
                Check.That(one != two, "the same id twice");
                Check.Equal(one, new Guid(one).ToString("D"), "shape of the id");
                Check.Contains("\"id\":\"" + one + "\"", (string)sandbox.Received[0]["body"], "body");
                Check.Contains("\"id\":\"" + two + "\"", (string)sandbox.Received[1]["body"], "body");
            }
        }

        public static void Final_answer_throws_the_matching_exception()
        {
            Answered<BadRequestException>("400", StatusCode.BadRequest, 400);
            Answered<ForbiddenException>("403", StatusCode.Forbidden, 403);
            Answered<RejectedException>("404", StatusCode.Rejected, 404);
            Answered<RejectedException>("302", StatusCode.Rejected, 302);
        }

        public static void Retryable_answer_throws_the_matching_exception()
        {
            Answered<ServerErrorException>("500", StatusCode.ServerError, 500);
            Answered<ServerErrorException>("503", StatusCode.ServerError, 503);
            Answered<ThrottledException>("429", StatusCode.Throttled, 429);
        }

        public static void Broken_answer_throws_the_matching_exception()
        {
            Answered<ConnectionLostException>("close", StatusCode.ConnectionLost, null);
            Answered<BadResponseException>("garbage", StatusCode.BadResponse, null);
        }

        public static void Timeout_exception_is_thrown_when_the_service_hangs()
        {
            NotifyTimeoutException e = Answered<NotifyTimeoutException>("hang", StatusCode.Timeout, null, Sandbox.HangMs);
            Check.That(
                e.Receipt.Elapsed < TimeSpan.FromMilliseconds(Sandbox.HangMs + 10000), "took " + e.Receipt.Elapsed);
        }

        public static void Final_and_retryable_exceptions_have_base_classes()
        {
            var final = new[] { typeof(BadRequestException), typeof(ForbiddenException), typeof(RejectedException) };
            var retryable = new[]
            {
                typeof(ServerErrorException), typeof(ThrottledException), typeof(NotifyTimeoutException),
                typeof(ConnectFailedException), typeof(TlsFailedException), typeof(ConnectionLostException),
                typeof(BadResponseException),
            };
            Check.That(final.All(t => t.IsSubclassOf(typeof(FinalException))), "final");
            Check.That(retryable.All(t => t.IsSubclassOf(typeof(RetryableException))), "retryable");
            foreach (Type type in new[] { typeof(FinalException), typeof(RetryableException), typeof(InvalidConfigException) })
            {
                Check.That(type.IsSubclassOf(typeof(NotifyException)), type.Name);
            }
        }

        public static void Connect_exception_is_thrown_when_the_connection_is_refused()
        {
            // Bound, so that no other process gets the port, but not listening.
            using (var bound = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp))
            {
                bound.Bind(new IPEndPoint(IPAddress.Loopback, 0));
                string url = "http://127.0.0.1:" + ((IPEndPoint)bound.LocalEndPoint).Port;
                using (var client = new Client(new ClientOptions { ["base_url"] = url, ["max_attempts"] = 1 }))
                {
                    var e = Check.Throws<ConnectFailedException>(
                        () => client.NotifyAddToCart(Sample.Anna, Sample.Ticket), "refused");
                    Check.Equal(StatusCode.ConnectFailed, e.StatusCode, "code");
                    Check.Equal((int?)null, e.Receipt.HttpStatus, "HTTP status");
                }
            }
        }

        public static void Certificate_is_refused_when_it_is_not_trusted()
        {
            foreach (string kind in new[] { "self-signed", "valid" })
            {
                using (var sandbox = new Sandbox("--tls", kind))
                using (Client client = sandbox.Client(Once))
                {
                    var e = Check.Throws<TlsFailedException>(() => client.NotifyAddToCart(Sample.Anna, Sample.Ticket), kind);
                    Check.Equal(StatusCode.TlsFailed, e.StatusCode, kind);
                    Check.Equal("ESALES_TLS_FAILED", e.StatusName, kind);
                }
            }
        }

        public static void Certificate_is_trusted_when_ca_file_names_its_authority()
        {
            using (var folder = new Folder("esales ca"))
            {
                string file = folder.File("ca.pem");
                using (var sandbox = new Sandbox("--tls", "valid", "--ca-file", file))
                using (Client client = sandbox.Client(Sandbox.Option("ca_file", file)))
                {
                    Check.Equal(204, client.NotifyAddToCart(Sample.Anna, Sample.Ticket).HttpStatus, "HTTP status");
                }
            }
        }

        public static void Retries_send_the_same_bytes()
        {
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client(Sandbox.Option("backoff_ms", "0")))
            {
                sandbox.Script("503, 503, 204");
                Receipt receipt = client.NotifyAddToCart(Sample.Anna, Sample.Ticket);
                Check.Equal(3, receipt.Attempts, "attempts");
                var bodies = sandbox.Received.Select(r => (string)r["body"]).ToList();
                Check.Equal(3, bodies.Count, "received");
                Check.Equal(1, bodies.Distinct().Count(), "different bodies");
                Check.Contains("\"id\":\"" + receipt.Id + "\"", bodies[0], "body");
            }
        }

        public static void Signed_in_visitor_is_accepted_only_with_a_valid_token()
        {
            const string Secret = "a private key";
            using (var sandbox = new Sandbox("--private-key", Secret))
            using (Client client = sandbox.Client())
            {
                string key = Identity.CustomerKey("customer-4711");
                Visitor right = Visitor.SignedIn(key, Sample.SessionKey, Identity.CustomerToken(Secret, key), "UK");
                Check.Equal(204, client.NotifyAddToCart(right, Sample.Ticket).HttpStatus, "right token");
                Visitor wrong = Visitor.SignedIn(key, Sample.SessionKey, Identity.CustomerToken("old", key), "UK");
                var e = Check.Throws<ForbiddenException>(() => client.NotifyAddToCart(wrong, Sample.Ticket), "wrong token");
                Check.Equal(403, e.Receipt.HttpStatus, "wrong token");
                Check.Equal("True False", string.Join(" ", sandbox.Received.Select(r => r["token_valid"])), "validity");
            }
        }

        private static T Answered<T>(string answer, StatusCode code, int? httpStatus, int timeout = 30000)
            where T : NotifyException
        {
            using (var sandbox = new Sandbox("--answers", answer))
            using (Client client = sandbox.Client(Once, Sandbox.Option("timeout_ms", timeout.ToString())))
            {
                var e = Check.Throws<T>(() => client.NotifyAddToCart(Sample.Anna, Sample.Ticket, "an id"), answer);
                Check.Equal(code, e.StatusCode, answer);
                Check.Equal(Snake.Name(code), e.StatusName, answer);
                Check.Contains(e.StatusName + ": ", e.Message, answer);
                Check.Equal(code, e.Receipt.StatusCode, answer);
                Check.Equal(e.StatusName, e.Receipt.StatusName, answer);
                Check.Equal(httpStatus, e.Receipt.HttpStatus, answer);
                Check.Equal(1, e.Receipt.Attempts, answer);
                Check.Equal("an id", e.Receipt.Id, answer);
                Check.Contains(e.Receipt.Detail.TrimEnd('\u2026', '.'), e.Message, answer);
                sandbox.Await(1);
                Check.Equal(1, sandbox.ReceivedCount, answer);
                return e;
            }
        }
    }
}
