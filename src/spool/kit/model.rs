//! The simplest form of a spool, to compare the engines with: plain lists.
//!
//! It numbers items itself: in the model, `item.position` is the order of acceptance, and `item.producer` is the
//! test's number of the producer.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::DeadOrder;
use crate::host::Timestamp;
use crate::notification;
use crate::options::QueueSettings;
use crate::outcome::{Receipt, Status};
use crate::spool::{
    Counts, Fate, Gate, Item, NewItem, Position, RECENT, Settlement, StoredItem, Totals,
};

#[derive(Debug, Clone)]
pub(crate) struct Model {
    limits: QueueSettings,
    dead_order: DeadOrder,
    pub(crate) pending: Vec<Waiting>,
    pub(crate) dead: Vec<StoredItem>,
    /// The items that left, oldest first.
    left: Vec<LeftItem>,
    gates: BTreeMap<Arc<str>, Gate>,
    counts: BTreeMap<u64, Counts>,
    /// Items that were dropped while they were pending, with their producers.
    dropped: BTreeMap<Position, u64>,
    begun: BTreeSet<Position>,
    /// Items whose delivery began when the engine crashed. A list or a fetch shows whether the beginning was written.
    unsure_begun: BTreeSet<Position>,
    /// Ids whose receipt may or may not have been written.
    unsure_receipts: BTreeSet<String>,
    /// `None`: unknown after a restart.
    recent: Option<Vec<(Duration, Duration)>>,
    /// The position of the newest item.
    pub(crate) last: Position,
}

#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(crate) stored: StoredItem,
    pause: Option<(Timestamp, Duration)>,
    /// The earliest and latest possible time of its requeue; only the engine has the exact time.
    requeued: Option<(Timestamp, Timestamp)>,
}

#[derive(Debug, Clone)]
struct LeftItem {
    id: String,
    at: Timestamp,
    receipt: LeftReceipt,
}

#[derive(Debug, Clone)]
enum LeftReceipt {
    Completed(Receipt),
    Dropped { attempts: u32 },
    Purged,
}

/// Everything that a spool shows.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) now: Timestamp,
    /// The totals, and the producer that asked; `None`: the engine does not distinguish producers.
    pub(crate) totals: (Option<u64>, Totals),
    pub(crate) pending: Vec<StoredItem>,
    pub(crate) dead: Vec<StoredItem>,
    pub(crate) gates: Vec<(Arc<str>, Gate)>,
    pub(crate) receipts: Vec<(String, Option<Receipt>)>,
}

impl Model {
    pub(crate) fn new(limits: &QueueSettings, dead_order: DeadOrder) -> Model {
        Model {
            limits: limits.clone(),
            dead_order,
            pending: Vec::new(),
            dead: Vec::new(),
            left: Vec::new(),
            gates: BTreeMap::new(),
            counts: BTreeMap::new(),
            dropped: BTreeMap::new(),
            begun: BTreeSet::new(),
            unsure_begun: BTreeSet::new(),
            unsure_receipts: BTreeSet::new(),
            recent: Some(Vec::new()),
            last: Position::default(),
        }
    }

    fn count(&mut self, producer: u64) -> &mut Counts {
        self.counts.entry(producer).or_default()
    }

    pub(crate) fn bytes(&self) -> u64 {
        let bodies = self.pending.iter().map(|w| w.stored.item.body.len());
        bodies.sum::<usize>() as u64
    }

    fn leave(&mut self, id: &str, at: Timestamp, receipt: LeftReceipt) {
        self.left.push(LeftItem {
            id: id.to_owned(),
            at,
            receipt,
        });
    }

    /// Whether a notification with this id is pending.
    pub(crate) fn is_pending(&self, id: &str) -> bool {
        self.pending.iter().any(|w| w.stored.item.id == id)
    }

    /// Whether a notification with this id has left.
    pub(crate) fn has_left(&self, id: &str) -> bool {
        self.left.iter().any(|left| left.id == id)
    }

