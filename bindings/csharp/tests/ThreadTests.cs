using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading;

namespace Esales.Notify.Tests
{
    /// <summary>Many threads, the garbage collector, and dispose during calls.</summary>
    internal static class ThreadTests
    {
        /// <summary>A timeout, so that threads that run for ever fail the test and do not hang the suite.</summary>
        private static readonly TimeSpan Limit = TimeSpan.FromSeconds(100);

        public static void Many_threads_share_a_client_while_the_collector_runs()
        {
            const int Threads = 8;
            const int Sends = 25;
            using (var sandbox = new Sandbox())
            using (Client client = sandbox.Client(Sandbox.Option("timeout_ms", "60000")))
            {
                bool done = false;
                var collector = new Thread(() =>
                {
                    while (!Volatile.Read(ref done))
                    {
                        GC.Collect();
                    }
                });
                collector.Start();
                var receipts = new ConcurrentBag<Receipt>();
                List<Exception> errors;
                try
                {
                    errors = Together(Threads, i =>
                    {
                        for (int n = 0; n < Sends; n++)
                        {
                            receipts.Add(client.NotifyAddToCart(Sample.Anna, Sample.Ticket, "å " + i + " " + n));
                        }
                    });
                }
                finally
                {
                    Volatile.Write(ref done, true);
                    collector.Join();
                }
                Check.Equal("", string.Join("\n", errors), "errors");
                Check.Equal(Threads * Sends, receipts.Select(r => r.Id).Distinct().Count(), "receipts");
                var ids = sandbox.Received.Select(r => (string)((Dictionary<string, object>)r["notification"])["id"]);
                Check.That(new HashSet<string>(ids).SetEquals(receipts.Select(r => r.Id)), "other ids arrived");
                Check.That(sandbox.Connections <= Threads, "connections: " + sandbox.Connections);
            }
        }

        public static void Each_thread_gets_the_message_of_its_own_failure()
        {
            var errors = Together(8, i =>
            {
                for (int n = 0; n < 200; n++)
                {
                    string option = "unknown_" + i + "_" + n;
                    // Made outside: mcs compiles an indexed initialiser within a lambda to invalid code.
                    var options = new ClientOptions { [option] = "x" };
                    var e = Check.Throws<InvalidConfigException>(() => new Client(options), option);
                    Check.Contains(option, e.Message, "message");
                }
            });
            Check.Equal("", string.Join("\n", errors), "errors");
        }

        public static void Dispose_during_a_call_frees_the_client_after_the_call()
        {
            using (var frees = new FreeCounter())
            using (var sandbox = new Sandbox("--answers", "hang"))
            {
                Client client = sandbox.Client(
                    Sandbox.Option("max_attempts", "1"), Sandbox.Option("timeout_ms", "120000"));
                frees.CountOnly(client);
                Exception outcome = null;
                var caller = new Thread(() => outcome = Outcome(client)) { IsBackground = true };
                caller.Start();
                sandbox.Await(1);

                client.Dispose();
                Check.That(caller.IsAlive, "the call was over: " + outcome);
                Check.Equal(0, frees.Count, "freed while in use");
                Check.Throws<ClosedException>(() => client.NotifyAddToCart(Sample.Anna, Sample.Ticket), "a later call");
                client.Dispose();

                sandbox.Dispose();
                Check.That(caller.Join(Limit), "the call did not end");
                Check.That(outcome is ConnectionLostException, "outcome: " + outcome);
                Check.Equal(1, frees.Count, "freed");
            }
        }

        public static void Concurrent_callers_get_receipts_or_closed_errors_during_dispose()
        {
            using (var frees = new FreeCounter())
            using (var sandbox = new Sandbox())
            {
                Client client = sandbox.Client(Sandbox.Option("timeout_ms", "60000"));
                frees.CountOnly(client);
                int delivered = 0;
                int closed = 0;
                var disposer = new Thread(() =>
                {
                    try
                    {
                        sandbox.Await(20);
                    }
                    finally
                    {
                        client.Dispose();
                    }
                });
                disposer.Start();
                var errors = Together(6, i =>
                {
                    for (;;)
                    {
                        Exception outcome = Outcome(client);
                        if (outcome is ClosedException)
                        {
                            Interlocked.Increment(ref closed);
                            return;
                        }
                        Check.That(outcome == null, "outcome: " + outcome);
                        Interlocked.Increment(ref delivered);
                    }
                });
                disposer.Join();
                Check.Equal("", string.Join("\n", errors), "errors");
                Check.Equal(6, closed, "closed");
                Check.Equal(sandbox.ReceivedCount, delivered, "delivered");
                Check.Equal(1, frees.Count, "freed");
            }
        }

