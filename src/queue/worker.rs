//! The worker: one thread of this process that drains the spool, if no other process does.
//!
//! It ends when there has been nothing to do for a while, and starts again with the next enqueue. That of a file stays,
//! and looks now and then, as long as this process has a client: another process may put something in, and die. What it
//! takes out it holds in its own memory only: should the process die, the spool still has it.

mod senders;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::gate::{Backoff, Gate, REPEAT_OFFENDER, millis, not_before};
use super::spool::{Fate, Item, Settlement};
use super::{Queue, unix_ms};
use crate::config::{Endpoint, Route};
use crate::host::{self, Stack};
use crate::log;
use crate::status::{Error, Receipt, Status};
use crate::transport::{self, Core, Outcome, dice};
use senders::{Done, Job, Senders};

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
const PATIENCE: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 30_000 });
const LOOK_SELDOM: Duration = Duration::from_millis(750);
/// When the spool itself fails.
const TROUBLE: Duration = Duration::from_millis(500);
/// How long what was answered waits for the rest of what is under way, to be recorded in one transaction. Short beside what
/// an exchange over a network takes.
const GATHER: Duration = Duration::from_micros(200);
/// Items read ahead.
const AHEAD: usize = 64;

/// The worker of a queue: asleep, or running on a thread of its own.
#[derive(Debug, Default)]
pub(super) struct Worker {
    state: Mutex<State>,
    event: Condvar,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_running: bool,
    is_woken: bool,
    /// For good: nothing more is taken out.
    is_stopping: bool,
    done: Vec<Done>,
    /// How many of them the worker waits for; it is not woken for fewer.
    enough: usize,
}

impl Worker {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_running(&self) -> bool {
        self.lock().is_running
    }

    /// There may be something to do.
    pub(super) fn wake(&self, queue: &Arc<Queue>) {
        let mut state = self.lock();
        if state.is_stopping {
            return;
        }
        if state.is_running {
            if !state.is_woken {
                state.is_woken = true;
                self.event.notify_one();
            }
            return;
        }
        let ours = Arc::clone(queue);
        match host::spawn("esales-worker", Stack::Hosts, move || run(&ours)) {
            Ok(()) => state.is_running = true,
            Err(e) => {
                drop(state);
                log::error(|| format!("no thread to deliver with: {e}; it is tried again"));
            }
        }
    }

    /// Takes nothing more out, for good, and waits until what is under way is recorded, for at most `timeout`;
    /// whether it is.
    pub(super) fn stop(&self, timeout: Duration) -> bool {
        let mut state = self.lock();
        state.is_stopping = true;
        self.event.notify_one();
        let (state, _) = self
            .ended
            .wait_timeout_while(state, timeout, |state| state.is_running)
            .unwrap_or_else(PoisonError::into_inner);
        !state.is_running
    }

    /// Called by a sender.
    fn done(&self, done: Done) {
        let mut state = self.lock();
        state.done.push(done);
        let is_enough = state.done.len() >= state.enough;
        drop(state);
        if is_enough {
            self.event.notify_one();
        }
    }

    /// Waits for an enqueue or a finished delivery, at most this long; after one that finished, for so long for the others
    /// that are `under_way`.
    fn wait(&self, at_most: Duration, under_way: usize, gather: Duration) -> News {
        let mut state = self.lock();
        if !state.is_woken && state.done.is_empty() {
            state.enough = 1;
            (state, _) = self
                .event
                .wait_timeout(state, at_most)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if !state.done.is_empty() {
            state.enough = under_way;
            (state, _) = self
                .event
                .wait_timeout_while(state, gather, |state| {
                    state.done.len() < under_way && !state.is_stopping
                })
                .unwrap_or_else(PoisonError::into_inner);
        }
        // Until the next time there is nobody to wake.
        state.enough = usize::MAX;
        News {
            is_woken: std::mem::take(&mut state.is_woken),
            is_stopping: state.is_stopping,
            done: std::mem::take(&mut state.done),
        }
    }
}

/// What a turn begins with.
struct News {
    is_woken: bool,
    is_stopping: bool,
    done: Vec<Done>,
}

/// Whatever ends the thread, the next enqueue starts another.
struct Running<'a>(&'a Queue);

impl Running<'_> {
    /// Under the lock, once: a thread that starts right after must find neither flag nor leadership taken back.
    fn end(&self, state: &mut State) {
        if std::mem::take(&mut state.is_running) {
            self.0.spool.resign();
            self.0.worker.ended.notify_all();
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // A panic: the regular end has its own call, and a new thread may be running by now.
        if std::thread::panicking() {
            let _held = log::hold();
            self.end(&mut self.0.worker.lock());
        }
    }
}

