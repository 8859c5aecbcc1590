//! All changes of files by the log. Tests can interrupt them here.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use crate::host;

/// Appends all bytes with one system call, or fails. Bytes that were written before a failure stay
/// as the beginning of a line.
pub(super) fn append(file: &File, bytes: &[u8]) -> io::Result<()> {
    let room = may_change(bytes.len())?;
    let written = host::append(file, bytes.get(..room).unwrap_or(bytes))?;
    #[cfg(test)]
    tests_only::appended(file);
    if written == bytes.len() {
        return Ok(());
    }
    may_change(1)?;
    // Only another write returns the reason. The rest of the line must not be written, because
    // another process may have written meanwhile.
    match host::append(file, b"\n") {
        Err(e) => Err(e),
        Ok(_) => Err(io::ErrorKind::StorageFull.into()),
    }
}

/// Overwrites bytes of the file.
pub(super) fn overwrite(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    may_change(1)?;
    host::guard_file_size(|| file.write_all_at(bytes, offset))
}

/// Makes a new file for appending, with mode 0600 whatever the umask is.
pub(super) fn create(path: &Path) -> io::Result<File> {
    may_change(1)?;
    host::open_file(
        OpenOptions::new()
            .read(true)
            .append(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW),
        path,
    )
}

pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    may_change(1)?;
    fs::rename(from, to)
}

pub(super) fn remove(path: &Path) -> io::Result<()> {
    may_change(1)?;
    fs::remove_file(path)
}

/// Syncs the file: returns when the appended bytes are on the disk.
pub(super) fn sync(file: &File) -> io::Result<()> {
    may_change(1)?;
    #[cfg(test)]
    tests_only::synced(file);
    file.sync_data()
}

#[cfg(not(test))]
#[inline]
fn may_change(cost: usize) -> io::Result<usize> {
    Ok(cost)
}

#[cfg(test)]
fn may_change(cost: usize) -> io::Result<usize> {
    tests_only::spend(cost)
}

/// Simulated crashes and power cuts for the calling thread.
#[cfg(test)]
pub(super) mod tests_only {
    use std::cell::{Cell, RefCell};
    use std::fs::File;
    use std::io;

    thread_local! {
        static BUDGET: Cell<Option<usize>> = const { Cell::new(None) };
        /// The appended files, and how many bytes of each are on the disk. `None`: power cuts are not simulated.
        static UNSYNCED: RefCell<Option<Vec<(File, u64)>>> = const { RefCell::new(None) };
    }

    /// Simulates a crash after this number of bytes and other changes: from then on no file is
    /// changed. `None`: no crash.
    pub(crate) fn crash_after(budget: Option<usize>) {
        BUDGET.set(budget);
    }

    pub(crate) fn has_crashed() -> bool {
        BUDGET.get() == Some(0)
    }

    pub(super) fn spend(cost: usize) -> io::Result<usize> {
        match BUDGET.get() {
            None => Ok(cost),
            Some(0) => Err(io::Error::other("crashed")),
            Some(left) => {
                BUDGET.set(Some(left.saturating_sub(cost)));
                Ok(cost.min(left))
            }
        }
    }

    /// Starts to record which bytes are on the disk.
    pub(crate) fn expect_power_cut() {
        UNSYNCED.set(Some(Vec::new()));
    }

    pub(super) fn appended(file: &File) {
        UNSYNCED.with_borrow_mut(|files| {
            let Some(files) = files else { return };
            if !files.iter().any(|(known, _)| is_same(known, file)) {
                files.push((file.try_clone().unwrap(), 0));
            }
        });
    }

    pub(super) fn synced(file: &File) {
        UNSYNCED.with_borrow_mut(|files| {
            for (known, length) in files.iter_mut().flatten() {
                if is_same(known, file) {
                    *length = file.metadata().unwrap().len();
                }
            }
        });
    }

    fn is_same(a: &File, b: &File) -> bool {
        use std::os::unix::fs::MetadataExt;
        let (a, b) = (a.metadata().unwrap(), b.metadata().unwrap());
        (a.dev(), a.ino()) == (b.dev(), b.ino())
    }

    /// Removes all bytes that were not synced.
    pub(crate) fn cut_power() {
        for (file, length) in UNSYNCED.take().into_iter().flatten() {
            file.set_len(length).unwrap();
        }
    }
}
