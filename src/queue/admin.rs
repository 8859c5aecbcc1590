//! What an operator does with a spool, from a process of their own: report, list, retry, erase, copy.
//!
//! A thin layer over the spool's interface: it pages, chooses by id, takes tokens out and signs anew. The engine does
//! the rest, the same for every engine.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use crate::config::{Config, QueueSettings};
use crate::host::Timestamp;
use crate::identity::customer_token;
use crate::queue::stats::{Counts, Percentiles};
use crate::spool::{self, Gate, LeaseError, NewItem, Position, Spool, StoredItem};
use crate::status::{Error, Receipt, Status};
use crate::wire;

/// The longest time that one call to the engine may take.
const OPERATOR_TIMEOUT: Duration = Duration::from_secs(30);

/// How often it is asked whether the drainer has done something.
const TICK: Duration = Duration::from_millis(5);

/// How many stored items are in memory at the same time.
const PAGE: usize = 1000;

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

/// The state of a spool, as [`SpoolAdmin::report`] finds it.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct SpoolReport {
    /// The counters.
    pub counts: Counts,
    /// Bytes of the pending notifications.
    pub pending_bytes: u64,
    /// How long the oldest pending notification has been waiting; zero if none is pending.
    pub oldest_age: Duration,
    /// Every origin that notifications were accepted for.
    pub origins: Vec<OriginReport>,
    /// The number of dead letters for each status that they died with.
    pub dead_by_status: Vec<(Status, u64)>,
    /// From acceptance to the service's answer, of the last 1,000 deliveries.
    pub delivery_age: Percentiles,
    /// Duration of the attempt that delivered, of the last 1,000 deliveries.
    pub attempt_latency: Percentiles,
    /// Which process delivers the spool, for a person to read; `None`: no process does.
    pub leader: Option<String>,
    /// Damaged files that were set aside.
    pub set_aside: Vec<PathBuf>,
    /// What does not add up in the spool, for a person to read; empty in a sound spool.
    pub faults: Vec<String>,
}

impl SpoolReport {
    /// Whether the spool is sound: the counter invariant holds
    /// (`accepted = delivered + dead + expired + dropped + pending`), and there are no faults.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        self.counts.is_balanced() && self.faults.is_empty()
    }
}

/// One origin of a spool, with its gate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OriginReport {
    /// The origin's URL.
    pub url: String,
    /// Its pending notifications.
    pub pending: u64,
    /// Deliveries that failed in a row; 0: deliveries are not backing off.
    pub gate_failures: u32,
    /// Time until the next delivery is tried; zero: it is due, or deliveries are not backing off.
    pub next_probe_in: Duration,
}

/// A notification that waits for delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PendingNotification {
    /// The notification's id.
    pub id: String,
    /// Where it goes.
    pub origin: String,
    /// When it was accepted.
    pub accepted_at: SystemTime,
    /// How long it has been waiting.
    pub age: Duration,
    /// Attempts that were made.
    pub attempts: u32,
    /// Result of the last attempt; [`Status::Queued`] if there was none.
    pub status: Status,
    /// HTTP status of the last answer.
    pub http_status: Option<u16>,
    /// Details of the last attempt.
    pub detail: String,
    /// The body, without its token.
    pub body: String,
}

/// A notification that the service refused for good.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The notification's id.
    pub id: String,
    /// Where it was to go.
    pub origin: String,
    /// The status that it died with.
    pub status: Status,
    /// HTTP status of the last answer.
    pub http_status: Option<u16>,
    /// Details of the last attempt.
    pub detail: String,
    /// Attempts that were made.
    pub attempts: u32,
    /// When it was accepted.
    pub accepted_at: SystemTime,
    /// When it died.
    pub died_at: SystemTime,
    /// Whether the body carries a token.
    pub is_signed: bool,
    /// The body, without its token.
    pub body: String,
}

