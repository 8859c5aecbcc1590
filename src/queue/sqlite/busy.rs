//! Waiting for another process's transaction, up to a deadline.
//!
//! SQLite's own `busy_timeout` backs off in steps of up to 100 ms and starves whoever waits longest. Transactions
//! here last microseconds: yield first, then sleep shortly.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

thread_local! {
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
}

const YIELDS: i32 = 100;
const NAP: Duration = Duration::from_micros(100);

/// Until when this thread's statements wait.
pub(super) fn set_deadline(deadline: Instant) {
    DEADLINE.with(|d| d.set(Some(deadline)));
}

/// SQLite's busy handler: true to try again.
pub(super) fn wait(tries: i32) -> bool {
    if tries < YIELDS {
        thread::yield_now();
        return true;
    }
    thread::sleep(NAP);
    !is_over()
}

/// Whether this thread has waited, or worked, as long as it may.
pub(super) fn is_over() -> bool {
    DEADLINE
        .with(Cell::get)
        .is_none_or(|deadline| Instant::now() >= deadline)
}
