//! The log engine: a spool in a directory, made for use within other programs' processes.
//! src/spool/log/FORMAT.md describes its files byte by byte.
//!
//! Producers only append notifications to *segments*. The one drainer, the *leader*, reads the
//! segments, keeps a *journal* of the outcome of each record, and deletes completed segments. All
//! other processes read both.

mod backup;
mod dead;
mod directory;
pub(crate) mod disk;
mod draft;
#[cfg(any(test, fuzzing))]
#[path = "../../../fuzz/entries/spool.rs"]
pub(crate) mod fuzz;
mod items;
mod journal;
mod leader;
mod lease;
pub(crate) mod line;
mod lock;
pub(crate) mod operator;
mod origin_queue;
mod outage;
mod producer;
mod reader;
mod reading;
mod receipts;
pub(crate) mod record;
mod repeats;
mod room;
mod state;
mod sync;
#[cfg(test)]
mod tests;
mod view;

use std::collections::{BTreeMap, HashSet};
use std::fs::OpenOptions;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub(crate) use directory::check;
pub(crate) use outage::{Outage, OutageFile};

use super::{Gate, Inlet, Ledger, NewItem, Outlet, Position, Totals};
use crate::host::DeadlineLock;
use crate::host::log;
use crate::host::{self, Timestamp};
use crate::options::QueueSettings as Settings;
use crate::outcome::{Error, Receipt, Status};
use directory::SpoolDirectory;
use lease::Watch;
use producer::{Producer, Refusal};
use view::View;

const SEGMENT: &str = "segment-";
const SEGMENT_END: &str = ".log";
const JOURNAL: &str = "journal-";
const DEAD: &str = "dead-";
const RECEIPTS: &str = "receipts-";
const DAMAGED: &str = "damaged-";
const DAMAGED_FILE: &str = "damaged-lines.log";
const LEASE: &str = "lease";
const LOCK: &str = "lock";
const OUTAGE: &str = "outage";

/// Size of a segment at which the next one begins.
const SEGMENT_SIZE: u64 = 4 << 20;
/// A leader loses the lease if its heartbeat stops for this time.
const LEASE_TIME: Duration = Duration::from_secs(5);
/// How long a superseded segment is still read. A producer that was stopped for longer checks after
/// its write.
const GRACE: Duration = Duration::from_secs(2);
/// How long a producer may count before it appends the notifications of a lost segment again.
const RESCUE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the leader waits for the lock of the directory.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The detail of an item that `overflow=drop_oldest` dropped.
const MADE_ROOM: &str = "dropped to make room for newer notifications";

const BUSY: &str = "other processes kept it busy for too long";

fn segment_name(number: u32) -> String {
    format!("{SEGMENT}{number:010}{SEGMENT_END}")
}

/// The error for the caller.
fn failed(path: &Path, e: io::Error) -> Error {
    let reason = match e.raw_os_error() {
        Some(libc::ENOSPC) => "the disk is full".to_owned(),
        Some(libc::EDQUOT) => "the disk quota is used up".to_owned(),
        Some(libc::EFBIG) => "the limit on the size of files (ulimit -f) is reached".to_owned(),
        _ if e.kind() == io::ErrorKind::StorageFull => "the disk is full".to_owned(),
        _ if e.kind() == io::ErrorKind::TimedOut && e.get_ref().is_none() => BUSY.to_owned(),
        _ => e.to_string(),
    };
    let detail = format!("spool {}: {reason}", path.display());
    Error::caused_by(Status::SpoolFailed, detail, e)
}

/// The result of a read; `None`: the deadline passed before.
fn in_time<T>(read: Option<io::Result<T>>) -> io::Result<Option<T>> {
    match read.transpose() {
        Err(e) if e.kind() == io::ErrorKind::TimedOut => Ok(None),
        read => read,
    }
}

/// Overwrites lines, each given by the offset of its line feed and its length without it, with
/// blanks that form a valid line.
fn erase_lines(directory: &SpoolDirectory, name: &str, lines: &[(u64, usize)]) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let file = directory.open_file(OpenOptions::new().read(true).write(true), name)?;
    for (offset, length) in lines {
        let found = reader::line_at(&file, *offset)?.unwrap_or_default();
        let payload = match line::decode(&found) {
            line::Line::Sound(payload) => record::erased(payload),
            _ => vec![b' '; length.saturating_sub(line::HEAD)],
        };
        let mut blank = Vec::new();
        line::encode(&mut blank, |out| out.extend_from_slice(&payload));
        blank.truncate(length + 1);
        disk::overwrite(&file, &blank, *offset)?;
    }
    disk::sync(&file)
}

