//! The listeners of a queue: clients that want to know the outcomes of notifications. A client
//! either has a callback or polls.
//!
//! A listener is found by its client's number in the queue, and queues belong to one process. A
//! forked child therefore never uses its parent's listeners, which may be locked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use crate::host::Mailbox;
use crate::host::{self, CallbackSlot};
use crate::outcome::Receipt;

/// The callback for every completed notification: gets the receipt, and the duration of the last attempt.
pub(crate) type OnDelivery = dyn Fn(&Receipt, Duration) + Send + Sync;

/// Greatest number of outcomes that wait for a polling client.
const MAX_KEPT_RECEIPTS: usize = 1024;

/// The listeners of a queue, by client number.
#[derive(Default)]
pub(crate) struct Listeners(Mutex<HashMap<u64, Arc<Listener>>>);

struct Listener {
    slot: CallbackSlot<OnDelivery>,
    /// Made when the client polls for the first time.
    mailbox: OnceLock<Mailbox<Receipt>>,
}

impl std::fmt::Debug for Listeners {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Listeners")
    }
}

impl Listeners {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Listener>>> {
        host::lock(&self.0)
    }

    fn listener_of(&self, client: u64) -> Arc<Listener> {
        let mut listeners = self.lock();
        let listener = listeners.entry(client).or_insert_with(|| {
            Arc::new(Listener {
                slot: CallbackSlot::new(None),
                mailbox: OnceLock::new(),
            })
        });
        Arc::clone(listener)
    }

    /// Sets the callback. When this returns, an earlier one has ended.
    pub(crate) fn call(&self, client: u64, callback: Arc<OnDelivery>) {
        self.listener_of(client).slot.set(Some(callback));
    }

    /// Returns the oldest outcome that the client has not yet got; waits for one for at most
    /// `timeout`. The first call returns none, because outcomes are collected from then on.
    pub(crate) fn next(&self, client: u64, timeout: Duration) -> Option<Receipt> {
        let listener = self.listener_of(client);
        listener
            .mailbox
            .get_or_init(|| Mailbox::new(MAX_KEPT_RECEIPTS))
            .take(timeout)
    }

    /// Removes the client's listener. When this returns, its callback has ended.
    pub(crate) fn forget(&self, client: u64) {
        // Removed in a separate statement, because the lock must not be held while the callback
        // ends.
        let forgotten = self.lock().remove(&client);
        if let Some(listener) = forgotten {
            listener.slot.set(None);
        }
    }

    /// Calls all listeners. No lock is held while callbacks run. Returns early if a callback forked
    /// and this is the child.
    pub(super) fn call_all(&self, receipts: &[(Receipt, Duration)], is_ours: impl Fn() -> bool) {
        let listeners: Vec<_> = self.lock().values().cloned().collect();
        for (receipt, latency) in receipts {
            for listener in &listeners {
                if let Some(mailbox) = listener.mailbox.get() {
                    mailbox.keep(receipt.clone());
                }
                listener.slot.run(|callback| callback(receipt, *latency));
                if !is_ours() {
                    return;
                }
            }
        }
    }
}