    /// Returns whether the item was accepted.
    pub(crate) fn push(&mut self, new: &NewItem, producer: u64) -> bool {
        let size = new.body.len() as u64;
        if size > self.limits.max_bytes {
            return false;
        }
        while self.pending.len() as u64 >= self.limits.max_items
            || self.bytes() + size > self.limits.max_bytes
        {
            if !self.limits.drops_oldest {
                return false;
            }
            let oldest = self.pending.remove(0).stored.item;
            let attempts = oldest.attempts;
            self.leave(&oldest.id, new.accepted, LeftReceipt::Dropped { attempts });
            self.drop_pending(&oldest);
        }
        let counts = self.count(producer);
        counts.accepted += 1;
        counts.pending += 1;
        let item = Item {
            position: Position::default(),
            id: new.id.clone(),
            origin: new.origin.clone(),
            path: new.path.clone(),
            body: new.body.clone(),
            has_begun: false,
            accepted: new.accepted,
            attempts: new.attempts,
            producer,
        };
        self.gates.entry(new.origin.clone()).or_default();
        self.append(item, &new.detail, None);
        true
    }

    fn drop_pending(&mut self, item: &Item) {
        let counts = self.count(item.producer);
        counts.pending -= 1;
        counts.dropped += 1;
        self.dropped.insert(item.position, item.producer);
    }

    fn append(&mut self, mut item: Item, detail: &str, requeued: Option<(Timestamp, Timestamp)>) {
        self.last.0 += 1;
        item.position = self.last;
        self.pending.push(Waiting {
            stored: StoredItem {
                item,
                died: None,
                status: Status::Queued,
                http_status: None,
                detail: detail.to_owned(),
            },
            pause: None,
            requeued,
        });
    }

    fn select(
        &self,
        origin: &str,
        skip: &HashSet<Position>,
        wanted: impl Fn(&Waiting) -> bool,
    ) -> Vec<Item> {
        let items = self.pending.iter().filter(|w| {
            let item = &w.stored.item;
            &*item.origin == origin && !skip.contains(&item.position) && wanted(w)
        });
        let mark = |item: &Item| Item {
            has_begun: self.begun.contains(&item.position),
            ..item.clone()
        };
        items.map(|w| mark(&w.stored.item)).collect()
    }

    /// Whether an item ends a session that has an older pending item.
    fn is_early(&self, end: &Item) -> bool {
        let session = notification::session(&end.body);
        let older = self.pending.iter().map(|w| &w.stored.item);
        let mut older = older.filter(|i| i.position < end.position && i.origin == end.origin);
        notification::ends_session(&end.path)
            && session.is_some()
            && older.any(|i| notification::session(&i.body) == session)
    }

    pub(crate) fn begin(&mut self, items: &[Position]) {
        let pending = self.pending.iter().map(|w| w.stored.item.position);
        let begun: Vec<Position> = pending.filter(|at| items.contains(at)).collect();
        self.begun.extend(begun);
    }

    /// Records that `begin` was interrupted.
    pub(crate) fn begin_perhaps(&mut self, items: &[Position]) {
        let unsure = items.iter().filter(|at| !self.begun.contains(at));
        self.unsure_begun.extend(unsure);
    }

    /// Records whether the delivery of an item began, as a list showed it. Returns false if this contradicts the
    /// model.
    pub(crate) fn see_begun(&mut self, item: Position, has_begun: bool) -> bool {
        if self.unsure_begun.remove(&item) && has_begun {
            self.begun.insert(item);
        }
        self.begun.contains(&item) == has_begun
    }

    pub(crate) fn fetch(
        &self,
        origin: &str,
        now: Timestamp,
        limit: usize,
        skip: &HashSet<Position>,
    ) -> Vec<Item> {
        let mut due = self.select(origin, skip, |w| {
            w.pause
                .is_none_or(|(at, pause)| now.since(at).length >= pause)
                && !self.is_early(&w.stored.item)
        });
        due.truncate(limit);
        due
    }

