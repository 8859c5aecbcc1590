//! The lease of the one drainer. Its token in the key `lead` is the fencing token: each script of the drainer compares
//! it first.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::acceptances::{FORGET_AFTER_S, KEPT_FOR};
use super::ahead::Window;
use super::codec::{self, LastAttempt, pack_gate, pack_receipt, pack_recent};
use super::engine::{Confirm, Failure};
use super::resp::{Command, Value};
use super::script::{ACQUIRE, AHEAD, BEGIN, MAINTAIN, POLL, RELEASE, SETTLE, Script};
use super::{RedisSpool, Shared, entry};
use crate::host::{self, Timestamp, log};
use crate::outcome::Error;
use crate::spool::{Fate, Gate, Item, Lease, LeaseError, Outlet, Position, RECENT, Settlement};

/// Time-out of one call of the drainer, less than half of the lease time.
const LEASE_CALL: Duration = Duration::from_secs(2);
/// After this time without a call, the lease is renewed before any other call, because another drainer may have become
/// the leader.
const RENEW_AFTER: Duration = Duration::from_secs(2);
/// Time-out of the release. If it fails, the lease expires after 5 s.
const RELEASE_CALL: Duration = Duration::from_millis(500);
/// Least and greatest number of entries that are read ahead at once.
const AHEAD_MIN: usize = 100;
const AHEAD_MAX: usize = 1000;

/// Greatest number of ids in `begun`.
const MAX_BEGUN: usize = 1000;

/// The lease, held by this process.
struct RedisLease {
    shared: Arc<Shared>,
    token: String,
    process: u32,
    /// The value of `Engine::replications` for which everything that was read is valid.
    replications: u64,
    /// The newest sequence number and the number of operators' changes at the last poll.
    seen: (String, String),
    origins: BTreeMap<Arc<str>, Gate>,
    windows: HashMap<Arc<str>, Window>,
    /// The origins and ids of the items that were fetched and are not settled.
    fetched: HashMap<Position, (Arc<str>, String)>,
    /// The ids whose delivery began recently. After a failover the engine may lack these marks.
    begun: VecDeque<(Instant, String)>,
    /// The ids that must be marked as begun before anything is read, because the engine has failed over.
    unmarked: Vec<String>,
    is_lost: bool,
    renewed: Instant,
    /// The position at which housekeeping continues.
    cursor: String,
}

/// The output shows no notifications, because their bodies contain tokens.
impl fmt::Debug for RedisLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisLease({:?})", self.shared.engine)
    }
}

/// A unique token, which also names the holder for an operator.
fn new_token() -> Result<String, Error> {
    let bytes = host::random().map_err(crate::keys::no_random_bytes)?;
    let machine = host::beside_stdio(|| std::fs::read_to_string("/proc/sys/kernel/hostname"))
        .unwrap_or_default();
    let name = host::process_name(machine.trim());
    Ok(format!("{} {name}", hex::encode(bytes)))
}

/// The holder that a token names.
pub(super) fn holder(token: &str) -> String {
    token
        .split_once(' ')
        .map_or(token, |(_, name)| name)
        .to_owned()
}

impl Outlet for RedisSpool {
    fn acquire(&self, deadline: Instant) -> Result<Option<Box<dyn Lease>>, Error> {
        let token = new_token()?;
        let arguments = Command::default().arg(&token);
        self.shared.push_unconfirmed(deadline);
        let shared = &self.shared;
        let replications = shared.engine.replications();
        match shared.call_within(&ACQUIRE, &arguments, Some(replications), deadline)? {
            Value::Number(1) => {}
            _ => return Ok(None),
        }
        Ok(Some(Box::new(RedisLease {
            shared: Arc::clone(&self.shared),
            token,
            process: host::this_process(),
            replications,
            seen: Default::default(),
            origins: BTreeMap::new(),
            windows: HashMap::new(),
            fetched: HashMap::new(),
            begun: VecDeque::new(),
            unmarked: Vec::new(),
            is_lost: false,
            renewed: Instant::now(),
            cursor: "0".to_owned(),
        })))
    }
}

impl RedisLease {
    fn arguments(&self) -> Command {
        Command::default().arg(&self.token)
    }

    /// Calls a script that checks the lease. Its reply to a stale token is 0.
    fn call(
        &mut self,
        script: &Script,
        arguments: &Command,
        confirm: Confirm,
    ) -> Result<Value, LeaseError> {
        if self.is_lost {
            return Err(LeaseError::Lost);
        }
        if !self.unmarked.is_empty() {
            let mut arguments = self.arguments();
            for id in &self.unmarked {
                arguments.push("");
                arguments.push(id);
            }
            self.call_at_once(&BEGIN, &arguments, Confirm::Engine)?;
            self.unmarked.clear();
        }
        self.call_at_once(script, arguments, confirm)
    }

