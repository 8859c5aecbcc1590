//! Notifications that were appended again, because their producer could not know whether the first
//! copy was read. A copy counts only if no other copy did.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use super::directory::SpoolDirectory;
use super::draft::Draft;
use super::items::notification;
use super::line::Line;
use super::origin_queue::OriginQueue;
use super::record::{self, Notification, Record};
use super::state::{offset_of, position, segment_of};
use super::{receipts, segment_name};
use crate::host::Timestamp;
use crate::spool::Position;

/// The places where earlier copies may be.
pub(super) struct Sources<'a> {
    pub(super) directory: &'a SpoolDirectory,
    pub(super) queues: &'a HashMap<Arc<str>, OriginQueue>,
    /// The leader's open segments, some of which were deleted.
    pub(super) open: Vec<(u32, Arc<File>)>,
    /// Ids that were last read in a deleted spool, with their acceptance times.
    pub(super) read_before: &'a HashMap<String, Timestamp>,
    /// The segment that is read, and whether it was deleted: its notifications may have been
    /// appended elsewhere.
    pub(super) file: Arc<File>,
    pub(super) is_removed: bool,
}

/// The repeated notifications in a piece of a segment.
pub(super) struct Repeats {
    /// Acceptance time of each id.
    wanted: HashMap<String, Timestamp>,
    /// Ids that were already counted.
    known: HashSet<String>,
}

impl Repeats {
    /// Finds the repeated notifications in the piece at `at`. The first notification in it is a repeated one.
    pub(super) fn find(
        sources: &Sources<'_>,
        draft: &Draft<'_>,
        at: Position,
        length: u64,
    ) -> io::Result<Repeats> {
        let mut wanted = HashMap::new();
        let start = u64::from(offset_of(at));
        super::reader::lines(&sources.file, start, |offset, _, line| {
            if u64::from(offset) > start + length {
                return ControlFlow::Break(());
            }
            if let Line::Sound(payload) = line {
                match record::parse(payload) {
                    Some(Record::Again(new)) => {
                        wanted.insert(new.id(), new.accepted);
                    }
                    Some(Record::Notification(new)) if sources.is_removed => {
                        wanted.insert(new.id(), new.accepted);
                    }
                    _ => {}
                }
            }
            ControlFlow::Continue(())
        })?;
        let mut repeats = Repeats {
            known: receipts::completed_among(sources.directory, &wanted)?,
            wanted,
        };
        for (id, accepted) in sources.read_before {
            repeats.note(id, *accepted);
        }
        for item in sources.queues.values().flat_map(|l| l.ahead.values()) {
            repeats.note(&item.id, item.accepted);
        }
        for number in sources
            .directory
            .numbered(super::SEGMENT, super::SEGMENT_END)?
        {
            let name = segment_name(number);
            match sources
                .directory
                .open_file(OpenOptions::new().read(true), &name)
            {
                Ok(file) => repeats.note_pending(&file, number, draft, at)?,
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        for (number, file) in &sources.open {
            if file.metadata()?.nlink() == 0 {
                repeats.note_pending(file, *number, draft, at)?;
            }
        }
        Ok(repeats)
    }

    fn note(&mut self, id: &str, accepted: Timestamp) {
        if self.wanted.get(id) == Some(&accepted) {
            self.known.insert(id.to_owned());
        }
    }

    /// Adds the pending items of one segment before `at`.
    fn note_pending(
        &mut self,
        file: &File,
        number: u32,
        draft: &Draft<'_>,
        at: Position,
    ) -> io::Result<()> {
        super::reader::lines(file, 0, |offset, _, line| {
            if number == segment_of(at) && offset >= offset_of(at) {
                return ControlFlow::Break(());
            }
            if let Line::Sound(payload) = line
                && let Some(new) = notification(payload)
                && draft.is_pending(position(number, offset))
            {
                self.note(&new.id(), new.accepted);
            }
            ControlFlow::Continue(())
        })?;
        Ok(())
    }

    /// Returns whether another copy was counted, and counts this one.
    pub(super) fn is_known(&mut self, new: &Notification<'_>) -> bool {
        !self.known.insert(new.id())
    }

    /// Records a notification that was appended for the first time.
    pub(super) fn accepted(&mut self, new: &Notification<'_>) {
        self.note(&new.id(), new.accepted);
    }
}
