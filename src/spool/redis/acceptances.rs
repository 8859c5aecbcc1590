//! The notifications that this process's producer has had accepted: their number, which is compared with the engine's
//! count, and the most recent ones, which are pushed again if the engine may have lost them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::notification::counts_twice;
use crate::options::QueueSettings;
use crate::spool::NewItem;

/// What was written longer ago has reached the disk and every live replica.
pub(super) const KEPT_FOR: Duration = Duration::from_secs(10);
const MAX_KEPT: usize = 1000;
const MAX_BYTES: usize = 1 << 20;
/// Greatest number of ids that may or may not have been accepted.
const MAX_UNSURE: usize = 1000;
/// After this time without a push, the producer takes a new number and counts from 0, because the engine may have
/// forgotten it.
const IDLE: Duration = Duration::from_secs(2 * 86_400);
/// When the engine forgets a producer, in seconds.
pub(super) const FORGET_AFTER_S: u64 = 3 * 86_400;

#[derive(Debug)]
pub(super) struct Acceptances {
    /// The number under which the engine counts this producer's notifications.
    pub(super) producer: u64,
    /// Number of notifications that the engine has accepted.
    pub(super) accepted: u64,
    last_push: Option<Instant>,
    recent: VecDeque<(Instant, NewItem)>,
    bytes: usize,
    unsure: VecDeque<String>,
    /// The value of `Engine::replications` when `recent` was pushed.
    replications: u64,
    /// Number of threads that are pushing taken items again.
    pushing_again: usize,
}

impl Acceptances {
    pub(super) fn new(producer: u64) -> Acceptances {
        Acceptances {
            producer,
            accepted: 0,
            last_push: None,
            recent: VecDeque::new(),
            bytes: 0,
            unsure: VecDeque::new(),
            replications: 0,
            pushing_again: 0,
        }
    }

    /// Takes a new number and counts from 0, if the engine may have forgotten this one.
    pub(super) fn renew(&mut self, fresh: impl FnOnce() -> Option<u64>) {
        let now = Instant::now();
        if self.last_push.is_some_and(|last| now - last >= IDLE)
            && let Some(producer) = fresh()
        {
            self.producer = producer;
            self.accepted = 0;
        }
        self.last_push = Some(now);
    }

    /// Records that the engine accepted the item for the first time.
    pub(super) fn accept(&mut self, item: &NewItem, settings: &QueueSettings) {
        self.accepted += 1;
        self.unsure.retain(|id| *id != item.id);
        // A payment that was delivered before the engine lost it would be counted twice.
        if counts_twice(&item.path) && !settings.repeats_payments {
            return;
        }
        self.bytes += item.body.len();
        let now = Instant::now();
        self.recent.push_back((now, item.clone()));
        while let Some((at, oldest)) = self.recent.front()
            && (now - *at > KEPT_FOR || self.recent.len() > MAX_KEPT || self.bytes > MAX_BYTES)
        {
            self.bytes -= oldest.body.len();
            self.recent.pop_front();
        }
    }

    /// Records that the item may or may not have been accepted.
    pub(super) fn doubt(&mut self, id: &str) {
        if self.unsure.len() >= MAX_UNSURE {
            self.unsure.pop_front();
        }
        self.unsure.push_back(id.to_owned());
    }

    /// Whether the result of an earlier push of this id is unknown.
    pub(super) fn is_unsure(&self, id: &str) -> bool {
        self.unsure.iter().any(|unsure| unsure == id)
    }

    /// Takes the items to be pushed again, if the engine's replication has changed since they were pushed. If there are
    /// any, `confirm` or `put_back` must follow.
    pub(super) fn take_unconfirmed(&mut self, replications: u64) -> Vec<NewItem> {
        if std::mem::replace(&mut self.replications, replications) == replications {
            return Vec::new();
        }
        self.bytes = 0;
        self.pushing_again += usize::from(!self.recent.is_empty());
        let recent = std::mem::take(&mut self.recent).into_iter();
        recent.map(|(_, item)| item).collect()
    }

    /// Whether a thread has taken items that the engine may still lack.
    pub(super) fn is_pushing_again(&self) -> bool {
        self.pushing_again > 0
    }

    /// The engine has all items that this thread had taken.
    pub(super) fn confirm(&mut self) {
        self.pushing_again -= 1;
    }

    /// Returns items that could not be pushed again; the next call tries again.
    pub(super) fn put_back(&mut self, items: Vec<NewItem>) {
        self.pushing_again -= 1;
        self.replications = u64::MAX;
        for item in items.into_iter().rev() {
            self.bytes += item.body.len();
            self.recent.push_front((Instant::now(), item));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notification::{self, Kind};
    use crate::spool::kit::{item, settings};

    fn ids(items: &[NewItem]) -> Vec<&str> {
        items.iter().map(|item| item.id.as_str()).collect()
    }

    #[test]
    fn recent_items_are_taken_once_when_the_replication_changes() {
        let mut acceptances = Acceptances::new(1);
        for n in 1..=3 {
            acceptances.accept(&item(n), &settings());
        }
        assert!(acceptances.take_unconfirmed(0).is_empty());
        let taken = acceptances.take_unconfirmed(1);
        assert_eq!(ids(&taken), ["n-1", "n-2", "n-3"]);
        assert!(acceptances.take_unconfirmed(1).is_empty());
        acceptances.accept(&item(4), &settings());
        acceptances.put_back(taken);
        let again = acceptances.take_unconfirmed(1);
        assert_eq!(ids(&again), ["n-1", "n-2", "n-3", "n-4"]);
        assert_eq!(acceptances.accepted, 4);
    }

    #[test]
    fn recent_items_are_bounded_and_hold_no_payment() {
        let mut acceptances = Acceptances::new(1);
        let payment = NewItem {
            path: notification::path(Kind::Payment, None),
            ..item(1)
        };
        acceptances.accept(&payment, &settings());
        let large = NewItem {
            body: "x".repeat(MAX_BYTES / 2),
            ..item(2)
        };
        for _ in 0..3 {
            acceptances.accept(&large, &settings());
        }
        assert_eq!(acceptances.take_unconfirmed(1).len(), 2);
        for n in 0..2 * MAX_KEPT as u64 {
            acceptances.accept(&item(n), &settings());
        }
        assert_eq!(acceptances.take_unconfirmed(2).len(), MAX_KEPT);
    }

    #[test]
    fn id_is_unsure_until_it_is_accepted() {
        let mut acceptances = Acceptances::new(1);
        acceptances.doubt("n-1");
        assert!(acceptances.is_unsure("n-1") && !acceptances.is_unsure("n-2"));
        acceptances.accept(&item(1), &settings());
        assert!(!acceptances.is_unsure("n-1"));
    }
}