    fn call_at_once(
        &mut self,
        script: &Script,
        arguments: &Command,
        confirm: Confirm,
    ) -> Result<Value, LeaseError> {
        let begin = Instant::now();
        let (calls, within) = (std::slice::from_ref(arguments), Some(self.replications));
        let engine = &self.shared.engine;
        let called = engine.call_all(script, calls, confirm, within, begin + LEASE_CALL);
        let reply = called.map_err(|failure| self.failed(&failure))?;
        match reply.into_iter().next() {
            Some(Value::Number(0)) => {
                self.is_lost = true;
                Err(LeaseError::Lost)
            }
            Some(reply) => {
                self.renewed = begin;
                Ok(reply)
            }
            None => Err(self.shared.odd().into()),
        }
    }

    /// The error of a call. After a failover everything that was read is invalid; the lease stays, if the new primary has
    /// its token.
    fn failed(&mut self, failure: &Failure) -> LeaseError {
        let replications = self.shared.engine.replications();
        if replications == self.replications {
            return self.shared.failed(failure).into();
        }
        self.replications = replications;
        let begun = std::mem::take(&mut self.begun).into_iter();
        self.unmarked.extend(begun.map(|(_, id)| id));
        self.seen = Default::default();
        self.origins.clear();
        self.windows.clear();
        self.fetched.clear();
        LeaseError::Replaced
    }

    fn renew_if_due(&mut self) -> Result<(), LeaseError> {
        if self.is_lost {
            return Err(LeaseError::Lost);
        }
        if self.renewed.elapsed() >= RENEW_AFTER {
            self.poll_engine()?;
        }
        Ok(())
    }

    /// Renews the lease. Returns whether there are new notifications or commands.
    fn poll_engine(&mut self) -> Result<bool, LeaseError> {
        let arguments = self.arguments().arg(&self.seen.0).arg(&self.seen.1);
        let reply = self.call(&POLL, &arguments, Confirm::Engine)?;
        let (Some(seq), Some(changes)) = (text_at(&reply, 0), text_at(&reply, 1)) else {
            return Err(self.shared.odd().into());
        };
        if changes != self.seen.1 {
            self.windows.clear();
        }
        for window in self.windows.values_mut() {
            window.is_at_end &= seq == self.seen.0;
        }
        self.seen = (seq.to_owned(), changes.to_owned());
        let Some(pairs) = reply.list().and_then(|reply| reply.get(2)?.list()) else {
            return Ok(false);
        };
        self.origins = origins(pairs).collect();
        Ok(true)
    }

    /// Reads more entries of an origin. False: there are none, or the limits are reached.
    fn read_ahead(&mut self, origin: &Arc<str>, wanted: usize) -> Result<bool, LeaseError> {
        let window = self.windows.entry(Arc::clone(origin)).or_default();
        if !window.has_room() {
            return Ok(false);
        }
        let count = wanted.clamp(AHEAD_MIN, AHEAD_MAX);
        let arguments = Command::default()
            .arg(&self.token)
            .arg(origin.as_bytes())
            .number(window.read_to.0)
            .number(count as u64);
        let reply = self.call(&AHEAD, &arguments, Confirm::Engine)?;
        let odd = || LeaseError::from(self.shared.odd());
        let parts = reply.list().ok_or_else(odd)?;
        let window = self.windows.entry(Arc::clone(origin)).or_default();
        let [entries, attempts, begun] = parts else {
            window.is_at_end = true;
            return Ok(false);
        };
        let (Some(entries), Some(attempts), Some(begun)) =
            (entries.list(), attempts.list(), begun.list())
        else {
            return Err(odd());
        };
        window.is_at_end = entries.len() < count;
        let clock = self.shared.clock();
        for ((item, last), begun) in entries.iter().zip(attempts).zip(begun) {
            match entry::pending(item, last, begun, origin, clock) {
                Some(pending) => window.push(pending),
                None => {
                    window.pass(entry::position(item).ok_or_else(odd)?);
                    log::error(|| self.shared.unreadable(origin, item).detail().to_owned());
                }
            }
        }
        Ok(true)
    }

    fn note_fetched(&mut self, items: &[Item]) {
        for item in items {
            let value = (Arc::clone(&item.origin), item.id.clone());
            self.fetched.insert(item.position, value);
        }
    }

    fn window(&mut self, origin: &Arc<str>) -> &mut Window {
        self.windows.entry(Arc::clone(origin)).or_default()
    }

    fn origin(&self, name: &str) -> Arc<str> {
        match self.origins.get_key_value(name) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::from(name),
        }
    }
}

fn text_at(reply: &Value, index: usize) -> Option<&str> {
    reply.list()?.get(index)?.text()
}

/// The origins and their gates that a script returns, in the order of the origins' numbers.
pub(super) fn origins(pairs: &[Value]) -> impl Iterator<Item = (Arc<str>, Gate)> {
    pairs.chunks_exact(2).filter_map(|pair| match pair {
        [origin, gate] => {
            let gate = gate.text().and_then(codec::gate).unwrap_or_default();
            Some((Arc::from(origin.text()?), gate))
        }
        _ => None,
    })
}

impl Lease for RedisLease {
    fn poll(&mut self, _now: Timestamp) -> Result<bool, LeaseError> {
        self.poll_engine()
    }

