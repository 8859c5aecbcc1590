//! The outcomes of the records: the state that results from the journal's batches. This module does
//! no I/O.
//!
//! The leader writes a batch and then applies it. All other processes apply the batches that they
//! read. So the state changes in only one way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::host::Timestamp;
use crate::spool::{Counts, Gate, Position};

/// Greatest number of producers with counters.
const MAX_PRODUCERS: usize = 1000;

/// A position in the log: the number of the segment, and the offset of the line in it.
pub(super) fn position(segment: u32, offset: u32) -> Position {
    Position(u64::from(segment) << 32 | u64::from(offset))
}

pub(super) fn segment_of(position: Position) -> u32 {
    (position.0 >> 32) as u32
}

pub(super) fn offset_of(position: Position) -> u32 {
    position.0 as u32
}

/// The read part of a segment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SegmentState {
    /// Position of the first unread line.
    pub(super) scanned: u32,
    /// Number of notifications accepted in it, and the bytes of their bodies.
    pub(super) accepted: u32,
    pub(super) bytes: u64,
    /// Number of all items, including dead letters that an operator enqueued again.
    pub(super) items: u32,
    /// Number of completed items.
    pub(super) done: u32,
    /// The completed items from `JournalState::low` on.
    pub(super) completed: BTreeSet<u32>,
    /// Lines that look like items but are not counted: repeated, or damaged before they were read.
    pub(super) skipped: BTreeSet<u32>,
}

impl SegmentState {
    pub(super) fn is_done(&self) -> bool {
        self.items == self.done
    }
}

/// An item that was tried, or is known by its position for another reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Retry {
    /// Index of the origin in `JournalState::origins`.
    #[serde(rename = "o")]
    pub(super) origin: u32,
    #[serde(rename = "a")]
    pub(super) accepted: Timestamp,
    #[serde(rename = "n")]
    pub(super) attempts: u32,
    /// Time of the failure, and the pause after it in milliseconds.
    #[serde(rename = "f")]
    pub(super) failed: Timestamp,
    #[serde(rename = "p")]
    pub(super) pause: u64,
    #[serde(rename = "c")]
    pub(super) status: i32,
    #[serde(rename = "s")]
    pub(super) http_status: Option<u16>,
    #[serde(rename = "d")]
    pub(super) detail: String,
    /// See `notification::session`.
    #[serde(rename = "g")]
    pub(super) session: Option<u32>,
    #[serde(rename = "e", default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) ends_session: bool,
}

impl Retry {
    /// True if the pause is over, or if the wall clock was set back to before the failure.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        let age = now.since(self.failed);
        let is_set_back = !age.is_certain && now.unix_ms < self.failed.unix_ms;
        is_set_back || crate::host::millis(age.length) >= self.pause
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct OriginState {
    pub(super) pending: u64,
}

/// The position of a dead letter's line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Letter {
    /// The number of the file and the offset of the line.
    #[serde(rename = "f")]
    pub(super) file: u32,
    #[serde(rename = "o")]
    pub(super) offset: u64,
    #[serde(rename = "s")]
    pub(super) status: i32,
    #[serde(rename = "p")]
    pub(super) producer: u64,
}

/// Sums over all read and completed items.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sums {
    #[serde(rename = "a")]
    pub(super) accepted: u64,
    #[serde(rename = "d")]
    pub(super) delivered: u64,
    #[serde(rename = "x")]
    pub(super) dead: u64,
    #[serde(rename = "e")]
    pub(super) expired: u64,
    #[serde(rename = "r")]
    pub(super) dropped: u64,
}

impl Sums {
    pub(super) fn pending(&self) -> u64 {
        let completed = self.delivered + self.dead + self.expired + self.dropped;
        self.accepted.saturating_sub(completed)
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            accepted: self.accepted,
            delivered: self.delivered,
            dead: self.dead,
            expired: self.expired,
            dropped: self.dropped,
            pending: self.pending(),
        }
    }
}

