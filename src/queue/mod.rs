//! The queue: notifications are accepted at once and delivered later by the process that drains the
//! spool.
//!
//! Every accepted notification is counted until it is completed. At every moment `accepted =
//! delivered + dead + expired + dropped + pending`.
//!
//! `crate::spool` stores them, `gate` decides when they may be sent, and `worker` is the thread
//! that delivers them.

#[cfg(feature = "log-spool")]
mod admin;
pub(crate) mod gate;
mod listeners;
mod registry;
mod settlements;
mod stats;
mod worker;

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

#[cfg(feature = "redis-spool")]
pub use crate::spool::redis::EngineReport;
#[cfg(feature = "log-spool")]
pub use admin::{
    DeadLetter, OriginReport, PendingNotification, RetryReport, SalvageReport, ShownNotification,
    SpoolAdmin, SpoolReport,
};
pub(crate) use listeners::{Listeners, OnDelivery};
pub use registry::stop_delivery;
pub(crate) use registry::{find_open, find_or_open};
pub use stats::{Counts, Percentiles, Stats};

use crate::host::log;
use crate::host::{self, Timestamp};
use crate::notification::Message;
use crate::options::{QueueSettings, ServiceSettings};
use crate::outcome::{Error, Receipt};
use crate::spool::{self, NewItem, Spool};
use settlements::Settlements;
use worker::Worker;

/// How often a flush polls whether other processes have delivered.
const FLUSH_TICK: Duration = Duration::from_millis(10);

/// Time that a flush reserves for reading the statistics afterwards.
const COUNTING: Duration = Duration::from_millis(100);

/// One spool in this process. Clients with equal settings share it.
#[derive(Debug)]
pub(crate) struct Queue {
    spool: Arc<dyn Spool>,
    settings: QueueSettings,
    service: ServiceSettings,
    origin: Arc<str>,
    process: u32,
    refused: AtomicU64,
    worker: Worker,
    /// The numbers of its clients.
    clients: Mutex<HashSet<u64>>,
    /// The longest `timeout_ms` of its clients, in milliseconds, which is the time limit of a
    /// delivery attempt.
    attempt_timeout: AtomicU64,
    pub(crate) listeners: Listeners,
    settlements: Settlements,
}

impl Queue {
    fn new(service: &ServiceSettings, settings: &QueueSettings) -> Result<Arc<Queue>, Error> {
        Ok(Arc::new(Queue {
            spool: spool::open(settings)?,
            settings: settings.clone(),
            origin: Arc::from(service.endpoint.origin.as_str()),
            service: service.clone(),
            process: host::this_process(),
            refused: AtomicU64::new(0),
            worker: Worker::default(),
            clients: Mutex::default(),
            attempt_timeout: AtomicU64::new(host::millis(settings.attempt_timeout)),
            listeners: Listeners::default(),
            settlements: Settlements::new(),
        }))
    }

    /// Whether it belongs to this process, and not to the parent from which the process was forked.
    pub(crate) fn is_ours(&self) -> bool {
        self.process == host::this_process()
    }

