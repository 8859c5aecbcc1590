//! Housekeeping of the leader, about once a second: completed, removed or damaged segments and
//! files of dead letters.

use super::*;

impl Leader {
    /// Finds new segments, and deletes completed ones.
    pub(super) fn look_at_segments(&mut self) -> io::Result<()> {
        let now = uptime().unwrap_or_default();
        let present = self
            .directory
            .numbered(super::super::SEGMENT, super::super::SEGMENT_END)?;
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
                        "{} of the spool {} was removed while it was in use; its notifications are still delivered",
                        segment_name(number),
                        self.directory.path.display()
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

    /// Deletes a segment whose items are all completed, and then reads it to its end: a producer
    /// that was stopped for longer than the grace period may have appended meanwhile, and notices
    /// the deletion only when it continues.
    pub(super) fn retire(&mut self, number: u32, is_present: bool) -> io::Result<()> {
        let scanned = self.state.segments.get(&number).map_or(0, |s| s.scanned);
        if self.settings.is_synced() {
            self.journal.sync()?;
        }
        if is_present {
            match super::super::disk::remove(&self.directory.file(&segment_name(number))) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                removed => removed?,
            }
        }
        let mut late = Vec::new();
        if let Some(segment) = self.segments.remove(&number) {
            unread_items(&segment.file, scanned, &mut late)?;
        }
        for (item, producer) in &late {
            super::super::producer::append_again(&self.directory, item, *producer)?;
        }
        let batch = Batch {
            retired: vec![number],
            ..self.state.unchanged()
        };
        self.journal(&batch)
    }

    /// Counts the pending items of a missing segment as dropped.
    pub(super) fn count_lost(&mut self, number: u32) -> io::Result<()> {
        let found: Vec<Position> = self.found_in(number);
        self.lose(number, &found, "was removed")?;
        for queue in self.queues.values_mut() {
            queue.ahead.retain(|p, _| segment_of(*p) != number);
        }
        Ok(())
    }

    /// The pending items of a segment that are known individually.
    pub(super) fn found_in(&self, number: u32) -> Vec<Position> {
        let of = |p: &&Position| segment_of(**p) == number;
        let ahead = self.queues.values().flat_map(|l| l.ahead.keys().filter(of));
        ahead
            .chain(self.state.retries.keys().filter(of))
            .copied()
            .collect()
    }

    /// Checks that every pending item was found in a segment that was read to its end. Damage may have hidden some
    /// items.
    pub(super) fn check_found(&mut self, number: u32) -> io::Result<()> {
        let Some(segment) = self.state.segments.get(&number) else {
            return Ok(());
        };
        let behind = position(number, segment.scanned);
        let is_read = |l: &OriginQueue| l.cursor >= behind || segment_of(l.cursor) > number;
        let unread = |l: &&OriginQueue| {
            let pending = self
                .state
                .origins
                .get(l.number as usize)
                .map_or(0, |(_, o)| o.pending);
            !is_read(l) && pending > 0
        };
        if self.queues.values().any(|l| unread(&l)) {
            return Ok(());
        }
        let pending = segment.items.saturating_sub(segment.done) as usize;
        let found = self.found_in(number);
        if found.len() >= pending {
            return Ok(());
        }
        // Read again from the beginning before anything is counted as lost.
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
            let origins: Vec<Arc<str>> = self.queues.keys().cloned().collect();
            for origin in origins {
                if let Some(queue) = self.queues.get_mut(&origin) {
                    queue.cursor = self.state.low.max(position(number, 0)).min(queue.cursor);
                }
            }
            return Ok(());
        }
        self.lose(number, &found, "is damaged")
    }

    /// Counts pending items of a segment that are not in `found` as dropped.
    pub(super) fn lose(&mut self, number: u32, found: &[Position], why: &str) -> io::Result<()> {
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
                self.directory.path.display()
            )
        });
        let done = segment.done + count;
        let mut draft = Draft::new(&self.state);
        // The origin is known only for the items that are left.
        let left = |queue: &OriginQueue| {
            let retries = self.state.retries.iter();
            let retries = retries.filter(|(p, r)| {
                r.origin == queue.number && !(is_gone && segment_of(**p) == number)
            });
            let ahead = queue
                .ahead
                .keys()
                .filter(|p| !(is_gone && segment_of(**p) == number));
            (queue.number, (ahead.count() + retries.count()) as u64)
        };
        let is_all_read = self.queues.values().all(|l| l.cursor >= self.end());
        let mut origins: Vec<(u32, u64)> = self.queues.values().map(left).collect();
        if !is_all_read {
            // Subtract the rest from the origin with the most pending items, until everything is
            // read and counted.
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
            // They are already counted; this only removes their retries.
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

    /// Counts dead letters of a removed file as dropped; rewrites a file that consists mostly of
    /// deleted ones.
    pub(super) fn look_at_letters(&mut self) -> io::Result<()> {
        let present = dead::files(&self.directory)?;
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
                    self.directory.path.display(),
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
            let moved = self.letters.rewrite(&self.directory, letters.into_iter())?;
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
                super::super::disk::remove(&self.directory.file(&dead::name(number)))?;
            }
        }
        Ok(())
    }

    pub(super) fn keep_house(&mut self, now: Timestamp) -> io::Result<()> {
        self.read_new(now)?;
        self.look_at_segments()?;
        self.look_at_letters()?;
        let retention = self.settings.receipt_retention;
        self.receipts.maintain(&self.directory, now, retention)?;
        // Items that were dropped in flight have ended long ago.
        if self.dropped.len() > RECENT {
            self.dropped.clear();
        }
        self.raise_low()?;
        if self.journal.is_long() {
            self.compact()?;
        }
        // The newest segment is not deleted, and on a full disk no newer one begins, so the space of its completed lines
        // is freed.
        if self.directory.is_short_of_room() {
            give_back_completed(&self.directory, &self.state)?;
            self.directory.renew_reserve();
        }
        Ok(())
    }
}
