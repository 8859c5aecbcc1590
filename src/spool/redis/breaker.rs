//! Whether the engine is worth asking: after it did not answer, calls go past it for a while.

use std::time::{Duration, Instant};

/// The first pause after a failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    until: Option<Instant>,
}

/// What a call is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// The engine answered last time.
    Ask,
    /// It did not, some time ago: this one call asks briefly, and the others go past it.
    AskBriefly,
    GoPast,
}

impl Breaker {
    pub(super) fn way(&mut self, now: Instant) -> Way {
        match self.until {
            None => Way::Ask,
            Some(until) if now < until => Way::GoPast,
            Some(_) => {
                self.until = Some(now + self.pause());
                Way::AskBriefly
            }
        }
    }

    fn pause(&self) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(16);
        FIRST_PAUSE
            .saturating_mul(1 << doublings)
            .min(LONGEST_PAUSE)
    }

    /// The engine did not answer. Returns whether that is news.
    pub(super) fn fail(&mut self, now: Instant) -> bool {
        self.failures = self.failures.saturating_add(1);
        let was_open = self.until.replace(now + self.pause());
        was_open.is_none()
    }

    /// The engine answered. Returns whether that is news.
    pub(super) fn succeed(&mut self) -> bool {
        self.failures = 0;
        self.until.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_call_asks_after_each_pause_when_the_engine_does_not_answer() {
        let mut breaker = Breaker::default();
        let start = Instant::now();
        assert_eq!(breaker.way(start), Way::Ask);
        assert!(breaker.fail(start));
        assert_eq!(breaker.way(start + FIRST_PAUSE / 2), Way::GoPast);
        assert_eq!(breaker.way(start + FIRST_PAUSE), Way::AskBriefly);
        assert_eq!(breaker.way(start + FIRST_PAUSE), Way::GoPast);
        assert!(!breaker.fail(start + FIRST_PAUSE));
        assert_eq!(breaker.way(start + FIRST_PAUSE * 2), Way::GoPast);
        assert_eq!(breaker.way(start + FIRST_PAUSE * 3), Way::AskBriefly);
        assert!(breaker.succeed());
        assert!(!breaker.succeed());
        assert_eq!(breaker.way(start), Way::Ask);
    }

    #[test]
    fn pause_is_limited() {
        let mut breaker = Breaker::default();
        let now = Instant::now();
        for _ in 0..100 {
            breaker.fail(now);
        }
        assert_eq!(breaker.way(now + LONGEST_PAUSE), Way::AskBriefly);
    }
}
