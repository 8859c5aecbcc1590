//! Enqueues the notifications of another spool, each at most once.

use std::collections::HashSet;

use super::deadline;
use super::pages::Pages;
use super::report::may_have_arrived;
use crate::host::Timestamp;
use crate::outcome::Error;
use crate::spool::{NewItem, Spool, StoredItem};

/// The result of [`super::SpoolAdmin::salvage`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SalvageReport {
    /// Number of notifications that were enqueued.
    pub enqueued: u64,
    /// Number of notifications that were skipped, because the spool already had their ids.
    pub already_there: u64,
    /// Number of dead letters that were skipped.
    pub dead_letters_left: u64,
    /// Number of payments that were skipped, because they may have arrived.
    pub may_have_arrived_left: u64,
    /// The parts that could not be read, as text.
    pub unreadable: Vec<String>,
}

/// Enqueues the pending notifications of `copy` in `spool`, and its dead letters if they are included.
pub(super) fn salvage(
    spool: &dyn Spool,
    copy: &dyn Spool,
    with_dead_letters: bool,
    may_count_twice: bool,
) -> Result<SalvageReport, Error> {
    let mut salvage = Salvage {
        spool,
        may_count_twice,
        known: stored_ids(spool)?,
        report: SalvageReport {
            unreadable: copy.unreadable(deadline())?,
            ..SalvageReport::default()
        },
    };
    for page in Pages::pending(copy) {
        salvage.enqueue_unknown(page?)?;
    }
    for page in Pages::dead(copy) {
        let letters = page?;
        if with_dead_letters {
            salvage.enqueue_unknown(letters)?;
        } else {
            salvage.report.dead_letters_left += letters.len() as u64;
        }
    }
    Ok(salvage.report)
}

/// The ids of all pending notifications and dead letters.
fn stored_ids(spool: &dyn Spool) -> Result<HashSet<String>, Error> {
    // In this order, so that a notification that becomes a dead letter in between is found.
    let pages = Pages::pending(spool).chain(Pages::dead(spool));
    let mut ids = HashSet::new();
    for page in pages {
        ids.extend(page?.into_iter().map(|stored| stored.item.id));
    }
    Ok(ids)
}

struct Salvage<'a> {
    spool: &'a dyn Spool,
    may_count_twice: bool,
    /// Ids that must not be enqueued.
    known: HashSet<String>,
    report: SalvageReport,
}

impl Salvage<'_> {
    fn enqueue_unknown(&mut self, page: Vec<StoredItem>) -> Result<(), Error> {
        let unknown = page.iter().map(|stored| stored.item.id.as_str());
        let unknown = unknown.filter(|id| !self.known.contains(*id)).collect();
        self.known.extend(self.spool.known(&unknown, deadline())?);
        for stored in page {
            if !self.known.insert(stored.item.id.clone()) {
                self.report.already_there += 1;
            } else if !self.may_count_twice && may_have_arrived(&stored) {
                self.report.may_have_arrived_left += 1;
            } else {
                self.enqueue(stored)?;
            }
        }
        Ok(())
    }

    fn enqueue(&mut self, stored: StoredItem) -> Result<(), Error> {
        let item = NewItem {
            id: stored.item.id,
            origin: stored.item.origin,
            path: stored.item.path,
            body: stored.item.body,
            accepted: Timestamp::now(),
            attempts: match stored.died {
                Some(_) => 0,
                None => stored.item.attempts,
            },
            detail: stored.detail,
        };
        let enqueued = self.report.enqueued;
        self.spool.push(&item, deadline()).map_err(|e| {
            let message = format!(
                "{} (enqueued before that: {enqueued}; a second run skips them)",
                e.detail()
            );
            Error::new(e.status(), message)
        })?;
        self.report.enqueued += 1;
        Ok(())
    }
}
