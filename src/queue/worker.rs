//! The worker: one thread of this process that drains the spool, if no other process does.
//!
//! The thread ends when it has had nothing to do for a while, and the next enqueue starts it again.
//! For a spool in a directory it stays and polls as long as this process has a client, because
//! another process may enqueue and then end. Items that it has fetched are also still in the spool,
//! so nothing is lost if the process is killed.

mod drain;
mod origin;
mod senders;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Queue;
use crate::host::log;
use crate::host::{self, Stack};
use crate::outcome::Error;
use drain::Drain;
use senders::FinishedDelivery;

/// The pause after a failure of the spool.
const TROUBLE: Duration = Duration::from_millis(500);
/// How long a finished delivery waits for other deliveries in flight, so that answers are committed
/// in batches. It is short compared to an exchange over a network.
const GATHER: Duration = Duration::from_micros(200);
/// How long enqueues do not wake a worker that could send nothing. In an outage of the service an enqueue would
/// otherwise cost an iteration.
const REST: Duration = Duration::from_millis(20);

/// The worker of a queue, with or without a running thread.
#[derive(Debug, Default)]
pub(super) struct Worker {
    /// Start of the last iteration, in milliseconds since the machine started; 0: there was none.
    iterated_at: AtomicU64,
    state: Mutex<WorkerState>,
    event: Condvar,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct WorkerState {
    is_running: bool,
    is_woken: bool,
    is_resting: bool,
    /// Whether delivery was stopped for good.
    is_stopping: bool,
    finished: Vec<FinishedDelivery>,
    /// Number of finished deliveries for which the worker is woken.
    enough: usize,
}

impl Worker {
    fn lock(&self) -> MutexGuard<'_, WorkerState> {
        host::lock(&self.state)
    }

    pub(super) fn is_running(&self) -> bool {
        self.lock().is_running
    }

    /// Whether an iteration began within the last `within`.
    pub(super) fn has_iterated(&self, within: Duration) -> bool {
        let last = self.iterated_at.load(Ordering::Relaxed);
        let now = host::uptime().map_or(0, host::millis);
        last != 0 && now.saturating_sub(last) <= host::millis(within)
    }

    /// Wakes the worker, because there may be something to do.
    pub(super) fn wake(&self, queue: &Arc<Queue>) {
        let mut state = self.lock();
        if state.is_stopping {
            return;
        }
        if state.is_running {
            let is_waiting = !std::mem::replace(&mut state.is_woken, true) && !state.is_resting;
            if is_waiting {
                self.event.notify_one();
            }
            return;
        }
        let ours = Arc::clone(queue);
        match host::spawn("esales-worker", Stack::Hosts, move || run(&ours)) {
            Ok(()) => state.is_running = true,
            Err(e) => {
                drop(state);
                log::error(|| format!("cannot start a thread for the delivery: {e}; trying again"));
            }
        }
    }

    /// Stops delivery for good, and waits for at most `timeout` until requests in flight are
    /// recorded. Returns whether they are.
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

    /// Called by a sender after a delivery.
    fn finish(&self, delivery: FinishedDelivery) {
        let mut state = self.lock();
        state.finished.push(delivery);
        let is_enough = state.finished.len() >= state.enough;
        drop(state);
        if is_enough {
            self.event.notify_one();
        }
    }

