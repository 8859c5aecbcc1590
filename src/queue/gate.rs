//! The gate: one per endpoint, not one timer per notification. Pure: the clock and the dice are the caller's.
//!
//! A delivery that fails for now closes the gate for a while; then a single probe goes out. Whatever final answer
//! the probe gets opens the gate for everybody, and a failure closes it for longer. The gate is kept in the spool,
//! so that every process and every restart respects it.

use std::time::Duration;

/// `Retry-After` is honoured up to this long: an absurd value must not hold events until they expire.
pub(crate) const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// A notification that failed this often steps back behind the others for a while, so that one which the service
/// cannot digest does not stand in everybody's way.
pub(crate) const REPEAT_OFFENDER: u32 = 3;

/// How long the gate closes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    pub(crate) min: Duration,
    pub(crate) max: Duration,
}

impl Backoff {
    /// The longest pause after this many failures in a row.
    fn cap(self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        self.min.saturating_mul(1 << doublings).min(self.max)
    }
}

/// Times are milliseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Gate {
    /// Probes that failed in a row; 0: open.
    pub(crate) failures: u32,
    /// When the next probe may go out.
    pub(crate) closed_until: u64,
}

impl Gate {
    pub(crate) fn is_open(self) -> bool {
        self.failures == 0
    }

    /// How long until the next probe may go out. A clock that was set back does not hold it for ever.
    pub(crate) fn wait(self, now: u64) -> Duration {
        if self.is_open() {
            return Duration::ZERO;
        }
        Duration::from_millis(self.closed_until.saturating_sub(now)).min(MAX_RETRY_AFTER)
    }

    /// How many deliveries may start now.
    pub(crate) fn room(self, now: u64, in_flight: usize, concurrency: usize) -> usize {
        if self.is_open() {
            concurrency.saturating_sub(in_flight)
        } else {
            usize::from(in_flight == 0 && self.wait(now).is_zero())
        }
    }

    /// The gate after a failure of a delivery. `counts` is false for what says nothing new about the service: a
    /// delivery that was under way when the gate closed, and one more failure of a repeat offender.
    pub(crate) fn closed(
        self,
        counts: bool,
        retry_after: Option<Duration>,
        now: u64,
        backoff: Backoff,
        dice: f64,
    ) -> Gate {
        let failures = match (counts, self.failures) {
            (true, n) => n.saturating_add(1),
            (false, n) => n.max(1),
        };
        let asked = retry_after.unwrap_or_default().min(MAX_RETRY_AFTER);
        let pause = backoff.cap(failures).mul_f64(dice).max(asked);
        Gate {
            failures,
            closed_until: self.closed_until.max(now.saturating_add(millis(pause))),
        }
    }
}

/// When a notification that failed `attempts` times may be tried again; 0: as soon as the gate allows.
pub(crate) fn not_before(attempts: u32, now: u64, backoff: Backoff) -> u64 {
    match attempts.checked_sub(REPEAT_OFFENDER) {
        None => 0,
        Some(more) => now.saturating_add(millis(backoff.cap(more + 1))),
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff {
        min: Duration::from_millis(1000),
        max: Duration::from_millis(300_000),
    };

    #[test]
    fn an_open_gate_has_room_up_to_the_concurrency() {
        let open = Gate::default();
        assert_eq!(open.room(0, 0, 4), 4);
        assert_eq!(open.room(0, 3, 4), 1);
        assert_eq!(open.room(0, 5, 4), 0);
    }

    #[test]
    fn failures_double_the_pause_up_to_the_longest() {
        let mut gate = Gate::default();
        let mut now = 0;
        let mut pauses = Vec::new();
        for _ in 0..11 {
            gate = gate.closed(true, None, now, BACKOFF, 1.0);
            pauses.push(gate.closed_until - now);
            now = gate.closed_until;
        }
        assert_eq!(
            pauses,
            [
                1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000
            ]
        );
    }

    #[test]
    fn one_probe_when_the_time_has_come() {
        let gate = Gate::default().closed(true, None, 5000, BACKOFF, 0.5);
        assert_eq!(gate.closed_until, 5500);
        assert_eq!(gate.room(5499, 0, 4), 0);
        assert_eq!(gate.room(5500, 0, 4), 1);
        assert_eq!(gate.room(5500, 1, 4), 0);
    }

    #[test]
    fn retry_after_is_a_floor_and_is_clamped() {
        let asked = |s| Some(Duration::from_secs(s));
        let gate = Gate::default().closed(true, asked(30), 0, BACKOFF, 0.9);
        assert_eq!(gate.closed_until, 30_000);
        let gate = Gate::default().closed(true, asked(0), 0, BACKOFF, 0.9);
        assert_eq!(gate.closed_until, 900);
        let gate = Gate::default().closed(true, asked(u64::from(u32::MAX)), 0, BACKOFF, 0.9);
        assert_eq!(gate.closed_until, 3_600_000);
    }

    #[test]
    fn what_was_under_way_does_not_count_twice_but_its_retry_after_does() {
        let gate = Gate::default().closed(true, None, 0, BACKOFF, 1.0);
        let late = gate.closed(false, None, 0, BACKOFF, 0.1);
        assert_eq!(late, gate);
        let late = gate.closed(false, Some(Duration::from_secs(9)), 0, BACKOFF, 0.1);
        assert_eq!((late.failures, late.closed_until), (1, 9000));
    }

    #[test]
    fn a_clock_set_back_does_not_close_the_gate_for_ever() {
        let gate = Gate {
            failures: 1,
            closed_until: u64::MAX,
        };
        assert_eq!(gate.wait(0), MAX_RETRY_AFTER);
    }

    #[test]
    fn a_repeat_offender_steps_back() {
        assert_eq!(not_before(2, 7, BACKOFF), 0);
        assert_eq!(not_before(3, 7, BACKOFF), 1007);
        assert_eq!(not_before(5, 7, BACKOFF), 4007);
        assert_eq!(not_before(1000, 7, BACKOFF), 300_007);
    }
}
