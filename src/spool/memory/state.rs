//! The contents of the spool and all changes to them. One lock guards everything, so each function
//! is a transaction.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::receipts::{DropReason, Receipts};
use crate::host::Timestamp;
use crate::notification::{self, ends_session};
use crate::options::QueueSettings;
use crate::outcome::{Error, Receipt, Status};
use crate::spool::{
    Counts, Fate, Gate, Item, MAX_RECEIPTS, NewItem, Position, RECENT, Settlement, StoredItem,
};

#[derive(Clone)]
pub(super) struct MemoryState {
    limits: QueueSettings,
    pub(super) pending: BTreeMap<Position, PendingItem>,
    pub(super) pending_bytes: u64,
    pub(super) dead: BTreeMap<Position, StoredItem>,
    pub(super) origins: BTreeMap<Arc<str>, Origin>,
    pub(super) last_position: Position,
    /// `pending` is always 0 here; [`MemoryState::counts`] fills it in.
    counts: Counts,
    pub(super) receipts: Receipts,
    /// Age and latency of the last deliveries, oldest first.
    pub(super) recent: VecDeque<(Duration, Duration)>,
    /// Items that were dropped after a drainer had fetched them. One of them may still be
    /// delivered.
    dropped_in_flight: BTreeSet<Position>,
    /// Items whose delivery began without a recorded result.
    begun: BTreeSet<Position>,
    /// Whether there is something new for the drainer.
    pub(super) is_changed: bool,
    /// The fencing token of the valid lease.
    pub(super) leader: Option<u64>,
    pub(super) last_token: u64,
}

#[derive(Clone)]
pub(super) struct PendingItem {
    pub(super) stored: StoredItem,
    /// When the last attempt ended, and the pause after it.
    pause: Option<(Timestamp, Duration)>,
    was_fetched: bool,
}

#[derive(Clone, Default)]
pub(super) struct Origin {
    pub(super) gate: Gate,
    pub(super) pending: BTreeSet<Position>,
}

impl PendingItem {
    fn new(item: Item, detail: String) -> PendingItem {
        PendingItem {
            stored: StoredItem {
                item,
                died: None,
                status: Status::Queued,
                http_status: None,
                detail,
            },
            pause: None,
            was_fetched: false,
        }
    }

    /// Whether the pause after the last attempt is over.
    fn may_be_tried(&mut self, now: Timestamp) -> bool {
        let Some((since, length)) = &mut self.pause else {
            return true;
        };
        let age = now.since(*since);
        if !age.is_certain && now.unix_ms < since.unix_ms {
            // The clock was set back: the pause starts again, otherwise it could last as long as
            // the clock is wrong.
            *since = now;
        }
        age.length >= *length
    }
}