    pub(crate) fn overdue(
        &self,
        origin: &str,
        now: Timestamp,
        max_age: Duration,
        skip: &HashSet<Position>,
    ) -> Vec<Item> {
        self.select(origin, skip, |w| {
            let age = now.since(w.stored.item.accepted);
            age.length > max_age && (age.is_certain || w.stored.item.attempts > 0)
        })
    }

    /// Settles items. The settlements contain positions of the model.
    pub(crate) fn settle(&mut self, settlements: &[Settlement], gates: &[(Arc<str>, Gate)]) {
        for settlement in settlements {
            self.settle_one(settlement);
        }
        for (origin, gate) in gates {
            if let Some(known) = self.gates.get_mut(origin) {
                *known = *gate;
            }
        }
    }

    /// Records that a settlement was interrupted: an item that was dropped in flight and delivered nevertheless may
    /// already have its receipt, without being counted.
    pub(crate) fn interrupt(&mut self, settlements: &[Settlement]) {
        for settlement in settlements {
            if self.dropped.contains_key(&settlement.item.position)
                && settlement.fate == Fate::Delivered
            {
                self.unsure_receipts.insert(settlement.item.id.clone());
            }
        }
    }

    fn settle_one(&mut self, settlement: &Settlement) {
        let position = settlement.item.position;
        let found = self
            .pending
            .iter()
            .position(|w| w.stored.item.position == position);
        let was_dropped = self.dropped.remove(&position);
        self.begun.remove(&position);
        self.unsure_begun.remove(&position);
        let Some(found) = found else {
            if let (Some(producer), Fate::Delivered) = (was_dropped, settlement.fate) {
                let counts = self.count(producer);
                counts.dropped -= 1;
                counts.delivered += 1;
                self.deliver(settlement);
            }
            return;
        };
        let stored = &mut self.pending[found].stored;
        stored.item.attempts = settlement.item.attempts;
        stored.status = settlement.status;
        stored.http_status = settlement.http_status;
        stored.detail.clone_from(&settlement.detail);
        if let Fate::Retry { pause } = settlement.fate {
            self.pending[found].pause = Some((settlement.at, pause));
            return;
        }
        let mut stored = self.pending.remove(found).stored;
        let producer = stored.item.producer;
        let counts = self.count(producer);
        counts.pending -= 1;
        match settlement.fate {
            Fate::Delivered => {
                counts.delivered += 1;
                self.deliver(settlement);
                return;
            }
            Fate::Expired => counts.expired += 1,
            Fate::Dead => {
                counts.dead += 1;
                stored.died = Some(settlement.at);
                self.bury(stored);
            }
            Fate::Retry { .. } => {}
        }
        let receipt = LeftReceipt::Completed(settlement.receipt());
        self.leave(&settlement.item.id, settlement.at, receipt);
    }

    fn deliver(&mut self, settlement: &Settlement) {
        if let Some(recent) = &mut self.recent {
            recent.push((settlement.age(), settlement.latency));
        }
        let receipt = LeftReceipt::Completed(settlement.receipt());
        self.leave(&settlement.item.id, settlement.at, receipt);
    }

    fn bury(&mut self, letter: StoredItem) {
        self.dead.push(letter);
        if self.dead_order == DeadOrder::Acceptance {
            self.dead.sort_by_key(|s| s.item.position);
        }
        while self.dead.len() as u64 > self.limits.max_dead {
            let oldest = self.dead.remove(0);
            self.count_dropped_letter(oldest.item.producer);
        }
    }

    fn count_dropped_letter(&mut self, producer: u64) {
        let counts = self.count(producer);
        counts.dead -= 1;
        counts.dropped += 1;
    }

    fn take_letter(&mut self, position: Position) -> Option<StoredItem> {
        let found = self.dead.iter().position(|s| s.item.position == position)?;
        Some(self.dead.remove(found))
    }

    /// Requeues each letter with its new body.
    pub(crate) fn requeue(
        &mut self,
        letters: &[(Position, String)],
        between: (Timestamp, Timestamp),
    ) -> u64 {
        let mut requeued = 0;
        for (position, body) in letters {
            let Some(letter) = self.take_letter(*position) else {
                continue;
            };
            let counts = self.count(letter.item.producer);
            counts.dead -= 1;
            counts.pending += 1;
            let item = Item {
                body: body.clone(),
                has_begun: false,
                attempts: 0,
                ..letter.item
            };
            self.append(item, "", Some(between));
            requeued += 1;
        }
        requeued
    }

