//! The attempts of one call. The caller passes the clock, the pauses and the random numbers, so that tests need none.

use std::time::{Duration, Instant};

use crate::host;
use crate::http::Outcome;
use crate::outcome::Status;

/// Time and random numbers, which tests replace.
pub(crate) trait Clock {
    fn now(&self) -> Instant;
    fn sleep(&self, pause: Duration);
    /// A number from 0 (included) to 1 (excluded).
    fn dice(&self) -> f64;
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, pause: Duration) {
        std::thread::sleep(pause);
    }

    fn dice(&self) -> f64 {
        host::dice()
    }
}

/// The number of attempts, and the pauses between them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policy {
    pub(crate) max_attempts: u32,
    pub(crate) backoff: Duration,
}

/// Tries until the outcome is final, the attempts are used up, or the next pause would end after the deadline.
/// Returns the last outcome and the number of attempts.
pub(crate) fn run(
    policy: Policy,
    deadline: Instant,
    clock: &impl Clock,
    mut attempt: impl FnMut() -> Outcome,
) -> (Outcome, u32) {
    let mut attempts = 0;
    let mut longest_pause = policy.backoff;
    loop {
        attempts += 1;
        let mut outcome = attempt();
        if !worth_another(outcome.status) || attempts >= policy.max_attempts {
            return (outcome, attempts);
        }
        let jitter = longest_pause.mul_f64(clock.dice());
        let pause = jitter.max(outcome.retry_after.unwrap_or_default());
        if clock.now() + pause >= deadline {
            if outcome.status != Status::Timeout {
                outcome.detail.push_str("; no time left to try again");
            }
            return (outcome, attempts);
        }
        clock.sleep(pause);
        longest_pause = longest_pause.saturating_mul(2);
    }
}

/// A refused certificate will not become valid within this call. Any other retryable failure may pass.
fn worth_another(status: Status) -> bool {
    status.is_retryable() && status != Status::TlsFailed
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};

    struct FakeClock {
        now: Cell<Instant>,
        pauses: RefCell<Vec<Duration>>,
        dice: f64,
    }

    impl FakeClock {
        fn new(dice: f64) -> FakeClock {
            FakeClock {
                now: Cell::new(Instant::now()),
                pauses: RefCell::default(),
                dice,
            }
        }
    }

    impl Clock for FakeClock {
        fn now(&self) -> Instant {
            self.now.get()
        }
        fn sleep(&self, pause: Duration) {
            self.pauses.borrow_mut().push(pause);
            self.now.set(self.now.get() + pause);
        }
        fn dice(&self) -> f64 {
            self.dice
        }
    }

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn outcome(status: Status, retry_after: Option<Duration>) -> Outcome {
        Outcome {
            status,
            http_status: None,
            detail: "x".to_owned(),
            retry_after,
            may_have_arrived: false,
        }
    }

    fn play(
        max_attempts: u32,
        clock: &FakeClock,
        script: &[(Status, Option<Duration>)],
    ) -> (Outcome, u32) {
        let policy = Policy {
            max_attempts,
            backoff: ms(100),
        };
        let mut script = script.iter();
        run(policy, clock.now() + ms(3000), clock, || {
            let (status, retry_after) = script.next().unwrap();
            outcome(*status, *retry_after)
        })
    }

    #[test]
    fn retry_pauses_double_with_jitter() {
        let clock = FakeClock::new(0.5);
        let busy = (Status::ServerError, None);
        let (last, attempts) = play(4, &clock, &[busy, busy, busy, (Status::Delivered, None)]);
        assert_eq!((last.status, attempts), (Status::Delivered, 4));
        assert_eq!(*clock.pauses.borrow(), [ms(50), ms(100), ms(200)]);
    }

    #[test]
    fn retry_is_refused_when_the_outcome_is_final() {
        for status in Status::ALL {
            let clock = FakeClock::new(0.0);
            let (_, attempts) = play(2, &clock, &[(*status, None), (Status::Delivered, None)]);
            let expected = if worth_another(*status) { 2 } else { 1 };
            assert_eq!(attempts, expected, "{status}");
        }
        assert!(!worth_another(Status::TlsFailed));
    }

    #[test]
    fn retry_ends_after_max_attempts() {
        let clock = FakeClock::new(0.0);
        let lost = (Status::ConnectionLost, None);
        assert_eq!(play(3, &clock, &[lost; 3]).1, 3);
        assert_eq!(play(1, &clock, &[lost]).1, 1);
    }

    #[test]
    fn retry_after_is_waited_for_only_when_it_fits_the_budget() {
        let clock = FakeClock::new(0.0);
        let ok = (Status::Delivered, None);
        let (_, attempts) = play(3, &clock, &[(Status::Throttled, Some(ms(2000))), ok]);
        assert_eq!(
            (attempts, clock.pauses.borrow().as_slice()),
            (2, &[ms(2000)][..])
        );

        let clock = FakeClock::new(0.0);
        let (last, attempts) = play(3, &clock, &[(Status::ServerError, Some(ms(3000))), ok]);
        assert_eq!((last.status, attempts), (Status::ServerError, 1));
        assert_eq!(last.detail, "x; no time left to try again");
        assert!(clock.pauses.borrow().is_empty());
    }

    #[test]
    fn timeout_message_has_no_remaining_time() {
        let clock = FakeClock::new(0.0);
        let (last, attempts) = play(3, &clock, &[(Status::Timeout, Some(ms(3000)))]);
        assert_eq!((last.detail.as_str(), attempts), ("x", 1));
    }

    #[test]
    fn random_pauses_differ_and_stay_within_their_range() {
        let thrown: Vec<f64> = (0..1000).map(|_| SystemClock.dice()).collect();
        assert!(thrown.iter().all(|dice| (0.0..1.0).contains(dice)));
        assert!(thrown.iter().any(|dice| *dice != thrown[0]));
    }

    #[test]
    fn system_clock_sleeps_for_the_pause() {
        let began = SystemClock.now();
        SystemClock.sleep(ms(5));
        assert!(SystemClock.now() - began >= ms(5));
    }
}
