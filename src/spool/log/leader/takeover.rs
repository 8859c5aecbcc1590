//! Becoming the leader, and restoring removed files.

use super::*;

/// Whether the disk is full, or a quota or limit is reached.
pub(super) fn is_no_room(e: &io::Error) -> bool {
    matches!(
        e.raw_os_error(),
        Some(libc::EFBIG | libc::ENOSPC | libc::EDQUOT)
    )
}

/// Takes the lease and reads the state. `None`: another drainer has the lease.
pub(in crate::spool::log) fn lead(
    directory: &Arc<SpoolDirectory>,
    settings: &Settings,
    watch: &mut Watch,
    deadline: Instant,
) -> io::Result<Option<Leader>> {
    match try_to_lead(directory, settings, watch, deadline) {
        // Delivery frees space.
        Err(e) if is_no_room(&e) => {
            let state = JournalReader::open(directory)?.map(|(_, state)| state);
            if !make_disk_room(directory, &state.unwrap_or_default())? {
                return Err(e);
            }
            try_to_lead(directory, settings, watch, deadline)
        }
        led => led,
    }
}

/// Frees space on a full disk: the completed lines at the beginning of segments, and the reserve.
/// Returns whether anything was freed. The lines then read as zeros, which every reader skips.
pub(super) fn make_disk_room(directory: &SpoolDirectory, state: &JournalState) -> io::Result<bool> {
    let had_reserve = directory.give_up_reserve();
    Ok(give_back_completed(directory, state)? || had_reserve)
}