/// What [`SpoolAdmin::salvage`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SalvageReport {
    /// Notifications that were enqueued.
    pub enqueued: u64,
    /// Notifications that were not enqueued, because the spool knew their ids already.
    pub already_there: u64,
    /// Dead letters that were left where they are.
    pub dead_letters_left: u64,
    /// What could not be read, for a person to read.
    pub unreadable: Vec<String>,
}

impl SpoolAdmin {
    /// The directory that the option `spool` names, after the checks that every client makes of it; `None` if the
    /// spool is in memory. The directory need not exist.
    ///
    /// # Errors
    /// [`Status::InvalidConfig`] if a client would refuse the path, or if the options of the queue contradict one
    /// another. [`Status::SpoolFailed`] if the directory's parent cannot be used.
    pub fn path(config: &Config) -> Result<Option<PathBuf>, Error> {
        spool::directory(&config.queue_settings()?)
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
                "spool is missing: name the spool's directory",
            ));
        }
        spool::directory(&settings)?;
        let spool = spool::open_existing(&settings)?;
        Ok(SpoolAdmin { spool, settings })
    }

    #[cfg(test)]
    pub(crate) fn over(spool: Arc<dyn Spool>, settings: QueueSettings) -> SpoolAdmin {
        SpoolAdmin { spool, settings }
    }

    /// The state of the spool.
    ///
    /// # Errors
    /// [`Status::SpoolFailed`] if the spool cannot be read.
    pub fn report(&self) -> Result<SpoolReport, Error> {
        let totals = self.spool.totals(deadline())?;
        let overview = self.spool.overview(deadline())?;
        let now = Timestamp::now();
        let (ages, latencies) = totals.recent.into_iter().unzip();
        Ok(SpoolReport {
            counts: totals.spool,
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
            delivery_age: Percentiles::of(ages),
            attempt_latency: Percentiles::of(latencies),
            leader: overview.leader,
            set_aside: overview.set_aside,
            faults: overview.faults,
        })
    }

    /// The receipt of an id, and the body (without its token) while the spool has it; `None`: nothing is known of
    /// the id.
    ///
    /// # Errors
    /// [`Status::SpoolFailed`] if the spool cannot be read.
    pub fn show(&self, id: &str) -> Result<Option<(Receipt, Option<String>)>, Error> {
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
        // A dead letter outlives its receipt.
        let receipt = receipt.or_else(|| newest.as_ref().map(receipt_of));
        Ok(receipt.map(|receipt| {
            let body = newest.map(|stored| wire::without_token(&stored.item.body));
            (receipt, body)
        }))
    }

    /// At most `limit` pending notifications, oldest first, and the cursor of the next ones: pass the cursor as
    /// `after`. No cursor is returned with the last notifications. A cursor stays valid as long as the spool exists.
    ///
    /// # Errors
    /// [`Status::InvalidArgument`] if `after` is not such a cursor or `limit` is 0, [`Status::SpoolFailed`] if the
    /// spool cannot be read.
    pub fn pending(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<PendingNotification>, Option<String>), Error> {
        if limit == 0 {
            return Err(Error::argument("limit is 0"));
        }
        let after = after.map(position_of).transpose()?;
        // One more than asked for: it says whether there is a next page.
        let more = limit.saturating_add(1);
        let mut stored = self.spool.pending(after, more, deadline())?;
        let has_next = stored.len() > limit;
        stored.truncate(limit);
        let last = stored.last().map(|s| cursor_of(s.item.position));
        let now = Timestamp::now();
        let page = stored.into_iter().map(|s| pending_of(s, now)).collect();
        Ok((page, last.filter(|_| has_next)))
    }

    /// The dead letters, oldest first.
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

    /// Enqueues dead letters again, at the end of the queue: those with one of these ids, or all (`None`). Their age
    /// counts from now. With a private key, every token among them is made anew. Returns the number of dead letters
    /// that were enqueued.
    ///
    /// # Errors
    /// [`Status::InvalidArgument`] for the private key; nothing has changed then. [`Status::SpoolFailed`] if the spool
    /// cannot be written; some of the dead letters may have been enqueued.
    pub fn retry_dead(
        &self,
        ids: Option<&[String]>,
        private_key: Option<&str>,
    ) -> Result<u64, Error> {
        if let Some(key) = private_key {
            customer_token(key, "probe")?;
        }
        // A letter that dies once more meanwhile comes behind the last one, and is not enqueued again.
        let Some(last) = self.chosen(ids)?.into_iter().next_back() else {
            return Ok(0);
        };
        let ids = ids.map(id_set);
        let mut retried = 0;
        for page in Pages::dead(&*self.spool) {
            let mut letters = page?;
            let is_last_page = letters.last().is_some_and(|l| l.item.position >= last);
            letters.retain(|letter| letter.item.position <= last && is_chosen(letter, &ids));
            for letter in &mut letters {
                let body = &mut letter.item.body;
                if let Some(signed) = private_key.and_then(|key| wire::sign_anew(body, key)) {
                    *body = signed;
                }
            }
            if !letters.is_empty() {
                retried += self.spool.requeue(&letters, deadline())?;
                self.wait_until_done()?;
            }
            if is_last_page {
                break;
            }
        }
        Ok(retried)
    }

    /// Drops dead letters: those with one of these ids, or all (`None`). Returns the number of dead letters dropped.
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

    /// Erases everything of one visitor: pending notifications, dead letters, and every copy of their bodies in the
    /// spool's files. They count as dropped. A request in flight may still arrive. Returns the number of
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
        let theirs = |body: &str| is_of_visitor(body, customer_key);
        let purged = self.spool.purge(&theirs, deadline())?;
        self.wait_until_done()?;
        Ok(purged)
    }

    /// Waits until the drainer has done what was asked; becomes the drainer for a moment where none leads.
    fn wait_until_done(&self) -> Result<(), Error> {
        let deadline = deadline();
        while !self.spool.is_done(deadline)? {
            if Instant::now() >= deadline {
                return Err(Error::new(
                    Status::SpoolFailed,
                    "the process that delivers the spool has not done this in time; it does it when it can",
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

    /// Lets one delivery be tried at once for every origin whose deliveries are backing off. Returns the number of
    /// these origins.
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
    /// [`Status::InvalidArgument`] if there is something at `to` already, or if `to` is inside the spool.
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
                "{shown} is inside the spool: a backup needs a directory of its own"
            )));
        }
        self.spool.backup(&to, deadline())
    }

    /// Enqueues the pending notifications of another spool, `from`: a copy, a backup, or a damaged spool or file that
    /// was set aside. A notification whose id is pending here, is a dead letter here, or has a receipt here, is left
    /// out: nothing is enqueued twice. The age of the others counts from now. `from` is not changed.
    ///
    /// With `with_dead_letters`, the dead letters of the other spool are enqueued too.
    ///
    /// # Errors
    /// [`Status::InvalidArgument`] if `from` is this spool, [`Status::SpoolFailed`] if the other spool cannot be read
    /// or this one cannot be written, [`Status::QueueFull`] if this one is full. Some notifications may have been
    /// enqueued then; a second run leaves them out.
    pub fn salvage(&self, from: &Path, with_dead_letters: bool) -> Result<SalvageReport, Error> {
        let from = resolved(from)?;
        if self.directory().is_some_and(|spool| from == spool) {
            return Err(Error::argument(format!(
                "{} is the spool itself: name another one to read from",
                from.display()
            )));
        }
        let copy = spool::open_copy(&from)?;
        self.salvage_from(&*copy, with_dead_letters)
    }

    fn salvage_from(
        &self,
        copy: &dyn Spool,
        with_dead_letters: bool,
    ) -> Result<SalvageReport, Error> {
        let mut report = SalvageReport {
            unreadable: copy.overview(deadline())?.faults,
            ..SalvageReport::default()
        };
        let mut known = self.stored_ids()?;
        for page in Pages::pending(copy) {
            self.enqueue_unknown(page?, &mut known, &mut report)?;
        }
        for page in Pages::dead(copy) {
            let letters = page?;
            if with_dead_letters {
                self.enqueue_unknown(letters, &mut known, &mut report)?;
            } else {
                report.dead_letters_left += letters.len() as u64;
            }
        }
        Ok(report)
    }

    /// The ids of all pending notifications and dead letters.
    fn stored_ids(&self) -> Result<HashSet<String>, Error> {
        // In this order: a notification that dies in between is found among the dead letters.
        let pages = Pages::pending(&*self.spool).chain(Pages::dead(&*self.spool));
        let mut ids = HashSet::new();
        for page in pages {
            ids.extend(page?.into_iter().map(|stored| stored.item.id));
        }
        Ok(ids)
    }

    /// Enqueues what is not `known`, and then knows it.
    fn enqueue_unknown(
        &self,
        page: Vec<StoredItem>,
        known: &mut HashSet<String>,
        report: &mut SalvageReport,
    ) -> Result<(), Error> {
        for stored in page {
            let now = Timestamp::now();
            let id = stored.item.id.clone();
            if known.contains(&id) || self.spool.receipt(&id, now, deadline())?.is_some() {
                report.already_there += 1;
                continue;
            }
            let item = NewItem {
                id: stored.item.id,
                origin: stored.item.origin,
                body: stored.item.body,
                accepted: now,
                attempts: match stored.died {
                    Some(_) => 0,
                    None => stored.item.attempts,
                },
                detail: stored.detail,
            };
            self.spool.push(&item, deadline()).map_err(|e| {
                let enqueued = report.enqueued;
                Error::new(
                    e.status(),
                    format!(
                        "{} (enqueued before that: {enqueued}; a second run leaves them out)",
                        e.detail()
                    ),
                )
            })?;
            known.insert(id);
            report.enqueued += 1;
        }
        Ok(())
    }

    /// The spool's directory without symbolic links.
    fn directory(&self) -> Option<PathBuf> {
        let path = self.settings.spool.as_ref()?;
        path.canonicalize().ok()
    }

    /// The positions of the dead letters with one of these ids, or of all, oldest first.
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

