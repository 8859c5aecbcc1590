//! A log on this machine that accepts notifications while the engine does not answer (`spool_fallback`), with the same
//! ids.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::RedisSpool;
use super::breaker::{Breaker, EngineUse, succeed};
use super::forwarder::Forwarder;
use crate::host::{self, Timestamp, log};
use crate::notification::ends_session;
use crate::options::QueueSettings;
use crate::outcome::{Error, Receipt, Status};
use crate::spool::log::LogSpool;
use crate::spool::{
    Gate, Inlet, Item, Lease, LeaseError, Ledger, NewItem, Operator, Outlet, Overview, Position,
    Settlement, StoredItem, Totals,
};

/// Time-out of a call to an engine that did not answer before.
const BRIEFLY: Duration = Duration::from_millis(50);

/// The detail of the receipt of a notification that is in the log.
pub(super) fn waits_in(path: &Path) -> String {
    format!(
        "queued in {}, to be forwarded to the engine",
        path.display()
    )
}

/// A spool in an engine, with a log as the fallback while the engine does not answer.
#[derive(Debug)]
pub(super) struct FallbackSpool {
    engine: RedisSpool,
    path: PathBuf,
    log: LogSpool,
    breaker: Arc<Mutex<Breaker>>,
    forwarder: Arc<Forwarder>,
    /// How often notifications were found in the log.
    found: AtomicU64,
    /// The value of `found` up to which `forwarded_to` is valid.
    covered: AtomicU64,
    /// A mark of the engine after these notifications.
    forwarded_to: AtomicU64,
}

impl FallbackSpool {
    pub(super) fn new(
        engine: RedisSpool,
        path: &Path,
        settings: &QueueSettings,
        creates: bool,
    ) -> Result<FallbackSpool, Error> {
        if path.is_relative() {
            return Err(Error::config(format!(
                "spool_fallback is not an absolute path: {}",
                path.display()
            )));
        }
        let path = crate::spool::log::check(path)?;
        let open = || LogSpool::new(path.clone(), settings, creates);
        let breaker = Arc::new(Mutex::new(Breaker::new(&path, creates)));
        Ok(FallbackSpool {
            breaker: Arc::clone(&breaker),
            forwarder: Arc::new(Forwarder::new(
                breaker,
                engine.clone(),
                path.clone(),
                open()?,
            )),
            log: open()?,
            engine,
            path,
            found: AtomicU64::new(0),
            covered: AtomicU64::new(0),
            forwarded_to: AtomicU64::new(0),
        })
    }

    fn is_log_there(&self) -> bool {
        self.path.exists()
    }

    fn is_log_empty(&self, deadline: Instant) -> Result<bool, Error> {
        let is_empty = !self.is_log_there() || self.log.totals(deadline)?.spool.pending == 0;
        if !is_empty {
            self.found.fetch_add(1, Ordering::AcqRel);
        }
        Ok(is_empty)
    }

    /// Records that the engine did not answer.
    fn fail(&self, e: &Error) {
        let is_first = host::lock(&self.breaker).fail(Instant::now());
        if is_first {
            log::error(|| {
                format!(
                    "{e}; notifications are stored in {} meanwhile",
                    self.path.display()
                )
            });
        }
    }

    /// The deadline for the engine; `None`: the call skips the engine.
    fn asked_until(&self, deadline: Instant) -> Option<Instant> {
        let now = Instant::now();
        let left = deadline.saturating_duration_since(now);
        match host::lock(&self.breaker).engine_use(now) {
            // The remaining time is for the log.
            EngineUse::Normal => Some(now + left * 3 / 4),
            EngineUse::Briefly => Some(now + BRIEFLY.min(left / 2)),
            EngineUse::Skip => None,
        }
    }
}

impl Inlet for FallbackSpool {
    fn push(&self, item: &NewItem, deadline: Instant) -> Result<(), Error> {
        self.accept(item, deadline).map(drop)
    }

