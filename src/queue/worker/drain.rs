//! The work of an iteration: become the leader or stay on standby, fetch items, pass them to the
//! senders, evaluate the answers, record them, and do the housekeeping.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::Queue;
use super::super::gate::{Backoff, REPEAT_OFFENDER, step_back};
use super::origin::OriginDelivery;
use super::senders::{FinishedDelivery, Job, Senders};
use super::{TROUBLE, Wakeup};
use crate::host::log;
use crate::host::{self, Timestamp};
use crate::outcome::{Error, Receipt, Status};
use crate::spool::{Fate, Gate, Item, Lease, LeaseError, Position, Settlement};

/// How often a process on standby tries to become the leader.
const STANDBY_POLL: Duration = Duration::from_millis(250);
/// How often the leader polls for notifications of other processes: first, and after a while
/// without any.
const POLL: Duration = Duration::from_millis(20);
const POLL_QUIET: Duration = Duration::from_millis(200);
const BUSY_FOR: Duration = Duration::from_secs(2);
const HOUSEKEEPING: Duration = Duration::from_secs(1);
/// After this time without work the thread ends, or polls rarely. Fifty processes on standby then
/// cost nothing, and one of them still becomes the leader within a second.
pub(super) const IDLE_AFTER: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 30_000 });
const POLL_IDLE: Duration = Duration::from_millis(750);

/// The delivery of a queue by one thread.
pub(super) struct Drain<'a> {
    queue: &'a Queue,
    senders: Senders,
    backoff: Backoff,
    lease: Option<Box<dyn Lease>>,
    /// How often all fetched items became invalid. The result of a delivery that began before the
    /// last time is ignored.
    times_forgotten: u64,
    /// Whether the log says that another process is the leader.
    is_on_standby: bool,
    origins: HashMap<Arc<str>, OriginDelivery>,
    /// Items that were fetched and not yet settled.
    taken: HashSet<Position>,
    unsettled: Vec<Settlement>,
    /// Gates that have changed since the last settlement.
    gates: HashMap<Arc<str>, Gate>,
    last_activity: Instant,
    next_housekeeping: Instant,
}

