//! How much a producer may append until it looks at the spool again, so that all producers together keep to the limits.

use std::io;
use std::time::Instant;

use super::directory::SpoolDirectory;
use super::line::HEAD;
use super::state::Batch;
use super::view::View;
use super::{SEGMENT, SEGMENT_END, SEGMENT_SIZE, Settings, segment_name};

/// The part (1/SHARE) of a limit that a producer may use between two checks.
const SHARE: u64 = 1024;
/// Smallest length of a notification's line.
const SHORTEST: u64 = 64;

#[derive(Debug)]
pub(super) struct Room {
    lines: u64,
    bytes: u64,
    /// Whether a limit is near, so that each notification is counted, one producer at a time.
    pub(super) is_near: bool,
}

impl Room {
    /// In a segment that was just opened: one line.
    pub(super) fn for_one(is_near: bool) -> Room {
        Room {
            lines: 1,
            bytes: SEGMENT_SIZE,
            is_near,
        }
    }

    /// In a segment of this length.
    pub(super) fn new(settings: &Settings, length: u64, is_near: bool) -> Room {
        let left = SEGMENT_SIZE.saturating_sub(length);
        Room {
            lines: settings.max_items / SHARE,
            bytes: left.min(settings.max_bytes / SHARE).max(HEAD as u64),
            is_near,
        }
    }

    pub(super) fn has(&self, bytes: u64) -> bool {
        self.lines > 0 && self.bytes > bytes
    }

    pub(super) fn has_lines(&self) -> bool {
        self.lines > 0
    }

    pub(super) fn take(&mut self, line: u64) {
        self.lines = self.lines.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(line);
    }
}

/// Whether a body is so large that it is counted although no limit is near.
pub(super) fn is_large(body: &str, settings: &Settings) -> bool {
    body.len() as u64 > settings.max_bytes / SHARE
}

/// Whether the spool is at more than about three quarters of a limit, after the leader's last batch and with the current
/// segment of this number and length.
pub(super) fn is_limit_near(
    directory: &SpoolDirectory,
    view: &mut View,
    settings: &Settings,
    last: &Batch,
    (number, length): (u32, u64),
    deadline: Instant,
) -> io::Result<bool> {
    if settings.max_items < SHARE {
        return Ok(true);
    }
    // Upper bound: all unread bytes are notifications of the smallest length.
    let unread = match number == last.newest {
        true => length.saturating_sub(last.newest_scanned.into()),
        false if number == last.newest + 1 => length + SEGMENT_SIZE,
        // There has been no leader for a long time. The sum of the lengths is enough while it is far from the limits.
        false => bytes_from(directory, last.newest)?,
    };
    let items = last.sums.pending() + unread / SHORTEST;
    let bytes = last.pending_bytes + unread;
    if items < settings.max_items / 4 && bytes < settings.max_bytes / 4 {
        return Ok(false);
    }
    let sight = view.read_all(directory, deadline)?;
    Ok(sight.counts.pending >= settings.max_items / 4 * 3
        || sight.pending_bytes >= settings.max_bytes / 4 * 3)
}

/// The total length of this segment and all newer ones.
fn bytes_from(directory: &SpoolDirectory, first: u32) -> io::Result<u64> {
    let numbers = directory.numbered(SEGMENT, SEGMENT_END)?;
    let newer = numbers.into_iter().filter(|number| *number >= first);
    let lengths = newer.map(
        |number| match directory.file(&segment_name(number)).metadata() {
            Ok(metadata) => Ok(metadata.len()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(e) => Err(e),
        },
    );
    lengths.sum()
}
