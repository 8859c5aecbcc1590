//! The tables of a spool file, and how a connection is set up.

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{Failure, busy, rescue};
use crate::host;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// "esal": how a file is known to be a spool.
const APPLICATION_ID: i64 = 0x6573_616c;
/// Raised with every change of the tables.
pub(super) const VERSION: i64 = 1;

const TABLES: &str = "
    -- One row: what became of everything that was ever accepted here. An item carries how many were accepted up to it,
    -- and how many bytes came in; here are those of the last item that left. So an enqueue writes one page, its own.
    CREATE TABLE total(
        accepted INTEGER NOT NULL, last_seq INTEGER NOT NULL, bytes_in INTEGER NOT NULL, bytes_out INTEGER NOT NULL,
        delivered INTEGER NOT NULL, dead INTEGER NOT NULL, expired INTEGER NOT NULL, dropped INTEGER NOT NULL,
        -- How far which inbox was taken over.
        inbox_generation INTEGER NOT NULL, inbox_offset INTEGER NOT NULL);
    INSERT INTO total VALUES(0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    -- The processes that accepted, and what became of theirs.
    CREATE TABLE origin(
        id INTEGER PRIMARY KEY, delivered INTEGER NOT NULL DEFAULT 0, dead INTEGER NOT NULL DEFAULT 0,
        expired INTEGER NOT NULL DEFAULT 0, dropped INTEGER NOT NULL DEFAULT 0);
    CREATE TABLE destination(
        id INTEGER PRIMARY KEY, url TEXT NOT NULL UNIQUE, failures INTEGER NOT NULL DEFAULT 0,
        closed_until INTEGER NOT NULL DEFAULT 0);
    CREATE TABLE item(
        seq INTEGER PRIMARY KEY, accepted INTEGER NOT NULL, bytes_in INTEGER NOT NULL, id TEXT NOT NULL,
        destination INTEGER NOT NULL, origin INTEGER NOT NULL, accepted_at INTEGER NOT NULL,
        not_before INTEGER NOT NULL, attempts INTEGER NOT NULL, http_status INTEGER, detail TEXT NOT NULL,
        body TEXT NOT NULL);
    -- The counters as they are now.
    CREATE VIEW now AS SELECT
        max(accepted, coalesce((SELECT accepted FROM item ORDER BY seq DESC LIMIT 1), 0)) AS accepted,
        max(last_seq, coalesce((SELECT max(seq) FROM item), 0)) AS last_seq,
        max(bytes_in, coalesce((SELECT bytes_in FROM item ORDER BY seq DESC LIMIT 1), 0)) AS bytes_in,
        bytes_out, delivered, dead, expired, dropped FROM total;
    CREATE TABLE dead(
        seq INTEGER PRIMARY KEY, id TEXT NOT NULL, destination INTEGER NOT NULL, origin INTEGER NOT NULL,
        accepted_at INTEGER NOT NULL, died_at INTEGER NOT NULL, attempts INTEGER NOT NULL, status INTEGER NOT NULL,
        http_status INTEGER, detail TEXT NOT NULL, body TEXT NOT NULL);
    -- In the order in which they were settled. No index on their ids: it would double what a delivery writes. A question
    -- reads them all, the newest first.
    CREATE TABLE receipt(
        n INTEGER PRIMARY KEY, id TEXT NOT NULL, settled_at INTEGER NOT NULL, status INTEGER NOT NULL,
        http_status INTEGER, attempts INTEGER NOT NULL, age_ms INTEGER NOT NULL, latency_us INTEGER NOT NULL,
        detail TEXT NOT NULL);
";

/// Opens the file at `path`, which exists, and makes the tables if it is empty.
pub(super) fn connect(path: &Path, is_synced: bool) -> Result<Connection, Failure> {
    host::tell_processes_apart();
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_handler(Some(busy::wait))?;
    connection.set_prepared_statement_cache_capacity(32);
    // Whoever closes last must not delete a log that a forked process still writes to.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;

    let application_id: i64 = connection.pragma_query_value(None, "application_id", first)?;
    let version: i64 = connection.pragma_query_value(None, "user_version", first)?;
    match (application_id, version) {
        (APPLICATION_ID, VERSION) if rescue::is_moved(&connection) => {
            let words = "what it held was taken over into the spool that took its place";
            return Err(Failure::Foreign(words.to_owned()));
        }
        (APPLICATION_ID, VERSION) => {}
        (APPLICATION_ID, newer) => {
            return Err(Failure::Foreign(format!(
                "it is a spool of version {newer}; this library knows version {VERSION}"
            )));
        }
        (0, 0) if has_no_table(&connection)? => {}
        _ => {
            return Err(Failure::Foreign(
                "it is a database of another program".to_owned(),
            ));
        }
    }
    // An enqueue writes one page into the log; a few notifications fit.
    connection.pragma_update(None, "page_size", 2048)?;
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", first)?;
    if mode != "wal" {
        return Err(Failure::Foreign(
            "its file system has no shared memory, which many processes need (a network share?)"
                .to_owned(),
        ));
    }
    sync(&connection, is_synced)?;
    // Checkpoints belong to the drainer: they cost milliseconds. This is for a spool that nobody drains, in pages.
    connection.pragma_update(None, "wal_autocheckpoint", 8192)?;
    connection.pragma_update(None, "journal_size_limit", 16 << 20)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // What `purge` erases is to be gone from the file.
    connection.pragma_update(None, "secure_delete", "FAST")?;
    if version == 0 {
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute_batch(TABLES)?;
        // Behind all that another file in this place had: what is taken over from it, or from the inbox beside it,
        // keeps its place, and is not counted as what a new process accepted.
        let beginning = i64::try_from(since_1970().as_micros()).unwrap_or(0);
        tx.execute("UPDATE total SET last_seq = ?1", [beginning])?;
        tx.execute("INSERT INTO origin(id) VALUES(?1)", [beginning])?;
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.pragma_update(None, "user_version", VERSION)?;
        tx.commit()?;
    }
    Ok(connection)
}

/// Whether a commit waits for the disk.
pub(super) fn sync(connection: &Connection, is_synced: bool) -> rusqlite::Result<()> {
    let level = if is_synced { "FULL" } else { "NORMAL" };
    connection.pragma_update(None, "synchronous", level)
}

fn since_1970() -> Duration {
    SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default()
}

fn first<T: rusqlite::types::FromSql>(row: &rusqlite::Row<'_>) -> rusqlite::Result<T> {
    row.get(0)
}

fn has_no_table(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], first)
}
