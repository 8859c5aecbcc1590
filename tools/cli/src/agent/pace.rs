//! Whether a call into the spool is worth a thread of its own.
//!
//! To hand a call to another thread takes longer than the call itself where the spool is a file in the page cache. A
//! spool that waits for a disk or for another machine must not hold up the other connections.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A call that takes longer has waited.
const QUICK: Duration = Duration::from_micros(500);
/// How long after a slow call the next ones get threads of their own.
const SLOW_FOR: Duration = Duration::from_secs(1);

/// How fast the last calls were.
#[derive(Debug)]
pub(super) struct Pace {
    start: Instant,
    /// In microseconds since `start`.
    slow_until: AtomicU64,
}

impl Pace {
    pub(super) fn new() -> Pace {
        Pace {
            start: Instant::now(),
            slow_until: AtomicU64::new(0),
        }
    }

    fn micros(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.start);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }

    /// Whether the next call is likely not to wait.
    pub(super) fn is_quick(&self) -> bool {
        self.micros(Instant::now()) >= self.slow_until.load(Ordering::Relaxed)
    }

    /// Calls, and remembers how long that took.
    pub(super) fn time<T>(&self, call: impl FnOnce() -> T) -> T {
        let before = Instant::now();
        let result = call();
        if before.elapsed() > QUICK {
            let until = self.micros(Instant::now() + SLOW_FOR);
            self.slow_until.fetch_max(until, Ordering::Relaxed);
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn pace_is_not_quick_after_a_slow_call() {
        let pace = Pace::new();
        assert!(pace.is_quick());
        pace.time(|| thread::sleep(2 * QUICK));
        assert!(!pace.is_quick());
    }
}
