//! One `fdatasync` for all who wait for one.

use std::fs::File;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::disk;

/// A file, and who waits for a sync of it.
#[derive(Debug)]
pub(super) struct SharedFile {
    pub(super) file: File,
    state: Mutex<SyncState>,
    synced: Condvar,
}

#[derive(Debug, Default)]
struct SyncState {
    is_syncing: bool,
    /// How many have asked, and how many of them are answered.
    asked: u64,
    answered: u64,
    /// Those up to here got an error.
    failed_upto: u64,
    error: Option<i32>,
}

impl SharedFile {
    pub(super) fn new(file: File) -> SharedFile {
        SharedFile {
            file,
            state: Mutex::default(),
            synced: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, SyncState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when everything appended before the call is on the disk. `TimedOut`: it may yet be.
    pub(super) fn sync(&self, deadline: Instant) -> io::Result<()> {
        let mut state = self.lock();
        state.asked += 1;
        let ticket = state.asked;
        loop {
            if state.answered >= ticket {
                return match state.error {
                    Some(code) if ticket <= state.failed_upto => {
                        Err(io::Error::from_raw_os_error(code))
                    }
                    _ => Ok(()),
                };
            }
            if !state.is_syncing {
                state.is_syncing = true;
                let upto = state.asked;
                drop(state);
                let synced = disk::sync(&self.file);
                state = self.lock();
                state.is_syncing = false;
                state.answered = state.answered.max(upto);
                if let Err(e) = synced {
                    state.failed_upto = upto;
                    state.error = Some(e.raw_os_error().unwrap_or(libc::EIO));
                }
                self.synced.notify_all();
                continue;
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
}
