//! Who in this process wants to hear what became of notifications. A client either is called back, or asks.
//!
//! They are found by the client's number in the queue, which is this process's own: what a forked child inherits of
//! its parent's listeners, a lock perhaps among them, is never looked at.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use crate::host::Mailbox;
use crate::host::{self, CallbackSlot};
use crate::outcome::Receipt;

/// What is called for every settled notification: with the receipt, and the duration of the attempt that decided it.
pub(crate) type OnDelivery = dyn Fn(&Receipt, Duration) + Send + Sync;

/// How many settled notifications wait for a client that asks.
const MAX_KEPT_RECEIPTS: usize = 1024;

/// The listeners of a queue, by the number of their client.
#[derive(Default)]
pub(crate) struct Listeners(Mutex<HashMap<u64, Arc<Listener>>>);

struct Listener {
    slot: CallbackSlot<OnDelivery>,
    /// Made when the client asks for the first time.
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

    /// Calls `callback` from now on. When this returns, an earlier one has ended.
    pub(crate) fn call(&self, client: u64, callback: Arc<OnDelivery>) {
        self.listener_of(client).slot.set(Some(callback));
    }

    /// Takes the oldest settled one that the client has not been told of; waits for it for at most `timeout`. The
    /// first time there is none: from then on they are kept.
    pub(crate) fn next(&self, client: u64, timeout: Duration) -> Option<Receipt> {
        let listener = self.listener_of(client);
        listener
            .mailbox
            .get_or_init(|| Mailbox::new(MAX_KEPT_RECEIPTS))
            .take(timeout)
    }

    /// The client wants to hear no more. When this returns, its callback has ended.
    pub(crate) fn forget(&self, client: u64) {
        // Taken out in a statement of its own: the lock must not be held while the callback ends.
        let forgotten = self.lock().remove(&client);
        if let Some(listener) = forgotten {
            listener.slot.set(None);
        }
    }

    /// No lock is held while callbacks run. Ends early if one of them forked and this is the child.
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
