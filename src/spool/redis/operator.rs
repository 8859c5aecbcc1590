//! The operator's functions. A change is complete when the call returns, whether or not a drainer runs.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::codec::{About, pack_time};
use super::entry;
use super::lease::{holder, origins};
use super::resp::{Command, Value};
use super::script::{DISCARD, LIST, OVERVIEW, PROBE, PURGE, REQUEUE, Script};
use super::{RedisSpool, Shared};
use crate::host::Timestamp;
use crate::outcome::{Error, Status};
use crate::spool::{Operator, Overview, Position, StoredItem};

/// Number of entries that one script lists or changes: other clients wait while a script runs.
const PIECE: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Pending,
    Dead,
}

impl Shared {
    /// At most [`PIECE`] items after a position, oldest first.
    fn page(
        &self,
        list: List,
        after: Position,
        limit: usize,
        deadline: Instant,
    ) -> Result<Vec<StoredItem>, Error> {
        let arguments = Command::default()
            .arg(match list {
                List::Pending => "pending",
                List::Dead => "dead",
            })
            .number(after.0)
            .number(limit as u64);
        let is_first = after == Position::default();
        let within = match is_first {
            true => self.engine.replications(),
            false => self.listed.load(Ordering::Relaxed),
        };
        let reply = self.call_within(&LIST, &arguments, Some(within), deadline)?;
        self.listed.store(within, Ordering::Relaxed);
        let groups = reply.list().ok_or_else(|| self.odd())?;
        let mut page = Vec::new();
        for group in groups {
            self.read_group(list, group, &mut page)?;
        }
        page.sort_by_key(|stored| stored.item.position);
        page.truncate(limit);
        Ok(page)
    }

    /// Adds the entries of one stream.
    fn read_group(
        &self,
        list: List,
        group: &Value,
        page: &mut Vec<StoredItem>,
    ) -> Result<(), Error> {
        let odd = || self.odd();
        let Some([origin, entries, attempts, begun]) = group.list() else {
            return Err(odd());
        };
        let clock = self.clock();
        let entries = entries.list().ok_or_else(odd)?;
        if list == List::Dead {
            for item in entries {
                let letter = entry::letter(item, clock);
                page.push(letter.ok_or_else(|| self.unreadable("dead letters", item))?);
            }
            return Ok(());
        }
        let origin: Arc<str> = Arc::from(origin.text().ok_or_else(odd)?);
        let attempts = attempts.list().ok_or_else(odd)?;
        let details = attempts.iter().zip(begun.list().ok_or_else(odd)?);
        for (item, (last, begun)) in entries.iter().zip(details) {
            let pending = entry::pending(item, last, begun, &origin, clock);
            let pending = pending.ok_or_else(|| self.unreadable(&origin, item))?;
            page.push(pending.stored);
        }
        Ok(())
    }

    fn listed(
        &self,
        list: List,
        after: Option<Position>,
        limit: usize,
        deadline: Instant,
    ) -> Result<Vec<StoredItem>, Error> {
        let mut all: Vec<StoredItem> = Vec::new();
        let mut last = after.unwrap_or_default();
        while all.len() < limit {
            let wanted = PIECE.min(limit - all.len());
            let page = self.page(list, last, wanted, deadline)?;
            let is_last = page.len() < wanted;
            if let Some(newest) = page.last() {
                last = newest.item.position;
            }
            all.extend(page);
            if is_last {
                break;
            }
        }
        Ok(all)
    }

    /// Calls a script repeatedly, for a part of the work each, and adds up the results. The positions of the items are those
    /// that were listed last: after a failover they belong to other items, and the call fails.
    fn in_pieces<T>(
        &self,
        script: &Script,
        all: &[T],
        begin: &dyn Fn() -> Command,
        add: impl Fn(&mut Command, &T),
        deadline: Instant,
    ) -> Result<u64, Error> {
        let within = Some(self.listed.load(Ordering::Relaxed));
        let mut done = 0;
        for piece in all.chunks(PIECE) {
            let mut arguments = begin();
            for one in piece {
                add(&mut arguments, one);
            }
            let reply = self.call_within(script, &arguments, within, deadline)?;
            done += reply.number().ok_or_else(|| self.odd())?;
        }
        Ok(done)
    }
}

