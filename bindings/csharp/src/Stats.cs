using System;

namespace Esales.Notify
{
    /// <summary>
    /// The state of a queue: of one spool, and of this process's part in it. Immutable; may be used from any thread.
    /// </summary>
    public sealed class Stats
    {
        internal unsafe Stats(NativeStats* stats)
        {
            Spool = new Counts(
                stats->Accepted, stats->Delivered, stats->Dead, stats->Expired, stats->Dropped, stats->Pending);
            Process = new Counts(
                stats->ProcessAccepted,
                stats->ProcessDelivered,
                stats->ProcessDead,
                stats->ProcessExpired,
                stats->ProcessDropped,
                stats->ProcessPending);
            ProcessRefused = (long)stats->ProcessRefused;
            PendingBytes = (long)stats->PendingBytes;
            OldestAge = Milliseconds(stats->OldestAgeMilliseconds);
            GateFailures = (int)stats->GateFailures;
            GateClosedFor = Milliseconds(stats->GateClosedMilliseconds);
            DeliveryAge = new Percentiles(
                Milliseconds(stats->AgeP50Milliseconds),
                Milliseconds(stats->AgeP95Milliseconds),
                Milliseconds(stats->AgeP99Milliseconds));
            AttemptLatency = new Percentiles(
                Receipt.Microseconds(stats->LatencyP50Microseconds),
                Receipt.Microseconds(stats->LatencyP95Microseconds),
                Receipt.Microseconds(stats->LatencyP99Microseconds));
        }

        /// <summary>
        /// The whole spool: what all processes accepted, and what became of it, since the spool was made.
        /// </summary>
        public Counts Spool { get; }

        /// <summary>
        /// What this process accepted by clients of these options (they share a queue), and what became of that,
        /// whoever delivered it.
        /// </summary>
        public Counts Process { get; }

        /// <summary>
        /// Calls of the same clients that ended with <see cref="QueueFullException"/> or
        /// <see cref="SpoolFailedException"/>. They are not among the accepted.
        /// </summary>
        public long ProcessRefused { get; }

        /// <summary>Bytes of the notifications that are pending in the spool.</summary>
        public long PendingBytes { get; }

        /// <summary>How long the oldest pending notification has been waiting; zero if none is.</summary>
        public TimeSpan OldestAge { get; }

        /// <summary>Deliveries in a row that failed; 0 while the gate is open.</summary>
        public int GateFailures { get; }

        /// <summary>Until the next delivery is tried; zero if the gate is open, or it is due.</summary>
        public TimeSpan GateClosedFor { get; }

        /// <summary>From acceptance to the service's answer, of the last 1000 delivered.</summary>
        public Percentiles DeliveryAge { get; }

        /// <summary>Duration of the attempt that delivered, of the last 1000 delivered.</summary>
        public Percentiles AttemptLatency { get; }

        private static TimeSpan Milliseconds(ulong milliseconds)
        {
            return TimeSpan.FromTicks((long)milliseconds * TimeSpan.TicksPerMillisecond);
        }
    }

    /// <summary>
    /// Counted notifications. The law, at every moment: <c>Accepted = Delivered + Dead + Expired + Dropped +
    /// Pending</c>. Immutable; may be used from any thread.
    /// </summary>
    public sealed class Counts
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

        /// <summary>Taken into the queue.</summary>
        public long Accepted { get; }

        /// <summary>Of these: answered 2xx.</summary>
        public long Delivered { get; }

        /// <summary>Refused for good by the service, kept as dead letters.</summary>
        public long Dead { get; }

        /// <summary>Not delivered within <c>max_age_s</c>.</summary>
        public long Expired { get; }

        /// <summary>Dropped to make room, or by an operator.</summary>
        public long Dropped { get; }

        /// <summary>Still to be delivered.</summary>
        public long Pending { get; }

        /// <summary>Whether the law holds.</summary>
        public bool IsBalanced
        {
            get { return Accepted == Delivered + Dead + Expired + Dropped + Pending; }
        }

        /// <summary>The numbers, for a log.</summary>
        /// <returns>One line.</returns>
        public override string ToString()
        {
            return "accepted " + Accepted + " = delivered " + Delivered + " + dead " + Dead + " + expired " + Expired
                + " + dropped " + Dropped + " + pending " + Pending;
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
