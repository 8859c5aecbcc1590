//! What the worker does in each of its turns: it leads or stands by, takes items out, hands them to the senders, judges what
//! comes back, records it, and keeps house.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::super::gate::{Backoff, Gate, REPEAT_OFFENDER, millis, not_before};
use super::super::spool::{Fate, Item, Settlement};
use super::super::{Queue, unix_ms};
use super::senders::{Done, Job, Senders};
use super::{News, TROUBLE};
use crate::config::{Endpoint, Route};
use crate::log;
use crate::status::{Error, Receipt, Status};
use crate::transport::{self, Core, Outcome, dice};

/// How often a process that does not drain tries to take over.
const TAKEOVER: Duration = Duration::from_millis(250);
/// How often the drainer looks for what other processes put in: at first, and when nothing has come for a while.
const LOOK: Duration = Duration::from_millis(20);
const LOOK_IDLE: Duration = Duration::from_millis(200);
const BUSY_FOR: Duration = Duration::from_secs(2);
/// Receipts, the log, what is overdue, whether we still lead.
const HOUSEKEEPING: Duration = Duration::from_secs(1);
/// After this long with nothing to do the thread ends, or looks seldom: so that fifty of them that wait cost nothing, and
/// one of them still takes over within a second.
pub(super) const PATIENCE: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 30_000 });
const LOOK_SELDOM: Duration = Duration::from_millis(750);
/// Items read ahead.
const AHEAD: usize = 64;

/// What goes to one address.
struct Lane {
    gate: Gate,
    route: Route,
    core: Option<Arc<Core>>,
    ahead: VecDeque<Item>,
    in_flight: usize,
    /// Nothing was left when it was last looked, or nothing can be done about it.
    is_exhausted: bool,
    /// Why there is no way to this address, as it was last told.
    trouble: Option<Error>,
}

impl Lane {
    /// The connections to the address; `None` if they cannot be set up.
    fn core(&mut self) -> Option<Arc<Core>> {
        if self.core.is_none() {
            match transport::core_of(&self.route) {
                Ok(core) => {
                    self.core = Some(core);
                    self.trouble = None;
                }
                Err(e) => {
                    if self.trouble.as_ref() != Some(&e) {
                        let url = &self.route.endpoint.url;
                        log::error(|| format!("nothing can be delivered to {url}: {e}"));
                        self.trouble = Some(e);
                    }
                }
            }
        }
        self.core.clone()
    }
}

