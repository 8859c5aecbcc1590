//! The spool, which stores accepted notifications until they are completed.
//!
//! The interface has four parts. A producer uses the [`Inlet`]. The one drainer of a spool holds
//! the [`Lease`] from the [`Outlet`]. Any process may read the [`Ledger`]. An operator uses the
//! [`Operator`]. The interface does not depend on an engine: positions are opaque, and every call
//! that may wait has a deadline.
//!
//! The counter invariant holds in every engine at every moment: `accepted = delivered + dead +
//! expired + dropped + pending`.

mod gate;
#[cfg(test)]
pub(crate) mod kit;
#[cfg(feature = "log-spool")]
pub(crate) mod log;
pub(crate) mod memory;
#[cfg(feature = "redis-spool")]
pub(crate) mod redis;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::options::{QueueSettings, SpoolPlace};
pub(crate) use gate::Gate;

use crate::host::Timestamp;
use crate::outcome::{Error, Receipt, Status};

/// Number of deliveries for the percentiles.
pub(crate) const RECENT: usize = 1000;

/// Smallest number of receipts that a spool keeps; `receipt_retention_s` limits their age.
pub(crate) const MAX_RECEIPTS: usize = 20_000;

/// The position of a notification in its spool. Later notifications have greater positions; the numbers have no other
/// meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Position(pub(crate) u64);

/// A notification from a producer.
#[derive(Debug, Clone)]
pub(crate) struct NewItem {
    pub(crate) id: String,
    /// The origin for which the notification was accepted. It is never delivered to another origin.
    pub(crate) origin: Arc<str>,
    /// The path after the origin. It identifies the kind of the notification, and may contain a
    /// secret.
    pub(crate) path: Cow<'static, str>,
    pub(crate) body: String,
    pub(crate) accepted: Timestamp,
    /// Number of attempts of a blocking call, and the result of the last one.
    pub(crate) attempts: u32,
    pub(crate) detail: String,
}

/// A pending notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) position: Position,
    pub(crate) id: String,
    pub(crate) origin: Arc<str>,
    pub(crate) path: Cow<'static, str>,
    pub(crate) body: String,
    pub(crate) accepted: Timestamp,
    pub(crate) attempts: u32,
    /// Whether a delivery began and its result was not recorded: the notification may have arrived.
    pub(crate) has_begun: bool,
    /// The engine's number of the producer that accepted it.
    pub(crate) producer: u64,
}

#[cfg(feature = "log-spool")]
impl Item {
    /// The item as a producer enqueues it: with the same id, the same body and no detail.
    fn to_new(&self) -> NewItem {
        NewItem {
            id: self.id.clone(),
            origin: Arc::clone(&self.origin),
            path: self.path.clone(),
            body: self.body.clone(),
            accepted: self.accepted,
            attempts: self.attempts,
            detail: String::new(),
        }
    }
}

/// A random number for a producer. JSON parsers of other languages support integers of 53 bits.
#[cfg(feature = "log-spool")]
fn new_producer() -> Result<u64, Error> {
    let bytes = crate::host::random().map_err(crate::keys::no_random_bytes)?;
    let used = bytes.iter().take(6);
    Ok(used.fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// The fate of an item after an attempt, or without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Delivered,
    Dead,
    Expired,
    /// The item stays in the queue, and is not tried again before the pause is over.
    Retry {
        pause: Duration,
    },
}

/// The result of an attempt, or of an item without one.
#[derive(Debug, Clone)]
pub(crate) struct Settlement {
    pub(crate) item: Item,
    pub(crate) fate: Fate,
    pub(crate) status: Status,
    pub(crate) http_status: Option<u16>,
    pub(crate) detail: String,
    /// The duration of the last attempt.
    pub(crate) latency: Duration,
    pub(crate) at: Timestamp,
}

impl Settlement {
    /// The time from acceptance to the settlement.
    pub(crate) fn age(&self) -> Duration {
        self.at.since(self.item.accepted).length
    }

    pub(crate) fn receipt(&self) -> Receipt {
        Receipt {
            status: match self.fate {
                Fate::Retry { .. } => Status::Queued,
                _ => self.status,
            },
            http_status: self.http_status,
            attempts: self.item.attempts,
            elapsed: self.age(),
            id: self.item.id.clone(),
            detail: self.detail.clone(),
        }
    }
}

/// Counted notifications, which obey the counter invariant:
/// `accepted = delivered + dead + expired + dropped + pending`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Notifications that were accepted into the queue.
    pub accepted: u64,
    /// Accepted notifications that the service received (2xx).
    pub delivered: u64,
    /// Accepted notifications that are dead letters: refused for good by the service, or payments
    /// that may have arrived.
    pub dead: u64,
    /// Accepted notifications that were not delivered within `max_age_s`.
    pub expired: u64,
    /// Accepted notifications that were dropped: to make room (`overflow`, `max_dead`), by an
    /// operator, or because the spool's files were damaged.
    pub dropped: u64,
    /// Accepted notifications that are still to be delivered.
    pub pending: u64,
}