/// One line of the journal: new values, and added and removed elements.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Batch {
    pub(super) sums: Sums,
    pub(super) pending_bytes: u64,
    /// Everything before it is completed, except the retries.
    pub(super) low: u64,
    /// The highest known segment number.
    pub(super) newest: u32,
    /// Offset up to which the newest segment was read.
    pub(super) newest_scanned: u32,
    /// Closed gates: origin, failures, time and pause. All other gates are open.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) gates: Vec<(String, u32, u64, u64)>,
    /// New origins, in the order of their numbers; then changed numbers of pending notifications.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) origins: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) waiting: Vec<(u32, u64)>,
    /// Changed segments: number, scanned, accepted, bytes, items.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) segments: Vec<(u32, u32, u32, u64, u32)>,
    /// Items whose delivery begins.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) begun: Vec<u64>,
    /// Numbers of completed items before `low`, in segments of a rewritten journal.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) done_before: Vec<(u32, u32)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) retired: Vec<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) skipped: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) completed: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) retries: Vec<(u64, Retry)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) letters: Vec<(u64, Letter)>,
    /// Dead letters that were enqueued again or dropped.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) letters_gone: Vec<u64>,
    /// Producers whose sums changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) producers: Vec<(u64, Sums)>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct JournalState {
    pub(super) sums: Sums,
    pub(super) pending_bytes: u64,
    pub(super) low: Position,
    pub(super) newest: u32,
    pub(super) gates: BTreeMap<Arc<str>, Gate>,
    pub(super) origins: Vec<(Arc<str>, OriginState)>,
    pub(super) segments: BTreeMap<u32, SegmentState>,
    pub(super) retries: BTreeMap<Position, Retry>,
    /// Items whose delivery began without a recorded result.
    pub(super) begun: BTreeSet<Position>,
    pub(super) letters: BTreeMap<Position, Letter>,
    pub(super) producers: BTreeMap<u64, Sums>,
    /// Producers in order of arrival, to discard the oldest.
    producer_order: VecDeque<u64>,
}

impl JournalState {
    pub(super) fn apply(&mut self, batch: &Batch) {
        self.sums = batch.sums;
        self.pending_bytes = batch.pending_bytes;
        self.newest = self.newest.max(batch.newest);
        self.gates = batch
            .gates
            .iter()
            .map(|(origin, failures, closed_at, pause)| {
                let gate = Gate {
                    failures: *failures,
                    closed_at: *closed_at,
                    pause: *pause,
                };
                (Arc::from(origin.as_str()), gate)
            })
            .collect();
        for origin in &batch.origins {
            let origin = Arc::from(origin.as_str());
            self.origins.push((origin, OriginState::default()));
        }
        for (number, pending) in &batch.waiting {
            if let Some((_, origin)) = self.origins.get_mut(*number as usize) {
                origin.pending = *pending;
            }
        }
        for (number, scanned, accepted, bytes, items) in &batch.segments {
            let segment = self.segments.entry(*number).or_default();
            segment.scanned = *scanned;
            segment.accepted = *accepted;
            segment.bytes = *bytes;
            segment.items = *items;
        }
        for (number, done) in &batch.done_before {
            self.segments.entry(*number).or_default().done = *done;
        }
        for number in &batch.retired {
            self.segments.remove(number);
        }
        for position in batch.skipped.iter().copied().map(Position) {
            if let Some(segment) = self.segments.get_mut(&segment_of(position)) {
                segment.skipped.insert(offset_of(position));
            }
        }
        for position in batch.completed.iter().copied().map(Position) {
            self.retries.remove(&position);
            self.begun.remove(&position);
            if let Some(segment) = self.segments.get_mut(&segment_of(position))
                && segment.completed.insert(offset_of(position))
            {
                segment.done += 1;
            }
        }
        for (position, retry) in &batch.retries {
            self.begun.remove(&Position(*position));
            self.retries.insert(Position(*position), retry.clone());
        }
        self.begun.extend(batch.begun.iter().copied().map(Position));
        for (position, letter) in &batch.letters {
            self.letters.insert(Position(*position), letter.clone());
        }
        for position in &batch.letters_gone {
            self.letters.remove(&Position(*position));
        }
        for (producer, sums) in &batch.producers {
            if self.producers.insert(*producer, *sums).is_none() {
                self.producer_order.push_back(*producer);
            }
        }
        while self.producers.len() > MAX_PRODUCERS
            && let Some(oldest) = self.producer_order.pop_front()
        {
            self.producers.remove(&oldest);
        }
        self.raise_low(Position(batch.low));
    }

    /// Discards the completed items before `low`.
    fn raise_low(&mut self, low: Position) {
        if low <= self.low {
            return;
        }
        self.low = low;
        for (number, segment) in &mut self.segments {
            if *number > segment_of(low) {
                break;
            }
            if *number < segment_of(low) {
                segment.completed.clear();
                segment.skipped.clear();
            } else {
                segment.completed = segment.completed.split_off(&offset_of(low));
                segment.skipped = segment.skipped.split_off(&offset_of(low));
            }
        }
    }

