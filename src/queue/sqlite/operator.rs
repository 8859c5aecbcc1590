//! What an operator does with a spool file, from a process of their own: look, repair, replay, erase.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use rusqlite::{Connection, Transaction, params};

use super::counters::{Delta, counts};
use super::receipts::status_of;
use super::rows::{begin, signed, unsigned};
use super::{PATIENCE, SqliteSpool, file};
use crate::config::Config;
use crate::identity::customer_token;
use crate::queue::spool::Spool;
use crate::queue::stats::{Counts, Percentiles};
use crate::queue::unix_ms;
use crate::status::{Error, Receipt, Status};
use crate::wire;

/// A spool file, opened by an operator. May be used while any number of processes use the spool.
#[derive(Debug)]
pub struct SpoolFile {
    path: PathBuf,
    spool: std::sync::Arc<SqliteSpool>,
}

/// A spool in numbers, as [`SpoolFile::report`] finds it.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct SpoolReport {
    /// What the counters say.
    pub counts: Counts,
    /// Pending notifications and dead letters, counted one by one. They differ from `counts` only if the spool is
    /// damaged.
    pub found: (u64, u64),
    /// Bytes of the pending notifications.
    pub pending_bytes: u64,
    /// How long the oldest pending notification has been waiting.
    pub oldest_age: Duration,
    /// Each address: pending notifications, failures in a row, time until the next probe.
    pub destinations: Vec<(String, u64, u32, Duration)>,
    /// Dead letters by the code that they died with.
    pub dead_by_status: Vec<(Status, u64)>,
    /// From acceptance to the service's answer, of the last 1,000 delivered whose receipts are still kept.
    pub delivery_age: Percentiles,
    /// Of the attempt that delivered, of the same 1,000.
    pub attempt_latency: Percentiles,
    /// Whether some process is delivering this spool now.
    pub has_drainer: bool,
    /// Spools and inboxes that were found damaged and set aside, beside this one.
    pub set_aside: Vec<PathBuf>,
}

impl SpoolReport {
    /// Whether `accepted = delivered + dead + expired + dropped + pending` holds, by the counters and by counting.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        self.counts.is_balanced() && self.found == (self.counts.pending, self.counts.dead)
    }
}

/// A notification that the service refused for good.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The notification's id.
    pub id: String,
    /// Where it was to go.
    pub url: String,
    /// The code that it died with.
    pub status: Status,
    /// The service's answer.
    pub http_status: Option<u16>,
    /// The service's words.
    pub detail: String,
    /// Attempts that were made.
    pub attempts: u32,
    /// When it was accepted.
    pub accepted_at: SystemTime,
    /// When it died.
    pub died_at: SystemTime,
    /// The body, with the token taken out.
    pub body: String,
}

impl SpoolFile {
    /// The file that the option `spool` names, its folder resolved, after the checks that every client makes of it;
    /// `None` if the option is not set. The file need not exist.
    ///
    /// # Errors
    /// [`Status::InvalidConfig`] if a client would refuse it, or if the options of the queue contradict one another.
    pub fn path(config: &Config) -> Result<Option<PathBuf>, Error> {
        let settings = config.queue_settings()?;
        settings.spool.as_deref().map(file::check).transpose()
    }

    /// Opens the spool that the option `spool` names; the file must exist.
    ///
    /// # Errors
    /// [`Status::InvalidConfig`] if `spool` is not set or names no file.
    pub fn open(config: &Config) -> Result<SpoolFile, Error> {
        let settings = config.queue_settings()?;
        let Some(path) = SpoolFile::path(config)? else {
            return Err(Error::config("spool is missing: name the spool's file"));
        };
        if !path.exists() {
            let words = format!("spool {}: there is no such file", path.display());
            return Err(Error::config(words));
        }
        let spool = SqliteSpool::new(path.clone(), &settings, true);
        Ok(SpoolFile { path, spool })
    }