impl Counts {
    /// Whether the counter invariant holds.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        let parts = [
            self.delivered,
            self.dead,
            self.expired,
            self.dropped,
            self.pending,
        ];
        // Counters in a damaged spool can be of any size.
        let sum = parts.into_iter().try_fold(0, u64::checked_add);
        sum == Some(self.accepted)
    }
}

/// The counters of a spool.
#[derive(Debug, Clone, Default)]
pub(crate) struct Totals {
    pub(crate) spool: Counts,
    /// The counters of this handle's producer.
    pub(crate) process: Counts,
    pub(crate) pending_bytes: u64,
    /// Acceptance time of the oldest pending notification.
    pub(crate) oldest: Option<Timestamp>,
    /// Accepted notifications that the engine has lost; there may be more.
    pub(crate) lost: u64,
    /// Age at delivery, and latency of the last attempt, for the last [`RECENT`] deliveries.
    pub(crate) recent: Vec<(Duration, Duration)>,
}

/// A pending notification or a dead letter, for an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredItem {
    pub(crate) item: Item,
    /// `None`: the notification is pending.
    pub(crate) died: Option<Timestamp>,
    /// The status of the last attempt; `Queued` if there was no attempt.
    pub(crate) status: Status,
    pub(crate) http_status: Option<u16>,
    pub(crate) detail: String,
}

/// An overview for an operator, in addition to the [`Totals`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Overview {
    /// Each origin with its gate and its number of pending notifications, as far as the drainer has counted them.
    pub(crate) origins: Vec<(Arc<str>, Gate, u64)>,
    pub(crate) dead_by_status: Vec<(Status, u64)>,
    /// The process that holds the lease, as text; `None`: no process does.
    pub(crate) leader: Option<String>,
    /// Damaged files that were set aside.
    pub(crate) set_aside: Vec<PathBuf>,
    /// Contradictions in the spool, as text. Empty if the spool is sound.
    pub(crate) faults: Vec<String>,
}

/// The reason why a call on a lease failed.
#[derive(Debug)]
pub(crate) enum LeaseError {
    /// Another process is the leader now. Nothing was recorded, and nothing more may be sent.
    Lost,
    /// The spool was deleted and made anew, or the engine has failed over and may lack the last writes. The lease is still
    /// held. Nothing was recorded, and fetched items are invalid: their positions may now belong to other items.
    Replaced,
    /// The engine failed; the lease is still held, and the call may be repeated.
    Failed(Error),
}

impl From<Error> for LeaseError {
    fn from(e: Error) -> LeaseError {
        LeaseError::Failed(e)
    }
}

/// The error if the limits are reached: the notification was not accepted.
pub(crate) fn full(max_items: u64, max_bytes: u64) -> Error {
    Error::new(
        Status::QueueFull,
        format!("the queue is full (max_items {max_items}, max_bytes {max_bytes})"),
    )
}

/// The producer's part of a spool.
pub(crate) trait Inlet {
    /// Accepts a notification, before `deadline`. On return the notification has the durability of the spool's
    /// settings. `QUEUE_FULL`: it was not accepted. `SPOOL_FAILED`: it was not accepted, unless the message says that
    /// it may be.
    fn push(&self, item: &NewItem, deadline: Instant) -> Result<(), Error>;

    /// Like `push`, but returns a message for the receipt if the notification is stored in the fallback.
    fn accept(&self, item: &NewItem, deadline: Instant) -> Result<Option<String>, Error> {
        self.push(item, deadline).map(|()| None)
    }
}

/// The drainer's part of a spool.
pub(crate) trait Outlet {
    /// The lease of the spool's one drainer; `None`: it is held by another drainer, in this or another process.
    fn acquire(&self, deadline: Instant) -> Result<Option<Box<dyn Lease>>, Error>;
}

