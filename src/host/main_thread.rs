//! Handles the case that the host's main thread ends before the process, by `pthread_exit`.
//!
//! The process then lives until its last thread ends, and the kernel delivers a signal to any
//! thread that does not block it. The library's threads block all signals, because a host may
//! handle a signal in one thread and block it in all others. Once the host has no thread left, one
//! thread of the library unblocks all signals, so that signals still end the process.

use std::cell::Cell;
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{PerProcess, PerThread, Stack, signals, spawn, this_process};

thread_local! {
    /// Whether this thread needs no further notice: it belongs to the library, or its end is
    /// already watched.
    static IS_NOTED: Cell<bool> = const { Cell::new(false) };
}

/// Call it on every thread that uses the library. It notices when the thread ends.
pub(crate) fn note_thread() {
    static END: PerThread<ThreadEnd> = PerThread::new();
    if !IS_NOTED.replace(true) {
        END.with(|_| ());
    }
}

/// Dropped when a thread of the host ends.
#[derive(Default)]
struct ThreadEnd;

/// Ids of the library's running threads in this process.
static OURS: PerProcess<Mutex<Vec<libc::pid_t>>> = PerProcess::new();

fn ours() -> MutexGuard<'static, Vec<libc::pid_t>> {
    OURS.get(|_| Mutex::default())
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

/// Held by a thread of the library while it runs.
pub(super) struct OwnThread(libc::pid_t);

impl OwnThread {
    pub(super) fn new() -> OwnThread {
        IS_NOTED.set(true);
        let id = this_thread();
        ours().push(id);
        OwnThread(id)
    }
}

impl Drop for OwnThread {
    fn drop(&mut self) {
        ours().retain(|id| *id != self.0);
    }
}

fn this_thread() -> libc::pid_t {
    // SAFETY: the call takes no argument and cannot fail.
    let id = unsafe { libc::syscall(libc::SYS_gettid) };
    libc::pid_t::try_from(id).unwrap_or(0)
}

fn main_thread() -> libc::pid_t {
    // SAFETY: as above. The main thread's id is that of the process.
    unsafe { libc::getpid() }
}

/// Whether the main thread has ended but the process has not. False if /proc does not show the
/// threads.
fn main_thread_has_ended() -> bool {
    let main = main_thread();
    let status = fs::read_to_string(format!("/proc/self/task/{main}/stat")).unwrap_or_default();
    // The format is `17 (name, with any characters) Z ...`.
    let state = status
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.chars().next());
    matches!(state, Some('Z' | 'X'))
}

impl Drop for ThreadEnd {
    fn drop(&mut self) {
        let is_needed = || this_thread() == main_thread() || main_thread_has_ended();
        if !ours().is_empty() && is_needed() {
            start_watching();
        }
    }
}

fn start_watching() {
    /// The process in which a thread watches for the end of the host's threads.
    static WATCHED: AtomicU32 = AtomicU32::new(0);

    let process = this_process();
    if WATCHED.swap(process, Ordering::Relaxed) == process {
        return;
    }
    let watched = spawn("esales-signals", Stack::Ours, || {
        watch();
        WATCHED.store(0, Ordering::Relaxed);
    });
    if watched.is_err() {
        WATCHED.store(0, Ordering::Relaxed);
    }
}

/// How long the watching thread waits before it lists the threads again. The first waits are short,
/// for a thread that is about to end.
const FIRST_WAIT: Duration = Duration::from_millis(1);
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// Unblocks all signals in this thread while the host has no thread, until this is the last thread.
/// Then the process ends as it would without the library.
fn watch() {
    let this = this_thread();
    let mut wait = FIRST_WAIT;
    while let Some(others) = others(this) {
        let ours = ours().clone();
        if others.is_empty() {
            return;
        }
        let result = match others.iter().all(|id| ours.contains(id)) {
            true => signals::open_all(),
            false => signals::block_all(),
        };
        if result.is_err() {
            return;
        }
        std::thread::sleep(wait);
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// The threads of this process, except `this` and a main thread that has ended. `None`: /proc does
/// not show them.
fn others(this: libc::pid_t) -> Option<Vec<libc::pid_t>> {
    let main = main_thread();
    let listed = fs::read_dir("/proc/self/task").ok()?;
    let ids = listed.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Some(
        ids.filter(|id| *id != this && !(*id == main && main_thread_has_ended()))
            .collect(),
    )
}
