//! What a damaged, deleted or replaced spool still holds goes into the one that is in its place.
//!
//! Whoever has the old file open does it, the first of them for all: it holds the old one's write lock while it copies,
//! and then renames the table in which events wait. From then on nobody can put anything there, or take it out, and
//! the next who comes knows that it was done. A crash between the two commits makes duplicates, and loses nothing.

use std::collections::HashSet;

use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, Result, Row, Transaction, TransactionBehavior, params};

use super::counters::Delta;
use super::rows::{begin, destination, take};
use super::takeover::{place, set_place};
use super::{Failure, Open};
use crate::log;

/// Whether what this file held was taken over by the one that took its place.
pub(super) fn is_moved(connection: &Connection) -> bool {
    connection
        .query_row(
            "SELECT EXISTS(SELECT 1 FROM sqlite_schema WHERE name = 'moved')",
            [],
            |r| r.get(0),
        )
        .unwrap_or(false)
}

/// Copies what waits, and the dead letters, as far as they can be read; says so. They count as accepted by the new
/// spool, whose counters are its own. An error: nothing was copied, and the old one is still what it was.
///
/// The new connection waits for its disk from then on.
pub(super) fn rescue(old: &Open, new: &mut Connection) -> std::result::Result<(), Failure> {
    let inbox = old.shared_inbox();
    let old = &old.connection;
    let claim = match Transaction::new_unchecked(old, TransactionBehavior::Immediate) {
        Ok(claim) => Some(claim),
        Err(e) => {
            let e = Failure::from(e);
            if !e.is_damage() {
                return Err(e);
            }
            log::warn(|| "the old spool can only be read".to_owned());
            None
        }
    };
    if is_moved(old) {
        return Ok(());
    }
    // What the old one had promised to keep is not to be lost to a power cut in between.
    new.pragma_update(None, "synchronous", "FULL")?;
    let tx = begin(new)?;
    if let Some(inbox) = inbox
        && let Err(e) = adopt_place(old, &tx, inbox)
    {
        log::warn(|| format!("all of the inbox is taken over once more: {e}"));
    }
    settle_what_was_delivered(old, &tx)?;
    let mut copy = Copy::begin(&tx)?;
    let pending = copy.all(old, ITEMS, Copy::pending)?;
    let dead = copy.all(old, DEAD, Copy::dead)?;
    copy.end()?;
    let marked = claim
        .as_ref()
        .map(|c| c.execute_batch("ALTER TABLE item RENAME TO moved"));
    tx.commit()?;
    let marked = marked
        .unwrap_or(Ok(()))
        .and_then(|()| claim.map_or(Ok(()), Transaction::commit));
    if let Err(e) = marked {
        log::warn(|| {
            format!("the old spool cannot be closed, and may be taken over once more: {e}")
        });
    }
    log::warn(|| {
        format!(
            "{pending} waiting notifications and {dead} dead letters were taken over into the new spool"
        )
    });
    Ok(())
}

/// From which place of the inbox that they share, of this generation and length, the new spool goes on.
fn adopt_place(old: &Connection, tx: &Transaction<'_>, inbox: (u64, u64)) -> Result<()> {
    let (theirs, ours) = (place(old)?, place(tx)?);
    // Another generation, or a place behind the end, came with a file that was put in the old one's place.
    let is_of_this_inbox = ours.0 == inbox.0 && ours.1 <= inbox.1;
    if is_of_this_inbox && ours > theirs {
        return Ok(());
    }
    set_place(tx, theirs)
}

const ITEMS: &str = "
    SELECT seq, item.id, accepted_at, url, attempts, http_status, detail, body, not_before,
           length(CAST(body AS BLOB))
    FROM item JOIN destination ON destination.id = item.destination ORDER BY seq";
const DEAD: &str = "
    SELECT seq, dead.id, accepted_at, url, attempts, http_status, detail, body, died_at, status
    FROM dead JOIN destination ON destination.id = dead.destination ORDER BY seq";

/// What the new spool knows already: it may have read the inbox before it knew the old one's place in it.
const KNOWN: &str = "
    SELECT id, accepted_at FROM item UNION ALL SELECT id, accepted_at FROM dead
    UNION ALL SELECT id, settled_at - age_ms FROM receipt";
const DELIVERED: &str = "SELECT id, settled_at - age_ms FROM receipt WHERE status = 0";

/// An id, and when it was accepted: one event has one of each.
type Key = (Vec<u8>, i64);

fn key(row: &Row<'_>, first: usize) -> Option<Key> {
    let id = row.get_ref(first).ok()?.as_bytes().ok()?.to_vec();
    Some((id, row.get_ref(first + 1).ok()?.as_i64().ok()?))
}

fn keys(connection: &Connection, query: &str) -> Result<HashSet<Key>> {
    let mut statement = connection.prepare(query)?;
    let mut rows = statement.query([])?;
    let mut keys = HashSet::new();
    while let Some(row) = rows.next()? {
        keys.extend(key(row, 0));
    }
    Ok(keys)
}

/// Events that were delivered from the old spool, and came into the new one by the inbox, are not to be sent again.
fn settle_what_was_delivered(old: &Connection, tx: &Transaction<'_>) -> Result<()> {
    let delivered = keys(old, DELIVERED).unwrap_or_default();
    if delivered.is_empty() {
        return Ok(());
    }
    let mut statement = tx.prepare("SELECT seq, id, accepted_at FROM item")?;
    let mut rows = statement.query([])?;
    let mut seqs: Vec<i64> = Vec::new();
    while let Some(row) = rows.next()? {
        if key(row, 1).is_some_and(|k| delivered.contains(&k)) {
            seqs.push(row.get(0)?);
        }
    }
    let mut delta = Delta::default();
    for seq in seqs {
        if let Some(gone) = take(tx, seq, None, &mut delta)? {
            delta.count(gone.origin, |c| c.delivered += 1);
        }
    }
    delta.apply(tx)
}

