//! Where accepted notifications live until they are completed.
//!
//! The interface has four parts. A producer uses the [`Inlet`]. The one drainer of a spool holds the [`Lease`] that the
//! [`Outlet`] grants. Anybody reads the [`Ledger`]. The [`Operator`] repairs, replays and erases. Nothing in it is
//! peculiar to one engine: positions are opaque, and every call that may wait has a deadline.
//!
//! The counter invariant holds in every engine at every moment:
//! `accepted = delivered + dead + expired + dropped + pending`.

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

/// How many deliveries the percentiles are made of.
pub(crate) const RECENT: usize = 1000;

/// How many receipts a spool keeps of what left it, at least; `receipt_retention_s` says for how long.
pub(crate) const MAX_RECEIPTS: usize = 20_000;

/// Where a notification stands in its spool. Later ones are greater; nothing else may be read from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Position(pub(crate) u64);

/// A notification that a producer hands in.
#[derive(Debug, Clone)]
pub(crate) struct NewItem {
    pub(crate) id: String,
    /// Where it goes: accepted for one origin, it is never delivered to another.
    pub(crate) origin: Arc<str>,
    /// Below the origin; it says which kind of notification it is, and may hold a secret.
    pub(crate) path: Cow<'static, str>,
    pub(crate) body: String,
    pub(crate) accepted: Timestamp,
    /// Attempts that a blocking call made before it gave up, and the result of the last one.
    pub(crate) attempts: u32,
    pub(crate) detail: String,
}

/// A notification that waits for delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) position: Position,
    pub(crate) id: String,
    pub(crate) origin: Arc<str>,
    pub(crate) path: Cow<'static, str>,
    pub(crate) body: String,
    pub(crate) accepted: Timestamp,
    pub(crate) attempts: u32,
    /// Whether a delivery of it began whose result was not recorded: it may have arrived.
    pub(crate) has_begun: bool,
    /// The producer that accepted it, as the engine numbers them.
    pub(crate) producer: u64,
}

/// What becomes of an item after an attempt, or without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Delivered,
    Dead,
    Expired,
    /// Stays in the queue, and is not tried again before the pause is over.
    Retry {
        pause: Duration,
    },
}

/// The end of an attempt, or of an item that had none.
#[derive(Debug, Clone)]
pub(crate) struct Settlement {
    pub(crate) item: Item,
    pub(crate) fate: Fate,
    pub(crate) status: Status,
    pub(crate) http_status: Option<u16>,
    pub(crate) detail: String,
    /// Of the last attempt.
    pub(crate) latency: Duration,
    pub(crate) at: Timestamp,
}

impl Settlement {
    /// From acceptance to the settlement.
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
    /// Accepted into the queue.
    pub accepted: u64,
    /// Answered 2xx.
    pub delivered: u64,
    /// Refused for good by the service, or a payment that may have arrived, and kept for an operator as dead letters.
    pub dead: u64,
    /// Not delivered within `max_age_s`.
    pub expired: u64,
    /// Dropped to make room (`overflow`, `max_dead`), by an operator, or because the spool's files were damaged.
    pub dropped: u64,
    /// Still to be delivered.
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
    /// Of what this handle's producer accepted.
    pub(crate) process: Counts,
    pub(crate) pending_bytes: u64,
    /// When the oldest pending notification was accepted.
    pub(crate) oldest: Option<Timestamp>,
    /// Notifications that producers were told are accepted, and that the engine has lost since, at least.
    pub(crate) lost: u64,
    /// Age at delivery and latency of the last attempt, of the last [`RECENT`] deliveries.
    pub(crate) recent: Vec<(Duration, Duration)>,
}

/// A pending notification or a dead letter, for an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredItem {
    pub(crate) item: Item,
    /// `None`: it is pending.
    pub(crate) died: Option<Timestamp>,
    /// Of the last attempt; `Queued` if there was none.
    pub(crate) status: Status,
    pub(crate) http_status: Option<u16>,
    pub(crate) detail: String,
}

/// What an operator sees at a glance, beside the [`Totals`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Overview {
    /// Each origin with its gate and its number of pending notifications, as far as the drainer has counted them.
    pub(crate) origins: Vec<(Arc<str>, Gate, u64)>,
    pub(crate) dead_by_status: Vec<(Status, u64)>,
    /// Whether a process holds the lease, and who it is, for a person to read.
    pub(crate) leader: Option<String>,
    /// What was found damaged, for a person to read: files that were set aside.
    pub(crate) set_aside: Vec<PathBuf>,
    /// What does not add up, for a person to read; empty in a sound spool.
    pub(crate) faults: Vec<String>,
}