    pub(crate) fn discard(&mut self, letters: &[Position]) -> u64 {
        let mut discarded = 0;
        for position in letters {
            if let Some(letter) = self.take_letter(*position) {
                self.count_dropped_letter(letter.item.producer);
                discarded += 1;
            }
        }
        discarded
    }

    /// The positions that a purge drops.
    pub(crate) fn theirs(&self, theirs: &dyn Fn(&str) -> bool) -> Vec<Position> {
        let pending = self.pending.iter().map(|w| &w.stored);
        let all = pending.chain(&self.dead).map(|s| &s.item);
        all.filter(|i| theirs(&i.body))
            .map(|i| i.position)
            .collect()
    }

    pub(crate) fn purge(&mut self, positions: &[Position], now: Timestamp) {
        for position in positions {
            let pending = self
                .pending
                .iter()
                .position(|w| w.stored.item.position == *position);
            let item = match pending {
                Some(found) => {
                    let item = self.pending.remove(found).stored.item;
                    self.drop_pending(&item);
                    item
                }
                None => {
                    let letter = self.take_letter(*position).unwrap();
                    self.count_dropped_letter(letter.item.producer);
                    letter.item
                }
            };
            let mut same_id = self.left.iter().filter(|left| left.id == item.id);
            if same_id.any(|left| matches!(left.receipt, LeftReceipt::Completed(_))) {
                // An engine that overwrites every receipt of the id loses the figures of its delivery.
                self.recent = None;
            }
            self.leave(&item.id, now, LeftReceipt::Purged);
        }
    }

    pub(crate) fn probe_now(&mut self) -> u64 {
        let mut probed = 0;
        for gate in self.gates.values_mut().filter(|g| g.failures > 0) {
            gate.pause = 0;
            probed += 1;
        }
        probed
    }

    pub(crate) fn origins(&self) -> &BTreeMap<Arc<str>, Gate> {
        &self.gates
    }

    /// Whether everything up to this item has left.
    pub(crate) fn is_settled(&self, mark: Position) -> bool {
        self.pending.iter().all(|w| w.stored.item.position > mark)
    }

    /// Forgets the values that a restart may lose.
    pub(crate) fn restart(&mut self) {
        self.recent = None;
        self.dropped.clear();
    }

    /// Compares everything that the spool shows, and copies the values that only the engine has.
    pub(crate) fn check(&mut self, seen: &Snapshot) -> Result<(), String> {
        self.check_lists(seen)?;
        self.check_totals(seen)?;
        for (origin, gate) in &seen.gates {
            let expected = self.gates.get(origin).copied().unwrap_or_default();
            expect(&format!("gate of {origin}"), gate, &expected)?;
        }
        for (id, answer) in &seen.receipts {
            if self.unsure_receipts.contains(id) {
                continue;
            }
            self.check_receipt(id, answer.as_ref(), seen.now)?;
        }
        Ok(())
    }

    fn check_lists(&mut self, seen: &Snapshot) -> Result<(), String> {
        for (seen, waiting) in seen.pending.iter().zip(&mut self.pending) {
            if let Some((after, before)) = waiting.requeued {
                let at = seen.item.accepted;
                if !(after.unix_ms..=before.unix_ms).contains(&at.unix_ms) {
                    return Err(format!(
                        "requeued between {after:?} and {before:?}: {seen:?}"
                    ));
                }
                waiting.stored.item.accepted = at;
                waiting.requeued = None;
            }
        }
        let positions = self.pending.iter().map(|w| w.stored.item.position);
        let marks = seen.pending.iter().map(|stored| stored.item.has_begun);
        for (position, has_begun) in positions.zip(marks).collect::<Vec<_>>() {
            self.see_begun(position, has_begun);
        }
        let mut pending: Vec<StoredItem> = self.pending.iter().map(|w| w.stored.clone()).collect();
        for stored in &mut pending {
            stored.item.has_begun = self.begun.contains(&stored.item.position);
        }
        same_list(
            "pending",
            &seen.pending,
            &pending.iter().collect::<Vec<_>>(),
        )?;
        same_list("dead", &seen.dead, &self.dead.iter().collect::<Vec<_>>())
    }