/// The functions of the one drainer. Dropping the lease releases it.
///
/// Every call renews the lease. A drainer that makes no call for the lease time may lose the lease;
/// every further call then returns [`LeaseError::Lost`], because its fencing token is stale.
pub(crate) trait Lease: Debug + Send {
    /// Reads new notifications and commands. Returns whether there were any. Of a large backlog, one call reads only a
    /// part.
    fn poll(&mut self, now: Timestamp) -> Result<bool, LeaseError>;

    /// The origins of all accepted notifications, with their gates.
    fn origins(&self) -> Vec<(Arc<str>, Gate)>;

    /// The oldest items for `origin` that may be tried at `now` and are not in `skip`, at most
    /// `limit`. An item that ends a session is returned only after every older item of that
    /// session, also in `skip`, is completed.
    fn fetch(
        &mut self,
        origin: &str,
        now: Timestamp,
        limit: usize,
        skip: &HashSet<Position>,
    ) -> Result<Vec<Item>, LeaseError>;

    /// The oldest items for `origin` that are older than `max_age` and not in `skip`, even if they
    /// may not be tried yet. An item whose age is uncertain counts as older only after an attempt.
    fn overdue(
        &mut self,
        origin: &str,
        now: Timestamp,
        max_age: Duration,
        skip: &HashSet<Position>,
    ) -> Result<Vec<Item>, LeaseError>;

    /// Records that the delivery of these items begins. If this drainer ends before it settles
    /// them, the next one finds [`Item::has_begun`] set.
    fn begin(&mut self, items: &[Position]) -> Result<(), LeaseError>;

    /// Records all settlements and gates, or none of them. Items that have left the spool meanwhile are skipped.
    fn settle(
        &mut self,
        settlements: &[Settlement],
        gates: &[(Arc<str>, Gate)],
    ) -> Result<(), LeaseError>;

    /// Housekeeping, about once a second.
    fn maintain(&mut self, now: Timestamp) -> Result<(), LeaseError>;

    /// Makes everything up to the last settlement visible in the [`Ledger`]. Called before the
    /// lease is dropped regularly.
    fn release(self: Box<Self>);
}

/// The readable part of a spool, for any process. It changes no file, makes none, and takes no lease.
pub(crate) trait Ledger {
    fn totals(&self, deadline: Instant) -> Result<Totals, Error>;

    /// The gate of an origin, as last recorded by the drainer.
    fn gate(&self, origin: &str, deadline: Instant) -> Result<Gate, Error>;

    /// The receipt of an id, if it is pending or its receipt is not too old.
    fn receipt(
        &self,
        id: &str,
        now: Timestamp,
        deadline: Instant,
    ) -> Result<Option<Receipt>, Error>;

    /// The ids among these that have a receipt, however old; pending ids may be included.
    fn known(&self, ids: &HashSet<&str>, deadline: Instant) -> Result<HashSet<String>, Error>;

    /// A mark after all notifications accepted so far; `None`: the spool was busy until `deadline`.
    fn mark(&self, deadline: Instant) -> Result<Option<Position>, Error>;

    /// Whether all notifications before the mark have left the queue. False if this is not known at `deadline`.
    fn is_settled(&self, mark: Position, deadline: Instant) -> Result<bool, Error>;
}

/// The operator's part of a spool. If a drainer is running, it executes commands in its next
/// iteration; [`Operator::is_done`] returns whether it has. Returned numbers are those at the time
/// of the call.
pub(crate) trait Operator {
    fn overview(&self, deadline: Instant) -> Result<Overview, Error>;

    /// The process that holds the lease, as text; `None`: no process does.
    fn leader(&self, deadline: Instant) -> Result<Option<String>, Error> {
        Ok(self.overview(deadline)?.leader)
    }

    /// The unreadable parts of the spool, as text.
    fn unreadable(&self, deadline: Instant) -> Result<Vec<String>, Error> {
        Ok(self.overview(deadline)?.faults)
    }

    /// Pending notifications after `after`, oldest first, at most `limit`.
    fn pending(
        &self,
        after: Option<Position>,
        limit: usize,
        deadline: Instant,
    ) -> Result<Vec<StoredItem>, Error>;

    /// Dead letters after `after`, oldest first, at most `limit`.
    fn dead(
        &self,
        after: Option<Position>,
        limit: usize,
        deadline: Instant,
    ) -> Result<Vec<StoredItem>, Error>;