/// Reads a page of stored items behind a position.
type ReadPage = fn(&dyn Spool, Option<Position>, usize, Instant) -> Result<Vec<StoredItem>, Error>;

/// All stored items of a spool, oldest first, a page at a time.
struct Pages<'a> {
    spool: &'a dyn Spool,
    read: ReadPage,
    after: Option<Position>,
    is_at_end: bool,
}

impl<'a> Pages<'a> {
    fn pending(spool: &'a dyn Spool) -> Pages<'a> {
        Pages::new(spool, |spool, after, limit, deadline| {
            spool.pending(after, limit, deadline)
        })
    }

    fn dead(spool: &'a dyn Spool) -> Pages<'a> {
        Pages::new(spool, |spool, after, limit, deadline| {
            spool.dead(after, limit, deadline)
        })
    }

    fn new(spool: &'a dyn Spool, read: ReadPage) -> Pages<'a> {
        Pages {
            spool,
            read,
            after: None,
            is_at_end: false,
        }
    }
}

impl Iterator for Pages<'_> {
    type Item = Result<Vec<StoredItem>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_at_end {
            return None;
        }
        let page = (self.read)(self.spool, self.after, PAGE, deadline());
        let last = page.as_ref().ok().and_then(|items| items.last());
        match last {
            Some(last) => self.after = Some(last.item.position),
            None => self.is_at_end = true,
        }
        match page {
            Ok(items) if items.is_empty() => None,
            page => Some(page),
        }
    }
}

/// Time until the next probe. A wall clock that was set back makes it no longer than the pause that was meant.
fn next_probe_in(gate: Gate, now: Timestamp) -> Duration {
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

fn cursor_of(position: Position) -> String {
    format!("{:x}", position.0)
}

fn position_of(cursor: &str) -> Result<Position, Error> {
    let number = u64::from_str_radix(cursor, 16);
    number
        .map(Position)
        .map_err(|_| Error::argument("after is not a cursor of this spool"))
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

fn pending_of(stored: StoredItem, now: Timestamp) -> PendingNotification {
    let item = stored.item;
    PendingNotification {
        id: item.id,
        origin: item.origin.to_string(),
        accepted_at: time_of(item.accepted),
        age: now.since(item.accepted).length,
        attempts: item.attempts,
        status: stored.status,
        http_status: stored.http_status,
        detail: stored.detail,
        body: wire::without_token(&item.body),
    }
}

fn dead_letter_of(stored: StoredItem) -> DeadLetter {
    let item = stored.item;
    let field = |name| fields(&item.body).is_some_and(|body| body.get(name).is_some());
    DeadLetter {
        is_signed: field("token"),
        body: wire::without_token(&item.body),
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

fn receipt_of(letter: &StoredItem) -> Receipt {
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

fn fields(body: &str) -> Option<Value> {
    serde_json::from_str(body).ok()
}

fn is_of_visitor(body: &str, customer_key: &str) -> bool {
    match fields(body) {
        Some(fields) => fields.get("customerKey").and_then(Value::as_str) == Some(customer_key),
        None => body.contains(customer_key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::memory::MemorySpool;
    use crate::spool::{Fate, Settlement};

    const KEY: &str = "c3";

    struct Fixture {
        spool: MemorySpool,
        admin: SpoolAdmin,
    }

    fn settings() -> QueueSettings {
        Config::new().queue_settings().unwrap()
    }

    fn fixture() -> Fixture {
        fixture_with(&settings())
    }

    fn fixture_with(settings: &QueueSettings) -> Fixture {
        let spool = MemorySpool::new(settings);
        let admin = SpoolAdmin::over(Arc::new(spool.clone()), settings.clone());
        Fixture { spool, admin }
    }

    fn body(id: &str, customer_key: &str, token: Option<&str>) -> String {
        let token = token.map_or(String::new(), |token| format!(r#""token":"{token}","#));
        format!(
            r#"{{"market":"UK","customerKey":"{customer_key}","sessionKey":"s","id":"{id}",{token}"ticket":"t"}}"#
        )
    }

    impl Fixture {
        fn push(&self, id: &str, body: String) {
            let item = NewItem {
                id: id.to_owned(),
                origin: Arc::from("https://h"),
                body,
                accepted: Timestamp::now(),
                attempts: 0,
                detail: String::new(),
            };
            crate::spool::Inlet::push(&self.spool, &item, deadline()).unwrap();
        }

        fn push_all<const N: usize>(&self, ids: [&str; N]) {
            for id in ids {
                self.push(id, body(id, KEY, None));
            }
        }

        /// Settles everything that is pending.
        fn settle(&self, fate: Fate, status: Status, http_status: u16) {
            let spool: &dyn Spool = &self.spool;
            let now = Timestamp::now();
            let mut lease = spool.acquire(deadline()).unwrap().unwrap();
            let items = lease
                .fetch("https://h", now, usize::MAX, &HashSet::new())
                .unwrap();
            let settlements: Vec<Settlement> = items
                .into_iter()
                .map(|mut item| {
                    item.attempts += 1;
                    Settlement {
                        item,
                        fate,
                        status,
                        http_status: Some(http_status),
                        detail: format!("HTTP {http_status}"),
                        latency: Duration::from_millis(5),
                        at: now,
                    }
                })
                .collect();
            lease.settle(&settlements, &[]).unwrap();
        }

        fn kill_all(&self) {
            self.settle(Fate::Dead, Status::Forbidden, 403);
        }

        fn pending_ids(&self) -> Vec<String> {
            let (page, _) = self.admin.pending(None, 1000).unwrap();
            page.into_iter().map(|p| p.id).collect()
        }

        fn dead_ids(&self) -> Vec<String> {
            let letters = self.admin.dead_letters().unwrap();
            letters.into_iter().map(|l| l.id).collect()
        }
    }

    #[test]
    fn report_counts_and_names_the_leader() {
        let f = fixture();
        f.push_all(["a", "b"]);
        f.kill_all();
        f.push_all(["c"]);
        let report = f.admin.report().unwrap();
        assert!(report.is_balanced());
        let counts = report.counts;
        assert_eq!((counts.accepted, counts.dead, counts.pending), (3, 2, 1));
        assert_eq!(report.pending_bytes, body("c", KEY, None).len() as u64);
        assert_eq!(report.dead_by_status, [(Status::Forbidden, 2)]);
        let [origin] = report.origins.as_slice() else {
            unreachable!("one origin: {report:?}");
        };
        assert_eq!((origin.url.as_str(), origin.pending), ("https://h", 1));
        assert_eq!(report.leader, None);
        let spool: &dyn Spool = &f.spool;
        let _lease = spool.acquire(deadline()).unwrap();
        assert!(f.admin.report().unwrap().leader.is_some());
    }

    #[test]
    fn report_is_not_balanced_when_the_spool_has_faults() {
        let mut report = SpoolReport::default();
        assert!(report.is_balanced());
        report.faults.push("a segment is missing".to_owned());
        assert!(!report.is_balanced());
    }

    #[test]
    fn next_probe_comes_after_the_pause_whatever_the_clock_does() {
        let at = |unix_ms| Timestamp {
            unix_ms,
            ..Timestamp::default()
        };
        let gate = Gate {
            failures: 2,
            closed_at: 10_000,
            pause: 4000,
        };
        for (now, wait) in [(10_000, 4000), (13_000, 1000), (20_000, 0), (5, 4000)] {
            assert_eq!(next_probe_in(gate, at(now)), Duration::from_millis(wait));
        }
        let open = Gate {
            failures: 0,
            ..gate
        };
        assert_eq!(next_probe_in(open, at(10_000)), Duration::ZERO);
    }

    #[test]
    fn pending_returns_pages_in_order_and_no_cursor_with_the_last() {
        let f = fixture();
        f.push_all(["a", "b", "c", "d"]);
        let (first, next) = f.admin.pending(None, 3).unwrap();
        let ids: Vec<&str> = first.iter().map(|p| p.id.as_str()).collect();
        assert_eq!(ids, ["a", "b", "c"]);
        let (second, next) = f.admin.pending(next.as_deref(), 3).unwrap();
        assert_eq!((second.len(), next), (1, None));
        assert_eq!(second.first().unwrap().id, "d");
        assert_eq!(f.admin.pending(None, 4).unwrap().1, None);
    }

    #[test]
    fn pending_refuses_a_foreign_cursor_and_a_limit_of_0() {
        let f = fixture();
        for (after, limit) in [(Some("../x"), 1), (Some(""), 1), (None, 0)] {
            let e = f.admin.pending(after, limit).unwrap_err();
            assert_eq!(e.status(), Status::InvalidArgument);
        }
    }

    #[test]
    fn pending_and_dead_letters_show_no_token() {
        let f = fixture();
        f.push("a", body("a", KEY, Some("s3cret")));
        let (page, _) = f.admin.pending(None, 1).unwrap();
        assert!(page.first().unwrap().body.contains(r#""token":"...""#));
        f.kill_all();
        let letters = f.admin.dead_letters().unwrap();
        let letter = letters.first().unwrap();
        assert!(letter.is_signed);
        assert!(letter.body.contains(r#""token":"...""#), "{letter:?}");
        let (_, shown) = f.admin.show("a").unwrap().unwrap();
        assert!(shown.unwrap().contains(r#""token":"...""#));
    }

    #[test]
    fn show_returns_the_body_only_while_the_spool_has_it() {
        let f = fixture();
        f.push_all(["a"]);
        let (receipt, shown) = f.admin.show("a").unwrap().unwrap();
        assert_eq!((receipt.status, shown.is_some()), (Status::Queued, true));
        f.settle(Fate::Delivered, Status::Delivered, 204);
        let (receipt, shown) = f.admin.show("a").unwrap().unwrap();
        assert_eq!((receipt.status, shown), (Status::Delivered, None));
        assert_eq!(f.admin.show("b").unwrap(), None);
    }

    #[test]
    fn show_returns_a_dead_letter_whose_receipt_is_gone() {
        let mut settings = settings();
        settings.receipt_retention = Duration::ZERO;
        let f = fixture_with(&settings);
        f.push_all(["a"]);
        f.kill_all();
        let (receipt, shown) = f.admin.show("a").unwrap().unwrap();
        assert_eq!(receipt.status, Status::Forbidden);
        assert_eq!((receipt.attempts, receipt.detail.as_str()), (1, "HTTP 403"));
        assert!(shown.is_some());
    }

    #[test]
    fn retry_dead_enqueues_the_chosen_letters_and_signs_them_with_the_key() {
        let f = fixture();
        let key = "0".repeat(64);
        f.push("a", body("a", &key, Some("old")));
        f.push("b", body("b", &key, Some("old")));
        f.kill_all();
        let chosen = ["b".to_owned()];
        let retried = f.admin.retry_dead(Some(&chosen), Some("secret")).unwrap();
        assert_eq!(retried, 1);
        assert_eq!(f.dead_ids(), ["a"]);
        let stored = crate::spool::Operator::pending(&f.spool, None, 9, deadline()).unwrap();
        let token = customer_token("secret", &key).unwrap();
        let retried = &stored.first().unwrap().item;
        assert_eq!(retried.body, body("b", &key, Some(&token)));
        assert_eq!(retried.attempts, 0);
        assert_eq!(f.admin.retry_dead(None, None).unwrap(), 1);
        assert_eq!(f.pending_ids(), ["b", "a"]);
        assert_eq!(f.admin.retry_dead(None, None).unwrap(), 0);
    }

    #[test]
    fn retry_dead_changes_nothing_when_the_private_key_is_refused() {
        let f = fixture();
        f.push_all(["a"]);
        f.kill_all();
        let e = f.admin.retry_dead(None, Some("")).unwrap_err();
        assert_eq!(e.status(), Status::InvalidArgument);
        assert_eq!(f.dead_ids(), ["a"]);
    }

    #[test]
    fn drop_dead_counts_the_letters_as_dropped() {
        let f = fixture();
        f.push_all(["a", "b", "c"]);
        f.kill_all();
        let chosen = ["b".to_owned(), "unknown".to_owned()];
        assert_eq!(f.admin.drop_dead(Some(&chosen)).unwrap(), 1);
        assert_eq!(f.dead_ids(), ["a", "c"]);
        assert_eq!(f.admin.drop_dead(None).unwrap(), 2);
        let report = f.admin.report().unwrap();
        assert_eq!((report.counts.dead, report.counts.dropped), (0, 3));
        assert!(report.is_balanced());
    }

    #[test]
    fn dead_letters_beyond_one_page_are_all_listed_retried_and_dropped() {
        let f = fixture();
        let push = |prefix: &str| {
            for n in 0..2 * PAGE + 1 {
                f.push(&format!("{prefix}{n}"), body("x", KEY, None));
            }
        };
        push("a");
        f.kill_all();
        assert_eq!(f.dead_ids().len(), 2 * PAGE + 1);
        assert_eq!(f.admin.retry_dead(None, None).unwrap(), 2 * PAGE as u64 + 1);
        f.kill_all();
        assert_eq!(f.admin.drop_dead(None).unwrap(), 2 * PAGE as u64 + 1);
    }

    #[test]
    fn purge_erases_by_customer_key_and_in_broken_bodies_by_text() {
        let f = fixture();
        f.push("theirs", body("theirs", "alice", None));
        f.kill_all();
        f.push("theirs too", body("x", "alice", None));
        f.push("another's", body("x", "bob", None));
        // Names the key elsewhere.
        f.push(
            "ticket",
            r#"{"customerKey":"bob","ticket":"alice"}"#.to_owned(),
        );
        f.push("broken", r#"{"customerKey":"alice","#.to_owned());
        f.push("broken, another's", "\0\u{1}bob".to_owned());
        assert_eq!(f.admin.purge("alice").unwrap(), 3);
        assert_eq!(
            f.pending_ids(),
            ["another's", "ticket", "broken, another's"]
        );
        assert_eq!(f.admin.report().unwrap().counts.dropped, 3);
        assert_eq!(f.admin.purge("alice").unwrap(), 0);
        let e = f.admin.purge("").unwrap_err();
        assert_eq!(e.status(), Status::InvalidArgument);
    }

    #[test]
    fn salvage_enqueues_what_is_unknown_and_nothing_twice() {
        let (here, there) = (fixture(), fixture());
        there.push_all(["pending", "dead", "delivered", "new", "new"]);
        here.push_all(["delivered"]);
        here.settle(Fate::Delivered, Status::Delivered, 204);
        here.push_all(["dead"]);
        here.kill_all();
        here.push_all(["pending"]);
        let expected = |enqueued, already_there| SalvageReport {
            enqueued,
            already_there,
            ..SalvageReport::default()
        };
        let salvage = || here.admin.salvage_from(&there.spool, false).unwrap();
        assert_eq!(salvage(), expected(1, 4));
        assert_eq!(here.pending_ids(), ["pending", "new"]);
        assert_eq!(salvage(), expected(0, 5));
        assert_eq!(there.pending_ids().len(), 5);
    }

    #[test]
    fn salvage_enqueues_dead_letters_only_if_asked_to() {
        let (here, there) = (fixture(), fixture());
        there.push_all(["a", "b"]);
        there.kill_all();
        let left = here.admin.salvage_from(&there.spool, false).unwrap();
        assert_eq!((left.enqueued, left.dead_letters_left), (0, 2));
        let taken = here.admin.salvage_from(&there.spool, true).unwrap();
        assert_eq!((taken.enqueued, taken.dead_letters_left), (2, 0));
        let stored = crate::spool::Operator::pending(&here.spool, None, 9, deadline()).unwrap();
        assert!(stored.iter().all(|s| s.item.attempts == 0));
    }

    #[test]
    fn salvage_says_how_far_it_came_when_the_queue_is_full() {
        let mut settings = settings();
        settings.max_items = 1;
        let (here, there) = (fixture_with(&settings), fixture());
        there.push_all(["a", "b"]);
        let e = here.admin.salvage_from(&there.spool, false).unwrap_err();
        assert_eq!(e.status(), Status::QueueFull);
        assert!(e.detail().contains("enqueued before that: 1"), "{e}");
        here.settle(Fate::Delivered, Status::Delivered, 204);
        let rest = here.admin.salvage_from(&there.spool, false).unwrap();
        assert_eq!((rest.enqueued, rest.already_there), (1, 1));
    }

    #[test]
    fn backup_and_salvage_refuse_the_spool_itself_and_what_exists() {
        let place = tempfile::tempdir().unwrap();
        let mut settings = settings();
        let spool = place.path().join("spool");
        std::fs::create_dir(&spool).unwrap();
        settings.spool = Some(spool.clone());
        let f = fixture_with(&settings);
        for bad in [&spool, &spool.join("inside"), &place.path().join("no/such")] {
            let e = f.admin.backup(bad).unwrap_err();
            assert_eq!(e.status(), Status::InvalidArgument, "{e}");
        }
        let e = f
            .admin
            .salvage(&place.path().join("./spool"), false)
            .unwrap_err();
        assert!(e.detail().contains("is the spool itself"), "{e}");
    }

    #[test]
    fn probe_now_counts_the_origins_that_are_backing_off() {
        let f = fixture();
        f.push_all(["a"]);
        assert_eq!(f.admin.probe_now().unwrap(), 0);
        let spool: &dyn Spool = &f.spool;
        let gate = Gate {
            failures: 3,
            closed_at: Timestamp::now().unix_ms,
            pause: 600_000,
        };
        let mut lease = spool.acquire(deadline()).unwrap().unwrap();
        lease
            .settle(&[], &[(Arc::from("https://h"), gate)])
            .unwrap();
        let wait = |f: &Fixture| f.admin.report().unwrap().origins[0].next_probe_in;
        assert!(wait(&f) > Duration::from_secs(500));
        assert_eq!(f.admin.probe_now().unwrap(), 1);
        assert_eq!(wait(&f), Duration::ZERO);
    }
}
