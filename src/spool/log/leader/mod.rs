//! The leader, which is the only drainer of the log. It reads what producers append, returns items
//! for delivery, and journals their outcomes.

mod ahead;
mod delivery;
mod housekeeping;
mod takeover;

use super::dead::{self, LetterWriter};
use super::directory::{SpoolDirectory, TEMPORARY};
use super::draft::{Draft, End, Weight};
use super::items::notification;
use super::journal::{self, JournalReader, JournalWriter};
use super::lease::{self, Lease, Watch};
use super::line::{self, Line};
use super::lock;
use super::origin_queue::OriginQueue;
use super::reader;
use super::reading::{POLL_BYTES, Reading};
use super::receipts::{self, Completed, ReceiptWriter, dropped};
use super::record::{self, Record};
use super::repeats::Sources;
use super::state::{Batch, JournalState, offset_of, position, segment_of};
use super::{GRACE, Settings, failed, segment_name};
use crate::host::log;
use crate::host::{self, Timestamp, uptime};
use crate::notification;
use crate::outcome::Status;
use crate::spool::{self, Fate, Gate, Item, LeaseError, NewItem, Position, RECENT, Settlement};
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(super) use takeover::lead;
use takeover::{give_back_completed, is_no_room, make_disk_room, unread_items};

/// Number of items that are read ahead for one origin.
const AHEAD: usize = 256;

const AHEAD_BYTES: usize = 4 << 20;

/// Number of segments that stay open, so that nothing is lost if their files are deleted: enough
/// for a full queue of the default size.
const OPEN_SEGMENTS: usize = 20;

#[derive(Debug)]
struct OpenSegment {
    file: Arc<File>,
    /// When the leader first saw a newer segment, in time since the machine started.
    superseded: Option<Duration>,
    /// Whether the file was removed. Its items are still delivered.
    is_removed: bool,
}

#[derive(Debug)]
pub(super) struct Leader {
    directory: Arc<SpoolDirectory>,
    settings: Settings,
    lease: Option<Lease>,
    journal: JournalWriter,
    state: JournalState,
    queues: HashMap<Arc<str>, OriginQueue>,
    segments: BTreeMap<u32, OpenSegment>,
    letters: LetterWriter,
    receipts: ReceiptWriter,
    /// Items that were dropped while they were in flight. If they arrive, they count as delivered.
    dropped: HashMap<Position, u64>,
    damage: HashSet<Position>,
    /// Ids that were last read in a deleted spool, with their acceptance times: a producer may
    /// append them again.
    read_before: HashMap<String, Timestamp>,
    receipts_failed: bool,
}

impl Leader {
    /// Checks that this process is still the leader, and restores removed files.
    fn check_lease(&mut self) -> Result<(), LeaseError> {
        let Some(lease) = &mut self.lease else {
            return Err(LeaseError::Lost);
        };
        let checked = (|| {
            lease.beat()?;
            Ok(self.directory.is_current()? && lease.has_name()? && self.journal.has_name()?)
        })();
        match checked {
            Ok(true) => Ok(()),
            Ok(false) => self.restore(),
            Err(e) => Err(self.failed(e)),
        }
    }

    fn failed(&self, e: io::Error) -> LeaseError {
        LeaseError::Failed(failed(&self.directory.path, e))
    }

    /// Journals a batch and applies it. If the journal cannot grow, rewrites it.
    fn journal(&mut self, batch: &Batch) -> io::Result<()> {
        if let Err(e) = self.journal.append(batch) {
            if !is_no_room(&e) {
                return Err(e);
            }
            let has_room = make_disk_room(&self.directory, &self.state)?;
            if !has_room || self.journal.append(batch).is_err() {
                // The rewritten journal is shorter, and the space of the old one is freed.
                self.compact()?;
                self.journal.append(batch)?;
            }
        }
        self.state.apply(batch);
        Ok(())
    }

    fn compact(&mut self) -> io::Result<()> {
        self.journal = JournalWriter::begin(&self.directory, self.journal.epoch(), &self.state)?;
        Ok(())
    }

    /// The position before which everything is completed, among the retries, or completed by this
    /// draft.
    fn low(&self, draft: &Draft<'_>, leaving: &HashSet<Position>) -> Position {
        let end = self.end();
        let of_queue = |queue: &OriginQueue| {
            let first = queue.ahead.keys().find(|p| !leaving.contains(p)).copied();
            match first {
                Some(first) => first.min(queue.cursor),
                None if draft.pending_for(queue.number) == 0 => end,
                None => queue.cursor,
            }
        };
        self.queues.values().map(of_queue).fold(end, Position::min)
    }

    /// The end of what has been read.
    fn end(&self) -> Position {
        self.state
            .segments
            .last_key_value()
            .map_or(self.state.low, |(number, s)| position(*number, s.scanned))
    }

    fn open(&mut self, number: u32) -> io::Result<Option<&mut OpenSegment>> {
        if !self.segments.contains_key(&number) {
            match self.directory.open_file(
                OpenOptions::new().read(true).write(true),
                &segment_name(number),
            ) {
                Ok(file) => {
                    while self.segments.len() >= OPEN_SEGMENTS
                        && let Some(last) = self.segments.keys().rev().nth(1).copied()
                    {
                        self.segments.remove(&last);
                    }
                    let opened = OpenSegment {
                        file: Arc::new(file),
                        superseded: None,
                        is_removed: false,
                    };
                    self.segments.insert(number, opened);
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(e) => return Err(e),
            }
        }
        Ok(self.segments.get_mut(&number))
    }
}
