//! Evaluates the lines that were appended since the leader's last read.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::directory::SpoolDirectory;
use super::draft::{Draft, End, Weight};
use super::items::{item_in, open_segment};
use super::line::{self, Line};
use super::origin_queue::OriginQueue;
use super::receipts::{self, Completed, dropped};
use super::record::{self, Notification, Record};
use super::repeats::{Repeats, Sources};
use super::segment_name;
use super::state::{Batch, JournalState, Letter, Retry, offset_of, position, segment_of};
use crate::host::log;
use crate::host::{self, Timestamp};
use crate::notification;
use crate::outcome::Status;
use crate::spool::{Item, Position};

/// Greatest number of bytes that one poll reads, so that the first deliveries do not wait for a
/// large backlog.
pub(super) const POLL_BYTES: u64 = 8 << 20;

/// Number of newly read items that are kept for each origin.
const AHEAD: usize = 256;

/// The state while the lines of one segment are read.
pub(super) struct Reading<'a> {
    directory: &'a SpoolDirectory,
    state: &'a JournalState,
    queues: &'a HashMap<Arc<str>, OriginQueue>,
    sources: Sources<'a>,
    /// Found on first use.
    repeats: Option<Repeats>,
    number: u32,
    now: Timestamp,
    draft: Draft<'a>,
    /// The end of the last read.
    end_before: Position,
    ahead: Vec<Item>,
    ahead_by_origin: HashMap<u32, usize>,
    /// Origins with more items than were kept.
    overfull: HashSet<u32>,
    completed: Vec<Completed>,
    erased: Vec<Position>,
    /// Dropped items and their producers.
    dropped: Vec<(Position, u64)>,
    damage: Vec<(Position, Vec<u8>)>,
    /// `max_items` and `max_bytes`, if the oldest items are dropped above them.
    limits: Option<(u64, u64)>,
    /// Whether room was made for the first record.
    pub(super) has_room: bool,
    /// The number of bytes for which the next record needs room, and the record's acceptance time.
    pub(super) needs_room: Option<(u64, Timestamp)>,
    error: Option<io::Error>,
    has_read: bool,
    pub(super) stopped_at: Option<u32>,
}

