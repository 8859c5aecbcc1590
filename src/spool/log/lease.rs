//! The lease of the leader: a lock on the file `lease`, and a heartbeat in the file.
//!
//! The lock ends with its process, however that ends. A child made by a raw clone may keep it; then
//! the process id in the file shows that the leader has ended. A leader that hangs keeps the lock,
//! but its heartbeat stops; another process then replaces the file. The epoch in the journal's name
//! fences off a leader that continues later.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::{Duration, Instant};

use super::directory::SpoolDirectory;
use super::line::{self, Line};
use super::{LEASE_TIME, disk};
use crate::host;

/// The interval of the heartbeat.
const HEARTBEAT: Duration = Duration::from_millis(500);

/// The content of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Holder {
    token: u64,
    beats: u64,
    /// The process id and its namespace; 0: unknown.
    process: u32,
    namespace: u64,
    /// A name for messages.
    name: String,
}

impl Holder {
    fn for_this_process(token: u64) -> Holder {
        Holder {
            token,
            beats: 0,
            process: std::process::id(),
            namespace: host::process_namespace(),
            name: host::process_name(""),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        line::encode(&mut out, |out| {
            for number in [self.token, self.beats, self.process.into(), self.namespace] {
                line::push_number(out, number);
                out.push(b'\t');
            }
            line::push_text(out, &self.name);
        });
        out
    }

    fn decode(bytes: &[u8]) -> Option<Holder> {
        let bytes = bytes.get(1..)?;
        let end = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
        let Line::Sound(payload) = line::decode(bytes.get(..end)?) else {
            return None;
        };
        let mut columns = payload.splitn(5, '\t');
        let mut number = || columns.next()?.parse::<u64>().ok();
        Some(Holder {
            token: number()?,
            beats: number()?,
            process: u32::try_from(number()?).ok()?,
            namespace: number()?,
            name: line::text(columns.next()?),
        })
    }

    /// Whether the process has certainly ended.
    fn has_ended(&self) -> bool {
        self.namespace != 0
            && self.namespace == host::process_namespace()
            && host::has_ended(self.process) == Some(true)
    }
}

fn read(file: &File) -> io::Result<Option<Holder>> {
    let mut bytes = [0; 512];
    let length = file.read_at(&mut bytes, 0)?;
    Ok(Holder::decode(bytes.get(..length).unwrap_or_default()))
}

/// The lease that this process holds.
#[derive(Debug)]
pub(super) struct Lease {
    /// The first field, so that it ends before the file is closed: a child would close another file of that number.
    _closed_in_children: host::ClosedInChildren,
    file: File,
    holder: Holder,
    last_beat: Instant,
}

/// The last heartbeat that a candidate has seen. It is timed with the candidate's own clock.
#[derive(Debug, Default)]
pub(super) struct Watch(Option<(Holder, Instant)>);

impl Watch {
    /// Whether the holder's heartbeat has not changed for the lease time.
    fn has_stopped(&mut self, holder: &Holder) -> bool {
        match &self.0 {
            Some((seen, since)) if seen == holder => since.elapsed() >= LEASE_TIME,
            _ => {
                self.0 = Some((holder.clone(), Instant::now()));
                false
            }
        }
    }
}

/// Takes the lease if it is free. `None`: another process, or another part of this one, holds it.
/// The directory must be locked.
pub(super) fn take(
    directory: &SpoolDirectory,
    watch: &mut Watch,
    has_journal: bool,
) -> io::Result<Option<Lease>> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    let file = match directory.open_file(&mut options, super::LEASE) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            drop(directory.create(&directory.file(super::LEASE))?);
            let file = directory.open_file(&mut options, super::LEASE)?;
            if has_journal {
                // The file was removed, and the last leader may still lead: it gets the lease time
                // to restore the file.
                let no_holder = Holder {
                    token: 1,
                    ..Holder::default()
                };
                disk::overwrite(&file, &no_holder.encode(), 0)?;
            }
            file
        }
        Err(e) => return Err(e),
    };
    let holder = read(&file)?.unwrap_or_default();
    let is_expired = is_expired();
    if let Some(locked) = Locked::new(file)? {
        if holder.token == 1 && !watch.has_stopped(&holder) {
            host::unlock(&locked.file)?;
            return Ok(None);
        }
        return locked.hold().map(Some);
    }
    if !(holder.has_ended() || watch.has_stopped(&holder) || is_expired) {
        return Ok(None);
    }
    let temporary = directory.temporary(super::LEASE);
    let _ = disk::remove(&temporary);
    drop(directory.create(&temporary)?);
    let Some(locked) = Locked::new(host::open_file(&options, &temporary)?)? else {
        return Ok(None);
    };
    let lease = locked.hold()?;
    disk::rename(&temporary, &directory.file(super::LEASE))?;
    Ok(Some(lease))
}

