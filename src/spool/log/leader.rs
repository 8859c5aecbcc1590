//! The one drainer of the log: reads what producers append, hands it out, and journals what became of it.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::dead::{self, LetterWriter};
use super::draft::{Draft, End, Weight};
use super::journal::{self, JournalReader, JournalWriter};
use super::lease::{self, Lease, Watch};
use super::line::{self, Line};
use super::place::{Place, TEMPORARY};
use super::reader;
use super::reading::Reading;
use super::receipts::{self, Completed, ReceiptWriter};
use super::record::{self, Notification, Record};
use super::repeats::Sources;
use super::state::{Batch, State, offset_of, position, segment_of};
use super::{GRACE, Settings, failed, segment_name};
use crate::host::{self, Timestamp, uptime};
use crate::log;
use crate::spool::{self, Fate, Gate, Item, LeaseError, NewItem, Position, RECENT, Settlement};
use crate::status::{Receipt, Status};

/// How much of a backlog one poll reads, so that the first deliveries do not wait for it.
pub(super) const POLL_BYTES: u64 = 8 << 20;
/// How much is read ahead for one origin.
const AHEAD: usize = 256;
const AHEAD_BYTES: usize = 4 << 20;
/// Segments that stay open, so that deleting their files loses nothing: those of a full queue of the default size.
const OPEN_SEGMENTS: usize = 20;

/// What is read ahead for one origin.
#[derive(Debug)]
pub(super) struct Lane {
    number: u32,
    /// Everything in front of it is in `ahead`, among the retries, or completed.
    pub(super) cursor: Position,
    pub(super) ahead: BTreeMap<Position, Item>,
}

#[derive(Debug)]
struct OpenSegment {
    file: Arc<File>,
    /// When the leader first saw a newer segment, by the clock since the machine started.
    superseded: Option<Duration>,
    /// Somebody removed the file. What it holds is still delivered.
    is_removed: bool,
}

#[derive(Debug)]
pub(super) struct Leader {
    place: Arc<Place>,
    settings: Settings,
    lease: Option<Lease>,
    journal: JournalWriter,
    state: State,
    lanes: HashMap<Arc<str>, Lane>,
    segments: BTreeMap<u32, OpenSegment>,
    letters: LetterWriter,
    receipts: ReceiptWriter,
    /// Dropped while they were in flight: should they arrive, they count as delivered.
    dropped: HashMap<Position, u64>,
    damage: HashSet<Position>,
    /// Ids that were read last in a spool that was deleted, and when each was accepted: a producer may append them again.
    read_before: HashMap<String, Timestamp>,
    receipts_failed: bool,
}

/// Whether the disk, a quota or a limit has no room.
fn is_no_room(e: &io::Error) -> bool {
    matches!(
        e.raw_os_error(),
        Some(libc::EFBIG | libc::ENOSPC | libc::EDQUOT)
    )
}

/// Takes the lease and the state; `None`: another drainer has it.
pub(super) fn lead(
    place: &Arc<Place>,
    settings: &Settings,
    watch: &mut Watch,
    deadline: Instant,
) -> io::Result<Option<Leader>> {
    match try_to_lead(place, settings, watch, deadline) {
        // Delivery is what gives room back.
        Err(e) if is_no_room(&e) => {
            let state = JournalReader::open(place)?.map(|(_, state)| state);
            if !make_disk_room(place, &state.unwrap_or_default())? {
                return Err(e);
            }
            try_to_lead(place, settings, watch, deadline)
        }
        led => led,
    }
}

/// On a full disk: gives back what the completed lines in front of all others take, and the reserve; whether that was
/// anything. The lines are zeros from then on, which every reader passes over.
fn make_disk_room(place: &Place, state: &State) -> io::Result<bool> {
    const BLOCK: u64 = 4096;
    let settled = state.settled_to();
    let mut has_made = place.give_up_reserve();
    for (number, segment) in &state.segments {
        let completed = match number.cmp(&segment_of(settled)) {
            Ordering::Less => segment.scanned,
            Ordering::Equal => offset_of(settled),
            Ordering::Greater => break,
        };
        let length = u64::from(completed) / BLOCK * BLOCK;
        if length == 0 {
            continue;
        }
        let name = segment_name(*number);
        let mut options = OpenOptions::new();
        let file = match place.open_file(options.read(true).write(true), &name) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(e),
        };
        let before = file.metadata()?.blocks();
        has_made |= host::give_back_start(&file, length) && file.metadata()?.blocks() < before;
    }
    Ok(has_made)
}

fn try_to_lead(
    place: &Arc<Place>,
    settings: &Settings,
    watch: &mut Watch,
    deadline: Instant,
) -> io::Result<Option<Leader>> {
    place.exclusively(deadline, || {
        let last = journal::last_epoch(place)?;
        let Some(lease) = lease::take(place, watch, last.is_some())? else {
            return Ok(None);
        };
        let taken = take_over(place, settings, last.unwrap_or(0));
        match taken {
            Ok((journal, state)) => Ok(Some(Leader {
                place: Arc::clone(place),
                settings: settings.clone(),
                lease: Some(lease),
                lanes: lanes(&state),
                journal,
                state,
                segments: BTreeMap::new(),
                letters: LetterWriter::default(),
                receipts: ReceiptWriter::default(),
                dropped: HashMap::new(),
                damage: HashSet::new(),
                read_before: HashMap::new(),
                receipts_failed: false,
            })),
            Err(e) => {
                lease.release();
                Err(e)
            }
        }
    })
}

fn lanes(state: &State) -> HashMap<Arc<str>, Lane> {
    (0..)
        .zip(&state.origins)
        .map(|(number, (origin, _))| {
            let lane = Lane {
                number,
                cursor: state.low,
                ahead: BTreeMap::new(),
            };
            (Arc::clone(origin), lane)
        })
        .collect()
}