    fn lock_clients(&self) -> MutexGuard<'_, HashSet<u64>> {
        host::lock(&self.clients)
    }

    /// Adds a client of this process.
    pub(crate) fn join(&self, client: u64, settings: &QueueSettings) {
        self.lock_clients().insert(client);
        let timeout = host::millis(settings.attempt_timeout);
        self.attempt_timeout.fetch_max(timeout, Ordering::Relaxed);
    }

    /// Removes a client. When this returns, the client's callback has ended.
    pub(crate) fn leave(&self, client: u64) {
        self.lock_clients().remove(&client);
        self.listeners.forget(client);
    }

    fn attempt_timeout(&self) -> Duration {
        Duration::from_millis(self.attempt_timeout.load(Ordering::Relaxed))
    }

    /// Whether this process must poll the spool: it has a client, and other processes may enqueue.
    fn is_to_be_watched(&self) -> bool {
        self.settings.spool.is_some() && !self.lock_clients().is_empty()
    }

    /// Accepts a notification before `deadline`. `so_far` is the number of attempts of a blocking call, and the result
    /// of the last one. Returns a note for the caller if the notification was stored in the fallback.
    pub(crate) fn push(
        self: &Arc<Self>,
        message: Message,
        so_far: (u32, &str),
        deadline: Instant,
    ) -> Result<Option<String>, Error> {
        let item = NewItem {
            id: message.id,
            origin: Arc::clone(&self.origin),
            path: message.path,
            body: message.body,
            accepted: Timestamp::now(),
            attempts: so_far.0,
            detail: so_far.1.to_owned(),
        };
        let _deferred = log::defer();
        match self.spool.accept(&item, deadline) {
            Ok(detail) => {
                self.wake();
                Ok(detail)
            }
            Err(e) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                log::error(|| format!("{} was not accepted: {e}", item.id));
                // Delivery frees room.
                self.wake();
                Err(e)
            }
        }
    }

    /// Starts or wakes the delivery thread, if this process delivers.
    pub(crate) fn wake(self: &Arc<Self>) {
        if self.settings.delivers {
            self.worker.wake(self);
        }
    }

    /// Whether this process's delivery has polled within this time. If the delivery hangs, it has not.
    pub(crate) fn has_polled(&self, within: Duration) -> bool {
        self.worker.has_iterated(within)
    }

    /// Ends this process's delivery; see [`crate::Client::stop_delivery`].
    pub(crate) fn stop_delivery(&self, timeout: Duration) -> bool {
        self.worker.stop(timeout)
    }

    /// Whether deliveries are backing off, so that an attempt is not worthwhile. False if the spool
    /// cannot be read before `deadline`.
    pub(crate) fn is_backing_off(&self, deadline: Instant) -> bool {
        let gate = self.spool.gate(&self.origin, deadline).unwrap_or_default();
        !gate.wait(Timestamp::now().unix_ms).is_zero()
    }

    /// Waits until all notifications that were accepted before the call have left the queue, and the listeners have
    /// been called for those that this process delivered, at most until `deadline`.
    pub(crate) fn flush(self: &Arc<Self>, deadline: Instant) -> Result<bool, Error> {
        Ok(self.wait_until_empty(deadline)? && self.settlements.wait_until_announced(deadline))
    }

    /// Waits until all notifications that were accepted before the call have left the queue, at most until `deadline`.
    pub(crate) fn wait_until_empty(self: &Arc<Self>, deadline: Instant) -> Result<bool, Error> {
        let Some(mark) = self.spool.mark(deadline)? else {
            self.wake();
            return Ok(false);
        };
        let start = Instant::now();
        let mut has_woken = false;
        loop {
            let seen = self.settlements.announced();
            if self.spool.is_settled(mark, deadline)? {
                return Ok(true);
            }
            // The worker is woken only if notifications are pending.
            if !std::mem::replace(&mut has_woken, true) {
                self.wake();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            self.settlements.wait_for_more(seen, left.min(FLUSH_TICK));
            // Wait, because each poll slows the delivery down.
            let left = deadline.saturating_duration_since(Instant::now());
            thread::sleep((start.elapsed() / 8).min(left).min(FLUSH_TICK));
        }
    }

    /// Flushes and then reads the statistics. `None`: they could not be read within `timeout`.
    pub(crate) fn flush_and_count(
        self: &Arc<Self>,
        timeout: Duration,
    ) -> Result<(bool, Option<Stats>), Error> {
        let deadline = host::deadline_after(timeout);
        let counting = COUNTING.min(timeout / 4);
        let flushed = deadline.checked_sub(counting).unwrap_or(deadline);
        let is_done = self.flush(flushed)?;
        Ok((is_done, self.stats(deadline).ok()))
    }

    /// Reads the statistics before `deadline`.
    pub(crate) fn stats(&self, deadline: Instant) -> Result<Stats, Error> {
        let totals = self.spool.totals(deadline)?;
        let gate = self.spool.gate(&self.origin, deadline)?;
        let now = Timestamp::now();
        let (ages, latencies) = totals.recent.into_iter().unzip();
        let age = |accepted| now.since(accepted).length;
        Ok(Stats {
            spool: totals.spool,
            process: totals.process,
            process_refused: self.refused.load(Ordering::Relaxed),
            lost: totals.lost,
            pending_bytes: totals.pending_bytes,
            oldest_age: totals.oldest.map_or(Duration::ZERO, age),
            gate_closed_for: (!gate.is_open()).then(|| gate.wait(now.unix_ms)),
            gate_failures: gate.failures,
            delivery_age: Percentiles::from_durations(ages),
            attempt_latency: Percentiles::from_durations(latencies),
        })
    }

    /// Returns the receipt of an id.
    pub(crate) fn receipt(&self, id: &str, deadline: Instant) -> Result<Option<Receipt>, Error> {
        self.spool.receipt(id, Timestamp::now(), deadline)
    }

    /// Whether it can be dropped if it has no client: nothing is pending in memory, and no thread
    /// uses it.
    fn is_idle(&self) -> bool {
        let waits = || {
            let totals = self.spool.totals(Instant::now());
            totals.is_ok_and(|t| t.spool.pending > 0)
        };
        !self.worker.is_running() && (self.settings.spool.is_some() || !waits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;
    use crate::outcome::Status;
    use crate::spool::{Gate, Position, StoredItem};

    /// A spool that always has pending items and cannot count them. It records the deadlines of the
    /// calls.
    #[derive(Debug, Default)]
    struct Reticent(Mutex<Vec<Instant>>);

    impl Reticent {
        fn fails<T>(&self, deadline: Instant) -> Result<T, Error> {
            self.0.lock().unwrap().push(deadline);
            Err(Error::new(Status::SpoolFailed, "busy"))
        }
    }

    impl spool::Inlet for Reticent {
        fn push(&self, _: &NewItem, _: Instant) -> Result<(), Error> {
            unimplemented!()
        }
    }

    impl spool::Outlet for Reticent {
        fn acquire(&self, _: Instant) -> Result<Option<Box<dyn spool::Lease>>, Error> {
            unimplemented!()
        }
    }

    impl spool::Ledger for Reticent {
        fn totals(&self, deadline: Instant) -> Result<spool::Totals, Error> {
            self.fails(deadline)
        }
        fn gate(&self, _: &str, deadline: Instant) -> Result<Gate, Error> {
            self.fails(deadline)
        }
        fn receipt(&self, _: &str, _: Timestamp, _: Instant) -> Result<Option<Receipt>, Error> {
            unimplemented!()
        }
        fn known(&self, _: &HashSet<&str>, _: Instant) -> Result<HashSet<String>, Error> {
            unimplemented!()
        }
        fn mark(&self, _: Instant) -> Result<Option<Position>, Error> {
            Ok(Some(Position(1)))
        }
        fn is_settled(&self, _: Position, deadline: Instant) -> Result<bool, Error> {
            self.0.lock().unwrap().push(deadline);
            Ok(false)
        }
    }

    impl spool::Operator for Reticent {
        fn overview(&self, _: Instant) -> Result<spool::Overview, Error> {
            unimplemented!()
        }
        fn pending(
            &self,
            _: Option<Position>,
            _: usize,
            _: Instant,
        ) -> Result<Vec<StoredItem>, Error> {
            unimplemented!()
        }
        fn dead(
            &self,
            _: Option<Position>,
            _: usize,
            _: Instant,
        ) -> Result<Vec<StoredItem>, Error> {
            unimplemented!()
        }
        fn requeue(&self, _: &[StoredItem], _: Instant) -> Result<u64, Error> {
            unimplemented!()
        }
        fn discard(&self, _: &[Position], _: Instant) -> Result<u64, Error> {
            unimplemented!()
        }
        fn purge(&self, _: &dyn Fn(&str) -> bool, _: Instant) -> Result<u64, Error> {
            unimplemented!()
        }
        fn probe_now(&self, _: Instant) -> Result<u64, Error> {
            unimplemented!()
        }
        fn is_done(&self, _: Instant) -> Result<bool, Error> {
            unimplemented!()
        }
        fn backup(&self, _: &std::path::Path, _: Instant) -> Result<u64, Error> {
            unimplemented!()
        }
    }

    #[test]
    fn flush_and_its_stats_share_one_deadline() {
        let mut config = Config::new();
        config.set("cluster_id", "w1").unwrap();
        let mut settings = config.settings().unwrap();
        settings.queue.delivers = false;
        let spool = Arc::new(Reticent::default());
        let mut queue = Queue::new(&settings.service, &settings.queue).unwrap();
        Arc::get_mut(&mut queue).unwrap().spool = Arc::clone(&spool) as Arc<dyn Spool>;
        for (timeout, kept) in [(0, 0), (8, 2), (1000, 100)] {
            let timeout = Duration::from_millis(timeout);
            let before = Instant::now();
            // The result is returned although the statistics cannot be read.
            assert_eq!(queue.flush_and_count(timeout).unwrap(), (false, None));
            let after = Instant::now();
            let deadlines = std::mem::take(&mut *spool.0.lock().unwrap());
            let (last, first) = (deadlines[deadlines.len() - 1], deadlines[0]);
            assert_eq!(last - first, Duration::from_millis(kept));
            assert!(before + timeout <= last && last <= after + timeout);
        }
    }

    /// A worker would delay a flush that must not wait.
    #[test]
    fn flush_starts_no_worker_when_the_queue_is_empty() {
        let mut config = Config::new();
        config.set("base_url", "http://127.0.0.1:9").unwrap();
        let settings = config.settings().unwrap();
        let queue = Queue::new(&settings.service, &settings.queue).unwrap();
        assert!(queue.flush(Instant::now()).unwrap());
        assert!(!queue.worker.is_running());
        let message = Message {
            id: "x".to_owned(),
            path: "/x".into(),
            body: "{}".to_owned(),
        };
        let accepted = queue.push(message, (0, ""), Instant::now() + COUNTING);
        accepted.unwrap();
        assert!(queue.worker.is_running());
    }

    #[test]
    fn end_of_session_is_sent_when_the_spool_cannot_be_read() {
        let mut config = Config::new();
        config.set("cluster_id", "w1").unwrap();
        let settings = config.settings().unwrap();
        let spool = Arc::new(Reticent::default());
        let mut queue = Queue::new(&settings.service, &settings.queue).unwrap();
        Arc::get_mut(&mut queue).unwrap().spool = Arc::clone(&spool) as Arc<dyn Spool>;
        let deadline = Instant::now();
        assert!(!queue.is_backing_off(deadline));
        assert_eq!(*spool.0.lock().unwrap(), [deadline]);
    }
}
