//! A lock with a deadline. Messages that are logged while it is held are deferred.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

use crate::host::log;

/// The mutex of std has no deadline. The mutex of parking_lot has one, but also a table of waiting
/// threads, which a forked child may inherit locked.
#[derive(Debug)]
pub(crate) struct DeadlineLock<T> {
    slot: Mutex<LockState<T>>,
    free: Condvar,
}

#[derive(Debug)]
struct LockState<T> {
    /// `None` while a thread works with the value.
    value: Option<T>,
    /// Number of waiting threads: if it is 0, no system call is made to wake one.
    waiting: usize,
}

impl<T> DeadlineLock<T> {
    pub(crate) fn new(value: T) -> DeadlineLock<T> {
        DeadlineLock {
            slot: Mutex::new(LockState {
                value: Some(value),
                waiting: 0,
            }),
            free: Condvar::new(),
        }
    }

    /// Runs `f` with the value. `None`: other threads kept the lock until the deadline.
    pub(crate) fn with<R>(&self, deadline: Instant, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        let _deferred = log::defer();
        let mut slot = super::lock(&self.slot);
        let value = loop {
            if let Some(value) = slot.value.take() {
                break value;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            slot.waiting += 1;
            (slot, _) = self
                .free
                .wait_timeout(slot, left)
                .unwrap_or_else(PoisonError::into_inner);
            slot.waiting -= 1;
        };
        drop(slot);
        let mut back = PutBack(self, Some(value));
        back.1.as_mut().map(f)
    }
}

/// Puts the value back, even if the closure panics.
struct PutBack<'a, T>(&'a DeadlineLock<T>, Option<T>);

impl<T> Drop for PutBack<'_, T> {
    fn drop(&mut self) {
        let mut slot = super::lock(&self.0.slot);
        slot.value = self.1.take();
        if slot.waiting > 0 {
            self.0.free.notify_one();
        }
    }
}
