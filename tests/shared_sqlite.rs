//! A Rust program that uses SQLite itself shares this crate's copy of it, and must not notice. Alone in its process: SQLite
//! is set up once.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Folder, client, visitor};
use esales_notify::Status;
use rusqlite::{Connection, ErrorCode};

#[test]
fn the_programs_own_databases_stay_locked() {
    let folder = Folder::new();
    let (own, spool) = (folder.path("own"), folder.path("spool"));
    let open = || Connection::open(&own).unwrap();
    let first = open();
    first
        .execute_batch("CREATE TABLE t(x); BEGIN IMMEDIATE")
        .unwrap();

    let client = client(
        "http://127.0.0.1:9",
        &[("spool", spool.as_str()), ("delivery", "none")],
    );
    let receipt = client
        .enqueue_add_to_cart(&visitor(), "ticket", None)
        .unwrap();
    assert_eq!(receipt.status, Status::Queued);
    assert_eq!(client.stats().unwrap().spool.pending, 1);

    let second = open();
    second.busy_timeout(std::time::Duration::ZERO).unwrap();
    let refused = second.execute_batch("BEGIN IMMEDIATE").unwrap_err();
    assert_eq!(refused.sqlite_error_code(), Some(ErrorCode::DatabaseBusy));
    first.execute_batch("COMMIT").unwrap();
    second.execute_batch("BEGIN IMMEDIATE; COMMIT").unwrap();
}
