//! The memory engine: a spool in this process's memory, which is bounded and lost with the process.

mod receipts;
mod state;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::ops::Bound;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use self::state::MemoryState;
use super::{
    Gate, Inlet, Item, Lease, LeaseError, Ledger, NewItem, Operator, Outlet, Overview, Position,
    Settlement, StoredItem, Totals,
};
use crate::host::{self, Timestamp};
use crate::options::QueueSettings;
use crate::outcome::{Error, Receipt, Status};

/// The engine ignores deadlines, because calls only wait for a lock that is held briefly.
#[derive(Clone)]
pub(crate) struct MemorySpool {
    state: Arc<Mutex<MemoryState>>,
}

/// The output shows no notifications, because their bodies contain tokens.
impl fmt::Debug for MemorySpool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemorySpool(..)")
    }
}

impl MemorySpool {
    pub(crate) fn new(settings: &QueueSettings) -> MemorySpool {
        MemorySpool {
            state: Arc::new(Mutex::new(MemoryState::new(settings))),
        }
    }

    fn lock(&self) -> MutexGuard<'_, MemoryState> {
        host::lock(&self.state)
    }

    /// Removes the lease from its holder, as if it had expired.
    #[cfg(test)]
    pub(crate) fn expire_lease(&self) {
        self.lock().leader = None;
    }
}

impl Inlet for MemorySpool {
    fn push(&self, item: &NewItem, _deadline: Instant) -> Result<(), Error> {
        self.lock().push(item)
    }
}

impl Outlet for MemorySpool {
    fn acquire(&self, _deadline: Instant) -> Result<Option<Box<dyn Lease>>, Error> {
        let mut state = self.lock();
        if state.leader.is_some() {
            return Ok(None);
        }
        state.last_token += 1;
        state.leader = Some(state.last_token);
        state.is_changed |= !state.pending.is_empty();
        Ok(Some(Box::new(MemoryLease {
            spool: self.clone(),
            token: state.last_token,
        })))
    }
}

#[derive(Debug)]
struct MemoryLease {
    spool: MemorySpool,
    token: u64,
}

impl MemoryLease {
    /// The state, if this is still the valid lease.
    fn lead(&self) -> Result<MutexGuard<'_, MemoryState>, LeaseError> {
        let state = self.spool.lock();
        match state.leader == Some(self.token) {
            true => Ok(state),
            false => Err(LeaseError::Lost),
        }
    }
}

impl Drop for MemoryLease {
    fn drop(&mut self) {
        if let Ok(mut state) = self.lead() {
            state.leader = None;
        }
    }
}

impl Lease for MemoryLease {
    fn poll(&mut self, _now: Timestamp) -> Result<bool, LeaseError> {
        Ok(std::mem::take(&mut self.lead()?.is_changed))
    }

    fn origins(&self) -> Vec<(Arc<str>, Gate)> {
        let state = self.spool.lock();
        let origins = state.origins.iter();
        origins.map(|(url, o)| (Arc::clone(url), o.gate)).collect()
    }

    fn fetch(
        &mut self,
        origin: &str,
        now: Timestamp,
        limit: usize,
        skip: &HashSet<Position>,
    ) -> Result<Vec<Item>, LeaseError> {
        Ok(self.lead()?.fetch(origin, now, limit, skip))
    }

    fn overdue(
        &mut self,
        origin: &str,
        now: Timestamp,
        max_age: Duration,
        skip: &HashSet<Position>,
    ) -> Result<Vec<Item>, LeaseError> {
        Ok(self.lead()?.overdue(origin, now, max_age, skip))
    }

    fn begin(&mut self, items: &[Position]) -> Result<(), LeaseError> {
        self.lead()?.begin(items);
        Ok(())
    }

    fn settle(
        &mut self,
        settlements: &[Settlement],
        gates: &[(Arc<str>, Gate)],
    ) -> Result<(), LeaseError> {
        let mut state = self.lead()?;
        for settlement in settlements {
            state.settle(settlement);
        }
        for (origin, gate) in gates {
            state.set_gate(origin, *gate);
        }
        Ok(())
    }

    fn maintain(&mut self, now: Timestamp) -> Result<(), LeaseError> {
        self.lead()?.receipts.forget_old(now);
        Ok(())
    }

    fn release(self: Box<Self>) {}
}

impl Ledger for MemorySpool {
    fn totals(&self, _deadline: Instant) -> Result<Totals, Error> {
        let state = self.lock();
        let oldest = state.pending.values().next();
        Ok(Totals {
            spool: state.counts(),
            process: state.counts(),
            pending_bytes: state.pending_bytes,
            oldest: oldest.map(|p| p.stored.item.accepted),
            lost: 0,
            recent: state.recent.iter().copied().collect(),
        })
    }

    fn gate(&self, origin: &str, _deadline: Instant) -> Result<Gate, Error> {
        let state = self.lock();
        Ok(state
            .origins
            .get(origin)
            .map(|o| o.gate)
            .unwrap_or_default())
    }