impl<'a> Drain<'a> {
    pub(super) fn new(queue: &'a Arc<Queue>) -> Drain<'a> {
        let settings = &queue.settings;
        Drain {
            queue,
            senders: Senders::new(queue, settings.concurrency),
            backoff: Backoff {
                min: settings.gate_min,
                max: settings.gate_max,
            },
            lease: None,
            times_forgotten: 0,
            is_on_standby: false,
            origins: HashMap::new(),
            taken: HashSet::new(),
            unsettled: Vec::new(),
            gates: HashMap::new(),
            last_activity: Instant::now(),
            next_housekeeping: Instant::now(),
        }
    }

    /// Runs one iteration. Returns how long the next one may wait.
    pub(super) fn iterate(&mut self, wakeup: Wakeup) -> Result<Duration, Error> {
        match self.try_iteration(wakeup) {
            Ok(pause) => Ok(pause),
            Err(LeaseError::Failed(e)) => Err(e),
            Err(LeaseError::Lost) => {
                // Requests in flight are not recorded: the new leader sends these items again, with
                // the same ids.
                self.lease = None;
                self.forget_fetched();
                Ok(STANDBY_POLL)
            }
            Err(LeaseError::Replaced) => {
                self.forget_fetched();
                self.next_housekeeping = Instant::now();
                Ok(Duration::ZERO)
            }
        }
    }

    fn forget_fetched(&mut self) {
        self.times_forgotten += 1;
        self.origins.clear();
        self.taken.clear();
        self.unsettled.clear();
        self.gates.clear();
    }

    fn try_iteration(&mut self, wakeup: Wakeup) -> Result<Duration, LeaseError> {
        if wakeup.is_woken {
            self.last_activity = Instant::now();
        }
        for finished in wakeup.finished {
            self.judge(finished);
        }
        self.settle()?;
        if wakeup.is_stopping {
            return Ok(POLL_QUIET);
        }
        if self.lease.is_none() && !self.lead()? {
            return Ok(if self.is_idle() {
                POLL_IDLE
            } else {
                STANDBY_POLL
            });
        }
        if Instant::now() >= self.next_housekeeping {
            self.keep_house()?;
        }
        let has_arrivals = match &mut self.lease {
            Some(lease) => lease.poll(Timestamp::now())?,
            None => false,
        };
        if has_arrivals {
            self.last_activity = Instant::now();
        }
        if has_arrivals || wakeup.is_woken {
            self.learn_origins();
        }
        let origins: Vec<Arc<str>> = self.origins.keys().cloned().collect();
        for origin in origins {
            self.dispatch(&origin)?;
        }
        self.settle()?;
        Ok(self.pause())
    }

    /// Becomes the leader, unless another drainer leads.
    fn lead(&mut self) -> Result<bool, LeaseError> {
        let deadline = Instant::now() + TROUBLE;
        self.lease = self.queue.spool.acquire(deadline)?;
        let is_leading = self.lease.is_some();
        let is_shared = self.queue.settings.spool.is_some();
        if is_leading {
            self.is_on_standby = false;
            self.origins.clear();
            self.next_housekeeping = Instant::now();
            if is_shared {
                log::info(|| format!("delivering the spool {}", self.shown()));
            }
        } else if is_shared && !std::mem::replace(&mut self.is_on_standby, true) {
            log::info(|| {
                let leader = self.queue.spool.leader(deadline).ok().flatten();
                format!(
                    "on standby: {} delivers the spool {}",
                    leader.as_deref().unwrap_or("another process"),
                    self.shown()
                )
            });
        }
        Ok(is_leading)
    }

    fn shown(&self) -> String {
        let spool = self.queue.settings.spool.as_ref();
        spool.map_or_else(String::new, ToString::to_string)
    }

    /// Releases the lease, so that another process can become the leader at once. Called at the
    /// regular end.
    pub(super) fn release(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.release();
        }
    }

    fn pause(&self) -> Duration {
        let now = Timestamp::now().unix_ms;
        let poll = if self.last_activity.elapsed() < BUSY_FOR {
            POLL
        } else if self.is_idle() {
            POLL_IDLE
        } else {
            POLL_QUIET
        };
        let waits = self
            .origins
            .values()
            .filter(|l| !l.gate.is_open() && l.in_flight == 0);
        waits
            .map(|l| l.gate.wait(now))
            .filter(|wait| !wait.is_zero())
            .fold(poll, Duration::min)
    }

    /// Number of items that are fetched and not yet recorded.
    pub(super) fn in_flight(&self) -> usize {
        self.taken.len()
    }

    /// Whether a notification that is enqueued now may be sent at once. False on standby, while the gates of all
    /// origins are closed, and while as many requests are in flight as may be.
    pub(super) fn has_room(&self) -> bool {
        let (now, most) = (Timestamp::now().unix_ms, self.queue.settings.concurrency);
        let has_room = |o: &OriginDelivery| o.gate.room(now, o.in_flight, most) > 0;
        self.lease.is_some() && (self.origins.is_empty() || self.origins.values().any(has_room))
    }

    fn is_idle(&self) -> bool {
        self.last_activity.elapsed() >= IDLE_AFTER
    }

    pub(super) fn may_end(&self) -> bool {
        let is_settled = || {
            let deadline = Instant::now() + TROUBLE;
            let spool = &self.queue.spool;
            let mark = spool.mark(deadline).ok().flatten();
            mark.is_some_and(|mark| spool.is_settled(mark, deadline).unwrap_or(false))
        };
        self.taken.is_empty() && self.is_idle() && !self.queue.is_to_be_watched() && is_settled()
    }

