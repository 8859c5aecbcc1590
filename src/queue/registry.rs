//! The queues of this process: clients of equal settings share one, also when they come and go.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::Queue;
use crate::config::{QueueSettings, Route};
use crate::host::PerProcess;
use crate::status::Error;

type Key = (Route, QueueSettings);

/// How many queues without a client and without work are kept.
const MAX_IDLE: usize = 8;

static REGISTRY: PerProcess<Mutex<HashMap<Key, Arc<Queue>>>> = PerProcess::new();

/// The queue of these settings, if this process has it.
pub(crate) fn known(route: &Route, settings: &QueueSettings) -> Option<Arc<Queue>> {
    let registry = REGISTRY.get(|_| Mutex::default());
    let queues = registry.lock().unwrap_or_else(PoisonError::into_inner);
    queues.get(&(route.clone(), settings.clone())).cloned()
}

/// The queue of these settings, made now or found.
pub(crate) fn of(route: &Route, settings: &QueueSettings) -> Result<Arc<Queue>, Error> {
    let registry = REGISTRY.get(|_| Mutex::default());
    let lock = || registry.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (route.clone(), settings.clone());
    if let Some(queue) = lock().get(&key) {
        return Ok(Arc::clone(queue));
    }
    let fresh = Queue::new(route, settings)?;
    let mut queues = lock();
    let mut gone = Vec::new();
    if queues.len() >= MAX_IDLE {
        // Closing files: after the lock is given back.
        gone.extend(
            queues
                .extract_if(|_, q| Arc::strong_count(q) == 1 && q.is_idle())
                .map(|(_, q)| q),
        );
    }
    let queue = Arc::clone(queues.entry(key).or_insert(fresh));
    drop(queues);
    drop(gone);
    Ok(queue)
}
