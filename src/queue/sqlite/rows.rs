//! The items: each function is one transaction, or one query.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rusqlite::{
    Connection, OptionalExtension, Result, Row, Transaction, TransactionBehavior, params,
};

use super::Open;
use super::counters::Delta;
use super::receipts::keep;
use crate::config::QueueSettings;
use crate::log;
use crate::queue::gate::Gate;
use crate::queue::spool::{Destination, Item, NewItem, RECENT};
use crate::queue::{dropped_to_make_room, unix_ms};
use crate::status::Status;

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
    pub(super) destination: i64,
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

/// SQLite's integers are signed; ours are far from the end.
pub(super) fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}
