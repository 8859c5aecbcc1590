using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading;

namespace Esales.Notify.Tests
{
    /// <summary>The queue: accepted notifications are delivered or counted, have receipts, and raise the
    /// event.</summary>
    internal static class QueueTests
    {
        /// <summary>A timeout, so that a missing event fails the test and does not hang the suite.</summary>
        private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

        private const string Nowhere = "http://127.0.0.1:9";

        public static void Enqueued_notification_is_delivered()
        {
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client())
            {
                Receipt queued = client.EnqueueAddToCart(Sample.Anna, Sample.Ticket);
                Check.Equal(StatusCode.Queued, queued.StatusCode, "code");
                Check.Equal("ESALES_QUEUED", queued.StatusName, "name");
                Check.Equal((int?)null, queued.HttpStatus, "HTTP status");
                Check.Equal(0, queued.Attempts, "attempts");
                Check.Equal(queued.Id, new Guid(queued.Id).ToString("D"), "shape of the id");
                Check.Equal("an id", client.EnqueueAddToCart(Sample.Anna, Sample.Ticket, "an id").Id, "id");
                Check.That(client.Flush(Limit), "not flushed");

                // Several are in flight at a time, and may arrive in another order.
                Check.Equal("an id, " + queued.Id, string.Join(", ", Ids(sandbox).OrderByDescending(i => i == "an id")), "received");
                Receipt delivered = client.GetReceipt(queued.Id);
                Check.Equal(StatusCode.Delivered, delivered.StatusCode, "code");
                Check.Equal(204, delivered.HttpStatus, "HTTP status");
                Check.Equal(1, delivered.Attempts, "attempts");
                Check.Equal(queued.Id, delivered.Id, "id");
                Check.That(delivered.Elapsed > TimeSpan.Zero, "no time passed");
            }
        }