    fn ask<T>(&self, work: impl FnMut(&mut Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        let mut work = work;
        self.spool
            .ask(Instant::now() + PATIENCE, |open| work(&mut open.connection))
    }

    /// The spool in numbers.
    ///
    /// # Errors
    /// [`Status::SpoolFailed`] if it cannot be read.
    pub fn report(&self) -> Result<SpoolReport, Error> {
        let totals = self.spool.totals(Instant::now() + PATIENCE)?;
        let now = unix_ms(SystemTime::now());
        let mut report = self.ask(|connection| look(connection, now))?;
        let (ages, latencies) = totals.recent.into_iter().unzip();
        report.delivery_age = Percentiles::of(ages);
        report.attempt_latency = Percentiles::of(latencies);
        report.oldest_age = totals.oldest_at.map_or(Duration::ZERO, |at| {
            Duration::from_millis(now.saturating_sub(at))
        });
        report.has_drainer = !self.spool.lead()?;
        self.spool.resign();
        report.set_aside = set_aside(&self.path);
        Ok(report)
    }

    /// What is known of an id, with its body (without the token) while the spool has it.
    ///
    /// # Errors
    /// [`Status::SpoolFailed`] if the spool cannot be read.
    pub fn show(&self, id: &str) -> Result<Option<(Receipt, Option<String>)>, Error> {
        let now = unix_ms(SystemTime::now());
        let Some(receipt) = self.spool.receipt(id, now)? else {
            return Ok(None);
        };
        let body = self.ask(|connection| {
            let mut statement = connection.prepare(
                "SELECT body FROM item WHERE id = ?1 UNION ALL SELECT body FROM dead WHERE id = ?1 LIMIT 1",
            )?;
            let mut rows = statement.query([id])?;
            rows.next()?.map(|row| row.get::<_, String>(0)).transpose()
        })?;
        Ok(Some((receipt, body.map(|b| wire::without_token(&b)))))
    }

    /// The dead letters, oldest first.
    ///
    /// # Errors
    /// [`Status::SpoolFailed`] if the spool cannot be read.
    pub fn dead_letters(&self) -> Result<Vec<DeadLetter>, Error> {
        self.ask(|connection| {
            let mut statement = connection.prepare(
                "SELECT dead.id, url, status, http_status, detail, attempts, accepted_at, died_at, body
                 FROM dead JOIN destination ON destination.id = dead.destination ORDER BY seq",
            )?;
            let rows = statement.query_map([], |r| {
                let time = |ms: i64| SystemTime::UNIX_EPOCH + Duration::from_millis(unsigned(ms));
                Ok(DeadLetter {
                    id: r.get(0)?,
                    url: r.get(1)?,
                    status: status_of(r.get(2)?),
                    http_status: r.get(3)?,
                    detail: r.get(4)?,
                    attempts: r.get(5)?,
                    accepted_at: time(r.get(6)?),
                    died_at: time(r.get(7)?),
                    body: wire::without_token(&r.get::<_, String>(8)?),
                })
            })?;
            rows.collect()
        })
    }

    /// Puts dead letters back into the queue, at its end: those with one of these ids, or all (`None`). Their age
    /// counts from now. With a private key, the token of every signed-in visitor among them is made anew.
    /// Returns how many.
    ///
    /// # Errors
    /// [`Status::SpoolFailed`] if the spool cannot be written, [`Status::InvalidArgument`] for the private key;
    /// nothing has then changed.
    pub fn retry_dead(
        &self,
        ids: Option<&[String]>,
        private_key: Option<&str>,
    ) -> Result<u64, Error> {
        if let Some(key) = private_key {
            customer_token(key, "probe")?;
        }
        let now = unix_ms(SystemTime::now());
        self.ask(|connection| {
            let tx = begin(connection)?;
            let mut delta = Delta::default();
            let mut retried = 0;
            for (seq, origin) in chosen(&tx, ids)? {
                let mut body: String =
                    tx.query_row("SELECT body FROM dead WHERE seq = ?1", [seq], |r| r.get(0))?;
                if let Some(signed_anew) = private_key.and_then(|k| wire::sign_anew(&body, k)) {
                    body = signed_anew;
                }
                tx.execute(
                    "INSERT INTO item SELECT now.last_seq + 1, now.accepted, now.bytes_in + ?2, id, destination,
                            origin, ?3, 0, 0, NULL, '', ?4 FROM now JOIN dead ON dead.seq = ?1",
                    params![seq, body.len() as i64, signed(now), body],
                )?;
                tx.execute("DELETE FROM dead WHERE seq = ?1", [seq])?;
                delta.count(origin, |c| c.dead -= 1);
                retried += 1;
            }
            delta.apply(&tx)?;
            tx.commit()?;
            Ok(retried)
        })
    }

    /// Drops dead letters: those with one of these ids, or all (`None`). Returns how many.
    ///
    /// # Errors
    /// [`Status::SpoolFailed`] if the spool cannot be written; nothing has then changed.
    pub fn drop_dead(&self, ids: Option<&[String]>) -> Result<u64, Error> {
        self.ask(|connection| {
            let tx = begin(connection)?;
            let mut delta = Delta::default();
            let mut dropped = 0;
            for (seq, origin) in chosen(&tx, ids)? {
                tx.execute("DELETE FROM dead WHERE seq = ?1", [seq])?;
                delta.count(origin, |c| {
                    c.dead -= 1;
                    c.dropped += 1;
                });
                dropped += 1;
            }
            delta.apply(&tx)?;
            tx.commit()?;
            Ok(dropped)
        })
    }

    /// Erases everything of one visitor: pending notifications, dead letters and their receipts, also from the free
    /// space of the file. They count as dropped. What is just being sent may still arrive. Returns how many
    /// notifications it were.
    ///
    /// # Errors
    /// [`Status::SpoolFailed`] if the spool cannot be written.
    pub fn purge(&self, customer_key: &str) -> Result<u64, Error> {
        let purged = self.ask(|connection| {
            // Overwrites what it deletes, on free pages too.
            connection.pragma_update(None, "secure_delete", true)?;
            let tx = begin(connection)?;
            let mut delta = Delta::default();
            let mut ids: Vec<String> = Vec::new();
            for (table, counters) in [("item", "accepted, bytes_in"), ("dead", "NULL, NULL")] {
                let mut statement = tx.prepare(&format!(
                    "DELETE FROM {table} WHERE json_extract(body, '$.customerKey') = ?1
                     RETURNING id, origin, length(CAST(body AS BLOB)), seq, {counters}"
                ))?;
                let mut rows = statement.query([customer_key])?;
                while let Some(row) = rows.next()? {
                    let origin: i64 = row.get(1)?;
                    ids.push(row.get(0)?);
                    match row.get(4)? {
                        Some(accepted) => {
                            delta.leaves(row.get(2)?, row.get(3)?, accepted, row.get(5)?);
                        }
                        None => delta.count(origin, |c| c.dead -= 1),
                    }
                    delta.count(origin, |c| c.dropped += 1);
                }
            }
            tx.execute(
                "DELETE FROM receipt WHERE id IN (SELECT value FROM json_each(?1))",
                [serde_json::to_string(&ids).unwrap_or_default()],
            )?;
            delta.apply(&tx)?;
            overwrite_free_pages(&tx)?;
            tx.commit()?;
            Ok(ids.len() as u64)
        })?;
        // The log holds old pages until it is emptied, and the inbox what was taken over until it is replaced.
        let is_busy: bool = self.ask(|connection| {
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |r| r.get(0))
        })?;
        if is_busy || !self.spool.erase_inbox(Instant::now() + PATIENCE)? {
            return Err(Error::new(
                Status::SpoolFailed,
                "purged, but the spool's log was in use and still holds copies: run it again",
            ));
        }
        Ok(purged)
    }
}

