//! A lock that is waited for no longer than a deadline.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

/// std's mutex has no deadline. (parking_lot's has; it also has a table of waiting threads that a forked child may
/// inherit locked.)
#[derive(Debug)]
pub(crate) struct Timed<T> {
    value: Mutex<Option<T>>,
    free: Condvar,
}

impl<T> Timed<T> {
    pub(crate) fn new(value: T) -> Timed<T> {
        Timed {
            value: Mutex::new(Some(value)),
            free: Condvar::new(),
        }
    }

    /// Runs `f` with the value; `None` if others kept it past the deadline.
    pub(crate) fn with<R>(&self, deadline: Instant, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        let mut slot = self.value.lock().unwrap_or_else(PoisonError::into_inner);
        let value = loop {
            if let Some(value) = slot.take() {
                break value;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            (slot, _) = self
                .free
                .wait_timeout(slot, left)
                .unwrap_or_else(PoisonError::into_inner);
        };
        drop(slot);
        let mut back = PutBack(self, Some(value));
        back.1.as_mut().map(f)
    }
}

/// Puts the value back, also when the closure panics.
struct PutBack<'a, T>(&'a Timed<T>, Option<T>);

impl<T> Drop for PutBack<'_, T> {
    fn drop(&mut self) {
        *self.0.value.lock().unwrap_or_else(PoisonError::into_inner) = self.1.take();
        self.0.free.notify_one();
    }
}
