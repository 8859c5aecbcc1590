//! The operator's functions for a spool, used from a separate process: report, list, retry, erase, copy.
//!
//! A thin layer over the spool interface, which works with every engine: it makes pages, selects by id, hides tokens
//! and renews them.

mod pages;
mod report;
mod salvage;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::host::{self, FileSystem, Timestamp};
use crate::keys::{customer_token, payment_token};
use crate::notification;
use crate::options::{Config, QueueSettings, SpoolPlace};
use crate::outcome::{Error, Status};
#[cfg(feature = "redis-spool")]
use crate::spool::redis::EngineReport;
use crate::spool::{self, Item, LeaseError, Position, Spool, StoredItem};
use pages::{PAGE, Pages, cursor_of, position_of};
pub use report::{
    DeadLetter, OriginReport, PendingNotification, RetryReport, ShownNotification, SpoolReport,
};
use report::{dead_letter_of, may_have_arrived, pending_of, receipt_of};
pub use salvage::SalvageReport;

/// Time limit of one call to the engine.
const OPERATOR_TIMEOUT: Duration = Duration::from_secs(30);

/// How often a command polls whether the drainer has done its part.
const TICK: Duration = Duration::from_millis(5);

fn deadline() -> Instant {
    Instant::now() + OPERATOR_TIMEOUT
}

/// A spool, opened by an operator. Any number of processes may use the spool at the same time.
///
/// Opening a spool changes nothing in it: no file is made, and none is set aside.
#[derive(Debug)]
pub struct SpoolAdmin {
    spool: Arc<dyn Spool>,
    settings: QueueSettings,
}

impl SpoolAdmin {
    /// The directory in the option `spool`, after the checks of a client. `None`: the spool is in memory or in an engine. The directory
    /// need not exist.
    ///
    /// # Errors
    /// [`Status::InvalidConfig`] if a client would refuse the path, or if options of the queue contradict each
    /// other. [`Status::SpoolFailed`] if the directory's parent cannot be used.
    pub fn path(config: &Config) -> Result<Option<PathBuf>, Error> {
        spool::directory(&config.queue_settings()?)
    }

    /// The address of the engine that the option `spool` names, `redis://` or `rediss://`; `None` if the spool is in
    /// memory or in a directory.
    ///
    /// # Errors
    /// [`Status::InvalidConfig`] if the options of the queue contradict one another.
    pub fn engine(config: &Config) -> Result<Option<String>, Error> {
        Ok(match config.queue_settings()?.spool {
            Some(SpoolPlace::Engine(engine)) => Some(engine.url),
            _ => None,
        })
    }

