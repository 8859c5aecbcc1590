//! The spool in an SQLite file, shared by any number of processes.
//!
//! Two connections a process: one for those who put in and ask, one for the drainer, so that neither waits for the
//! other's work. What happens to the file under our feet (deleted, replaced, damaged) is noticed at the next call.

mod busy;
mod file;
mod group;
mod operator;
mod rescue;
mod rows;
mod schema;

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};

pub(crate) use file::check;
pub use operator::{DeadLetter, SpoolFile, SpoolReport};

use super::gate::{Gate, millis};
use super::spool::{Destination, Item, NewItem, Settlement, Spool, Totals};
use super::timed::Timed;
use super::too_many;
use crate::config::QueueSettings;
use crate::log;
use crate::status::{Error, Receipt, Status};

/// How long the drainer, and questions, wait for other processes.
const PATIENCE: Duration = Duration::from_secs(5);

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

    fn into_error(self, path: &Path) -> Error {
        let words = match &self {
            Failure::Busy => "other processes kept it busy for too long".to_owned(),
            Failure::Io(e) => e.to_string(),
            Failure::Foreign(words) => words.clone(),
            Failure::Sqlite(e) => match e.sqlite_error_code() {
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                    "other processes kept it busy for too long".to_owned()
                }
                Some(ErrorCode::DiskFull) => "the disk is full".to_owned(),
                _ => e.to_string(),
            },
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
    destinations: Arc<HashMap<Arc<str>, i64>>,
    /// This process in the table of those who accepted.
    origin: Option<i64>,
    accepted: u64,
}

