//! The library as a guest in the host's process: fork, threads, callbacks and logging.

#![allow(unsafe_code)]

mod callback;
#[cfg(test)]
mod child;
mod clock;
mod deadline_lock;
mod descriptor;
mod filesystem;
mod fork;
mod lock;
pub(crate) mod log;
mod mailbox;
mod main_thread;
#[cfg(any(feature = "guest", test))]
mod memory;
mod panics;
mod per_thread;
mod process;
mod random;
mod signals;
mod socket;
mod thread;

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) use callback::{CallbackSlot, is_in_callback};
pub(crate) use clock::{Timestamp, deadline_after, millis, uptime};
pub(crate) use deadline_lock::DeadlineLock;
pub(crate) use descriptor::{
    apart_from_stdio, beside_stdio, open_above_stdio, part_from_stdio, read_file, wait_connected,
};
pub use filesystem::FileSystem;
pub(crate) use filesystem::{file_system, free_bytes, give_back_start, has_ended, open_file};
pub(crate) use fork::{ClosedInChildren, close_in_children, undisturbed};
pub(crate) use lock::{is_locked, lock_directory, try_lock, unlock, unlock_directory};
pub(crate) use mailbox::Mailbox;
pub(crate) use main_thread::note_thread;
#[cfg(feature = "guest")]
pub(crate) use memory::is_short as is_memory_short;
pub(crate) use panics::{message as panic_message, silence as silence_panics};
pub(crate) use per_thread::PerThread;
pub(crate) use process::{process_name, process_namespace, this_process};
pub(crate) use random::{dice, fresh_random, random};
pub(crate) use signals::{append, guard_file_size};
pub(crate) use socket::{is_quiet, send_now};
pub(crate) use thread::{Stack, spawn};

/// Locks a mutex, even if a panic has poisoned it: the data under the library's locks is consistent
/// between any two calls.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A value for each process. After a fork, a child does not use its parent's value, which may be
/// locked or half changed by a thread that the child does not have. A value is made on first use
/// and never freed.
pub(crate) struct PerProcess<T>(AtomicPtr<(u32, T)>);

impl<T: Sync> PerProcess<T> {
    pub(crate) const fn new() -> PerProcess<T> {
        PerProcess(AtomicPtr::new(ptr::null_mut()))
    }

    /// The value of this process. `make` gets the parent's value, if there was one, and must not
    /// take a lock in it.
    pub(crate) fn get(&'static self, make: impl Fn(Option<&T>) -> T) -> &'static T {
        let process = this_process();
        let mut current = self.0.load(Ordering::Acquire);
        loop {
            // SAFETY: a non-null pointer came from Box::into_raw below and is never freed once it was stored.
            let found = unsafe { current.as_ref() };
            if let Some((_, value)) = found.filter(|(owner, _)| *owner == process) {
                return value;
            }
            let fresh = Box::into_raw(Box::new((process, make(found.map(|(_, value)| value)))));
            let stored =
                self.0
                    .compare_exchange(current, fresh, Ordering::AcqRel, Ordering::Acquire);
            match stored {
                // SAFETY: just made from a Box, and never freed from here on.
                Ok(_) => return unsafe { &(*fresh).1 },
                Err(won) => {
                    // SAFETY: it was not stored, so no other thread has seen it.
                    drop(unsafe { Box::from_raw(fresh) });
                    current = won;
                }
            }
        }
    }
}

/// A Rust program has its own allocator, and ends if an allocation fails.
#[cfg(not(feature = "guest"))]
pub(crate) fn is_memory_short() -> bool {
    false
}

/// The user id with which this process opens files.
pub(crate) fn user() -> u32 {
    // SAFETY: the call takes no argument and cannot fail.
    unsafe { libc::geteuid() }
}
