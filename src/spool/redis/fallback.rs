//! A log on this machine that accepts notifications while the engine does not answer (`spool_fallback`), with the same
//! ids. The processes that deliver the spool forward them when the engine answers again. The engine ignores an id that
//! it has already accepted.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::RedisSpool;
use super::breaker::{Breaker, EngineUse};
use crate::host::{self, Timestamp, log};
use crate::options::QueueSettings;
use crate::outcome::{Error, Receipt, Status};
use crate::spool::log::LogSpool;
use crate::spool::{
    Fate, Gate, Inlet, Item, Lease, LeaseError, Ledger, NewItem, Operator, Outlet, Overview,
    Position, Settlement, StoredItem, Totals,
};

/// Time-out of a call to an engine that did not answer before.
const BRIEFLY: Duration = Duration::from_millis(50);
/// How long the drainer forwards in one iteration.
const FORWARD_FOR: Duration = Duration::from_millis(100);
/// Time-out of one call to the log while forwarding.
const LOG_CALL: Duration = Duration::from_secs(1);
/// Number of notifications that are forwarded in one batch.
const PIECE: usize = 100;
/// How often the log is checked for notifications of other processes.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The detail of the receipt of a notification that is in the log.
pub(super) fn waits_in(path: &Path) -> String {
    format!("queued in {}: the engine does not answer", path.display())
}

/// Records that the engine answered.
fn succeed(breaker: &Mutex<Breaker>, engine: &RedisSpool) {
    // The host's log callback must not be called under the lock.
    let is_first = host::lock(breaker).succeed();
    if is_first {
        log::info(|| format!("the engine {} answers again", engine.shared.engine.place));
    }
}

/// A spool in an engine, with a log as the fallback while the engine does not answer.
#[derive(Debug)]
pub(super) struct FallbackSpool {
    engine: RedisSpool,
    path: PathBuf,
    log: LogSpool,
    breaker: Arc<Mutex<Breaker>>,
    forwarder: Arc<Forwarder>,
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
            forwarder: Arc::new(Forwarder {
                breaker,
                engine: engine.clone(),
                path: path.clone(),
                log: open()?,
                state: Mutex::default(),
            }),
            log: open()?,
            engine,
            path,
        })
    }

    fn is_log_there(&self) -> bool {
        self.path.exists()
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
        if let Some(until) = self.asked_until(deadline) {
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

/// Forwards the notifications in the log to the engine.
#[derive(Debug)]
struct Forwarder {
    breaker: Arc<Mutex<Breaker>>,
    engine: RedisSpool,
    path: PathBuf,
    /// A separate handle, so that producers do not wait for the forwarder.
    log: LogSpool,
    state: Mutex<ForwardState>,
}

#[derive(Debug, Default)]
struct ForwardState {
    /// When the log is read next; `None`: now.
    next_look: Option<Instant>,
    /// Held until every notification in the log is forwarded, so that no other process on this machine forwards.
    lease: Option<Box<dyn Lease>>,
    /// Whether the last try to forward failed.
    has_failed: bool,
    forwarded: u64,
}

impl Forwarder {
    /// Records that this process has written to the log.
    fn expect(&self) {
        if let Ok(mut state) = self.state.try_lock()
            && !state.has_failed
        {
            state.next_look = None;
        }
    }

    /// Forwards for at most one iteration's time, unless the engine does not answer or another process forwards this
    /// log.
    fn forward(&self) {
        // Another thread is forwarding.
        let Ok(mut state) = self.state.try_lock() else {
            return;
        };
        let now = Instant::now();
        if state.next_look.is_some_and(|next| now < next) {
            return;
        }
        state.next_look = Some(now + LOOK_EVERY);
        if !self.path.exists() {
            return;
        }
        let until = now + FORWARD_FOR;
        match self.forward_until(&mut state, until) {
            Ok(is_empty) => {
                state.has_failed = false;
                if !is_empty {
                    state.next_look = None;
                    return;
                }
                if let Some(lease) = state.lease.take() {
                    lease.release();
                }
                let forwarded = std::mem::take(&mut state.forwarded);
                if forwarded > 0 {
                    log::info(|| {
                        format!(
                            "{forwarded} notifications in {} were forwarded to the engine",
                            self.path.display()
                        )
                    });
                }
            }
            Err(e) => {
                state.next_look = Some(Instant::now() + LOOK_EVERY);
                if !std::mem::replace(&mut state.has_failed, true) {
                    log::warn(|| {
                        format!(
                            "the notifications in {} cannot be forwarded yet: {e}",
                            self.path.display()
                        )
                    });
                }
            }
        }
    }

    /// Returns whether the log is empty or another process forwards it.
    fn forward_until(&self, state: &mut ForwardState, until: Instant) -> Result<bool, Error> {
        if state.lease.is_none() {
            state.lease = self.log.acquire(Instant::now() + LOG_CALL)?;
        }
        let Some(mut lease) = state.lease.take() else {
            return Ok(true);
        };
        loop {
            let forwarded = self.forward_piece(&mut *lease);
            match forwarded {
                Ok(0) => {
                    state.lease = Some(lease);
                    return Ok(true);
                }
                Ok(forwarded) => {
                    state.forwarded += forwarded;
                    if Instant::now() >= until {
                        state.lease = Some(lease);
                        return Ok(false);
                    }
                }
                Err(LeaseError::Failed(e)) => {
                    state.lease = Some(lease);
                    return Err(e);
                }
                // Another process forwards, or the log was deleted.
                Err(LeaseError::Lost | LeaseError::Replaced) => return Ok(true),
            }
        }
    }

    /// Forwards the oldest notifications of each origin. Returns their number.
    fn forward_piece(&self, lease: &mut dyn Lease) -> Result<u64, LeaseError> {
        let now = Timestamp::now();
        while lease.poll(now)? {}
        lease.maintain(now)?;
        let mut forwarded = 0;
        for (origin, _) in lease.origins() {
            // Ends of sessions become available after the older items have been forwarded.
            let items = lease.fetch(&origin, now, PIECE, &HashSet::new())?;
            let (mut settlements, mut failure) = (Vec::new(), None);
            for item in items {
                match self.engine.push(&item.to_new(), Instant::now() + LOG_CALL) {
                    Ok(()) => settlements.push(self.settlement(item, now)),
                    Err(e) => {
                        failure = Some(e);
                        break;
                    }
                }
            }
            if !settlements.is_empty() {
                // The producers are often other processes.
                host::lock(&self.breaker).look(Instant::now());
                succeed(&self.breaker, &self.engine);
            }
            forwarded += settlements.len() as u64;
            lease.settle(&settlements, &[])?;
            if let Some(e) = failure {
                return Err(e.into());
            }
        }
        Ok(forwarded)
    }

    /// The notification leaves the log. Its receipt in the log stays `Queued`; the engine has the final receipt.
    fn settlement(&self, item: Item, at: Timestamp) -> Settlement {
        Settlement {
            item,
            fate: Fate::Delivered,
            status: Status::Queued,
            http_status: None,
            detail: "forwarded to the engine".to_owned(),
            latency: Duration::ZERO,
            at,
        }
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
        self.engine.mark(deadline)
    }

    /// Notifications in the log are not completed, so the log must be empty.
    fn is_settled(&self, mark: Position, deadline: Instant) -> Result<bool, Error> {
        let is_empty = || -> Result<bool, Error> {
            Ok(!self.is_log_there() || self.log.totals(deadline)?.spool.pending == 0)
        };
        Ok(is_empty()? && self.engine.is_settled(mark, deadline)?)
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
