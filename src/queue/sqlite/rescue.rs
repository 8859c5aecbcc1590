//! What a damaged or deleted spool still holds goes into the one that replaces it.

use rusqlite::{Connection, Result, Row, Transaction, params};

use super::rows::{begin, destination};
use super::takeover::{place, set_place};
use crate::log;

/// Copies what waits, and the dead letters, as far as they can be read; says so. They count as accepted by the new
/// spool, whose counters begin anew.
pub(super) fn rescue(old: &Connection, new: &mut Connection) -> Result<()> {
    let tx = begin(new)?;
    match place(old) {
        Ok(old) => set_place(&tx, old)?,
        Err(e) => log::warn(|| format!("all of the inbox is taken over once more: {e}")),
    }
    let pending = copy(old, &tx, ITEMS, pending)?;
    let dead = copy(old, &tx, DEAD, dead)?;
    tx.commit()?;
    log::warn(|| {
        format!(
            "{pending} waiting notifications and {dead} dead letters were taken over into the new spool"
        )
    });
    Ok(())
}

const ITEMS: &str = "
    SELECT seq, item.id, url, accepted_at, attempts, http_status, detail, body, not_before
    FROM item JOIN destination ON destination.id = item.destination ORDER BY seq";
const DEAD: &str = "
    SELECT seq, dead.id, url, accepted_at, attempts, http_status, detail, body, died_at, status
    FROM dead JOIN destination ON destination.id = dead.destination ORDER BY seq";

/// From both ends towards the page that cannot be read; returns how many were new.
fn copy(
    old: &Connection,
    tx: &Transaction<'_>,
    query: &str,
    put: fn(&Transaction<'_>, &Row<'_>) -> Result<bool>,
) -> Result<u64> {
    let mut copied = 0;
    for order in ["ASC", "DESC"] {
        let mut read = || -> Result<()> {
            let mut statement = old.prepare(&format!("{query} {order}"))?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                copied += u64::from(put(tx, row)?);
            }
            Ok(())
        };
        if let Err(e) = read() {
            log::warn(|| format!("reading the old spool ended early: {e}"));
        }
    }
    Ok(copied)
}

fn pending(tx: &Transaction<'_>, row: &Row<'_>) -> Result<bool> {
    let (seq, body) = (row.get::<_, i64>(0)?, row.get::<_, String>(7)?);
    let before: i64 = tx.query_row("SELECT bytes_in FROM total", [], |r| r.get(0))?;
    let size = body.len() as i64;
    let is_new = tx.execute(
        "INSERT OR IGNORE INTO item VALUES(?1, 0, ?2, ?3, ?4, 0, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            seq,
            before + size,
            row.get::<_, String>(1)?,
            destination(tx, &row.get::<_, String>(2)?)?,
            row.get::<_, i64>(3)?,
            row.get::<_, i64>(8)?,
            row.get::<_, i64>(4)?,
            row.get::<_, Option<i64>>(5)?,
            row.get::<_, String>(6)?,
            body,
        ],
    )? == 1;
    if is_new {
        // In the one row at once: they may come from both ends.
        tx.execute(
            "UPDATE total SET accepted = accepted + 1, bytes_in = bytes_in + ?1, last_seq = max(last_seq, ?2)",
            params![size, seq],
        )?;
    }
    Ok(is_new)
}

fn dead(tx: &Transaction<'_>, row: &Row<'_>) -> Result<bool> {
    let seq = row.get::<_, i64>(0)?;
    let is_new = tx.execute(
        "INSERT OR IGNORE INTO dead VALUES(?1, ?2, ?3, 0, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            seq,
            row.get::<_, String>(1)?,
            destination(tx, &row.get::<_, String>(2)?)?,
            row.get::<_, i64>(3)?,
            row.get::<_, i64>(8)?,
            row.get::<_, i64>(4)?,
            row.get::<_, i64>(9)?,
            row.get::<_, Option<i64>>(5)?,
            row.get::<_, String>(6)?,
            row.get::<_, String>(7)?,
        ],
    )? == 1;
    if is_new {
        tx.execute(
            "UPDATE total SET accepted = accepted + 1, dead = dead + 1, last_seq = max(last_seq, ?1)",
            [seq],
        )?;
    }
    Ok(is_new)
}
