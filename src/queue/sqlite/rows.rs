//! The statements: each function is one transaction, or one query.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rusqlite::{
    Connection, OptionalExtension, Result, Row, Transaction, TransactionBehavior, params,
};

use super::Open;
use crate::config::QueueSettings;
use crate::log;
use crate::queue::gate::{Gate, millis};
use crate::queue::spool::{Destination, Fate, Item, NewItem, RECENT, Settlement, Totals};
use crate::queue::stats::Counts;
use crate::queue::{dropped_to_make_room, unix_ms};
use crate::status::{Receipt, Status};

pub(super) fn begin(connection: &mut Connection) -> Result<Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

/// Inserts all that fit, in one transaction; says of each whether it did.
pub(super) fn push(
    open: &mut Open,
    limits: &QueueSettings,
    items: &[NewItem],
) -> Result<Vec<bool>> {
    if let ([item], Some(origin)) = (items, open.origin)
        && let Some(destination) = open.destinations.get(&item.url)
        && insert(&open.connection, Some(limits), item, origin, *destination)?
    {
        // One statement is a transaction by itself.
        open.accepted += 1;
        return Ok(vec![true]);
    }
    let (mut origin, mut known) = (open.origin, open.destinations.clone());
    let tx = begin(&mut open.connection)?;
    let mut accepted = Vec::with_capacity(items.len());
    for item in items {
        let origin = match origin {
            Some(origin) => origin,
            None => {
                tx.execute("INSERT INTO origin DEFAULT VALUES", [])?;
                *origin.insert(tx.last_insert_rowid())
            }
        };
        let destination = destination_of(&tx, &mut known, &item.url)?;
        accepted.push(loop {
            if insert(&tx, Some(limits), item, origin, destination)? {
                break true;
            }
            let can_fit = item.body.len() as i64 <= signed(limits.max_bytes);
            if !limits.drops_oldest || !can_fit || !drop_oldest(&tx, limits, item.accepted_at)? {
                break false;
            }
        });
    }
    tx.commit()?;
    open.origin = origin;
    open.destinations = known;
    open.accepted += accepted.iter().filter(|a| **a).count() as u64;
    Ok(accepted)
}

/// Inserts an item behind the last one, if it fits; an item without an id is none, and ignored.
pub(super) fn insert(
    connection: &Connection,
    limits: Option<&QueueSettings>,
    item: &NewItem,
    origin: i64,
    destination: i64,
) -> Result<bool> {
    let inserted = connection
        .prepare_cached(
            "INSERT OR IGNORE INTO item VALUES(
                (SELECT last_seq FROM now) + 1, (SELECT accepted FROM now) + 1, (SELECT bytes_in FROM now) + ?1,
                CASE WHEN (SELECT accepted - delivered - dead - expired - dropped FROM now) < ?2
                      AND (SELECT bytes_in - bytes_out FROM now) + ?1 <= ?3 THEN ?4 END,
                ?5, ?6, ?7, 0, ?8, NULL, ?9, ?10)",
        )?
        .execute(params![
            item.body.len() as i64,
            limits.map_or(i64::MAX, |l| signed(l.max_items)),
            limits.map_or(i64::MAX, |l| signed(l.max_bytes)),
            item.id,
            destination,
            origin,
            signed(item.accepted_at),
            item.attempts,
            item.detail,
            item.body
        ])?;
    Ok(inserted == 1)
}

/// The number of an address; a new one is known from the transaction's end on.
pub(super) fn destination_of(
    tx: &Transaction<'_>,
    known: &mut Arc<HashMap<Arc<str>, i64>>,
    url: &Arc<str>,
) -> Result<i64> {
    if let Some(id) = known.get(url) {
        return Ok(*id);
    }
    let id = destination(tx, url)?;
    Arc::make_mut(known).insert(Arc::clone(url), id);
    Ok(id)
}