/// Place and origin of the dead letters with these ids.
fn chosen(tx: &Connection, ids: Option<&[String]>) -> rusqlite::Result<Vec<(i64, i64)>> {
    let all = "SELECT seq, origin, id FROM dead ORDER BY seq";
    let mut statement = tx.prepare(all)?;
    let rows = statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get::<_, String>(2)?)))?;
    let wanted = |id: &String| ids.is_none_or(|ids| ids.contains(id));
    let mut chosen = Vec::new();
    for row in rows {
        let (seq, origin, id) = row?;
        if wanted(&id) {
            chosen.push((seq, origin));
        }
    }
    Ok(chosen)
}

fn look(connection: &Connection, now: u64) -> rusqlite::Result<SpoolReport> {
    let tx = connection.unchecked_transaction()?;
    let (counts, pending_bytes) = counts(&tx)?;
    let count = |table: &str| -> rusqlite::Result<u64> {
        tx.query_row(&format!("SELECT count(*) FROM {table}"), [], |r| {
            r.get(0).map(unsigned)
        })
    };
    let found = (count("item")?, count("dead")?);
    let destinations = tx
        .prepare(
            "SELECT url, (SELECT count(*) FROM item WHERE destination = d.id), failures, closed_until
             FROM destination d",
        )?
        .query_map([], |r| {
            let wait = Duration::from_millis(unsigned(r.get(3)?).saturating_sub(now));
            Ok((r.get(0)?, unsigned(r.get(1)?), r.get(2)?, wait))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let dead_by_status = tx
        .prepare("SELECT status, count(*) FROM dead GROUP BY status ORDER BY status DESC")?
        .query_map([], |r| Ok((status_of(r.get(0)?), unsigned(r.get(1)?))))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(SpoolReport {
        counts,
        pending_bytes,
        found,
        destinations,
        dead_by_status,
        ..SpoolReport::default()
    })
}

fn set_aside(path: &Path) -> Vec<PathBuf> {
    let prefixes = ["", "-inbox"].map(|file| file::beside(path, &format!("{file}.damaged-")));
    let entries = path.parent().and_then(|p| std::fs::read_dir(p).ok());
    let mut found: Vec<PathBuf> = entries
        .into_iter()
        .flatten()
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(|p| {
            let name = p.as_os_str().as_encoded_bytes();
            prefixes
                .iter()
                .any(|prefix| name.starts_with(prefix.as_os_str().as_encoded_bytes()))
                && !(name.ends_with(b"-wal") || name.ends_with(b"-shm"))
        })
        .collect();
    found.sort();
    found
}

/// Free pages still hold what was delivered and not yet overwritten by something new: a letter of zeros takes them all,
/// and gives them back.
fn overwrite_free_pages(tx: &Transaction<'_>) -> rusqlite::Result<()> {
    /// Pages of one letter; SQLite allows no value over 10^9 bytes.
    const MOST: i64 = 1 << 12;
    let number = |name| tx.pragma_query_value(None, name, |r| r.get::<_, i64>(0));
    // Each page of a long value begins with the number of the next.
    let room = number("page_size")? - 4;
    let first: i64 = tx.query_row("SELECT coalesce(max(seq), 0) + 1 FROM dead", [], |r| {
        r.get(0)
    })?;
    loop {
        let free = number("freelist_count")?.min(MOST);
        if free == 0 {
            break;
        }
        tx.execute(
            "INSERT INTO dead(id, destination, origin, accepted_at, died_at, attempts, status, detail, body)
             VALUES('', 0, 0, 0, 0, 0, 0, '', zeroblob(?1))",
            [free * room],
        )?;
    }
    tx.execute("DELETE FROM dead WHERE seq >= ?1", [first])
        .map(drop)
}