/// The directory, the producer, and the producer's view of the limits.
type Inlets = (Option<Arc<SpoolDirectory>>, Producer, View);

/// A spool in a directory, for one producer and reader.
#[derive(Debug)]
pub(crate) struct LogSpool {
    path: PathBuf,
    settings: Settings,
    /// Whether the directory may be made. False for an operator, who may have misspelt the path.
    creates: bool,
    id: u64,
    /// Number of notifications that this handle accepted.
    accepted: AtomicU64,
    inlet: DeadlineLock<Inlets>,
    ledger: DeadlineLock<View>,
    watch: DeadlineLock<Watch>,
}

/// Opens an existing spool for an operator.
pub(crate) fn existing(path: PathBuf, settings: &Settings) -> Result<LogSpool, Error> {
    let spool = LogSpool::new(path, settings, false)?;
    spool.found_directory()?;
    Ok(spool)
}

impl LogSpool {
    /// `path` comes from [`check`]. This opens no file.
    pub(crate) fn new(
        path: PathBuf,
        settings: &Settings,
        creates: bool,
    ) -> Result<LogSpool, Error> {
        let id = super::new_producer()?;
        Ok(LogSpool {
            path,
            settings: settings.clone(),
            creates,
            id,
            accepted: AtomicU64::new(0),
            inlet: DeadlineLock::new((None, Producer::new(id), View::default())),
            ledger: DeadlineLock::new(View::default()),
            watch: DeadlineLock::new(Watch::default()),
        })
    }

    fn failed(&self, e: io::Error) -> Error {
        failed(&self.path, e)
    }

    fn busy(&self) -> Error {
        self.failed(io::ErrorKind::TimedOut.into())
    }

    /// Opens the directory for reading. `None`: the spool does not exist yet.
    fn directory(&self) -> Result<Option<SpoolDirectory>, Error> {
        match SpoolDirectory::open(&self.path, false) {
            Ok(directory) => Ok(Some(directory)),
            Err(e) if e.kind() == io::ErrorKind::NotFound && self.has_folder() => Ok(None),
            Err(e) => Err(self.failed(e)),
        }
    }

    fn has_folder(&self) -> bool {
        self.path.parent().is_none_or(Path::exists)
    }

    /// Reads with the cached view. Returns `T::default()` if the spool does not exist yet.
    fn read<T: Default>(
        &self,
        deadline: Instant,
        work: impl FnOnce(&SpoolDirectory, &mut View) -> io::Result<T>,
    ) -> Result<T, Error> {
        let Some(directory) = self.directory()? else {
            return Ok(T::default());
        };
        self.ledger
            .with(deadline, |view| work(&directory, view))
            .ok_or_else(|| self.busy())?
            .map_err(|e| self.failed(e))
    }

    /// Opens the directory, and opens it again if it was deleted or moved. This is checked only if `is_look_due`.
    fn open_inlet<'a>(
        &self,
        inlet: &'a mut Inlets,
        is_look_due: bool,
    ) -> io::Result<(&'a Arc<SpoolDirectory>, &'a mut Producer, &'a mut View)> {
        if is_look_due
            && let Some(directory) = &inlet.0
            && !directory.is_current()?
        {
            log::error(|| {
                format!(
                    "the spool {} was deleted or moved while it was in use; a new one begins",
                    self.path.display()
                )
            });
            Self::leave(inlet);
        }
        let (slot, producer, view) = inlet;
        let directory = match slot {
            Some(directory) => directory,
            None => slot.insert(Arc::new(SpoolDirectory::open(&self.path, self.creates)?)),
        };
        Ok((directory, producer, view))
    }

    /// After the directory was deleted: appends the last notifications to the new one.
    fn leave((slot, producer, view): &mut Inlets) {
        *slot = None;
        producer.leave();
        *view = View::default();
    }

    /// Appends notifications again whose file was removed right after the write.
    fn rescue_last(&self, deadline: Instant) {
        self.inlet.with(deadline, |inlet| {
            let (slot, producer, _) = &inlet;
            let is_current = || {
                slot.as_ref()
                    .is_some_and(|p| p.is_current().unwrap_or(true))
            };
            if !producer.has_news() || !producer.has_lost_its_segment() && is_current() {
                return;
            }
            let rescued = self
                .open_inlet(inlet, true)
                .and_then(|(directory, producer, view)| {
                    let now = host::uptime().unwrap_or_default();
                    // Accepted notifications must not be lost because of a short deadline.
                    let deadline = host::deadline_after(RESCUE_TIMEOUT);
                    producer.poll_spool(directory, view, &self.settings, now, deadline)
                });
            if let Err(e) = rescued {
                let e = self.failed(e);
                log::error(|| format!("the notifications accepted last may be lost: {e}"));
            }
        });
    }

    fn append(&self, item: &NewItem, may_exceed: bool, deadline: Instant) -> Result<(), Refusal> {
        let appended = self.inlet.with(deadline, |inlet| {
            let mut is_second = false;
            loop {
                let is_look_due = inlet.1.is_look_due();
                let (directory, producer, view) = self.open_inlet(inlet, is_look_due)?;
                let pushed =
                    producer.push(directory, view, &self.settings, item, may_exceed, deadline);
                match pushed {
                    // The directory was deleted.
                    Err(Refusal::Io(e)) if e.kind() == io::ErrorKind::NotFound && !is_second => {
                        is_second = true;
                        Self::leave(inlet);
                    }
                    Err(refusal) => return Err(refusal),
                    Ok(file) => return Ok(file),
                }
            }
        });
        let file = appended.unwrap_or(Err(Refusal::Io(io::ErrorKind::TimedOut.into())))?;
        if !self.settings.is_synced() {
            return Ok(());
        }
        // Without the lock, so that others can append meanwhile and share the sync.
        if let Err(e) = file.sync(deadline) {
            self.inlet.with(deadline, |(slot, producer, _)| {
                if let Some(directory) = slot {
                    producer.give_up_segment(directory);
                }
            });
            let reason = match e.kind() {
                io::ErrorKind::TimedOut => BUSY.to_owned(),
                _ => e.to_string(),
            };
            return Err(Refusal::Io(io::Error::other(format!(
                "written, but not confirmed by the disk ({reason}): it may yet be accepted"
            ))));
        }
        Ok(())
    }
}