/// Why a leaseholder's call did nothing.
#[derive(Debug)]
pub(crate) enum LeaseError {
    /// Another process leads now. Nothing was recorded, and nothing more may be sent.
    Lost,
    /// The spool was deleted. The lease is one of the new spool that has begun; nothing was recorded, and what was
    /// fetched is void: its positions are other items' now.
    Replaced,
    /// The engine failed; the lease is still held, and the call may be repeated.
    Failed(Error),
}

impl From<Error> for LeaseError {
    fn from(e: Error) -> LeaseError {
        LeaseError::Failed(e)
    }
}

/// The limits are reached: the notification was not accepted.
pub(crate) fn full(max_items: u64, max_bytes: u64) -> Error {
    Error::new(
        Status::QueueFull,
        format!("the queue is full (max_items {max_items}, max_bytes {max_bytes})"),
    )
}

/// The way in.
pub(crate) trait Inlet {
    /// Accepts a notification, as durably as the spool was asked to, before it returns and before `deadline`.
    /// `QUEUE_FULL`: it was not accepted. `SPOOL_FAILED`: it was not accepted, unless the message says that it may be.
    fn push(&self, item: &NewItem, deadline: Instant) -> Result<(), Error>;

    /// The same, and what the caller is to be told of a notification that is elsewhere than usual.
    fn accept(&self, item: &NewItem, deadline: Instant) -> Result<Option<String>, Error> {
        self.push(item, deadline).map(|()| None)
    }
}

/// The way out.
pub(crate) trait Outlet {
    /// The lease of the spool's one drainer; `None`: it is held by another drainer, in this or another process.
    fn acquire(&self, deadline: Instant) -> Result<Option<Box<dyn Lease>>, Error>;
}

/// What the one drainer may do. Dropping it releases the lease.
///
/// Every call renews the lease. A leaseholder that makes no call for the lease's time may lose it, and then gets
/// [`LeaseError::Lost`] from every further call: the fencing token behind it is stale.
pub(crate) trait Lease: Debug + Send {
    /// Learns what producers and operators have put in; whether there was anything. Part of a large backlog is left for
    /// the next call.
    fn poll(&mut self, now: Timestamp) -> Result<bool, LeaseError>;

    /// Every origin that notifications were accepted for, with its gate.
    fn origins(&self) -> Vec<(Arc<str>, Gate)>;

    /// The oldest items for `origin` that may be tried at `now` and are not in `skip`, at most `limit`. One that ends a
    /// session is not among them before every older item of that session, also in `skip`, is completed.
    fn fetch(
        &mut self,
        origin: &str,
        now: Timestamp,
        limit: usize,
        skip: &HashSet<Position>,
    ) -> Result<Vec<Item>, LeaseError>;

    /// The oldest items for `origin` that are older than `max_age` and not in `skip`, whether or not they may be tried.
    /// Only an item whose age is certain, or that has been tried, counts as older.
    fn overdue(
        &mut self,
        origin: &str,
        now: Timestamp,
        max_age: Duration,
        skip: &HashSet<Position>,
    ) -> Result<Vec<Item>, LeaseError>;

    /// Records that the delivery of these items begins. Should this drainer end before it settles them, the next one
    /// finds [`Item::has_begun`] set.
    fn begin(&mut self, items: &[Position]) -> Result<(), LeaseError>;

    /// Records all the settlements and gates, or nothing. An item that has left the spool meanwhile is passed over.
    fn settle(
        &mut self,
        settlements: &[Settlement],
        gates: &[(Arc<str>, Gate)],
    ) -> Result<(), LeaseError>;

    /// Housekeeping, about once a second.
    fn maintain(&mut self, now: Timestamp) -> Result<(), LeaseError>;

    /// Who reads this spool's [`Ledger`] sees everything up to the last settlement. Called before the lease is dropped
    /// in the regular way.
    fn release(self: Box<Self>);
}

/// What can be asked, by anybody. Nothing is changed, made or set aside, and no lease is touched.
pub(crate) trait Ledger {
    fn totals(&self, deadline: Instant) -> Result<Totals, Error>;

    /// The gate of an origin, as the drainer left it.
    fn gate(&self, origin: &str, deadline: Instant) -> Result<Gate, Error>;