/// Reads the last leader's state, and begins a journal that makes its own worthless.
fn take_over(place: &Place, settings: &Settings, last: u32) -> io::Result<(JournalWriter, State)> {
    for name in place.names()? {
        if name.starts_with(TEMPORARY) {
            // A killed process left it, or a leader that hangs: it must not get its name any more.
            match std::fs::remove_file(place.file(&name)) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                removed => removed?,
            }
        }
    }
    let mut state = match JournalReader::open(place)? {
        Some((journal, state)) => {
            if journal.damaged > 0 {
                log::error(|| {
                    format!(
                        "the journal of the spool {} has {} damaged lines; deliveries may be repeated",
                        place.path.display(),
                        journal.damaged
                    )
                });
            }
            state
        }
        None => without_journal(place)?,
    };
    // Segments that were completed and deleted just before the last leader ended.
    let present = place.numbered(super::SEGMENT, super::SEGMENT_END)?;
    let retired: Vec<u32> = state
        .segments
        .iter()
        .filter(|(number, s)| s.is_done() && !present.contains(number))
        .map(|(number, _)| *number)
        .collect();
    let batch = Batch {
        retired,
        ..state.unchanged()
    };
    state.apply(&batch);
    let epoch = last.saturating_add(1);
    let journal = JournalWriter::begin(place, epoch, &state)?;
    if settings.is_synced {
        journal.sync()?;
        place.sync_names()?;
    }
    for old in place.numbered(super::JOURNAL, "")? {
        if old < epoch {
            super::disk::remove(&place.file(&journal::name(old)))?;
        }
    }
    Ok((journal, state))
}

/// The state of a spool that has none: new, or somebody removed the journal. What has a receipt is not sent again.
fn without_journal(place: &Place) -> io::Result<State> {
    let mut state = State::default();
    let completed = receipts::positions(place)?;
    if completed.is_empty() {
        return Ok(state);
    }
    log::error(|| {
        format!(
            "the journal of the spool {} is gone; it is made again from the receipts, and what has none may be sent twice",
            place.path.display()
        )
    });
    let mut draft = Draft::new(&state);
    let mut skipped: HashMap<u32, u32> = HashMap::new();
    for one in &completed {
        draft.skip(one.position);
        *skipped.entry(segment_of(one.position)).or_default() += 1;
    }
    for number in skipped.keys() {
        draft.segment(*number);
    }
    let batch = draft.finish(Position::default());
    state.apply(&batch);
    Ok(state)
}

impl Leader {
    /// Whether this leader still leads; makes again what somebody removed.
    fn check_lease(&mut self) -> Result<(), LeaseError> {
        let Some(lease) = &mut self.lease else {
            return Err(LeaseError::Lost);
        };
        let checked = (|| {
            lease.beat()?;
            Ok(self.place.is_current()? && lease.has_name()? && self.journal.has_name()?)
        })();
        match checked {
            Ok(true) => Ok(()),
            Ok(false) => self.restore(),
            Err(e) => Err(self.failed(e)),
        }
    }

    fn restore(&mut self) -> Result<(), LeaseError> {
        let deadline = Instant::now() + super::BUSY_TIMEOUT;
        let place = Arc::clone(&self.place);
        if !place.is_current().map_err(|e| self.failed(e))? {
            return self.begin_again();
        }
        let restored = place.exclusively(deadline, || {
            if journal::last_epoch(&place)?.is_some_and(|epoch| epoch > self.journal.epoch()) {
                return Ok(false);
            }
            let Some(lease) = &mut self.lease else {
                return Ok(false);
            };
            if !lease.has_name()? {
                if !lease.restore(&place)? {
                    return Ok(false);
                }
                log::error(|| {
                    format!(
                        "the file lease of the spool {} was removed",
                        place.path.display()
                    )
                });
            }
            if !self.journal.has_name()? {
                log::error(|| {
                    format!(
                        "the journal of the spool {} was removed; it is made again",
                        place.path.display()
                    )
                });
                self.journal = JournalWriter::begin(&place, self.journal.epoch(), &self.state)?;
            }
            Ok(true)
        });
        match restored {
            Ok(true) => Ok(()),
            Ok(false) => {
                self.lost();
                Err(LeaseError::Lost)
            }
            Err(e) => Err(self.failed(e)),
        }
    }

    fn lost(&mut self) {
        log::warn(|| {
            format!(
                "another process delivers the spool {} now: this one did nothing for {} s",
                self.place.path.display(),
                lease::LEASE_TIME.as_secs()
            )
        });
        // Without an unlock: the lock of a file that has lost its name is nobody's concern.
        self.lease = None;
    }

    /// The directory was deleted: an operator's deletion. A new spool begins, which continues to count.
    fn begin_again(&mut self) -> Result<(), LeaseError> {
        // What was appended and not read yet was accepted after the deletion, or just before it.
        let mut unread = Vec::new();
        let mut read_before = HashMap::new();
        for (number, segment) in &self.segments {
            let scanned = self.state.segments.get(number).map_or(0, |s| s.scanned);
            let read = unread_items(&segment.file, scanned, &mut unread)
                .and_then(|()| ids_before(&segment.file, scanned, &mut read_before));
            read.map_err(|e| self.failed(e))?;
        }
        let lost = self.state.sums.pending() + self.state.letters.len() as u64;
        log::error(|| {
            format!(
                "the spool {} was deleted or moved while it was in use: {lost} notifications are lost",
                self.place.path.display()
            )
        });
        let mut sums = self.state.sums;
        sums.dropped += lost;
        sums.dead = 0;
        let began = (|| {
            let place = Arc::new(Place::open(&self.place.path, true)?);
            for (item, producer) in &unread {
                super::producer::append_again(&place, item, *producer)?;
            }
            let deadline = Instant::now() + super::BUSY_TIMEOUT;
            let Some(mut leader) = lead(&place, &self.settings, &mut Watch::default(), deadline)?
            else {
                return Ok(None);
            };
            let mut batch = leader.state.unchanged();
            let here = leader.state.sums;
            batch.sums = super::state::Sums {
                accepted: here.accepted + sums.accepted,
                delivered: here.delivered + sums.delivered,
                dead: here.dead,
                expired: here.expired + sums.expired,
                dropped: here.dropped + sums.dropped,
            };
            batch.producers = self
                .state
                .producers
                .iter()
                .map(|(id, sums)| (*id, *sums))
                .collect();
            leader.journal.append(&batch)?;
            leader.state.apply(&batch);
            leader.read_before = read_before;
            Ok(Some(leader))
        })();
        match began {
            Ok(Some(leader)) => {
                *self = leader;
                // What was in flight belongs to no spool any more.
                Ok(())
            }
            Ok(None) => {
                self.lost();
                Err(LeaseError::Lost)
            }
            Err(e) => Err(self.failed(e)),
        }
    }