/// The new spool's side of the copying.
struct Copy<'a> {
    tx: &'a Transaction<'a>,
    known: HashSet<Key>,
    accepted: i64,
    dead: i64,
    last_seq: i64,
    bytes_in: i64,
}

impl<'a> Copy<'a> {
    fn begin(tx: &'a Transaction<'a>) -> Result<Copy<'a>> {
        let known = keys(tx, KNOWN)?;
        let now = "SELECT accepted, last_seq, bytes_in FROM now";
        tx.query_row(now, [], |r| {
            Ok(Copy {
                tx,
                known,
                accepted: r.get(0)?,
                dead: 0,
                last_seq: r.get(1)?,
                bytes_in: r.get(2)?,
            })
        })
    }

    /// From both ends towards the page that cannot be read; returns how many were new.
    fn all(
        &mut self,
        old: &Connection,
        query: &str,
        put: fn(&mut Copy<'a>, &Row<'_>) -> Result<()>,
    ) -> Result<u64> {
        let mut copied = 0;
        let mut front = i64::MIN;
        for order in ["ASC", "DESC"] {
            let read = old.prepare(&format!("{query} {order}"));
            let ended = match read {
                Ok(mut statement) => {
                    let mut rows = statement.query([])?;
                    loop {
                        match rows.next() {
                            Ok(Some(row)) => {
                                let seq: i64 = row.get(0)?;
                                if order == "ASC" {
                                    front = seq;
                                } else if seq <= front {
                                    return Ok(copied);
                                }
                                if key(row, 1).is_some_and(|k| self.known.contains(&k)) {
                                    continue;
                                }
                                // An error here is the new spool's: nothing is taken over by halves.
                                put(self, row)?;
                                copied += 1;
                            }
                            Ok(None) => return Ok(copied),
                            Err(e) => break e,
                        }
                    }
                }
                Err(e) => e,
            };
            log::warn(|| format!("reading the old spool ended early: {ended}"));
        }
        Ok(copied)
    }

    /// The old place, if it is free: what is under way is settled under it.
    fn place_of(&mut self, row: &Row<'_>) -> Result<i64> {
        let old: i64 = row.get(0)?;
        let is_taken: bool = self
            .tx
            .prepare_cached(
                "SELECT EXISTS(SELECT 1 FROM item WHERE seq = ?1) OR EXISTS(SELECT 1 FROM dead WHERE seq = ?1)",
            )?
            .query_row([old], |r| r.get(0))?;
        let seq = if is_taken {
            self.last_seq.saturating_add(1)
        } else {
            old
        };
        self.last_seq = self.last_seq.max(seq);
        Ok(seq)
    }

    fn destination_of(&self, row: &Row<'_>) -> Result<i64> {
        let url = row.get_ref(3)?.as_bytes().unwrap_or_default();
        destination(self.tx, &String::from_utf8_lossy(url))
    }

    fn pending(&mut self, row: &Row<'_>) -> Result<()> {
        let (seq, destination) = (self.place_of(row)?, self.destination_of(row)?);
        // Counted in the one row at once: they may come from both ends.
        self.tx
            .prepare_cached("INSERT INTO item VALUES(?1, 0, 0, ?2, ?3, 0, ?4, ?5, ?6, ?7, ?8, ?9)")?
            .execute(params![
                seq,
                as_it_is(row, 1)?,
                destination,
                as_it_is(row, 2)?,
                as_it_is(row, 8)?,
                as_it_is(row, 4)?,
                as_it_is(row, 5)?,
                as_it_is(row, 6)?,
                as_it_is(row, 7)?,
            ])?;
        self.accepted = self.accepted.saturating_add(1);
        self.bytes_in = self.bytes_in.saturating_add(row.get(9)?);
        Ok(())
    }

    fn dead(&mut self, row: &Row<'_>) -> Result<()> {
        let (seq, destination) = (self.place_of(row)?, self.destination_of(row)?);
        self.tx
            .prepare_cached("INSERT INTO dead VALUES(?1, ?2, ?3, 0, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?
            .execute(params![
                seq,
                as_it_is(row, 1)?,
                destination,
                as_it_is(row, 2)?,
                as_it_is(row, 8)?,
                as_it_is(row, 4)?,
                as_it_is(row, 9)?,
                as_it_is(row, 5)?,
                as_it_is(row, 6)?,
                as_it_is(row, 7)?,
            ])?;
        self.accepted = self.accepted.saturating_add(1);
        self.dead += 1;
        Ok(())
    }

    fn end(self) -> Result<()> {
        self.tx
            .execute(
                "UPDATE total SET accepted = ?1, last_seq = ?2, bytes_in = ?3, dead = dead + ?4",
                params![self.accepted, self.last_seq, self.bytes_in, self.dead],
            )
            .map(drop)
    }
}

/// A value of whatever type: one that is no text costs no other row.
fn as_it_is<'a>(row: &'a Row<'_>, column: usize) -> Result<ToSqlOutput<'a>> {
    row.get_ref(column).map(ToSqlOutput::Borrowed)
}
