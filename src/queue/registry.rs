//! The queues of this process: clients of equal settings share one, also when they come and go.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Queue;
use crate::config::{QueueSettings, Route};
use crate::host::PerProcess;
use crate::status::Error;

/// How many queues without a client and without work are kept.
const MAX_IDLE: usize = 8;

/// A shop has one or two: no map finds them faster.
static REGISTRY: PerProcess<Mutex<Vec<Arc<Queue>>>> = PerProcess::new();

fn lock() -> MutexGuard<'static, Vec<Arc<Queue>>> {
    let registry = REGISTRY.get(|_| Mutex::default());
    registry.lock().unwrap_or_else(PoisonError::into_inner)
}

fn find(queues: &[Arc<Queue>], route: &Route, settings: &QueueSettings) -> Option<Arc<Queue>> {
    let is_it =
        |queue: &&Arc<Queue>| queue.route == *route && queue.settings.shares_a_queue_with(settings);
    queues.iter().find(is_it).cloned()
}

/// The queue of these settings, if this process has it.
pub(crate) fn known(route: &Route, settings: &QueueSettings) -> Option<Arc<Queue>> {
    find(&lock(), route, settings)
}

/// The queue of these settings, made now or found.
pub(crate) fn of(route: &Route, settings: &QueueSettings) -> Result<Arc<Queue>, Error> {
    if let Some(queue) = known(route, settings) {
        return Ok(queue);
    }
    let fresh = Queue::new(route, settings)?;
    let mut queues = lock();
    if let Some(queue) = find(&queues, route, settings) {
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