/// The result of a read.
pub(super) struct Read {
    pub(super) batch: Batch,
    /// Kept items, and origins with more items than were kept.
    pub(super) ahead: Vec<Item>,
    pub(super) overfull: HashSet<u32>,
    pub(super) completed: Vec<Completed>,
    /// Positions of overwritten lines.
    pub(super) erased: Vec<Position>,
    pub(super) dropped: Vec<(Position, u64)>,
    pub(super) damage: Vec<(Position, Vec<u8>)>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(
        sources: Sources<'a>,
        state: &'a JournalState,
        number: u32,
        end_before: Position,
        limits: Option<(u64, u64)>,
        now: Timestamp,
    ) -> Reading<'a> {
        Reading {
            directory: sources.directory,
            state,
            queues: sources.queues,
            sources,
            repeats: None,
            number,
            now,
            draft: Draft::new(state),
            end_before,
            ahead: Vec::new(),
            ahead_by_origin: HashMap::new(),
            overfull: HashSet::new(),
            completed: Vec::new(),
            erased: Vec::new(),
            dropped: Vec::new(),
            damage: Vec::new(),
            limits,
            has_room: false,
            needs_room: None,
            error: None,
            has_read: false,
            stopped_at: None,
        }
    }

    pub(super) fn read(&mut self, offset: u32, bytes: &[u8], line: Line<'_>) -> ControlFlow<()> {
        let at = position(self.number, offset);
        let record = match &line {
            Line::Sound(payload) => record::parse(payload),
            _ => None,
        };
        let is_command = matches!(record, Some(Record::Requeue(..) | Record::Discard { .. }));
        if is_command && self.has_read {
            // Room may first have to be made for the notifications before it.
            self.stopped_at = Some(offset);
            return ControlFlow::Break(());
        }
        if let Some(Record::Notification(new) | Record::Again(new)) = &record
            && self.is_over(new.body.len() as u64)
            && (self.has_read || !std::mem::take(&mut self.has_room))
        {
            self.needs_room = Some((new.body.len() as u64, new.accepted));
            self.stopped_at = Some(offset);
            return ControlFlow::Break(());
        }
        self.has_read = true;
        // Later lines of the same piece rely on this position.
        self.draft.segment(self.number).scanned = offset + 1;
        let done = match line {
            Line::Sound(_) => match record {
                Some(record) => self.take(at, record),
                None => {
                    log::warn(|| {
                        format!(
                            "{} of the spool {} has a record at {offset} that this version does not know; it is \
                            skipped",
                            segment_name(self.number),
                            self.directory.path.display()
                        )
                    });
                    Ok(())
                }
            },
            // Caused by a killed process or a full disk; the producer did not report it as
            // accepted.
            Line::Torn => Ok(()),
            Line::Damaged => {
                self.draft.skip(at);
                self.damage.push((at, bytes.to_vec()));
                Ok(())
            }
        };
        match done {
            Ok(()) => ControlFlow::Continue(()),
            Err(e) => {
                self.error = Some(e);
                ControlFlow::Break(())
            }
        }
    }

    /// Whether one more notification exceeds the limits, if the oldest are dropped above them.
    fn is_over(&self, bytes: u64) -> bool {
        self.limits.is_some_and(|(max_items, max_bytes)| {
            self.draft.pending() >= max_items
                || self.draft.pending_bytes().saturating_add(bytes) > max_bytes
        })
    }

    fn take(&mut self, at: Position, record: Record<'_>) -> io::Result<()> {
        match record {
            Record::Notification(new) if !self.sources.is_removed => {
                if let Some(repeats) = &mut self.repeats {
                    repeats.accepted(&new);
                }
                self.accept(at, new);
            }
            Record::Notification(new) | Record::Again(new) => {
                let repeats = match &mut self.repeats {
                    Some(repeats) => repeats,
                    None => {
                        let found = Repeats::find(&self.sources, &self.draft, at, POLL_BYTES)?;
                        self.repeats.insert(found)
                    }
                };
                if repeats.is_known(&new) {
                    self.draft.skip(at);
                } else {
                    self.accept(at, new);
                }
            }
            Record::Requeue(dead, new) => {
                let weight = self.weight(at, &new);
                if self.draft.requeue(dead, weight) {
                    self.put_ahead(at, new, weight.origin);
                } else {
                    self.draft.skip(at);
                }
            }
            Record::Discard { erases, positions } => {
                self.discard(erases, &positions)?;
            }
            Record::Probe => {
                for (_, failures, _, pause) in &mut self.draft.batch().gates {
                    if *failures > 0 {
                        *pause = 0;
                    }
                }
            }
            // The notification was erased before the leader read it.
            Record::Erased(_) => {}
        }
        Ok(())
    }

    fn weight(&mut self, at: Position, new: &Notification<'_>) -> Weight {
        Weight {
            position: at,
            origin: self.draft.origin(&line::text(new.origin)),
            producer: new.producer,
            bytes: new.body.len() as u64,
        }
    }

    fn accept(&mut self, at: Position, new: Notification<'_>) {
        // After the loss of the journal its receipt was found: it is already completed.
        if self.state.is_skipped(at) {
            return;
        }
        let weight = self.weight(at, &new);
        self.draft.accept(weight);
        self.put_ahead(at, new, weight.origin);
    }

    /// Keeps an item in the queue of its origin, if that queue has reached this position.
    fn put_ahead(&mut self, at: Position, new: Notification<'_>, number: u32) {
        let origin = line::text(new.origin);
        let queue = self.queues.get(origin.as_str());
        let cursor = queue.map_or(self.end_before, |l| l.cursor);
        if at < cursor {
            // Its producer noticed the newer segment late.
            let retry = Retry {
                origin: number,
                accepted: new.accepted,
                attempts: new.attempts,
                failed: Timestamp::default(),
                pause: 0,
                status: Status::Queued.code(),
                http_status: None,
                detail: line::text(new.detail),
                session: notification::session(&new.body),
                ends_session: notification::ends_session(&new.path()),
            };
            self.draft.set_retry(at, retry);
            return;
        }
        if cursor < self.end_before {
            return;
        }
        if self.overfull.contains(&number) {
            return;
        }
        let count = self.ahead_by_origin.entry(number).or_default();
        // If memory is short, it is needed for requests in flight; other items are read again
        // later.
        if *count >= AHEAD || *count > 0 && host::is_memory_short() {
            self.overfull.insert(number);
            return;
        }
        *count += 1;
        let origin = Arc::from(origin.as_str());
        self.ahead.push(new.into_item(at, origin));
    }

    fn discard(&mut self, erases: bool, positions: &[Position]) -> io::Result<()> {
        let mut ids = HashSet::new();
        let mut in_segments: HashMap<u32, Vec<(u64, usize)>> = HashMap::new();
        let mut letters: Vec<Letter> = Vec::new();
        let mut file: Option<(u32, Option<File>)> = None;
        for at in positions.iter().copied() {
            let number = segment_of(at);
            if file.as_ref().is_none_or(|(open, _)| *open != number) {
                file = Some((number, open_segment(self.directory, number)?));
            }
            let mut found = match &file {
                Some((_, Some(file))) => item_in(file, at)?,
                _ => None,
            };
            if let (Some((item, _)), Some(retry)) = (&mut found, self.state.retries.get(&at)) {
                item.attempts = retry.attempts;
            }
            let is_pending = self.draft.is_pending(at);
            if let Some(letter) = self.state.letters.get(&at) {
                let id = found.as_ref().map(|(item, _)| item.id.clone());
                // Its segment may already be deleted.
                let stored = || super::dead::read(self.directory, letter).ok();
                ids.extend(id.or_else(|| Some(stored()?.item.id)));
                letters.push(letter.clone());
                self.draft.discard_letter(at);
            } else if let Some((item, _)) = &found
                && is_pending
            {
                // Otherwise an earlier leader has erased it, and was killed before it counted it.
                let weight = Weight {
                    position: at,
                    origin: self.draft.origin(&item.origin),
                    producer: item.producer,
                    bytes: item.body.len() as u64,
                };
                self.draft.complete(weight, End::Dropped);
                ids.insert(item.id.clone());
                self.dropped.push((at, item.producer));
                self.completed
                    .push(dropped(item, "dropped by an operator", self.now));
            }
            if let Some((_, length)) = found {
                let lines = in_segments.entry(number).or_default();
                lines.push((offset_of(at).into(), length));
            }
        }
        if erases {
            // The receipts first: they are found by the ids of the other lines. If this process is killed in between,
            // the next leader finds them again.
            receipts::erase(self.directory, &ids)?;
            for letter in letters {
                super::dead::erase(self.directory, &letter)?;
            }
            for (number, lines) in &in_segments {
                super::erase_lines(self.directory, &segment_name(*number), lines)?;
            }
            // No data of the person stays, not even the fact that an item was dropped.
            let erased: HashSet<Position> = positions.iter().copied().collect();
            self.completed.retain(|one| !erased.contains(&one.position));
            self.erased.extend(&erased);
            self.ahead.retain(|item| !erased.contains(&item.position));
        }
        Ok(())
    }

    /// `end` is the position of the next line.
    pub(super) fn finish(mut self, end: u32) -> io::Result<Read> {
        if let Some(e) = self.error {
            return Err(e);
        }
        self.draft.segment(self.number).scanned = end;
        let low = self.state.low;
        Ok(Read {
            batch: self.draft.finish(low),
            ahead: self.ahead,
            overfull: self.overfull,
            completed: self.completed,
            erased: self.erased,
            dropped: self.dropped,
            damage: self.damage,
        })
    }
}
