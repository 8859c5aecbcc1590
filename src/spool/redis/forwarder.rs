//! Forwards the notifications of a fallback to the engine when it answers again. The engine ignores an id that it has
//! already accepted.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::RedisSpool;
use super::breaker::{Breaker, succeed};
use crate::host::{self, Timestamp, log};
use crate::outcome::{Error, Status};
use crate::spool::log::LogSpool;
use crate::spool::{Fate, Inlet, Item, Lease, LeaseError, Outlet, Settlement};

/// How long the drainer forwards in one iteration.
const FORWARD_FOR: Duration = Duration::from_millis(100);
/// Time-out of one call to the log while forwarding.
const LOG_CALL: Duration = Duration::from_secs(1);
/// Number of notifications that are forwarded in one batch.
const PIECE: usize = 100;
/// How often the log is checked for notifications of other processes.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Forwards the notifications in the log to the engine.
#[derive(Debug)]
pub(super) struct Forwarder {
    breaker: Arc<Mutex<Breaker>>,
    engine: RedisSpool,
    path: PathBuf,
    /// A separate handle, so that producers do not wait for the forwarder.
    log: LogSpool,
    state: Mutex<ForwardState>,
}

#[derive(Debug, Default)]
struct ForwardState {
    /// When the log is read next; `None`: now.
    next_look: Option<Instant>,
    /// Held until every notification in the log is forwarded, so that no other process on this machine forwards.
    lease: Option<Box<dyn Lease>>,
    /// Whether the last try to forward failed.
    has_failed: bool,
    forwarded: u64,
}

impl Forwarder {
    pub(super) fn new(
        breaker: Arc<Mutex<Breaker>>,
        engine: RedisSpool,
        path: PathBuf,
        log: LogSpool,
    ) -> Forwarder {
        Forwarder {
            breaker,
            engine,
            path,
            log,
            state: Mutex::default(),
        }
    }

    /// Records that this process has written to the log.
    pub(super) fn expect(&self) {
        if let Ok(mut state) = self.state.try_lock()
            && !state.has_failed
        {
            state.next_look = None;
        }
    }

    /// Forwards for at most one iteration's time, unless the engine does not answer or another process forwards this
    /// log.
    pub(super) fn forward(&self) {
        // Another thread is forwarding.
        let Ok(mut state) = self.state.try_lock() else {
            return;
        };
        let now = Instant::now();
        if state.next_look.is_some_and(|next| now < next) {
            return;
        }
        state.next_look = Some(now + LOOK_EVERY);
        if !self.path.exists() {
            return;
        }
        let until = now + FORWARD_FOR;
        match self.forward_until(&mut state, until) {
            Ok(is_empty) => {
                state.has_failed = false;
                if !is_empty {
                    state.next_look = None;
                    return;
                }
                if let Some(lease) = state.lease.take() {
                    lease.release();
                }
                let forwarded = std::mem::take(&mut state.forwarded);
                if forwarded > 0 {
                    log::info(|| {
                        format!(
                            "{forwarded} notifications in {} were forwarded to the engine",
                            self.path.display()
                        )
                    });
                }
            }
            Err(e) => {
                state.next_look = Some(Instant::now() + LOOK_EVERY);
                if !std::mem::replace(&mut state.has_failed, true) {
                    log::warn(|| {
                        format!(
                            "the notifications in {} cannot be forwarded yet: {e}",
                            self.path.display()
                        )
                    });
                }
            }
        }
    }

    /// Returns whether the log is empty or another process forwards it.
    fn forward_until(&self, state: &mut ForwardState, until: Instant) -> Result<bool, Error> {
        if state.lease.is_none() {
            state.lease = self.log.acquire(Instant::now() + LOG_CALL)?;
        }
        let Some(mut lease) = state.lease.take() else {
            return Ok(true);
        };
        loop {
            let forwarded = self.forward_piece(&mut *lease);
            match forwarded {
                Ok(0) => {
                    state.lease = Some(lease);
                    return Ok(true);
                }
                Ok(forwarded) => {
                    state.forwarded += forwarded;
                    if Instant::now() >= until {
                        state.lease = Some(lease);
                        return Ok(false);
                    }
                }
                Err(LeaseError::Failed(e)) => {
                    state.lease = Some(lease);
                    return Err(e);
                }
                // Another process forwards, or the log was deleted.
                Err(LeaseError::Lost | LeaseError::Replaced) => return Ok(true),
            }
        }
    }

    /// Forwards the oldest notifications of each origin. Returns their number.
    fn forward_piece(&self, lease: &mut dyn Lease) -> Result<u64, LeaseError> {
        let now = Timestamp::now();
        while lease.poll(now)? {}
        lease.maintain(now)?;
        let mut forwarded = 0;
        for (origin, _) in lease.origins() {
            // Ends of sessions become available after the older items have been forwarded.
            let items = lease.fetch(&origin, now, PIECE, &HashSet::new())?;
            let (mut settlements, mut failure) = (Vec::new(), None);
            for item in items {
                match self.engine.push(&item.to_new(), Instant::now() + LOG_CALL) {
                    Ok(()) => settlements.push(self.settlement(item, now)),
                    Err(e) => {
                        failure = Some(e);
                        break;
                    }
                }
            }
            if !settlements.is_empty() {
                // The producers are often other processes.
                host::lock(&self.breaker).look(Instant::now());
                succeed(&self.breaker, &self.engine);
            }
            forwarded += settlements.len() as u64;
            lease.settle(&settlements, &[])?;
            if let Some(e) = failure {
                return Err(e.into());
            }
        }
        Ok(forwarded)
    }

    /// The notification leaves the log. Its receipt in the log stays `Queued`; the engine has the final receipt.
    fn settlement(&self, item: Item, at: Timestamp) -> Settlement {
        Settlement {
            item,
            fate: Fate::Delivered,
            status: Status::Queued,
            http_status: None,
            detail: "forwarded to the engine".to_owned(),
            latency: Duration::ZERO,
            at,
        }
    }
}
