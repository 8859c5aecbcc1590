//! Whether a call into the spool is worth a thread of its own.
//!
//! To hand a call to another thread takes longer than the call itself where the spool is a file in the page cache. A
//! spool that waits for a disk or for another machine must not hold up the other connections.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A call that takes longer has waited.
const QUICK: Duration = Duration::from_micros(500);

/// How fast the last call was. While calls are slow they have threads of their own, so that a spool that hangs holds up
/// the other connections once at the most.
#[derive(Debug, Default)]
pub(super) struct Pace {
    is_slow: AtomicBool,
}

impl Pace {
    /// Whether the next call is likely not to wait.
    pub(super) fn is_quick(&self) -> bool {
        !self.is_slow.load(Ordering::Relaxed)
    }

    /// Calls, and remembers how long that took.
    pub(super) fn time<T>(&self, call: impl FnOnce() -> T) -> T {
        let before = Instant::now();
        let result = call();
        let is_slow = before.elapsed() > QUICK;
        self.is_slow.store(is_slow, Ordering::Relaxed);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn pace_is_not_quick_after_a_slow_call() {
        let pace = Pace::default();
        assert!(pace.is_quick());
        pace.time(|| thread::sleep(2 * QUICK));
        assert!(!pace.is_quick());
    }
}