impl MemoryState {
    pub(super) fn new(limits: &QueueSettings) -> MemoryState {
        MemoryState {
            limits: limits.clone(),
            pending: BTreeMap::new(),
            pending_bytes: 0,
            dead: BTreeMap::new(),
            origins: BTreeMap::new(),
            last_position: Position::default(),
            counts: Counts::default(),
            receipts: Receipts::new(limits.receipt_retention),
            recent: VecDeque::new(),
            dropped_in_flight: BTreeSet::new(),
            begun: BTreeSet::new(),
            is_changed: false,
            leader: None,
            last_token: 0,
        }
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            pending: self.pending.len() as u64,
            ..self.counts
        }
    }

    pub(super) fn push(&mut self, new: &NewItem) -> Result<(), Error> {
        self.make_room(new.body.len() as u64, new.accepted)?;
        self.counts.accepted += 1;
        let item = Item {
            position: Position::default(),
            id: new.id.clone(),
            origin: Arc::clone(&new.origin),
            path: new.path.clone(),
            body: new.body.clone(),
            has_begun: false,
            accepted: new.accepted,
            attempts: new.attempts,
            producer: 0,
        };
        self.append(PendingItem::new(item, new.detail.clone()));
        Ok(())
    }

    /// Appends an item.
    fn append(&mut self, mut pending: PendingItem) {
        self.last_position.0 += 1;
        let item = &mut pending.stored.item;
        item.position = self.last_position;
        if let Some((known, _)) = self.origins.get_key_value(&item.origin) {
            item.origin = Arc::clone(known);
        }
        let origin = self.origins.entry(Arc::clone(&item.origin)).or_default();
        origin.pending.insert(item.position);
        self.pending_bytes += item.body.len() as u64;
        self.pending.insert(item.position, pending);
        self.is_changed = true;
    }

    /// Makes room for a body of `size` bytes, or returns an error.
    fn make_room(&mut self, size: u64, now: Timestamp) -> Result<(), Error> {
        let (max_items, max_bytes) = (self.limits.max_items, self.limits.max_bytes);
        let may_drop = self.limits.drops_oldest && size <= max_bytes;
        while self.pending.len() as u64 >= max_items
            || self.pending_bytes.saturating_add(size) > max_bytes
        {
            let oldest = self.pending.first_key_value().map(|(at, _)| *at);
            let Some(oldest) = oldest.filter(|_| may_drop) else {
                return Err(crate::spool::full(max_items, max_bytes));
            };
            self.drop_pending(oldest, DropReason::MakesRoom, now);
        }
        Ok(())
    }

    /// Removes an item from the queue.
    fn remove(&mut self, position: Position) -> Option<PendingItem> {
        let removed = self.pending.remove(&position)?;
        self.begun.remove(&position);
        let item = &removed.stored.item;
        self.pending_bytes -= item.body.len() as u64;
        if let Some(origin) = self.origins.get_mut(&item.origin) {
            origin.pending.remove(&position);
        }
        Some(removed)
    }

    fn drop_pending(&mut self, position: Position, reason: DropReason, now: Timestamp) {
        let Some(dropped) = self.remove(position) else {
            return;
        };
        self.counts.dropped += 1;
        if dropped.was_fetched {
            self.dropped_in_flight.insert(position);
            if self.dropped_in_flight.len() > MAX_RECEIPTS {
                self.dropped_in_flight.pop_first();
            }
        }
        let receipt = reason.receipt(dropped.stored.item, now);
        self.receipts.keep(receipt, now);
    }

    /// The items of `origin` for which `wanted` returns true, oldest first. With `keeps_sessions`,
    /// an item that ends a session is skipped while an older item of that session is pending.
    fn select(
        &mut self,
        origin: &str,
        limit: usize,
        skip: &HashSet<Position>,
        keeps_sessions: bool,
        mut wanted: impl FnMut(&mut PendingItem) -> bool,
    ) -> Vec<Item> {
        let Some(origin) = self.origins.get(origin) else {
            return Vec::new();
        };
        let mut selected = Vec::new();
        for position in origin.pending.iter().filter(|p| !skip.contains(p)) {
            if selected.len() >= limit {
                break;
            }
            if keeps_sessions && is_early(&self.pending, origin, *position) {
                continue;
            }
            if let Some(pending) = self.pending.get_mut(position)
                && wanted(pending)
            {
                pending.was_fetched = true;
                selected.push(Item {
                    has_begun: self.begun.contains(position),
                    ..pending.stored.item.clone()
                });
            }
        }
        selected
    }

    pub(super) fn fetch(
        &mut self,
        origin: &str,
        now: Timestamp,
        limit: usize,
        skip: &HashSet<Position>,
    ) -> Vec<Item> {
        self.select(origin, limit, skip, true, |pending| {
            pending.may_be_tried(now)
        })
    }

    pub(super) fn begin(&mut self, items: &[Position]) {
        let pending = items.iter().filter(|at| self.pending.contains_key(at));
        self.begun.extend(pending);
    }

    pub(super) fn has_begun(&self, position: Position) -> bool {
        self.begun.contains(&position)
    }

    pub(super) fn overdue(
        &mut self,
        origin: &str,
        now: Timestamp,
        max_age: Duration,
        skip: &HashSet<Position>,
    ) -> Vec<Item> {
        self.select(origin, RECENT, skip, false, |pending| {
            let item = &pending.stored.item;
            let age = now.since(item.accepted);
            age.length > max_age && (age.is_certain || item.attempts > 0)
        })
    }

    pub(super) fn settle(&mut self, settlement: &Settlement) {
        let position = settlement.item.position;
        if let Fate::Retry { pause } = settlement.fate {
            self.begun.remove(&position);
            if let Some(pending) = self.pending.get_mut(&position) {
                let stored = &mut pending.stored;
                stored.item.attempts = settlement.item.attempts;
                stored.status = settlement.status;
                stored.http_status = settlement.http_status;
                stored.detail.clone_from(&settlement.detail);
                pending.pause = Some((settlement.at, pause));
            }
            self.dropped_in_flight.remove(&position);
            return;
        }
        match self.remove(position) {
            Some(pending) => self.complete(pending.stored, settlement),
            // The item was dropped while it was in flight, and delivered nevertheless.
            None if self.dropped_in_flight.remove(&position)
                && settlement.fate == Fate::Delivered =>
            {
                self.counts.dropped -= 1;
                self.count_delivery(settlement);
            }
            None => return,
        }
        self.receipts.keep(settlement.receipt(), settlement.at);
    }

    fn complete(&mut self, mut stored: StoredItem, settlement: &Settlement) {
        match settlement.fate {
            Fate::Delivered => self.count_delivery(settlement),
            Fate::Expired => self.counts.expired += 1,
            Fate::Dead => {
                self.counts.dead += 1;
                stored.item.attempts = settlement.item.attempts;
                stored.died = Some(settlement.at);
                stored.status = settlement.status;
                stored.http_status = settlement.http_status;
                stored.detail.clone_from(&settlement.detail);
                self.dead.insert(stored.item.position, stored);
                while self.dead.len() as u64 > self.limits.max_dead {
                    let oldest = self.dead.pop_first();
                    self.count_dropped_letters(u64::from(oldest.is_some()));
                }
            }
            Fate::Retry { .. } => {}
        }
    }

    fn count_delivery(&mut self, settlement: &Settlement) {
        self.counts.delivered += 1;
        if self.recent.len() >= RECENT {
            self.recent.pop_front();
        }
        self.recent
            .push_back((settlement.age(), settlement.latency));
    }

    fn count_dropped_letters(&mut self, count: u64) {
        self.counts.dead -= count;
        self.counts.dropped += count;
    }

    /// Stores the gate of a known origin.
    pub(super) fn set_gate(&mut self, origin: &str, gate: Gate) {
        if let Some(known) = self.origins.get_mut(origin) {
            known.gate = gate;
        }
    }

    /// The newest pending item with this id, or its newest receipt.
    pub(super) fn receipt(&self, id: &str, now: Timestamp) -> Option<Receipt> {
        let mut newest_first = self.pending.values().rev().map(|p| &p.stored);
        let Some(stored) = newest_first.find(|s| s.item.id == id) else {
            return self.receipts.find(id, now).cloned();
        };
        Some(Receipt {
            status: Status::Queued,
            http_status: stored.http_status,
            attempts: stored.item.attempts,
            elapsed: now.since(stored.item.accepted).length,
            id: id.to_owned(),
            detail: stored.detail.clone(),
        })
    }

    pub(super) fn requeue(&mut self, letters: &[StoredItem], now: Timestamp) -> u64 {
        let mut requeued = 0;
        for letter in letters {
            let Some(mut dead) = self.dead.remove(&letter.item.position) else {
                continue;
            };
            dead.item.path.clone_from(&letter.item.path);
            dead.item.body.clone_from(&letter.item.body);
            dead.item.accepted = now;
            dead.item.attempts = 0;
            self.append(PendingItem::new(dead.item, String::new()));
            self.counts.dead -= 1;
            requeued += 1;
        }
        requeued
    }

    pub(super) fn discard(&mut self, letters: &[Position]) -> u64 {
        let there = letters.iter().filter(|at| self.dead.remove(at).is_some());
        let discarded = there.count() as u64;
        self.count_dropped_letters(discarded);
        discarded
    }

    pub(super) fn purge(&mut self, theirs: &dyn Fn(&str) -> bool, now: Timestamp) -> u64 {
        let is_theirs = |stored: &&StoredItem| theirs(&stored.item.body);
        let pending: Vec<StoredItem> = self
            .pending
            .values()
            .map(|p| &p.stored)
            .filter(is_theirs)
            .cloned()
            .collect();
        let dead: Vec<StoredItem> = self.dead.values().filter(is_theirs).cloned().collect();
        let ids = pending.iter().chain(&dead).map(|s| s.item.id.clone());
        self.receipts.erase(&ids.collect());
        for stored in &pending {
            self.drop_pending(stored.item.position, DropReason::Purged, now);
        }
        let positions: Vec<Position> = dead.iter().map(|s| s.item.position).collect();
        let discarded = self.discard(&positions);
        for letter in dead {
            let receipt = DropReason::Purged.receipt(letter.item, now);
            self.receipts.keep(receipt, now);
        }
        self.is_changed = true;
        pending.len() as u64 + discarded
    }

    pub(super) fn probe_now(&mut self) -> u64 {
        let mut probed = 0;
        for gate in self.origins.values_mut().map(|o| &mut o.gate) {
            if gate.failures > 0 {
                gate.pause = 0;
                probed += 1;
            }
        }
        self.is_changed |= probed > 0;
        probed
    }
}

/// Whether an item ends a session that has an older pending item.
fn is_early(pending: &BTreeMap<Position, PendingItem>, origin: &Origin, at: Position) -> bool {
    let item = |at: &Position| Some(&pending.get(at)?.stored.item);
    let Some(end) = item(&at).filter(|item| ends_session(&item.path)) else {
        return false;
    };
    let session = notification::session(&end.body);
    let older = origin.pending.range(..at).filter_map(item);
    let mut sessions = older.map(|item| notification::session(&item.body));
    session.is_some() && sessions.any(|older| older == session)
}
