//! Reading by the leader: new records, items ahead of the deliveries, and the oldest items if room
//! must be made.

use super::*;

impl Leader {
    /// Reads new lines of one segment. Returns whether there were any, and whether there are more.
    pub(super) fn read_segment(&mut self, number: u32, now: Timestamp) -> io::Result<(bool, bool)> {
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

    /// Like `read_segment`, but stops when room must be made for the next notification, and returns its length.
    #[expect(
        clippy::type_complexity,
        reason = "it has one caller, which takes it apart at once"
    )]
    pub(super) fn read_piece(
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
            directory: &self.directory,
            queues: &self.queues,
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
            // Read twice, because a disk may return wrong data once. Then the piece is read again.
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
            for queue in self.queues.values_mut() {
                queue.ahead.remove(position);
            }
        }
        // The new items belong to origin queues that had reached the end; other queues reach them
        // later.
        for (number, (origin, _)) in (0..).zip(&self.state.origins) {
            let low = self.state.low;
            let queue = self
                .queues
                .entry(Arc::clone(origin))
                .or_insert_with(|| OriginQueue {
                    number,
                    cursor: end_before.max(low),
                    ahead: BTreeMap::new(),
                });
            if queue.cursor >= end_before && !read.overfull.contains(&number) {
                queue.cursor = queue.cursor.max(position(number_read, end));
            }
        }
        self.dropped.extend(read.dropped);
        let has_left = !(read.completed.is_empty() && read.erased.is_empty());
        for item in read.ahead {
            if let Some(queue) = self.queues.get_mut(&item.origin)
                && self.state.is_pending(item.position)
            {
                queue.ahead.insert(item.position, item);
            }
        }
        if has_left {
            self.raise_low()?;
        }
        Ok((true, is_more, needs_room))
    }

    /// Journals the position before which everything is completed, if it has advanced.
    pub(super) fn raise_low(&mut self) -> io::Result<()> {
        let draft = Draft::new(&self.state);
        let low = self.low(&draft, &HashSet::new());
        if low <= self.state.low {
            return Ok(());
        }
        let batch = draft.finish(low);
        self.journal(&batch)
    }

    /// Copies damaged bytes into a file for an operator.
    pub(super) fn set_aside(&mut self, at: Position, bytes: &[u8]) -> io::Result<()> {
        if !self.damage.insert(at) {
            return Ok(());
        }
        log::error(|| {
            format!(
                "the spool {} holds a damaged line in {} at {}; it was copied to {}",
                self.directory.path.display(),
                segment_name(segment_of(at)),
                offset_of(at),
                super::super::DAMAGED_FILE,
            )
        });
        let path = self.directory.file(super::super::DAMAGED_FILE);
        let file = match self.directory.open_file(
            OpenOptions::new().read(true).append(true),
            super::super::DAMAGED_FILE,
        ) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => self.directory.create(&path)?,
            file => file?,
        };
        let mut line = b"\n".to_vec();
        line.extend_from_slice(bytes);
        super::super::disk::append(&file, &line)
    }

    /// Reads items ahead of the deliveries to an origin.
    pub(super) fn read_ahead(&mut self, origin: &str, wanted: usize) -> io::Result<()> {
        let wanted = wanted.max(AHEAD);
        let end = self.end();
        loop {
            let Some(queue) = self.queues.get(origin) else {
                return Ok(());
            };
            let bytes: usize = queue.ahead.values().map(|i| i.body.len()).sum();
            let is_enough = |items: usize, bytes: usize| {
                let is_short = || items > 0 && host::is_memory_short();
                items >= wanted || bytes >= AHEAD_BYTES || is_short()
            };
            if queue.cursor >= end || is_enough(queue.ahead.len(), bytes) {
                return Ok(());
            }
            let (number, offset) = (segment_of(queue.cursor), offset_of(queue.cursor));
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
                // The file was removed; housekeeping counts the lost items.
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
                if offset >= scanned || is_enough(found.len(), found_bytes) {
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
                // The file may be shorter than before; then nothing more can be read.
                u32::try_from(read).unwrap_or(u32::MAX).max(scanned)
            });
            for (at, first) in damaged {
                // Read twice, because a disk may return wrong data once.
                let again = reader::line_at(&file, offset_of(at).into())?.unwrap_or_default();
                if !matches!(line::decode(&again), Line::Sound(_)) && self.state.is_pending(at) {
                    self.set_aside(at, &first)?;
                }
            }
            self.move_cursor(origin, position(number, reached), found);
        }
    }

    pub(super) fn move_cursor(&mut self, origin: &str, cursor: Position, found: Vec<Item>) {
        if let Some(queue) = self.queues.get_mut(origin) {
            queue.cursor = queue.cursor.max(cursor);
            queue
                .ahead
                .extend(found.into_iter().map(|i| (i.position, i)));
        }
    }

    /// The item at a position that is known to be pending. `None`: it cannot be read any more.
    pub(super) fn item_at(&mut self, at: Position) -> io::Result<Option<Item>> {
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

    /// The oldest pending item of all origins.
    pub(super) fn oldest(&mut self) -> io::Result<Option<Item>> {
        let origins: Vec<Arc<str>> = self.queues.keys().cloned().collect();
        for origin in &origins {
            self.read_ahead(origin, AHEAD)?;
        }
        let ahead = self
            .queues
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

    /// Counts pending items with unreadable lines as dropped.
    pub(super) fn drop_unreadable(&mut self, positions: &[Position]) -> io::Result<()> {
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

    /// Makes room for this number of bytes, for a producer that may drop the oldest items.
    pub(in crate::spool::log) fn make_room_for(
        &mut self,
        bytes: u64,
        now: Timestamp,
    ) -> io::Result<()> {
        while self.read_new(now)? {}
        self.make_room(1, bytes, now)
    }

    /// Drops the oldest items until there is room for `items` and `bytes` more.
    pub(super) fn make_room(&mut self, items: u64, bytes: u64, now: Timestamp) -> io::Result<()> {
        loop {
            let fits = self.state.sums.pending() + items <= self.settings.max_items
                && self.state.pending_bytes + bytes <= self.settings.max_bytes;
            if fits || self.state.sums.pending() == 0 {
                return Ok(());
            }
            let Some(item) = self.oldest()? else {
                if self.state.retries.is_empty() && self.queues.values().all(|l| l.ahead.is_empty())
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
            self.receipt(&[dropped(&item, super::super::MADE_ROOM, now)]);
            self.journal(&batch)?;
            if let Some(queue) = self.queues.get_mut(&item.origin) {
                queue.ahead.remove(&item.position);
            }
            self.dropped.insert(item.position, item.producer);
        }
    }

    pub(super) fn poll_segments(&mut self, now: Timestamp) -> io::Result<bool> {
        let grace = uptime().unwrap_or_default();
        // Segments to which producers may still append: the newest, and recently superseded ones.
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
        let is_there = newest.is_some() && self.directory.file(&segment_name(next)).exists();
        if is_there || newest.is_none() {
            has_read |= self.read_new(now)?;
        }
        Ok(has_read)
    }

    /// Reads all segments, as in housekeeping and in the first read of a leader.
    pub(super) fn read_new(&mut self, now: Timestamp) -> io::Result<bool> {
        let mut has_read = false;
        for number in self
            .directory
            .numbered(super::super::SEGMENT, super::super::SEGMENT_END)?
        {
            let (read, is_more) = self.read_segment(number, now)?;
            has_read |= read;
            if is_more {
                return Ok(true);
            }
        }
        Ok(has_read)
    }
}
