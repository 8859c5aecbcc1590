// Generated from the Rust source by `make generate`: do not edit.

using System;

namespace Esales.Notify
{
    /// <summary>
    /// The queue in numbers, of one spool, and of this process's part in it. Immutable; may be used from any thread.
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

        /// <summary>The whole spool: what all processes accepted since it was made, and what became of it.</summary>
        public Counts Spool { get; }

        /// <summary>What this process accepted through clients with these options (they share a queue), and what became of it.</summary>
        public Counts Process { get; }

        /// <summary>Deliveries in a row that failed; 0: deliveries are not backing off.</summary>
        public int GateFailures { get; }

        /// <summary>How long until the next delivery is tried; zero: deliveries are not backing off, or it is due.</summary>
        public TimeSpan GateClosedFor { get; }

        /// <summary>Bytes of the pending notifications, which are JSON.</summary>
        public long PendingBytes { get; }

        /// <summary>How long the oldest pending notification has been waiting; zero: none is pending.</summary>
        public TimeSpan OldestAge { get; }

        /// <summary>Calls of the same clients that ended with <c>ESALES_QUEUE_FULL</c> or <c>ESALES_SPOOL_FAILED</c>; not among the accepted.</summary>
        public long ProcessRefused { get; }

        /// <summary>From acceptance to the service's answer, of the last 1000 delivered.</summary>
        public Percentiles DeliveryAge { get; }

        /// <summary>Duration of the attempt that delivered, of the last 1000 delivered.</summary>
        public Percentiles AttemptLatency { get; }

        /// <summary>Notifications that were accepted, and that the engine of the spool has lost since, at least: after it was restarted without its data, or after a replica without the last of them became the primary. Not among the accepted. 0 for a spool in a directory or in memory.</summary>
        public long Lost { get; }
    }

    /// <summary>How many notifications the queue accepted, and what became of them. Immutable.</summary>
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

        /// <summary>Notifications that the queue accepted, from all processes, since the spool was made.</summary>
        public long Accepted { get; }

        /// <summary>Of these: answered 2xx.</summary>
        public long Delivered { get; }

        /// <summary>Of these: refused for good by the service (400, 403, ...), or payments that may have arrived. The spool keeps them as dead letters.</summary>
        public long Dead { get; }

        /// <summary>Of these: not delivered within <c>max_age_s</c>.</summary>
        public long Expired { get; }

        /// <summary>Of these: dropped, to make room (overflow, <c>max_dead</c>), by an operator, or because a file was deleted or damaged.</summary>
        public long Dropped { get; }

        /// <summary>Of these: still to be delivered.</summary>
        public long Pending { get; }

        /// <summary>Whether every accepted notification is accounted for. False is a defect of the library.</summary>
        public bool IsBalanced
        {
            get { return Accepted == Delivered + Dead + Expired + Dropped + Pending; }
        }
    }

    /// <summary>The middle and the tail of some durations; zeros if there were none. Immutable.</summary>
    public sealed class Percentiles
    {
        internal Percentiles(TimeSpan p50, TimeSpan p95, TimeSpan p99)
        {
            P50 = p50;
            P95 = p95;
            P99 = p99;
        }

        /// <summary>Half of them took no longer.</summary>
        public TimeSpan P50 { get; }

        /// <summary>95 in 100 took no longer.</summary>
        public TimeSpan P95 { get; }

        /// <summary>99 in 100 took no longer.</summary>
        public TimeSpan P99 { get; }
    }
}
