//! What became of items, recorded in one transaction.

use rusqlite::{Connection, Result, Transaction, params};

use super::counters::Delta;
use super::receipts::{forget_drop, keep};
use super::rows::{Gone, begin, signed, take};
use crate::config::QueueSettings;
use crate::queue::spool::{Fate, Settlement};

pub(super) fn settle(
    connection: &mut Connection,
    limits: &QueueSettings,
    settlements: &[Settlement],
) -> Result<()> {
    let tx = begin(connection)?;
    let mut delta = Delta::default();
    for settled in settlements {
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
    trim_dead(&tx, limits, &mut delta)?;
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