impl Operator for RedisSpool {
    fn overview(&self, deadline: Instant) -> Result<Overview, Error> {
        let shared = &self.shared;
        let reply = shared.call(&OVERVIEW, &Command::default(), deadline)?;
        let odd = || shared.odd();
        let Some([pairs, lengths, statuses, leader, counts, letters]) = reply.list() else {
            return Err(odd());
        };
        let (pairs, lengths) = (
            pairs.list().ok_or_else(odd)?,
            lengths.list().ok_or_else(odd)?,
        );
        let by_status = statuses.list().ok_or_else(odd)?.chunks_exact(2);
        let mut dead_by_status: Vec<(Status, u64)> = by_status
            .filter_map(|pair| match pair {
                [status, count] => {
                    let status = Status::from_code(status.text()?.parse().ok()?)?;
                    Some((status, count.number()?))
                }
                _ => None,
            })
            .filter(|(_, count)| *count > 0)
            .collect();
        dead_by_status.sort_by_key(|(status, _)| -status.code());
        let counts: Vec<u64> = counts
            .list()
            .unwrap_or_default()
            .iter()
            .map(|count| count.number().unwrap_or(0))
            .collect();
        Ok(Overview {
            origins: origins(pairs)
                .zip(lengths)
                .map(|((url, gate), length)| (url, gate, length.number().unwrap_or(0)))
                .collect(),
            dead_by_status,
            leader: leader.text().map(holder),
            set_aside: Vec::new(),
            faults: faults(&counts, lengths, letters),
        })
    }

    fn pending(
        &self,
        after: Option<Position>,
        limit: usize,
        deadline: Instant,
    ) -> Result<Vec<StoredItem>, Error> {
        self.shared.listed(List::Pending, after, limit, deadline)
    }

    fn dead(
        &self,
        after: Option<Position>,
        limit: usize,
        deadline: Instant,
    ) -> Result<Vec<StoredItem>, Error> {
        self.shared.listed(List::Dead, after, limit, deadline)
    }

    fn requeue(&self, letters: &[StoredItem], deadline: Instant) -> Result<u64, Error> {
        let (clock, now) = (self.shared.clock(), Timestamp::now());
        let about = |letter: &StoredItem| About {
            engine_ms: clock.engine_ms(now, now),
            accepted: now,
            producer: letter.item.producer,
            attempts: 0,
            detail: "",
        };
        self.shared.in_pieces(
            &REQUEUE,
            letters,
            &Command::default,
            |arguments, letter| {
                arguments.push_number(letter.item.position.0);
                arguments.push(letter.item.path.as_bytes());
                arguments.push(&letter.item.body);
                arguments.push(about(letter).pack());
            },
            deadline,
        )
    }

    fn discard(&self, letters: &[Position], deadline: Instant) -> Result<u64, Error> {
        let add = |arguments: &mut Command, letter: &Position| arguments.push_number(letter.0);
        self.shared
            .in_pieces(&DISCARD, letters, &Command::default, add, deadline)
    }

    fn purge(&self, theirs: &dyn Fn(&str) -> bool, deadline: Instant) -> Result<u64, Error> {
        let shared = &self.shared;
        let now = pack_time(Timestamp::now());
        let mut purged = 0;
        // Pending notifications first: one that becomes a dead letter between the two steps is then found among the
        // dead letters.
        for list in [List::Pending, List::Dead] {
            let mut last = Position::default();
            loop {
                let page = shared.page(list, last, PIECE, deadline)?;
                let Some(newest) = page.last() else {
                    break;
                };
                last = newest.item.position;
                let theirs: Vec<StoredItem> = page
                    .into_iter()
                    .filter(|stored| theirs(&stored.item.body))
                    .collect();
                purged += shared.in_pieces(
                    &PURGE,
                    &theirs,
                    &|| Command::default().number(shared.receipt_ms()).arg(&now),
                    |arguments, stored| {
                        match list {
                            List::Pending => arguments.push(stored.item.origin.as_bytes()),
                            List::Dead => arguments.push(""),
                        }
                        arguments.push_number(stored.item.position.0);
                    },
                    deadline,
                )?;
            }
        }
        Ok(purged)
    }

    fn probe_now(&self, deadline: Instant) -> Result<u64, Error> {
        let reply = self.shared.call(&PROBE, &Command::default(), deadline)?;
        reply.number().ok_or_else(|| self.shared.odd())
    }

    fn is_done(&self, _deadline: Instant) -> Result<bool, Error> {
        Ok(true)
    }

    fn backup(&self, _to: &Path, _deadline: Instant) -> Result<u64, Error> {
        Err(Error::config(
            "a queue in an engine has no files to copy: back up the engine itself (its append-only file, or BGSAVE)",
        ))
    }
}

/// Compares the counters with the numbers of entries.
fn faults(counts: &[u64], lengths: &[Value], letters: &Value) -> Vec<String> {
    let [newest, again, delivered, dead, expired, dropped] = counts else {
        return Vec::new();
    };
    let pending: u64 = lengths.iter().filter_map(Value::number).sum();
    let counted = newest.saturating_sub(again + delivered + dead + expired + dropped);
    let letters = letters.number().unwrap_or(0);
    let mut faults = Vec::new();
    if counted != pending {
        faults.push(format!(
            "the counters say {counted} pending, and there are {pending}"
        ));
    }
    if letters != *dead {
        faults.push(format!(
            "the counters say {dead} dead letters, and there are {letters}"
        ));
    }
    faults
}
