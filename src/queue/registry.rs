//! The queues of this process. Clients with equal settings share a queue, even if they do not exist at the same time.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::Queue;
use crate::host::{self, PerProcess};
use crate::options::{QueueSettings, ServiceSettings};
use crate::outcome::Error;

/// How many queues are kept that have no client and are empty.
const MAX_IDLE: usize = 8;

/// A list, because a shop has one or two queues.
static REGISTRY: PerProcess<Mutex<Vec<Arc<Queue>>>> = PerProcess::new();

fn lock() -> MutexGuard<'static, Vec<Arc<Queue>>> {
    let registry = REGISTRY.get(|_| Mutex::default());
    host::lock(registry)
}

fn find(
    queues: &[Arc<Queue>],
    service: &ServiceSettings,
    settings: &QueueSettings,
) -> Option<Arc<Queue>> {
    let is_it = |queue: &&Arc<Queue>| {
        queue.service == *service && queue.settings.shares_a_queue_with(settings)
    };
    queues.iter().find(is_it).cloned()
}

/// The queue with these settings, if this process has one.
pub(crate) fn find_open(service: &ServiceSettings, settings: &QueueSettings) -> Option<Arc<Queue>> {
    find(&lock(), service, settings)
}

/// Ends this process's delivery of every spool, for good. The process sends no further notification
/// from a spool, and the call waits until requests in flight are recorded, for at most `timeout`.
/// Call it in a process that is about to end: a request that is in flight when the process ends is
/// sent again later.
///
/// Returns false if requests were still in flight after `timeout`; they are sent again later, with the same ids,
/// except payments, which become dead letters.
/// Pending notifications stay in the spools, and enqueues keep working. Another process on standby becomes the leader
/// of a spool at once. Queues in memory are not stopped: [`Client::flush`](crate::Client::flush) them before.
#[must_use]
pub fn stop_delivery(timeout: Duration) -> bool {
    let deadline = host::deadline_after(timeout);
    let is_shared = |queue: &&Arc<Queue>| queue.settings.spool.is_some();
    let queues: Vec<_> = lock().iter().filter(is_shared).cloned().collect();
    // First stop all of them, so that none sends more while the call waits for another.
    for queue in &queues {
        let _ = queue.stop_delivery(Duration::ZERO);
    }
    let left = || deadline.saturating_duration_since(Instant::now());
    queues.iter().all(|queue| queue.stop_delivery(left()))
}

/// The queue with these settings; opened if this process has none.
pub(crate) fn find_or_open(
    service: &ServiceSettings,
    settings: &QueueSettings,
) -> Result<Arc<Queue>, Error> {
    if let Some(queue) = find_open(service, settings) {
        return Ok(queue);
    }
    let fresh = Queue::new(service, settings)?;
    let mut queues = lock();
    if let Some(queue) = find(&queues, service, settings) {
        return Ok(queue);
    }
    let mut gone = Vec::new();
    if queues.len() >= MAX_IDLE {
        // Dropped after the lock is released, because this closes files.
        gone.extend(queues.extract_if(.., |q| Arc::strong_count(q) == 1 && q.is_idle()));
    }
    queues.push(Arc::clone(&fresh));
    drop(queues);
    drop(gone);
    Ok(fresh)
}
