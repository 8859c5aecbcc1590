//! The view of a process that is not the leader: the leader's state, and what was appended since
//! the leader's last read.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io;
use std::ops::ControlFlow;
use std::time::Instant;

use super::directory::SpoolDirectory;
use super::items;
use super::journal::JournalReader;
use super::line::Line;
use super::reader;
use super::record::{self, Record};
use super::segment_name;
use super::state::{JournalState, position};
use crate::host::Timestamp;
use crate::spool::{Counts, Position};

/// The part of a segment after the leader's last read.
#[derive(Debug, Clone, Copy, Default)]
struct Tail {
    /// The leader's read position. Lines that it skipped do not count.
    from: u32,
    upto: u64,
    accepted: u64,
    bytes: u64,
    /// Acceptance time of the first unread notification.
    oldest: Option<Timestamp>,
    /// Position of the last unread operator's command, if there is one.
    command: Option<u32>,
}

#[derive(Debug, Default)]
pub(super) struct View {
    /// The directory from which this was read. The path may refer to another one by now.
    directory_id: Option<(u64, u64)>,
    pub(super) state: JournalState,
    journal: Option<JournalReader>,
    tails: BTreeMap<u32, Tail>,
    /// The end of the last line that the leader or this process has read.
    pub(super) end: Position,
    /// Whether an operator's command waits for the leader.
    pub(super) has_unread_commands: bool,
    /// Acceptance time of the oldest notification that the leader has not read.
    pub(super) oldest_unread: Option<Timestamp>,
}

/// Accepted and pending notifications, and the bytes of the pending ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sight {
    pub(super) counts: Counts,
    pub(super) pending_bytes: u64,
}

impl View {
    /// Reads new batches of the leader.
    pub(super) fn read_journal(&mut self, directory: &SpoolDirectory) -> io::Result<()> {
        let id = Some(directory.id()?);
        if self.directory_id != id {
            *self = View {
                directory_id: id,
                ..View::default()
            };
        }
        if let Some(journal) = &mut self.journal
            && journal.is_current()?
        {
            journal.read_on(&mut self.state)?;
            // The journal may have been replaced in between.
            if journal.is_current()? {
                return Ok(());
            }
        }
        match JournalReader::open(directory)? {
            Some((journal, state)) => {
                self.journal = Some(journal);
                self.state = state;
            }
            None => {
                self.journal = None;
                self.state = JournalState::default();
            }
        }
        Ok(())
    }

    /// Also reads and counts new notifications of the producers. If the deadline ends the call, the
    /// next call continues.
    pub(super) fn read_all(
        &mut self,
        directory: &SpoolDirectory,
        deadline: Instant,
    ) -> io::Result<Sight> {
        self.read_journal(directory)?;
        let mut numbers = directory.numbered(super::SEGMENT, super::SEGMENT_END)?;
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
            let (scanned, known_items, known_bytes) = match self.state.segments.get(&number) {
                Some(known) => (known.scanned, known.accepted.into(), known.bytes),
                None => (0, 0, 0),
            };
            let tail = self.tails.entry(number).or_default();
            if tail.from != scanned || tail.upto < u64::from(scanned) {
                *tail = Tail {
                    from: scanned,
                    upto: scanned.into(),
                    accepted: known_items,
                    bytes: known_bytes,
                    oldest: None,
                    command: None,
                };
            }
            count_on(directory, number, tail, &mut limit)?;
            self.oldest_unread = self.oldest_unread.or(tail.oldest);
            self.has_unread_commands |= tail.command.is_some_and(|at| at >= scanned);
            accepted += tail.accepted.saturating_sub(known_items);
            bytes += tail.bytes.saturating_sub(known_bytes);
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

    /// Whether nothing before `mark` is pending, except `dropped`.
    pub(super) fn is_settled(
        &self,
        directory: &SpoolDirectory,
        mark: Position,
        dropped: &BTreeMap<Position, u64>,
        deadline: Instant,
    ) -> io::Result<bool> {
        let from = self.state.completed_to();
        if from >= mark {
            return Ok(true);
        }
        let mut is_settled = true;
        items::each_item(directory, &self.state, from, deadline, |item| {
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

/// Counts new lines. A segment that has not grown is not opened, because near a limit this is done
/// for each enqueue.
fn count_on(
    directory: &SpoolDirectory,
    number: u32,
    tail: &mut Tail,
    limit: &mut reader::Limit,
) -> io::Result<()> {
    let name = segment_name(number);
    let file = match fs::symlink_metadata(directory.file(&name)) {
        Ok(metadata) if metadata.len() <= tail.upto => return Ok(()),
        _ => directory.open_file(OpenOptions::new().read(true), &name),
    };
    let file = match file {
        Ok(file) => file,
        // The leader has completed it, or someone has removed the file.
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    let mut is_late = false;
    let mut counted = *tail;
    counted.upto = reader::lines(&file, tail.upto, |offset, text, line| {
        is_late = limit.is_reached(text.len());
        let flow = match is_late {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let Line::Sound(payload) = line else {
            return flow;
        };
        // The columns are not read, because a million notifications must be counted quickly.
        if let Some(length) = record::body_length(payload)
            && counted.oldest.is_some()
        {
            counted.accepted += 1;
            counted.bytes += length;
            return flow;
        }
        match record::parse(payload) {
            Some(Record::Notification(new) | Record::Again(new)) => {
                counted.accepted += 1;
                counted.bytes += new.body.len() as u64;
                counted.oldest = counted.oldest.or(Some(new.accepted));
            }
            Some(Record::Requeue(..) | Record::Discard { .. } | Record::Probe) => {
                counted.command = Some(offset);
            }
            Some(Record::Erased(_)) | None => {}
        }
        flow
    })?;
    *tail = counted;
    match is_late {
        true => Err(reader::Limit::error()),
        false => Ok(()),
    }
}