    /// Reads the origins of the spool: new ones, gates that an operator opened, and origins with
    /// new items.
    fn learn_origins(&mut self) {
        let origins = self.lease.as_ref().map(|lease| lease.origins());
        for (origin, gate) in origins.unwrap_or_default() {
            let service = &self.queue.service;
            let delivery = self
                .origins
                .entry(Arc::clone(&origin))
                .or_insert_with_key(|origin| OriginDelivery::new(origin, service, gate));
            if !self.gates.contains_key(&origin) {
                delivery.gate = gate;
            }
            delivery.is_exhausted = false;
        }
    }

    fn keep_house(&mut self) -> Result<(), LeaseError> {
        self.next_housekeeping = Instant::now() + HOUSEKEEPING;
        let Some(lease) = &mut self.lease else {
            return Ok(());
        };
        let now = Timestamp::now();
        lease.maintain(now)?;
        let max_age = self.queue.settings.max_age;
        for (origin, _) in lease.origins() {
            for item in lease.overdue(&origin, now, max_age, &self.taken)? {
                self.taken.insert(item.position);
                let may_repeat = self.queue.settings.may_repeat(&item.path);
                self.unsettled.push(match item.has_begun && !may_repeat {
                    true => interrupted(item, now),
                    false => expired(item, max_age, now),
                });
            }
        }
        // The pause of some items may have ended.
        self.learn_origins();
        self.settle()
    }

    /// Starts as many deliveries to an origin as its gate allows.
    fn dispatch(&mut self, origin: &Arc<str>) -> Result<(), LeaseError> {
        let settings = &self.queue.settings;
        let (Some(delivery), Some(lease)) = (self.origins.get_mut(origin), &mut self.lease) else {
            return Ok(());
        };
        let now = Timestamp::now();
        let room = delivery
            .gate
            .room(now.unix_ms, delivery.in_flight, settings.concurrency);
        if room == 0 || delivery.is_exhausted {
            return Ok(());
        }
        let items = lease.fetch(origin, now, room, &self.taken)?;
        delivery.is_exhausted = items.len() < room;
        let mut ready = Vec::new();
        for item in items {
            let age = now.since(item.accepted);
            let is_old = age.length > settings.max_age && (age.is_certain || item.attempts > 0);
            if item.has_begun && !settings.may_repeat(&item.path) {
                self.taken.insert(item.position);
                self.unsettled.push(interrupted(item, now));
            } else if is_old {
                self.taken.insert(item.position);
                self.unsettled.push(expired(item, settings.max_age, now));
            } else {
                ready.push(item);
            }
        }
        if ready.is_empty() {
            return Ok(());
        }
        let Some(pool) = delivery.pool() else {
            // Other origins are not affected. This one is tried again with the next housekeeping.
            delivery.is_exhausted = true;
            return Ok(());
        };
        let counted = ready.iter().filter(|item| !settings.may_repeat(&item.path));
        let begins: Vec<Position> = counted.map(|item| item.position).collect();
        if !begins.is_empty() {
            // One journal write, and with `durability=disk` one fsync, for all of them.
            lease.begin(&begins)?;
        }
        for item in ready {
            self.taken.insert(item.position);
            delivery.in_flight += 1;
            self.last_activity = Instant::now();
            self.senders.send(Job {
                origin: Arc::clone(origin),
                may_repeat: settings.may_repeat(&item.path),
                is_probe: !delivery.gate.is_open(),
                times_forgotten: self.times_forgotten,
                item,
                pool: Arc::clone(&pool),
                timeout: self.queue.attempt_timeout(),
            });
        }
        Ok(())
    }