    fn failed(&self, e: io::Error) -> LeaseError {
        LeaseError::Failed(failed(&self.place.path, e))
    }

    /// Journals a batch; if the journal cannot grow, writes it anew. Then applies it.
    fn journal(&mut self, batch: &Batch) -> io::Result<()> {
        if let Err(e) = self.journal.append(batch) {
            if !is_no_room(&e) {
                return Err(e);
            }
            let has_room = make_disk_room(&self.place, &self.state)?;
            if !has_room || self.journal.append(batch).is_err() {
                // Written anew it is shorter; and the old one's room is given back.
                self.compact()?;
                self.journal.append(batch)?;
            }
        }
        self.state.apply(batch);
        Ok(())
    }

    fn compact(&mut self) -> io::Result<()> {
        self.journal = JournalWriter::begin(&self.place, self.journal.epoch(), &self.state)?;
        Ok(())
    }

    /// Everything in front of which is completed, among the retries, or leaves with this draft.
    fn low(&self, draft: &Draft<'_>, leaving: &HashSet<Position>) -> Position {
        let end = self.end();
        let of_lane = |lane: &Lane| {
            let first = lane.ahead.keys().find(|p| !leaving.contains(p)).copied();
            match first {
                Some(first) => first.min(lane.cursor),
                None if draft.pending_for(lane.number) == 0 => end,
                None => lane.cursor,
            }
        };
        self.lanes.values().map(of_lane).fold(end, Position::min)
    }

    /// The end of what was read.
    fn end(&self) -> Position {
        self.state
            .segments
            .last_key_value()
            .map_or(self.state.low, |(number, s)| position(*number, s.scanned))
    }

    fn open(&mut self, number: u32) -> io::Result<Option<&mut OpenSegment>> {
        if !self.segments.contains_key(&number) {
            match self.place.open_file(
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

    /// Reads what was appended to one segment; whether there was anything, and whether there is more.
    fn read_segment(&mut self, number: u32, now: Timestamp) -> io::Result<(bool, bool)> {
        let mut has_read = false;
        let mut has_room = false;
        loop {
            let (read, is_more, needs_room) = self.read_piece(number, now, has_room)?;
            has_read |= read;
            let Some((bytes, accepted)) = needs_room else {
                return Ok((has_read, is_more));
            };
            self.make_room(1, bytes, accepted)?;
            has_room = true;
        }
    }

    /// The same until room must be made, for the one that comes next and is so long.
    #[expect(
        clippy::type_complexity,
        reason = "it has one caller, which takes it apart at once"
    )]
    fn read_piece(
        &mut self,
        number: u32,
        now: Timestamp,
        has_room: bool,
    ) -> io::Result<(bool, bool, Option<(u64, Timestamp)>)> {
        let scanned = self.state.segments.get(&number).map_or(0, |s| s.scanned);
        let Some(segment) = self.open(number)? else {
            return Ok((false, false, None));
        };
        let file = Arc::clone(&segment.file);
        let metadata = file.metadata()?;
        if metadata.len() <= u64::from(scanned) {
            return Ok((false, false, None));
        }
        let end_before = self.end();
        let number_read = number;
        let limits = self
            .settings
            .drops_oldest
            .then_some((self.settings.max_items, self.settings.max_bytes));
        let open = self.segments.iter();
        let sources = Sources {
            place: &self.place,
            lanes: &self.lanes,
            read_before: &self.read_before,
            open: open.map(|(n, s)| (*n, Arc::clone(&s.file))).collect(),
            file: Arc::clone(&file),
            is_removed: metadata.nlink() == 0,
        };
        let mut reading = Reading::new(sources, &self.state, number, end_before, limits, now);
        reading.has_room = has_room;
        let limit = u64::from(scanned) + POLL_BYTES;
        let end = reader::lines(&file, scanned.into(), |offset, bytes, line| {
            if u64::from(offset) >= limit {
                reading.stopped_at = Some(offset);
                return ControlFlow::Break(());
            }
            reading.read(offset, bytes, line)
        })?;
        let is_more = reading.stopped_at.is_some();
        let needs_room = reading.needs_room;
        let end = reading
            .stopped_at
            .unwrap_or_else(|| u32::try_from(end).unwrap_or(u32::MAX));
        let read = reading.finish(end)?;
        if end == scanned {
            return Ok((false, false, needs_room));
        }
        for (at, bytes) in &read.damage {
            // Twice: a disk may give back nonsense once. Then the piece is read again.
            let again = reader::line_at(&file, offset_of(*at).into())?;
            if again.is_some_and(|line| matches!(line::decode(&line), Line::Sound(_))) {
                return Err(io::Error::other("it was read differently twice"));
            }
            self.set_aside(*at, bytes)?;
        }
        self.receipt(&read.completed);
        self.journal(&read.batch)?;
        let left = read
            .completed
            .iter()
            .map(|c| &c.position)
            .chain(&read.erased);
        for position in left {
            for lane in self.lanes.values_mut() {
                lane.ahead.remove(position);
            }
        }
        // What was read is ahead of those lanes that had come to the end; the others come to it later.
        for (number, (origin, _)) in (0..).zip(&self.state.origins) {
            let low = self.state.low;
            let lane = self
                .lanes
                .entry(Arc::clone(origin))
                .or_insert_with(|| Lane {
                    number,
                    cursor: end_before.max(low),
                    ahead: BTreeMap::new(),
                });
            if lane.cursor >= end_before && !read.overfull.contains(&number) {
                lane.cursor = lane.cursor.max(position(number_read, end));
            }
        }
        self.dropped.extend(read.dropped);
        let has_left = !(read.completed.is_empty() && read.erased.is_empty());
        for item in read.ahead {
            if let Some(lane) = self.lanes.get_mut(&item.origin)
                && self.state.is_pending(item.position)
            {
                lane.ahead.insert(item.position, item);
            }
        }
        if has_left {
            self.raise_low()?;
        }
        Ok((true, is_more, needs_room))
    }

    /// Journals how far everything is completed, if that is further than it was.
    fn raise_low(&mut self) -> io::Result<()> {
        let draft = Draft::new(&self.state);
        let low = self.low(&draft, &HashSet::new());
        if low <= self.state.low {
            return Ok(());
        }
        let batch = draft.finish(low);
        self.journal(&batch)
    }

    /// Keeps what was found damaged, for a person to look at.
    fn set_aside(&mut self, at: Position, bytes: &[u8]) -> io::Result<()> {
        if !self.damage.insert(at) {
            return Ok(());
        }
        log::error(|| {
            format!(
                "the spool {} holds a damaged line in {} at {}; it is kept in {}",
                self.place.path.display(),
                segment_name(segment_of(at)),
                offset_of(at),
                super::DAMAGED_FILE,
            )
        });
        let path = self.place.file(super::DAMAGED_FILE);
        let file = match self.place.open_file(
            OpenOptions::new().read(true).append(true),
            super::DAMAGED_FILE,
        ) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => self.place.create(&path)?,
            file => file?,
        };
        let mut line = b"\n".to_vec();
        line.extend_from_slice(bytes);
        super::disk::append(&file, &line)
    }

