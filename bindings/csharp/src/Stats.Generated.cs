// Generated from the Rust source by `make generate`: do not edit.

using System;

namespace Esales.Notify
{
    /// <summary>
    /// The counters of a queue. Immutable; any thread may use it.
    /// </summary>
    public sealed partial class Stats
    {
        internal unsafe Stats(NativeStats* stats)
        {
            unchecked
            {
                Spool = new Counts(
                    stats->Accepted,
                    stats->Delivered,
                    stats->Dead,
                    stats->Expired,
                    stats->Dropped,
                    stats->Pending);
                Process = new Counts(
                    stats->ProcessAccepted,
                    stats->ProcessDelivered,
                    stats->ProcessDead,
                    stats->ProcessExpired,
                    stats->ProcessDropped,
                    stats->ProcessPending);
                GateFailures = (int)stats->GateFailures;
                GateClosedFor = Milliseconds(stats->GateClosedMilliseconds);
                PendingBytes = (long)stats->PendingBytes;
                OldestAge = Milliseconds(stats->OldestAgeMilliseconds);
                ProcessRefused = (long)stats->ProcessRefused;
                DeliveryAge = new Percentiles(
                    Milliseconds(stats->AgeP50Milliseconds),
                    Milliseconds(stats->AgeP95Milliseconds),
                    Milliseconds(stats->AgeP99Milliseconds));
                AttemptLatency = new Percentiles(
                    Receipt.Microseconds(stats->LatencyP50Microseconds),
                    Receipt.Microseconds(stats->LatencyP95Microseconds),
                    Receipt.Microseconds(stats->LatencyP99Microseconds));
                Lost = (long)stats->Lost;
            }
        }

        /// <summary>Notifications of all processes since the spool was made.</summary>
        public Counts Spool { get; }

        /// <summary>Notifications that this process accepted through clients that share this client's queue.</summary>
        public Counts Process { get; }

        /// <summary>Number of consecutive failed deliveries. 0: deliveries are not backing off.</summary>
        public int GateFailures { get; }

        /// <summary>Time until the next delivery is tried. Zero: deliveries are not backing off, or the next one is due.</summary>
        public TimeSpan GateClosedFor { get; }

        /// <summary>Bytes of the pending notifications (their JSON).</summary>
        public long PendingBytes { get; }

        /// <summary>How long the oldest pending notification has been waiting. Zero: none is pending.</summary>
        public TimeSpan OldestAge { get; }

        /// <summary>Calls by the same clients that returned <c>ESALES_QUEUE_FULL</c> or <c>ESALES_SPOOL_FAILED</c>. <c>process_accepted</c> does not include them.</summary>
        public long ProcessRefused { get; }

        /// <summary>Time from acceptance to the service's answer, of the last 1000 delivered notifications.</summary>
        public Percentiles DeliveryAge { get; }

        /// <summary>Duration of the successful attempt, of the last 1000 delivered notifications.</summary>
        public Percentiles AttemptLatency { get; }

        /// <summary>Accepted notifications that the spool's engine has lost, because it restarted without its data or because a replica without the newest notifications became the primary. The true number may be greater. accepted does not include them. 0 for a spool in a directory or in memory.</summary>
        public long Lost { get; }
    }

    /// <summary>Numbers of notifications, by their outcome. Immutable.</summary>
    public sealed partial class Counts
    {
        internal Counts(ulong accepted, ulong delivered, ulong dead, ulong expired, ulong dropped, ulong pending)
        {
            Accepted = (long)accepted;
            Delivered = (long)delivered;
            Dead = (long)dead;
            Expired = (long)expired;
            Dropped = (long)dropped;
            Pending = (long)pending;
        }

        /// <summary>Notifications that the queue has accepted from all processes since the spool was made.</summary>
        public long Accepted { get; }

        /// <summary>Accepted notifications that the service received (2xx).</summary>
        public long Delivered { get; }

        /// <summary>Accepted notifications that became dead letters: the service refused them for good (400, 403, ...), or they are payments that may have arrived. The spool keeps dead letters for an operator.</summary>
        public long Dead { get; }

        /// <summary>Accepted notifications that were not delivered within <c>max_age_s</c>.</summary>
        public long Expired { get; }

        /// <summary>Accepted notifications that were dropped: to make room (overflow, <c>max_dead</c>), by an operator, or because a spool file was deleted or damaged.</summary>
        public long Dropped { get; }

        /// <summary>Accepted notifications that are still to be delivered.</summary>
        public long Pending { get; }

        /// <summary>Whether the counters add up. False is a defect of the library.</summary>
        public bool IsBalanced
        {
            get { return Accepted == Delivered + Dead + Expired + Dropped + Pending; }
        }
    }

    /// <summary>Percentiles of durations; zero if there were none. Immutable.</summary>
    public sealed class Percentiles
    {
        internal Percentiles(TimeSpan p50, TimeSpan p95, TimeSpan p99)
        {
            P50 = p50;
            P95 = p95;
            P99 = p99;
        }

        /// <summary>Half of the durations are not longer.</summary>
        public TimeSpan P50 { get; }

        /// <summary>95 of 100 durations are not longer.</summary>
        public TimeSpan P95 { get; }

        /// <summary>99 of 100 durations are not longer.</summary>
        public TimeSpan P99 { get; }
    }
}
