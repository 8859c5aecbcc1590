//! The queue: notifications are accepted at once and delivered later, by whoever drains the spool.
//!
//! Accepted means accepted: whatever becomes of a notification is counted, and at every moment
//! `accepted = delivered + dead + expired + dropped + pending`.
//!
//! `spool` is where they wait (in `memory`, or in an SQLite file), `gate` when they may go, `worker` who takes them.

mod admin;
pub(crate) mod gate;
mod listeners;
mod memory;
mod registry;
mod spool;
mod sqlite;
mod stats;

mod worker;

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

pub use admin::{
    DeadLetter, OriginReport, PendingNotification, SalvageReport, SpoolAdmin, SpoolReport,
};
pub(crate) use listeners::{Listeners, OnDelivery};
pub(crate) use registry::{known, of};
pub use sqlite::SpoolFile;
#[cfg(any(test, fuzzing))]
pub use sqlite::fuzz::spool as fuzz_spool;
pub use stats::{Counts, Percentiles, Stats};

use crate::config::{QueueSettings, Route};
use crate::host;
use crate::log;
use crate::status::{Error, Receipt, Status};
use spool::{Item, NewItem, Spool};
use worker::Worker;

/// How often a flush looks whether other processes have delivered, and at the most, after a while, what this one has.
const FLUSH_TICK: Duration = Duration::from_millis(10);

/// What a flush keeps of its time for the numbers afterwards.
const COUNTING: Duration = Duration::from_millis(100);

/// One spool, as this process uses it. Clients of equal settings share it.
#[derive(Debug)]
pub(crate) struct Queue {
    spool: Arc<dyn Spool>,
    settings: QueueSettings,
    route: Route,
    url: Arc<str>,
    process: u32,
    refused: AtomicU64,
    worker: Worker,
    /// The numbers of the clients that use it.
    clients: Mutex<HashSet<u64>>,
    /// Who wants to hear.
    pub(crate) listeners: Listeners,
    /// Raised whenever the worker settled something.
    settled: (Mutex<u64>, Condvar),
}

impl Queue {
    fn new(route: &Route, settings: &QueueSettings) -> Result<Arc<Queue>, Error> {
        let spool: Arc<dyn Spool> = match &settings.spool {
            Some(path) => sqlite::SqliteSpool::new(sqlite::check(path)?, settings, false),
            None => Arc::new(memory::MemorySpool::new(settings)),
        };
        Ok(Arc::new(Queue {
            spool,
            settings: settings.clone(),
            url: Arc::from(route.endpoint.url.as_str()),
            route: route.clone(),
            process: host::this_process(),
            refused: AtomicU64::new(0),
            worker: Worker::default(),
            clients: Mutex::default(),
            listeners: Listeners::default(),
            settled: (Mutex::new(0), Condvar::new()),
        }))
    }

    /// Whether it belongs to this process, rather than to the parent it was forked from.
    pub(crate) fn is_ours(&self) -> bool {
        self.process == host::this_process()
    }

    fn lock_clients(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client of this process uses it.
    pub(crate) fn join(&self, client: u64) {
        self.lock_clients().insert(client);
    }

    /// The client is gone. When this returns, its callback has ended.
    pub(crate) fn leave(&self, client: u64) {
        self.lock_clients().remove(&client);
        self.listeners.forget(client);
    }

    /// Whether something may come that nobody in this process is told of, and somebody is here to deliver it for.
    fn is_to_be_watched(&self) -> bool {
        self.settings.spool.is_some() && !self.lock_clients().is_empty()
    }

    /// Accepts a notification before `deadline`. `so_far` is what a blocking call met before it gave up.
    pub(crate) fn push(
        self: &Arc<Self>,
        id: &str,
        body: String,
        so_far: (u32, &str),
        deadline: Instant,
    ) -> Result<(), Error> {
        let item = NewItem {
            id: id.to_owned(),
            url: Arc::clone(&self.url),
            body,
            accepted_at: unix_ms(SystemTime::now()),
            attempts: so_far.0,
            detail: so_far.1.to_owned(),
        };
        match self.spool.push(item, deadline) {
            Ok(()) => {
                self.wake();
                Ok(())
            }
            Err(e) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                log::error(|| format!("{id} was not accepted: {e}"));
                Err(e)
            }
        }
    }