pub(super) fn destination(tx: &Transaction<'_>, url: &str) -> Result<i64> {
    tx.execute("INSERT OR IGNORE INTO destination(url) VALUES(?1)", [url])?;
    tx.query_row("SELECT id FROM destination WHERE url = ?1", [url], |r| {
        r.get(0)
    })
}

fn drop_oldest(tx: &Transaction<'_>, limits: &QueueSettings, now: u64) -> Result<bool> {
    let oldest = tx
        .prepare_cached(
            "SELECT seq, id, body, accepted_at, attempts FROM item ORDER BY seq LIMIT 1",
        )?
        .query_row([], read)
        .optional()?;
    let mut delta = Delta::default();
    let item = match oldest {
        Some(Ok(item)) => item,
        Some(Err(seq)) => {
            bury(tx, seq, &mut delta)?;
            delta.apply(tx)?;
            return Ok(true);
        }
        None => return Ok(false),
    };
    if let Some(gone) = take(tx, item.seq, Some(&item.id), &mut delta)? {
        delta.count(gone.origin, |c| c.dropped += 1);
    }
    delta.apply(tx)?;
    keep(
        tx,
        limits,
        &dropped_to_make_room(item, now),
        now,
        Duration::ZERO,
    )?;
    Ok(true)
}

/// Whose an item was, and where it was to go.
pub(super) struct Gone {
    pub(super) origin: i64,
    destination: i64,
}

/// Takes an item out, unless it is gone already, or another (with `id`) is in its place.
pub(super) fn take(
    tx: &Transaction<'_>,
    seq: i64,
    id: Option<&str>,
    delta: &mut Delta,
) -> Result<Option<Gone>> {
    let found = tx
        .prepare_cached(
            "SELECT CAST(accepted AS INTEGER), CAST(bytes_in AS INTEGER), length(CAST(body AS BLOB)),
                    CAST(origin AS INTEGER), CAST(destination AS INTEGER)
             FROM item WHERE seq = ?1 AND (?2 IS NULL OR id = ?2)",
        )?
        .query_row(params![seq, id], |r| {
            let (origin, destination) = (r.get(3)?, r.get(4)?);
            Ok((
                (r.get(0)?, r.get(1)?, r.get(2)?),
                Gone {
                    origin,
                    destination,
                },
            ))
        })
        .optional()?;
    let Some(((accepted, bytes_in, bytes), gone)) = found else {
        return Ok(None);
    };
    tx.prepare_cached("DELETE FROM item WHERE seq = ?1")?
        .execute([seq])?;
    delta.leaves(bytes, seq, accepted, bytes_in);
    Ok(Some(gone))
}

fn item_of(row: &Row<'_>) -> Result<Item> {
    Ok(Item {
        seq: row.get(0)?,
        id: row.get(1)?,
        body: row.get(2)?,
        accepted_at: unsigned(row.get(3)?),
        attempts: row.get(4)?,
    })
}

/// An item, or the place of one that cannot be read: text that is none, a number that is text.
type Readable = std::result::Result<Item, i64>;

fn read(row: &Row<'_>) -> Result<Readable> {
    let seq = row.get(0)?;
    Ok(item_of(row).map_err(|_| seq))
}