    /// The properties of the engine that holds the spool, for `esales-notify doctor`; `None` if the spool is in memory
    /// or in a directory. Changes nothing.
    ///
    /// # Errors
    /// [`Status::InvalidConfig`] if the options of the queue contradict one another, [`Status::SpoolFailed`] if the engine
    /// cannot be asked.
    #[cfg(feature = "redis-spool")]
    pub fn inspect_engine(config: &Config) -> Result<Option<EngineReport>, Error> {
        let settings = config.queue_settings()?;
        match &settings.spool {
            Some(SpoolPlace::Engine(place)) => {
                spool::redis::inspect(place, &settings, deadline()).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The kind of file system that a spool in `folder` would be on.
    ///
    /// # Errors
    /// [`Status::SpoolFailed`] if the folder cannot be opened.
    pub fn file_system(folder: &Path) -> Result<FileSystem, Error> {
        let found = File::open(folder).and_then(|folder| host::file_system(&folder));
        found.map_err(|e| {
            let message = format!("{}: {e}", folder.display());
            Error::caused_by(Status::SpoolFailed, message, e)
        })
    }

    /// Opens the spool that the option `spool` names. The spool must exist.
    ///
    /// # Errors
    /// [`Status::InvalidConfig`] if `spool` is not set, or as [`SpoolAdmin::path`] returns it.
    /// [`Status::SpoolFailed`] if there is no such spool, or if it cannot be opened.
    pub fn open(config: &Config) -> Result<SpoolAdmin, Error> {
        let settings = config.queue_settings()?;
        if settings.spool.is_none() {
            return Err(Error::config(
                "spool is missing: name the spool's directory or its engine",
            ));
        }
        let spool = spool::open_existing(&settings)?;
        Ok(SpoolAdmin { spool, settings })
    }

    #[cfg(test)]
    pub(crate) fn over(spool: Arc<dyn Spool>, settings: QueueSettings) -> SpoolAdmin {
        SpoolAdmin { spool, settings }
    }

    /// The value of the option `spool`.
    #[must_use]
    pub fn name(&self) -> String {
        let spool = self.settings.spool.as_ref();
        spool.map_or_else(String::new, ToString::to_string)
    }

    /// The state of the spool.
    ///
    /// # Errors
    /// [`Status::SpoolFailed`] if the spool cannot be read.
    pub fn report(&self) -> Result<SpoolReport, Error> {
        let totals = self.spool.totals(deadline())?;
        let overview = self.spool.overview(deadline())?;
        Ok(SpoolReport::new(totals, overview, Timestamp::now()))
    }

    /// Returns a notification. `None`: the id is unknown.
    ///
    /// # Errors
    /// [`Status::SpoolFailed`] if the spool cannot be read.
    pub fn show(&self, id: &str) -> Result<Option<ShownNotification>, Error> {
        let receipt = self.spool.receipt(id, Timestamp::now(), deadline())?;
        let status = receipt.as_ref().map(|r| r.status);
        let pages = match status {
            Some(Status::Delivered) => None,
            Some(Status::Queued) => Some(Pages::pending(&*self.spool)),
            _ => Some(Pages::dead(&*self.spool)),
        };
        let mut newest = None;
        for page in pages.into_iter().flatten() {
            newest = page?.into_iter().rfind(|s| s.item.id == id).or(newest);
        }
        // A dead letter may stay longer than its receipt.
        let receipt = receipt.or_else(|| newest.as_ref().map(receipt_of));
        Ok(receipt.map(|receipt| ShownNotification {
            receipt,
            may_have_arrived: newest.as_ref().is_some_and(may_have_arrived),
            stored: newest.map(|stored| {
                let kind = notification::kind_name(&stored.item.path).to_owned();
                (kind, notification::redacted(&stored.item.body))
            }),
        }))
    }

    /// Returns at most `limit` pending notifications, oldest first, and a cursor. Pass the cursor as `after` to get the
    /// next ones; with the last ones no cursor is returned. A cursor stays valid as long as the spool exists.
    ///
    /// # Errors
    /// [`Status::InvalidArgument`] if `after` is not a cursor of this spool or `limit` is 0, [`Status::SpoolFailed`] if
    /// the spool cannot be read.
    pub fn pending(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<PendingNotification>, Option<String>), Error> {
        if limit == 0 {
            return Err(Error::argument("limit is 0"));
        }
        let after = after.map(position_of).transpose()?;
        // One more than requested, to see whether there is a next page.
        let more = limit.saturating_add(1);
        let mut stored = self.spool.pending(after, more, deadline())?;
        let has_next = stored.len() > limit;
        stored.truncate(limit);
        let last = stored.last().map(|s| cursor_of(s.item.position));
        let now = Timestamp::now();
        let page = stored.into_iter().map(|s| pending_of(s, now)).collect();
        Ok((page, last.filter(|_| has_next)))
    }

    /// Returns the dead letters, oldest first.
    ///
    /// # Errors
    /// [`Status::SpoolFailed`] if the spool cannot be read.
    pub fn dead_letters(&self) -> Result<Vec<DeadLetter>, Error> {
        let mut letters = Vec::new();
        for page in Pages::dead(&*self.spool) {
            letters.extend(page?.into_iter().map(dead_letter_of));
        }
        Ok(letters)
    }

    /// Enqueues dead letters again, at the end of the queue: those with these ids, or all (`None`). Their age counts
    /// from now. With a private key, the tokens of visitors and payments are renewed.
    ///
    /// A payment that may have arrived is skipped unless `may_count_twice` is set, because the service would count it
    /// twice if it did arrive.
    ///
    /// # Errors
    /// [`Status::InvalidArgument`] if the private key is invalid; nothing was changed. [`Status::SpoolFailed`] if the
    /// spool cannot be written; some of the dead letters may have been enqueued.
    pub fn retry_dead(
        &self,
        ids: Option<&[String]>,
        private_key: Option<&str>,
        may_count_twice: bool,
    ) -> Result<RetryReport, Error> {
        if let Some(key) = private_key {
            customer_token(key, "probe")?;
        }
        let mut report = RetryReport::default();
        // A retried notification that becomes a dead letter again comes after the last one, and is not retried twice.
        let Some(last) = self.chosen(ids)?.into_iter().next_back() else {
            return Ok(report);
        };
        let ids = ids.map(id_set);
        for page in Pages::dead(&*self.spool) {
            let mut letters = page?;
            let is_last_page = letters.last().is_some_and(|l| l.item.position >= last);
            letters.retain(|letter| letter.item.position <= last && is_chosen(letter, &ids));
            let chosen = letters.len();
            letters.retain(|letter| may_count_twice || !may_have_arrived(letter));
            report.left += (chosen - letters.len()) as u64;
            for letter in &mut letters {
                if let Some(key) = private_key {
                    sign_anew(&mut letter.item, key);
                }
            }
            if !letters.is_empty() {
                report.retried += self.spool.requeue(&letters, deadline())?;
                self.wait_until_done()?;
            }
            if is_last_page {
                break;
            }
        }
        Ok(report)
    }

    /// Drops dead letters: those with these ids, or all (`None`). Returns the number of dead letters dropped.
    ///
    /// # Errors
    /// [`Status::SpoolFailed`] if the spool cannot be written; some of the dead letters may have been dropped.
    pub fn drop_dead(&self, ids: Option<&[String]>) -> Result<u64, Error> {
        let mut dropped = 0;
        for letters in self.chosen(ids)?.chunks(PAGE) {
            dropped += self.spool.discard(letters, deadline())?;
        }
        self.wait_until_done()?;
        Ok(dropped)
    }

    /// Erases all data of one visitor: pending notifications, dead letters, and every copy of their bodies in the
    /// spool's files. The notifications count as dropped. A request in flight may still arrive. Returns the number of
    /// notifications dropped.
    ///
    /// A body that is not JSON is erased if it contains the customer key.
    ///
    /// # Errors
    /// [`Status::InvalidArgument`] if the key is empty, [`Status::SpoolFailed`] if the spool cannot be written.
    pub fn purge(&self, customer_key: &str) -> Result<u64, Error> {
        if customer_key.is_empty() {
            return Err(Error::argument("customer_key is empty"));
        }
        let theirs = |body: &str| notification::is_of_visitor(body, customer_key);
        let purged = self.spool.purge(&theirs, deadline())?;
        self.wait_until_done()?;
        Ok(purged)
    }

    /// Waits until the drainer has executed the command. If no process delivers the spool, this process becomes the
    /// leader for a moment and executes it.
    fn wait_until_done(&self) -> Result<(), Error> {
        let deadline = deadline();
        while !self.spool.is_done(deadline)? {
            if Instant::now() >= deadline {
                return Err(Error::new(
                    Status::SpoolFailed,
                    "the process that delivers the spool did not do this in time; it will do so later",
                ));
            }
            let Some(mut lease) = self.spool.acquire(deadline)? else {
                std::thread::sleep(TICK);
                continue;
            };
            let polled = lease.poll(Timestamp::now());
            lease.release();
            if let Err(LeaseError::Failed(e)) = polled {
                return Err(e);
            }
        }
        Ok(())
    }

    /// Ends the pause of every origin whose deliveries are backing off: one delivery is tried at once. Returns the
    /// number of these origins.
    ///
    /// # Errors
    /// [`Status::SpoolFailed`] if the spool cannot be written.
    pub fn probe_now(&self) -> Result<u64, Error> {
        let origins = self.spool.probe_now(deadline())?;
        self.wait_until_done()?;
        Ok(origins)
    }

    /// Makes a consistent copy of the spool in the new directory `to`, while the spool is in use. The copy is a spool
    /// itself. Returns the number of pending notifications in it.
    ///
    /// # Errors
    /// [`Status::InvalidArgument`] if `to` exists already, or if it is inside the spool.
    /// [`Status::SpoolFailed`] if the spool cannot be read or the copy cannot be written.
    pub fn backup(&self, to: &Path) -> Result<u64, Error> {
        let to = resolved(to)?;
        let shown = to.display();
        if to.symlink_metadata().is_ok() {
            return Err(Error::argument(format!(
                "{shown} exists already: a backup needs a new directory"
            )));
        }
        if self.directory().is_some_and(|spool| to.starts_with(spool)) {
            return Err(Error::argument(format!(
                "{shown} is inside the spool: a backup needs a separate directory"
            )));
        }
        self.spool.backup(&to, deadline())
    }

    /// Enqueues the pending notifications of another spool, `from`: a copy, a backup, or a damaged spool that was moved
    /// away. A notification is skipped if this spool knows its id as pending, as a dead letter or from a receipt, so
    /// nothing is enqueued twice. The age of the others counts from now. `from` is not changed.
    ///
    /// With `with_dead_letters`, the dead letters of the other spool are enqueued too. A payment that may have arrived
    /// is skipped unless `may_count_twice` is set.
    ///
    /// # Errors
    /// [`Status::InvalidArgument`] if `from` is this spool, [`Status::SpoolFailed`] if the other spool cannot be read
    /// or this one cannot be written, [`Status::QueueFull`] if this one is full. Some notifications may have been
    /// enqueued then; a second run skips them.
    pub fn salvage(
        &self,
        from: &Path,
        with_dead_letters: bool,
        may_count_twice: bool,
    ) -> Result<SalvageReport, Error> {
        let from = resolved(from)?;
        if self.directory().is_some_and(|spool| from == spool) {
            return Err(Error::argument(format!(
                "{} is the spool itself: name another one to read from",
                from.display()
            )));
        }
        let copy = spool::open_copy(&from)?;
        salvage::salvage(&*self.spool, &*copy, with_dead_letters, may_count_twice)
    }

    /// The spool's directory without symbolic links.
    fn directory(&self) -> Option<PathBuf> {
        let path = self.settings.spool.as_ref()?.directory()?;
        path.canonicalize().ok()
    }

    /// The positions of the dead letters with these ids, or of all, oldest first.
    fn chosen(&self, ids: Option<&[String]>) -> Result<Vec<Position>, Error> {
        let ids = ids.map(id_set);
        let mut chosen = Vec::new();
        for page in Pages::dead(&*self.spool) {
            let letters = page?.into_iter().filter(|letter| is_chosen(letter, &ids));
            chosen.extend(letters.map(|letter| letter.item.position));
        }
        Ok(chosen)
    }
}

fn id_set(ids: &[String]) -> HashSet<&str> {
    ids.iter().map(String::as_str).collect()
}

fn is_chosen(letter: &StoredItem, ids: &Option<HashSet<&str>>) -> bool {
    ids.as_ref()
        .is_none_or(|ids| ids.contains(letter.item.id.as_str()))
}

/// An absolute path whose folder has no symbolic links.
fn resolved(path: &Path) -> Result<PathBuf, Error> {
    let refuse = |e: std::io::Error| Error::argument(format!("{}: {e}", path.display()));
    let absolute = std::path::absolute(path).map_err(refuse)?;
    if let Ok(canonical) = absolute.canonicalize() {
        return Ok(canonical);
    }
    match (absolute.parent(), absolute.file_name()) {
        (Some(folder), Some(name)) => Ok(folder.canonicalize().map_err(refuse)?.join(name)),
        _ => Ok(absolute),
    }
}

/// Renews the tokens of a notification: first the visitor's in the body, then the payment's, which signs the body.
fn sign_anew(item: &mut Item, private_key: &str) {
    let visitor_token = |customer_key: &str| customer_token(private_key, customer_key).ok();
    if let Some(signed) = notification::sign_anew(&item.body, visitor_token) {
        item.body = signed;
    }
    if let Some(kind) = notification::kind_of(&item.path)
        && notification::payment_token(&item.path).is_some()
        && let Ok(token) = payment_token(private_key, &item.body)
    {
        item.path = notification::path(kind, Some(&token));
    }
}
