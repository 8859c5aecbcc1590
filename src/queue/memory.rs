//! The spool in this process's memory: bounded, and lost with the process.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::gate::{Gate, millis};
use super::spool::{Destination, Fate, Item, NewItem, RECENT, Settlement, Spool, Totals};
use super::stats::Counts;
use super::{dropped_to_make_room, too_many};
use crate::config::QueueSettings;
use crate::status::{Error, Receipt, Status};

/// Receipts in memory are fewer than in a file: the memory is the host's.
const MAX_RECEIPTS: usize = 10_000;

#[derive(Debug)]
pub(crate) struct MemorySpool {
    settings: QueueSettings,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    items: BTreeMap<i64, Entry>,
    bytes: u64,
    last_seq: i64,
    counts: Counts,
    gates: HashMap<Arc<str>, Gate>,
    receipts: VecDeque<Kept>,
    is_changed: bool,
}

#[derive(Debug)]
struct Entry {
    url: Arc<str>,
    item: Item,
    not_before: u64,
    http_status: Option<u16>,
    detail: String,
}

#[derive(Debug)]
struct Kept {
    receipt: Receipt,
    settled_at: u64,
    latency: Duration,
}

impl MemorySpool {
    pub(crate) fn new(settings: &QueueSettings) -> MemorySpool {
        MemorySpool {
            settings: settings.clone(),
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, state: &mut State, receipt: Receipt, settled_at: u64, latency: Duration) {
        if self.settings.receipt_retention.is_zero() {
            return;
        }
        state.receipts.push_back(Kept {
            receipt,
            settled_at,
            latency,
        });
        if state.receipts.len() > MAX_RECEIPTS {
            state.receipts.pop_front();
        }
    }

    /// Makes room for `size` bytes, or says that there is none.
    fn make_room(&self, state: &mut State, size: u64, now: u64) -> Result<(), Error> {
        let limits = &self.settings;
        let fits = |s: &State| {
            (s.items.len() as u64) < limits.max_items && s.bytes + size <= limits.max_bytes
        };
        while !fits(state) {
            let oldest = match (limits.drops_oldest, size <= limits.max_bytes) {
                (true, true) => state.items.pop_first(),
                _ => None,
            };
            let Some((_, oldest)) = oldest else {
                return Err(too_many(limits));
            };
            state.bytes -= oldest.item.body.len() as u64;
            state.counts.dropped += 1;
            let receipt = dropped_to_make_room(oldest.item, now);
            self.keep(state, receipt, now, Duration::ZERO);
        }
        Ok(())
    }
}

/// Whether an item was dropped to make room, as its receipt says, which is then removed.
fn forget_drop(state: &mut State, item: &Item) -> bool {
    let found = state.receipts.iter().rposition(|k| {
        let accepted_at = k.settled_at.saturating_sub(millis(k.receipt.elapsed));
        k.receipt.status == Status::QueueFull
            && k.receipt.id == item.id
            && accepted_at == item.accepted_at
    });
    found.is_some_and(|n| state.receipts.remove(n).is_some())
}

impl Spool for MemorySpool {
    fn push(&self, new: NewItem, _deadline: Instant) -> Result<(), Error> {
        let mut guard = self.lock();
        let state = &mut *guard;
        let size = new.body.len() as u64;
        self.make_room(state, size, new.accepted_at)?;
        state.last_seq += 1;
        state.bytes += size;
        state.counts.accepted += 1;
        state.is_changed = true;
        state.gates.entry(Arc::clone(&new.url)).or_default();
        let entry = Entry {
            url: new.url,
            item: Item {
                seq: state.last_seq,
                id: new.id,
                body: new.body,
                accepted_at: new.accepted_at,
                attempts: new.attempts,
            },
            not_before: 0,
            http_status: None,
            detail: new.detail,
        };
        state.items.insert(state.last_seq, entry);
        Ok(())
    }

    fn lead(&self) -> Result<bool, Error> {
        // Only the one worker of this process's queue ever asks.
        Ok(true)
    }

    fn resign(&self) {}

    fn destinations(&self) -> Result<Vec<Destination>, Error> {
        let state = self.lock();
        let destinations = state.gates.iter().map(|(url, gate)| Destination {
            url: Arc::clone(url),
            gate: *gate,
        });
        Ok(destinations.collect())
    }

    fn gate(&self, url: &str, _deadline: Instant) -> Result<Gate, Error> {
        Ok(self.lock().gates.get(url).copied().unwrap_or_default())
    }