/// Makes a dead letter of an item that cannot be read, so that it holds up nobody and an operator sees it.
fn bury(tx: &Transaction<'_>, seq: i64, delta: &mut Delta) -> Result<()> {
    let text =
        |bytes: Option<Vec<u8>>| String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
    let (id, body, accepted_at) = tx.query_row(
        "SELECT CAST(id AS BLOB), CAST(body AS BLOB), CAST(accepted_at AS INTEGER) FROM item WHERE seq = ?1",
        [seq],
        |r| Ok((text(r.get(0)?), text(r.get(1)?), r.get::<_, Option<i64>>(2)?)),
    )?;
    let Some(gone) = take(tx, seq, None, delta)? else {
        return Ok(());
    };
    log::error(|| format!("{id} is a dead letter: its row in the spool cannot be read"));
    delta.count(gone.origin, |c| c.dead += 1);
    tx.execute(
        // No place: behind the others.
        "INSERT INTO dead VALUES((SELECT ?1 WHERE NOT EXISTS(SELECT 1 FROM dead WHERE seq = ?1)),
                ?2, ?3, ?4, ?5, ?6, 0, ?7, NULL, ?8, ?9)",
        params![
            seq,
            id,
            gone.destination,
            gone.origin,
            accepted_at.unwrap_or(0),
            signed(unix_ms(SystemTime::now())),
            Status::SpoolFailed.code(),
            "its row in the spool could not be read",
            body
        ],
    )
    .map(drop)
}

fn bury_all(connection: &mut Connection, seqs: &[i64]) -> Result<()> {
    let tx = begin(connection)?;
    let mut delta = Delta::default();
    for seq in seqs {
        bury(&tx, *seq, &mut delta)?;
    }
    delta.apply(&tx)?;
    tx.commit()
}

pub(super) fn oldest(
    connection: &mut Connection,
    url: &str,
    now: u64,
    limit: usize,
    skip: &HashSet<i64>,
) -> Result<Vec<Item>> {
    loop {
        let mut statement = connection.prepare_cached(
            "SELECT seq, id, body, accepted_at, attempts FROM item
             WHERE destination = (SELECT id FROM destination WHERE url = ?1) AND not_before <= ?2
             ORDER BY seq",
        )?;
        let (mut items, mut unreadable) = (Vec::new(), Vec::new());
        // No LIMIT: SQLite would prepare the statement anew for each value of it.
        for row in statement.query_map(params![url, signed(now)], read)? {
            match row? {
                Ok(item) if !skip.contains(&item.seq) => items.push(item),
                Ok(_) => {}
                Err(seq) => unreadable.push(seq),
            }
            if items.len() == limit {
                break;
            }
        }
        drop(statement);
        if unreadable.is_empty() {
            return Ok(items);
        }
        bury_all(connection, &unreadable)?;
    }
}

pub(super) fn overdue(
    connection: &mut Connection,
    before: u64,
    skip: &HashSet<i64>,
) -> Result<Vec<Item>> {
    let mut statement = connection
        .prepare_cached("SELECT seq, id, body, accepted_at, attempts FROM item ORDER BY seq")?;
    let (mut overdue, mut unreadable) = (Vec::new(), Vec::new());
    for row in statement.query_map([], read)?.take(RECENT + skip.len()) {
        match row? {
            Ok(item) if skip.contains(&item.seq) => {}
            Ok(item) if item.accepted_at >= before => break,
            Ok(item) => overdue.push(item),
            Err(seq) => unreadable.push(seq),
        }
    }
    drop(statement);
    if !unreadable.is_empty() {
        bury_all(connection, &unreadable)?;
    }
    Ok(overdue)
}

pub(super) fn destinations(connection: &Connection) -> Result<Vec<Destination>> {
    connection
        .prepare_cached("SELECT url, failures, closed_until FROM destination")?
        .query_map([], |r| {
            // What somebody else wrote there costs no other address its deliveries.
            let url = r.get_ref(0)?.as_bytes().unwrap_or_default();
            Ok(Destination {
                url: String::from_utf8_lossy(url).into(),
                gate: Gate {
                    failures: r.get(1).unwrap_or(0),
                    closed_until: r.get(2).map_or(0, unsigned),
                },
            })
        })?
        .collect()
}

pub(super) fn set_gate(connection: &Connection, url: &str, gate: Gate) -> Result<()> {
    connection
        .prepare_cached("UPDATE destination SET failures = ?2, closed_until = ?3 WHERE url = ?1")?
        .execute(params![url, gate.failures, signed(gate.closed_until)])
        .map(drop)
}