    /// Whether the item at `position`, which must be an item, is not completed.
    pub(super) fn is_pending(&self, position: Position) -> bool {
        if self.retries.contains_key(&position) {
            return true;
        }
        if position < self.low {
            return false;
        }
        self.segments
            .get(&segment_of(position))
            .is_some_and(|segment| {
                let offset = offset_of(position);
                offset < segment.scanned
                    && !segment.completed.contains(&offset)
                    && !segment.skipped.contains(&offset)
            })
    }

    pub(super) fn is_skipped(&self, position: Position) -> bool {
        let segment = self.segments.get(&segment_of(position));
        segment.is_some_and(|s| s.skipped.contains(&offset_of(position)))
    }

    /// The position before which everything is completed.
    pub(super) fn completed_to(&self) -> Position {
        let first = self.retries.keys().next().copied();
        first.map_or(self.low, |first| first.min(self.low))
    }

    pub(super) fn origin_number(&self, origin: &str) -> Option<u32> {
        let number = self
            .origins
            .iter()
            .position(|(known, _)| &**known == origin)?;
        u32::try_from(number).ok()
    }

    pub(super) fn gate(&self, origin: &str) -> Gate {
        self.gates.get(origin).copied().unwrap_or_default()
    }

    /// A batch without changes.
    pub(super) fn unchanged(&self) -> Batch {
        Batch {
            sums: self.sums,
            pending_bytes: self.pending_bytes,
            low: self.low.0,
            newest: self.newest,
            newest_scanned: self.segments.get(&self.newest).map_or(0, |s| s.scanned),
            gates: self
                .gates
                .iter()
                .map(|(origin, gate)| {
                    (
                        origin.to_string(),
                        gate.failures,
                        gate.closed_at,
                        gate.pause,
                    )
                })
                .collect(),
            ..Batch::default()
        }
    }

    /// The state as batches of limited length.
    pub(super) fn snapshot(&self) -> Vec<Batch> {
        const AT_A_TIME: usize = 1000;
        let mut first = self.unchanged();
        first.origins = self.origins.iter().map(|(o, _)| o.to_string()).collect();
        first.waiting = (0..)
            .zip(&self.origins)
            .map(|(n, (_, o))| (n, o.pending))
            .collect();
        for (number, segment) in &self.segments {
            first.segments.push((
                *number,
                segment.scanned,
                segment.accepted,
                segment.bytes,
                segment.items,
            ));
            let before = segment.done as usize - segment.completed.len().min(segment.done as usize);
            first.done_before.push((*number, before as u32));
        }
        let mut batches = vec![first];
        let of = |segments: &BTreeMap<u32, SegmentState>,
                  set: fn(&SegmentState) -> &BTreeSet<u32>| {
            segments
                .iter()
                .flat_map(|(number, s)| set(s).iter().map(|o| position(*number, *o).0))
                .collect::<Vec<u64>>()
        };
        for part in of(&self.segments, |s| &s.completed).chunks(AT_A_TIME) {
            batches.push(Batch {
                completed: part.to_vec(),
                ..self.unchanged()
            });
        }
        for part in of(&self.segments, |s| &s.skipped).chunks(AT_A_TIME) {
            batches.push(Batch {
                skipped: part.to_vec(),
                ..self.unchanged()
            });
        }
        let retries: Vec<_> = self.retries.iter().map(|(p, r)| (p.0, r.clone())).collect();
        for part in retries.chunks(AT_A_TIME) {
            batches.push(Batch {
                retries: part.to_vec(),
                ..self.unchanged()
            });
        }
        let begun: Vec<u64> = self.begun.iter().map(|p| p.0).collect();
        for part in begun.chunks(AT_A_TIME) {
            batches.push(Batch {
                begun: part.to_vec(),
                ..self.unchanged()
            });
        }
        let letters: Vec<_> = self.letters.iter().map(|(p, l)| (p.0, l.clone())).collect();
        for part in letters.chunks(AT_A_TIME) {
            batches.push(Batch {
                letters: part.to_vec(),
                ..self.unchanged()
            });
        }
        let producers: Vec<_> = self
            .producer_order
            .iter()
            .filter_map(|id| Some((*id, *self.producers.get(id)?)))
            .collect();
        for part in producers.chunks(AT_A_TIME) {
            batches.push(Batch {
                producers: part.to_vec(),
                ..self.unchanged()
            });
        }
        // Only the last line has the sums, for processes that read only the end of the file.
        batches.push(self.unchanged());
        batches
    }

