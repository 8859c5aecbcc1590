//! From the inbox into the tables, and what may go into the inbox.

use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use super::inbox::{self, Appended, HEADER, Inbox};
use super::rows::{self, begin, signed, unsigned};
use super::{Failure, Open, file};
use crate::config::QueueSettings;
use crate::log;
use crate::queue::spool::NewItem;

/// How much an inbox grows before it is taken over by those who append, should nobody else do it, and then replaced.
const GROWTH: u64 = 1 << 20;
/// How far from the limits appending ends, so that processes that append at the same time stay within them.
const SPARE_ITEMS: u64 = 1024;
const SPARE_BYTES: u64 = 1 << 20;
/// How often it is looked whether the spool is still where it was.
const LOOK: Duration = Duration::from_millis(50);

/// The spool when it was last looked into: from it follows how long the inbox may get.
#[derive(Debug)]
pub(super) struct Seen {
    /// How much of the inbox was taken over then.
    offset: u64,
    items: u64,
    bytes: u64,
    /// When the spool's file was last seen in its place.
    at: Instant,
}

impl Seen {
    /// Nothing yet.
    pub(super) fn nothing() -> Seen {
        Seen {
            offset: 0,
            items: u64::MAX,
            bytes: u64::MAX,
            at: Instant::now(),
        }
    }

    /// How long the inbox must and may be for a record with this body to be within the limits for certain: a record is longer
    /// than its body, and none is shorter than `SHORTEST`.
    fn expected(&self, limits: &QueueSettings, body: u64) -> Option<RangeInclusive<u64>> {
        let items = limits
            .max_items
            .checked_sub(SPARE_ITEMS)?
            .checked_sub(self.items)?;
        let bytes = limits
            .max_bytes
            .checked_sub(SPARE_BYTES + body)?
            .checked_sub(self.bytes)?;
        let growth = GROWTH.min(bytes).min(items.saturating_mul(inbox::SHORTEST));
        Some(self.offset..=self.offset + growth)
    }
}

impl Open {
    /// Appends a notification to the inbox; false if the spool must be asked whether it fits, or where it is.
    pub(super) fn append(
        &mut self,
        spool: &Path,
        limits: &QueueSettings,
        item: &NewItem,
    ) -> Result<bool, Failure> {
        if self.seen.at.elapsed() >= LOOK {
            if !self.is_current(spool) {
                return Ok(false);
            }
            self.seen.at = Instant::now();
        }
        let (Some(origin), Some(inbox)) = (self.origin, &mut self.inbox) else {
            return Ok(false);
        };
        let is_plain = item.attempts == 0 && item.detail.is_empty();
        let expected = self.seen.expected(limits, item.body.len() as u64);
        let (true, Some(expected)) = (is_plain, expected) else {
            return Ok(false);
        };
        let Some(record) = inbox::encode(item, origin) else {
            return Ok(false);
        };
        let is_done = inbox.append(&record, &expected)? == Appended::Done;
        self.accepted += u64::from(is_done);
        Ok(is_done)
    }

    /// Whether the spool's file is the one that is open.
    pub(super) fn is_current(&self, spool: &Path) -> bool {
        file::identity(spool).is_ok_and(|id| id == self.file)
    }

    /// Takes over what is in the inbox and not yet in the tables; whether there was something. An inbox that has no name
    /// any more is then closed.
    pub(super) fn take_over(&mut self, spool: &Path) -> Result<bool, Failure> {
        let Some(inbox) = &self.inbox else {
            return Ok(false);
        };
        let (length, has_name) = inbox.state()?;
        if has_name && length == self.seen.offset {
            return Ok(false);
        }
        let tx = begin(&mut self.connection)?;
        let start = match place(&tx)? {
            (generation, offset) if generation == inbox.generation => offset,
            (generation, _) if generation < inbox.generation => HEADER,
            // It was taken over whole, and replaced.
            _ => u64::MAX,
        };
        let read = inbox.read(start)?;
        let mut destinations = Arc::clone(&self.destinations);
        for (origin, item) in &read.records {
            let destination = rows::destination_of(&tx, &mut destinations, &item.url)?;
            rows::insert(&tx, None, item, *origin, destination)?;
        }
        if !read.records.is_empty() {
            tx.prepare_cached("UPDATE total SET inbox_generation = ?1, inbox_offset = ?2")?
                .execute(params![signed(inbox.generation), signed(read.end)])?;
        }
        let (counts, bytes) = rows::counts(&tx)?;
        tx.commit()?;
        self.destinations = destinations;
        self.seen = Seen {
            offset: read.end,
            items: counts.pending,
            bytes,
            at: self.seen.at,
        };
        if read.unfinished > 0 {
            log::warn(|| {
                let n = read.unfinished;
                format!(
                    "{n} unfinished records were found in the spool's inbox: a process was killed, or the disk was full"
                )
            });
        }
        if !has_name {
            self.inbox = None;
        } else if start > length || read.end > GROWTH {
            // The former: a power loss took what had been taken over. What comes next must not count as that.
            self.replace_inbox(spool, false)?;
        }
        Ok(!read.records.is_empty())
    }

    /// Begins a new inbox, if all of this one was taken over and nobody is appending; whether it did.
    pub(super) fn replace_inbox(&mut self, spool: &Path, erases: bool) -> Result<bool, Failure> {
        let Some(inbox) = &mut self.inbox else {
            return Ok(false);
        };
        let Some(next) = inbox.replace(spool, self.seen.offset, erases)? else {
            return Ok(false);
        };
        self.inbox = Some(next);
        self.seen.offset = HEADER;
        Ok(true)
    }

    /// Empties SQLite's log, which may be what fills the disk; whether it did.
    pub(super) fn empty_log(&self) -> bool {
        self.connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |r| r.get(0))
            .is_ok_and(|is_busy: bool| !is_busy)
    }

    /// Generation and length of the inbox that this connection takes from, if it still has a name.
    pub(super) fn shared_inbox(&self) -> Option<(u64, u64)> {
        let inbox = self.inbox.as_ref()?;
        let (length, has_name) = inbox.state().ok()?;
        has_name.then_some((inbox.generation, length))
    }

    /// How far the inbox was taken over.
    pub(super) fn inbox_offset(&self) -> u64 {
        self.seen.offset
    }

    /// Whether the inbox holds what was taken over.
    pub(super) fn has_used_inbox(&self) -> bool {
        self.inbox.is_some() && self.seen.offset > HEADER
    }
}

/// Generation of the inbox that was last taken over, and how far.
pub(super) fn place(connection: &Connection) -> rusqlite::Result<(u64, u64)> {
    connection
        .prepare_cached("SELECT inbox_generation, inbox_offset FROM total")?
        .query_row([], |r| Ok((unsigned(r.get(0)?), unsigned(r.get(1)?))))
}

/// Goes on where another spool's place was: a new spool, that takes over what the old one had.
pub(super) fn set_place(connection: &Connection, place: (u64, u64)) -> rusqlite::Result<()> {
    connection
        .execute(
            "UPDATE total SET inbox_generation = ?1, inbox_offset = ?2",
            params![signed(place.0), signed(place.1)],
        )
        .map(drop)
}

impl Inbox {
    /// The inbox of a spool that was just opened.
    pub(super) fn of(
        connection: &Connection,
        spool: &Path,
        may_change: bool,
    ) -> Result<Option<Inbox>, Failure> {
        let (last, _) = place(connection)?;
        Ok(Inbox::open(spool, last, may_change)?)
    }
}
