//! Group commit: with `durability = disk` an enqueue costs an fsync, which all that wait at the same time share.
//!
//! The fsync runs on a thread of ours, so that a disk that hangs holds up no caller beyond `enqueue_timeout_ms`.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::SqliteSpool;
use crate::host::{self, Stack};
use crate::queue::spool::NewItem;
use crate::status::{Error, Status};

/// Most notifications in one transaction.
const MOST: usize = 256;
/// How long the thread waits for more before it ends.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(super) struct Group {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    slots: VecDeque<Arc<Slot>>,
    is_running: bool,
}

#[derive(Debug)]
struct Slot {
    item: NewItem,
    deadline: Instant,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
enum State {
    Waiting,
    Writing,
    Withdrawn,
    Done(Result<(), Error>),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Group {
    /// Hands the item to the writing thread and waits until it is on disk.
    pub(super) fn push(
        &self,
        spool: &Weak<SqliteSpool>,
        item: NewItem,
        deadline: Instant,
    ) -> Result<(), Error> {
        let slot = Arc::new(Slot {
            item,
            deadline,
            state: Mutex::new(State::Waiting),
            changed: Condvar::new(),
        });
        let mut waiting = lock(&self.waiting);
        if !waiting.is_running {
            let spool = spool.clone();
            host::spawn("esales-spool", Stack::Hosts, move || {
                if let Some(spool) = spool.upgrade() {
                    spool.write_groups();
                }
            })
            .map_err(|e| {
                Error::new(Status::SpoolFailed, format!("no thread to write with: {e}"))
            })?;
            waiting.is_running = true;
        }
        waiting.slots.push_back(Arc::clone(&slot));
        drop(waiting);
        self.arrived.notify_one();
        slot.wait()
    }

    /// The thread: one transaction for all that wait, then the next.
    pub(super) fn run(&self, mut write: impl FnMut(&[NewItem], Instant) -> Vec<Result<(), Error>>) {
        loop {
            let mut waiting = lock(&self.waiting);
            while waiting.slots.is_empty() {
                let (guard, timeout) = self
                    .arrived
                    .wait_timeout(waiting, PATIENCE)
                    .unwrap_or_else(PoisonError::into_inner);
                waiting = guard;
                if timeout.timed_out() && waiting.slots.is_empty() {
                    waiting.is_running = false;
                    return;
                }
            }
            let most = waiting.slots.len().min(MOST);
            let slots: Vec<Arc<Slot>> = waiting.slots.drain(..most).collect();
            drop(waiting);
            let slots: Vec<Arc<Slot>> = slots.into_iter().filter(|s| s.begin()).collect();
            let Some(deadline) = slots.iter().map(|s| s.deadline).max() else {
                continue;
            };
            let items: Vec<NewItem> = slots.iter().map(|s| s.item.clone()).collect();
            for (slot, result) in slots.iter().zip(write(&items, deadline)) {
                *lock(&slot.state) = State::Done(result);
                slot.changed.notify_one();
            }
        }
    }
}

impl Slot {
    /// Whether it is still wanted; from now on it cannot be withdrawn.
    fn begin(&self) -> bool {
        let mut state = lock(&self.state);
        let wanted = matches!(*state, State::Waiting);
        if wanted {
            *state = State::Writing;
        }
        wanted
    }

    fn wait(&self) -> Result<(), Error> {
        let mut state = lock(&self.state);
        loop {
            if let State::Done(result) = &*state {
                return result.clone();
            }
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let words = match std::mem::replace(&mut *state, State::Withdrawn) {
                    State::Writing => {
                        "the disk did not finish within enqueue_timeout_ms; the notification may yet be accepted"
                    }
                    _ => "the disk is busy for longer than enqueue_timeout_ms",
                };
                return Err(Error::new(Status::SpoolFailed, words));
            }
            (state, _) = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}
