//! The counters: of the spool, and of each process that put something in.

use std::collections::HashMap;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Result, Transaction, params};

use super::rows::unsigned;
use crate::queue::spool::{RECENT, Totals};
use crate::queue::stats::Counts;

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
