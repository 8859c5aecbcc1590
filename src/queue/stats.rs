//! What a queue has done, in numbers that obey a law.

use std::time::Duration;

pub use crate::spool::Counts;

/// The middle and the tail of the last deliveries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Percentiles {
    /// Half of them took no longer.
    pub p50: Duration,
    /// 95 in 100 took no longer.
    pub p95: Duration,
    /// 99 in 100 took no longer.
    pub p99: Duration,
}

impl Percentiles {
    /// By nearest rank; zeros if there were none.
    pub(crate) fn from_durations(mut values: Vec<Duration>) -> Percentiles {
        values.sort_unstable();
        let rank = |percent: usize| {
            let index = (values.len() * percent).div_ceil(100).saturating_sub(1);
            values.get(index).copied().unwrap_or_default()
        };
        Percentiles {
            p50: rank(50),
            p95: rank(95),
            p99: rank(99),
        }
    }
}

/// The state of a queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The whole spool: what all processes accepted, and what became of it, since the spool was made.
    pub spool: Counts,
    /// What this process accepted, by clients whose options are those of this one (they share a queue), and what became
    /// of that, whoever delivered it.
    pub process: Counts,
    /// Calls, by the same clients, that the queue refused, full or failing. They are not among the accepted.
    pub process_refused: u64,
    /// Bytes of the notifications that are pending.
    pub pending_bytes: u64,
    /// How long the oldest pending notification has been waiting; zero if none is.
    pub oldest_age: Duration,
    /// Until the next probe, while the gate of this client's endpoint is closed; `None`: it is open.
    pub gate_closed_for: Option<Duration>,
    /// Deliveries in a row that failed; 0 while the gate is open.
    pub gate_failures: u32,
    /// From acceptance to the service's answer, of the last 1,000 delivered whose receipts are still kept.
    pub delivery_age: Percentiles,
    /// Of the attempt that delivered, of the same 1,000.
    pub attempt_latency: Percentiles,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_not_balanced_when_they_overflow() {
        let mut counts = Counts {
            accepted: 2,
            delivered: u64::MAX,
            pending: 3,
            ..Counts::default()
        };
        assert!(!counts.is_balanced());
        counts.delivered = 0;
        counts.dropped = 2;
        counts.pending = 0;
        assert!(counts.is_balanced());
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let ms = Duration::from_millis;
        let p = Percentiles::from_durations((1..=200).rev().map(ms).collect());
        assert_eq!((p.p50, p.p95, p.p99), (ms(100), ms(190), ms(198)));
        let p = Percentiles::from_durations(vec![ms(7)]);
        assert_eq!((p.p50, p.p99), (ms(7), ms(7)));
        assert_eq!(
            Percentiles::from_durations(Vec::new()),
            Percentiles::default()
        );
    }

    #[test]
    fn counters_are_not_balanced_when_their_sum_is_wrong() {
        let mut counts = Counts {
            accepted: 5,
            delivered: 1,
            dead: 1,
            expired: 1,
            dropped: 1,
            pending: 1,
        };
        assert!(counts.is_balanced());
        counts.pending = 0;
        assert!(!counts.is_balanced());
    }
}
