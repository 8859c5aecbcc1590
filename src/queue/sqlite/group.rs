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
        let result = slot.wait();
        if result.is_err() {
            // The thread may not come to it for as long as the disk hangs.
            lock(&self.waiting)
                .slots
                .retain(|other| !Arc::ptr_eq(other, &slot));
        }
        result
    }

    /// The thread: one transaction for all that wait, then the next.
    pub(super) fn run(&self, mut write: impl FnMut(&[NewItem], Instant) -> Vec<Result<(), Error>>) {
        let mut running = Running {
            group: self,
            writes: Vec::new(),
        };
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
            running.writes = slots.into_iter().filter(|s| s.begin()).collect();
            let slots = &running.writes;
            let Some(deadline) = slots.iter().map(|s| s.deadline).max() else {
                continue;
            };
            let items: Vec<NewItem> = slots.iter().map(|s| s.item.clone()).collect();
            for (slot, result) in slots.iter().zip(write(&items, deadline)) {
                slot.end(result);
            }
            running.writes.clear();
        }
    }
}

/// The thread, as long as it runs.
struct Running<'a> {
    group: &'a Group,
    writes: Vec<Arc<Slot>>,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // A panic: the regular end has nothing left, and a new thread may be running by now.
        if std::thread::panicking() {
            let mut waiting = lock(&self.group.waiting);
            waiting.is_running = false;
            for slot in self.writes.drain(..).chain(waiting.slots.drain(..)) {
                let words = "the writing thread has ended; the notification may yet be accepted";
                slot.end(Err(Error::new(Status::Internal, words)));
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

    fn end(&self, result: Result<(), Error>) {
        *lock(&self.state) = State::Done(result);
        self.changed.notify_one();
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    fn push(group: &Group, patience: Duration) -> Result<(), Error> {
        let item = NewItem {
            id: "a".to_owned(),
            url: Arc::from("http://127.0.0.1:1/api"),
            body: "b".repeat(1000),
            accepted_at: 0,
            attempts: 0,
            detail: String::new(),
        };
        group.push(&Weak::new(), item, Instant::now() + patience)
    }

    /// One whose thread is busy elsewhere: with a disk that hangs, or with the test.
    fn running() -> Group {
        let group = Group::default();
        lock(&group.waiting).is_running = true;
        group
    }

    #[test]
    fn what_was_given_up_while_the_disk_hangs_is_kept_by_nobody() {
        let group = running();
        for _ in 0..3 {
            assert!(push(&group, Duration::from_millis(1)).is_err());
        }
        assert!(lock(&group.waiting).slots.is_empty());
    }

    #[test]
    fn a_thread_that_panics_holds_up_nobody_and_makes_room_for_the_next() {
        let group = running();
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| push(&group, Duration::from_secs(60)));
            let run = || group.run(|_, _| panic!("on purpose"));
            assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
            assert_eq!(
                waits.join().unwrap().unwrap_err().status(),
                Status::Internal
            );
        });
        let waiting = lock(&group.waiting);
        assert!(!waiting.is_running && waiting.slots.is_empty());
    }
}
