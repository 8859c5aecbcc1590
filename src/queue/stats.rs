//! The counters of a queue. They obey the counter invariant.

use std::time::Duration;

pub use crate::spool::Counts;

/// Percentiles of durations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Percentiles {
    /// Half of the durations are not longer.
    pub p50: Duration,
    /// 95 of 100 durations are not longer.
    pub p95: Duration,
    /// 99 of 100 durations are not longer.
    pub p99: Duration,
}

impl Percentiles {
    /// Percentiles by nearest rank; zero if there are no values.
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

/// The counters of a queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Notifications of all processes since the spool was made.
    pub spool: Counts,
    /// Notifications that this process accepted through clients that share this client's queue,
    /// whichever process delivered them.
    pub process: Counts,
    /// Calls by the same clients that failed because the queue was full or the spool failed. The other counters do not
    /// include them.
    pub process_refused: u64,
    /// Accepted notifications that the spool's engine has lost, because it restarted without its data or because a
    /// replica without the newest notifications became the primary. The true number may be greater. `spool` does not
    /// include them. Always 0 for a spool in a directory or in memory.
    pub lost: u64,
    /// Bytes of the pending notifications.
    pub pending_bytes: u64,
    /// How long the oldest pending notification has been waiting; zero if none is pending.
    pub oldest_age: Duration,
    /// Time until the next delivery is tried. `None`: deliveries are not backing off.
    pub gate_closed_for: Option<Duration>,
    /// Number of consecutive failed deliveries; 0 if deliveries are not backing off.
    pub gate_failures: u32,
    /// Time from acceptance to the service's answer, for the last 1,000 deliveries whose receipts still exist.
    pub delivery_age: Percentiles,
    /// Duration of the successful attempt, for the same deliveries.
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
    fn percentiles_use_the_nearest_rank() {
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
