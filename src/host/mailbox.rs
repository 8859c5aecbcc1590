//! A bounded list of recent values, for a host that polls instead of being called. A thread of the
//! library cannot call PHP, and must not run managed code in a runtime that stops its threads by
//! signals (Mono), because the library's threads block signals.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Keeps at most `limit` values; above it, the oldest are dropped.
pub(crate) struct Mailbox<T> {
    limit: usize,
    waiting: Mutex<VecDeque<T>>,
    arrived: Condvar,
}

impl<T> Mailbox<T> {
    pub(crate) fn new(limit: usize) -> Mailbox<T> {
        Mailbox {
            limit,
            waiting: Mutex::default(),
            arrived: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<T>> {
        super::lock(&self.waiting)
    }

    pub(crate) fn keep(&self, one: T) {
        let mut waiting = self.lock();
        if waiting.len() >= self.limit {
            waiting.pop_front();
        }
        waiting.push_back(one);
        drop(waiting);
        self.arrived.notify_one();
    }

    /// Returns the oldest value; waits for one for at most `timeout`.
    pub(crate) fn take(&self, timeout: Duration) -> Option<T> {
        let (mut waiting, _) = self
            .arrived
            .wait_timeout_while(self.lock(), timeout, |waiting| waiting.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        waiting.pop_front()
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn mailbox_drops_the_oldest_when_it_is_full() {
        let kept = Mailbox::new(2);
        for one in 1..=3 {
            kept.keep(one);
        }
        assert_eq!(kept.take(Duration::ZERO), Some(2));
        assert_eq!(kept.take(Duration::ZERO), Some(3));
        assert_eq!(kept.take(Duration::ZERO), None);
    }

    #[test]
    fn take_waits_until_a_message_arrives() {
        let kept = Mailbox::new(2);
        thread::scope(|scope| {
            let taker = scope.spawn(|| kept.take(Duration::from_secs(60)));
            kept.keep(7);
            assert_eq!(taker.join().unwrap(), Some(7));
        });
        assert_eq!(kept.take(Duration::from_millis(1)), None);
    }
}
