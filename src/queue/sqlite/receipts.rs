//! The receipts of what left the queue.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Result, Transaction, params};

use super::rows::{signed, unsigned};
use crate::config::QueueSettings;
use crate::queue::gate::millis;
use crate::queue::spool::Item;
use crate::status::{Receipt, Status};

/// Keeps a receipt; at most as many as there may be items.
pub(super) fn keep(
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

/// Whether an item was dropped to make room, as its receipt says, which is then removed.
pub(super) fn forget_drop(tx: &Transaction<'_>, item: &Item) -> Result<bool> {
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