    fn set_gate(&self, url: &str, gate: Gate) -> Result<(), Error> {
        self.lock().gates.insert(Arc::from(url), gate);
        Ok(())
    }

    fn oldest(
        &self,
        url: &str,
        now: u64,
        limit: usize,
        skip: &HashSet<i64>,
    ) -> Result<Vec<Item>, Error> {
        let state = self.lock();
        let due = state
            .items
            .values()
            .filter(|e| &*e.url == url && e.not_before <= now && !skip.contains(&e.item.seq));
        Ok(due.take(limit).map(|e| e.item.clone()).collect())
    }

    fn overdue(&self, before: u64, skip: &HashSet<i64>) -> Result<Vec<Item>, Error> {
        let state = self.lock();
        let overdue = state
            .items
            .values()
            .filter(|e| !skip.contains(&e.item.seq))
            .take_while(|e| e.item.accepted_at < before);
        Ok(overdue.take(RECENT).map(|e| e.item.clone()).collect())
    }

    fn settle(&self, settlements: &[Settlement]) -> Result<(), Error> {
        let mut guard = self.lock();
        let state = &mut *guard;
        for settled in settlements {
            let seq = settled.item.seq;
            if let Fate::Retry { not_before } = settled.fate {
                if let Some(entry) = state.items.get_mut(&seq) {
                    entry.item.attempts = settled.item.attempts;
                    entry.not_before = not_before;
                    entry.http_status = settled.http_status;
                    entry.detail.clone_from(&settled.detail);
                }
                continue;
            }
            match state.items.remove(&seq) {
                Some(entry) => state.bytes -= entry.item.body.len() as u64,
                // Dropped to make room while it was under way: it arrived all the same, and is counted as that.
                None if settled.fate == Fate::Delivered && forget_drop(state, &settled.item) => {
                    state.counts.dropped -= 1;
                }
                None => continue,
            }
            match settled.fate {
                Fate::Delivered => state.counts.delivered += 1,
                Fate::Dead => state.counts.dead += 1,
                Fate::Expired => state.counts.expired += 1,
                Fate::Retry { .. } => {}
            }
            self.keep(state, settled.receipt(), settled.at, settled.latency);
        }
        Ok(())
    }

    fn has_changed(&self) -> bool {
        std::mem::take(&mut self.lock().is_changed)
    }

    fn maintain(&self, now: u64) -> Result<(), Error> {
        let retention = millis(self.settings.receipt_retention);
        let mut state = self.lock();
        let stale = |k: &Kept| k.settled_at.saturating_add(retention) < now;
        while state.receipts.front().is_some_and(stale) {
            state.receipts.pop_front();
        }
        Ok(())
    }

    fn totals(&self, _deadline: Instant) -> Result<Totals, Error> {
        let state = self.lock();
        let counts = Counts {
            pending: state.items.len() as u64,
            ..state.counts
        };
        let delivered = state
            .receipts
            .iter()
            .rev()
            .filter(|k| k.receipt.status == Status::Delivered);
        Ok(Totals {
            spool: counts,
            process: counts,
            pending_bytes: state.bytes,
            oldest_at: state.items.values().next().map(|e| e.item.accepted_at),
            recent: delivered
                .take(RECENT)
                .map(|k| (k.receipt.elapsed, k.latency))
                .collect(),
        })
    }

    fn receipt(&self, id: &str, now: u64) -> Result<Option<Receipt>, Error> {
        let state = self.lock();
        if let Some(entry) = state.items.values().rev().find(|e| e.item.id == id) {
            return Ok(Some(Receipt {
                status: Status::Queued,
                http_status: entry.http_status,
                attempts: entry.item.attempts,
                elapsed: Duration::from_millis(now.saturating_sub(entry.item.accepted_at)),
                id: id.to_owned(),
                detail: entry.detail.clone(),
            }));
        }
        let retention = millis(self.settings.receipt_retention);
        let kept = state
            .receipts
            .iter()
            .rev()
            .find(|k| k.receipt.id == id && k.settled_at.saturating_add(retention) > now);
        Ok(kept.map(|k| k.receipt.clone()))
    }

    fn mark(&self, _deadline: Instant) -> Result<Option<i64>, Error> {
        Ok(Some(self.lock().last_seq))
    }

    fn is_settled(&self, mark: i64, _deadline: Instant) -> Result<bool, Error> {
        let state = self.lock();
        Ok(state.items.keys().next().is_none_or(|first| *first > mark))
    }
}