    /// Appends receipts. A disk that has no room for them must not stop the deliveries that give it back.
    fn receipt(&mut self, completed: &[Completed]) {
        let mut anonymous = Vec::new();
        let mut kept = completed;
        if self.settings.receipt_retention.is_zero() {
            // For the statistics alone: nobody can ask for them by an id.
            anonymous.extend(
                completed
                    .iter()
                    .filter(|c| c.receipt.status == Status::Delivered)
                    .cloned(),
            );
            for one in &mut anonymous {
                one.receipt.id.clear();
            }
            kept = &anonymous;
        }
        let appended = self.receipts.append(&self.place, kept);
        if let Err(e) = &appended
            && !self.receipts_failed
        {
            let e = failed(&self.place.path, io::Error::new(e.kind(), e.to_string()));
            log::warn(|| format!("receipts could not be kept: {e}"));
        }
        self.receipts_failed = appended.is_err();
    }

    /// Reads ahead for an origin.
    fn read_ahead(&mut self, origin: &str, wanted: usize) -> io::Result<()> {
        let wanted = wanted.max(AHEAD);
        let end = self.end();
        loop {
            let Some(lane) = self.lanes.get(origin) else {
                return Ok(());
            };
            let bytes: usize = lane.ahead.values().map(|i| i.body.len()).sum();
            if lane.ahead.len() >= wanted || bytes >= AHEAD_BYTES || lane.cursor >= end {
                return Ok(());
            }
            let (number, offset) = (segment_of(lane.cursor), offset_of(lane.cursor));
            let next = self.state.segments.range(number..).next();
            let Some((found, scanned)) = next.map(|(n, s)| (*n, s.scanned)) else {
                return Ok(());
            };
            if found > number || offset >= scanned {
                let next = match found > number {
                    true => Some(found),
                    false => self
                        .state
                        .segments
                        .range(found + 1..)
                        .next()
                        .map(|(n, _)| *n),
                };
                let cursor = next.map_or(end, |n| position(n, 0));
                self.move_cursor(origin, cursor, Vec::new());
                continue;
            }
            let Some(segment) = self.open(number)? else {
                // Somebody removed the file; housekeeping counts what was lost.
                self.move_cursor(origin, position(number, scanned), Vec::new());
                continue;
            };
            let file = Arc::clone(&segment.file);
            let mut found = Vec::new();
            let mut found_bytes = 0;
            let mut damaged = Vec::new();
            let origin_name: Arc<str> = Arc::from(origin);
            let mut stopped_at = None;
            let state = &self.state;
            let read = reader::lines(&file, offset.into(), |offset, bytes, line| {
                if offset >= scanned || found.len() >= wanted || found_bytes >= AHEAD_BYTES {
                    stopped_at = Some(offset);
                    return ControlFlow::Break(());
                }
                let at = position(number, offset);
                match line {
                    Line::Sound(payload) => {
                        let item = notification(payload)
                            .filter(|n| line::text(n.origin) == *origin_name)
                            .filter(|_| state.is_pending(at) && !state.retries.contains_key(&at));
                        if let Some(item) = item {
                            found_bytes += item.body.len();
                            found.push(item.into_item(at, Arc::clone(&origin_name)));
                        }
                    }
                    Line::Torn => {}
                    Line::Damaged => damaged.push((at, bytes.to_vec())),
                }
                ControlFlow::Continue(())
            })?;
            let reached = stopped_at.unwrap_or_else(|| {
                // The file may be shorter than it was: then nothing more is to be had from it.
                u32::try_from(read).unwrap_or(u32::MAX).max(scanned)
            });
            for (at, first) in damaged {
                // Twice: a disk may give back nonsense once.
                let again = reader::line_at(&file, offset_of(at).into())?.unwrap_or_default();
                if !matches!(line::decode(&again), Line::Sound(_)) && self.state.is_pending(at) {
                    self.set_aside(at, &first)?;
                }
            }
            self.move_cursor(origin, position(number, reached), found);
        }
    }

    fn move_cursor(&mut self, origin: &str, cursor: Position, found: Vec<Item>) {
        if let Some(lane) = self.lanes.get_mut(origin) {
            lane.cursor = lane.cursor.max(cursor);
            lane.ahead
                .extend(found.into_iter().map(|i| (i.position, i)));
        }
    }

    /// The item at a position that is known to be pending; `None`: it cannot be read any more.
    fn item_at(&mut self, at: Position) -> io::Result<Option<Item>> {
        let Some(segment) = self.open(segment_of(at))? else {
            return Ok(None);
        };
        let file = Arc::clone(&segment.file);
        for _ in 0..2 {
            let line = reader::line_at(&file, offset_of(at).into())?.unwrap_or_default();
            if let Line::Sound(payload) = line::decode(&line)
                && let Some(item) = notification(payload)
            {
                let origin = Arc::from(line::text(item.origin).as_str());
                return Ok(Some(item.into_item(at, origin)));
            }
        }
        Ok(None)
    }

