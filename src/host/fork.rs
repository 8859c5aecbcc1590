//! Forks of the host, in whatever thread: work that they do not interrupt, and descriptors that the child closes.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use once_cell::race::OnceBool;

/// How long a fork waits for work that it must not interrupt, and such work for a fork: much longer than both take. A
/// fork in a signal handler that interrupted the work would otherwise wait for ever.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_micros(50);

/// The number of threads that do such work, and that fork.
static WORKING: AtomicU32 = AtomicU32::new(0);
static FORKING: AtomicU32 = AtomicU32::new(0);
/// The descriptors that a forked child closes; -1: a free entry.
static CLOSED_IN_CHILDREN: [AtomicI32; 64] = [const { AtomicI32::new(-1) }; 64];

fn wait_for_none(threads: &AtomicU32) {
    let mut left = LONGEST_WAIT.as_micros() / PAUSE.as_micros();
    while threads.load(Ordering::SeqCst) > 0 && left > 0 {
        thread::sleep(PAUSE);
        left -= 1;
    }
}

extern "C" fn before() {
    FORKING.fetch_add(1, Ordering::SeqCst);
    wait_for_none(&WORKING);
}

extern "C" fn in_parent() {
    FORKING.fetch_sub(1, Ordering::SeqCst);
}

extern "C" fn in_child() {
    FORKING.store(0, Ordering::SeqCst);
    WORKING.store(0, Ordering::SeqCst);
    for slot in &CLOSED_IN_CHILDREN {
        let descriptor = slot.swap(-1, Ordering::Relaxed);
        if descriptor >= 0 {
            // SAFETY: the descriptor belongs to the child. The `File` belongs to the parent, and
            // the child drops nothing that it inherited.
            unsafe { libc::close(descriptor) };
        }
    }
}

fn register() -> io::Result<()> {
    // Two threads may both register it, which is harmless: the second call finds nothing to do. They do not wait for
    // each other, because a forked child could not wait for its parent's thread.
    static IS_REGISTERED: OnceBool = OnceBool::new();
    IS_REGISTERED.get_or_try_init(|| {
        // SAFETY: the handlers use only atomics and system calls, and the library is never unloaded.
        match unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) } {
            0 => Ok(true),
            code => Err(io::Error::from_raw_os_error(code)),
        }
    })?;
    Ok(())
}

/// Does short work during which no other thread forks.
pub(crate) fn undisturbed(work: impl FnOnce()) {
    if register().is_err() {
        // No memory for the handlers; a fork at this moment is unlikely.
        return work();
    }
    WORKING.fetch_add(1, Ordering::SeqCst);
    if FORKING.load(Ordering::SeqCst) > 0 {
        WORKING.fetch_sub(1, Ordering::SeqCst);
        wait_for_none(&FORKING);
        WORKING.fetch_add(1, Ordering::SeqCst);
    }
    work();
    // The child of a fork within the work, by a signal handler, does not count it any more.
    let _ = WORKING.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
}

/// Makes forked children close this file's descriptor until the value is dropped, so that they do not keep its lock.
/// Only 64 descriptors can be registered; a lock of a further one lives as long as the children.
#[derive(Debug)]
pub(crate) struct ClosedInChildren(Option<usize>);

pub(crate) fn close_in_children(file: &File) -> io::Result<ClosedInChildren> {
    register()?;
    let descriptor = file.as_raw_fd();
    let slot = CLOSED_IN_CHILDREN.iter().position(|slot| {
        slot.compare_exchange(-1, descriptor, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    });
    Ok(ClosedInChildren(slot))
}

impl Drop for ClosedInChildren {
    fn drop(&mut self) {
        if let Some(slot) = self.0.and_then(|slot| CLOSED_IN_CHILDREN.get(slot)) {
            slot.store(-1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::child::in_a_child;
    use super::*;
    use std::sync::atomic::AtomicU8;

    #[test]
    fn fork_waits_for_work_that_it_must_not_interrupt() {
        static STATE: AtomicU8 = AtomicU8::new(0);
        let worker = thread::spawn(|| {
            undisturbed(|| {
                STATE.store(1, Ordering::SeqCst);
                while FORKING.load(Ordering::SeqCst) == 0 {
                    thread::yield_now();
                }
                STATE.store(2, Ordering::SeqCst);
            });
        });
        while STATE.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
        // SAFETY: the child only reads a number.
        assert_eq!(unsafe { in_a_child(|| STATE.load(Ordering::SeqCst)) }, 2);
        worker.join().unwrap();
    }

    #[test]
    fn child_forked_within_such_work_can_fork_and_work_again() {
        // SAFETY: the child uses atomics and system calls.
        let nested = || unsafe { in_a_child(|| WORKING.load(Ordering::SeqCst) as u8) };
        let mut answer = -1;
        undisturbed(|| {
            // SAFETY: the same.
            answer = unsafe {
                in_a_child(|| {
                    undisturbed(|| ());
                    u8::from(nested() == 0)
                })
            };
        });
        assert_eq!(answer, 1);
    }
}