    /// When an enqueue that begins now must be done.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.settings.enqueue_timeout
    }

    /// Sees to it that somebody in this process delivers, if this process is to.
    pub(crate) fn wake(self: &Arc<Self>) {
        if self.settings.delivers {
            self.worker.wake(self);
        }
    }

    /// Ends this process's delivery; see [`crate::Client::stop_delivery`].
    pub(crate) fn stop_delivery(&self, timeout: Duration) -> bool {
        self.worker.stop(timeout)
    }

    /// Whether deliveries are failing just now, so that it is not worth trying. A spool that cannot tell before
    /// `deadline` is no reason not to try.
    pub(crate) fn is_gate_closed(&self, deadline: Instant) -> bool {
        let gate = self.spool.gate(&self.url, deadline).unwrap_or_default();
        !gate.wait(unix_ms(SystemTime::now())).is_zero()
    }

    /// Waits until everything accepted before the call has left the queue, until `deadline` at most.
    pub(crate) fn flush(self: &Arc<Self>, deadline: Instant) -> Result<bool, Error> {
        let Some(mark) = self.spool.mark(deadline)? else {
            self.wake();
            return Ok(false);
        };
        let start = Instant::now();
        let mut has_woken = false;
        loop {
            let seen = *self.lock_settled();
            if self.spool.is_settled(mark, deadline)? {
                return Ok(true);
            }
            // Not before there is something to do: it would be in the way of a look that may not wait.
            if !std::mem::replace(&mut has_woken, true) {
                self.wake();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            let settled = self.lock_settled();
            let waited = self
                .settled
                .1
                .wait_timeout_while(settled, left.min(FLUSH_TICK), |now| *now == seen);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
            // Each look costs the delivery time.
            let left = deadline.saturating_duration_since(Instant::now());
            thread::sleep((start.elapsed() / 8).min(left).min(FLUSH_TICK));
        }
    }

    /// Flushes, and asks for the numbers afterwards; `None`: they could not be had within `timeout`.
    pub(crate) fn flush_and_count(
        self: &Arc<Self>,
        timeout: Duration,
    ) -> Result<(bool, Option<Stats>), Error> {
        let deadline = Instant::now() + timeout;
        let is_done = self.flush(deadline - COUNTING.min(timeout / 4))?;
        Ok((is_done, self.stats(deadline).ok()))
    }

    fn lock_settled(&self) -> MutexGuard<'_, u64> {
        self.settled
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The numbers, asked for within `deadline`.
    pub(crate) fn stats(&self, deadline: Instant) -> Result<Stats, Error> {
        let totals = self.spool.totals(deadline)?;
        let gate = self.spool.gate(&self.url, deadline)?;
        let now = unix_ms(SystemTime::now());
        let (ages, latencies) = totals.recent.into_iter().unzip();
        let age = |at| Duration::from_millis(now.saturating_sub(at));
        Ok(Stats {
            spool: totals.spool,
            process: totals.process,
            process_refused: self.refused.load(Ordering::Relaxed),
            pending_bytes: totals.pending_bytes,
            oldest_age: totals.oldest_at.map_or(Duration::ZERO, age),
            gate_closed_for: (!gate.is_open()).then(|| gate.wait(now)),
            gate_failures: gate.failures,
            delivery_age: Percentiles::of(ages),
            attempt_latency: Percentiles::of(latencies),
        })
    }

    /// What is known of an id.
    pub(crate) fn receipt(&self, id: &str) -> Result<Option<Receipt>, Error> {
        self.spool.receipt(id, unix_ms(SystemTime::now()))
    }

    /// Tells those who wait, and those who listen. No lock is held while they are called.
    fn announce(&self, receipts: &[Receipt]) {
        *self.lock_settled() += 1;
        self.settled.1.notify_all();
        self.listeners.tell(receipts, || self.is_ours());
    }

    /// Whether it can be let go when no client has it: nothing waits in memory, and nobody works on it.
    fn is_idle(&self) -> bool {
        let waits = || {
            let totals = self.spool.totals(Instant::now());
            totals.is_ok_and(|t| t.spool.pending > 0)
        };
        !self.worker.is_running() && (self.settings.spool.is_some() || !waits())
    }
}

/// Milliseconds since 1970-01-01 UTC.
pub(crate) fn unix_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, gate::millis)
}

fn too_many(limits: &QueueSettings) -> Error {
    Error::new(
        Status::QueueFull,
        format!(
            "the queue is full (max_items {}, max_bytes {})",
            limits.max_items, limits.max_bytes
        ),
    )
}