    fn weight(&self, item: &Item) -> Option<Weight> {
        Some(Weight {
            position: item.position,
            origin: self.state.origin_number(&item.origin)?,
            producer: item.producer,
            bytes: item.body.len() as u64,
        })
    }

    /// The oldest pending item of all.
    fn oldest(&mut self) -> io::Result<Option<Item>> {
        let origins: Vec<Arc<str>> = self.lanes.keys().cloned().collect();
        for origin in &origins {
            self.read_ahead(origin, AHEAD)?;
        }
        let ahead = self
            .lanes
            .values()
            .filter_map(|l| l.ahead.first_key_value())
            .min_by_key(|(p, _)| **p);
        let retry = self
            .state
            .retries
            .iter()
            .next()
            .map(|(at, r)| (*at, r.attempts));
        match (ahead, retry) {
            (Some((at, item)), retry) if retry.is_none_or(|(r, _)| *at < r) => {
                Ok(Some(item.clone()))
            }
            (_, Some((at, attempts))) => match self.item_at(at)? {
                Some(item) => Ok(Some(Item { attempts, ..item })),
                None => {
                    self.drop_unreadable(&[at])?;
                    Ok(None)
                }
            },
            _ => Ok(None),
        }
    }

    /// Pending items whose lines can no longer be read count as dropped.
    fn drop_unreadable(&mut self, positions: &[Position]) -> io::Result<()> {
        let mut draft = Draft::new(&self.state);
        for at in positions {
            let origin = self.state.retries.get(at).map_or(0, |r| r.origin);
            if draft.is_pending(*at) {
                let weight = Weight {
                    position: *at,
                    origin,
                    producer: 0,
                    bytes: 0,
                };
                draft.complete(weight, End::Dropped);
            }
        }
        let low = self.low(&draft, &positions.iter().copied().collect());
        let batch = draft.finish(low);
        self.journal(&batch)
    }

    /// For a producer that may drop the oldest, and has so many bytes to append.
    pub(super) fn make_room_for(&mut self, bytes: u64, now: Timestamp) -> io::Result<()> {
        while self.read_new(now)? {}
        self.make_room(1, bytes, now)
    }

    /// Drops the oldest until there is room for `items` more and `bytes` more.
    fn make_room(&mut self, items: u64, bytes: u64, now: Timestamp) -> io::Result<()> {
        loop {
            let fits = self.state.sums.pending() + items <= self.settings.max_items
                && self.state.pending_bytes + bytes <= self.settings.max_bytes;
            if fits || self.state.sums.pending() == 0 {
                return Ok(());
            }
            let Some(item) = self.oldest()? else {
                if self.state.retries.is_empty() && self.lanes.values().all(|l| l.ahead.is_empty())
                {
                    return Ok(());
                }
                continue;
            };
            let Some(weight) = self.weight(&item) else {
                return Ok(());
            };
            let mut draft = Draft::new(&self.state);
            draft.complete(weight, End::Dropped);
            let leaving = HashSet::from([item.position]);
            let low = self.low(&draft, &leaving);
            let batch = draft.finish(low);
            self.receipt(&[dropped(&item, super::MADE_ROOM, now)]);
            self.journal(&batch)?;
            if let Some(lane) = self.lanes.get_mut(&item.origin) {
                lane.ahead.remove(&item.position);
            }
            self.dropped.insert(item.position, item.producer);
        }
    }

    /// Learns of new segments, and gives back those that are done.
    fn look_at_segments(&mut self) -> io::Result<()> {
        let now = uptime().unwrap_or_default();
        let present = self.place.numbered(super::SEGMENT, super::SEGMENT_END)?;
        let newest = present.last().copied().unwrap_or(0);
        let known: Vec<u32> = self.state.segments.keys().copied().collect();
        for number in known {
            let is_present = present.contains(&number);
            let is_open = self.segments.contains_key(&number);
            if let Some(segment) = self.segments.get_mut(&number)
                && !is_present
                && !segment.is_removed
            {
                segment.is_removed = true;
                segment.superseded.get_or_insert(now);
                log::error(|| {
                    format!(
                        "{} of the spool {} was removed while it was in use; what it holds is still delivered",
                        segment_name(number),
                        self.place.path.display()
                    )
                });
            }
            if number < newest
                && is_present
                && let Some(segment) = self.open(number)?
            {
                segment.superseded.get_or_insert(now);
            }
            let is_done = self
                .state
                .segments
                .get(&number)
                .is_some_and(|s| s.is_done());
            let is_quiet = self.segments.get(&number).is_some_and(|s| {
                s.superseded
                    .is_some_and(|since| now.saturating_sub(since) >= GRACE)
            });
            if is_done && is_quiet {
                self.retire(number, is_present)?;
            } else if !is_done && !is_present && !is_open {
                self.count_lost(number)?;
            } else if !is_done {
                self.check_found(number)?;
            }
        }
        Ok(())
    }

