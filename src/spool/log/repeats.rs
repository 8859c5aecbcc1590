//! Notifications that were appended once more, because their producer could not know whether the first copy was read: a
//! copy counts only if no other one did.

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

/// Where copies may be that were read before.
pub(super) struct Sources<'a> {
    pub(super) directory: &'a SpoolDirectory,
    pub(super) queues: &'a HashMap<Arc<str>, OriginQueue>,
    /// The leader's open segments: some have no name any more.
    pub(super) open: Vec<(u32, Arc<File>)>,
    /// Of a spool that was deleted: what was read there last, and when each was accepted.
    pub(super) read_before: &'a HashMap<String, Timestamp>,
    /// The segment that is being read, and whether it has lost its name: its copies may have been appended elsewhere.
    pub(super) file: Arc<File>,
    pub(super) is_removed: bool,
}

/// What is appended once more in a piece of a segment.
pub(super) struct Repeats {
    /// When each was accepted.
    wanted: HashMap<String, Timestamp>,
    /// Those that count already.
    known: HashSet<String>,
}

impl Repeats {
    /// Of the piece from `at` on, which begins with such a notification.
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

    /// Of one segment, what was read in front of `at` and is pending.
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

    /// Whether another copy counts. From now on this one does.
    pub(super) fn is_known(&mut self, new: &Notification<'_>) -> bool {
        !self.known.insert(new.id())
    }

    /// A notification that was appended for the first time counts.
    pub(super) fn accepted(&mut self, new: &Notification<'_>) {
        self.note(&new.id(), new.accepted);
    }
}
