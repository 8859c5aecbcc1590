//! The receipts of the last completed items: one line each, in files to which the leader appends
//! and which it deletes later.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::directory::SpoolDirectory;
use super::disk;
use super::line::{self, Line, push_number, push_text};
use super::reader;
use crate::host::{Timestamp, millis};
use crate::outcome::{Receipt, Status};
use crate::spool::{Item, MAX_RECEIPTS, Position, RECENT};

const END: &str = ".log";
/// Number of lines in a file. The oldest file is deleted when the newer ones have enough receipts.
const LINES: usize = MAX_RECEIPTS / 2;

fn name(number: u32) -> String {
    format!("{}{number:010}{END}", super::RECEIPTS)
}

/// The outcome of an item.
#[derive(Debug, Clone)]
pub(super) struct Completed {
    pub(super) position: Position,
    pub(super) receipt: Receipt,
    pub(super) at: Timestamp,
    pub(super) latency: Duration,
}

/// The outcome of a dropped item.
pub(super) fn dropped(item: &Item, why: &str, now: Timestamp) -> Completed {
    Completed {
        position: item.position,
        receipt: Receipt {
            status: Status::Dropped,
            http_status: None,
            attempts: item.attempts,
            elapsed: now.since(item.accepted).length,
            id: item.id.clone(),
            detail: why.to_owned(),
        },
        at: now,
        latency: Duration::ZERO,
    }
}

impl Completed {
    fn push(&self, out: &mut Vec<u8>) -> bool {
        let receipt = &self.receipt;
        line::encode(out, |out| {
            out.extend_from_slice(b"R\t");
            out.extend_from_slice(receipt.status.code().to_string().as_bytes());
            for number in [
                self.position.0,
                self.at.unix_ms,
                self.at.uptime_ms,
                self.at.boot.into(),
                receipt.http_status.unwrap_or(0).into(),
                receipt.attempts.into(),
                millis(receipt.elapsed),
                u64::try_from(self.latency.as_micros()).unwrap_or(u64::MAX),
            ] {
                out.push(b'\t');
                push_number(out, number);
            }
            for text in [&receipt.id, &receipt.detail] {
                out.push(b'\t');
                push_text(out, text);
            }
        })
    }

    fn parse(payload: &str) -> Option<Completed> {
        let mut columns = payload.split('\t');
        (columns.next()? == "R").then_some(())?;
        let status = Status::from_code(columns.next()?.parse().ok()?)?;
        let mut number = || columns.next()?.parse::<u64>().ok();
        let position = Position(number()?);
        let at = Timestamp {
            unix_ms: number()?,
            uptime_ms: number()?,
            boot: u32::try_from(number()?).ok()?,
        };
        let http_status = u16::try_from(number()?).ok()?;
        let attempts = u32::try_from(number()?).ok()?;
        let elapsed = Duration::from_millis(number()?);
        let latency = Duration::from_micros(number()?);
        Some(Completed {
            position,
            receipt: Receipt {
                status,
                http_status: (http_status != 0).then_some(http_status),
                attempts,
                elapsed,
                id: line::text(columns.next()?),
                detail: line::text(columns.next()?),
            },
            at,
            latency,
        })
    }
}

/// The files of receipts, newest first.
fn files(directory: &SpoolDirectory) -> io::Result<Vec<u32>> {
    let mut numbers = directory.numbered(super::RECEIPTS, END)?;
    numbers.reverse();
    Ok(numbers)
}

