//! The lock of the directory. A process holds it while it becomes the leader, and a producer holds it for one append
//! when a limit is near.
//!
//! The lock ends with its process. If it does not, because a child made by a raw clone keeps it or
//! because the process was stopped, a waiting process replaces the lock file; the file contains the
//! process and the time. If the stopped process continues, it finds its lease lost, or appends one
//! notification above a limit.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::{Duration, Instant};

use super::directory::{LOCK_LENGTH as LENGTH, SpoolDirectory};
use super::line::{self, Line};
use super::{LEASE_TIME, disk};
use crate::host::{self, Timestamp};

/// The holder of the lock, and since when it holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Holder {
    process: u32,
    namespace: u64,
    since: Timestamp,
}

impl Holder {
    fn for_this_process() -> Holder {
        Holder {
            process: std::process::id(),
            namespace: host::process_namespace(),
            since: Timestamp::now(),
        }
    }

    fn encode(self) -> Vec<u8> {
        let mut out = Vec::new();
        line::encode(&mut out, |out| {
            for number in [
                self.process.into(),
                self.namespace,
                self.since.unix_ms,
                self.since.uptime_ms,
                self.since.boot.into(),
            ] {
                line::push_number(out, number);
                out.push(b'\t');
            }
        });
        out.push(b'\n');
        out.resize(LENGTH, b' ');
        out
    }

    fn decode(bytes: &[u8]) -> Option<Holder> {
        let bytes = bytes.get(1..)?;
        let end = memchr::memchr(b'\n', bytes)?;
        let Line::Sound(payload) = line::decode(bytes.get(..end)?) else {
            return None;
        };
        let mut columns = payload.split('\t');
        let mut number = || columns.next()?.parse::<u64>().ok();
        Some(Holder {
            process: u32::try_from(number()?).ok()?,
            namespace: number()?,
            since: Timestamp {
                unix_ms: number()?,
                uptime_ms: number()?,
                boot: u32::try_from(number()?).ok()?,
            },
        })
    }

    /// Whether the holder has ended or has held the lock too long.
    fn is_stale(&self) -> bool {
        let has_ended = self.namespace != 0
            && self.namespace == host::process_namespace()
            && host::has_ended(self.process) == Some(true);
        let age = Timestamp::now().since(self.since);
        has_ended || age.is_certain && age.length >= LEASE_TIME
    }
}

fn open(directory: &SpoolDirectory) -> io::Result<File> {
    let open = || directory.open_file(OpenOptions::new().read(true).write(true), super::LOCK);
    match open() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            directory.make_lock()?;
            open()
        }
        opened => opened,
    }
}

/// Runs `work` while no other process and no other thread of this process holds the lock.
pub(super) fn hold<T>(
    directory: &SpoolDirectory,
    deadline: Instant,
    work: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    let mut pause = Duration::from_micros(20);
    loop {
        let file = open(directory)?;
        // A forked child must not keep the lock if its parent is killed here.
        let _closed_in_children = host::close_in_children(&file)?;
        if host::try_lock(&file)? {
            let _unlocked = Unlocked(&file);
            if file.metadata()?.nlink() > 0 {
                // If the disk is full, the lock is held without this information.
                let _ = disk::overwrite(&file, &Holder::for_this_process().encode(), 0);
                return work();
            }
        } else {
            replace_if_stale(directory, &file)?;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(pause.min(left));
        pause = (pause * 2).min(Duration::from_millis(5));
    }
}

/// Removes the file of a stale lock, so that a new one is made.
fn replace_if_stale(directory: &SpoolDirectory, file: &File) -> io::Result<()> {
    let holder = |file: &File| -> io::Result<Option<Holder>> {
        let mut bytes = [0; LENGTH];
        let length = file.read_at(&mut bytes, 0)?;
        Ok(Holder::decode(bytes.get(..length).unwrap_or_default()))
    };
    let Some(seen) = holder(file)?.filter(Holder::is_stale) else {
        return Ok(());
    };
    // Only one process at a time removes it, and only if it is still the same file. This lock is
    // held very briefly.
    directory.with_directory_locked(|| {
        let is_same = |now: &File| -> io::Result<bool> {
            let (a, b) = (now.metadata()?, file.metadata()?);
            Ok((a.dev(), a.ino()) == (b.dev(), b.ino()) && holder(now)? == Some(seen))
        };
        let now = open(directory)?;
        if is_same(&now)? {
            disk::remove(&directory.file(super::LOCK))?;
        }
        Ok(())
    })
}

struct Unlocked<'a>(&'a File);

impl Drop for Unlocked<'_> {
    fn drop(&mut self) {
        let _ = host::unlock(self.0);
    }
}