    /// Evaluates a finished delivery: the fate of the item and the gate of its origin.
    fn judge(&mut self, finished: FinishedDelivery) {
        let FinishedDelivery {
            job,
            outcome,
            latency,
        } = finished;
        let now = Timestamp::now();
        let mut item = job.item;
        if job.times_forgotten != self.times_forgotten || !self.taken.contains(&item.position) {
            // The item is sent again, by this process or by the new leader.
            return;
        }
        // In a damaged spool it can be any number.
        item.attempts = item.attempts.saturating_add(1);
        log::debug(|| {
            format!(
                "{} attempt {}: {} {}",
                item.id, item.attempts, outcome.status, outcome.detail
            )
        });
        let fate = if outcome.status == Status::Delivered {
            Fate::Delivered
        } else if outcome.status.is_retryable() {
            Fate::Retry {
                pause: step_back(item.attempts, self.backoff),
            }
        } else {
            log::warn(|| {
                format!(
                    "{} is a dead letter: {} {}",
                    item.id, outcome.status, outcome.detail
                )
            });
            Fate::Dead
        };
        if let Some(delivery) = self.origins.get_mut(&job.origin) {
            let before = delivery.gate;
            // A payment is not tried again, but its failure also closes the gate for the next one.
            let has_failed =
                matches!(fate, Fate::Retry { .. }) || outcome.status == Status::MayHaveArrived;
            let gate = if has_failed {
                let counts = (before.is_open() || job.is_probe) && item.attempts <= REPEAT_OFFENDER;
                let (dice, now) = (host::dice(), now.unix_ms);
                before.closed(counts, outcome.retry_after, now, self.backoff, dice)
            } else {
                Gate::default()
            };
            if delivery.finish(gate, &outcome.detail, now.unix_ms) {
                self.gates.insert(Arc::clone(&job.origin), gate);
            }
        }
        self.unsettled.push(Settlement {
            item,
            fate,
            status: outcome.status,
            http_status: outcome.http_status,
            detail: outcome.detail,
            latency,
            at: now,
        });
    }

    /// Returns an error in a child that a callback of the host forked and that returned from the
    /// callback. It has only this thread, and must not continue the parent's work.
    fn check_process(&self) -> Result<(), LeaseError> {
        match self.queue.is_ours() {
            true => Ok(()),
            false => Err(Error::new(Status::Closed, "forked within a callback").into()),
        }
    }

    /// Records the results. Until that succeeds nothing is sent, because it would be sent twice.
    fn settle(&mut self) -> Result<(), LeaseError> {
        // The log callback may have forked too.
        self.check_process()?;
        if self.unsettled.is_empty() && self.gates.is_empty() {
            return Ok(());
        }
        let Some(lease) = &mut self.lease else {
            return Ok(());
        };
        let gates: Vec<(Arc<str>, Gate)> = self
            .gates
            .iter()
            .map(|(o, g)| (Arc::clone(o), *g))
            .collect();
        let _settling = self.queue.settlements.begin();
        lease.settle(&self.unsettled, &gates)?;
        self.gates.clear();
        let settled = std::mem::take(&mut self.unsettled);
        for settlement in &settled {
            self.taken.remove(&settlement.item.position);
        }
        let receipts: Vec<(Receipt, Duration)> = settled
            .iter()
            .filter(|s| !matches!(s.fate, Fate::Retry { .. }))
            .map(|s| (s.receipt(), s.latency))
            .collect();
        let queue = self.queue;
        queue.listeners.call_all(&receipts, || queue.is_ours());
        self.check_process()
    }
}

/// The settlement of an item that must not be repeated and was in flight when an earlier drainer
/// ended.
fn interrupted(item: Item, now: Timestamp) -> Settlement {
    let detail =
        "may have arrived: the process that was sending it ended before it recorded the answer"
            .to_owned();
    log::warn(|| format!("{} is a dead letter: {detail}", item.id));
    Settlement {
        item,
        fate: Fate::Dead,
        status: Status::MayHaveArrived,
        http_status: None,
        detail,
        latency: Duration::ZERO,
        at: now,
    }
}

/// The settlement of an item that is older than `max_age`.
fn expired(item: Item, max_age: Duration, now: Timestamp) -> Settlement {
    let detail = format!(
        "expired: not delivered within max_age_s = {}",
        max_age.as_secs()
    );
    log::warn(|| format!("{} {detail}", item.id));
    Settlement {
        item,
        fate: Fate::Expired,
        status: Status::Expired,
        http_status: None,
        detail,
        latency: Duration::ZERO,
        at: now,
    }
}