    /// Waits for an enqueue or a finished delivery, for at most `at_most`; for the first `rest` of it only for a
    /// finished delivery. After a finished delivery, waits for the other deliveries in flight, for at most `gather`.
    fn wait(
        &self,
        at_most: Duration,
        rest: Duration,
        in_flight: usize,
        gather: Duration,
    ) -> Wakeup {
        let mut state = self.lock();
        let rest = rest.min(at_most);
        state.enough = 1;
        if !rest.is_zero() {
            state.is_resting = true;
            (state, _) = self
                .event
                .wait_timeout_while(state, rest, |state| {
                    state.finished.is_empty() && !state.is_stopping
                })
                .unwrap_or_else(PoisonError::into_inner);
            state.is_resting = false;
        }
        let may_end = state.is_stopping && in_flight == 0;
        if !state.is_woken && state.finished.is_empty() && !may_end {
            (state, _) = self
                .event
                .wait_timeout(state, at_most - rest)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if !state.finished.is_empty() {
            state.enough = in_flight;
            (state, _) = self
                .event
                .wait_timeout_while(state, gather, |state| {
                    state.finished.len() < in_flight && !state.is_stopping
                })
                .unwrap_or_else(PoisonError::into_inner);
        }
        // The worker does not wait now, so senders need not wake it.
        state.enough = usize::MAX;
        Wakeup {
            is_woken: std::mem::take(&mut state.is_woken),
            is_stopping: state.is_stopping,
            finished: std::mem::take(&mut state.finished),
        }
    }
}

/// The events with which an iteration begins.
struct Wakeup {
    is_woken: bool,
    is_stopping: bool,
    finished: Vec<FinishedDelivery>,
}

/// Clears `is_running` however the thread ends, so that the next enqueue starts another thread.
struct Running<'a>(&'a Queue);

impl Running<'_> {
    /// Called once, under the lock, because another thread may start as soon as the lock is released.
    fn end(&self, state: &mut WorkerState) {
        if std::mem::take(&mut state.is_running) {
            self.0.worker.ended.notify_all();
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // Only after a panic: the regular end calls `end` itself, and a new thread may be running
        // by now.
        if std::thread::panicking() {
            let _deferred = log::defer();
            self.end(&mut self.0.worker.lock());
        }
    }
}