    /// Deletes a segment all of whose items are completed, and then reads it to its end: a producer that was stopped for
    /// longer than the grace period may have appended meanwhile, and finds out only if it goes on.
    fn retire(&mut self, number: u32, is_present: bool) -> io::Result<()> {
        let scanned = self.state.segments.get(&number).map_or(0, |s| s.scanned);
        if self.settings.is_synced {
            self.journal.sync()?;
        }
        if is_present {
            match super::disk::remove(&self.place.file(&segment_name(number))) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                removed => removed?,
            }
        }
        let mut late = Vec::new();
        if let Some(segment) = self.segments.remove(&number) {
            unread_items(&segment.file, scanned, &mut late)?;
        }
        for (item, producer) in &late {
            super::producer::append_again(&self.place, item, *producer)?;
        }
        let batch = Batch {
            retired: vec![number],
            ..self.state.unchanged()
        };
        self.journal(&batch)
    }

    /// A segment is gone, with what was pending in it.
    fn count_lost(&mut self, number: u32) -> io::Result<()> {
        let found: Vec<Position> = self.found_in(number);
        self.lose(number, &found, "was removed")?;
        for lane in self.lanes.values_mut() {
            lane.ahead.retain(|p, _| segment_of(*p) != number);
        }
        Ok(())
    }

    /// Pending items of a segment that are known one by one.
    fn found_in(&self, number: u32) -> Vec<Position> {
        let of = |p: &&Position| segment_of(**p) == number;
        let ahead = self.lanes.values().flat_map(|l| l.ahead.keys().filter(of));
        ahead
            .chain(self.state.retries.keys().filter(of))
            .copied()
            .collect()
    }

    /// Whether every pending item of a segment that was read through was found in it. Damage may have hidden some.
    fn check_found(&mut self, number: u32) -> io::Result<()> {
        let Some(segment) = self.state.segments.get(&number) else {
            return Ok(());
        };
        let behind = position(number, segment.scanned);
        let is_read = |l: &Lane| l.cursor >= behind || segment_of(l.cursor) > number;
        let unread = |l: &&Lane| {
            let pending = self
                .state
                .origins
                .get(l.number as usize)
                .map_or(0, |(_, o)| o.pending);
            !is_read(l) && pending > 0
        };
        if self.lanes.values().any(|l| unread(&l)) {
            return Ok(());
        }
        let pending = segment.items.saturating_sub(segment.done) as usize;
        let found = self.found_in(number);
        if found.len() >= pending {
            return Ok(());
        }
        // Read once more from the beginning, before anything is given up.
        let mut still_there = 0;
        let scanned = segment.scanned;
        if let Some(open) = self.open(number)? {
            let file = Arc::clone(&open.file);
            let state = &self.state;
            reader::lines(&file, 0, |offset, _, line| {
                if offset >= scanned {
                    return ControlFlow::Break(());
                }
                if let Line::Sound(payload) = line
                    && notification(payload).is_some()
                    && state.is_pending(position(number, offset))
                {
                    still_there += 1;
                }
                ControlFlow::Continue(())
            })?;
        }
        if still_there > found.len() {
            let origins: Vec<Arc<str>> = self.lanes.keys().cloned().collect();
            for origin in origins {
                if let Some(lane) = self.lanes.get_mut(&origin) {
                    lane.cursor = self.state.low.max(position(number, 0)).min(lane.cursor);
                }
            }
            return Ok(());
        }
        self.lose(number, &found, "is damaged")
    }

    /// What is pending in a segment and not among `found` counts as dropped.
    fn lose(&mut self, number: u32, found: &[Position], why: &str) -> io::Result<()> {
        let is_gone = why == "was removed";
        let kept = if is_gone { 0 } else { found.len() };
        let Some(segment) = self.state.segments.get(&number) else {
            return Ok(());
        };
        let pending = segment.items.saturating_sub(segment.done) as usize;
        let count = u32::try_from(pending.saturating_sub(kept)).unwrap_or(u32::MAX);
        if count == 0 {
            return Ok(());
        }
        log::error(|| {
            format!(
                "{} of the spool {} {why}: {count} notifications are lost",
                segment_name(number),
                self.place.path.display()
            )
        });
        let done = segment.done + count;
        let mut draft = Draft::new(&self.state);
        // By origin it is known only of what is left.
        let left = |lane: &Lane| {
            let retries = self.state.retries.iter();
            let retries = retries.filter(|(p, r)| {
                r.origin == lane.number && !(is_gone && segment_of(**p) == number)
            });
            let ahead = lane
                .ahead
                .keys()
                .filter(|p| !(is_gone && segment_of(**p) == number));
            (lane.number, (ahead.count() + retries.count()) as u64)
        };
        let is_all_read = self.lanes.values().all(|l| l.cursor >= self.end());
        let mut origins: Vec<(u32, u64)> = self.lanes.values().map(left).collect();
        if !is_all_read {
            // Take it from the origin with the most, until all is read and counted.
            origins.clear();
            let mut rest = u64::from(count);
            let mut by_size: Vec<(u32, u64)> = (0..)
                .zip(&self.state.origins)
                .map(|(n, (_, o))| (n, o.pending))
                .collect();
            by_size.sort_by_key(|(_, pending)| std::cmp::Reverse(*pending));
            for (origin, pending) in by_size {
                let taken = rest.min(pending);
                rest -= taken;
                origins.push((origin, pending - taken));
            }
        }
        draft.lose(number, done, count, &origins);
        if is_gone {
            let gone: Vec<u64> = self
                .state
                .retries
                .keys()
                .filter(|p| segment_of(**p) == number)
                .map(|p| p.0)
                .collect();
            // They are among the count already; this only forgets that they are to be tried.
            draft
                .batch()
                .done_before
                .push((number, done - gone.len() as u32));
            draft.batch().completed.extend(gone);
        }
        let low = self.low(&draft, &HashSet::new());
        let batch = draft.finish(low);
        self.journal(&batch)
    }

    /// Dead letters whose file was removed count as dropped; a file that is mostly waste is written anew.
    fn look_at_letters(&mut self) -> io::Result<()> {
        let present = dead::files(&self.place)?;
        let gone: Vec<Position> = self
            .state
            .letters
            .iter()
            .filter(|(_, letter)| !present.contains(&letter.file))
            .map(|(position, _)| *position)
            .collect();
        if !gone.is_empty() {
            log::error(|| {
                format!(
                    "a file of dead letters of the spool {} was removed: {} are lost",
                    self.place.path.display(),
                    gone.len()
                )
            });
            let mut draft = Draft::new(&self.state);
            for position in gone {
                draft.discard_letter(position);
            }
            let batch = draft.finish(self.state.low);
            self.journal(&batch)?;
        }
        if !self.letters.has_name() {
            self.letters = LetterWriter::default();
        }
        let mut used: HashSet<u32> = self.state.letters.values().map(|l| l.file).collect();
        const MUCH: u64 = 1 << 20;
        let is_waste = used.len() > 8
            || self.letters.length() > MUCH && self.state.letters.len() < 100
            || self.letters.length() > 64 * MUCH;
        if is_waste {
            let letters: Vec<_> = self
                .state
                .letters
                .iter()
                .map(|(p, l)| (*p, l.clone()))
                .collect();
            let moved = self.letters.rewrite(&self.place, letters.into_iter())?;
            let moved: Vec<_> = moved.into_iter().map(|(p, l)| (p.0, l)).collect();
            let batch = Batch {
                letters: moved,
                ..self.state.unchanged()
            };
            self.journal(&batch)?;
            used = self.state.letters.values().map(|l| l.file).collect();
        }
        let current = self.letters.number();
        for number in present {
            if !used.contains(&number) && Some(number) != current {
                super::disk::remove(&self.place.file(&dead::name(number)))?;
            }
        }
        Ok(())
    }
}

