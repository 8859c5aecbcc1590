//! Shares one `fdatasync` between all waiting calls. It runs on a separate thread, so that no call
//! waits past its deadline for a disk that hangs.

use std::fs::File;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::directory::DirectoryNames;
use super::disk;
use crate::host::{self, Stack};

/// The thread ends after this time without work.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// A file, and the calls that wait for a sync of it.
#[derive(Debug)]
pub(super) struct SharedFile {
    pub(super) file: File,
    names: DirectoryNames,
    state: Mutex<SyncState>,
    asked: Condvar,
    synced: Condvar,
}

#[derive(Debug, Default)]
struct SyncState {
    has_thread: bool,
    /// Whether the name of the file is on the disk.
    has_name: bool,
    /// Number of requested syncs, and number of answered ones.
    asked: u64,
    answered: u64,
    /// All requests up to this one failed.
    failed_upto: u64,
    error: Option<i32>,
}

impl SharedFile {
    pub(super) fn new(file: File, names: DirectoryNames) -> SharedFile {
        SharedFile {
            file,
            names,
            state: Mutex::default(),
            asked: Condvar::new(),
            synced: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, SyncState> {
        host::lock(&self.state)
    }

    /// Returns when everything that was appended before the call is on the disk. `TimedOut`: it may
    /// get there later.
    pub(super) fn sync(self: &Arc<Self>, deadline: Instant) -> io::Result<()> {
        let mut state = self.lock();
        state.asked += 1;
        let ticket = state.asked;
        // In unit tests the simulated disk belongs to the calling thread.
        if cfg!(test) || !self.has_thread(&mut state) {
            state = self.sync_now(state);
        }
        self.asked.notify_one();
        loop {
            if state.answered >= ticket {
                return match state.error {
                    Some(code) if ticket <= state.failed_upto => {
                        Err(io::Error::from_raw_os_error(code))
                    }
                    _ => Ok(()),
                };
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            (state, _) = self
                .synced
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether there is a sync thread; starts one if there is none.
    fn has_thread(self: &Arc<Self>, state: &mut SyncState) -> bool {
        if !state.has_thread {
            let file = Arc::clone(self);
            let started = host::spawn("esales-sync", Stack::Ours, move || file.keep_syncing());
            state.has_thread = started.is_ok();
        }
        state.has_thread
    }

    fn keep_syncing(&self) {
        let mut state = self.lock();
        loop {
            if state.asked > state.answered {
                state = self.sync_now(state);
                continue;
            }
            let (guard, waited) = self
                .asked
                .wait_timeout(state, IDLE_TIMEOUT)
                .unwrap_or_else(PoisonError::into_inner);
            state = guard;
            if waited.timed_out() && state.asked == state.answered {
                state.has_thread = false;
                return;
            }
        }
    }

    /// Syncs for all requests so far.
    fn sync_now<'a>(&'a self, state: MutexGuard<'a, SyncState>) -> MutexGuard<'a, SyncState> {
        let (upto, has_name) = (state.asked, state.has_name);
        drop(state);
        let named = if has_name { Ok(()) } else { self.names.sync() };
        let is_named = named.is_ok();
        let synced = named.and_then(|()| disk::sync(&self.file));
        let mut state = self.lock();
        state.has_name |= is_named;
        state.answered = state.answered.max(upto);
        if let Err(e) = synced {
            state.failed_upto = upto;
            state.error = Some(e.raw_os_error().unwrap_or(libc::EIO));
        }
        self.synced.notify_all();
        state
    }
}