/// The receipt of an item that made room for a newer one.
fn dropped_to_make_room(item: Item, now: u64) -> Receipt {
    Receipt {
        status: Status::QueueFull,
        http_status: None,
        attempts: item.attempts,
        elapsed: Duration::from_millis(now.saturating_sub(item.accepted_at)),
        id: item.id,
        detail: "dropped to make room for newer notifications".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;
    use gate::Gate;
    use spool::{Destination, Settlement, Totals};

    /// Holds something for ever, and cannot say how much. Remembers until when it was allowed to try.
    #[derive(Debug, Default)]
    struct Reticent(Mutex<Vec<Instant>>);

    impl Reticent {
        fn fails<T>(&self, deadline: Instant) -> Result<T, Error> {
            self.0.lock().unwrap().push(deadline);
            Err(Error::new(Status::SpoolFailed, "busy"))
        }
    }

    impl Spool for Reticent {
        fn push(&self, _: NewItem, _: Instant) -> Result<(), Error> {
            unimplemented!()
        }
        fn lead(&self) -> Result<bool, Error> {
            unimplemented!()
        }
        fn resign(&self) {
            unimplemented!()
        }
        fn destinations(&self) -> Result<Vec<Destination>, Error> {
            unimplemented!()
        }
        fn gate(&self, _: &str, deadline: Instant) -> Result<Gate, Error> {
            self.fails(deadline)
        }
        fn set_gate(&self, _: &str, _: Gate) -> Result<(), Error> {
            unimplemented!()
        }
        fn oldest(&self, _: &str, _: u64, _: usize, _: &HashSet<i64>) -> Result<Vec<Item>, Error> {
            unimplemented!()
        }
        fn overdue(&self, _: u64, _: &HashSet<i64>) -> Result<Vec<Item>, Error> {
            unimplemented!()
        }
        fn settle(&self, _: &[Settlement]) -> Result<(), Error> {
            unimplemented!()
        }
        fn has_changed(&self) -> bool {
            unimplemented!()
        }
        fn maintain(&self, _: u64) -> Result<(), Error> {
            unimplemented!()
        }
        fn totals(&self, deadline: Instant) -> Result<Totals, Error> {
            self.fails(deadline)
        }
        fn receipt(&self, _: &str, _: u64) -> Result<Option<Receipt>, Error> {
            unimplemented!()
        }
        fn mark(&self, _: Instant) -> Result<Option<i64>, Error> {
            Ok(Some(1))
        }
        fn is_settled(&self, _: i64, deadline: Instant) -> Result<bool, Error> {
            self.0.lock().unwrap().push(deadline);
            Ok(false)
        }
    }

    #[test]
    fn a_flush_and_its_numbers_have_one_deadline() {
        let mut config = Config::new();
        config.set("cluster_id", "w1").unwrap();
        let mut settings = config.settings().unwrap();
        settings.queue.delivers = false;
        let spool = Arc::new(Reticent::default());
        let mut queue = Queue::new(&settings.route, &settings.queue).unwrap();
        Arc::get_mut(&mut queue).unwrap().spool = Arc::clone(&spool) as Arc<dyn Spool>;
        for (timeout, kept) in [(0, 0), (8, 2), (1000, 100)] {
            let timeout = Duration::from_millis(timeout);
            let before = Instant::now();
            // That it is not done is told, although the numbers cannot be.
            assert_eq!(queue.flush_and_count(timeout).unwrap(), (false, None));
            let after = Instant::now();
            let deadlines = std::mem::take(&mut *spool.0.lock().unwrap());
            let (last, first) = (deadlines[deadlines.len() - 1], deadlines[0]);
            assert_eq!(last - first, Duration::from_millis(kept));
            assert!(before + timeout <= last && last <= after + timeout);
        }
    }

    /// On a thread of its own it would be in the way of a flush that may not wait.
    #[test]
    fn a_flush_of_nothing_wakes_nobody() {
        let mut config = Config::new();
        config.set("base_url", "http://127.0.0.1:9").unwrap();
        let settings = config.settings().unwrap();
        let queue = Queue::new(&settings.route, &settings.queue).unwrap();
        assert!(queue.flush(Instant::now()).unwrap());
        assert!(!queue.worker.is_running());
        let accepted = queue.push("x", "{}".to_owned(), (0, ""), queue.deadline());
        accepted.unwrap();
        assert!(queue.worker.is_running());
    }

    #[test]
    fn a_spool_that_cannot_tell_is_no_reason_not_to_try() {
        let mut config = Config::new();
        config.set("cluster_id", "w1").unwrap();
        let settings = config.settings().unwrap();
        let spool = Arc::new(Reticent::default());
        let mut queue = Queue::new(&settings.route, &settings.queue).unwrap();
        Arc::get_mut(&mut queue).unwrap().spool = Arc::clone(&spool) as Arc<dyn Spool>;
        let deadline = Instant::now();
        assert!(!queue.is_gate_closed(deadline));
        assert_eq!(*spool.0.lock().unwrap(), [deadline]);
    }
}
