//! The spool in an SQLite file, shared by any number of processes.
//!
//! An enqueue goes into the `inbox`, a file beside it, and from there into the tables when somebody next looks.
//!
//! Two connections a process: one for those who put in and ask, one for the drainer, so that neither waits for the
//! other's work. What happens to the file under our feet (deleted, replaced, damaged) is noticed at the next call.

mod busy;
mod counters;
mod file;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzz;
mod group;
mod inbox;
mod operator;
mod receipts;
mod rescue;
mod rows;
mod schema;
mod settle;
mod takeover;
#[cfg(test)]
pub(super) mod tests;

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};

pub(crate) use file::check;
pub use operator::SpoolFile;

use inbox::Inbox;
use takeover::Seen;

use super::gate::{Gate, millis};
use super::spool::{Destination, Item, NewItem, Settlement, Spool, Totals};
use super::too_many;
use crate::config::QueueSettings;
use crate::deadline_lock::DeadlineLock;
use crate::host;
use crate::log;
use crate::status::{Error, Receipt, Status};

/// How long the drainer, and questions, wait for other processes.
const PATIENCE: Duration = Duration::from_secs(5);

const BUSY: &str = "other processes kept it busy for too long";

/// Why the spool could not do it.
#[derive(Debug)]
pub(super) enum Failure {
    Sqlite(rusqlite::Error),
    Io(io::Error),
    /// Other processes held it past the deadline.
    Busy,
    /// Not a spool that this version can use; it is left alone.
    Foreign(String),
}

impl From<rusqlite::Error> for Failure {
    fn from(e: rusqlite::Error) -> Failure {
        Failure::Sqlite(e)
    }
}

impl From<io::Error> for Failure {
    fn from(e: io::Error) -> Failure {
        Failure::Io(e)
    }
}

impl Failure {
    fn is_damage(&self) -> bool {
        matches!(self, Failure::Sqlite(e) if matches!(
            e.sqlite_error_code(),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
        ))
    }

    fn is_busy(&self) -> bool {
        match self {
            Failure::Busy => true,
            Failure::Sqlite(e) => matches!(
                e.sqlite_error_code(),
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
            ),
            _ => false,
        }
    }

    fn is_full_disk(&self) -> bool {
        match self {
            Failure::Sqlite(e) => e.sqlite_error_code() == Some(ErrorCode::DiskFull),
            Failure::Io(e) => e.kind() == io::ErrorKind::StorageFull,
            _ => false,
        }
    }

    fn into_error(self, path: &Path) -> Error {
        if self.is_full_disk() {
            let words = format!("spool {}: the disk is full", path.display());
            return Error::new(Status::SpoolFailed, words);
        }
        let words = match &self {
            Failure::Busy => BUSY.to_owned(),
            Failure::Sqlite(_) if self.is_busy() => BUSY.to_owned(),
            Failure::Sqlite(e) => e.to_string(),
            Failure::Io(e) => e.to_string(),
            Failure::Foreign(words) => words.clone(),
        };
        Error::new(
            Status::SpoolFailed,
            format!("spool {}: {words}", path.display()),
        )
    }
}

/// An open connection, and what is known of the file behind it.
#[derive(Debug)]
pub(super) struct Open {
    connection: Connection,
    file: file::Identity,
    log: file::Log,
    destinations: Arc<HashMap<Arc<str>, i64>>,
    /// This process in the table of those who accepted.
    origin: Option<i64>,
    accepted: u64,
    /// `None` only for an operator, and between one inbox and the next.
    inbox: Option<Inbox>,
    seen: Seen,
    /// The disk had no room to take over what is in the inbox.
    is_behind: bool,
}

#[derive(Debug)]
pub(crate) struct SqliteSpool {
    path: PathBuf,
    is_operators: bool,
    settings: QueueSettings,
    producer: DeadlineLock<Option<Open>>,
    drainer: DeadlineLock<Option<Open>>,
    locks: Arc<file::Locks>,
    is_leading: AtomicBool,
    data_version: AtomicI64,
    /// How far the drainer had taken over the inbox when it last kept house.
    inbox_offset: AtomicU64,
    /// Whether the drainer has taken something over since it was last asked.
    has_taken_over: AtomicBool,
    group: Option<group::Group>,
    myself: Weak<SqliteSpool>,
}