fn run(queue: &Arc<Queue>) {
    let running = Running(queue);
    let mut drain = Drain::new(queue);
    let mut at_most = Duration::ZERO;
    loop {
        let news = queue.worker.wait(at_most, drain.taken.len(), GATHER);
        let is_stopping = news.is_stopping;
        if news.is_woken {
            drain.last_activity = Instant::now();
        }
        let turned = drain.turn(news);
        if !queue.is_ours() {
            // What the parent's threads may hold, its connections and its spool are not touched, not even to free them.
            std::mem::forget((Arc::clone(queue), running, drain));
            return;
        }
        match turned {
            Ok(pause) => {
                drain.trouble = None;
                at_most = pause;
            }
            Err(e) => {
                if drain.trouble.as_ref() != Some(&e) {
                    log::error(|| format!("delivery cannot go on: {e}"));
                    drain.trouble = Some(e);
                }
                at_most = TROUBLE;
            }
        }
        if is_stopping && drain.has_nothing_under_way() || drain.may_end() {
            // An enqueue that came meanwhile has set the flag under the same lock.
            let _held = log::hold();
            let mut state = queue.worker.lock();
            if is_stopping || !state.is_woken {
                running.end(&mut state);
                return;
            }
        }
    }
}

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

struct Drain<'a> {
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
    trouble: Option<Error>,
}

impl<'a> Drain<'a> {
    fn new(queue: &'a Arc<Queue>) -> Drain<'a> {
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
            trouble: None,
        }
    }

    /// One round; returns how long the next may wait.
    fn turn(&mut self, news: News) -> Result<Duration, Error> {
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
            // What was read ahead may have been erased.
            for lane in self.lanes.values_mut() {
                lane.ahead.clear();
            }
        }
        if has_changed || news.is_woken {
            self.last_activity = Instant::now();
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

    fn has_nothing_under_way(&self) -> bool {
        self.taken.is_empty() && self.unsettled.is_empty()
    }

    fn is_idle(&self) -> bool {
        self.last_activity.elapsed() >= PATIENCE
    }

    fn may_end(&self) -> bool {
        self.has_nothing_under_way()
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

#[cfg(test)]
mod tests {
    use super::super::registry;
    use super::super::sqlite::tests::Place;
    use super::*;
    use crate::Config;
    use std::thread;

    const LONG: Duration = Duration::from_secs(60);

    /// Waits for what happens on another thread.
    fn wait_for(what: impl Fn() -> bool) {
        let deadline = Instant::now() + LONG;
        while !what() {
            assert!(Instant::now() < deadline);
            thread::yield_now();
        }
    }

    fn done() -> Done {
        let mut config = Config::new();
        config.set("base_url", "http://127.0.0.1:9").unwrap();
        Done {
            job: senders::Job {
                url: Arc::from("http://127.0.0.1:9"),
                item: Item {
                    seq: 1,
                    id: String::new(),
                    body: String::new(),
                    accepted_at: 0,
                    attempts: 0,
                },
                core: transport::core_of(&config.settings().unwrap().route).unwrap(),
                timeout: LONG,
                is_probe: false,
            },
            outcome: Outcome {
                status: Status::Delivered,
                http_status: Some(204),
                detail: String::new(),
                retry_after: None,
            },
            latency: Duration::ZERO,
        }
    }

    #[test]
    fn it_gathers_what_is_answered_at_nearly_the_same_time() {
        let worker = Worker::default();
        let gathered = |under_way, gather| worker.wait(LONG, under_way, gather).done.len();
        for under_way in 1..=3 {
            let waited = thread::scope(|scope| {
                for _ in 0..under_way {
                    scope.spawn(|| worker.done(done()));
                }
                gathered(under_way, LONG)
            });
            assert_eq!(waited, under_way);
        }
        // Others take longer.
        worker.done(done());
        assert_eq!(gathered(2, Duration::ZERO), 1);
        // And nobody waits when it is to stop.
        worker.done(done());
        assert!(worker.stop(Duration::ZERO));
        assert_eq!(gathered(2, LONG), 1);
    }

    #[test]
    fn it_watches_a_file_as_long_as_there_is_a_client() {
        let folder = Place::new();
        let mut config = Config::new();
        // Nothing listens there.
        config.set("base_url", "http://127.0.0.1:9").unwrap();
        let path = folder.0.join("spool");
        config.set("spool", path.to_str().unwrap()).unwrap();
        let mut settings = config.settings().unwrap();
        let queue = registry::of(&settings.route, &settings.queue).unwrap();
        settings.queue.delivers = false;
        let another_process = registry::of(&settings.route, &settings.queue).unwrap();

        queue.join(1);
        queue.join(2);
        queue.wake();
        queue.leave(2);
        thread::sleep(PATIENCE * 5);
        let put_in = another_process.push("x", "{}".to_owned(), (0, ""), Instant::now() + LONG);
        put_in.unwrap();
        let stats = || another_process.stats(Instant::now() + LONG).unwrap();
        wait_for(|| stats().gate_failures > 0);

        assert!(queue.worker.is_running());
        assert!(queue.stop_delivery(LONG));
    }

    #[test]
    fn it_ends_when_there_is_nothing_to_do_and_nobody_to_do_it_for() {
        let folder = Place::new();
        let path = folder.0.join("spool");
        for spool in [None, path.to_str()] {
            let mut config = Config::new();
            config.set("base_url", "http://127.0.0.1:9").unwrap();
            config.set("max_items", "7777").unwrap();
            if let Some(path) = spool {
                config.set("spool", path).unwrap();
            }
            let settings = config.settings().unwrap();
            let queue = registry::of(&settings.route, &settings.queue).unwrap();
            queue.join(1);
            queue.wake();
            assert!(queue.worker.is_running());
            if spool.is_some() {
                queue.leave(1);
            }
            wait_for(|| !queue.worker.is_running());
        }
    }
}