    fn accept(&self, item: &NewItem, deadline: Instant) -> Result<Option<String>, Error> {
        // The end of a session is sent after its older notifications, which may be in the log.
        let must_wait = ends_session(&item.path) && !self.is_log_empty(deadline).unwrap_or(true);
        if !must_wait && let Some(until) = self.asked_until(deadline) {
            match self.engine.push(item, until) {
                Err(e) if e.status() == Status::SpoolFailed => self.fail(&e),
                answer => {
                    succeed(&self.breaker, &self.engine);
                    return answer.map(|()| None);
                }
            }
        }
        self.log.push(item, deadline)?;
        self.forwarder.expect();
        Ok(Some(waits_in(&self.path)))
    }
}

impl Outlet for FallbackSpool {
    fn acquire(&self, deadline: Instant) -> Result<Option<Box<dyn Lease>>, Error> {
        // A machine on standby also forwards the notifications in its own log.
        self.forwarder.forward();
        let lease = self.engine.acquire(deadline)?;
        Ok(lease.map(|lease| {
            Box::new(FallbackLease {
                lease,
                forwarder: Arc::clone(&self.forwarder),
            }) as Box<dyn Lease>
        }))
    }
}

/// The lease of the engine's spool; its holder also forwards.
#[derive(Debug)]
struct FallbackLease {
    lease: Box<dyn Lease>,
    forwarder: Arc<Forwarder>,
}

impl Lease for FallbackLease {
    fn poll(&mut self, now: Timestamp) -> Result<bool, LeaseError> {
        self.forwarder.forward();
        self.lease.poll(now)
    }

    fn origins(&self) -> Vec<(Arc<str>, Gate)> {
        self.lease.origins()
    }

    fn fetch(
        &mut self,
        origin: &str,
        now: Timestamp,
        limit: usize,
        skip: &HashSet<Position>,
    ) -> Result<Vec<Item>, LeaseError> {
        self.lease.fetch(origin, now, limit, skip)
    }

    fn overdue(
        &mut self,
        origin: &str,
        now: Timestamp,
        max_age: Duration,
        skip: &HashSet<Position>,
    ) -> Result<Vec<Item>, LeaseError> {
        self.lease.overdue(origin, now, max_age, skip)
    }

    fn begin(&mut self, items: &[Position]) -> Result<(), LeaseError> {
        self.lease.begin(items)
    }

    fn settle(
        &mut self,
        settlements: &[Settlement],
        gates: &[(Arc<str>, Gate)],
    ) -> Result<(), LeaseError> {
        self.lease.settle(settlements, gates)
    }

    fn maintain(&mut self, now: Timestamp) -> Result<(), LeaseError> {
        self.lease.maintain(now)
    }

    fn release(self: Box<Self>) {
        self.lease.release();
    }
}

impl Ledger for FallbackSpool {
    /// Notifications in the log count as accepted and pending.
    fn totals(&self, deadline: Instant) -> Result<Totals, Error> {
        let mut totals = self.engine.totals(deadline)?;
        if self.is_log_there() {
            let log = self.log.totals(deadline)?;
            totals.spool.accepted += log.spool.pending;
            totals.spool.pending += log.spool.pending;
            totals.pending_bytes += log.pending_bytes;
            let oldest = [totals.oldest, log.oldest].into_iter().flatten();
            totals.oldest = oldest.min_by_key(|at| at.unix_ms);
        }
        Ok(totals)
    }

    fn gate(&self, origin: &str, deadline: Instant) -> Result<Gate, Error> {
        let now = Instant::now();
        if host::lock(&self.breaker).look(now) != EngineUse::Normal {
            return Ok(Gate::default());
        }
        let left = deadline.saturating_duration_since(now);
        let gate = self.engine.gate(origin, now + left * 3 / 4);
        if let Err(e) = &gate
            && e.status() == Status::SpoolFailed
        {
            self.fail(e);
        }
        gate
    }