/// Ids in front of `scanned` that were accepted so lately that their producers may append them again.
fn ids_before(file: &File, scanned: u32, out: &mut HashMap<String, Timestamp>) -> io::Result<()> {
    let now = Timestamp::now();
    reader::lines(file, 0, |offset, _, line| {
        if offset >= scanned {
            return ControlFlow::Break(());
        }
        if let Line::Sound(payload) = line
            && let Some(new) = notification(payload)
            && now.since(new.accepted).length < 4 * GRACE
        {
            out.insert(new.id(), new.accepted);
        }
        ControlFlow::Continue(())
    })?;
    Ok(())
}

/// Notifications behind `scanned`, and their producers.
fn unread_items(file: &File, scanned: u32, out: &mut Vec<(NewItem, u64)>) -> io::Result<()> {
    reader::lines(file, scanned.into(), |_, _, line| {
        if let Line::Sound(payload) = line
            && let Some(Record::Notification(new) | Record::Again(new)) = record::parse(payload)
        {
            let item = NewItem {
                id: new.id(),
                origin: Arc::from(line::text(new.origin).as_str()),
                body: new.body.clone().into_owned(),
                accepted: new.accepted,
                attempts: new.attempts,
                detail: line::text(new.detail),
            };
            out.push((item, new.producer));
        }
        ControlFlow::Continue(())
    })?;
    Ok(())
}