#[derive(Debug)]
pub(crate) struct SqliteSpool {
    path: PathBuf,
    is_operators: bool,
    settings: QueueSettings,
    producer: Timed<Option<Open>>,
    drainer: Timed<Option<Open>>,
    locks: Arc<file::Locks>,
    is_leading: AtomicBool,
    data_version: AtomicI64,
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
        Arc::new_cyclic(|myself| SqliteSpool {
            locks: file::locks(&path),
            path,
            is_operators,
            producer: Timed::new(None),
            drainer: Timed::new(None),
            is_leading: AtomicBool::new(false),
            data_version: AtomicI64::new(-1),
            group: settings.is_synced.then(group::Group::default),
            settings: settings.clone(),
            myself: myself.clone(),
        })
    }

    /// Opens the file, makes it if need be, and sets a damaged one aside. `old` is the connection that found it
    /// deleted, replaced, or (`is_damaged`) unreadable; what it still holds goes into a file that is made anew.
    fn open(
        &self,
        old: Option<&Open>,
        is_damaged: bool,
        is_synced: bool,
        deadline: Instant,
    ) -> Result<Open, Failure> {
        let path = &self.path;
        self.locks.while_opening(path, deadline, || {
            let is_still_there = |o: &Open| file::identity(path).is_ok_and(|id| id == o.file);
            if is_damaged && old.is_some_and(is_still_there) {
                file::set_aside(path)?;
            }
            let mut is_new = file::prepare(path, !self.is_operators)?;
            let mut opened = schema::connect(path, is_synced);
            if opened.as_ref().is_err_and(Failure::is_damage)
                && !self.is_operators
                && file::looks_like_ours(path)
            {
                file::set_aside(path)?;
                is_new = file::prepare(path, true)?;
                opened = schema::connect(path, is_synced);
            }
            let mut connection = opened?;
            file::close_to_others(path)?;
            if let (true, Some(old)) = (is_new, old) {
                rescue::rescue(&old.connection, &mut connection)?;
            }
            Ok(Open {
                connection,
                file: file::identity(path)?,
                destinations: Arc::default(),
                origin: None,
                accepted: 0,
            })
        })
    }

    fn with<T>(
        &self,
        slot: &Timed<Option<Open>>,
        is_synced: bool,
        deadline: Instant,
        mut work: impl FnMut(&mut Open) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        let done = slot.with(deadline, |slot| {
            busy::set_deadline(deadline);
            let mut is_damaged = false;
            loop {
                let is_current = |o: &Open| file::identity(&self.path).is_ok_and(|id| id == o.file);
                if is_damaged || !slot.as_ref().is_some_and(is_current) {
                    if slot.is_some() && !is_damaged {
                        log::error(|| {
                            format!(
                                "the spool {} was deleted or replaced while it was in use",
                                self.path.display()
                            )
                        });
                    }
                    let opened = self.open(slot.as_ref(), is_damaged, is_synced, deadline)?;
                    *slot = Some(opened);
                }
                let Some(open) = slot.as_mut() else {
                    return Err(Failure::Busy);
                };
                match work(open).map_err(Failure::from) {
                    Err(e) if e.is_damage() && !is_damaged && !self.is_operators => {
                        is_damaged = true
                    }
                    result => return result,
                }
            }
        });
        done.unwrap_or(Err(Failure::Busy))
            .map_err(|failure| failure.into_error(&self.path))
    }

    /// For those who put in and ask.
    fn ask<T>(
        &self,
        deadline: Instant,
        work: impl FnMut(&mut Open) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        self.with(&self.producer, self.settings.is_synced, deadline, work)
    }

    /// For the drainer. It never waits for an fsync: what it loses in a power cut is sent once more.
    fn drain<T>(&self, work: impl FnMut(&mut Open) -> rusqlite::Result<T>) -> Result<T, Error> {
        self.with(&self.drainer, false, Instant::now() + PATIENCE, work)
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
            None => self.write(&[item], deadline).pop().unwrap_or(Ok(())),
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

    fn gate(&self, url: &str) -> Result<Gate, Error> {
        let deadline = Instant::now() + self.settings.enqueue_timeout;
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
        self.drain(|open| rows::oldest(&open.connection, url, now, limit, skip))
    }

    fn overdue(&self, before: u64, skip: &HashSet<i64>) -> Result<Vec<Item>, Error> {
        self.drain(|open| rows::overdue(&open.connection, before, skip))
    }

    fn settle(&self, settlements: &[Settlement]) -> Result<(), Error> {
        self.drain(|open| rows::settle(&mut open.connection, &self.settings, settlements))
    }

    fn has_changed(&self) -> bool {
        let version = self.drain(|open| {
            open.connection
                .pragma_query_value(None, "data_version", |r| r.get::<_, i64>(0))
        });
        // A spool that fails is looked at again.
        version.map_or(true, |v| self.data_version.swap(v, Ordering::Relaxed) != v)
    }

    fn maintain(&self, now: u64) -> Result<(), Error> {
        let before = now.saturating_sub(millis(self.settings.receipt_retention));
        self.drain(|open| {
            rows::forget(&open.connection, before)?;
            // PASSIVE: nobody waits for it.
            open.connection
                .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
        })
    }

    fn totals(&self, deadline: Instant) -> Result<Totals, Error> {
        self.ask(deadline, |open| {
            rows::totals(&open.connection, open.origin, open.accepted)
        })
    }

    fn receipt(&self, id: &str, now: u64) -> Result<Option<Receipt>, Error> {
        self.ask(Instant::now() + PATIENCE, |open| {
            rows::receipt(&open.connection, id, now)
        })
    }

    fn mark(&self, deadline: Instant) -> Result<i64, Error> {
        self.ask(deadline, |open| {
            open.connection
                .query_row("SELECT last_seq FROM now", [], |r| r.get(0))
        })
    }

    fn is_settled(&self, mark: i64, deadline: Instant) -> Result<bool, Error> {
        self.ask(deadline, |open| {
            open.connection
                .prepare_cached("SELECT NOT EXISTS(SELECT 1 FROM item WHERE seq <= ?1)")?
                .query_row([mark], |r| r.get(0))
        })
    }
}