    /// The engine has the receipts of forwarded notifications, the log those of the others.
    fn receipt(
        &self,
        id: &str,
        now: Timestamp,
        deadline: Instant,
    ) -> Result<Option<Receipt>, Error> {
        // The log is also read if the engine failed. Only the engine can report that an id is unknown.
        let start = Instant::now();
        let until = start + deadline.saturating_duration_since(start) * 3 / 4;
        let asked = self.engine.receipt(id, now, until);
        if let Ok(Some(receipt)) = asked {
            return Ok(Some(receipt));
        }
        if self.is_log_there()
            && let Some(mut receipt) = self.log.receipt(id, now, deadline)?
        {
            if receipt.status == Status::Queued && receipt.attempts == 0 {
                receipt.detail = waits_in(&self.path);
            }
            return Ok(Some(receipt));
        }
        asked
    }

    fn known(&self, ids: &HashSet<&str>, deadline: Instant) -> Result<HashSet<String>, Error> {
        let mut known = self.engine.known(ids, deadline)?;
        if self.is_log_there() {
            known.extend(self.log.known(ids, deadline)?);
        }
        Ok(known)
    }

    fn mark(&self, deadline: Instant) -> Result<Option<Position>, Error> {
        self.is_log_empty(deadline)?;
        self.engine.mark(deadline)
    }

    /// Notifications in the log are not completed, so the log must be empty. Those that were in it are in the engine
    /// then, after the mark.
    fn is_settled(&self, mark: Position, deadline: Instant) -> Result<bool, Error> {
        let found = self.found.load(Ordering::Acquire);
        if !self.is_log_empty(deadline)? {
            return Ok(false);
        }
        if self.covered.load(Ordering::Acquire) < found {
            let Some(newest) = self.engine.mark(deadline)? else {
                return Ok(false);
            };
            self.forwarded_to.fetch_max(newest.0, Ordering::AcqRel);
            self.covered.fetch_max(found, Ordering::AcqRel);
        }
        let forwarded_to = Position(self.forwarded_to.load(Ordering::Acquire));
        self.engine.is_settled(mark.max(forwarded_to), deadline)
    }
}

/// The operator's functions use the engine. A purge erases in the engine and in the log.
impl Operator for FallbackSpool {
    fn overview(&self, deadline: Instant) -> Result<Overview, Error> {
        self.engine.overview(deadline)
    }

    fn pending(
        &self,
        after: Option<Position>,
        limit: usize,
        deadline: Instant,
    ) -> Result<Vec<StoredItem>, Error> {
        self.engine.pending(after, limit, deadline)
    }

    fn dead(
        &self,
        after: Option<Position>,
        limit: usize,
        deadline: Instant,
    ) -> Result<Vec<StoredItem>, Error> {
        self.engine.dead(after, limit, deadline)
    }

    fn requeue(&self, letters: &[StoredItem], deadline: Instant) -> Result<u64, Error> {
        self.engine.requeue(letters, deadline)
    }

    fn discard(&self, letters: &[Position], deadline: Instant) -> Result<u64, Error> {
        self.engine.discard(letters, deadline)
    }

    fn purge(&self, theirs: &dyn Fn(&str) -> bool, deadline: Instant) -> Result<u64, Error> {
        // The log first: a notification that is forwarded between the two steps is then found in the engine.
        let in_log = match self.is_log_there() {
            true => self.log.purge(theirs, deadline)?,
            false => 0,
        };
        Ok(in_log + self.engine.purge(theirs, deadline)?)
    }

    fn probe_now(&self, deadline: Instant) -> Result<u64, Error> {
        self.engine.probe_now(deadline)
    }

    fn is_done(&self, deadline: Instant) -> Result<bool, Error> {
        if !self.is_log_there() || self.log.is_done(deadline)? {
            return Ok(true);
        }
        // The process that forwards executes the operator's commands on the log; that may be this process.
        if let Some(mut lease) = self.log.acquire(deadline)? {
            let polled = lease.poll(Timestamp::now());
            lease.release();
            if let Err(LeaseError::Failed(e)) = polled {
                return Err(e);
            }
        }
        self.log.is_done(deadline)
    }

    fn backup(&self, to: &Path, deadline: Instant) -> Result<u64, Error> {
        self.engine.backup(to, deadline)
    }
}
