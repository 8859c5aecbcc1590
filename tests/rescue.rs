//! A spool file that is deleted or replaced while it is in use: what it held goes into the one in its place.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use common::{Folder, client, config, sandbox, scripted, visitor};
use esales_notify::{Client, Counts, SpoolFile, Status};
use esales_notify_sandbox::Sandbox;
use rusqlite::Connection;

const LONG: Duration = Duration::from_secs(60);

/// Clients of different options use a spool as different processes do.
fn holder(sandbox: &Sandbox, spool: &str, max_dead: &str) -> Client {
    let options = [
        ("spool", spool),
        ("delivery", "none"),
        ("max_dead", max_dead),
        ("enqueue_timeout_ms", "60000"),
    ];
    client(&sandbox.base_url(), &options)
}

fn enqueue(client: &Client, ids: impl IntoIterator<Item = String>) {
    for id in ids {
        client
            .enqueue_add_to_cart(&visitor(), "ticket-4711", Some(&id))
            .unwrap();
    }
}

fn some(prefix: &str, count: usize) -> impl Iterator<Item = String> {
    (0..count).map(move |n| format!("{prefix}{n}"))
}

/// The counters, as who has it open and an operator find them; the law holds, by counting too.
fn counts(client: &Client, spool: &str) -> Counts {
    let counts = client.stats().unwrap().spool;
    let operator = SpoolFile::open(&config(&[("spool", spool)])).unwrap();
    let report = operator.report().unwrap();
    assert!(report.is_balanced(), "{report:?}");
    assert_eq!(counts, report.counts);
    counts
}

/// Delivers all, and says how often each id arrived.
fn deliver(sandbox: &Sandbox, spool: &str) -> HashMap<String, usize> {
    let drainer = client(&sandbox.base_url(), &[("spool", spool)]);
    assert!(drainer.flush(LONG).unwrap());
    let mut arrived = HashMap::new();
    for request in sandbox.received() {
        *arrived
            .entry(request.notification.unwrap().id.unwrap())
            .or_default() += 1;
    }
    arrived
}

fn delete(spool: &str, suffixes: &[&str]) {
    for suffix in suffixes {
        fs::remove_file(format!("{spool}{suffix}")).unwrap();
    }
}

/// A spool file, whole without its log, that can be put in the place of another.
fn whole(spool: &str) {
    let connection = Connection::open(spool).unwrap();
    connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .unwrap();
}

#[test]
fn whoever_makes_the_new_file_nothing_is_lost_and_nothing_comes_twice() {
    for gone in [
        &["", "-wal", "-shm"][..],
        &[""],
        &["", "-wal", "-shm", "-inbox"],
    ] {
        let sandbox = sandbox();
        let folder = Folder::new();
        let spool = folder.path("spool");
        let (first, second) = (
            holder(&sandbox, &spool, "11"),
            holder(&sandbox, &spool, "12"),
        );
        enqueue(&first, some("first", 20));
        enqueue(&second, some("second", 5));
        assert_eq!(counts(&first, &spool).pending, 25);
        // These nobody has taken over from the inbox yet.
        enqueue(&first, some("inbox", 5));
        delete(&spool, gone);
        let newcomer = holder(&sandbox, &spool, "13");
        enqueue(&newcomer, some("new", 1));
        enqueue(&first, some("later", 1));
        enqueue(&second, some("last", 1));
        // Who has just looked whether the file is in its place does not look again for a moment.
        second.stats().unwrap();
        let found = counts(&first, &spool);
        assert_eq!(
            (found.accepted, found.pending, found.dropped),
            (33, 33, 0),
            "{gone:?}"
        );
        let process = newcomer.stats().unwrap().process;
        assert_eq!((process.accepted, process.pending), (1, 1));
        let arrived = deliver(&sandbox, &spool);
        assert_eq!(arrived.len(), 33);
        assert!(arrived.values().all(|times| *times == 1), "{arrived:?}");
        assert_eq!(counts(&second, &spool).delivered, 33);
        assert_eq!(newcomer.stats().unwrap().process.delivered, 1);
    }
}

