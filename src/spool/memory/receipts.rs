//! The newest receipts, for the time of their retention.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use crate::host::Timestamp;
use crate::outcome::{Receipt, Status};
use crate::spool::{Item, MAX_RECEIPTS};

/// The reason why an item was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DropReason {
    /// `overflow` is `drop_oldest`, and a newer notification needed the room.
    MakesRoom,
    Purged,
}

impl DropReason {
    /// The receipt of an item that is dropped at `now`.
    pub(super) fn receipt(self, item: Item, now: Timestamp) -> Receipt {
        let detail = match self {
            DropReason::MakesRoom => "dropped to make room for newer notifications",
            DropReason::Purged => "dropped by an operator",
        };
        Receipt {
            status: Status::Dropped,
            http_status: None,
            attempts: item.attempts,
            elapsed: now.since(item.accepted).length,
            id: item.id,
            detail: detail.to_owned(),
        }
    }
}

#[derive(Clone)]
pub(super) struct Receipts {
    retention: Duration,
    /// Oldest first, each with the time when the notification left the spool.
    receipts: VecDeque<(Timestamp, Receipt)>,
}

impl Receipts {
    pub(super) fn new(retention: Duration) -> Receipts {
        Receipts {
            retention,
            receipts: VecDeque::new(),
        }
    }

    pub(super) fn keep(&mut self, receipt: Receipt, at: Timestamp) {
        if self.retention.is_zero() {
            return;
        }
        if self.receipts.len() >= MAX_RECEIPTS {
            self.receipts.pop_front();
        }
        self.receipts.push_back((at, receipt));
    }

    /// The newest receipt of an id, unless it is too old.
    pub(super) fn find(&self, id: &str, now: Timestamp) -> Option<&Receipt> {
        let (at, receipt) = self.receipts.iter().rev().find(|(_, r)| r.id == id)?;
        self.is_fresh(*at, now).then_some(receipt)
    }

    /// The ids among these that have a receipt.
    pub(super) fn known(&self, ids: &HashSet<&str>) -> HashSet<String> {
        let all = self.receipts.iter().map(|(_, receipt)| &receipt.id);
        all.filter(|id| ids.contains(id.as_str()))
            .cloned()
            .collect()
    }

    pub(super) fn forget_old(&mut self, now: Timestamp) {
        while let Some((at, _)) = self.receipts.front()
            && !self.is_fresh(*at, now)
        {
            self.receipts.pop_front();
        }
    }

    /// Deletes the receipts of these ids, because the service's answer may contain personal data.
    pub(super) fn erase(&mut self, ids: &HashSet<String>) {
        self.receipts.retain(|(_, r)| !ids.contains(&r.id));
    }

    fn is_fresh(&self, at: Timestamp, now: Timestamp) -> bool {
        now.since(at).length < self.retention
    }
}
