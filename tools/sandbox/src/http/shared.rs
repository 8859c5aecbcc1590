//! State that the handlers, the connections and the `Sandbox` handle share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use esales_notify_serving::Unfinished;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::journal::Journal;

/// A request to close if idle: the answer is true if the connection was idle and is closed now. A busy connection may
/// drop it without an answer.
pub(crate) type CloseIfIdle = UnboundedSender<bool>;

/// State that the handlers, the connections and the `Sandbox` handle share.
pub(crate) struct Shared {
    pub(crate) journal: Journal,
    pub(crate) private_key: Option<String>,
    pub(crate) ca_pem: Option<String>,
    /// Names beside localhost under which the page and the control interface may be used.
    pub(crate) allow_hosts: Vec<String>,
    pub(super) unfinished: Arc<Unfinished>,
    open: Mutex<Vec<UnboundedSender<CloseIfIdle>>>,
}

impl Shared {
    pub(crate) fn new(
        journal: Journal,
        private_key: Option<String>,
        ca_pem: Option<String>,
        allow_hosts: Vec<String>,
        unfinished: Unfinished,
    ) -> Self {
        Shared {
            journal,
            private_key,
            ca_pem,
            allow_hosts,
            unfinished: Arc::new(unfinished),
            open: Mutex::default(),
        }
    }

    fn open(&self) -> MutexGuard<'_, Vec<UnboundedSender<CloseIfIdle>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a connection to those that [`Shared::close_idle`] asks.
    pub(super) fn register(&self, connection: UnboundedSender<CloseIfIdle>) {
        let mut open = self.open();
        open.retain(|connection| !connection.is_closed());
        open.push(connection);
    }

    /// Closes the idle connections; returns their number when they are closed.
    pub(crate) async fn close_idle(&self) -> usize {
        let (reply, mut replies) = unbounded_channel();
        for connection in self.open().iter() {
            let _ = connection.send(reply.clone()); // fails if it is closed already
        }
        drop(reply);
        let mut closed = 0;
        while let Some(was_idle) = replies.recv().await {
            closed += usize::from(was_idle);
        }
        closed
    }
}
