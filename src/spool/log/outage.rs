//! The file `outage` in a spool that is the fallback of an engine. It exists while the engine does not answer, so that
//! the processes of a machine share what one of them has found.
//!
//! Its content is only advice: a reader accepts any bytes, and a damaged file means that the next try is due.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::directory::SpoolDirectory;
use super::{OUTAGE, disk, lock};
use crate::host;

/// The length of the file: two numbers with leading zeros, a blank and a line feed.
const LENGTH: usize = 32;

/// What the processes know about an engine that does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Outage {
    /// When a call tries the engine again: time since the machine started.
    pub(crate) next_try: Duration,
    pub(crate) failures: u32,
}

impl Outage {
    fn encode(self) -> Vec<u8> {
        format!(
            "{:020} {:010}\n",
            host::millis(self.next_try),
            self.failures
        )
        .into_bytes()
    }

    /// `None`: not what `encode` wrote.
    fn decode(bytes: &[u8]) -> Option<Outage> {
        let (next_try, failures) = str::from_utf8(bytes).ok()?.trim_end().split_once(' ')?;
        Some(Outage {
            next_try: Duration::from_millis(next_try.parse().ok()?),
            failures: failures.parse().ok()?,
        })
    }

    fn read(file: &fs::File) -> io::Result<Outage> {
        let mut bytes = [0; LENGTH];
        let length = file.read_at(&mut bytes, 0)?;
        let read = bytes.get(..length).unwrap_or_default();
        Ok(Outage::decode(read).unwrap_or_default())
    }
}

/// The file of a spool, which may not exist.
#[derive(Debug)]
pub(crate) struct OutageFile {
    spool: PathBuf,
    file: PathBuf,
    /// Whether the spool may be made.
    creates: bool,
}

impl OutageFile {
    /// `spool` comes from [`super::check`].
    pub(crate) fn new(spool: &Path, creates: bool) -> OutageFile {
        OutageFile {
            spool: spool.to_owned(),
            file: spool.join(OUTAGE),
            creates,
        }
    }

    /// `None`: there is no outage. This is one system call, because every enqueue asks.
    pub(crate) fn read(&self) -> io::Result<Option<Outage>> {
        let read = || {
            fs::symlink_metadata(&self.file)?;
            let file = host::open_file(
                OpenOptions::new()
                    .read(true)
                    .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK),
                &self.file,
            )?;
            Outage::read(&file)
        };
        match read() {
            Ok(outage) => Ok(Some(outage)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Makes the file. False: it exists, and is not changed.
    pub(crate) fn begin(&self, outage: Outage) -> io::Result<bool> {
        let directory = SpoolDirectory::open(&self.spool, self.creates)?;
        match directory.create(&self.file) {
            // If this process is killed here, the file is empty, and a try is due.
            Ok(file) => disk::append(&file, &outage.encode()).map(|()| true),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Overwrites the file with what `change` makes of its content; only one process at a time does. False: `change`
    /// returned `None`, another process changes it at this moment, or the outage has ended.
    pub(crate) fn update(&self, change: impl FnOnce(Outage) -> Option<Outage>) -> io::Result<bool> {
        let directory = SpoolDirectory::open(&self.spool, false)?;
        let updated = lock::hold(&directory, Instant::now(), || {
            let file = directory.open_file(OpenOptions::new().read(true).write(true), OUTAGE)?;
            match change(Outage::read(&file)?) {
                Some(outage) => disk::overwrite(&file, &outage.encode(), 0).map(|()| true),
                None => Ok(false),
            }
        });
        match updated {
            Err(e) if [io::ErrorKind::TimedOut, io::ErrorKind::NotFound].contains(&e.kind()) => {
                Ok(false)
            }
            updated => updated,
        }
    }

    /// Removes the file. False: it did not exist.
    pub(crate) fn end(&self) -> io::Result<bool> {
        match disk::remove(&self.file) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
        }
    }
}