/// Changes of the counters, collected so that each row is written once.
#[derive(Default)]
pub(super) struct Delta {
    /// Place, and counters up to it, of the last item that left.
    last: (i64, i64, i64),
    bytes_out: i64,
    by_origin: HashMap<i64, Change>,
}

/// What is added to the counters of one origin.
#[derive(Default)]
pub(super) struct Change {
    pub(super) delivered: i64,
    pub(super) dead: i64,
    pub(super) expired: i64,
    pub(super) dropped: i64,
}

impl Delta {
    /// An item of so many bytes leaves.
    pub(super) fn leaves(&mut self, bytes: i64, seq: i64, accepted: i64, bytes_in: i64) {
        self.last = self.last.max((seq, accepted, bytes_in));
        self.bytes_out += bytes;
    }

    pub(super) fn count(&mut self, origin: i64, change: impl FnOnce(&mut Change)) {
        change(self.by_origin.entry(origin).or_default());
    }

    pub(super) fn apply(self, tx: &Transaction<'_>) -> Result<()> {
        let mut sum = Change::default();
        for (origin, c) in &self.by_origin {
            sum.delivered += c.delivered;
            sum.dead += c.dead;
            sum.expired += c.expired;
            sum.dropped += c.dropped;
            tx.prepare_cached(
                "UPDATE origin SET delivered = delivered + ?2, dead = dead + ?3, expired = expired + ?4,
                        dropped = dropped + ?5 WHERE id = ?1",
            )?
            .execute(params![origin, c.delivered, c.dead, c.expired, c.dropped])?;
        }
        let (last_seq, accepted, bytes_in) = self.last;
        tx.prepare_cached(
            "UPDATE total SET delivered = delivered + ?1, dead = dead + ?2, expired = expired + ?3,
                    dropped = dropped + ?4, bytes_out = bytes_out + ?5, last_seq = max(last_seq, ?6),
                    accepted = max(accepted, ?7), bytes_in = max(bytes_in, ?8)",
        )?
        .execute(params![
            sum.delivered,
            sum.dead,
            sum.expired,
            sum.dropped,
            self.bytes_out,
            last_seq,
            accepted,
            bytes_in
        ])
        .map(drop)
    }
}

pub(super) fn settle(
    connection: &mut Connection,
    limits: &QueueSettings,
    settlements: &[Settlement],
) -> Result<()> {
    let tx = begin(connection)?;
    let mut delta = Delta::default();
    let mut has_died = false;
    for settled in settlements {
        has_died |= settled.fate == Fate::Dead;
        if let Fate::Retry { not_before } = settled.fate {
            tx.prepare_cached(
                "UPDATE item SET attempts = ?3, not_before = ?4, http_status = ?5, detail = ?6
                 WHERE seq = ?1 AND id = ?2",
            )?
            .execute(params![
                settled.item.seq,
                settled.item.id,
                settled.item.attempts,
                signed(not_before),
                settled.http_status,
                settled.detail
            ])?;
            continue;
        }
        if settle_one(&tx, settled, &mut delta)? {
            let latency = settled.latency;
            keep(&tx, limits, &settled.receipt(), settled.at, latency)?;
        }
    }
    if has_died {
        trim_dead(&tx, limits, &mut delta)?;
    }
    delta.apply(&tx)?;
    tx.commit()
}