impl SqliteSpool {
    /// `path` comes from [`check`]. Nothing is opened yet.
    ///
    /// An operator who looks makes no file and sets none aside: a name may be a slip.
    pub(crate) fn new(
        path: PathBuf,
        settings: &QueueSettings,
        is_operators: bool,
    ) -> Arc<SqliteSpool> {
        host::tell_processes_apart();
        Arc::new_cyclic(|myself| SqliteSpool {
            locks: file::locks(&path),
            path,
            is_operators,
            producer: DeadlineLock::new(None),
            drainer: DeadlineLock::new(None),
            is_leading: AtomicBool::new(false),
            data_version: AtomicI64::new(-1),
            inbox_offset: AtomicU64::new(0),
            has_taken_over: AtomicBool::new(false),
            group: settings.is_synced.then(group::Group::default),
            settings: settings.clone(),
            myself: myself.clone(),
        })
    }

    /// Opens the file, makes it if need be, and sets a damaged one aside. `old` is the connection that found it
    /// deleted, replaced, or (`is_damaged`) unreadable; what it still holds goes into the file that is there now,
    /// whoever made it. An error: the old connection is to be kept, for it may be the only one that has it.
    fn open(
        &self,
        mut old: Option<&mut Open>,
        is_damaged: bool,
        is_synced: bool,
        deadline: Instant,
    ) -> Result<Open, Failure> {
        let path = &self.path;
        self.locks.while_opening(path, deadline, || {
            if let Some(old) = &mut old
                && !rescue::is_moved(&old.connection)
                && let Err(e) = old.take_over(path)
            {
                // The new one takes it over, unless it was deleted as well.
                log::warn(|| format!("the inbox: {}", e.into_error(path)));
            }
            if is_damaged && old.as_ref().is_some_and(|o| o.is_current(path)) {
                file::set_aside(path)?;
            }
            if let Some(old) = &old {
                file::part_from(path, &old.log)?;
            }
            file::prepare(path, !self.is_operators)?;
            let mut identity = file::identity(path)?;
            let mut opened = schema::connect(path, is_synced);
            if opened.as_ref().is_err_and(Failure::is_damage)
                && !self.is_operators
                && file::looks_like_ours(path)
            {
                file::set_aside(path)?;
                file::prepare(path, true)?;
                identity = file::identity(path)?;
                opened = schema::connect(path, is_synced);
            }
            let mut connection = opened?;
            if file::identity(path)? != identity {
                return Err(io::Error::other("it was replaced just now").into());
            }
            if let Some(old) = old
                && old.file != identity
                && !self.is_operators
            {
                rescue::rescue(old, &mut connection)?;
                schema::sync(&connection, is_synced)?;
            }
            let inbox = Inbox::of(&connection, path, !self.is_operators)?;
            file::close_to_others(path)?;
            Ok(Open {
                connection,
                file: identity,
                log: file::log_of(path),
                destinations: Arc::default(),
                origin: None,
                accepted: 0,
                inbox,
                seen: Seen::nothing(),
                is_behind: false,
            })
        })
    }

    fn with<T>(
        &self,
        slot: &DeadlineLock<Option<Open>>,
        is_synced: bool,
        deadline: Instant,
        mut work: impl FnMut(&mut Open) -> rusqlite::Result<T>,
    ) -> Result<T, Failure> {
        let done = slot.with(deadline, |slot| {
            busy::set_deadline(deadline);
            let (mut is_damaged, mut was_damaged) = (false, false);
            let mut was_full = false;
            loop {
                if is_damaged || !slot.as_ref().is_some_and(|o| o.is_current(&self.path)) {
                    if slot.is_some() && !is_damaged {
                        log::error(|| {
                            format!(
                                "the spool {} was deleted or replaced while it was in use",
                                self.path.display()
                            )
                        });
                    }
                    let opened = self.open(slot.as_mut(), is_damaged, is_synced, deadline)?;
                    if slot.replace(opened).is_some() {
                        self.has_taken_over.store(true, Ordering::Relaxed);
                    }
                    is_damaged = false;
                }
                let Some(open) = slot.as_mut() else {
                    return Err(Failure::Busy);
                };
                let taken = self.take_over(open, deadline);
                // Before the work: what is done must not be done again.
                if open.is_behind && !std::mem::replace(&mut was_full, true) && open.empty_log() {
                    continue;
                }
                match taken.and_then(|()| work(open).map_err(Failure::from)) {
                    Err(e)
                        if e.is_full_disk()
                            && !std::mem::replace(&mut was_full, true)
                            && open.empty_log() => {}
                    Err(e) if e.is_damage() && !was_damaged && !self.is_operators => {
                        (is_damaged, was_damaged) = (true, true);
                    }
                    // Another process has just taken what this file held into the one that took its place.
                    Err(_) if !open.is_current(&self.path) && Instant::now() < deadline => {}
                    result => return result,
                }
            }
        });
        done.unwrap_or(Err(Failure::Busy))
    }

