//! What a process that does not lead sees: the leader's state, and what was appended since the leader last looked.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::ControlFlow;
use std::time::Instant;

use super::journal::JournalReader;
use super::line::Line;
use super::operator;
use super::place::Place;
use super::reader;
use super::record::{self, Record};
use super::segment_name;
use super::state::{SegmentState, State, position};
use crate::host::Timestamp;
use crate::spool::{Counts, Position};

/// One segment, counted on from where the leader stopped.
#[derive(Debug, Clone, Copy, Default)]
struct Tail {
    /// Where the leader had stopped: what it passed over does not count.
    from: u32,
    upto: u64,
    accepted: u64,
    bytes: u64,
    /// Where the last command of an operator begins, if there is one behind what the leader has read.
    command: Option<u32>,
}

#[derive(Debug, Default)]
pub(super) struct View {
    /// Which directory this was read from: at the path there may be another one by now.
    directory: Option<(u64, u64)>,
    pub(super) state: State,
    journal: Option<JournalReader>,
    tails: BTreeMap<u32, Tail>,
    /// The end of the last line that was read, by the leader or by this process.
    pub(super) end: Position,
    /// Whether an operator's command waits for the leader.
    pub(super) has_unread_commands: bool,
    /// When the oldest notification that the leader has not read was accepted.
    pub(super) oldest_unread: Option<Timestamp>,
}

/// Accepted and pending notifications, and the bytes of the pending ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sight {
    pub(super) counts: Counts,
    pub(super) pending_bytes: u64,
}

impl View {
    /// Catches up with the leader.
    pub(super) fn read_journal(&mut self, place: &Place) -> io::Result<()> {
        let directory = Some(place.id()?);
        if self.directory != directory {
            *self = View {
                directory,
                ..View::default()
            };
        }
        if let Some(journal) = &mut self.journal
            && journal.is_current()?
        {
            journal.read_on(&mut self.state)?;
            // It may have been replaced between the two.
            if journal.is_current()? {
                return Ok(());
            }
        }
        match JournalReader::open(place)? {
            Some((journal, state)) => {
                self.journal = Some(journal);
                self.state = state;
            }
            None => {
                self.journal = None;
                self.state = State::default();
            }
        }
        Ok(())
    }

    /// Catches up with the producers too, and counts. Where the deadline ends it, the next call continues.
    pub(super) fn read_all(&mut self, place: &Place, deadline: Instant) -> io::Result<Sight> {
        self.read_journal(place)?;
        let mut numbers = place.numbered(super::SEGMENT, super::SEGMENT_END)?;
        numbers.extend(self.state.segments.keys());
        numbers.sort_unstable();
        numbers.dedup();
        self.tails
            .retain(|number, _| numbers.binary_search(number).is_ok());
        let (mut accepted, mut bytes) = (0, 0);
        self.end = Position::default();
        self.oldest_unread = None;
        self.has_unread_commands = false;
        let mut limit = reader::Limit::new(deadline);
        for number in numbers {
            let known = self
                .state
                .segments
                .get(&number)
                .cloned()
                .unwrap_or_default();
            let tail = self.tails.entry(number).or_default();
            if tail.from != known.scanned || tail.upto < u64::from(known.scanned) {
                *tail = Tail {
                    from: known.scanned,
                    upto: known.scanned.into(),
                    accepted: known.accepted.into(),
                    bytes: known.bytes,
                    command: None,
                };
            }
            match place.open_file(OpenOptions::new().read(true), &segment_name(number)) {
                Ok(file) => {
                    count_on(&file, tail, &mut limit)?;
                    if self.oldest_unread.is_none() && tail.accepted > u64::from(known.accepted) {
                        self.oldest_unread = first_accepted(&file, &known)?;
                    }
                }
                // The leader has completed it, or an operator removed it.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
            self.has_unread_commands |= tail.command.is_some_and(|at| at >= known.scanned);
            accepted += tail.accepted - u64::from(known.accepted);
            bytes += tail.bytes.saturating_sub(known.bytes);
            self.end = position(number, u32::try_from(tail.upto).unwrap_or(u32::MAX));
        }
        let mut counts = self.state.sums.counts();
        counts.accepted += accepted;
        counts.pending += accepted;
        Ok(Sight {
            counts,
            pending_bytes: self.state.pending_bytes + bytes,
        })
    }

    /// Whether nothing in front of `mark` is pending, except what is among `dropped`.
    pub(super) fn is_settled(
        &self,
        place: &Place,
        mark: Position,
        dropped: &BTreeMap<Position, u64>,
        deadline: Instant,
    ) -> io::Result<bool> {
        let from = self.state.settled_to();
        if from >= mark {
            return Ok(true);
        }
        let mut is_settled = true;
        operator::each_item(place, &self.state, from, deadline, |item| {
            if item.at >= mark {
                return ControlFlow::Break(());
            }
            is_settled &= !item.is_pending || dropped.contains_key(&item.at);
            match is_settled {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        })?;
        Ok(is_settled)
    }

    pub(super) fn damaged_lines(&self) -> u64 {
        self.journal.as_ref().map_or(0, |j| j.damaged)
    }
}

fn count_on(file: &File, tail: &mut Tail, limit: &mut reader::Limit) -> io::Result<()> {
    if file.metadata()?.len() <= tail.upto {
        return Ok(());
    }
    let mut is_late = false;
    let (mut accepted, mut bytes) = (0, 0);
    let mut command = tail.command;
    let end = reader::lines(file, tail.upto, |offset, text, line| {
        if let Line::Sound(payload) = line {
            match record::parse(payload) {
                Some(Record::Notification(new) | Record::Again(new)) => {
                    accepted += 1;
                    bytes += new.body.len() as u64;
                }
                Some(Record::Requeue(..) | Record::Discard { .. } | Record::Probe) => {
                    command = Some(offset);
                }
                Some(Record::Erased(_)) | None => {}
            }
        }
        is_late = limit.is_reached(text.len());
        match is_late {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    tail.command = command;
    tail.upto = end;
    tail.accepted += accepted;
    tail.bytes += bytes;
    match is_late {
        true => Err(reader::Limit::error()),
        false => Ok(()),
    }
}

fn first_accepted(file: &File, known: &SegmentState) -> io::Result<Option<Timestamp>> {
    let mut first = None;
    reader::lines(file, known.scanned.into(), |_, _, line| {
        if let Line::Sound(payload) = line
            && let Some(Record::Notification(new) | Record::Again(new)) = record::parse(payload)
        {
            first = Some(new.accepted);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    Ok(first)
}
