//! The calls of the worker on its lease: fetch, settle, maintain.

use super::*;

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
        let Some(queue) = self.queues.get(origin) else {
            return Ok(Vec::new());
        };
        let is_wanted = |p: &Position| !skip.contains(p);
        let is_early = |item: &Item| {
            notification::ends_session(&item.path)
                && self.has_older_of(notification::session(&item.body), queue, item.position)
        };
        let due: Vec<(Position, u32)> = self
            .state
            .retries
            .iter()
            .filter(|(p, r)| r.origin == queue.number && r.is_due(now) && is_wanted(p))
            .filter(|(p, r)| !(r.ends_session && self.has_older_of(r.session, queue, **p)))
            .map(|(p, r)| (*p, r.attempts))
            .take(limit)
            .collect();
        let ahead = queue.ahead.values();
        let ahead = ahead.filter(|i| is_wanted(&i.position) && !is_early(i));
        let mut items: Vec<Item> = ahead.take(limit).cloned().collect();
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
        self.mark_begun(&mut items);
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
        let Some(queue) = self.queues.get(origin) else {
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
                r.origin == queue.number && is_overdue(r.accepted, r.attempts) && !skip.contains(p)
            })
            .map(|(p, r)| (*p, r.attempts))
            .take(RECENT)
            .collect();
        let mut items: Vec<Item> = queue
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
        self.mark_begun(&mut items);
        Ok(items)
    }

    fn begin(&mut self, items: &[Position]) -> Result<(), LeaseError> {
        self.check_lease()?;
        let mut batch = self.state.unchanged();
        let pending = items.iter().filter(|at| self.state.is_pending(**at));
        batch.begun = pending.map(|at| at.0).collect();
        let begun = self
            .journal(&batch)
            .and_then(|()| match self.settings.is_synced() {
                true => self.journal.sync(),
                false => Ok(()),
            });
        begun.map_err(|e| self.failed(e))?;
        // If another process has taken the lease meanwhile, it does not read what was just written.
        self.check_lease()
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
            // Items that were dropped for a new push must be dropped first, even if this settlement
            // frees room.
            self.poll_segments(first.at).map_err(|e| self.failed(e))?;
        }
        let mut settled = self.record(settlements, gates);
        if settled.as_ref().is_err_and(is_no_room)
            && make_disk_room(&self.directory, &self.state).unwrap_or(false)
        {
            // There was no disk space for a dead letter.
            settled = self.record(settlements, gates);
        }
        settled.map_err(|e| self.failed(e))?;
        // A process that took the lease meanwhile does not read what was written just now.
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
    /// Whether an item of the session before `end` is not completed.
    fn has_older_of(&self, session: Option<u32>, queue: &OriginQueue, end: Position) -> bool {
        let ahead = queue.ahead.range(..end);
        let mut ahead = ahead.map(|(_, item)| notification::session(&item.body));
        let retries = self.state.retries.range(..end);
        let retries = retries.filter(|(_, retry)| retry.origin == queue.number);
        let mut retries = retries.map(|(_, retry)| retry.session);
        session.is_some()
            && (ahead.any(|older| older == session) || retries.any(|older| older == session))
    }

    fn mark_begun(&self, items: &mut [Item]) {
        for item in items {
            item.has_begun = self.state.begun.contains(&item.position);
        }
    }

    /// Appends receipts. If the disk has no space for them, deliveries continue, because they free
    /// space.
    pub(super) fn receipt(&mut self, completed: &[Completed]) {
        let mut anonymous = Vec::new();
        let mut kept = completed;
        if self.settings.receipt_retention.is_zero() {
            // Only for the statistics: these receipts cannot be found by id.
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
        let appended = self.receipts.append(&self.directory, kept);
        if let Err(e) = &appended
            && !self.receipts_failed
        {
            let e = failed(
                &self.directory.path,
                io::Error::new(e.kind(), e.to_string()),
            );
            log::warn(|| format!("receipts could not be stored: {e}"));
        }
        self.receipts_failed = appended.is_err();
    }

    pub(super) fn weight(&self, item: &Item) -> Option<Weight> {
        Some(Weight {
            position: item.position,
            origin: self.state.origin_number(&item.origin)?,
            producer: item.producer,
            bytes: item.body.len() as u64,
        })
    }

    pub(super) fn record(
        &mut self,
        settlements: &[Settlement],
        gates: &[(Arc<str>, Gate)],
    ) -> io::Result<()> {
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
                // The item was dropped while it was in flight, and may have arrived nevertheless.
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
        let letters = self.letters.append(&self.directory, &dead)?;
        draft.batch().letters = letters.into_iter().map(|(p, l)| (p.0, l)).collect();
        let low = self.low(&draft, &leaving);
        let batch = draft.finish(low);
        self.receipt(&completed);
        self.journal(&batch)?;
        for settled in settlements {
            if let Some(queue) = self.queues.get_mut(&settled.item.origin) {
                queue.ahead.remove(&settled.item.position);
            }
        }
        for at in ended {
            self.dropped.remove(&at);
        }
        self.trim_letters()
    }

    /// Drops the oldest dead letters above `max_dead`.
    pub(super) fn trim_letters(&mut self) -> io::Result<()> {
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
}