pub(super) fn dropped(item: &Item, why: &str, now: Timestamp) -> Completed {
    Completed {
        position: item.position,
        receipt: Receipt {
            status: Status::QueueFull,
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

pub(super) fn notification(payload: &str) -> Option<Notification<'_>> {
    match record::parse(payload)? {
        Record::Notification(n) | Record::Again(n) | Record::Requeue(_, n) => Some(n),
        _ => None,
    }
}

/// `None`: it was deleted.
pub(super) fn open_segment(place: &Place, number: u32) -> io::Result<Option<File>> {
    match place.open_file(OpenOptions::new().read(true), &segment_name(number)) {
        Ok(file) => Ok(Some(file)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// The item whose line is at a position, and the length of that line; `None`: there is none.
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

impl spool::Lease for Leader {
    fn poll(&mut self, now: Timestamp) -> Result<bool, LeaseError> {
        self.check_lease()?;
        let polled = self.poll_segments(now);
        polled.map_err(|e| self.failed(e))
    }

    fn origins(&self) -> Vec<(Arc<str>, Gate)> {
        let origins = self.state.origins.iter();
        origins
            .map(|(origin, _)| (Arc::clone(origin), self.state.gate(origin)))
            .collect()
    }

    fn fetch(
        &mut self,
        origin: &str,
        now: Timestamp,
        limit: usize,
        skip: &HashSet<Position>,
    ) -> Result<Vec<Item>, LeaseError> {
        self.check_lease()?;
        let wanted = limit.saturating_add(skip.len());
        self.read_ahead(origin, wanted)
            .map_err(|e| self.failed(e))?;
        let Some(lane) = self.lanes.get(origin) else {
            return Ok(Vec::new());
        };
        let is_wanted = |p: &Position| !skip.contains(p);
        let due: Vec<(Position, u32)> = self
            .state
            .retries
            .iter()
            .filter(|(p, r)| r.origin == lane.number && r.is_due(now) && is_wanted(p))
            .map(|(p, r)| (*p, r.attempts))
            .take(limit)
            .collect();
        let ahead = lane.ahead.iter().filter(|(p, _)| is_wanted(p));
        let mut items: Vec<Item> = ahead.take(limit).map(|(_, i)| i.clone()).collect();
        let mut unreadable = Vec::new();
        for (at, attempts) in due {
            match self.item_at(at).map_err(|e| self.failed(e))? {
                Some(item) => items.push(Item { attempts, ..item }),
                None => unreadable.push(at),
            }
        }
        if !unreadable.is_empty() {
            self.drop_unreadable(&unreadable)
                .map_err(|e| self.failed(e))?;
        }
        items.sort_by_key(|item| item.position);
        items.truncate(limit);
        Ok(items)
    }

    fn overdue(
        &mut self,
        origin: &str,
        now: Timestamp,
        max_age: Duration,
        skip: &HashSet<Position>,
    ) -> Result<Vec<Item>, LeaseError> {
        self.check_lease()?;
        self.read_ahead(origin, AHEAD).map_err(|e| self.failed(e))?;
        let Some(lane) = self.lanes.get(origin) else {
            return Ok(Vec::new());
        };
        let is_overdue = |accepted: Timestamp, attempts: u32| {
            let age = now.since(accepted);
            age.length > max_age && (age.is_certain || attempts > 0)
        };
        let tried: Vec<(Position, u32)> = self
            .state
            .retries
            .iter()
            .filter(|(p, r)| {
                r.origin == lane.number && is_overdue(r.accepted, r.attempts) && !skip.contains(p)
            })
            .map(|(p, r)| (*p, r.attempts))
            .take(RECENT)
            .collect();
        let mut items: Vec<Item> = lane
            .ahead
            .values()
            .filter(|i| !skip.contains(&i.position) && is_overdue(i.accepted, i.attempts))
            .cloned()
            .collect();
        for (at, attempts) in tried {
            if let Some(item) = self.item_at(at).map_err(|e| self.failed(e))? {
                items.push(Item { attempts, ..item });
            }
        }
        items.sort_by_key(|item| item.position);
        items.truncate(RECENT);
        Ok(items)
    }

    fn settle(
        &mut self,
        settlements: &[Settlement],
        gates: &[(Arc<str>, Gate)],
    ) -> Result<(), LeaseError> {
        self.check_lease()?;
        if self.settings.drops_oldest
            && let Some(first) = settlements.first()
        {
            // What a push was accepted in place of is gone, also if this makes room.
            self.poll_segments(first.at).map_err(|e| self.failed(e))?;
        }
        let mut settled = self.record(settlements, gates);
        if settled.as_ref().is_err_and(is_no_room)
            && make_disk_room(&self.place, &self.state).unwrap_or(false)
        {
            // A dead letter found no room.
            settled = self.record(settlements, gates);
        }
        settled.map_err(|e| self.failed(e))?;
        // Whoever took the lease meanwhile does not read what was written just now.
        self.check_lease()
    }

    fn maintain(&mut self, now: Timestamp) -> Result<(), LeaseError> {
        self.check_lease()?;
        let maintained = self.keep_house(now);
        maintained.map_err(|e| self.failed(e))
    }

    fn release(mut self: Box<Self>) {
        if let Some(lease) = self.lease.take() {
            lease.release();
        }
    }
}

impl Leader {
    fn poll_segments(&mut self, now: Timestamp) -> io::Result<bool> {
        let grace = uptime().unwrap_or_default();
        // Those that producers may still append to: the newest, and those that were superseded a moment ago.
        let newest = self.state.segments.keys().next_back().copied();
        let mut active: Vec<u32> = self
            .segments
            .iter()
            .filter(|(_, s)| {
                s.superseded
                    .is_none_or(|since| grace.saturating_sub(since) < GRACE)
            })
            .map(|(number, _)| *number)
            .collect();
        active.extend(newest);
        active.sort_unstable();
        active.dedup();
        let mut has_read = false;
        for number in active {
            let (read, is_more) = self.read_segment(number, now)?;
            has_read |= read;
            if is_more {
                return Ok(true);
            }
        }
        let next = newest.map_or(0, |n| n + 1);
        let is_there = newest.is_some() && self.place.file(&segment_name(next)).exists();
        if is_there || newest.is_none() {
            has_read |= self.read_new(now)?;
        }
        Ok(has_read)
    }

    /// Every segment, as housekeeping and a leader's first look do.
    fn read_new(&mut self, now: Timestamp) -> io::Result<bool> {
        let mut has_read = false;
        for number in self.place.numbered(super::SEGMENT, super::SEGMENT_END)? {
            let (read, is_more) = self.read_segment(number, now)?;
            has_read |= read;
            if is_more {
                return Ok(true);
            }
        }
        Ok(has_read)
    }

    fn record(&mut self, settlements: &[Settlement], gates: &[(Arc<str>, Gate)]) -> io::Result<()> {
        let mut draft = Draft::new(&self.state);
        let mut completed = Vec::new();
        let mut dead = Vec::new();
        let mut leaving = HashSet::new();
        let mut ended = Vec::new();
        for settled in settlements {
            let at = settled.item.position;
            let Some(weight) = self.weight(&settled.item) else {
                continue;
            };
            let receipt = || Completed {
                position: at,
                receipt: settled.receipt(),
                at: settled.at,
                latency: settled.latency,
            };
            if !draft.is_pending(at) || leaving.contains(&at) {
                // Dropped while it was in flight: perhaps it arrived all the same.
                if let Some(producer) = self.dropped.get(&at) {
                    ended.push(at);
                    if settled.fate == Fate::Delivered {
                        draft.recount(*producer, End::Dropped, End::Delivered);
                        completed.push(receipt());
                    }
                }
                continue;
            }
            leaving.insert(at);
            let end = match settled.fate {
                Fate::Retry { .. } => {
                    draft.retry(settled, weight.origin);
                    continue;
                }
                Fate::Delivered => End::Delivered,
                Fate::Expired => End::Expired,
                Fate::Dead => {
                    dead.push(settled);
                    End::Dead
                }
            };
            draft.complete(weight, end);
            completed.push(receipt());
        }
        for (origin, gate) in gates {
            let known = &mut draft.batch().gates;
            known.retain(|(o, ..)| **o != **origin);
            if *gate != Gate::default() {
                known.push((
                    origin.to_string(),
                    gate.failures,
                    gate.closed_at,
                    gate.pause,
                ));
            }
        }
        let letters = self.letters.append(&self.place, &dead)?;
        draft.batch().letters = letters.into_iter().map(|(p, l)| (p.0, l)).collect();
        let low = self.low(&draft, &leaving);
        let batch = draft.finish(low);
        self.receipt(&completed);
        self.journal(&batch)?;
        for settled in settlements {
            if let Some(lane) = self.lanes.get_mut(&settled.item.origin) {
                lane.ahead.remove(&settled.item.position);
            }
        }
        for at in ended {
            self.dropped.remove(&at);
        }
        self.trim_letters()
    }

    /// Dead letters over `max_dead`: the oldest are dropped.
    fn trim_letters(&mut self) -> io::Result<()> {
        let max = usize::try_from(self.settings.max_dead).unwrap_or(usize::MAX);
        let over = self.state.letters.len().saturating_sub(max);
        if over == 0 {
            return Ok(());
        }
        let oldest: Vec<Position> = self.state.letters.keys().take(over).copied().collect();
        let mut draft = Draft::new(&self.state);
        for position in oldest {
            draft.discard_letter(position);
        }
        let batch = draft.finish(self.state.low);
        self.journal(&batch)
    }

    fn keep_house(&mut self, now: Timestamp) -> io::Result<()> {
        self.read_new(now)?;
        self.look_at_segments()?;
        self.look_at_letters()?;
        let retention = self.settings.receipt_retention;
        self.receipts.maintain(&self.place, now, retention)?;
        // Items that were dropped in flight have ended long ago.
        if self.dropped.len() > RECENT {
            self.dropped.clear();
        }
        self.raise_low()?;
        if self.journal.is_long() {
            self.compact()?;
        }
        self.place.make_reserve();
        Ok(())
    }
}
