//! The gate of an origin, which limits deliveries while they fail. There is one gate for each
//! origin, and no timer for each notification. The caller passes the clock and the random numbers.
//!
//! A delivery that fails temporarily closes the gate for a pause. After the pause a single probe is
//! sent. A final answer to the probe opens the gate, and a failure closes it for a longer pause.
//! The gate is stored in the spool, so every process uses it, also after a restart.

use std::time::Duration;

use crate::host::millis;
use crate::spool::Gate;

/// Greatest `Retry-After` that is used: an absurd value must not delay notifications until they
/// expire.
pub(crate) const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// A notification that has failed this often waits while others are sent, so that a notification
/// that the service can never process does not block the others.
pub(crate) const REPEAT_OFFENDER: u32 = 3;

/// The pauses of the gate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    pub(crate) min: Duration,
    pub(crate) max: Duration,
}

impl Backoff {
    /// The longest pause after this number of consecutive failures.
    fn cap(self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        self.min.saturating_mul(1 << doublings).min(self.max)
    }
}

/// Times are milliseconds since 1970-01-01 UTC.
impl Gate {
    pub(crate) fn is_open(self) -> bool {
        self.failures == 0
    }

    /// Time until the next probe may be sent. If the clock was set back to before the gate closed,
    /// it is zero.
    pub(crate) fn wait(self, now: u64) -> Duration {
        if self.is_open() || now < self.closed_at {
            return Duration::ZERO;
        }
        Duration::from_millis(self.end().saturating_sub(now))
    }

    fn end(self) -> u64 {
        self.closed_at.saturating_add(self.pause)
    }

    /// Number of deliveries that may start now.
    pub(crate) fn room(self, now: u64, in_flight: usize, concurrency: usize) -> usize {
        if self.is_open() {
            concurrency.saturating_sub(in_flight)
        } else {
            usize::from(in_flight == 0 && self.wait(now).is_zero())
        }
    }

    /// The gate after a failed delivery. `counts` is false for a failure without new information
    /// about the service: a delivery that was in flight when the gate closed, or another failure of
    /// a notification that fails repeatedly.
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
        let pause = backoff
            .cap(failures)
            .mul_f64(dice)
            .max(asked)
            .max(self.wait(now));
        Gate {
            failures,
            closed_at: now,
            pause: millis(pause),
        }
    }
}

/// How long a notification waits after `attempts` failures; zero: until the gate allows it.
pub(crate) fn step_back(attempts: u32, backoff: Backoff) -> Duration {
    match attempts.checked_sub(REPEAT_OFFENDER) {
        None => Duration::ZERO,
        Some(more) => backoff.cap(more + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff {
        min: Duration::from_millis(1000),
        max: Duration::from_millis(300_000),
    };

    #[test]
    fn open_gate_admits_requests_up_to_the_concurrency() {
        let open = Gate::default();
        assert_eq!(open.room(0, 0, 4), 4);
        assert_eq!(open.room(0, 3, 4), 1);
        assert_eq!(open.room(0, 5, 4), 0);
    }

    #[test]
    fn gate_pause_doubles_with_each_failure_up_to_gate_max_ms() {
        let mut gate = Gate::default();
        let mut now = 0;
        let mut pauses = Vec::new();
        for _ in 0..11 {
            gate = gate.closed(true, None, now, BACKOFF, 1.0);
            pauses.push(gate.pause);
            now = gate.end();
        }
        assert_eq!(
            pauses,
            [
                1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000
            ]
        );
    }

    #[test]
    fn closed_gate_admits_one_probe_when_its_pause_has_ended() {
        let gate = Gate::default().closed(true, None, 5000, BACKOFF, 0.5);
        assert_eq!((gate.closed_at, gate.pause), (5000, 500));
        assert_eq!(gate.room(5499, 0, 4), 0);
        assert_eq!(gate.room(5500, 0, 4), 1);
        assert_eq!(gate.room(5500, 1, 4), 0);
    }

    #[test]
    fn gate_pause_is_at_least_retry_after_and_at_most_its_limit() {
        let asked = |s| Some(Duration::from_secs(s));
        let gate = Gate::default().closed(true, asked(30), 0, BACKOFF, 0.9);
        assert_eq!(gate.end(), 30_000);
        let gate = Gate::default().closed(true, asked(0), 0, BACKOFF, 0.9);
        assert_eq!(gate.end(), 900);
        let gate = Gate::default().closed(true, asked(u64::from(u32::MAX)), 0, BACKOFF, 0.9);
        assert_eq!(gate.end(), 3_600_000);
    }

    #[test]
    fn failure_of_a_request_in_flight_extends_the_pause_only_by_its_retry_after() {
        let gate = Gate::default().closed(true, None, 0, BACKOFF, 1.0);
        let late = gate.closed(false, None, 400, BACKOFF, 0.1);
        assert_eq!((late.failures, late.end()), (1, gate.end()));
        let late = gate.closed(false, Some(Duration::from_secs(9)), 400, BACKOFF, 0.1);
        assert_eq!((late.failures, late.end()), (1, 9400));
    }

    #[test]
    fn gate_pause_is_not_extended_when_the_clock_is_set_back() {
        let month = 30 * 86_400_000;
        let gate = Gate::default().closed(true, None, month, BACKOFF, 1.0);
        assert_eq!(gate.wait(month), Duration::from_secs(1));
        assert_eq!(gate.wait(0), Duration::ZERO, "set back");
        assert_eq!(gate.wait(2 * month), Duration::ZERO, "set forward");
    }

    #[test]
    fn repeatedly_failing_notification_is_sent_after_others() {
        let pause = |attempts| step_back(attempts, BACKOFF).as_millis();
        assert_eq!([2, 3, 5, 1000].map(pause), [0, 1000, 4000, 300_000]);
    }
}