    /// So that whatever is asked is asked of everything that was accepted.
    fn take_over(&self, open: &mut Open, deadline: Instant) -> Result<(), Failure> {
        let taken = open.take_over(&self.path);
        open.is_behind = taken.as_ref().is_err_and(Failure::is_full_disk);
        if open.is_behind {
            // What is in the tables can be asked for, and delivered, all the same.
            return Ok(());
        }
        if taken? {
            self.has_taken_over.store(true, Ordering::Relaxed);
        }
        if open.inbox.is_none() && !self.is_operators {
            open.inbox = self.locks.while_opening(&self.path, deadline, || {
                Inbox::of(&open.connection, &self.path, true)
            })?;
            open.seen = Seen::nothing();
            return self.take_over(open, deadline);
        }
        Ok(())
    }

    /// Replaces the inbox of this connection's, if it was taken over whole and holds something; whether it holds
    /// nothing now.
    fn renew_inbox(
        &self,
        slot: &DeadlineLock<Option<Open>>,
        erases: bool,
        deadline: Instant,
    ) -> Result<bool, Error> {
        let renewed = slot.with(deadline, |slot| match slot {
            Some(open) if open.has_used_inbox() => open.replace_inbox(&self.path, erases),
            _ => Ok(true),
        });
        renewed
            .unwrap_or(Err(Failure::Busy))
            .map_err(|failure| failure.into_error(&self.path))
    }

