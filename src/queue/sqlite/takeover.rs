//! From the inbox into the tables, and what may go into the inbox.

use std::io;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::counters;
use super::inbox::{self, Appended, HEADER, Inbox};
use super::rows::{self, begin, signed, unsigned};
use super::{Failure, Open, busy, file};
use crate::config::QueueSettings;
use crate::host;
use crate::log;
use crate::queue::spool::NewItem;

/// How much an inbox grows before it is taken over by those who append, should nobody else do it, and then replaced.
const GROWTH: u64 = 1 << 20;
/// How far from the limits appending ends, so that processes that append at the same time stay within them. What others
/// put into the tables meanwhile (`durability` = `disk`, or what was tried before) is not seen before the inbox has grown
/// by `GROWTH`, or is taken over: by so much the limits may then be exceeded.
const SPARE_ITEMS: u64 = 1024;
const SPARE_BYTES: u64 = 1 << 20;
/// How often it is looked whether the spool is still where it was.
const LOOK: Duration = Duration::from_millis(50);

/// The spool when it was last looked into: from it follows how long the inbox may get.
#[derive(Debug)]
pub(super) struct Seen {
    /// How much of the inbox was taken over then.
    offset: u64,
    /// The last generation of which the spool knew.
    generation: u64,
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
            generation: 0,
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

    /// Takes over what is in the inbox and not yet in the tables; whether there was something. An inbox that has lost its
    /// place is then closed.
    pub(super) fn take_over(&mut self, spool: &Path) -> Result<bool, Failure> {
        let mut has_taken = false;
        while let Some(inbox) = &self.inbox {
            let (length, is_in_place) = inbox.state()?;
            if is_in_place && length == self.seen.offset {
                break;
            }
            let (was_something, has_more) = self.take_piece(spool)?;
            has_taken |= was_something;
            if !has_more {
                break;
            }
            if busy::is_over() {
                return Err(Failure::Busy);
            }
        }
        Ok(has_taken)
    }

    /// Takes over what is read at once: whether there was something, and whether there is more.
    fn take_piece(&mut self, spool: &Path) -> Result<(bool, bool), Failure> {
        let Some(inbox) = &self.inbox else {
            return Ok((false, false));
        };
        let tx = begin(&mut self.connection)?;
        // Only now: whoever makes an inbox for a missing one looks for its generation in a transaction too.
        let (length, is_in_place) = inbox.state()?;
        let (generation, offset) = place(&tx)?;
        let start = if generation == inbox.generation {
            offset
        } else if !is_in_place {
            // Replaced, or deleted by hand: others then went on without its end.
            match inbox.is_marked()? {
                true => u64::MAX,
                false => self.seen.offset.max(HEADER),
            }
        } else if generation < inbox.generation {
            HEADER
        } else {
            // It was taken over whole, and replaced; then a power loss took the name of the next one.
            u64::MAX
        };
        let read = inbox.read(start)?;
        let mut destinations = Arc::clone(&self.destinations);
        for (origin, item) in &read.records {
            let destination = rows::destination_of(&tx, &mut destinations, &item.url)?;
            rows::insert(&tx, None, item, *origin, destination)?;
        }
        // Also if a power loss took its end, or it from its place: what comes next must not count as taken over. The
        // place of one that is in use is not given up for one that has lost its place.
        let is_ours = is_in_place || generation == inbox.generation;
        if read.end != start && is_ours {
            set_place(&tx, (inbox.generation, read.end))?;
        }
        let (counts, bytes) = counters::counts(&tx)?;
        tx.commit()?;
        self.destinations = destinations;
        self.seen = Seen {
            offset: read.end,
            generation: generation.max(inbox.generation),
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
        let was_something = !read.records.is_empty();
        if !is_in_place && !read.has_more {
            // Others that have it open, too, need not take over the same.
            if was_something && let Err(e) = inbox.mark() {
                log::warn(|| format!("what an inbox that was deleted held may be sent twice: {e}"));
            }
            self.inbox = None;
        } else if is_in_place
            && !read.has_more
            && (start > length || read.end > GROWTH)
            && let Err(e) = self.replace_inbox(spool, false)
        {
            // It can be used as it is.
            log::warn(|| format!("no new inbox: {}", e.into_error(spool)));
        }
        Ok((was_something, read.has_more))
    }

    /// Begins a new inbox, if all of this one was taken over and nobody is appending; whether it did.
    pub(super) fn replace_inbox(&mut self, spool: &Path, erases: bool) -> Result<bool, Failure> {
        let Some(inbox) = &mut self.inbox else {
            return Ok(false);
        };
        let Seen {
            offset,
            generation,
            at,
            ..
        } = self.seen;
        let Some(next) = inbox.replace(spool, offset, generation, erases)? else {
            return Ok(false);
        };
        self.inbox = Some(next);
        // Nothing goes in before the tables have been asked how far this one was taken over.
        self.seen = Seen {
            at,
            ..Seen::nothing()
        };
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

    /// Whether the inbox holds anything: what was taken over, or what somebody left unfinished.
    pub(super) fn has_used_inbox(&self) -> bool {
        let is_used = |inbox: &Inbox| inbox.state().map_or(true, |(length, _)| length > HEADER);
        self.inbox.as_ref().is_some_and(is_used)
    }
}

/// Generation of the inbox that was last taken over, and how far.
pub(super) fn place(connection: &Connection) -> rusqlite::Result<(u64, u64)> {
    connection
        .prepare_cached("SELECT inbox_generation, inbox_offset FROM total")?
        .query_row([], |r| Ok((unsigned(r.get(0)?), unsigned(r.get(1)?))))
}

/// Records how far which inbox was taken over. Also for a new spool that goes on where the old one was.
pub(super) fn set_place(connection: &Connection, place: (u64, u64)) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE total SET inbox_generation = ?1, inbox_offset = ?2")?
        .execute(params![signed(place.0), signed(place.1)])
        .map(drop)
}

impl Inbox {
    /// The inbox of a spool that was just opened.
    pub(super) fn of(
        connection: &Connection,
        spool: &Path,
        may_change: bool,
    ) -> Result<Option<Inbox>, Failure> {
        let opened = Inbox::open(spool, may_change)?;
        if opened.is_some() || !may_change {
            return Ok(opened);
        }
        // The spool may not have heard of the last one, if somebody deleted it: no two may be of one generation.
        let [a, b, c, d, ..] = host::random().map_err(io::Error::other)?;
        let step = 2 + u64::from(u32::from_le_bytes([a, b, c, d]));
        let tx = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        let (last, _) = place(&tx)?;
        let made = Inbox::make(spool, last, step)?;
        tx.commit()?;
        Ok(Some(made))
    }
}
