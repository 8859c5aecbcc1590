//! The producer: appends with one `write` to the current segment, and checks regularly that it is
//! still the current one.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::directory::SpoolDirectory;
use super::disk;
use super::line;
use super::lock;
use super::record;
use super::room::{Room, is_large, is_limit_near};
use super::state::Batch;
use super::sync::SharedFile;
use super::view::View;
use super::{GRACE, SEGMENT_SIZE, Settings, journal, segment_name};
use crate::host::log;
use crate::host::{self, uptime};
use crate::spool::NewItem;

/// How often a producer checks the spool. It is much shorter than the grace period, within which no
/// check after a write is needed.
const CHECK: Duration = Duration::from_millis(50);
/// Greatest size of the lines that are kept between two checks, in bytes.
const KEPT: usize = 64 << 10;

/// The segment that this producer appends to.
#[derive(Debug)]
struct Present {
    file: Arc<SharedFile>,
    number: u32,
    /// When it was last checked to be the current one, by the clock that includes suspension.
    seen: Duration,
    /// What may follow until the next check.
    room: Room,
}

#[derive(Debug)]
pub(super) struct Producer {
    /// Identifies this producer in the spool's counters.
    pub(super) id: u64,
    present: Option<Present>,
    /// The line to append.
    line: Vec<u8>,
    /// Lines appended since the last check. They are appended again if their segment was removed
    /// meanwhile.
    since_look: Vec<u8>,
    /// Lines of a removed segment, which are appended again.
    again: Vec<u8>,
}

/// The reason why nothing was appended.
#[derive(Debug)]
pub(super) enum Refusal {
    Full,
    /// The limit is reached, and the oldest must be dropped: the caller must make room for this
    /// number of bytes.
    NeedsRoom,
    Io(io::Error),
}

impl From<io::Error> for Refusal {
    fn from(e: io::Error) -> Refusal {
        Refusal::Io(e)
    }
}

impl Producer {
    pub(super) fn new(id: u64) -> Producer {
        Producer {
            id,
            present: None,
            line: Vec::new(),
            since_look: Vec::new(),
            again: Vec::new(),
        }
    }

    /// Appends a notification. Returns the file, which the caller may sync.
    pub(super) fn push(
        &mut self,
        directory: &SpoolDirectory,
        view: &mut View,
        settings: &Settings,
        item: &NewItem,
        may_exceed: bool,
        deadline: Instant,
    ) -> Result<Arc<SharedFile>, Refusal> {
        let now = uptime().unwrap_or_default();
        let size = (item.body.len() + 512) as u64;
        let is_fresh = self
            .present
            .as_ref()
            .is_some_and(|p| now.saturating_sub(p.seen) < CHECK && p.room.has(size));
        if !is_fresh {
            self.poll_spool(directory, view, settings, now, deadline)?;
        }
        let is_near = self.present.as_ref().is_some_and(|p| p.room.is_near);
        if (is_near || is_large(&item.body, settings)) && !may_exceed {
            return self.push_near(directory, view, settings, item, deadline);
        }
        let file = self.append(directory, item)?;
        // The copy is needed only if the file is removed shortly after, so it is skipped if memory
        // is short.
        if !host::is_memory_short() {
            self.since_look.extend_from_slice(&self.line);
        }
        Ok(file)
    }

    /// Whether the next check of the current segment is due.
    pub(super) fn is_look_due(&self) -> bool {
        let now = uptime().unwrap_or_default();
        self.present
            .as_ref()
            .is_none_or(|p| now.saturating_sub(p.seen) >= CHECK || !p.room.has_lines())
    }

    /// Whether the segment was removed after the last append.
    pub(super) fn has_lost_its_segment(&self) -> bool {
        let is_removed = |p: &Present| p.file.file.metadata().is_ok_and(|m| m.nlink() == 0);
        !self.again.is_empty() || self.present.as_ref().is_some_and(is_removed)
    }

    /// Whether anything was appended since the last check.
    pub(super) fn has_news(&self) -> bool {
        !self.since_look.is_empty() || !self.again.is_empty()
    }

    /// The directory was deleted.
    pub(super) fn leave(&mut self) {
        self.again.append(&mut self.since_look);
        self.present = None;
    }

