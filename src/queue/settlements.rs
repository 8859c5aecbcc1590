//! Which settlements of the worker are recorded, and for which of them the listeners have been called.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::host;

/// How many settlements the worker began to record, and after how many of them it has called the listeners.
#[derive(Debug, Default)]
struct Counts {
    begun: u64,
    announced: u64,
}

/// The counts of a process, and its threads that wait for them.
#[derive(Debug)]
pub(super) struct Settlements {
    process: u32,
    counts: Mutex<Counts>,
    announced: Condvar,
}

/// A settlement of the worker. It counts as announced when this is dropped.
pub(super) struct Settling<'a>(&'a Settlements);

impl Drop for Settling<'_> {
    fn drop(&mut self) {
        // A callback may have forked, and another thread of the parent may have held the lock.
        if self.0.process == host::this_process() {
            let mut counts = self.0.lock();
            counts.announced = counts.begun;
            self.0.announced.notify_all();
        }
    }
}

impl Settlements {
    pub(super) fn new() -> Settlements {
        Settlements {
            process: host::this_process(),
            counts: Mutex::default(),
            announced: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        host::lock(&self.counts)
    }

    /// Called by the worker before it records a settlement, so that no flush sees what is recorded and misses that it
    /// is yet to be announced.
    pub(super) fn begin(&self) -> Settling<'_> {
        self.lock().begun += 1;
        Settling(self)
    }

    /// After how many settlements the listeners have been called.
    pub(super) fn announced(&self) -> u64 {
        self.lock().announced
    }

    /// Waits until the listeners have been called again since [`Settlements::announced`], at most for this time.
    pub(super) fn wait_for_more(&self, seen: u64, longest: Duration) {
        let waited = self
            .announced
            .wait_timeout_while(self.lock(), longest, |now| now.announced == seen);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Waits until the listeners have been called for everything that is recorded, at most until `deadline`.
    pub(super) fn wait_until_announced(&self, deadline: Instant) -> bool {
        // A callback that flushes would wait for its own end.
        if host::is_in_callback() {
            return true;
        }
        let counts = self.lock();
        let begun = counts.begun;
        let left = deadline.saturating_duration_since(Instant::now());
        let (counts, _) = self
            .announced
            .wait_timeout_while(counts, left, |now| now.announced < begun)
            .unwrap_or_else(PoisonError::into_inner);
        counts.announced >= begun
    }
}