fn run(queue: &Arc<Queue>) {
    let running = Running(queue);
    let mut drain = Drain::new(queue);
    let mut trouble: Option<Error> = None;
    let (mut at_most, mut rest) = (Duration::ZERO, Duration::ZERO);
    loop {
        let wakeup = queue.worker.wait(at_most, rest, drain.in_flight(), GATHER);
        let is_stopping = wakeup.is_stopping;
        let now = host::uptime().map_or(0, host::millis);
        queue.worker.iterated_at.store(now, Ordering::Relaxed);
        let iterated = drain.iterate(wakeup);
        if !queue.is_ours() {
            // The parent's threads may hold locks in these values; its connections and its spool
            // are not touched, not even to free them.
            std::mem::forget((Arc::clone(queue), running, drain));
            return;
        }
        rest = match iterated.is_ok() && drain.has_room() {
            true => Duration::ZERO,
            false => REST,
        };
        match iterated {
            Ok(pause) => {
                trouble = None;
                at_most = pause;
            }
            Err(e) => {
                if trouble.as_ref() != Some(&e) {
                    log::error(|| format!("delivery failed: {e}; trying again"));
                    trouble = Some(e);
                }
                at_most = TROUBLE;
            }
        }
        if is_stopping && drain.in_flight() == 0 || drain.may_end() {
            // An enqueue since the last check has set the flag, under the same lock.
            let _deferred = log::defer();
            let mut state = queue.worker.lock();
            if is_stopping || !state.is_woken {
                // The lease is released before the flag is cleared, because a thread that starts then needs the lease.
                drain.release();
                running.end(&mut state);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::registry;
    use super::drain::IDLE_AFTER;
    use super::*;
    use crate::Config;
    use crate::host::Timestamp;
    use crate::http::{self, Outcome};
    use crate::notification::Message;
    use crate::outcome::Status;
    use crate::spool::{Item, Position};
    use std::thread;
    use std::time::Instant;

    const LONG: Duration = Duration::from_secs(60);

    /// Waits for an effect of another thread.
    fn wait_for(what: impl Fn() -> bool) {
        let deadline = Instant::now() + LONG;
        while !what() {
            assert!(Instant::now() < deadline);
            thread::yield_now();
        }
    }

    fn a_delivery() -> FinishedDelivery {
        let mut config = Config::new();
        config.set("base_url", "http://127.0.0.1:9").unwrap();
        FinishedDelivery {
            job: senders::Job {
                origin: Arc::from("http://127.0.0.1:9"),
                item: Item {
                    position: Position(1),
                    id: String::new(),
                    origin: Arc::from("http://127.0.0.1:9"),
                    path: "/x".into(),
                    body: String::new(),
                    has_begun: false,
                    accepted: Timestamp::default(),
                    attempts: 0,
                    producer: 0,
                },
                pool: http::pool_of(&config.settings().unwrap().service).unwrap(),
                timeout: LONG,
                may_repeat: true,
                is_probe: false,
                times_forgotten: 0,
            },
            outcome: Outcome {
                status: Status::Delivered,
                http_status: Some(204),
                detail: String::new(),
                retry_after: None,
                may_have_arrived: false,
            },
            latency: Duration::ZERO,
        }
    }

    #[test]
    fn worker_commits_answers_in_batches() {
        let worker = Worker::default();
        // A rest does not delay an answer, nor the end.
        let gathered = |in_flight, gather| {
            let wakeup = worker.wait(LONG, LONG, in_flight, gather);
            wakeup.finished.len()
        };
        for in_flight in 1..=3 {
            let waited = thread::scope(|scope| {
                for _ in 0..in_flight {
                    scope.spawn(|| worker.finish(a_delivery()));
                }
                gathered(in_flight, LONG)
            });
            assert_eq!(waited, in_flight);
        }
        // Other deliveries take longer.
        worker.finish(a_delivery());
        assert_eq!(gathered(2, Duration::ZERO), 1);
        // A worker that is stopping does not wait.
        worker.finish(a_delivery());
        assert!(worker.stop(Duration::ZERO));
        assert_eq!(gathered(2, LONG), 1);
    }

    #[test]
    fn worker_that_could_send_nothing_is_not_woken_by_an_enqueue() {
        let worker = Worker::default();
        for rest in [Duration::ZERO, REST] {
            worker.lock().is_woken = true;
            let begin = Instant::now();
            assert!(worker.wait(LONG, rest, 0, GATHER).is_woken);
            assert!(begin.elapsed() >= rest);
        }
    }

    #[test]
    fn worker_polls_its_spool_while_a_client_exists() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::new();
        // No server listens on this port.
        config.set("base_url", "http://127.0.0.1:9").unwrap();
        let path = folder.path().join("spool");
        config.set("spool", path.to_str().unwrap()).unwrap();
        let mut settings = config.settings().unwrap();
        let queue = registry::find_or_open(&settings.service, &settings.queue).unwrap();
        settings.queue.delivers = false;
        let another_process = registry::find_or_open(&settings.service, &settings.queue).unwrap();

        assert!(!queue.has_polled(LONG), "it has not begun");
        queue.join(1, &settings.queue);
        queue.join(2, &settings.queue);
        queue.wake();
        wait_for(|| queue.has_polled(LONG));
        queue.leave(2);
        thread::sleep(IDLE_AFTER * 5);
        let message = Message {
            id: "x".to_owned(),
            path: "/x".into(),
            body: "{}".to_owned(),
        };
        let put_in = another_process.push(message, (0, ""), Instant::now() + LONG);
        put_in.unwrap();
        let stats = || another_process.stats(Instant::now() + LONG).unwrap();
        wait_for(|| stats().gate_failures > 0);

        assert!(queue.worker.is_running());
        assert!(queue.stop_delivery(LONG));
    }

    #[test]
    fn worker_thread_ends_when_the_queue_is_empty_and_no_client_exists() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spool");
        for spool in [None, path.to_str()] {
            let mut config = Config::new();
            config.set("base_url", "http://127.0.0.1:9").unwrap();
            config.set("max_items", "7777").unwrap();
            if let Some(path) = spool {
                config.set("spool", path).unwrap();
            }
            let settings = config.settings().unwrap();
            let queue = registry::find_or_open(&settings.service, &settings.queue).unwrap();
            queue.join(1, &settings.queue);
            queue.wake();
            assert!(queue.worker.is_running());
            if spool.is_some() {
                queue.leave(1);
            }
            wait_for(|| !queue.worker.is_running());
        }
    }
}