    /// Contradictions in the state, as text.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let in_segments: u64 = self
            .segments
            .values()
            .map(|s| u64::from(s.items.saturating_sub(s.done)))
            .sum();
        let mut differ = |what: &str, counted: u64, found: u64| {
            if counted != found {
                faults.push(format!(
                    "{what}: the counter is {counted}, but the files have {found}"
                ));
            }
        };
        differ("pending", self.sums.pending(), in_segments);
        differ("dead", self.sums.dead, self.letters.len() as u64);
        let by_origin = self.origins.iter().map(|(_, o)| o.pending).sum();
        differ("pending by origin", self.sums.pending(), by_origin);
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> JournalState {
        let mut state = JournalState::default();
        state.apply(&Batch {
            sums: Sums {
                accepted: 9,
                delivered: 3,
                dead: 1,
                expired: 1,
                dropped: 1,
            },
            pending_bytes: 77,
            low: position(1, 50).0,
            newest: 2,
            gates: vec![("https://b".to_owned(), 2, 1000, 500)],
            origins: vec!["https://a".to_owned(), "https://b".to_owned()],
            waiting: vec![(0, 1), (1, 2)],
            segments: vec![(1, 900, 6, 600, 6), (2, 300, 3, 300, 3)],
            done_before: vec![(1, 3)],
            completed: vec![position(1, 100).0, position(2, 0).0, position(2, 100).0],
            skipped: vec![position(1, 200).0],
            retries: vec![(
                position(1, 300).0,
                Retry {
                    origin: 1,
                    accepted: Timestamp::default(),
                    attempts: 4,
                    failed: Timestamp {
                        unix_ms: 10,
                        ..Timestamp::default()
                    },
                    pause: 20,
                    status: -20,
                    http_status: Some(503),
                    session: Some(5),
                    ends_session: true,
                    detail: "busy".to_owned(),
                },
            )],
            letters: vec![(
                position(1, 10).0,
                Letter {
                    file: 1,
                    offset: 5,
                    status: -11,
                    producer: 8,
                },
            )],
            producers: vec![(
                8,
                Sums {
                    accepted: 9,
                    ..Sums::default()
                },
            )],
            ..Batch::default()
        });
        state
    }

    #[test]
    fn journal_snapshot_restores_the_state_it_was_made_of() {
        let state = example();
        let mut copy = JournalState::default();
        for batch in state.snapshot() {
            let line = serde_json::to_string(&batch).unwrap();
            copy.apply(&serde_json::from_str(&line).unwrap());
        }
        assert_eq!(format!("{copy:?}"), format!("{state:?}"));
        assert!(state.faults().is_empty(), "{:?}", state.faults());
    }

    #[test]
    fn item_is_pending_until_it_is_completed_skipped_or_below_low() {
        let mut state = example();
        assert!(state.is_pending(position(1, 50)));
        assert!(!state.is_pending(position(1, 49)));
        assert!(!state.is_pending(position(1, 100)));
        assert!(!state.is_pending(position(1, 200)));
        assert!(!state.is_pending(position(1, 900)), "not read yet");
        assert!(!state.is_pending(position(3, 0)));
        let batch = Batch {
            low: position(2, 100).0,
            ..state.unchanged()
        };
        state.apply(&batch);
        assert!(!state.is_pending(position(1, 400)));
        assert!(
            state.is_pending(position(1, 300)),
            "it is to be tried again"
        );
        assert_eq!(state.completed_to(), position(1, 300));
        assert_eq!(state.segments[&1].completed.len(), 0);
        assert_eq!(state.segments[&2].completed.len(), 1);
        assert_eq!(state.segments[&2].done, 2);
    }

    #[test]
    fn retry_is_due_after_its_pause_or_when_the_clock_was_set_back() {
        let retry = &example().retries[&position(1, 300)];
        let at = |unix_ms| Timestamp {
            unix_ms,
            ..Timestamp::default()
        };
        assert!(!retry.is_due(at(10)));
        assert!(!retry.is_due(at(29)));
        assert!(retry.is_due(at(30)));
        assert!(retry.is_due(at(9)));
    }

    #[test]
    fn oldest_producer_counters_are_discarded_over_the_limit() {
        let mut state = JournalState::default();
        let producers = (0..MAX_PRODUCERS as u64 + 5)
            .map(|n| (n, Sums::default()))
            .collect();
        let batch = Batch {
            producers,
            ..state.unchanged()
        };
        state.apply(&batch);
        assert_eq!(state.producers.len(), MAX_PRODUCERS);
        assert_eq!(state.producers.keys().next(), Some(&5));
    }

    #[test]
    fn state_reports_a_fault_when_a_counter_differs_from_the_files() {
        let mut state = example();
        state.sums.delivered -= 1;
        state.letters.clear();
        assert_eq!(state.faults().len(), 3);
    }
}