    fn check_totals(&self, seen: &Snapshot) -> Result<(), String> {
        let mut spool = Counts::default();
        for counts in self.counts.values() {
            spool.accepted += counts.accepted;
            spool.delivered += counts.delivered;
            spool.dead += counts.dead;
            spool.expired += counts.expired;
            spool.dropped += counts.dropped;
            spool.pending += counts.pending;
        }
        let oldest = self.pending.first().map(|w| w.stored.item.accepted);
        let (producer, totals) = &seen.totals;
        if !(totals.spool.is_balanced() && totals.process.is_balanced()) {
            return Err(format!("unbalanced: {totals:?}"));
        }
        expect("counters", &totals.spool, &spool)?;
        let process = producer.map_or(spool, |p| self.counts.get(&p).copied().unwrap_or_default());
        expect("process counters", &totals.process, &process)?;
        expect("pending bytes", &totals.pending_bytes, &self.bytes())?;
        expect("oldest", &totals.oldest, &oldest)?;
        if let Some(recent) = &self.recent {
            let mut expected = recent[recent.len().saturating_sub(RECENT)..].to_vec();
            let mut found = totals.recent.clone();
            expected.sort_unstable();
            found.sort_unstable();
            expect("recent", &found, &expected)?;
        }
        Ok(())
    }

    fn check_receipt(
        &self,
        id: &str,
        answer: Option<&Receipt>,
        now: Timestamp,
    ) -> Result<(), String> {
        let mut pending = self
            .pending
            .iter()
            .map(|w| &w.stored)
            .filter(|s| s.item.id == id)
            .peekable();
        let is_right = if pending.peek().is_some() {
            pending.any(|stored| {
                let expected = Receipt {
                    status: Status::Queued,
                    http_status: stored.http_status,
                    attempts: stored.item.attempts,
                    elapsed: now.since(stored.item.accepted).length,
                    id: id.to_owned(),
                    detail: stored.detail.clone(),
                };
                answer == Some(&expected)
            })
        } else if let Some(left) = self.left.iter().rev().find(|l| l.id == id) {
            let is_fresh = now.since(left.at).length < self.limits.receipt_retention;
            match (&left.receipt, answer) {
                (LeftReceipt::Completed(receipt), Some(answer)) => is_fresh && answer == receipt,
                // The engine may count the retention from a little later, when its drainer read the drop.
                (LeftReceipt::Dropped { attempts }, Some(answer)) => {
                    (answer.status, answer.attempts) == (Status::Dropped, *attempts)
                }
                (LeftReceipt::Purged, Some(answer)) => answer.status == Status::Dropped,
                (LeftReceipt::Purged, None) => true,
                (_, None) => !is_fresh,
            }
        } else {
            answer.is_none()
        };
        match is_right {
            true => Ok(()),
            false => Err(format!("receipt of {id}: {answer:?}")),
        }
    }
}

fn expect<T: PartialEq + std::fmt::Debug>(
    what: &str,
    found: &T,
    expected: &T,
) -> Result<(), String> {
    match found == expected {
        true => Ok(()),
        false => Err(format!("{what}: found {found:?}, expected {expected:?}")),
    }
}

/// Compares two lists without the engine's numbers of positions and producers.
fn same_list(what: &str, found: &[StoredItem], expected: &[&StoredItem]) -> Result<(), String> {
    let strip = |stored: &StoredItem| {
        let mut stored = stored.clone();
        stored.item.position = Position::default();
        stored.item.producer = 0;
        stored
    };
    let found: Vec<StoredItem> = found.iter().map(strip).collect();
    let expected: Vec<StoredItem> = expected.iter().map(|s| strip(s)).collect();
    expect(what, &found, &expected)
}