    fn origins(&self) -> Vec<(Arc<str>, Gate)> {
        let origins = self.origins.iter();
        origins
            .map(|(url, gate)| (Arc::clone(url), *gate))
            .collect()
    }

    fn fetch(
        &mut self,
        origin: &str,
        now: Timestamp,
        limit: usize,
        skip: &HashSet<Position>,
    ) -> Result<Vec<Item>, LeaseError> {
        self.renew_if_due()?;
        let origin = self.origin(origin);
        loop {
            let due = self.window(&origin).due(now, limit, skip);
            if due.len() >= limit || !self.read_ahead(&origin, limit.saturating_mul(2))? {
                self.note_fetched(&due);
                return Ok(due);
            }
        }
    }

    fn overdue(
        &mut self,
        origin: &str,
        now: Timestamp,
        max_age: Duration,
        skip: &HashSet<Position>,
    ) -> Result<Vec<Item>, LeaseError> {
        self.renew_if_due()?;
        let origin = self.origin(origin);
        loop {
            // Entries are ordered by the engine's clock. After an entry that is not old enough, no other is, except a
            // few that were pushed at the same time.
            let window = self.window(&origin);
            let mut overdue = window.overdue(now, max_age, skip);
            let is_enough =
                overdue.len() < window.len().saturating_sub(AHEAD_MIN) || overdue.len() >= RECENT;
            if is_enough || !self.read_ahead(&origin, AHEAD_MIN)? {
                overdue.truncate(RECENT);
                self.note_fetched(&overdue);
                return Ok(overdue);
            }
        }
    }

    fn begin(&mut self, items: &[Position]) -> Result<(), LeaseError> {
        let mut arguments = self.arguments();
        for position in items {
            if let Some((origin, _)) = self.fetched.get(position) {
                arguments.push(origin.as_bytes());
                arguments.push_number(position.0);
            }
        }
        self.call(&BEGIN, &arguments, Confirm::Durability)?;
        let now = Instant::now();
        for position in items {
            if let Some((origin, id)) = self.fetched.get(position).cloned() {
                self.window(&origin).begin(*position);
                self.begun.push_back((now, id));
            }
        }
        while self
            .begun
            .front()
            .is_some_and(|(at, _)| self.begun.len() > MAX_BEGUN || now - *at > KEPT_FOR)
        {
            self.begun.pop_front();
        }
        Ok(())
    }

    fn settle(
        &mut self,
        settlements: &[Settlement],
        gates: &[(Arc<str>, Gate)],
    ) -> Result<(), LeaseError> {
        let mut arguments = self
            .arguments()
            .number(self.shared.settings.max_dead)
            .number(settlements.len() as u64);
        for settlement in settlements {
            let item = &settlement.item;
            let (fate, kept) = match settlement.fate {
                Fate::Delivered => ("d", pack_receipt(settlement)),
                Fate::Expired => ("e", pack_receipt(settlement)),
                Fate::Dead => ("x", pack_receipt(settlement)),
                Fate::Retry { pause } => ("r", LastAttempt::new(settlement, pause).pack()),
            };
            arguments.push(fate);
            arguments.push(item.origin.as_bytes());
            arguments.push_number(item.position.0);
            arguments.push(&item.id);
            arguments.push_number(item.producer);
            arguments.push_number(item.body.len() as u64);
            arguments.push(kept);
            arguments.push(pack_recent(settlement));
            arguments.push_number(self.shared.receipt_ms_of(&item.path));
        }
        for (origin, gate) in gates {
            arguments.push(origin.as_bytes());
            arguments.push(pack_gate(*gate));
        }
        self.call(&SETTLE, &arguments, Confirm::Engine)?;
        for settlement in settlements {
            let (position, origin) = (settlement.item.position, &settlement.item.origin);
            self.fetched.remove(&position);
            match settlement.fate {
                Fate::Retry { pause } => {
                    let last = LastAttempt::new(settlement, pause);
                    self.window(origin).retry(position, &last);
                    self.begun.retain(|(_, id)| *id != settlement.item.id);
                }
                _ => self.window(origin).remove(position),
            }
        }
        for (origin, gate) in gates {
            if let Some(known) = self.origins.get_mut(origin) {
                *known = *gate;
            }
        }
        Ok(())
    }

    fn maintain(&mut self, _now: Timestamp) -> Result<(), LeaseError> {
        self.shared.push_unconfirmed(Instant::now() + LEASE_CALL);
        let arguments = self.arguments().arg(&self.cursor).number(FORGET_AFTER_S);
        let reply = self.call(&MAINTAIN, &arguments, Confirm::Engine)?;
        reply.text().unwrap_or("0").clone_into(&mut self.cursor);
        Ok(())
    }

    fn release(self: Box<Self>) {}
}

impl Drop for RedisLease {
    fn drop(&mut self) {
        // A forked child has a copy of its parent's lease.
        if self.is_lost || self.process != host::this_process() {
            return;
        }
        let deadline = Instant::now() + RELEASE_CALL;
        // If the engine does not answer, the lease expires.
        let _ = self
            .shared
            .engine
            .call(&RELEASE, &self.arguments(), None, deadline);
    }
}
