//! The data that an operator can read about a spool.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::host::Timestamp;
use crate::notification;
use crate::outcome::{Receipt, Status};
use crate::queue::stats::{Counts, Percentiles};
use crate::spool::{Gate, Overview, StoredItem, Totals};

/// The state of a spool, as [`super::SpoolAdmin::report`] returns it.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct SpoolReport {
    /// The counters.
    pub counts: Counts,
    /// Accepted notifications that the spool's engine has lost. The true number may be greater. `counts` does not
    /// include them. Always 0 for a spool in a directory.
    pub lost: u64,
    /// Bytes of the pending notifications.
    pub pending_bytes: u64,
    /// How long the oldest pending notification has been waiting; zero if none is pending.
    pub oldest_age: Duration,
    /// Every origin of an accepted notification.
    pub origins: Vec<OriginReport>,
    /// The number of dead letters for each status.
    pub dead_by_status: Vec<(Status, u64)>,
    /// Time from acceptance to the service's answer, for the last 1,000 deliveries.
    pub delivery_age: Percentiles,
    /// Duration of the successful attempt, for the last 1,000 deliveries.
    pub attempt_latency: Percentiles,
    /// The process that delivers the spool, as text. `None`: no process delivers it.
    pub leader: Option<String>,
    /// Damaged files that were set aside.
    pub set_aside: Vec<PathBuf>,
    /// Contradictions in the spool, as text. Empty if the spool is sound.
    pub faults: Vec<String>,
}

impl SpoolReport {
    pub(super) fn new(totals: Totals, overview: Overview, now: Timestamp) -> SpoolReport {
        let (ages, latencies) = totals.recent.into_iter().unzip();
        SpoolReport {
            counts: totals.spool,
            lost: totals.lost,
            pending_bytes: totals.pending_bytes,
            oldest_age: totals
                .oldest
                .map_or(Duration::ZERO, |oldest| now.since(oldest).length),
            origins: overview
                .origins
                .into_iter()
                .map(|(origin, gate, pending)| OriginReport {
                    url: origin.to_string(),
                    pending,
                    gate_failures: gate.failures,
                    next_probe_in: next_probe_in(gate, now),
                })
                .collect(),
            dead_by_status: overview.dead_by_status,
            delivery_age: Percentiles::from_durations(ages),
            attempt_latency: Percentiles::from_durations(latencies),
            leader: overview.leader,
            set_aside: overview.set_aside,
            faults: overview.faults,
        }
    }

    /// Whether the spool is sound: there are no faults, and the counters obey the counter invariant
    /// (`accepted = delivered + dead + expired + dropped + pending`).
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        self.counts.is_balanced() && self.faults.is_empty()
    }
}

/// One origin of a spool, with its gate (the state of its backoff).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OriginReport {
    /// The origin's URL.
    pub url: String,
    /// Number of pending notifications.
    pub pending: u64,
    /// Number of consecutive failed deliveries. 0: deliveries are not backing off.
    pub gate_failures: u32,
    /// Time until the next delivery is tried. Zero: it is due, or deliveries are not backing off.
    pub next_probe_in: Duration,
}

/// A pending notification.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PendingNotification {
    /// The notification's id.
    pub id: String,
    /// The name of the kind, such as `add_to_cart`, or the path if this version does not know the
    /// kind.
    pub kind: String,
    /// The origin to which it is delivered.
    pub origin: String,
    /// When it was accepted.
    pub accepted_at: SystemTime,
    /// How long it has been waiting.
    pub age: Duration,
    /// Number of attempts so far.
    pub attempts: u32,
    /// Status of the last attempt; [`Status::Queued`] if there was none.
    pub status: Status,
    /// HTTP status of the last answer.
    pub http_status: Option<u16>,
    /// Message of the last attempt.
    pub detail: String,
    /// Whether this is a payment that is in flight, or was in flight when its drainer ended. Such a
    /// payment may have arrived.
    pub may_have_arrived: bool,
    /// The body, without its token.
    pub body: String,
}