/// One thread's part in the delivery of a queue.
pub(super) struct Drain<'a> {
    queue: &'a Queue,
    senders: Senders,
    backoff: Backoff,
    is_leading: bool,
    lanes: HashMap<Arc<str>, Lane>,
    /// Taken and not yet settled.
    taken: HashSet<i64>,
    unsettled: Vec<Settlement>,
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
            is_leading: false,
            lanes: HashMap::new(),
            taken: HashSet::new(),
            unsettled: Vec::new(),
            last_activity: Instant::now(),
            next_housekeeping: Instant::now(),
        }
    }

    /// One round; returns how long the next may wait.
    pub(super) fn turn(&mut self, news: News) -> Result<Duration, Error> {
        if news.is_woken {
            self.last_activity = Instant::now();
        }
        for done in news.done {
            self.judge(done);
        }
        self.settle()?;
        if news.is_stopping {
            return Ok(LOOK_IDLE);
        }
        if !self.is_leading {
            self.is_leading = self.queue.spool.lead()?;
            if !self.is_leading {
                return Ok(if self.is_idle() {
                    LOOK_SELDOM
                } else {
                    TAKEOVER
                });
            }
            self.lanes.clear();
            self.look_around()?;
        }
        if Instant::now() >= self.next_housekeeping {
            self.keep_house()?;
        }
        let has_changed = self.queue.spool.has_changed();
        if has_changed {
            self.last_activity = Instant::now();
            // What was read ahead may have been erased.
            for lane in self.lanes.values_mut() {
                lane.ahead.clear();
            }
        }
        if has_changed || news.is_woken {
            self.look_around()?;
        }
        let urls: Vec<Arc<str>> = self.lanes.keys().cloned().collect();
        for url in urls {
            self.dispatch(&url)?;
        }
        self.settle()?;
        Ok(self.pause())
    }

    fn pause(&self) -> Duration {
        let now = unix_ms(SystemTime::now());
        let look = if self.last_activity.elapsed() < BUSY_FOR {
            LOOK
        } else if self.is_idle() {
            LOOK_SELDOM
        } else {
            LOOK_IDLE
        };
        let waits = self
            .lanes
            .values()
            .filter(|l| !l.gate.is_open() && l.in_flight == 0);
        waits
            .map(|l| l.gate.wait(now))
            .filter(|wait| !wait.is_zero())
            .fold(look, Duration::min)
    }

    /// Items that are taken out and not yet recorded.
    pub(super) fn under_way(&self) -> usize {
        self.taken.len()
    }

    fn is_idle(&self) -> bool {
        self.last_activity.elapsed() >= PATIENCE
    }

    pub(super) fn may_end(&self) -> bool {
        self.taken.is_empty()
            && self.is_idle()
            && !self.queue.is_to_be_watched()
            && self
                .queue
                .spool
                .is_settled(i64::MAX, Instant::now() + TROUBLE)
                .unwrap_or(false)
    }

    /// Learns of new addresses, and that there may be more to take.
    fn look_around(&mut self) -> Result<(), Error> {
        for destination in self.queue.spool.destinations()? {
            let route = &self.queue.route;
            let lane = self
                .lanes
                .entry(destination.url)
                .or_insert_with_key(|url| Lane {
                    gate: destination.gate,
                    route: route_to(url, route),
                    core: None,
                    ahead: VecDeque::new(),
                    in_flight: 0,
                    is_exhausted: false,
                    trouble: None,
                });
            lane.is_exhausted = false;
        }
        Ok(())
    }

    fn keep_house(&mut self) -> Result<(), Error> {
        self.next_housekeeping = Instant::now() + HOUSEKEEPING;
        let spool = &self.queue.spool;
        let still_leads = spool.lead()?;
        if !still_leads {
            // The lock's file was replaced, and another process was faster.
            self.is_leading = false;
            return Ok(());
        }
        let now = unix_ms(SystemTime::now());
        spool.maintain(now)?;
        let max_age = self.queue.settings.max_age;
        let before = now.saturating_sub(millis(max_age));
        for item in spool.overdue(before, &self.taken)? {
            self.taken.insert(item.seq);
            self.unsettled.push(expired(item, max_age, now));
        }
        for lane in self.lanes.values_mut() {
            // Some may have been waiting for their time; what was read ahead may have expired.
            lane.is_exhausted = false;
            lane.ahead.clear();
        }
        self.settle()
    }

    /// Starts as many deliveries to `url` as its gate allows.
    fn dispatch(&mut self, url: &Arc<str>) -> Result<(), Error> {
        let now = unix_ms(SystemTime::now());
        let settings = &self.queue.settings;
        let oldest = now.saturating_sub(millis(settings.max_age));
        let Some(lane) = self.lanes.get_mut(url) else {
            return Ok(());
        };
        let mut room = lane.gate.room(now, lane.in_flight, settings.concurrency);
        while room > 0 && !lane.is_exhausted {
            let Some(item) = lane.ahead.pop_front() else {
                let more = self.queue.spool.oldest(url, now, AHEAD, &self.taken)?;
                lane.is_exhausted = more.is_empty();
                lane.ahead = more.into();
                continue;
            };
            if item.accepted_at < oldest {
                self.taken.insert(item.seq);
                self.unsettled.push(expired(item, settings.max_age, now));
                continue;
            }
            let Some(core) = lane.core() else {
                // Its matter alone. It is tried again when it is next looked what there is for it.
                lane.ahead.push_front(item);
                lane.is_exhausted = true;
                break;
            };
            self.taken.insert(item.seq);
            lane.in_flight += 1;
            room -= 1;
            self.last_activity = Instant::now();
            self.senders.send(Job {
                url: Arc::clone(url),
                is_probe: !lane.gate.is_open(),
                item,
                core,
                timeout: settings.attempt_timeout,
            });
        }
        Ok(())
    }

    /// From what a delivery brought to what becomes of the item and the gate.
    fn judge(&mut self, done: Done) {
        let Done {
            job,
            outcome,
            latency,
        } = done;
        let now = unix_ms(SystemTime::now());
        let mut item = job.item;
        // From a spool that somebody else wrote to, it can be any number.
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
                not_before: not_before(item.attempts, now, self.backoff),
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
        let is_repeated = item.attempts > REPEAT_OFFENDER;
        self.turn_gate(&job.url, &outcome, fate, job.is_probe, is_repeated, now);
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

    fn turn_gate(
        &mut self,
        url: &Arc<str>,
        outcome: &Outcome,
        fate: Fate,
        is_probe: bool,
        is_repeated: bool,
        now: u64,
    ) {
        let Some(lane) = self.lanes.get_mut(url) else {
            return;
        };
        lane.in_flight = lane.in_flight.saturating_sub(1);
        let before = lane.gate;
        lane.gate = match fate {
            Fate::Retry { .. } => {
                // It may have to step back, and is to be read again.
                lane.ahead.clear();
                lane.is_exhausted = false;
                let counts = (before.is_open() || is_probe) && !is_repeated;
                before.closed(counts, outcome.retry_after, now, self.backoff, dice())
            }
            _ => Gate::default(),
        };
        if lane.gate == before {
            return;
        }
        if before.is_open() {
            log::warn(|| {
                let wait = lane.gate.wait(now);
                format!(
                    "deliveries to {url} are failing: {}; next try in {wait:?}",
                    outcome.detail
                )
            });
        } else if lane.gate.is_open() {
            log::info(|| format!("deliveries to {url} are getting through again"));
        }
        if let Err(e) = self.queue.spool.set_gate(url, lane.gate) {
            log::warn(|| format!("the gate could not be recorded: {e}"));
        }
    }

    /// An error in a child that a callback of the host's forked, and came back in: it has this thread and no other, and
    /// must not go on with the parent's work.
    fn check_process(&self) -> Result<(), Error> {
        match self.queue.is_ours() {
            true => Ok(()),
            false => Err(Error::new(Status::Closed, "forked within a callback")),
        }
    }

    /// Records what is done. Until that has worked, nothing more is sent: it would be sent twice.
    fn settle(&mut self) -> Result<(), Error> {
        // The log has a callback too.
        self.check_process()?;
        if self.unsettled.is_empty() {
            return Ok(());
        }
        self.queue.spool.settle(&self.unsettled)?;
        let settled = std::mem::take(&mut self.unsettled);
        for settlement in &settled {
            self.taken.remove(&settlement.item.seq);
        }
        let receipts: Vec<Receipt> = settled
            .iter()
            .filter(|s| !matches!(s.fate, Fate::Retry { .. }))
            .map(Settlement::receipt)
            .collect();
        self.queue.announce(&receipts);
        self.check_process()
    }
}

/// What becomes of an item that has waited for longer than `max_age`.
fn expired(item: Item, max_age: Duration, now: u64) -> Settlement {
    let words = format!(
        "expired: not delivered within max_age_s = {}",
        max_age.as_secs()
    );
    log::warn(|| format!("{} {words}", item.id));
    Settlement {
        item,
        fate: Fate::Expired,
        status: Status::Timeout,
        http_status: None,
        detail: words,
        latency: Duration::ZERO,
        at: now,
    }
}

/// The way to an address: this client's own, or the same way to another one whose notifications are in the spool.
fn route_to(url: &str, own: &Route) -> Route {
    if own.endpoint.url == url {
        return own.clone();
    }
    Route {
        endpoint: Endpoint::of_accepted(url),
        ..own.clone()
    }
}