impl Drop for LogSpool {
    fn drop(&mut self) {
        self.rescue_last(Instant::now());
    }
}

impl LogSpool {
    /// Items above the limits, which count as dropped: the leader drops the oldest as soon as it
    /// reads the newest. Returns positions and producers.
    fn overflow(
        &self,
        directory: &SpoolDirectory,
        view: &View,
        sight: &mut view::Sight,
        deadline: Instant,
    ) -> io::Result<BTreeMap<Position, u64>> {
        let limits = &self.settings;
        let mut dropped = BTreeMap::new();
        // Only a push drops the oldest: notifications that an operator enqueues again may exceed
        // the limits.
        if !limits.drops_oldest || sight.counts.accepted == view.state.sums.accepted {
            return Ok(dropped);
        }
        let is_over = |sight: &view::Sight| {
            sight.counts.pending > limits.max_items || sight.pending_bytes > limits.max_bytes
        };
        if !is_over(sight) {
            return Ok(dropped);
        }
        let from = view.state.completed_to();
        items::each_item(directory, &view.state, from, deadline, |item| {
            if !is_over(sight) {
                return ControlFlow::Break(());
            }
            if item.is_pending {
                dropped.insert(item.at, item.new.producer);
                sight.counts.pending -= 1;
                sight.counts.dropped += 1;
                let bytes = item.new.body.len() as u64;
                sight.pending_bytes = sight.pending_bytes.saturating_sub(bytes);
            }
            ControlFlow::Continue(())
        })?;
        Ok(dropped)
    }
}