    /// Near a limit, counts exactly and appends while no other producer does.
    fn push_near(
        &mut self,
        directory: &SpoolDirectory,
        view: &mut View,
        settings: &Settings,
        item: &NewItem,
        deadline: Instant,
    ) -> Result<Arc<SharedFile>, Refusal> {
        let mut refusal = None;
        let size = item.body.len() as u64;
        let appended = lock::hold(directory, deadline, || {
            let sight = view.read_all(directory, deadline)?;
            let fits = sight.counts.pending < settings.max_items
                && sight.pending_bytes.saturating_add(size) <= settings.max_bytes;
            if !fits {
                refusal = Some(match settings.drops_oldest && size <= settings.max_bytes {
                    true => Refusal::NeedsRoom,
                    false => Refusal::Full,
                });
                return Ok(None);
            }
            self.append(directory, item).map(Some)
        })?;
        match (appended, refusal) {
            (Some(file), _) => Ok(file),
            (None, Some(refusal)) => Err(refusal),
            (None, None) => Err(Refusal::Full),
        }
    }

    fn append(
        &mut self,
        directory: &SpoolDirectory,
        item: &NewItem,
    ) -> io::Result<Arc<SharedFile>> {
        self.encode(item)?;
        self.append_line(directory)
    }

    /// Encodes the notification into `self.line`.
    fn encode(&mut self, item: &NewItem) -> io::Result<()> {
        self.line.clear();
        let id = self.id;
        let fits = line::encode(&mut self.line, |out| {
            record::push_notification(out, item, id);
        });
        if !fits {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the notification is longer than 16 MiB or contains a line feed",
            ));
        }
        Ok(())
    }

    /// Appends `self.line`.
    fn append_line(&mut self, directory: &SpoolDirectory) -> io::Result<Arc<SharedFile>> {
        let mut has_moved = false;
        loop {
            let Some(present) = &mut self.present else {
                return Err(io::ErrorKind::NotFound.into());
            };
            match disk::append(&present.file.file, &self.line) {
                Ok(()) => {}
                // The host limits the size of files, so the next segment is shorter.
                Err(e) if e.raw_os_error() == Some(libc::EFBIG) && !has_moved => {
                    has_moved = true;
                    self.begin_next(directory)?;
                    continue;
                }
                Err(e) => return Err(e),
            }
            present.room.take(self.line.len() as u64);
            let file = Arc::clone(&present.file);
            // Within the grace period after the last check, the leader has certainly not read this
            // segment to its end.
            let now = uptime().unwrap_or_default();
            if now.saturating_sub(present.seen) > GRACE && file.file.metadata()?.nlink() == 0 {
                self.find_present(directory)?;
                self.line = record::once_more(&self.line);
                continue;
            }
            return Ok(file);
        }
    }

    /// Determines the current segment, begins the next one if it is full, and checks the limits.
    pub(super) fn poll_spool(
        &mut self,
        directory: &SpoolDirectory,
        view: &mut View,
        settings: &Settings,
        now: Duration,
        deadline: Instant,
    ) -> io::Result<()> {
        // Before the lengths: see `leave_cut_segment`.
        let last = journal::last_batch(directory)?;
        let is_lost =
            |p: &Present, m: &fs::Metadata| m.nlink() == 0 || is_cut(&last, p.number, m.len());
        let is_present = |p: &Present| -> io::Result<Option<u64>> {
            let metadata = p.file.file.metadata()?;
            let next = directory.file(&segment_name(p.number + 1));
            Ok((!is_lost(p, &metadata) && !next.exists()).then_some(metadata.len()))
        };
        let mut length = match &self.present {
            Some(present) => is_present(present)?,
            None => None,
        };
        if length.is_none() {
            // Within the grace period the leader deletes only segments that it has read.
            let was_lost = self.present.as_ref().is_some_and(|p| {
                now.saturating_sub(p.seen) < GRACE
                    && p.file.file.metadata().is_ok_and(|m| is_lost(p, &m))
            });
            if was_lost {
                self.again.append(&mut self.since_look);
            }
            self.since_look.clear();
            self.find_present(directory)?;
            while let Some(length) = line::declared_length(&self.again) {
                let length = length.min(self.again.len());
                self.line = record::once_more(self.again.get(..length).unwrap_or_default());
                self.append_line(directory)?;
                self.again.drain(..length);
            }
            length = match &self.present {
                Some(present) => Some(present.file.file.metadata()?.len()),
                None => None,
            };
        }
        if length.unwrap_or(0) >= SEGMENT_SIZE {
            self.begin_next(directory)?;
            length = Some(0);
        }
        let length = length.unwrap_or(0);
        if let Some(present) = &mut self.present {
            let place = (present.number, length);
            let is_near = is_limit_near(directory, view, settings, &last, place, deadline)?;
            present.room = Room::new(settings, length, is_near);
            present.seen = now;
            self.since_look.clear();
            self.since_look.shrink_to(KEPT);
        }
        Ok(())
    }

    /// Opens the newest segment, or begins the first one.
    fn find_present(&mut self, directory: &SpoolDirectory) -> io::Result<()> {
        let was = self.present.take();
        if let Some(was) = &was
            && was.file.file.metadata()?.nlink() == 0
            && !directory.file(&segment_name(was.number + 1)).exists()
        {
            log::error(|| {
                format!(
                    "{} of the spool {} was removed while it was in use",
                    segment_name(was.number),
                    directory.path.display()
                )
            });
        }
        for _ in 0..100 {
            let newest = directory
                .numbered(super::SEGMENT, super::SEGMENT_END)?
                .pop();
            let number = match newest {
                Some(number) => number,
                None => next_number(directory, was.as_ref().map_or(0, |w| w.number))?,
            };
            if self.open(directory, number, newest.is_none())? {
                return self.leave_cut_segment(directory);
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    /// Begins the next segment if the end of the newest one is missing.
    fn leave_cut_segment(&mut self, directory: &SpoolDirectory) -> io::Result<()> {
        let Some(present) = &self.present else {
            return Ok(());
        };
        let number = present.number;
        // Before the length: others append, and a leader reads on, meanwhile.
        let last = journal::last_batch(directory)?;
        if !is_cut(&last, number, present.file.file.metadata()?.len()) {
            return Ok(());
        }
        log::error(|| {
            format!(
                "the end of {} of the spool {} is missing; a new segment begins",
                segment_name(number),
                directory.path.display()
            )
        });
        self.begin_next(directory)
    }

    /// Begins the segment after the current one, or uses one that another producer has begun.
    fn begin_next(&mut self, directory: &SpoolDirectory) -> io::Result<()> {
        let number = self.present.as_ref().map_or(0, |p| p.number);
        match self.open(directory, number + 1, true)? {
            true => Ok(()),
            false => self.find_present(directory),
        }
    }

    /// Opens or makes a segment. False: it does not exist, or already exists.
    fn open(&mut self, directory: &SpoolDirectory, number: u32, is_new: bool) -> io::Result<bool> {
        let name = segment_name(number);
        let opened = match is_new {
            true => directory.create(&directory.file(&name)),
            false => directory.open_file(OpenOptions::new().read(true).append(true), &name),
        };
        let file = match opened {
            Ok(file) => file,
            Err(e) if is_new && e.kind() == io::ErrorKind::AlreadyExists => {
                match directory.open_file(OpenOptions::new().read(true).append(true), &name) {
                    Ok(file) => file,
                    Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
                    Err(e) => return Err(e),
                }
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(e),
        };
        self.present = Some(Present {
            file: Arc::new(SharedFile::new(file, directory.directory_names())),
            number,
            seen: uptime().unwrap_or_default(),
            room: Room::for_one(self.present.as_ref().is_some_and(|p| p.room.is_near)),
        });
        Ok(true)
    }

    /// After a failed sync, the kernel discards the unwritten data and reports later syncs as
    /// successful. The next append therefore uses another file.
    pub(super) fn give_up_segment(&mut self, directory: &SpoolDirectory) {
        if self.begin_next(directory).is_err() {
            self.present = None;
        }
    }
}

/// A number that is higher than all known segment numbers.
fn next_number(directory: &SpoolDirectory, used: u32) -> io::Result<u32> {
    let mut view = View::default();
    view.read_journal(directory)?;
    Ok(view.state.newest.max(used) + 1)
}

/// Whether a segment is shorter than what a leader has read of it, as it may be after a power loss. The leader would not find
/// what is appended in its place.
fn is_cut(last: &Batch, number: u32, length: u64) -> bool {
    number == last.newest && length < u64::from(last.newest_scanned)
}

/// For the leader: appends notifications from a segment that it has just deleted to the current
/// segment.
pub(super) fn append_again(
    directory: &SpoolDirectory,
    item: &NewItem,
    producer: u64,
) -> io::Result<()> {
    let mut producer = Producer::new(producer);
    producer.find_present(directory)?;
    producer.encode(item)?;
    producer.line = record::once_more(&producer.line);
    producer.append_line(directory).map(drop)
}

/// Appends an operator's records with one write each. Returns the position after the last one.
pub(super) fn append_records(
    directory: &SpoolDirectory,
    records: &[Vec<u8>],
) -> io::Result<(u32, u64)> {
    use std::io::Seek;
    let mut producer = Producer::new(0);
    producer.find_present(directory)?;
    let mut end = (0, 0);
    for record in records {
        let Some(present) = &producer.present else {
            return Err(io::ErrorKind::NotFound.into());
        };
        disk::append(&present.file.file, record)?;
        let mut file: &File = &present.file.file;
        end = (present.number, file.stream_position()?);
        if end.1 >= SEGMENT_SIZE {
            producer.begin_next(directory)?;
        }
    }
    Ok(end)
}
