//! The threads that send requests: at most `concurrency`, started when there is something to send.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::super::Queue;
use crate::host::{self, Stack};
use crate::http::{Outcome, Pool, Request};
use crate::notification;
use crate::outcome::Status;
use crate::spool::Item;

/// A delivery to make.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) origin: Arc<str>,
    pub(super) item: Item,
    pub(super) pool: Arc<Pool>,
    pub(super) timeout: Duration,
    /// Whether to send it again after a failure in which it may have arrived.
    pub(super) may_repeat: bool,
    /// Whether it is a probe, which is sent while the gate is closed.
    pub(super) is_probe: bool,
    /// `Drain::times_forgotten` when the item was fetched.
    pub(super) times_forgotten: u64,
}

/// A finished delivery, with any outcome.
#[derive(Debug)]
pub(super) struct FinishedDelivery {
    pub(super) job: Job,
    pub(super) outcome: Outcome,
    pub(super) latency: Duration,
}

/// A thread ends after this time without work.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// The sender threads. They end after this is dropped with the worker.
pub(super) struct Senders {
    queue: Arc<Queue>,
    most: usize,
    jobs: Arc<Jobs>,
}

#[derive(Default)]
struct Jobs {
    state: Mutex<SenderQueue>,
    arrived: Condvar,
}

#[derive(Default)]
struct SenderQueue {
    waiting: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

impl Jobs {
    fn lock(&self) -> MutexGuard<'_, SenderQueue> {
        host::lock(&self.state)
    }
}

impl Senders {
    pub(super) fn new(queue: &Arc<Queue>, most: usize) -> Senders {
        Senders {
            queue: Arc::clone(queue),
            most,
            jobs: Arc::default(),
        }
    }

    pub(super) fn send(&self, job: Job) {
        let mut state = self.jobs.lock();
        state.waiting.push_back(job);
        if state.waiting.len() > state.idle && state.threads < self.most {
            let (queue, jobs) = (Arc::clone(&self.queue), Arc::clone(&self.jobs));
            if host::spawn("esales-sender", Stack::Ours, move || work(&queue, &jobs)).is_ok() {
                state.threads += 1;
            } else if state.threads == 0
                && let Some(job) = state.waiting.pop_back()
            {
                // The system provides no thread: deliver on this thread, which is slower.
                drop(state);
                self.queue.worker.finish(deliver(job));
                return;
            }
        }
        drop(state);
        self.jobs.arrived.notify_one();
    }
}

fn work(queue: &Queue, jobs: &Jobs) {
    let mut state = jobs.lock();
    loop {
        if let Some(job) = state.waiting.pop_front() {
            drop(state);
            queue.worker.finish(deliver(job));
            state = jobs.lock();
            continue;
        }
        state.idle += 1;
        let (guard, timeout) = jobs
            .arrived
            .wait_timeout(state, IDLE_TIMEOUT)
            .unwrap_or_else(PoisonError::into_inner);
        state = guard;
        state.idle -= 1;
        if timeout.timed_out() && state.waiting.is_empty() {
            state.threads -= 1;
            return;
        }
    }
}

fn deliver(job: Job) -> FinishedDelivery {
    let start = Instant::now();
    let exchanged = catch_unwind(AssertUnwindSafe(|| {
        let item = &job.item;
        let request = Request {
            path: &item.path,
            body: item.body.as_bytes(),
            may_repeat: job.may_repeat,
            secrets: &|| notification::secrets(&item.path, &item.body),
        };
        job.pool.transport.exchange(&request, start + job.timeout)
    }));
    FinishedDelivery {
        // A defect of the library must not lose the notification: it is retried as after a broken
        // connection.
        outcome: exchanged.unwrap_or_else(|_| {
            let lost = Outcome {
                status: Status::ConnectionLost,
                http_status: None,
                detail: "a defect in esales-notify ended this attempt".to_owned(),
                retry_after: None,
                may_have_arrived: true,
            };
            match job.may_repeat {
                true => lost,
                false => lost.of_unrepeatable(),
            }
        }),
        latency: start.elapsed(),
        job,
    }
}
