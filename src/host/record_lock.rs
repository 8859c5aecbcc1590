//! Locks between processes that end with the process that holds them, however it ends.
//!
//! POSIX record locks, and not `flock`: a forked child must not inherit them, or a dead parent's lock would live on
//! in a child that never heard of it. Their trap is that closing any descriptor of the file gives all of them up;
//! so a process opens a lock file once and keeps it open.

use std::fs::{File, Metadata};
use std::io;
use std::os::fd::AsRawFd;

/// A file whose bytes can be locked, each on its own.
#[derive(Debug)]
pub(crate) struct RecordLocks(File);

impl RecordLocks {
    /// Those of an open file, which is from now on closed with them.
    pub(crate) fn of(file: File) -> RecordLocks {
        RecordLocks(file)
    }

    pub(crate) fn metadata(&self) -> io::Result<Metadata> {
        self.0.metadata()
    }

    /// Whether this process now holds the byte. It always gets what it holds already.
    pub(crate) fn try_lock(&self, byte: u8) -> io::Result<bool> {
        match self.set(byte, libc::F_WRLCK) {
            Ok(()) => Ok(true),
            Err(e) => match e.raw_os_error() {
                Some(libc::EACCES | libc::EAGAIN) => Ok(false),
                _ => Err(e),
            },
        }
    }

    pub(crate) fn unlock(&self, byte: u8) -> io::Result<()> {
        self.set(byte, libc::F_UNLCK)
    }

    fn set(&self, byte: u8, kind: libc::c_int) -> io::Result<()> {
        // SAFETY: flock is plain data, for which zero is a value.
        let mut lock: libc::flock = unsafe { std::mem::zeroed() };
        lock.l_type = kind as libc::c_short;
        lock.l_whence = libc::SEEK_SET as libc::c_short;
        lock.l_start = libc::off_t::from(byte);
        lock.l_len = 1;
        // SAFETY: the descriptor is open as long as self, and F_SETLK only reads `lock`.
        match unsafe { libc::fcntl(self.0.as_raw_fd(), libc::F_SETLK, &raw const lock) } {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }
}
