//! The queues of this process: clients of equal settings share one, also when they come and go.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::Queue;
use crate::host::{self, PerProcess};
use crate::options::{QueueSettings, ServiceSettings};
use crate::outcome::Error;

/// How many queues without a client and without work are kept.
const MAX_IDLE: usize = 8;

/// A shop has one or two: no map finds them faster.
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

/// The queue of these settings, if this process has it.
pub(crate) fn find_open(service: &ServiceSettings, settings: &QueueSettings) -> Option<Arc<Queue>> {
    find(&lock(), service, settings)
}

/// Ends this process's part in the delivery of every spool, for good: each of its drainers takes nothing more out of the
/// spool, and waits until requests in flight are recorded. For a process that is about to end: a request that is in
/// flight at that moment is otherwise sent again later.
///
/// Waits at most `timeout`. Returns false if requests were still in flight then: they are sent once more later, under
/// the same ids. What is left stays in the spools, and enqueues keep working. Another process becomes the leader of a
/// spool at once. Queues in memory are left alone: [`Client::flush`](crate::Client::flush) them before.
#[must_use]
pub fn stop_delivery(timeout: Duration) -> bool {
    let deadline = host::deadline_after(timeout);
    let is_shared = |queue: &&Arc<Queue>| queue.settings.spool.is_some();
    let queues: Vec<_> = lock().iter().filter(is_shared).cloned().collect();
    // All of them at once, so that none takes more out while another is waited for.
    for queue in &queues {
        let _ = queue.stop_delivery(Duration::ZERO);
    }
    let left = || deadline.saturating_duration_since(Instant::now());
    queues.iter().all(|queue| queue.stop_delivery(left()))
}

/// The queue of these settings, made now or found.
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
        // Closing files: after the lock is given back.
        gone.extend(queues.extract_if(.., |q| Arc::strong_count(q) == 1 && q.is_idle()));
    }
    queues.push(Arc::clone(&fresh));
    drop(queues);
    drop(gone);
    Ok(fresh)
}