    /// For an erasure: overwrites what is left in the inbox; false if others kept it in use.
    fn erase_inbox(&self, deadline: Instant) -> Result<bool, Error> {
        loop {
            self.ask(deadline, |_| Ok(()))?;
            if self.renew_inbox(&self.producer, true, deadline)? {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            std::thread::yield_now();
        }
    }

    /// For those who put in and ask.
    fn ask<T>(
        &self,
        deadline: Instant,
        work: impl FnMut(&mut Open) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        self.with(&self.producer, self.settings.is_synced, deadline, work)
            .map_err(|failure| failure.into_error(&self.path))
    }

    /// The same for those who take no answer in time as an answer: `None`.
    fn ask_in_time<T>(
        &self,
        deadline: Instant,
        work: impl FnMut(&mut Open) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Error> {
        match self.with(&self.producer, self.settings.is_synced, deadline, work) {
            Ok(answer) => Ok(Some(answer)),
            Err(failure) if failure.is_busy() => {
                log::warn(|| failure.into_error(&self.path).to_string());
                Ok(None)
            }
            Err(failure) => Err(failure.into_error(&self.path)),
        }
    }

    /// For the drainer. It never waits for an fsync: what it loses in a power cut is sent once more.
    fn drain<T>(&self, work: impl FnMut(&mut Open) -> rusqlite::Result<T>) -> Result<T, Error> {
        self.with(&self.drainer, false, Instant::now() + PATIENCE, work)
            .map_err(|failure| failure.into_error(&self.path))
    }

    /// The short way in, where it is open.
    fn append(&self, item: &NewItem, deadline: Instant) -> Result<bool, Error> {
        let appended = self.producer.with(deadline, |slot| match slot {
            Some(open) => open.append(&self.path, &self.settings, item),
            None => Ok(false),
        });
        match appended.unwrap_or(Err(Failure::Busy)) {
            // There may be room in the log.
            Err(e) if e.is_full_disk() => Ok(false),
            done => done,
        }
        .map_err(|failure| failure.into_error(&self.path))
    }

    fn write(&self, items: &[NewItem], deadline: Instant) -> Vec<Result<(), Error>> {
        match self.ask(deadline, |open| rows::push(open, &self.settings, items)) {
            Ok(accepted) => accepted
                .into_iter()
                .map(|ok| {
                    if ok {
                        Ok(())
                    } else {
                        Err(too_many(&self.settings))
                    }
                })
                .collect(),
            Err(e) => items.iter().map(|_| Err(e.clone())).collect(),
        }
    }

    fn write_groups(&self) {
        if let Some(group) = &self.group {
            group.run(|items, deadline| self.write(items, deadline));
        }
    }
}

impl Spool for SqliteSpool {
    fn push(&self, item: NewItem, deadline: Instant) -> Result<(), Error> {
        match &self.group {
            Some(group) => group.push(&self.myself, item, deadline),
            None => match self.append(&item, deadline) {
                Ok(true) => Ok(()),
                Ok(false) => self.write(&[item], deadline).pop().unwrap_or(Ok(())),
                Err(e) => Err(e),
            },
        }
    }

    fn lead(&self) -> Result<bool, Error> {
        let already = self.is_leading.load(Ordering::Relaxed);
        let leads = self
            .locks
            .lead(&self.path, already)
            .map_err(|e| Failure::Io(e).into_error(&self.path))?;
        self.is_leading.store(leads, Ordering::Relaxed);
        Ok(leads)
    }

    fn resign(&self) {
        if self.is_leading.swap(false, Ordering::Relaxed)
            && let Err(e) = self.locks.resign()
        {
            log::warn(|| format!("spool {}: {e}", self.path.display()));
        }
    }

    fn destinations(&self) -> Result<Vec<Destination>, Error> {
        self.drain(|open| rows::destinations(&open.connection))
    }

    fn gate(&self, url: &str, deadline: Instant) -> Result<Gate, Error> {
        let all = self.ask(deadline, |open| rows::destinations(&open.connection))?;
        let found = all.into_iter().find(|d| &*d.url == url);
        Ok(found.map_or_else(Gate::default, |d| d.gate))
    }

    fn set_gate(&self, url: &str, gate: Gate) -> Result<(), Error> {
        self.drain(|open| rows::set_gate(&open.connection, url, gate))
    }

    fn oldest(
        &self,
        url: &str,
        now: u64,
        limit: usize,
        skip: &HashSet<i64>,
    ) -> Result<Vec<Item>, Error> {
        self.drain(|open| rows::oldest(&mut open.connection, url, now, limit, skip))
    }

    fn overdue(&self, before: u64, skip: &HashSet<i64>) -> Result<Vec<Item>, Error> {
        self.drain(|open| rows::overdue(&mut open.connection, before, skip))
    }

    fn settle(&self, settlements: &[Settlement]) -> Result<(), Error> {
        self.drain(|open| settle::settle(&mut open.connection, &self.settings, settlements))
    }

    fn has_changed(&self) -> bool {
        let version = self.drain(|open| {
            open.connection
                .prepare_cached("PRAGMA data_version")?
                .query_row([], |r| r.get::<_, i64>(0))
        });
        let has_taken_over = self.has_taken_over.swap(false, Ordering::Relaxed);
        // A spool that fails is looked at again.
        version.map_or(true, |v| {
            self.data_version.swap(v, Ordering::Relaxed) != v || has_taken_over
        })
    }

    fn maintain(&self, now: u64) -> Result<(), Error> {
        let before = now.saturating_sub(millis(self.settings.receipt_retention));
        self.drain(|open| {
            // First: it makes room in the log, also on a full disk. PASSIVE: nobody waits for it.
            open.connection
                .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
            receipts::forget(&open.connection, before)?;
            Ok(open.inbox_offset())
        })
        .and_then(|offset| {
            // Not while it grows. A spool that is deleted by hand should not leave an inbox of what was long delivered.
            if self.inbox_offset.swap(offset, Ordering::Relaxed) == offset {
                self.renew_inbox(&self.drainer, false, Instant::now() + PATIENCE)?;
            }
            Ok(())
        })
    }

    fn totals(&self, deadline: Instant) -> Result<Totals, Error> {
        self.ask(deadline, |open| {
            counters::totals(&open.connection, open.origin, open.accepted)
        })
    }

    fn receipt(&self, id: &str, now: u64) -> Result<Option<Receipt>, Error> {
        self.ask(Instant::now() + PATIENCE, |open| {
            receipts::receipt(&open.connection, id, now, self.settings.receipt_retention)
        })
    }

    fn mark(&self, deadline: Instant) -> Result<Option<i64>, Error> {
        self.ask_in_time(deadline, |open| {
            if open.is_behind {
                // What is in the inbox has no place yet that a mark could stand behind.
                let full = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL);
                return Err(rusqlite::Error::SqliteFailure(full, None));
            }
            open.connection
                .query_row("SELECT last_seq FROM now", [], |r| r.get(0))
        })
    }

    fn is_settled(&self, mark: i64, deadline: Instant) -> Result<bool, Error> {
        let is_settled = self.ask_in_time(deadline, |open| {
            if open.is_behind && mark == i64::MAX {
                // What is in the inbox stands behind every other mark.
                return Ok(false);
            }
            open.connection
                .prepare_cached("SELECT NOT EXISTS(SELECT 1 FROM item WHERE seq <= ?1)")?
                .query_row([mark], |r| r.get(0))
        })?;
        Ok(is_settled.unwrap_or(false))
    }
}