#[test]
fn what_was_settled_is_not_begun_again_by_a_newcomer() {
    let sandbox = scripted("400");
    let folder = Folder::new();
    let spool = folder.path("spool");
    let drainer = client(
        &sandbox.base_url(),
        &[("spool", spool.as_str()), ("concurrency", "1")],
    );
    enqueue(&drainer, some("old", 10));
    assert!(drainer.flush(LONG).unwrap());
    assert!(drainer.stop_delivery(LONG).unwrap());
    delete(&spool, &["", "-wal", "-shm"]);
    let newcomer = holder(&sandbox, &spool, "13");
    enqueue(&newcomer, some("new", 1));
    // The one who had the old file looks, and the newcomer's is right.
    drainer.stats().unwrap();
    let found = counts(&newcomer, &spool);
    assert_eq!((found.pending, found.dead), (1, 1), "{found:?}");
    let letters = SpoolFile::open(&config(&[("spool", spool.as_str())]))
        .unwrap()
        .dead_letters()
        .unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(
        (letters[0].id.as_str(), letters[0].status),
        ("old0", Status::TicketMissing)
    );
    let arrived = deliver(&sandbox, &spool);
    assert_eq!(arrived.len(), 11);
    assert!(arrived.values().all(|times| *times == 1), "{arrived:?}");
}

#[test]
fn a_file_that_takes_the_place_of_another_gets_what_that_held() {
    for leaves_the_log in [false, true] {
        let sandbox = sandbox();
        let folder = Folder::new();
        let (spool, other) = (folder.path("spool"), folder.path("other"));
        let ours = holder(&sandbox, &spool, "11");
        enqueue(&ours, some("ours", 20));
        assert_eq!(counts(&ours, &spool).pending, 20);
        enqueue(&holder(&sandbox, &other, "11"), some("other", 1));
        whole(&spool);
        whole(&other);
        // Their places overlap, as they may after a clock was set back.
        let seq: i64 = Connection::open(&spool)
            .unwrap()
            .query_row("SELECT min(seq) FROM item", [], |r| r.get(0))
            .unwrap();
        Connection::open(&other)
            .unwrap()
            .execute("UPDATE item SET seq = ?1", [seq + 3])
            .unwrap();
        whole(&other);
        enqueue(&ours, some("inbox", 5));
        if !leaves_the_log {
            delete(&spool, &["-wal", "-shm"]);
        }
        fs::copy(&other, folder.path("copy")).unwrap();
        fs::rename(folder.path("copy"), &spool).unwrap();
        enqueue(&ours, some("later", 1));
        assert_eq!(
            counts(&ours, &spool).pending,
            27,
            "log left: {leaves_the_log}"
        );
        let arrived = deliver(&sandbox, &spool);
        assert_eq!(arrived.len(), 27);
        assert!(arrived.values().all(|times| *times == 1), "{arrived:?}");
    }
}

#[test]
fn what_cannot_be_copied_is_kept_and_tried_again() {
    let sandbox = sandbox();
    let folder = Folder::new();
    let spool = folder.path("spool");
    let ours = holder(&sandbox, &spool, "11");
    enqueue(&ours, some("ours", 20));
    assert_eq!(counts(&ours, &spool).pending, 20);
    delete(&spool, &["", "-wal", "-shm", "-inbox"]);
    let newcomer = holder(&sandbox, &spool, "13");
    enqueue(&newcomer, some("new", 1));
    let connection = Connection::open(&spool).unwrap();
    connection
        .execute_batch(
            "CREATE TRIGGER half BEFORE INSERT ON item WHEN NEW.id = 'ours10'
             BEGIN SELECT RAISE(ABORT, 'no room'); END",
        )
        .unwrap();
    let refused = ours.enqueue_add_to_cart(&visitor(), "ticket-4711", Some("refused"));
    assert_eq!(refused.unwrap_err().status(), Status::SpoolFailed);
    assert_eq!(counts(&newcomer, &spool).pending, 1, "a half was copied");
    connection.execute_batch("DROP TRIGGER half").unwrap();
    enqueue(&ours, some("later", 1));
    assert_eq!(counts(&ours, &spool).pending, 22);
}

#[test]
fn a_file_whose_content_was_taken_over_is_not_used_again() {
    let sandbox = sandbox();
    let folder = Folder::new();
    let spool = folder.path("spool");
    let ours = holder(&sandbox, &spool, "11");
    enqueue(&ours, some("ours", 3));
    assert_eq!(counts(&ours, &spool).pending, 3);
    for suffix in ["", "-wal", "-shm"] {
        fs::rename(format!("{spool}{suffix}"), format!("{spool}.old{suffix}")).unwrap();
    }
    enqueue(&ours, some("later", 1));
    assert_eq!(counts(&ours, &spool).pending, 4);
    let old = holder(&sandbox, &format!("{spool}.old"), "11");
    let refused = old.enqueue_add_to_cart(&visitor(), "ticket-4711", None);
    let words = refused.unwrap_err().to_string();
    assert!(words.contains("was taken over"), "{words}");
}