/// A file of a lease that this process has locked.
struct Locked {
    closed_in_children: host::ClosedInChildren,
    file: File,
}

impl Locked {
    /// `None`: another process, or another part of this one, has locked it.
    fn new(file: File) -> io::Result<Option<Locked>> {
        // Before it is locked: a child that is forked in between would keep the lock.
        let closed_in_children = host::close_in_children(&file)?;
        Ok(host::try_lock(&file)?.then_some(Locked {
            closed_in_children,
            file,
        }))
    }

    fn hold(self) -> io::Result<Lease> {
        let bytes =
            host::random().map_err(|_| io::Error::other("the system gives no random bytes"))?;
        // 0 and 1 have special meanings.
        let token =
            u64::from_le_bytes(std::array::from_fn(|i| bytes.get(i).copied().unwrap_or(0))) | 2;
        let mut lease = Lease {
            _closed_in_children: self.closed_in_children,
            file: self.file,
            holder: Holder::for_this_process(token),
            last_beat: Instant::now(),
        };
        lease.write()?;
        Ok(lease)
    }
}

impl Lease {
    fn write(&mut self) -> io::Result<()> {
        // Filled with blanks, because the last holder may have had a longer name.
        let mut content = self.holder.encode();
        content.extend_from_slice(b"\n");
        content.resize(content.len().max(256), b' ');
        disk::overwrite(&self.file, &content, 0)?;
        self.last_beat = Instant::now();
        Ok(())
    }

    /// Writes the heartbeat if it is due.
    pub(super) fn beat(&mut self) -> io::Result<()> {
        if self.last_beat.elapsed() < HEARTBEAT {
            return Ok(());
        }
        self.holder.beats += 1;
        self.write()
    }

    /// Whether the file still has its name, and so was not deleted.
    pub(super) fn has_name(&self) -> io::Result<bool> {
        Ok(self.file.metadata()?.nlink() > 0)
    }

    /// Restores the file after it was removed. False: another process is the leader. The directory
    /// must be locked.
    pub(super) fn restore(&mut self, directory: &SpoolDirectory) -> io::Result<bool> {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        let file = match directory.open_file(&mut options, super::LEASE) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                drop(directory.create(&directory.file(super::LEASE))?);
                directory.open_file(&mut options, super::LEASE)?
            }
            file => file?,
        };
        let Some(locked) = Locked::new(file)? else {
            return Ok(false);
        };
        *self = locked.hold()?;
        Ok(true)
    }

    pub(super) fn release(self) {
        // Before it is closed, because a child that inherited the descriptor would keep the lock.
        let _ = host::unlock(&self.file);
    }
}

/// The name of the leader. It takes no lock.
pub(super) fn leader(directory: &SpoolDirectory) -> io::Result<Option<String>> {
    let file = match directory.open_file(OpenOptions::new().read(true).write(true), super::LEASE) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    if !host::is_locked(&file)? {
        return Ok(None);
    }
    let holder = read(&file)?.unwrap_or_default();
    Ok((!holder.has_ended()).then_some(holder.name))
}

#[cfg(not(test))]
fn is_expired() -> bool {
    false
}

#[cfg(test)]
fn is_expired() -> bool {
    tests_only::take_expired()
}

#[cfg(test)]
pub(super) mod tests_only {
    use std::cell::Cell;

    thread_local! {
        static IS_EXPIRED: Cell<bool> = const { Cell::new(false) };
    }

    /// Makes the next candidate of this thread treat the present lease as expired.
    pub(crate) fn expire() {
        IS_EXPIRED.set(true);
    }

    pub(super) fn take_expired() -> bool {
        IS_EXPIRED.replace(false)
    }
}
