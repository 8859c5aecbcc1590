//! Handles the case that every thread of the host has ended before the process, the main thread by
//! `pthread_exit`.
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
    /// The process in which this thread needs no further notice: it belongs to the library, or its
    /// end is already watched.
    static NOTED_IN: Cell<u32> = const { Cell::new(0) };
}

/// Call it on every thread that uses the library. It notices when the thread ends.
pub(crate) fn note_thread() {
    static END: PerThread<ThreadEnd> = PerThread::new();
    let process = this_process();
    if NOTED_IN.replace(process) != process && END.with(|_| ()).is_some() {
        threads().users.push(this_thread());
    }
}

/// Dropped when a thread of the host ends.
#[derive(Default)]
struct ThreadEnd;

/// Ids of running threads of this process.
#[derive(Default)]
struct Threads {
    /// The library's.
    ours: Vec<libc::pid_t>,
    /// Number of the library's that were started and do not run yet.
    starting: usize,
    /// The host's that have used the library.
    users: Vec<libc::pid_t>,
}

static THREADS: PerProcess<Mutex<Threads>> = PerProcess::new();

fn threads() -> MutexGuard<'static, Threads> {
    THREADS
        .get(|_| Mutex::default())
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

/// Exists from the start of a thread of the library to its end. It counts before the thread runs, because the last
/// thread of the host may end in between.
pub(super) struct OwnThread {
    /// `None`: it does not run yet.
    id: Option<libc::pid_t>,
}

impl OwnThread {
    pub(super) fn starting() -> OwnThread {
        threads().starting += 1;
        OwnThread { id: None }
    }

    /// Called on the thread when it runs.
    pub(super) fn begin(&mut self) {
        NOTED_IN.set(this_process());
        let id = this_thread();
        let mut threads = threads();
        threads.starting -= 1;
        threads.ours.push(id);
        self.id = Some(id);
    }
}

impl Drop for OwnThread {
    fn drop(&mut self) {
        match self.id {
            Some(own) => threads().ours.retain(|id| *id != own),
            None => threads().starting -= 1,
        }
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

/// Whether the main thread has ended but the process has not. `None`: /proc does not show the
/// threads.
fn main_thread_has_ended() -> Option<bool> {
    let main = main_thread();
    let status =
        super::beside_stdio(|| fs::read_to_string(format!("/proc/self/task/{main}/stat"))).ok()?;
    // The format is `17 (name, with any characters) Z ...`.
    let (_, rest) = status.rsplit_once(") ")?;
    Some(rest.starts_with(['Z', 'X']))
}

impl Drop for ThreadEnd {
    fn drop(&mut self) {
        let this = this_thread();
        threads().users.retain(|id| *id != this);
        start_watching();
    }
}

/// Whether the library has threads other than `this`, and no thread of the host is known whose end
/// will be noticed. The host may have other threads, which have not used the library.
fn is_needed(this: libc::pid_t) -> bool {
    let threads = threads();
    let has_ours = threads.starting > 0 || threads.ours.iter().any(|id| *id != this);
    threads.users.is_empty() && has_ours
}

/// Starts the thread that watches for the end of the host's threads, if it is needed.
fn start_watching() {
    /// The process in which a thread watches.
    static WATCHED: AtomicU32 = AtomicU32::new(0);

    if !is_needed(this_thread()) {
        return;
    }
    let process = this_process();
    if WATCHED.swap(process, Ordering::Relaxed) == process {
        return;
    }
    let watched = spawn("esales-signals", Stack::Ours, || {
        let has_watched = watch();
        WATCHED.store(0, Ordering::Relaxed);
        // The last user may have ended between the last look and the store.
        if has_watched.is_some() {
            start_watching();
        }
    });
    if watched.is_err() {
        WATCHED.store(0, Ordering::Relaxed);
    }
}

/// How long the watching thread waits before it looks again. The first waits are short, for a
/// thread that is about to end.
const FIRST_WAIT: Duration = Duration::from_millis(1);
const LONGEST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait while the main thread runs, as it usually does as long as the process.
const LONGEST_WAIT_FOR_MAIN: Duration = Duration::from_secs(2);

/// Unblocks all signals in this thread while the host has no thread, as long as this is needed.
/// When this is the last thread, the process ends as it would without the library. `None`: it is
/// not possible here.
fn watch() -> Option<()> {
    let this = this_thread();
    let mut wait = FIRST_WAIT;
    while is_needed(this) {
        let longest = match main_thread_has_ended()? {
            true => {
                let others = others(this)?;
                let ours = threads().ours.clone();
                let result = match others.iter().all(|id| ours.contains(id)) {
                    true => signals::open_all(),
                    false => signals::block_all(),
                };
                result.ok()?;
                LONGEST_WAIT
            }
            false => LONGEST_WAIT_FOR_MAIN,
        };
        std::thread::sleep(wait);
        wait = (wait * 2).min(longest);
    }
    Some(())
}

/// The threads of this process, except `this` and the main thread, which has ended. `None`: /proc
/// does not show them.
fn others(this: libc::pid_t) -> Option<Vec<libc::pid_t>> {
    let main = main_thread();
    let listed = super::beside_stdio(|| fs::read_dir("/proc/self/task")).ok()?;
    let ids = listed.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Some(ids.filter(|id| *id != this && *id != main).collect())
}
