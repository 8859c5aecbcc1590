//! Decides whether a call to the spool needs a separate thread.
//!
//! If the spool is a file in the page cache, passing a call to another thread takes longer than the call. But a spool
//! that waits for a disk or for another machine must not delay the other connections.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A call that takes longer than this has waited.
const QUICK: Duration = Duration::from_micros(500);

/// The duration of the last call. While calls are slow they run on separate threads, so that a spool that hangs delays
/// the other connections at most once.
#[derive(Debug, Default)]
pub(super) struct Pace {
    is_slow: AtomicBool,
}

impl Pace {
    /// Whether the next call is likely not to wait.
    pub(super) fn is_quick(&self) -> bool {
        !self.is_slow.load(Ordering::Relaxed)
    }

    /// Makes the call, and stores its duration.
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