        public static void Enqueue_refuses_the_arguments_that_notify_refuses()
        {
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client())
            {
                Refused("visitor", () => client.EnqueueAddToCart(null, Sample.Ticket));
                Refused("ticket", () => client.EnqueueAddToCart(Sample.Anna, null));
                Refused("ticket", () => client.EnqueueAddToCart(Sample.Anna, "a\0"));
                Refused("id", () => client.EnqueueAddToCart(Sample.Anna, Sample.Ticket, "\udc00"));
                Refused("id", () => client.GetReceipt(null));
                Refused("id", () => client.GetReceipt("a\0"));
                Refused("timeout", () => client.Flush(TimeSpan.FromTicks(-1)));
                Refused("timeout", () => client.Flush(Timeout.InfiniteTimeSpan));
                Refused("timeout", () => client.Flush(TimeSpan.MaxValue));
                Check.That(client.Flush(TimeSpan.Zero), "nothing was accepted");
                Check.Equal(0L, client.GetStats().Spool.Accepted, "accepted");
                Check.Equal(0L, client.GetStats().ProcessRefused, "refused");
            }
        }

        public static void TryEnqueue_returns_the_receipt_when_it_is_accepted()
        {
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client())
            {
                Receipt click = client.TryEnqueue(Sample.Anna, Notification.Click(Sample.Ticket, "a"));
                Receipt cart = client.TryEnqueueAddToCart(Sample.Anna, Sample.Ticket, "b");
                Check.Equal(StatusCode.Queued, click.StatusCode, "code of the click");
                Check.Equal(StatusCode.Queued, cart.StatusCode, "code of the cart");
                Check.That(client.Flush(Limit), "not flushed");
                Check.Equal("a, b", string.Join(", ", Ids(sandbox).OrderBy(i => i)), "received");
            }
        }

        public static void TryEnqueue_returns_a_negative_status_when_it_is_not_accepted()
        {
            var full = new ClientOptions { BaseUrl = Nowhere, MaxItems = 1, MaxAge = TimeSpan.FromSeconds(10) };
            using (var sandbox = new Sandbox())
            using (var client = new Client(full))
            {
                client.EnqueueAddToCart(Sample.Anna, Sample.Ticket);
                Client closed = sandbox.Client();
                closed.Dispose();
                Denied(StatusCode.QueueFull, "full", client.TryEnqueueAddToCart(Sample.Anna, Sample.Ticket));
                Denied(StatusCode.InvalidArgument, "ticket", client.TryEnqueueAddToCart(Sample.Anna, null));
                Denied(StatusCode.InvalidArgument, "ticket", client.TryEnqueueAddToCart(Sample.Anna, "a\0"));
                Denied(StatusCode.InvalidArgument, "visitor", client.TryEnqueue(null, Notification.End()));
                Denied(StatusCode.InvalidArgument, "notification", client.TryEnqueue(Sample.Anna, null));
                Denied(StatusCode.Closed, "disposed", closed.TryEnqueue(Sample.Anna, Notification.End()));
            }
        }

        public static void Receipt_is_queued_while_the_notification_waits()
        {
            using (var sandbox = new Sandbox())
            // It expires before the next attempt, so it is not sent to the sandbox of another test.
            using (Client client = sandbox.Client(Sandbox.Option("max_age_s", "20")))
            {
                sandbox.Script("503:retry-after=30");
                string id = client.EnqueueAddToCart(Sample.Anna, Sample.Ticket, "left behind").Id;
                Receipt receipt = null;
                Await(() => (receipt = client.GetReceipt(id)).Attempts > 0, "no attempt");
                Check.Equal(StatusCode.Queued, receipt.StatusCode, "code");
                Check.Equal("ESALES_QUEUED", receipt.StatusName, "name");
                Check.Equal(id, receipt.Id, "id");
                Check.Equal(1, receipt.Attempts, "attempts");
                Check.Equal(null, client.GetReceipt("never seen"), "unknown");
                Check.Equal(null, client.GetReceipt(""), "empty");

                Stats stats = client.GetStats();
                Check.Equal(1, stats.GateFailures, "failures");
                Check.That(stats.GateClosedFor > TimeSpan.FromSeconds(5), "closed for " + stats.GateClosedFor);
                Check.That(stats.GateClosedFor <= TimeSpan.FromSeconds(30), "closed for " + stats.GateClosedFor);
                Check.That(stats.OldestAge > TimeSpan.Zero, "oldest: " + stats.OldestAge);
                Check.That(stats.PendingBytes > Sample.Ticket.Length, "bytes: " + stats.PendingBytes);
            }
        }

        public static void Receipt_has_the_outcome_after_the_delivery()
        {
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client())
            {
                sandbox.Script("503:retry-after=1");
                string id = client.EnqueueAddToCart(Sample.Anna, Sample.Ticket).Id;
                Check.That(client.Flush(Limit), "not flushed");
                Receipt receipt = client.GetReceipt(id);
                Check.Equal(StatusCode.Delivered, receipt.StatusCode, "code");
                Check.Equal(2, receipt.Attempts, "attempts");
                Check.That(receipt.Elapsed >= TimeSpan.FromSeconds(1), "elapsed: " + receipt.Elapsed);
            }
        }

        public static void Flush_keeps_its_deadline_when_the_service_is_down()
        {
            using (Client client = Down("max_items", "1001"))
            {
                for (int i = 0; i < 3; i++)
                {
                    client.EnqueueAddToCart(Sample.Anna, Sample.Ticket);
                }
                var watch = Stopwatch.StartNew();
                Check.That(!client.Flush(TimeSpan.FromMilliseconds(300)), "flushed");
                Check.That(watch.ElapsedMilliseconds >= 295, "took " + watch.Elapsed);
                Check.That(watch.Elapsed < TimeSpan.FromSeconds(10), "took " + watch.Elapsed);
                Check.That(!client.Flush(TimeSpan.Zero), "flushed");
                Stats stats = client.GetStats();
                Counted("accepted 3 = delivered 0 + dead 0 + expired 0 + dropped 0 + pending 3", stats.Spool);
                Counted("accepted 3 = delivered 0 + dead 0 + expired 0 + dropped 0 + pending 3", stats.Process);
                Await(() => client.GetStats().GateFailures > 0, "no failure");
            }
        }

        public static void Stats_obey_the_counter_invariant()
        {
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client())
            {
                sandbox.Script("204, 204, 400, 404, 204");
                for (int i = 0; i < 10; i++)
                {
                    client.EnqueueAddToCart(Sample.Anna, Sample.Ticket);
                    Balanced(client.GetStats());
                }
                Check.That(client.Flush(Limit), "not flushed");
                Stats stats = client.GetStats();
                Counted("accepted 10 = delivered 8 + dead 2 + expired 0 + dropped 0 + pending 0", stats.Spool);
                Counted("accepted 10 = delivered 8 + dead 2 + expired 0 + dropped 0 + pending 0", stats.Process);
                Check.Equal(0L, stats.ProcessRefused, "refused");
                Check.Equal(0L, stats.PendingBytes, "bytes");
                Check.Equal(TimeSpan.Zero, stats.OldestAge, "oldest");
                Check.Equal(0, stats.GateFailures, "failures");
                Check.Equal(TimeSpan.Zero, stats.GateClosedFor, "closed");
                Check.That(stats.AttemptLatency.P50 > TimeSpan.Zero, "latency: " + stats.AttemptLatency.P50);
                foreach (Percentiles p in new[] { stats.AttemptLatency, stats.DeliveryAge })
                {
                    Check.That(p.P50 <= p.P95 && p.P95 <= p.P99 && p.P99 < Limit, p.P50 + ", " + p.P95 + ", " + p.P99);
                }
            }
        }

        public static void Failed_notify_is_queued_when_on_failure_is_queue()
        {
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client(
                Sandbox.Option("on_failure", "queue"), Sandbox.Option("max_attempts", "1")))
            {
                Check.Equal(
                    StatusCode.Delivered, client.NotifyAddToCart(Sample.Anna, Sample.Ticket).StatusCode, "code");
                sandbox.Script("503");
                Receipt queued = client.NotifyAddToCart(Sample.Anna, Sample.Ticket, "an id");
                Check.Equal(StatusCode.Queued, queued.StatusCode, "code");
                Check.Equal(503, queued.HttpStatus, "HTTP status");
                Check.Equal(1, queued.Attempts, "attempts");
                Check.That(client.Flush(Limit), "not flushed");
                Receipt delivered = client.GetReceipt("an id");
                Check.Equal(StatusCode.Delivered, delivered.StatusCode, "code");
                Check.Equal(2, delivered.Attempts, "attempts");

                sandbox.Script("400");
                Check.Throws<BadRequestException>(() => client.NotifyAddToCart(Sample.Anna, Sample.Ticket), "final");
            }
        }

        public static void Enqueue_throws_queue_full_when_the_queue_is_full()
        {
            using (Client client = Down("max_items", "1"))
            {
                client.EnqueueAddToCart(Sample.Anna, Sample.Ticket, "first");
                var e = Check.Throws<QueueFullException>(
                    () => client.EnqueueAddToCart(Sample.Anna, Sample.Ticket, "second"), "full");
                Check.Equal(StatusCode.QueueFull, e.StatusCode, "code");
                Check.Equal("ESALES_QUEUE_FULL", e.StatusName, "name");
                Check.Contains("max_items", e.Message, "message");
                Check.Equal(StatusCode.QueueFull, e.Receipt.StatusCode, "code");
                Check.Equal("second", e.Receipt.Id, "id");
                Check.Equal(null, client.GetReceipt("second"), "receipt");
                Stats stats = client.GetStats();
                Check.Equal(1L, stats.ProcessRefused, "refused");
                Counted("accepted 1 = delivered 0 + dead 0 + expired 0 + dropped 0 + pending 1", stats.Process);
            }
        }

        public static void Oldest_is_dropped_when_overflow_is_drop_oldest()
        {
            using (Client client = Down("max_items", "2", Sandbox.Option("overflow", "drop_oldest")))
            {
                foreach (string id in new[] { "first", "second", "third" })
                {
                    client.EnqueueAddToCart(Sample.Anna, Sample.Ticket, id);
                }
                Check.Equal(StatusCode.Dropped, client.GetReceipt("first").StatusCode, "oldest");
                Check.Equal(StatusCode.Queued, client.GetReceipt("third").StatusCode, "newest");
                Counted(
                    "accepted 3 = delivered 0 + dead 0 + expired 0 + dropped 1 + pending 2", client.GetStats().Process);
            }
        }

        public static void Unwritable_spool_throws_a_spool_exception()
        {
            using (var folder = new Folder("esales spool"))
            {
                string spool = folder.File("spool");
                Directory.CreateDirectory(spool);
                string letter = Path.Combine(spool, "letter");
                File.WriteAllText(letter, "this is no spool, and must stay as it is");
                using (Client client = Down("spool", spool))
                {
                    var e = Check.Throws<SpoolFailedException>(
                        () => client.EnqueueAddToCart(Sample.Anna, Sample.Ticket, "an id"), "no spool");
                    Check.Equal(StatusCode.SpoolFailed, e.StatusCode, "code");
                    Check.Equal("ESALES_SPOOL_FAILED", e.StatusName, "name");
                    Check.Equal("an id", e.Receipt.Id, "id");
                    Check.Throws<SpoolFailedException>(() => client.GetStats(), "numbers");
                    Check.Throws<SpoolFailedException>(() => client.GetReceipt("an id"), "receipt");
                    Check.Throws<SpoolFailedException>(() => client.Flush(TimeSpan.FromSeconds(1)), "flush");
                }
                Check.Equal("this is no spool, and must stay as it is", File.ReadAllText(letter), "file");
                Check.Throws<SpoolFailedException>(() => Down("spool", letter), "a file");
                Check.Throws<SpoolFailedException>(() => Down("spool", spool + "/not/there"), "folder");
                Check.Throws<InvalidConfigException>(() => Down("spool", "relative/spool"), "absolute");
            }
        }

        public static void Queue_exceptions_do_not_derive_from_the_retryable_one()
        {
            foreach (Type type in new[] { typeof(QueueFullException), typeof(SpoolFailedException) })
            {
                Check.Equal(typeof(NotifyException), type.BaseType, type.Name);
            }
        }

        public static void Delivered_event_is_raised_for_every_completed_notification()
        {
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client())
            using (var completed = new BlockingCollection<Receipt>())
            {
                bool isRecorded = true;
                client.Completed += (sender, e) =>
                {
                    // The outcome is already recorded, and the handler may use the client.
                    isRecorded &= sender == client
                        && ((Client)sender).GetReceipt(e.Receipt.Id).StatusCode == e.Receipt.StatusCode;
                    completed.Add(e.Receipt);
                };
                sandbox.Script("204, 400");
                foreach (string id in new[] { "first", "second" })
                {
                    client.EnqueueAddToCart(Sample.Anna, Sample.Ticket, id);
                    Receipt receipt = Next(completed);
                    Check.Equal(id, receipt.Id, "id");
                    bool isFirst = id == "first";
                    Check.Equal(isFirst ? StatusCode.Delivered : StatusCode.BadRequest, receipt.StatusCode, id);
                    Check.Equal(isFirst ? 204 : 400, receipt.HttpStatus, id);
                    Check.Equal(1, receipt.Attempts, id);
                    Check.That(receipt.Elapsed > TimeSpan.Zero, "no time passed");
                }
                Check.That(isRecorded, "not recorded, or another sender");
                // Dead letters are failures, and flush does not wait for them.
                Check.That(client.Flush(Limit), "not flushed");
                Check.Equal(1L, client.GetStats().Process.Dead, "dead");
            }
        }

        public static void Exception_of_an_event_handler_does_not_affect_other_handlers()
        {
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client())
            using (var completed = new BlockingCollection<Receipt>())
            using (var log = new Messages(LogLevel.Error))
            {
                client.Completed += (sender, e) => { throw new InvalidOperationException("the token is 4711"); };
                client.Completed += (sender, e) => completed.Add(e.Receipt);
                for (int i = 0; i < 3; i++)
                {
                    client.EnqueueAddToCart(Sample.Anna, Sample.Ticket, "id " + i);
                    Check.Equal("id " + i, Next(completed).Id, "completed");
                }
                Check.That(client.Flush(Limit), "not flushed");
                Check.Equal(
                    "Error: a handler of Client.Completed threw System.InvalidOperationException",
                    string.Join("\n", log.Lines.Distinct()),
                    "log");
            }
        }

        public static void Event_handlers_can_be_added_and_removed()
        {
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client())
            using (var completed = new BlockingCollection<Receipt>())
            {
                int gone = 0;
                EventHandler<CompletedEventArgs> goes = null;
                goes = (sender, e) =>
                {
                    gone++;
                    client.Completed -= goes;
                    client.Completed += (again, f) => completed.Add(f.Receipt);
                };
                client.Completed += null;
                client.Completed -= goes;
                client.Completed += goes;
                client.EnqueueAddToCart(Sample.Anna, Sample.Ticket, "first");
                Await(() => Volatile.Read(ref gone) == 1 && client.Flush(Limit), "not called");
                client.EnqueueAddToCart(Sample.Anna, Sample.Ticket, "second");
                Check.Equal("second", Next(completed).Id, "completed");
                Check.Equal(1, Volatile.Read(ref gone), "calls of the one that was removed");
            }
        }

        public static void Clients_of_one_queue_get_events_until_they_are_disposed()
        {
            using (var sandbox = new Sandbox())
            using (Client second = sandbox.Client())
            using (var completed = new BlockingCollection<Receipt>())
            {
                Client first = sandbox.Client();
                int raised = 0;
                first.Completed += (sender, e) => Interlocked.Increment(ref raised);
                second.Completed += (sender, e) => completed.Add(e.Receipt);
                second.EnqueueAddToCart(Sample.Anna, Sample.Ticket);
                Next(completed);
                Await(() => Volatile.Read(ref raised) == 1, "the first client got no event");

                first.EnqueueAddToCart(Sample.Anna, Sample.Ticket, "left behind");
                first.Dispose();
                int before = Volatile.Read(ref raised);
                Check.Equal("left behind", Next(completed).Id, "completed");
                second.EnqueueAddToCart(Sample.Anna, Sample.Ticket);
                Next(completed);
                Check.Equal(before, Volatile.Read(ref raised), "an event after the client was disposed");
                Check.Throws<ClosedException>(() => first.Completed += (sender, e) => { }, "closed");
                first.Completed -= (sender, e) => { };
                Check.Throws<ClosedException>(() => first.EnqueueAddToCart(Sample.Anna, Sample.Ticket), "closed");
                Check.Throws<ClosedException>(() => first.Flush(TimeSpan.Zero), "closed");
                Check.Throws<ClosedException>(() => first.GetStats(), "closed");
                Check.Throws<ClosedException>(() => first.GetReceipt("left behind"), "closed");
            }
        }

        public static void Dispose_waits_until_a_running_event_handler_has_ended()
        {
            using (var sandbox = new Sandbox())
            using (var entered = new ManualResetEventSlim())
            using (var mayGoOn = new ManualResetEventSlim())
            {
                Client client = sandbox.Client();
                bool hasEnded = false;
                bool hadEnded = false;
                client.Completed += (sender, e) =>
                {
                    entered.Set();
                    mayGoOn.Wait(Limit);
                    Volatile.Write(ref hasEnded, true);
                };
                client.EnqueueAddToCart(Sample.Anna, Sample.Ticket);
                Check.That(entered.Wait(Limit), "not called");
                var disposer = new Thread(() =>
                {
                    client.Dispose();
                    hadEnded = Volatile.Read(ref hasEnded);
                });
                disposer.Start();
                mayGoOn.Set();
                Check.That(disposer.Join(Limit), "dispose does not end");
                Check.That(hadEnded, "dispose returned while the handler was running");
            }
        }

        public static void Event_handler_can_dispose_its_client()
        {
            using (var sandbox = new Sandbox())
            using (var disposed = new ManualResetEventSlim())
            {
                Client client = sandbox.Client();
                client.Completed += (sender, e) =>
                {
                    ((Client)sender).Dispose();
                    disposed.Set();
                };
                client.EnqueueAddToCart(Sample.Anna, Sample.Ticket);
                Check.That(disposed.Wait(Limit), "dispose does not end");
                Check.Throws<ClosedException>(() => client.GetStats(), "closed");
            }
        }

        public static void Many_threads_enqueue_while_memory_is_collected()
        {
            const int Count = 8 * 50;
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client())
            using (var all = new CountdownEvent(Count))
            {
                var ids = new ConcurrentBag<string>();
                client.Completed += (sender, e) =>
                {
                    if (e.Receipt.StatusCode == StatusCode.Delivered)
                    {
                        all.Signal();
                    }
                };
                var threads = Enumerable.Range(0, 8).Select(_ => new Thread(() =>
                {
                    for (int n = 0; n < 50; n++)
                    {
                        ids.Add(client.EnqueueAddToCart(Sample.Anna, Sample.Ticket).Id);
                    }
                })).ToList();
                threads.ForEach(t => t.Start());
                while (threads.Any(t => t.IsAlive))
                {
                    GC.Collect();
                }
                Check.That(client.Flush(Limit), "not flushed");
                Check.That(all.Wait(Limit), all.CurrentCount + " events are missing");
                Check.Equal(Count, ids.Distinct().Count(), "ids");
                Check.That(new HashSet<string>(Ids(sandbox)).SetEquals(ids), "other ids arrived");
                Stats stats = client.GetStats();
                Balanced(stats);
                Check.Equal((long)Count, stats.Process.Delivered, "delivered");
            }
        }

        public static void Two_processes_deliver_one_spool()
        {
            using (var folder = new Folder("esales spool åäö"))
            using (var sandbox = new Sandbox())
            {
                string spool = folder.File("spool");
                var environment = new Dictionary<string, string>
                {
                    ["ESALES_BASE_URL"] = sandbox.BaseUrl,
                    ["ESALES_MARKET"] = "UK",
                    ["ESALES_SPOOL"] = spool,
                    ["ESALES_DELIVERY"] = "none",
                };
                Ended ended = Processes.Run(Processes.BuildFolder, environment, "tests.exe", "child", "enqueue", "5");
                Check.Equal(0, ended.Code, ended.Output + ended.Errors);
                string[] theirs = ended.Output.Split('\n').Select(line => line.Trim()).ToArray();
                Check.Equal(5, theirs.Length, ended.Output + ended.Errors);
                Check.Equal(0, sandbox.ReceivedCount, "received from a process that is not to deliver");

                using (Client client = sandbox.Client(Sandbox.Option("spool", spool)))
                {
                    string ours = client.EnqueueAddToCart(Sample.Anna, Sample.Ticket).Id;
                    Check.That(client.Flush(Limit), "not flushed");
                    Check.That(
                        new HashSet<string>(Ids(sandbox)).SetEquals(theirs.Concat(new[] { ours })), "other ids arrived");
                    Stats stats = client.GetStats();
                    Counted("accepted 6 = delivered 6 + dead 0 + expired 0 + dropped 0 + pending 0", stats.Spool);
                    Counted("accepted 1 = delivered 1 + dead 0 + expired 0 + dropped 0 + pending 0", stats.Process);
                    Check.Equal(StatusCode.Delivered, client.GetReceipt(theirs[0]).StatusCode, "receipt");
                }
            }
        }

        public static void Process_that_stops_its_delivery_sends_nothing_twice()
        {
            const int Count = 1000;
            using (var folder = new Folder("esales spool"))
            using (var sandbox = new Sandbox())
            {
                string spool = folder.File("spool");
                var option = new[] { Sandbox.Option("spool", spool), Sandbox.Option("delivery", "none") };
                using (Client producer = sandbox.Client(option))
                {
                    for (int i = 0; i < Count; i++)
                    {
                        producer.EnqueueAddToCart(Sample.Anna, Sample.Ticket);
                    }
                    // Slow enough that a pause of a busy machine does not deliver all of them.
                    sandbox.Script("normal:wait=20:times=forever");
                    var environment = new Dictionary<string, string>
                        { ["ESALES_BASE_URL"] = sandbox.BaseUrl, ["ESALES_SPOOL"] = spool, ["ESALES_CONCURRENCY"] = "8" };
                    foreach (string task in new[] { "end-delivering", "stop-delivery", "end-delivering", "stop-delivery" })
                    {
                        Ended ended = Processes.Run(Processes.BuildFolder, environment, "tests.exe", "child", task);
                        Check.Equal("0  ", ended.Code + " " + ended.Output + " " + ended.Errors, task);
                        Check.Equal((long)sandbox.ReceivedCount, producer.GetStats().Spool.Delivered, "recorded");
                    }
                    Check.That(sandbox.ReceivedCount > 0 && sandbox.ReceivedCount < Count, "nothing was tested");
                }
                using (Client client = sandbox.Client(Sandbox.Option("spool", spool)))
                {
                    Check.That(client.Flush(Limit), "not flushed");
                }
                Check.Equal(Count, Ids(sandbox).Distinct().Count(), "ids");
                Check.Equal(Count, sandbox.ReceivedCount, "received");
            }
        }

        public static void Stopped_delivery_stays_stopped()
        {
            using (var folder = new Folder("esales spool"))
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client(Sandbox.Option("spool", folder.File("spool"))))
            {
                client.EnqueueAddToCart(Sample.Anna, Sample.Ticket);
                Check.That(client.Flush(Limit), "not flushed");
                Check.That(client.StopDelivery(Limit), "not stopped");
                client.EnqueueAddToCart(Sample.Anna, Sample.Ticket);
                Check.That(!client.Flush(TimeSpan.FromMilliseconds(200)), "flushed");
                Check.Equal(1, sandbox.ReceivedCount, "received");
                Check.Throws<InvalidArgumentException>(() => client.StopDelivery(TimeSpan.FromSeconds(-1)), "timeout");
                client.Dispose();
                Check.Throws<ClosedException>(() => client.StopDelivery(TimeSpan.Zero), "closed");
            }
        }

        public static void Process_exits_cleanly_with_a_busy_queue()
        {
            using (var sandbox = new Sandbox())
            {
                var environment = new Dictionary<string, string>
                    { ["ESALES_BASE_URL"] = sandbox.BaseUrl, ["ESALES_MARKET"] = "UK" };
                for (int i = 0; i < 3; i++)
                {
                    Ended ended = Processes.Run(Processes.BuildFolder, environment, "tests.exe", "child", "leave-busy");
                    Check.Equal("0 busy ", ended.Code + " " + ended.Output + " " + ended.Errors, "end");
                }
            }
        }

        public static void Log_reports_deliveries_without_secrets()
        {
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client(Sandbox.Option("gate_min_ms", "10")))
            using (var log = new Messages(LogLevel.Debug))
            {
                string key = Identity.CustomerKey("customer-4711");
                string token = Identity.CustomerToken("a private key", key);
                Visitor visitor = Visitor.SignedIn(key, Sample.SessionKey, token, "UK");
                // Services may quote wrong values.
                string quoted = "\"no " + token + " for " + key + ", " + Sample.Ticket + "\"";
                sandbox.Script("503:body=" + quoted + ", 400:body=" + quoted + ", 403:body=" + quoted);
                client.EnqueueAddToCart(visitor, Sample.Ticket, "an id");
                Check.That(client.Flush(Limit), "not flushed");
                Check.Fails(() => client.NotifyAddToCart(visitor, Sample.Ticket, "the last"), "403");
                Await(() => log.Lines.Any(line => line.Contains("the last")), "no message of the last");
                Check.Contains("an id", log.ToString(), "messages");
                Check.Contains("Warn: ", log.ToString(), "messages");
                Check.Contains("Debug: ", log.ToString(), "messages");
                foreach (string secret in new[] { token, key, Sample.Ticket, "a private key" })
                {
                    Check.That(log.ToString().IndexOf(secret, StringComparison.Ordinal) < 0, secret + " in " + log);
                }
            }
        }

        public static void Log_is_off_until_it_has_a_handler_and_a_level()
        {
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client())
            {
                Check.Equal(LogLevel.Info, NotifyLog.Level, "level");
                Check.Throws<InvalidArgumentException>(() => NotifyLog.Level = (LogLevel)5, "level");
                Check.Throws<InvalidArgumentException>(() => NotifyLog.Level = (LogLevel)(-1), "level");
                Messages log;
                using (log = new Messages(LogLevel.Warn))
                {
                    DeadLetter(client, sandbox, "warned of");
                    Await(() => log.Lines.Count > 0, "no message");
                    Check.Equal(1, log.Lines.Count, log.ToString());
                    Check.Contains("Warn: warned of ", log.ToString(), "dead letter");
                    NotifyLog.Level = LogLevel.Off;
                    DeadLetter(client, sandbox, "unheard");
                    NotifyLog.Level = LogLevel.Debug;
                    DeadLetter(client, sandbox, "attempted");
                    Await(() => log.Lines.Any(line => line.StartsWith("Debug: attempted ")), log.ToString());
                    Check.That(!log.ToString().Contains("unheard"), log.ToString());
                }
                DeadLetter(client, sandbox, "too late");
                // The second handler was called, and the first was not.
                using (var second = new Messages(LogLevel.Warn))
                {
                    DeadLetter(client, sandbox, "later");
                    Await(() => second.Lines.Any(line => line.Contains("later")), "no message");
                    Check.That(!second.ToString().Contains("too late"), second.ToString());
                }
                Check.That(!log.ToString().Contains("late"), log.ToString());
            }
        }

        public static void Log_handler_can_throw_and_can_switch_the_log_off()
        {
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client())
            {
                int calls = 0;
                EventHandler<LogMessageEventArgs> thrower = (sender, e) => { throw new InvalidOperationException(); };
                EventHandler<LogMessageEventArgs> once = null;
                once = (sender, e) =>
                {
                    calls++;
                    NotifyLog.Message -= once;
                    NotifyLog.Message -= thrower;
                };
                NotifyLog.Message += thrower;
                NotifyLog.Message += once;
                DeadLetter(client, sandbox, "first");
                Await(() => Volatile.Read(ref calls) == 1, "not called");
                DeadLetter(client, sandbox, "second");
                Check.Equal(1, Volatile.Read(ref calls), "calls");
            }
        }

        /// <summary>Enqueues one more; afterwards the library has logged everything about it.</summary>
        private static void DeadLetter(Client client, Sandbox sandbox, string id)
        {
            using (var completed = new ManualResetEventSlim())
            {
                EventHandler<CompletedEventArgs> handler = (sender, e) =>
                {
                    if (e.Receipt.Id == id)
                    {
                        completed.Set();
                    }
                };
                client.Completed += handler;
                sandbox.Script("400");
                client.EnqueueAddToCart(Sample.Anna, Sample.Ticket, id);
                Check.That(completed.Wait(Limit), "not completed");
                client.Completed -= handler;
            }
        }

        /// <summary>
        /// A client of a service that cannot be reached.
        /// </summary>
        private static Client Down(string option, string value, params KeyValuePair<string, string>[] more)
        {
            return new Client(new ClientOptions(more)
                { ["base_url"] = Nowhere, ["gate_max_ms"] = 60000, ["enqueue_timeout_ms"] = 60000, [option] = value });
        }

        private static List<string> Ids(Sandbox sandbox)
        {
            return sandbox.Received
                .Select(r => (string)((Dictionary<string, object>)r["notification"])["id"])
                .ToList();
        }

        private static Receipt Next(BlockingCollection<Receipt> completed)
        {
            Receipt receipt;
            Check.That(completed.TryTake(out receipt, Limit), "the event did not come");
            return receipt;
        }

        private static void Await(Func<bool> condition, string message)
        {
            var watch = Stopwatch.StartNew();
            while (!condition())
            {
                Check.That(watch.Elapsed < Limit, message);
            }
        }

        private static void Balanced(Stats stats)
        {
            Check.That(stats.Spool.IsBalanced, stats.Spool.ToString());
            Check.That(stats.Process.IsBalanced, stats.Process.ToString());
        }

        private static void Counted(string expected, Counts counts)
        {
            Check.Equal(expected, counts.ToString(), "numbers");
            Check.That(counts.IsBalanced, counts.ToString());
        }

        private static void Denied(StatusCode code, string detail, Receipt receipt)
        {
            Check.Equal(code, receipt.StatusCode, "code");
            Check.That(receipt.StatusName.StartsWith("ESALES_"), receipt.StatusName);
            Check.That(receipt.Detail.Contains(detail), receipt.Detail);
        }

        private static void Refused(string message, Action action)
        {
            Check.Contains(message, Check.Throws<InvalidArgumentException>(action, message).Message, "message");
        }

        /// <summary>Listens to the log until it is disposed.</summary>
        private sealed class Messages : IDisposable
        {
            internal readonly ConcurrentQueue<string> Lines = new ConcurrentQueue<string>();

            internal Messages(LogLevel level)
            {
                NotifyLog.Level = level;
                NotifyLog.Message += Listen;
            }

            public void Dispose()
            {
                NotifyLog.Message -= Listen;
                NotifyLog.Level = LogLevel.Info;
            }

            public override string ToString()
            {
                return string.Join("\n", Lines);
            }

            private void Listen(object sender, LogMessageEventArgs e)
            {
                Lines.Enqueue(e.ToString());
            }
        }
    }
}