fn each(
    directory: &SpoolDirectory,
    number: u32,
    mut visit: impl FnMut(u32, usize, Completed),
) -> io::Result<()> {
    let file = match directory.open_file(OpenOptions::new().read(true), &name(number)) {
        Ok(file) => file,
        // The leader has just deleted it.
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    reader::lines(&file, 0, |offset, bytes, line| {
        if let Line::Sound(payload) = line
            && let Some(completed) = Completed::parse(payload)
        {
            visit(offset, bytes.len(), completed);
        }
        ControlFlow::Continue(())
    })?;
    Ok(())
}

/// The newest receipt of an id that is not older than `retention`.
pub(super) fn find(
    directory: &SpoolDirectory,
    id: &str,
    now: Timestamp,
    retention: Duration,
    deadline: Instant,
) -> io::Result<Option<Receipt>> {
    let mut limit = reader::Limit::new(deadline);
    for number in files(directory)? {
        let mut found = None;
        let mut is_late = false;
        each(directory, number, |_, length, completed| {
            is_late = limit.is_reached(length);
            if completed.receipt.id == id {
                found = Some(completed);
            }
        })?;
        if let Some(completed) = found {
            let is_kept = now.since(completed.at).length < retention;
            return Ok(is_kept.then_some(completed.receipt));
        }
        if is_late {
            return Err(reader::Limit::error());
        }
    }
    Ok(None)
}

/// The ids among these that have a receipt, however old.
pub(super) fn known(
    directory: &SpoolDirectory,
    ids: &HashSet<&str>,
) -> io::Result<HashSet<String>> {
    let mut known = HashSet::new();
    for number in files(directory)? {
        each(directory, number, |_, _, completed| {
            if ids.contains(completed.receipt.id.as_str()) {
                known.insert(completed.receipt.id);
            }
        })?;
    }
    Ok(known)
}

/// The ids among these, accepted at these times, that have a receipt.
pub(super) fn completed_among(
    directory: &SpoolDirectory,
    wanted: &HashMap<String, Timestamp>,
) -> io::Result<HashSet<String>> {
    // Tolerance for a clock that advances between two readings.
    const TOLERANCE_MS: u64 = 1000;
    let mut found = HashSet::new();
    for number in files(directory)? {
        each(directory, number, |_, _, completed| {
            let receipt = completed.receipt;
            let accepted = completed.at.unix_ms.saturating_sub(millis(receipt.elapsed));
            if let Some(wanted) = wanted.get(&receipt.id)
                && wanted.unix_ms.abs_diff(accepted) <= TOLERANCE_MS
            {
                found.insert(receipt.id);
            }
        })?;
    }
    Ok(found)
}

/// Age at delivery and latency of the last deliveries.
pub(super) fn recent(directory: &SpoolDirectory) -> io::Result<Vec<(Duration, Duration)>> {
    let mut recent = Vec::new();
    for number in files(directory)? {
        let mut of_file = Vec::new();
        each(directory, number, |_, _, completed| {
            if completed.receipt.status == Status::Delivered {
                of_file.push((completed.receipt.elapsed, completed.latency));
            }
        })?;
        recent.extend(of_file.into_iter().rev().take(RECENT - recent.len()));
        if recent.len() >= RECENT {
            break;
        }
    }
    Ok(recent)
}

/// Appends receipts.
#[derive(Debug, Default)]
pub(super) struct ReceiptWriter {
    /// The current file, its number and its number of lines.
    current: Option<(File, u32, usize)>,
    /// The current file and the minute at the last check of the other files.
    last_check: Option<(Option<u32>, u64)>,
    buffer: Vec<u8>,
}

impl ReceiptWriter {
    pub(super) fn append(
        &mut self,
        directory: &SpoolDirectory,
        completed: &[Completed],
    ) -> io::Result<()> {
        if completed.is_empty() {
            return Ok(());
        }
        self.buffer.clear();
        for one in completed {
            one.push(&mut self.buffer);
        }
        if self
            .current
            .as_ref()
            .is_none_or(|(_, _, lines)| *lines >= LINES)
        {
            let number = files(directory)?.first().map_or(1, |newest| newest + 1);
            self.current = Some((directory.create(&directory.file(&name(number)))?, number, 0));
        }
        if let Some((file, _, lines)) = &mut self.current {
            disk::append(file, &self.buffer)?;
            *lines += completed.len();
        }
        Ok(())
    }

    /// Deletes files that are too old or not needed any more.
    pub(super) fn maintain(
        &mut self,
        directory: &SpoolDirectory,
        now: Timestamp,
        retention: Duration,
    ) -> io::Result<()> {
        if let Some((file, _, _)) = &self.current
            && std::os::unix::fs::MetadataExt::nlink(&file.metadata()?) == 0
        {
            crate::host::log::error(|| {
                "a file of receipts was removed while it was in use".to_owned()
            });
            self.current = None;
        }
        let present = self.current.as_ref().map(|(_, number, _)| *number);
        // Reading all of them every second would cost too much.
        let check = Some((present, now.unix_ms / 60_000));
        if std::mem::replace(&mut self.last_check, check) == check {
            return Ok(());
        }
        let mut lines_behind = 0;
        for number in files(directory)? {
            let (mut lines, mut is_old) = (0, true);
            if lines_behind < MAX_RECEIPTS {
                each(directory, number, |_, _, completed| {
                    lines += 1;
                    is_old &= now.since(completed.at).length >= retention;
                })?;
            }
            // The statistics need the last deliveries, however old.
            let is_useless = is_old && lines_behind >= RECENT;
            if Some(number) != present && (lines_behind >= MAX_RECEIPTS || is_useless) {
                disk::remove(&directory.file(&name(number)))?;
            }
            lines_behind += lines;
        }
        Ok(())
    }
}

/// Overwrites the receipts of these ids.
pub(super) fn erase(directory: &SpoolDirectory, ids: &HashSet<String>) -> io::Result<()> {
    for number in files(directory)? {
        let mut found = Vec::new();
        each(directory, number, |offset, length, completed| {
            if ids.contains(&completed.receipt.id) {
                found.push((u64::from(offset), length));
            }
        })?;
        super::erase_lines(directory, &name(number), &found)?;
    }
    Ok(())
}

/// The positions with a receipt, for a spool without a journal.
pub(super) fn positions(directory: &SpoolDirectory) -> io::Result<Vec<Completed>> {
    let mut all = Vec::new();
    for number in files(directory)? {
        each(directory, number, |_, _, completed| all.push(completed))?;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipt_round_trips() {
        let completed = Completed {
            position: Position(7),
            receipt: Receipt {
                status: Status::Forbidden,
                http_status: Some(403),
                attempts: 2,
                elapsed: Duration::from_millis(1500),
                id: "a\tb".to_owned(),
                detail: "no\nway".to_owned(),
            },
            at: Timestamp {
                unix_ms: 9,
                ..Timestamp::default()
            },
            latency: Duration::from_micros(8),
        };
        let mut out = Vec::new();
        assert!(completed.push(&mut out));
        let Line::Sound(payload) = line::decode(&out[1..]) else {
            panic!("{out:?}");
        };
        let read = Completed::parse(payload).unwrap();
        assert_eq!(format!("{read:?}"), format!("{completed:?}"));
    }
}
