//! Reads items of the segments. Every process may use it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use super::directory::SpoolDirectory;
use super::line::{self, Line};
use super::record::{self, Notification, Record};
use super::state::{JournalState, Retry, offset_of, position, segment_of};
use super::{reader, segment_name};
use crate::host::Timestamp;
use crate::outcome::Status;
use crate::spool::{Item, Position, StoredItem};

pub(super) fn notification(payload: &str) -> Option<Notification<'_>> {
    match record::parse(payload)? {
        Record::Notification(n) | Record::Again(n) | Record::Requeue(_, n) => Some(n),
        _ => None,
    }
}

/// Opens a segment. `None`: it was deleted.
pub(super) fn open_segment(directory: &SpoolDirectory, number: u32) -> io::Result<Option<File>> {
    match directory.open_file(OpenOptions::new().read(true), &segment_name(number)) {
        Ok(file) => Ok(Some(file)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// The item at a position and the length of its line. `None`: there is no item.
pub(super) fn item_in(file: &File, at: Position) -> io::Result<Option<(Item, usize)>> {
    let line = reader::line_at(file, offset_of(at).into())?.unwrap_or_default();
    let Line::Sound(payload) = line::decode(&line) else {
        return Ok(None);
    };
    let found = match record::parse(payload) {
        Some(Record::Erased(left)) => left,
        _ => notification(payload),
    };
    Ok(found.map(|n| {
        let origin = Arc::from(line::text(n.origin).as_str());
        (n.into_item(at, origin), line.len())
    }))
}

/// An item in its segment.
pub(super) struct FoundItem<'a> {
    pub(super) at: Position,
    pub(super) is_pending: bool,
    pub(super) new: Notification<'a>,
    retry: Option<&'a Retry>,
    has_begun: bool,
}

impl FoundItem<'_> {
    pub(super) fn stored(self) -> StoredItem {
        let origin = Arc::from(line::text(self.new.origin).as_str());
        let detail = line::text(self.new.detail);
        let mut item = self.new.into_item(self.at, origin);
        item.has_begun = self.has_begun;
        let Some(retry) = self.retry else {
            return StoredItem {
                item,
                died: None,
                status: Status::Queued,
                http_status: None,
                detail,
            };
        };
        item.attempts = retry.attempts;
        StoredItem {
            item,
            died: None,
            status: Status::from_code(retry.status).unwrap_or(Status::Internal),
            http_status: retry.http_status,
            detail: retry.detail.clone(),
        }
    }
}

/// Calls `visit` for every item from `from` on, pending or not.
pub(super) fn each_item(
    directory: &SpoolDirectory,
    state: &JournalState,
    from: Position,
    deadline: Instant,
    mut visit: impl FnMut(FoundItem<'_>) -> ControlFlow<()>,
) -> io::Result<()> {
    let first = segment_of(from);
    let mut limit = reader::Limit::new(deadline);
    for number in directory.numbered(super::SEGMENT, super::SEGMENT_END)? {
        if number < first {
            continue;
        }
        let Some(file) = open_segment(directory, number)? else {
            continue;
        };
        let scanned = state.segments.get(&number).map_or(0, |s| s.scanned);
        // A segment that the leader has retired is not in its state any more.
        let is_retired = number <= state.newest && !state.segments.contains_key(&number);
        let start = match number == first {
            true => offset_of(from),
            false => 0,
        };
        let mut is_over = false;
        // If `from` is within a line, the rest of that line is skipped.
        let mut is_late = false;
        reader::lines(&file, start.into(), |offset, bytes, line| {
            let at = position(number, offset);
            if limit.is_reached(bytes.len()) {
                is_late = true;
                return ControlFlow::Break(());
            }
            let Line::Sound(payload) = line else {
                return ControlFlow::Continue(());
            };
            let Some(new) = notification(payload) else {
                return ControlFlow::Continue(());
            };
            let next = visit(FoundItem {
                at,
                is_pending: !is_retired && (offset >= scanned || state.is_pending(at)),
                new,
                retry: state.retries.get(&at),
                has_begun: state.begun.contains(&at),
            });
            is_over = next.is_break();
            next
        })?;
        if is_late {
            return Err(reader::Limit::error());
        }
        if is_over {
            break;
        }
    }
    Ok(())
}

/// The newest pending item with an id.
pub(super) fn find_pending(
    directory: &SpoolDirectory,
    state: &JournalState,
    id: &str,
    deadline: Instant,
) -> io::Result<Option<StoredItem>> {
    let mut found = None;
    each_item(directory, state, state.completed_to(), deadline, |item| {
        if item.is_pending && item.new.has_id(id) {
            found = Some(item.stored());
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

/// Acceptance time of the oldest pending item that is not among the dropped ones.
pub(super) fn first_pending_behind(
    directory: &SpoolDirectory,
    state: &JournalState,
    dropped: &BTreeMap<Position, u64>,
    deadline: Instant,
) -> io::Result<Option<Timestamp>> {
    let mut first = None;
    each_item(directory, state, state.completed_to(), deadline, |item| {
        if item.is_pending && !dropped.contains_key(&item.at) {
            first = Some(item.new.accepted);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    Ok(first)
}

/// Acceptance time of the oldest pending item that the leader has read.
pub(super) fn oldest_pending(
    directory: &SpoolDirectory,
    state: &JournalState,
) -> io::Result<Option<Timestamp>> {
    let tried = state.retries.iter().next().map(|(at, r)| (*at, r.accepted));
    let mut oldest = tried;
    for (number, segment) in state.segments.range(segment_of(state.low)..) {
        if segment.is_done() || oldest.is_some_and(|(at, _)| segment_of(at) < *number) {
            continue;
        }
        let file = match directory.open_file(OpenOptions::new().read(true), &segment_name(*number))
        {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(e),
        };
        let start = match *number == segment_of(state.low) {
            true => offset_of(state.low),
            false => 0,
        };
        let mut found = None;
        reader::lines(&file, start.into(), |offset, _, line| {
            let at = position(*number, offset);
            if let Line::Sound(payload) = line
                && state.is_pending(at)
                && let Some(new) = notification(payload)
            {
                found = Some((at, new.accepted));
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        if let Some((at, accepted)) = found {
            if oldest.is_none_or(|(known, _)| at < known) {
                oldest = Some((at, accepted));
            }
            break;
        }
    }
    Ok(oldest.map(|(_, accepted)| accepted))
}