    /// What is known of an id: it is pending, or has a receipt that is not too old, or `None`.
    fn receipt(
        &self,
        id: &str,
        now: Timestamp,
        deadline: Instant,
    ) -> Result<Option<Receipt>, Error>;

    /// Those of these ids that have a receipt, however old it is; ids that are pending may be among them. An engine
    /// that has to search for each receipt searches once for all.
    fn known(&self, ids: &HashSet<&str>, deadline: Instant) -> Result<HashSet<String>, Error> {
        let now = Timestamp::now();
        let mut known = HashSet::new();
        for id in ids {
            if self.receipt(id, now, deadline)?.is_some() {
                known.insert((*id).to_owned());
            }
        }
        Ok(known)
    }

    /// A mark behind everything that was accepted so far; `None`: the spool was busy until `deadline`.
    fn mark(&self, deadline: Instant) -> Result<Option<Position>, Error>;

    /// Whether nothing in front of the mark is pending, as far as can be seen before `deadline`.
    fn is_settled(&self, mark: Position, deadline: Instant) -> Result<bool, Error>;
}

/// What an operator may do. A drainer may be at work meanwhile: it then does what is asked, in its next iteration, and
/// [`Operator::is_done`] says when. The numbers that are returned are those at the time of the call.
pub(crate) trait Operator {
    fn overview(&self, deadline: Instant) -> Result<Overview, Error>;

    /// Who holds the lease, for a person to read; `None`: no process does.
    fn leader(&self, deadline: Instant) -> Result<Option<String>, Error> {
        Ok(self.overview(deadline)?.leader)
    }

    /// What the spool holds and cannot read, for a person to read.
    fn unreadable(&self, deadline: Instant) -> Result<Vec<String>, Error> {
        Ok(self.overview(deadline)?.faults)
    }

    /// Pending notifications behind `after`, oldest first, at most `limit`.
    fn pending(
        &self,
        after: Option<Position>,
        limit: usize,
        deadline: Instant,
    ) -> Result<Vec<StoredItem>, Error>;

    /// Dead letters behind `after`, oldest first, at most `limit`.
    fn dead(
        &self,
        after: Option<Position>,
        limit: usize,
        deadline: Instant,
    ) -> Result<Vec<StoredItem>, Error>;

    /// Enqueues these dead letters again, each with this body, at the end. Their age counts from now, their attempts
    /// from 0. Returns the number of those that were there.
    fn requeue(&self, letters: &[StoredItem], deadline: Instant) -> Result<u64, Error>;

    /// Drops these dead letters. Returns the number of those that were there.
    fn discard(&self, letters: &[Position], deadline: Instant) -> Result<u64, Error>;

    /// Drops every pending notification and dead letter whose body is `theirs`, and leaves no copy of such a body in
    /// the spool, not even of one that was delivered. Returns the number of notifications dropped.
    fn purge(&self, theirs: &dyn Fn(&str) -> bool, deadline: Instant) -> Result<u64, Error>;

    /// Lets one probe out at once, wherever deliveries are backing off. Returns the number of origins.
    fn probe_now(&self, deadline: Instant) -> Result<u64, Error>;

    /// Whether everything that operators have asked for so far has been done.
    fn is_done(&self, deadline: Instant) -> Result<bool, Error>;

    /// Makes a consistent copy in the new directory `to`, while the spool is in use. Returns the number of pending
    /// notifications in it.
    fn backup(&self, to: &Path, deadline: Instant) -> Result<u64, Error>;
}

/// A spool of any engine. May be used from any thread.
pub(crate) trait Spool: Inlet + Outlet + Ledger + Operator + Debug + Send + Sync {}

impl<T: Inlet + Outlet + Ledger + Operator + Debug + Send + Sync> Spool for T {}

/// The directory of a spool that has one, after the checks that every client makes of it.
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

/// Opens the spool that these settings name: here the engine is chosen. Nothing is made yet.
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

/// Opens a spool that exists, for an operator: makes nothing, sets nothing aside, and takes no lease.
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

/// Opens a copy of a spool, a backup, or a damaged spool that was moved away, to read what can be read. Changes
/// nothing; `unreadable` returns what cannot be read.
#[cfg(feature = "log-spool")]
pub(crate) fn open_copy(path: &Path) -> Result<Box<dyn Spool>, Error> {
    let settings = crate::Config::new().queue_settings()?;
    log::existing(log::check(path)?, &settings).map(|spool| Box::new(spool) as Box<dyn Spool>)
}