/// Frees the space of the completed lines at the beginning of a segment. Returns whether anything was freed. The lines
/// then read as zeros, which every reader skips.
pub(super) fn give_back_completed(
    directory: &SpoolDirectory,
    state: &JournalState,
) -> io::Result<bool> {
    const BLOCK: u64 = 4096;
    let settled = state.completed_to();
    let mut has_made = false;
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
        let file = match directory.open_file(options.read(true).write(true), &name) {
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
    directory: &Arc<SpoolDirectory>,
    settings: &Settings,
    watch: &mut Watch,
    deadline: Instant,
) -> io::Result<Option<Leader>> {
    lock::hold(directory, deadline, || {
        let last = journal::last_epoch(directory)?;
        let Some(lease) = lease::take(directory, watch, last.is_some())? else {
            return Ok(None);
        };
        let taken = take_over(directory, settings, last.unwrap_or(0));
        match taken {
            Ok((journal, state)) => Ok(Some(Leader {
                directory: Arc::clone(directory),
                settings: settings.clone(),
                lease: Some(lease),
                queues: queues(&state),
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

fn queues(state: &JournalState) -> HashMap<Arc<str>, OriginQueue> {
    (0..)
        .zip(&state.origins)
        .map(|(number, (origin, _))| {
            let queue = OriginQueue {
                number,
                cursor: state.low,
                ahead: BTreeMap::new(),
            };
            (Arc::clone(origin), queue)
        })
        .collect()
}

/// Reads the last leader's state, and begins a new journal, which invalidates the old one.
fn take_over(
    directory: &SpoolDirectory,
    settings: &Settings,
    last: u32,
) -> io::Result<(JournalWriter, JournalState)> {
    for name in directory.names()? {
        if name.starts_with(TEMPORARY) {
            // An unfinished journal of a killed process or of a leader that hangs must not get its final name any more.
            match std::fs::remove_file(directory.file(&name)) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                removed => removed?,
            }
        }
    }
    let mut state = match JournalReader::open(directory)? {
        Some((journal, state)) => {
            if journal.damaged > 0 {
                log::error(|| {
                    format!(
                        "the journal of the spool {} has {} damaged lines; deliveries may be repeated",
                        directory.path.display(),
                        journal.damaged
                    )
                });
            }
            state
        }
        None => without_journal(directory)?,
    };
    // Segments that were completed and deleted just before the last leader ended.
    let present = directory.numbered(super::super::SEGMENT, super::super::SEGMENT_END)?;
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
    let journal = JournalWriter::begin(directory, epoch, &state)?;
    if settings.is_synced() {
        journal.sync()?;
        directory.sync_names()?;
    }
    for old in directory.numbered(super::super::JOURNAL, "")? {
        if old < epoch {
            super::super::disk::remove(&directory.file(&journal::name(old)))?;
        }
    }
    Ok((journal, state))
}

/// The state of a spool without a journal: a new spool, or a removed journal. Items with a receipt
/// are not sent again.
fn without_journal(directory: &SpoolDirectory) -> io::Result<JournalState> {
    let mut state = JournalState::default();
    let completed = receipts::positions(directory)?;
    if completed.is_empty() {
        return Ok(state);
    }
    log::error(|| {
        format!(
            "the journal of the spool {} is missing; it is rebuilt from the receipts, and notifications without \
            a receipt may be sent twice",
            directory.path.display()
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

/// Recently accepted ids before `scanned`, which their producers may append again.
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

/// Notifications after `scanned`, and their producers.
pub(super) fn unread_items(
    file: &File,
    scanned: u32,
    out: &mut Vec<(NewItem, u64)>,
) -> io::Result<()> {
    reader::lines(file, scanned.into(), |_, _, line| {
        if let Line::Sound(payload) = line
            && let Some(Record::Notification(new) | Record::Again(new)) = record::parse(payload)
        {
            let item = NewItem {
                id: new.id(),
                origin: Arc::from(line::text(new.origin).as_str()),
                path: new.path(),
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

impl Leader {
    pub(super) fn restore(&mut self) -> Result<(), LeaseError> {
        let deadline = Instant::now() + super::super::BUSY_TIMEOUT;
        let directory = Arc::clone(&self.directory);
        if !directory.is_current().map_err(|e| self.failed(e))? {
            return self.begin_again();
        }
        let restored = lock::hold(&directory, deadline, || {
            if journal::last_epoch(&directory)?.is_some_and(|epoch| epoch > self.journal.epoch()) {
                return Ok(false);
            }
            let Some(lease) = &mut self.lease else {
                return Ok(false);
            };
            if !lease.has_name()? {
                if !lease.restore(&directory)? {
                    return Ok(false);
                }
                log::error(|| {
                    format!(
                        "the file lease of the spool {} was removed",
                        directory.path.display()
                    )
                });
            }
            if !self.journal.has_name()? {
                log::error(|| {
                    format!(
                        "the journal of the spool {} was removed; it is made again",
                        directory.path.display()
                    )
                });
                self.journal = JournalWriter::begin(&directory, self.journal.epoch(), &self.state)?;
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

    pub(super) fn lost(&mut self) {
        log::warn(|| {
            format!(
                "another process delivers the spool {} now: this process did not run for {} s",
                self.directory.path.display(),
                super::super::LEASE_TIME.as_secs()
            )
        });
        // The lock is not released, because no process uses the lock of a file without a name.
        self.lease = None;
    }

    /// Handles a deleted directory: begins a new spool, which continues the counters.
    pub(super) fn begin_again(&mut self) -> Result<(), LeaseError> {
        // Unread notifications were accepted after the deletion, or just before it.
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
                self.directory.path.display()
            )
        });
        let mut sums = self.state.sums;
        sums.dropped += lost;
        sums.dead = 0;
        let began = (|| {
            let directory = Arc::new(SpoolDirectory::open(&self.directory.path, true)?);
            for (item, producer) in &unread {
                super::super::producer::append_again(&directory, item, *producer)?;
            }
            let deadline = Instant::now() + super::super::BUSY_TIMEOUT;
            let Some(mut leader) =
                lead(&directory, &self.settings, &mut Watch::default(), deadline)?
            else {
                return Ok(None);
            };
            let mut batch = leader.state.unchanged();
            let here = leader.state.sums;
            batch.sums = super::super::state::Sums {
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
                Err(LeaseError::Replaced)
            }
            Ok(None) => {
                self.lost();
                Err(LeaseError::Lost)
            }
            Err(e) => Err(self.failed(e)),
        }
    }
}