/// Whether it was there to be settled.
fn settle_one(tx: &Transaction<'_>, settled: &Settlement, delta: &mut Delta) -> Result<bool> {
    let item = &settled.item;
    let Some(Gone {
        origin,
        destination,
    }) = take(tx, item.seq, Some(&item.id), delta)?
    else {
        if settled.fate != Fate::Delivered || !forget_drop(tx, item)? {
            return Ok(false);
        }
        // Dropped while it was under way: it arrived all the same, and is counted as that. Whose it was is no longer
        // known; origin 0 has no row.
        delta.count(0, |c| {
            c.dropped -= 1;
            c.delivered += 1;
        });
        return Ok(true);
    };
    match settled.fate {
        Fate::Delivered => delta.count(origin, |c| c.delivered += 1),
        Fate::Expired => delta.count(origin, |c| c.expired += 1),
        Fate::Retry { .. } => {}
        Fate::Dead => {
            delta.count(origin, |c| c.dead += 1);
            tx.prepare_cached(
                "INSERT INTO dead VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?
            .execute(params![
                item.seq,
                item.id,
                destination,
                origin,
                signed(item.accepted_at),
                signed(settled.at),
                item.attempts,
                settled.status.code(),
                settled.http_status,
                settled.detail,
                item.body
            ])?;
        }
    }
    Ok(true)
}

/// Whether an item was dropped to make room, as its receipt says, which is then removed.
fn forget_drop(tx: &Transaction<'_>, item: &Item) -> Result<bool> {
    let removed = tx
        .prepare_cached(
            "DELETE FROM receipt WHERE n = (SELECT n FROM receipt
                WHERE id = ?1 AND status = ?2 AND settled_at - age_ms = ?3 ORDER BY n DESC LIMIT 1)",
        )?
        .execute(params![
            item.id,
            Status::QueueFull.code(),
            signed(item.accepted_at)
        ])?;
    Ok(removed == 1)
}

/// Dead letters over `max_dead`: the oldest go.
fn trim_dead(tx: &Transaction<'_>, limits: &QueueSettings, delta: &mut Delta) -> Result<()> {
    let mut statement = tx.prepare_cached(
        "DELETE FROM dead WHERE seq IN (SELECT seq FROM dead ORDER BY seq DESC LIMIT -1 OFFSET ?1)
         RETURNING origin",
    )?;
    let mut rows = statement.query([signed(limits.max_dead)])?;
    while let Some(row) = rows.next()? {
        delta.count(row.get(0)?, |c| {
            c.dead -= 1;
            c.dropped += 1;
        });
    }
    Ok(())
}

