//! What every spool can do: hold accepted notifications until one drainer has settled them.
//!
//! In memory or in an SQLite file today; the methods ask for nothing that a networked engine could not do. All of
//! them may be called from any thread. Times are milliseconds since 1970-01-01 UTC.

use std::collections::HashSet;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::gate::Gate;
use super::stats::Counts;
use crate::status::{Error, Receipt, Status};

/// A notification on its way in.
#[derive(Debug, Clone)]
pub(crate) struct NewItem {
    pub(crate) id: String,
    /// Where it goes: accepted for one address, it is never delivered to another.
    pub(crate) url: Arc<str>,
    pub(crate) body: String,
    pub(crate) accepted_at: u64,
    /// Attempts that a blocking call made before it gave up, and what the last of them brought.
    pub(crate) attempts: u32,
    pub(crate) detail: String,
}

/// A notification that waits for delivery.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// Its place in the queue.
    pub(crate) seq: i64,
    pub(crate) id: String,
    pub(crate) body: String,
    pub(crate) accepted_at: u64,
    pub(crate) attempts: u32,
}

/// What is to become of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Delivered,
    Dead,
    Expired,
    /// Stays in the queue.
    Retry {
        not_before: u64,
    },
}

/// What an attempt, or the lack of one, made of an item.
#[derive(Debug, Clone)]
pub(crate) struct Settlement {
    pub(crate) item: Item,
    pub(crate) fate: Fate,
    pub(crate) status: Status,
    pub(crate) http_status: Option<u16>,
    pub(crate) detail: String,
    /// Of the last attempt.
    pub(crate) latency: Duration,
    pub(crate) at: u64,
}

impl Settlement {
    /// From acceptance to now.
    pub(crate) fn age(&self) -> Duration {
        Duration::from_millis(self.at.saturating_sub(self.item.accepted_at))
    }

    /// What the caller is told.
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

/// One address that the spool holds notifications for.
#[derive(Debug, Clone)]
pub(crate) struct Destination {
    pub(crate) url: Arc<str>,
    pub(crate) gate: Gate,
}

/// The spool in numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Totals {
    pub(crate) spool: Counts,
    /// Of what this process accepted.
    pub(crate) process: Counts,
    pub(crate) pending_bytes: u64,
    pub(crate) oldest_at: Option<u64>,
    /// Age at delivery and latency of the last attempt, of the last deliveries.
    pub(crate) recent: Vec<(Duration, Duration)>,
}

/// How many deliveries the percentiles are made of.
pub(crate) const RECENT: usize = 1000;

pub(crate) trait Spool: Debug + Send + Sync {
    /// Accepts a notification, durably as the spool understands it, before it returns and before `deadline`.
    /// QUEUE_FULL or SPOOL_FAILED: it was not accepted.
    fn push(&self, item: NewItem, deadline: Instant) -> Result<(), Error>;

    /// Becomes or stays the one drainer of the spool, in all processes; false: somebody else is.
    fn lead(&self) -> Result<bool, Error>;

    /// Lets somebody else drain.
    fn resign(&self);

    /// Every address that notifications were accepted for.
    fn destinations(&self) -> Result<Vec<Destination>, Error>;

    /// The gate of an address, as the drainer left it.
    fn gate(&self, url: &str, deadline: Instant) -> Result<Gate, Error>;

    fn set_gate(&self, url: &str, gate: Gate) -> Result<(), Error>;

    /// The oldest items for `url` that are not in `skip` and may be tried at `now`.
    fn oldest(
        &self,
        url: &str,
        now: u64,
        limit: usize,
        skip: &HashSet<i64>,
    ) -> Result<Vec<Item>, Error>;

    /// The oldest items, whatever their address, that were accepted before `before`.
    fn overdue(&self, before: u64, skip: &HashSet<i64>) -> Result<Vec<Item>, Error>;

    /// Records all of it, or nothing.
    fn settle(&self, settlements: &[Settlement]) -> Result<(), Error>;

    /// Whether another process or thread changed the spool since this was last asked.
    fn has_changed(&self) -> bool;

    /// Housekeeping, now and then, by the drainer.
    fn maintain(&self, now: u64) -> Result<(), Error>;

    fn totals(&self, deadline: Instant) -> Result<Totals, Error>;

    /// What is known of an id.
    fn receipt(&self, id: &str, now: u64) -> Result<Option<Receipt>, Error>;

    /// A mark behind everything that was accepted so far; `None`: others kept the spool busy until `deadline`.
    fn mark(&self, deadline: Instant) -> Result<Option<i64>, Error>;

    /// Whether nothing in front of the mark is left, as far as can be seen before `deadline`.
    fn is_settled(&self, mark: i64, deadline: Instant) -> Result<bool, Error>;
}