        public static void Unreferenced_client_is_freed_by_the_collector()
        {
            using (var frees = new FreeCounter())
            {
                // Many, because Mono's collector takes any number on a stack for a reference.
                var forgetter = new Thread(() => Forget(100));
                forgetter.Start();
                forgetter.Join();
                // A handler's thread notices soon that its client is collected.
                var watch = Stopwatch.StartNew();
                while (frees.Count <= 50 && watch.Elapsed < TimeSpan.FromSeconds(60))
                {
                    GC.Collect();
                    GC.WaitForPendingFinalizers();
                    Thread.Yield();
                }
                Check.That(frees.Count > 50, "freed: " + frees.Count);
            }
        }

        public static void Process_exits_cleanly_with_an_open_client()
        {
            using (var sandbox = new Sandbox())
            {
                var environment = new Dictionary<string, string> { ["ESALES_BASE_URL"] = sandbox.BaseUrl, ["ESALES_MARKET"] = "UK" };
                Ended ended = Processes.Run(Processes.BuildFolder, environment, "tests.exe", "child", "leave-open");
                Check.Equal("0 ESALES_DELIVERED ", ended.Code + " " + ended.Output + " " + ended.Errors, "end");
            }
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        private static void Forget(int count)
        {
            for (int i = 0; i < count; i++)
            {
                var client = new Client(new ClientOptions { ["cluster_id"] = "shop" });
                // The handler refers only to the client, so both are collected together.
                client.Completed += (sender, e) => client.Dispose();
            }
        }

        private static Exception Outcome(Client client)
        {
            try
            {
                client.NotifyAddToCart(Sample.Anna, Sample.Ticket);
                return null;
            }
            catch (Exception e)
            {
                return e;
            }
        }

        /// <summary>Runs the action on this many threads, which start together; returns their exceptions.</summary>
        private static List<Exception> Together(int count, Action<int> action)
        {
            var errors = new ConcurrentQueue<Exception>();
            using (var barrier = new Barrier(count))
            {
                var threads = Enumerable.Range(0, count).Select(i => new Thread(() =>
                {
                    barrier.SignalAndWait();
                    try
                    {
                        action(i);
                    }
                    catch (Exception e)
                    {
                        errors.Enqueue(e);
                    }
                })
                { IsBackground = true }).ToList();
                threads.ForEach(t => t.Start());
                var watch = Stopwatch.StartNew();
                foreach (Thread thread in threads)
                {
                    TimeSpan left = Limit - watch.Elapsed;
                    Check.That(thread.Join(left > TimeSpan.Zero ? left : TimeSpan.Zero), "a thread does not end");
                }
            }
            return errors.ToList();
        }

        /// <summary>Replaces esales_client_free and counts its calls.</summary>
        private sealed class FreeCounter : IDisposable
        {
            private const BindingFlags Hidden = BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance;

            private readonly object native;
            private readonly FieldInfo field;
            private readonly Delegate original;
            private int count;
            private object only;

            internal FreeCounter()
            {
                native = typeof(NotifyLibrary).GetProperty("Native", Hidden).GetValue(null);
                field = native.GetType().GetField("ClientFree", Hidden);
                original = (Delegate)field.GetValue(native);
                MethodInfo free = typeof(FreeCounter).GetMethod("Free", Hidden);
                field.SetValue(native, Delegate.CreateDelegate(field.FieldType, this, free));
            }

            internal int Count
            {
                get { return Volatile.Read(ref count); }
            }

            /// <summary>Without objects of earlier tests, which the collector frees at any time.</summary>
            internal void CountOnly(Client client)
            {
                var handle = (SafeHandle)typeof(Client).GetField("handle", Hidden).GetValue(client);
                only = handle.DangerousGetHandle();
                Volatile.Write(ref count, 0);
            }

            public void Dispose()
            {
                field.SetValue(native, original);
            }

            private void Free(IntPtr handle)
            {
                if (only == null || only.Equals(handle))
                {
                    Interlocked.Increment(ref count);
                }
                original.DynamicInvoke(handle);
            }
        }
    }
}