impl Inlet for LogSpool {
    fn push(&self, item: &NewItem, deadline: Instant) -> Result<(), Error> {
        self.push_or_make_room(item, deadline)?;
        self.accepted.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

impl LogSpool {
    fn push_or_make_room(&self, item: &NewItem, deadline: Instant) -> Result<(), Error> {
        let refusal = match self.append(item, false, deadline) {
            Ok(()) => return Ok(()),
            Err(Refusal::NeedsRoom) => {
                let directory = self.directory()?.map(Arc::new);
                let led = directory.map(|directory| {
                    let mut watch = Watch::default();
                    let leader = leader::lead(&directory, &self.settings, &mut watch, deadline)?;
                    // If another process is the leader, it drops the oldest when it reads this
                    // notification.
                    if let Some(mut leader) = leader {
                        let now = item.accepted;
                        let bytes = item.body.len() as u64;
                        let made = leader.make_room_for(bytes, now);
                        super::Lease::release(Box::new(leader));
                        made?;
                    }
                    Ok(())
                });
                led.transpose().map_err(|e: io::Error| self.failed(e))?;
                match self.append(item, true, deadline) {
                    Ok(()) => return Ok(()),
                    Err(refusal) => refusal,
                }
            }
            Err(refusal) => refusal,
        };
        Err(match refusal {
            Refusal::Full | Refusal::NeedsRoom => {
                super::full(self.settings.max_items, self.settings.max_bytes)
            }
            Refusal::Io(e) => self.failed(e),
        })
    }
}

impl Outlet for LogSpool {
    fn acquire(&self, deadline: Instant) -> Result<Option<Box<dyn super::Lease>>, Error> {
        let directory = match SpoolDirectory::open(&self.path, self.creates) {
            Ok(directory) => Arc::new(directory),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(self.failed(e)),
        };
        let led = self.watch.with(deadline, |watch| {
            leader::lead(&directory, &self.settings, watch, deadline)
        });
        let leader = led
            .ok_or_else(|| self.busy())?
            .map_err(|e| self.failed(e))?;
        Ok(leader.map(|leader| Box::new(leader) as Box<dyn super::Lease>))
    }
}

impl Ledger for LogSpool {
    fn totals(&self, deadline: Instant) -> Result<Totals, Error> {
        self.rescue_last(deadline);
        self.read(deadline, |directory, view| {
            let mut sight = view.read_all(directory, deadline)?;
            let dropped = self.overflow(directory, view, &mut sight, deadline)?;
            let oldest = match dropped.is_empty() {
                true => items::oldest_pending(directory, &view.state)?.or(view.oldest_unread),
                false => items::first_pending_behind(directory, &view.state, &dropped, deadline)?,
            };
            let mut process = view
                .state
                .producers
                .get(&self.id)
                .map(|s| s.counts())
                .unwrap_or_default();
            // Even if the spool has discarded this producer's counters because of many newer
            // producers.
            process.accepted = self.accepted.load(Ordering::Relaxed);
            process.dropped += dropped.values().filter(|id| **id == self.id).count() as u64;
            let ended = process.delivered + process.dead + process.expired + process.dropped;
            process.pending = process.accepted.saturating_sub(ended);
            Ok(Totals {
                spool: sight.counts,
                process,
                pending_bytes: sight.pending_bytes,
                oldest,
                lost: 0,
                recent: receipts::recent(directory)?,
            })
        })
    }

    fn gate(&self, origin: &str, deadline: Instant) -> Result<Gate, Error> {
        self.read(deadline, |directory, view| {
            view.read_journal(directory)?;
            Ok(view.state.gate(origin))
        })
    }

    fn receipt(
        &self,
        id: &str,
        now: Timestamp,
        deadline: Instant,
    ) -> Result<Option<Receipt>, Error> {
        let retention = self.settings.receipt_retention;
        self.read(deadline, |directory, view| {
            let mut sight = view.read_all(directory, deadline)?;
            let dropped = self.overflow(directory, view, &mut sight, deadline)?;
            if let Some(found) = items::find_pending(directory, &view.state, id, deadline)? {
                if dropped.contains_key(&found.item.position) {
                    return Ok(Some(receipts::dropped(&found.item, MADE_ROOM, now).receipt));
                }
                return Ok(Some(Receipt {
                    status: Status::Queued,
                    http_status: found.http_status,
                    attempts: found.item.attempts,
                    elapsed: now.since(found.item.accepted).length,
                    id: id.to_owned(),
                    detail: found.detail,
                }));
            }
            receipts::find(directory, id, now, retention, deadline)
        })
    }

    fn known(&self, ids: &HashSet<&str>, deadline: Instant) -> Result<HashSet<String>, Error> {
        self.read(deadline, |directory, _| receipts::known(directory, ids))
    }

    fn mark(&self, deadline: Instant) -> Result<Option<Position>, Error> {
        self.rescue_last(deadline);
        let Some(directory) = self.directory()? else {
            return Ok(Some(Position::default()));
        };
        let read = self.ledger.with(deadline, |view| {
            view.read_all(&directory, deadline)?;
            Ok(view.end)
        });
        in_time(read).map_err(|e| self.failed(e))
    }

    fn is_settled(&self, mark: Position, deadline: Instant) -> Result<bool, Error> {
        let Some(directory) = self.directory()? else {
            return Ok(true);
        };
        let read = self.ledger.with(deadline, |view| {
            let mut dropped = BTreeMap::new();
            if self.settings.drops_oldest {
                let mut sight = view.read_all(&directory, deadline)?;
                dropped = self.overflow(&directory, view, &mut sight, deadline)?;
            } else {
                view.read_journal(&directory)?;
            }
            view.is_settled(&directory, mark, &dropped, deadline)
        });
        Ok(in_time(read).map_err(|e| self.failed(e))?.unwrap_or(false))
    }
}