/// A dead letter: a notification that the service refused for good, or a payment that may have
/// arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The notification's id.
    pub id: String,
    /// The name of the kind, such as `add_to_cart`, or the path if this version does not know the
    /// kind.
    pub kind: String,
    /// The origin to which it was sent.
    pub origin: String,
    /// The status for which it became a dead letter.
    pub status: Status,
    /// HTTP status of the last answer.
    pub http_status: Option<u16>,
    /// Message of the last attempt.
    pub detail: String,
    /// Number of attempts.
    pub attempts: u32,
    /// When it was accepted.
    pub accepted_at: SystemTime,
    /// When it became a dead letter.
    pub died_at: SystemTime,
    /// Whether it has a token, of the visitor or of a payment.
    pub is_signed: bool,
    /// Whether it is a payment that may have arrived. If it is sent again, the service may count it
    /// twice.
    pub may_have_arrived: bool,
    /// The body, without its token.
    pub body: String,
}

/// A notification, as [`super::SpoolAdmin::show`] returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShownNotification {
    /// The receipt.
    pub receipt: Receipt,
    /// The name of the kind, such as `add_to_cart`, and the body without its token. `None`: the
    /// notification has left the spool.
    pub stored: Option<(String, String)>,
    /// Whether it is a payment that may have arrived.
    pub may_have_arrived: bool,
}

/// The result of [`super::SpoolAdmin::retry_dead`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryReport {
    /// Number of dead letters that were enqueued.
    pub retried: u64,
    /// Number of payments that may have arrived and therefore stay dead letters.
    pub left: u64,
}

/// Whether a stored notification is a payment that may have arrived.
pub(super) fn may_have_arrived(stored: &StoredItem) -> bool {
    match stored.died {
        Some(_) => stored.status == Status::MayHaveArrived,
        None => stored.item.has_begun && notification::counts_twice(&stored.item.path),
    }
}

/// Time until the next probe. It is never longer than the intended pause, even if the wall clock
/// was set back.
pub(super) fn next_probe_in(gate: Gate, now: Timestamp) -> Duration {
    if gate.failures == 0 {
        return Duration::ZERO;
    }
    let due = gate.closed_at.saturating_add(gate.pause);
    let wait = due.saturating_sub(now.unix_ms).min(gate.pause);
    Duration::from_millis(wait)
}

fn time_of(at: Timestamp) -> SystemTime {
    let since = Duration::from_millis(at.unix_ms);
    let time = SystemTime::UNIX_EPOCH.checked_add(since);
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}

pub(super) fn pending_of(stored: StoredItem, now: Timestamp) -> PendingNotification {
    let may_have_arrived = may_have_arrived(&stored);
    let item = stored.item;
    PendingNotification {
        may_have_arrived,
        kind: notification::kind_name(&item.path).to_owned(),
        id: item.id,
        origin: item.origin.to_string(),
        accepted_at: time_of(item.accepted),
        age: now.since(item.accepted).length,
        attempts: item.attempts,
        status: stored.status,
        http_status: stored.http_status,
        detail: stored.detail,
        body: notification::redacted(&item.body),
    }
}

pub(super) fn dead_letter_of(stored: StoredItem) -> DeadLetter {
    let may_have_arrived = may_have_arrived(&stored);
    let item = stored.item;
    DeadLetter {
        may_have_arrived,
        is_signed: notification::is_signed(&item.body)
            || notification::payment_token(&item.path).is_some(),
        kind: notification::kind_name(&item.path).to_owned(),
        body: notification::redacted(&item.body),
        id: item.id,
        origin: item.origin.to_string(),
        status: stored.status,
        http_status: stored.http_status,
        detail: stored.detail,
        attempts: item.attempts,
        accepted_at: time_of(item.accepted),
        died_at: time_of(stored.died.unwrap_or_default()),
    }
}

pub(super) fn receipt_of(letter: &StoredItem) -> Receipt {
    let item = &letter.item;
    let died = letter.died.unwrap_or_default();
    Receipt {
        status: letter.status,
        http_status: letter.http_status,
        attempts: item.attempts,
        elapsed: died.since(item.accepted).length,
        id: item.id.clone(),
        detail: letter.detail.clone(),
    }
}
