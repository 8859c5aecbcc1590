//! The circuit breaker: after the engine did not answer, calls skip it for a while.

use std::time::{Duration, Instant};

/// The pause after the first failure; it doubles with each further failure.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    until: Option<Instant>,
}

/// Whether a call uses the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EngineUse {
    /// The engine answered last time.
    Normal,
    /// The engine did not answer, and the pause is over: this call tries it with a short time-out, and other calls skip
    /// it.
    Briefly,
    Skip,
}

impl Breaker {
    pub(super) fn engine_use(&mut self, now: Instant) -> EngineUse {
        match self.until {
            None => EngineUse::Normal,
            Some(until) if now < until => EngineUse::Skip,
            Some(_) => {
                self.until = Some(now + self.pause());
                EngineUse::Briefly
            }
        }
    }

    fn pause(&self) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(16);
        FIRST_PAUSE
            .saturating_mul(1 << doublings)
            .min(LONGEST_PAUSE)
    }

    /// Records that the engine did not answer. Returns whether it had answered before.
    pub(super) fn fail(&mut self, now: Instant) -> bool {
        self.failures = self.failures.saturating_add(1);
        let was_open = self.until.replace(now + self.pause());
        was_open.is_none()
    }

    /// Records that the engine answered. Returns whether it had not answered before.
    pub(super) fn succeed(&mut self) -> bool {
        self.failures = 0;
        self.until.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaker_lets_one_call_try_after_each_pause() {
        let mut breaker = Breaker::default();
        let start = Instant::now();
        assert_eq!(breaker.engine_use(start), EngineUse::Normal);
        assert!(breaker.fail(start));
        assert_eq!(breaker.engine_use(start + FIRST_PAUSE / 2), EngineUse::Skip);
        assert_eq!(breaker.engine_use(start + FIRST_PAUSE), EngineUse::Briefly);
        assert_eq!(breaker.engine_use(start + FIRST_PAUSE), EngineUse::Skip);
        assert!(!breaker.fail(start + FIRST_PAUSE));
        assert_eq!(breaker.engine_use(start + FIRST_PAUSE * 2), EngineUse::Skip);
        assert_eq!(
            breaker.engine_use(start + FIRST_PAUSE * 3),
            EngineUse::Briefly
        );
        assert!(breaker.succeed());
        assert!(!breaker.succeed());
        assert_eq!(breaker.engine_use(start), EngineUse::Normal);
    }

    #[test]
    fn pause_is_limited() {
        let mut breaker = Breaker::default();
        let now = Instant::now();
        for _ in 0..100 {
            breaker.fail(now);
        }
        assert_eq!(breaker.engine_use(now + LONGEST_PAUSE), EngineUse::Briefly);
    }
}