    fn receipt(
        &self,
        id: &str,
        now: Timestamp,
        _deadline: Instant,
    ) -> Result<Option<Receipt>, Error> {
        Ok(self.lock().receipt(id, now))
    }

    fn known(&self, ids: &HashSet<&str>, _deadline: Instant) -> Result<HashSet<String>, Error> {
        Ok(self.lock().receipts.known(ids))
    }

    fn mark(&self, _deadline: Instant) -> Result<Option<Position>, Error> {
        Ok(Some(self.lock().last_position))
    }

    fn is_settled(&self, mark: Position, _deadline: Instant) -> Result<bool, Error> {
        let state = self.lock();
        Ok(state
            .pending
            .keys()
            .next()
            .is_none_or(|first| *first > mark))
    }
}

impl Operator for MemorySpool {
    fn overview(&self, _deadline: Instant) -> Result<Overview, Error> {
        let state = self.lock();
        let mut dead_by_status: Vec<(Status, u64)> = Vec::new();
        for letter in state.dead.values() {
            match dead_by_status.iter_mut().find(|(s, _)| *s == letter.status) {
                Some((_, count)) => *count += 1,
                None => dead_by_status.push((letter.status, 1)),
            }
        }
        dead_by_status.sort_by_key(|(status, _)| -status.code());
        let origins = state.origins.iter();
        Ok(Overview {
            origins: origins
                .map(|(url, o)| (Arc::clone(url), o.gate, o.pending.len() as u64))
                .collect(),
            dead_by_status,
            leader: state.leader.map(|_| "this process".to_owned()),
            ..Overview::default()
        })
    }

    fn pending(
        &self,
        after: Option<Position>,
        limit: usize,
        _deadline: Instant,
    ) -> Result<Vec<StoredItem>, Error> {
        let state = self.lock();
        let page = behind(&state.pending, after).take(limit);
        let marked = page.map(|pending| {
            let mut stored = pending.stored.clone();
            stored.item.has_begun = state.has_begun(stored.item.position);
            stored
        });
        Ok(marked.collect())
    }

    fn dead(
        &self,
        after: Option<Position>,
        limit: usize,
        _deadline: Instant,
    ) -> Result<Vec<StoredItem>, Error> {
        let state = self.lock();
        Ok(behind(&state.dead, after).take(limit).cloned().collect())
    }

    fn requeue(&self, letters: &[StoredItem], _deadline: Instant) -> Result<u64, Error> {
        Ok(self.lock().requeue(letters, Timestamp::now()))
    }

    fn discard(&self, letters: &[Position], _deadline: Instant) -> Result<u64, Error> {
        Ok(self.lock().discard(letters))
    }

    fn purge(&self, theirs: &dyn Fn(&str) -> bool, _deadline: Instant) -> Result<u64, Error> {
        Ok(self.lock().purge(theirs, Timestamp::now()))
    }

    fn probe_now(&self, _deadline: Instant) -> Result<u64, Error> {
        Ok(self.lock().probe_now())
    }

    fn is_done(&self, _deadline: Instant) -> Result<bool, Error> {
        Ok(true)
    }

    fn backup(&self, _to: &Path, _deadline: Instant) -> Result<u64, Error> {
        Err(Error::config("a queue in memory has no files to copy"))
    }
}

/// The items after a position, oldest first.
fn behind<T>(items: &BTreeMap<Position, T>, after: Option<Position>) -> impl Iterator<Item = &T> {
    let start = after.map_or(Bound::Unbounded, Bound::Excluded);
    items.range((start, Bound::Unbounded)).map(|(_, item)| item)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::Spool;
    use crate::spool::kit::faulty::fault_tests;
    use crate::spool::kit::{DeadOrder, Engine, conformance_tests};

    struct MemoryEngine {
        settings: QueueSettings,
        spool: MemorySpool,
    }

    impl Engine for MemoryEngine {
        const SURVIVES: bool = false;
        const IS_SHARED: bool = false;
        const DEAD_ORDER: DeadOrder = DeadOrder::Acceptance;
        const MODEL_STEPS: u32 = 60_000;

        fn new(settings: &QueueSettings) -> MemoryEngine {
            MemoryEngine {
                settings: settings.clone(),
                spool: MemorySpool::new(settings),
            }
        }

        fn open(&self) -> Box<dyn Spool> {
            Box::new(self.spool.clone())
        }

        fn expire_lease(&self) {
            self.spool.expire_lease();
        }

        fn restart(&mut self) {
            self.spool = MemorySpool::new(&self.settings);
        }
    }

    conformance_tests!(MemoryEngine);
    fault_tests!(MemoryEngine);

    #[test]
    fn memory_spool_debug_output_shows_no_body() {
        let spool = MemorySpool::new(&crate::spool::kit::settings());
        let new = crate::spool::kit::item(1);
        spool.push(&new, crate::spool::kit::soon()).unwrap();
        let lease = crate::spool::kit::lead(&spool);
        let shown = format!("{spool:?} {lease:?}");
        assert!(!shown.contains(&new.body), "{shown}");
    }
}
