//! Reads counters, receipts and entries.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::codec::{self, About};
use super::entry;
use super::resp::{Command, Value};
use super::script::{GATE, HEADS, RECEIPT, TOTALS};
use super::{RedisSpool, Shared};
use crate::host::{self, Timestamp};
use crate::outcome::{Error, Receipt, Status};
use crate::spool::{Counts, Gate, Ledger, Position, Totals};

/// Number of ids that one pipeline looks up.
const PIECE: usize = 200;

fn number_at(values: &[Value], index: usize) -> u64 {
    values.get(index).and_then(Value::number).unwrap_or(0)
}

impl Shared {
    fn read_totals(&self, deadline: Instant) -> Result<Totals, Error> {
        let (producer, accepted) = {
            let acceptances = host::lock(&self.acceptances);
            (acceptances.producer, acceptances.accepted)
        };
        let arguments = Command::default().number(producer);
        let reply = self.call(&TOTALS, &arguments, deadline)?;
        let Some([counts, pending, heads, process, recent]) = reply.list() else {
            return Err(self.odd());
        };
        let (Some(c), Some(heads), Some(p), Some(recent)) =
            (counts.list(), heads.list(), process.list(), recent.list())
        else {
            return Err(self.odd());
        };
        if c.first().is_none_or(|format| *format == Value::Nil) && !self.creates {
            return Err(self.missing());
        }
        let spool = Counts {
            accepted: number_at(c, 1).saturating_sub(number_at(c, 2)),
            delivered: number_at(c, 3),
            dead: number_at(c, 4),
            expired: number_at(c, 5),
            dropped: number_at(c, 6),
            pending: pending.number().unwrap_or(0),
        };
        let process = Counts {
            accepted: number_at(p, 0),
            delivered: number_at(p, 1),
            dead: number_at(p, 2),
            expired: number_at(p, 3),
            dropped: number_at(p, 4),
            pending: 0,
        };
        let left = process.delivered + process.dead + process.expired + process.dropped;
        // The losses that the engine has counted, plus those that this producer has found since its last push.
        let counted = number_at(c, 8).saturating_sub(number_at(p, 5));
        let lost = counted + accepted.saturating_sub(process.accepted);
        let clock = self.clock();
        let oldest = heads.iter().filter_map(|head| {
            let [seq, about] = head.list()? else {
                return None;
            };
            let about = About::unpack(about.text()?)?;
            let accepted = clock.localise(about.accepted, about.engine_ms);
            Some((seq.number()?, accepted))
        });
        Ok(Totals {
            spool,
            process: Counts {
                pending: process.accepted.saturating_sub(left),
                ..process
            },
            pending_bytes: number_at(c, 7),
            oldest: oldest.min_by_key(|(seq, _)| *seq).map(|(_, at)| at),
            lost,
            recent: recent
                .iter()
                .filter_map(|one| codec::recent(one.text()?))
                .collect(),
        })
    }

    /// The newest position, and the oldest pending position.
    pub(super) fn heads(&self, deadline: Instant) -> Result<(Position, Option<Position>), Error> {
        let reply = self.call(&HEADS, &Command::default(), deadline)?;
        let Some([newest, oldest]) = reply.list() else {
            return Err(self.odd());
        };
        let newest = newest.number().ok_or_else(|| self.odd())?;
        Ok((Position(newest), oldest.number().map(Position)))
    }
}

impl Ledger for RedisSpool {
    fn totals(&self, deadline: Instant) -> Result<Totals, Error> {
        self.shared.push_unconfirmed(deadline);
        self.shared.read_totals(deadline)
    }

    fn gate(&self, origin: &str, deadline: Instant) -> Result<Gate, Error> {
        let arguments = Command::default().arg(origin);
        let reply = self.shared.call(&GATE, &arguments, deadline)?;
        Ok(reply.text().and_then(codec::gate).unwrap_or_default())
    }

    fn receipt(
        &self,
        id: &str,
        now: Timestamp,
        deadline: Instant,
    ) -> Result<Option<Receipt>, Error> {
        let shared = &self.shared;
        let arguments = Command::default().arg(id);
        let reply = shared.call(&RECEIPT, &arguments, deadline)?;
        if let Some(kept) = reply.text() {
            let found = codec::receipt(id, kept);
            let is_kept = |at| now.since(at).length < shared.settings.receipt_retention;
            return Ok(found
                .filter(|(_, at)| is_kept(*at))
                .map(|(receipt, _)| receipt));
        }
        let Some([item, last]) = reply.list() else {
            return Ok(None);
        };
        let origin = "".into();
        let pending = entry::pending(item, last, &Value::Nil, &origin, shared.clock());
        let stored = pending.ok_or_else(|| shared.odd())?.stored;
        Ok(Some(Receipt {
            status: Status::Queued,
            http_status: stored.http_status,
            attempts: stored.item.attempts,
            elapsed: now.since(stored.item.accepted).length,
            id: id.to_owned(),
            detail: stored.detail,
        }))
    }

    fn known(&self, ids: &HashSet<&str>, deadline: Instant) -> Result<HashSet<String>, Error> {
        let shared = &self.shared;
        let ids: Vec<&str> = ids.iter().copied().collect();
        let mut known = HashSet::new();
        for piece in ids.chunks(PIECE) {
            let calls: Vec<Command> = piece.iter().map(|id| Command::default().arg(id)).collect();
            let replies = shared
                .engine
                .call_all(
                    &RECEIPT,
                    &calls,
                    super::engine::Confirm::Engine,
                    None,
                    deadline,
                )
                .map_err(|failure| shared.failed(&failure))?;
            let found = piece.iter().zip(replies).filter(|(_, r)| *r != Value::Nil);
            known.extend(found.map(|(id, _)| (*id).to_owned()));
        }
        Ok(known)
    }

    fn mark(&self, deadline: Instant) -> Result<Option<Position>, Error> {
        Ok(Some(self.shared.heads(deadline)?.0))
    }

    fn is_settled(&self, mark: Position, deadline: Instant) -> Result<bool, Error> {
        let shared = &self.shared;
        let pushed_again = || Position(shared.pushed_again.load(Ordering::Relaxed));
        let before = pushed_again();
        let (_, oldest) = shared.heads(deadline)?;
        // That call shows whether the engine has failed over. Another thread may have pushed items again since.
        if !shared.push_unconfirmed(deadline) || pushed_again() != before {
            return Ok(false);
        }
        let mark = mark.max(before);
        Ok(oldest.is_none_or(|oldest| oldest > mark))
    }
}