/// Keeps a receipt; at most as many as there may be items.
fn keep(
    tx: &Transaction<'_>,
    limits: &QueueSettings,
    receipt: &Receipt,
    at: u64,
    latency: Duration,
) -> Result<()> {
    if limits.receipt_retention.is_zero() {
        return Ok(());
    }
    tx.prepare_cached("INSERT INTO receipt VALUES(NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
        .execute(params![
            receipt.id,
            signed(at),
            receipt.status.code(),
            receipt.http_status,
            receipt.attempts,
            signed(millis(receipt.elapsed)),
            latency.as_micros() as i64,
            receipt.detail
        ])?;
    let too_old = tx
        .last_insert_rowid()
        .saturating_sub(signed(limits.max_items));
    if too_old > 0 {
        tx.prepare_cached("DELETE FROM receipt WHERE n <= ?1")?
            .execute([too_old])?;
    }
    Ok(())
}

/// Forgets receipts that are too old, and processes that are long gone.
pub(super) fn forget(connection: &Connection, before: u64) -> Result<()> {
    // They stand in the order in which they were settled; a few at a time, so that nobody waits.
    connection
        .prepare_cached(
            "DELETE FROM receipt WHERE n IN (SELECT n FROM receipt ORDER BY n LIMIT 1000) AND settled_at < ?1",
        )?
        .execute([signed(before)])?;
    connection
        .prepare_cached("DELETE FROM origin WHERE id < (SELECT max(id) FROM origin) - 10000")?
        .execute([])
        .map(drop)
}

/// The counters, and the bytes that wait.
pub(super) fn counts(connection: &Connection) -> Result<(Counts, u64)> {
    connection
        .prepare_cached(
            "SELECT accepted, delivered, dead, expired, dropped,
                    accepted - delivered - dead - expired - dropped, bytes_in - bytes_out FROM now",
        )?
        .query_row([], |r| {
            let counts = Counts {
                accepted: unsigned(r.get(0)?),
                delivered: unsigned(r.get(1)?),
                dead: unsigned(r.get(2)?),
                expired: unsigned(r.get(3)?),
                dropped: unsigned(r.get(4)?),
                pending: unsigned(r.get(5)?),
            };
            Ok((counts, unsigned(r.get(6)?)))
        })
}

pub(super) fn totals(
    connection: &Connection,
    origin: Option<i64>,
    accepted_here: u64,
) -> Result<Totals> {
    let tx = connection.unchecked_transaction()?;
    let (spool, pending_bytes) = counts(&tx)?;
    let mut process = tx
        .prepare_cached("SELECT delivered, dead, expired, dropped FROM origin WHERE id = ?1")?
        .query_row([origin], |r| {
            Ok(Counts {
                delivered: unsigned(r.get(0)?),
                dead: unsigned(r.get(1)?),
                expired: unsigned(r.get(2)?),
                dropped: unsigned(r.get(3)?),
                ..Counts::default()
            })
        })
        .optional()?
        .unwrap_or_default();
    // Also if 10,000 newer processes have made the spool forget this one.
    process.accepted = accepted_here;
    let settled = process.delivered + process.dead + process.expired + process.dropped;
    process.pending = process.accepted.saturating_sub(settled);
    let oldest_at: Option<i64> = tx
        .prepare_cached("SELECT accepted_at FROM item ORDER BY seq LIMIT 1")?
        .query_row([], |r| r.get(0))
        .optional()?;
    let recent = tx
        .prepare_cached("SELECT age_ms, latency_us FROM receipt WHERE status = 0 ORDER BY n DESC")?
        .query_map([], |r| {
            let (age, latency) = (unsigned(r.get(0)?), unsigned(r.get(1)?));
            Ok((Duration::from_millis(age), Duration::from_micros(latency)))
        })?
        .take(RECENT)
        .collect::<Result<_>>()?;
    Ok(Totals {
        spool,
        process,
        pending_bytes,
        oldest_at: oldest_at.map(unsigned),
        recent,
    })
}

/// What is known of an id: it waits, or there is a receipt that is not too old, or nothing.
pub(super) fn receipt(
    connection: &Connection,
    id: &str,
    now: u64,
    retention: Duration,
) -> Result<Option<Receipt>> {
    // No index: every enqueue would pay for it, and every delivery. At the most, this reads the queue and the receipts once.
    let waiting = connection
        .prepare_cached(
            "SELECT accepted_at, http_status, attempts, detail FROM item WHERE id = ?1 ORDER BY seq DESC LIMIT 1",
        )?
        .query_row([id], |r| {
            Ok(Receipt {
                status: Status::Queued,
                elapsed: Duration::from_millis(now.saturating_sub(unsigned(r.get(0)?))),
                http_status: r.get(1)?,
                attempts: r.get(2)?,
                id: id.to_owned(),
                detail: r.get(3)?,
            })
        })
        .optional()?;
    if waiting.is_some() {
        return Ok(waiting);
    }
    connection
        .prepare_cached(
            "SELECT status, http_status, attempts, age_ms, detail FROM receipt WHERE id = ?1 AND settled_at + ?2 > ?3
             ORDER BY n DESC LIMIT 1",
        )?
        .query_row(params![id, signed(millis(retention)), signed(now)], |r| {
            Ok(Receipt {
                status: status_of(r.get(0)?),
                http_status: r.get(1)?,
                attempts: r.get(2)?,
                elapsed: Duration::from_millis(unsigned(r.get(3)?)),
                id: id.to_owned(),
                detail: r.get(4)?,
            })
        })
        .optional()
}

pub(super) fn status_of(code: i32) -> Status {
    Status::from_code(code).unwrap_or(Status::Internal)
}

/// SQLite's integers are signed; ours are far from the end.
pub(super) fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}