    /// Enqueues these dead letters again at the end, each with this body. Their age counts from now
    /// and their attempts from 0. Returns the number of dead letters that existed.
    fn requeue(&self, letters: &[StoredItem], deadline: Instant) -> Result<u64, Error>;

    /// Drops these dead letters. Returns the number of dead letters that existed.
    fn discard(&self, letters: &[Position], deadline: Instant) -> Result<u64, Error>;

    /// Drops every pending notification and dead letter for whose body `theirs` returns true. No
    /// copy of such a body stays in the spool, not even of a delivered one. Returns the number of
    /// notifications dropped.
    fn purge(&self, theirs: &dyn Fn(&str) -> bool, deadline: Instant) -> Result<u64, Error>;

    /// Ends the pause of every origin that is backing off. Returns the number of origins.
    fn probe_now(&self, deadline: Instant) -> Result<u64, Error>;

    /// Whether all operator's commands so far have been executed.
    fn is_done(&self, deadline: Instant) -> Result<bool, Error>;

    /// Makes a consistent copy in the new directory `to`, while the spool is in use. Returns the number of pending
    /// notifications in it.
    fn backup(&self, to: &Path, deadline: Instant) -> Result<u64, Error>;
}

/// A spool of any engine. Any thread may use it.
pub(crate) trait Spool: Inlet + Outlet + Ledger + Operator + Debug + Send + Sync {}

impl<T: Inlet + Outlet + Ledger + Operator + Debug + Send + Sync> Spool for T {}

/// The directory of a spool that has one, after the checks of a client.
pub(crate) fn directory(settings: &QueueSettings) -> Result<Option<PathBuf>, Error> {
    let Some(path) = settings.spool.as_ref().and_then(SpoolPlace::directory) else {
        return Ok(None);
    };
    #[cfg(feature = "log-spool")]
    return log::check(path).map(Some);
    #[cfg(not(feature = "log-spool"))]
    Err(without_feature(&path.display(), "log-spool"))
}

#[cfg(not(feature = "redis-spool"))]
fn without_feature(spool: &dyn std::fmt::Display, feature: &str) -> Error {
    Error::config(format!(
        "spool is {spool}, but this program was built without the feature {feature} of esales-notify: enable it, or leave spool unset"
    ))
}

/// Opens the spool of these settings, and chooses the engine. It makes no file.
pub(crate) fn open(settings: &QueueSettings) -> Result<Arc<dyn Spool>, Error> {
    open_as(settings, true)
}

fn open_as(
    settings: &QueueSettings,
    #[cfg_attr(not(feature = "log-spool"), allow(unused_variables))] creates: bool,
) -> Result<Arc<dyn Spool>, Error> {
    Ok(match &settings.spool {
        None => Arc::new(memory::MemorySpool::new(settings)),
        #[cfg(feature = "log-spool")]
        Some(SpoolPlace::Directory(path)) => {
            Arc::new(log::LogSpool::new(log::check(path)?, settings, creates)?)
        }
        #[cfg(feature = "redis-spool")]
        Some(SpoolPlace::Engine(engine)) => redis::open(engine, settings, creates)?,
        #[cfg(not(feature = "redis-spool"))]
        Some(place @ SpoolPlace::Engine(_)) => return Err(without_feature(place, "redis-spool")),
        #[cfg(not(feature = "log-spool"))]
        Some(place @ SpoolPlace::Directory(_)) => return Err(without_feature(place, "log-spool")),
    })
}

/// Opens an existing spool for an operator: makes nothing, sets nothing aside, and takes no lease.
/// `SPOOL_FAILED`: there is no such spool.
#[cfg(feature = "log-spool")]
pub(crate) fn open_existing(settings: &QueueSettings) -> Result<Arc<dyn Spool>, Error> {
    match directory(settings)? {
        Some(path) => log::existing(path, settings).map(|spool| Arc::new(spool) as Arc<dyn Spool>),
        None if settings.spool.is_some() => open_as(settings, false),
        None => Err(Error::config(
            "spool is missing: name the spool's directory or its engine",
        )),
    }
}

/// Opens a copy of a spool, a backup, or a damaged spool that was moved away, to read its notifications. Changes
/// nothing; `unreadable` lists the parts that cannot be read.
#[cfg(feature = "log-spool")]
pub(crate) fn open_copy(path: &Path) -> Result<Box<dyn Spool>, Error> {
    let settings = crate::Config::new().queue_settings()?;
    log::existing(log::check(path)?, &settings).map(|spool| Box::new(spool) as Box<dyn Spool>)
}
