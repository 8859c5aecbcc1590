//! An unfinished batch: the changes, as summed values.

use std::collections::{BTreeMap, HashSet};

use super::state::{
    Batch, JournalState, OriginState, Retry, SegmentState, Sums, offset_of, segment_of,
};
use crate::host::millis;
use crate::notification;
use crate::spool::{Fate, Position, Settlement};

/// The counter for a completed item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Delivered,
    Dead,
    Expired,
    Dropped,
}

impl End {
    fn field_in(self, sums: &mut Sums) -> &mut u64 {
        match self {
            End::Delivered => &mut sums.delivered,
            End::Dead => &mut sums.dead,
            End::Expired => &mut sums.expired,
            End::Dropped => &mut sums.dropped,
        }
    }
}

/// The values of an item that are counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weight {
    pub(super) position: Position,
    pub(super) origin: u32,
    pub(super) producer: u64,
    pub(super) bytes: u64,
}

#[derive(Debug)]
pub(super) struct Draft<'a> {
    state: &'a JournalState,
    batch: Batch,
    producers: BTreeMap<u64, Sums>,
    waiting: BTreeMap<u32, u64>,
    segments: BTreeMap<u32, SegmentState>,
    completed: HashSet<u64>,
    letters_gone: HashSet<u64>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(state: &'a JournalState) -> Draft<'a> {
        Draft {
            state,
            batch: state.unchanged(),
            producers: BTreeMap::new(),
            waiting: BTreeMap::new(),
            segments: BTreeMap::new(),
            completed: HashSet::new(),
            letters_gone: HashSet::new(),
        }
    }

    pub(super) fn pending(&self) -> u64 {
        self.batch.sums.pending()
    }

    pub(super) fn pending_bytes(&self) -> u64 {
        self.batch.pending_bytes
    }

    fn producer(&mut self, id: u64) -> &mut Sums {
        let known = self.state.producers.get(&id).copied().unwrap_or_default();
        self.producers.entry(id).or_insert(known)
    }

    fn waiting(&mut self, origin: u32) -> &mut u64 {
        let known = self.state.origins.get(origin as usize);
        let known = known.map_or(0, |(_, OriginState { pending })| *pending);
        self.waiting.entry(origin).or_insert(known)
    }

    /// Number of pending items of an origin after this batch.
    pub(super) fn pending_for(&self, origin: u32) -> u64 {
        let known = self.state.origins.get(origin as usize);
        let known = known.map_or(0, |(_, o)| o.pending);
        self.waiting.get(&origin).copied().unwrap_or(known)
    }

    pub(super) fn segment(&mut self, number: u32) -> &mut SegmentState {
        self.batch.newest = self.batch.newest.max(number);
        let known = self.state.segments.get(&number);
        self.segments.entry(number).or_insert_with(|| SegmentState {
            completed: Default::default(),
            skipped: Default::default(),
            ..known.cloned().unwrap_or_default()
        })
    }

    /// The number of an origin, which may get a new one.
    pub(super) fn origin(&mut self, origin: &str) -> u32 {
        if let Some(number) = self.state.origin_number(origin) {
            return number;
        }
        let known = self.state.origins.len();
        let new = self.batch.origins.iter().position(|o| o == origin);
        let number = known + new.unwrap_or(self.batch.origins.len());
        if new.is_none() {
            self.batch.origins.push(origin.to_owned());
        }
        number as u32
    }

    /// Records a new notification of a producer.
    pub(super) fn accept(&mut self, item: Weight) {
        let segment = self.segment(segment_of(item.position));
        segment.accepted += 1;
        segment.bytes += item.bytes;
        self.batch.sums.accepted += 1;
        self.producer(item.producer).accepted += 1;
        self.enqueue(item);
    }

    fn enqueue(&mut self, item: Weight) {
        self.segment(segment_of(item.position)).items += 1;
        self.batch.pending_bytes += item.bytes;
        *self.waiting(item.origin) += 1;
    }

    /// Records that a dead letter was enqueued again as `item`. False: it does not exist any more.
    pub(super) fn requeue(&mut self, dead: Position, item: Weight) -> bool {
        let is_there = self.take_letter(dead);
        if is_there {
            self.enqueue(item);
        }
        is_there
    }

    fn take_letter(&mut self, dead: Position) -> bool {
        let Some(letter) = self.state.letters.get(&dead) else {
            return false;
        };
        if !self.letters_gone.insert(dead.0) {
            return false;
        }
        self.batch.letters_gone.push(dead.0);
        lower(&mut self.batch.sums.dead);
        lower(&mut self.producer(letter.producer).dead);
        true
    }

    /// Records that a dead letter was dropped. False: it does not exist any more.
    pub(super) fn discard_letter(&mut self, dead: Position) -> bool {
        let producer = self.state.letters.get(&dead).map_or(0, |l| l.producer);
        let is_there = self.take_letter(dead);
        if is_there {
            self.batch.sums.dropped += 1;
            self.producer(producer).dropped += 1;
        }
        is_there
    }

    /// Records a line that looks like an item but is not counted.
    pub(super) fn skip(&mut self, position: Position) {
        self.batch.skipped.push(position.0);
    }

    pub(super) fn is_pending(&self, position: Position) -> bool {
        !self.completed.contains(&position.0)
            && (self.state.is_pending(position)
                // The line was read in this batch.
                || self.segments.get(&segment_of(position)).is_some_and(|s| {
                    let known = self.state.segments.get(&segment_of(position));
                    let offset = offset_of(position);
                    offset >= known.map_or(0, |k| k.scanned) && offset < s.scanned
                }))
    }

    /// Records that an item was completed. The caller must have checked that it is pending.
    pub(super) fn complete(&mut self, item: Weight, end: End) {
        self.completed.insert(item.position.0);
        self.batch.completed.push(item.position.0);
        self.batch.pending_bytes = self.batch.pending_bytes.saturating_sub(item.bytes);
        lower(self.waiting(item.origin));
        *end.field_in(&mut self.batch.sums) += 1;
        *end.field_in(self.producer(item.producer)) += 1;
    }

    /// Moves one item from the counter `from` to the counter `to`.
    pub(super) fn recount(&mut self, producer: u64, from: End, to: End) {
        for sums in [
            &mut self.batch.sums,
            self.producers.entry(producer).or_insert_with(|| {
                self.state
                    .producers
                    .get(&producer)
                    .copied()
                    .unwrap_or_default()
            }),
        ] {
            lower(from.field_in(sums));
            *to.field_in(sums) += 1;
        }
    }

    /// Records lost items of a segment, by origin.
    pub(super) fn lose(&mut self, segment: u32, done: u32, count: u32, origins: &[(u32, u64)]) {
        self.batch.done_before.push((segment, done));
        self.batch.sums.dropped += u64::from(count);
        for (origin, pending) in origins {
            self.waiting.insert(*origin, *pending);
        }
    }

    pub(super) fn retry(&mut self, settled: &Settlement, origin: u32) {
        let Fate::Retry { pause } = settled.fate else {
            return;
        };
        self.batch.retries.push((
            settled.item.position.0,
            Retry {
                origin,
                accepted: settled.item.accepted,
                attempts: settled.item.attempts,
                failed: settled.at,
                pause: millis(pause),
                status: settled.status.code(),
                http_status: settled.http_status,
                detail: settled.detail.clone(),
                session: notification::session(&settled.item.body),
                ends_session: notification::ends_session(&settled.item.path),
            },
        ));
    }

    /// Records the retry of an item that is known only by its position: a late record, or an item
    /// that was tried earlier.
    pub(super) fn set_retry(&mut self, position: Position, retry: Retry) {
        self.batch.retries.push((position.0, retry));
    }

    pub(super) fn batch(&mut self) -> &mut Batch {
        &mut self.batch
    }

    /// Finishes the batch. Everything before `low` is completed or among the retries.
    pub(super) fn finish(mut self, low: Position) -> Batch {
        if self.batch.sums.pending() == 0 {
            // After damage the length of lost items may be unknown.
            self.batch.pending_bytes = 0;
        }
        self.batch.low = low.0.max(self.state.low.0);
        for (number, s) in &self.segments {
            self.batch
                .segments
                .push((*number, s.scanned, s.accepted, s.bytes, s.items));
            if *number == self.batch.newest {
                self.batch.newest_scanned = s.scanned;
            }
        }
        self.batch.producers.extend(self.producers);
        self.batch.waiting.extend(self.waiting);
        self.batch
    }
}

fn lower(number: &mut u64) {
    *number = number.saturating_sub(1);
}
