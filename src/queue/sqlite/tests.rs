//! What the spool does when the disk is full, a row unreadable, or time passes; with no clock and no disk of its own.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Failure, SpoolFile, SqliteSpool, file, rows};
use crate::config::Config;
use crate::queue::memory::MemorySpool;
use crate::queue::spool::{Fate, Item, NewItem, Settlement, Spool};
use crate::queue::stats::Counts;
use crate::status::Status;

const URL: &str = "http://127.0.0.1:9/api";
const NOW: u64 = 1_700_000_000_000;

/// A folder of the test's own, gone with it.
pub(in crate::queue) struct Place(pub(in crate::queue) PathBuf);

impl Place {
    pub(in crate::queue) fn new() -> Place {
        let name = format!("esales-spool-{}", crate::new_key().unwrap());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        Place(folder)
    }

    fn config(&self, options: &[(&str, &str)]) -> Config {
        let mut config = Config::new();
        let spool = self.0.join("spool");
        config.set("spool", spool.to_str().unwrap()).unwrap();
        for (name, value) in options {
            config.set(name, value).unwrap();
        }
        config
    }

    fn open(&self, options: &[(&str, &str)]) -> Arc<SqliteSpool> {
        let settings = self.config(options).queue_settings().unwrap();
        SqliteSpool::new(self.0.join("spool"), &settings, false)
    }

    fn operator(&self) -> SpoolFile {
        SpoolFile::open(&self.config(&[])).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

fn item(id: &str) -> NewItem {
    NewItem {
        id: id.to_owned(),
        url: URL.into(),
        body: format!(
            r#"{{"id":"{id}","customerKey":"k","ticket":"{}"}}"#,
            "t".repeat(200)
        ),
        accepted_at: NOW,
        attempts: 0,
        detail: String::new(),
    }
}

fn put(spool: &SqliteSpool, ids: &[&str]) {
    let items: Vec<NewItem> = ids.iter().map(|id| item(id)).collect();
    for accepted in spool.write(&items, soon()) {
        accepted.unwrap();
    }
}

fn oldest(spool: &SqliteSpool, limit: usize) -> Vec<Item> {
    spool.oldest(URL, NOW, limit, &HashSet::new()).unwrap()
}

fn settled(item: Item, fate: Fate, at: u64) -> Settlement {
    Settlement {
        item,
        fate,
        status: match fate {
            Fate::Delivered => Status::Delivered,
            Fate::Dead => Status::TicketMissing,
            _ => Status::Timeout,
        },
        http_status: None,
        detail: String::new(),
        latency: Duration::ZERO,
        at,
    }
}

fn settle(spool: &SqliteSpool, items: Vec<Item>, fate: Fate) {
    let settlements: Vec<Settlement> = items.into_iter().map(|i| settled(i, fate, NOW)).collect();
    spool.settle(&settlements).unwrap();
}

fn query(spool: &SqliteSpool, sql: &str) -> i64 {
    spool
        .ask(soon(), |open| {
            open.connection.query_row(sql, [], |r| r.get(0))
        })
        .unwrap()
}

/// A spool with room left in its file, whose disk has none for what waits in its inbox.
fn full(place: &Place) -> Arc<SqliteSpool> {
    let spool = place.open(&[]);
    let items: Vec<NewItem> = (0..500).map(|n| item(&n.to_string())).collect();
    spool.write(&items, soon());
    settle(&spool, oldest(&spool, 450), Fate::Delivered);
    let other = place.open(&[]);
    put(&other, &["first"]);
    for n in 0..2000 {
        other.push(item(&format!("inbox-{n}")), soon()).unwrap();
    }
    for slot in [&spool.producer, &spool.drainer] {
        slot.with(soon(), |open| {
            let connection = &open.as_ref().unwrap().connection;
            let pages: i64 = connection
                .query_row("PRAGMA page_count", [], |r| r.get(0))
                .unwrap();
            connection
                .query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))
                .unwrap();
        })
        .unwrap();
    }
    spool
}

#[test]
fn on_a_full_disk_nothing_is_done_twice() {
    let place = Place::new();
    let spool = full(&place);
    put(&spool, &["once"]);
    assert!(
        spool.mark(soon()).is_err(),
        "the inbox was to find no room in this test"
    );
    assert_eq!(
        query(&spool, "SELECT count(*) FROM item WHERE id = 'once'"),
        1
    );
    let waiting = oldest(&spool, 50);
    assert_eq!(waiting.len(), 50);
    settle(&spool, waiting, Fate::Delivered);
    let totals = spool.totals(soon()).unwrap().spool;
    assert_eq!(
        (totals.accepted, totals.delivered, totals.dropped),
        (502, 500, 0)
    );
    assert!(totals.is_balanced(), "{totals:?}");
}

#[test]
fn who_still_writes_into_a_file_that_was_taken_over_writes_into_the_new_one() {
    let place = Place::new();
    let (late, other) = (place.open(&[]), place.open(&[]));
    put(&late, &["1"]);
    put(&other, &["2"]);
    let mut is_first = true;
    late.ask(soon(), |open| {
        if std::mem::take(&mut is_first) {
            for suffix in ["", "-wal", "-shm"] {
                fs::remove_file(place.0.join(format!("spool{suffix}"))).unwrap();
            }
            put(&other, &["3"]);
        }
        rows::push(open, &late.settings, &[item("4")])
    })
    .unwrap();
    for spool in [&late, &other] {
        let totals = spool.totals(soon()).unwrap().spool;
        assert_eq!((totals.accepted, totals.pending), (4, 4));
    }
}

#[test]
fn an_opening_that_takes_long_holds_up_nobody_past_the_deadline() {
    let place = Place::new();
    let path = place.0.join("spool");
    let locks = file::locks(&path);
    let (entered, is_in) = std::sync::mpsc::channel();
    let (leave, may_leave) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let (locks, path) = (&locks, &path);
        scope.spawn(move || {
            locks.while_opening(path, soon(), || {
                entered.send(()).unwrap();
                may_leave.recv().unwrap();
                Ok(())
            })
        });
        is_in.recv().unwrap();
        let at_once = Instant::now() + Duration::from_millis(20);
        let opened = locks.while_opening(path, at_once, || Ok(()));
        assert!(matches!(opened, Err(Failure::Busy)));
        leave.send(()).unwrap();
    });
    locks.while_opening(&path, soon(), || Ok(())).unwrap();
}

/// One in memory and one in a file.
fn both(options: &[(&str, &str)]) -> Vec<(Arc<dyn Spool>, Place)> {
    let place = Place::new();
    let file = place.open(options);
    let memory = MemorySpool::new(&file.settings);
    vec![(file, place), (Arc::new(memory), Place::new())]
}

fn counts(spool: &dyn Spool) -> Counts {
    let counts = spool.totals(soon()).unwrap().spool;
    assert!(counts.is_balanced(), "{counts:?}");
    counts
}

#[test]
fn what_arrives_without_being_there_was_not_dropped_for_that() {
    for (spool, _place) in both(&[]) {
        for id in ["1", "2"] {
            spool.push(item(id), soon()).unwrap();
        }
        let taken = spool.oldest(URL, NOW, 2, &HashSet::new()).unwrap();
        let all: Vec<Settlement> = taken
            .into_iter()
            .map(|i| settled(i, Fate::Delivered, NOW))
            .collect();
        spool.settle(&all).unwrap();
        // A second drainer had them under way too.
        spool.settle(&all).unwrap();
        let counts = counts(&*spool);
        assert_eq!((counts.delivered, counts.dropped), (2, 0));
    }
}

#[test]
fn what_arrives_after_it_was_dropped_is_delivered_once() {
    for (spool, _place) in both(&[("max_items", "2"), ("overflow", "drop_oldest")]) {
        for id in ["1", "2"] {
            spool.push(item(id), soon()).unwrap();
        }
        let taken = spool.oldest(URL, NOW, 1, &HashSet::new()).unwrap();
        spool.push(item("3"), soon()).unwrap();
        assert_eq!(counts(&*spool).dropped, 1);
        for _ in 0..2 {
            let arrived = settled(taken[0].clone(), Fate::Delivered, NOW + 5);
            spool.settle(&[arrived]).unwrap();
            let counts = counts(&*spool);
            assert_eq!((counts.delivered, counts.dropped), (1, 0));
        }
        let receipt = spool.receipt("1", NOW + 5).unwrap().unwrap();
        assert_eq!(receipt.status, Status::Delivered);
        // Refused after it was dropped: that is what it remains.
        let taken = spool.oldest(URL, NOW, 1, &HashSet::new()).unwrap();
        spool.push(item("4"), soon()).unwrap();
        let refused = settled(taken[0].clone(), Fate::Dead, NOW + 5);
        spool.settle(&[refused]).unwrap();
        assert_eq!((counts(&*spool).dead, counts(&*spool).dropped), (0, 1));
        let receipt = spool.receipt("2", NOW + 5).unwrap().unwrap();
        assert_eq!(receipt.status, Status::QueueFull);
    }
}

#[test]
fn a_receipt_is_kept_as_long_as_it_is_to_be() {
    for (retention, last) in [("0", None), ("1", Some(NOW + 999))] {
        for (spool, _place) in both(&[("receipt_retention_s", retention)]) {
            spool.push(item("1"), soon()).unwrap();
            let waiting = spool.receipt("1", NOW + 1_000_000).unwrap().unwrap();
            assert_eq!(waiting.status, Status::Queued, "however long it waits");
            let taken = spool.oldest(URL, NOW, 1, &HashSet::new()).unwrap();
            let arrived = settled(taken[0].clone(), Fate::Delivered, NOW);
            spool.settle(&[arrived]).unwrap();
            for now in [NOW, NOW + 999, NOW + 1000, NOW + 100_000] {
                let is_known = spool.receipt("1", now).unwrap().is_some();
                assert_eq!(is_known, last.is_some_and(|last| now <= last), "{now}");
            }
            spool.maintain(NOW + 100_000).unwrap();
            assert_eq!(counts(&*spool).delivered, 1);
        }
    }
}

#[test]
fn the_oldest_dead_letters_make_room_for_newer_ones() {
    let place = Place::new();
    let spool = place.open(&[("max_dead", "2")]);
    for id in ["1", "2", "3", "4", "5"] {
        put(&spool, &[id]);
        settle(&spool, oldest(&spool, 1), Fate::Dead);
    }
    let counts = counts(&*spool);
    assert_eq!((counts.dead, counts.dropped), (2, 3));
    let process = spool.totals(soon()).unwrap().process;
    assert_eq!((process.dead, process.dropped), (2, 3));
    let kept: Vec<String> = place
        .operator()
        .dead_letters()
        .unwrap()
        .into_iter()
        .map(|letter| letter.id)
        .collect();
    assert_eq!(kept, ["4", "5"]);
}

#[test]
fn a_row_that_cannot_be_read_is_a_dead_letter_and_holds_up_nobody() {
    for wrong in [
        "body = CAST(x'7b22ff' AS TEXT)",
        "id = x'ff'",
        "accepted_at = 'never'",
        "attempts = -1",
        "origin = 'x', bytes_in = 'y', attempts = 'z'",
    ] {
        let place = Place::new();
        let limits = [("max_items", "5"), ("overflow", "drop_oldest")];
        let spool = place.open(&limits);
        put(&spool, &["1", "2", "3", "4", "5"]);
        for id in ["1", "3"] {
            let damage = format!("UPDATE item SET {wrong} WHERE id = '{id}'");
            spool
                .ask(soon(), |open| open.connection.execute(&damage, []))
                .unwrap();
        }
        // Also for those who drop the oldest.
        put(&spool, &["6"]);
        let none = spool.overdue(NOW, &HashSet::new()).unwrap();
        assert!(none.is_empty());
        let left: Vec<String> = oldest(&spool, 2).into_iter().map(|i| i.id).collect();
        assert_eq!(left, ["2", "4"], "{wrong}");
        let counts = counts(&*spool);
        assert_eq!((counts.accepted, counts.dead, counts.dropped), (6, 2, 0));
        let letters = place.operator().dead_letters().unwrap();
        assert_eq!(letters.len(), 2);
        assert!(letters.iter().all(|l| l.status == Status::SpoolFailed));
        assert!(place.operator().report().unwrap().is_balanced());
    }
}

#[test]
fn rows_that_cannot_be_read_count_towards_the_most_dead_letters() {
    let place = Place::new();
    let spool = place.open(&[("max_dead", "1")]);
    put(&spool, &["1", "2", "3"]);
    spool
        .ask(soon(), |open| {
            let damage = "UPDATE item SET attempts = -1 WHERE id <> '3'";
            open.connection.execute(damage, [])
        })
        .unwrap();
    // Nobody dies in the settlement that follows.
    let last = oldest(&spool, 1).remove(0);
    let delivered = settled(last, Fate::Delivered, NOW);
    spool.settle(&[delivered]).unwrap();
    let counts = counts(&*spool);
    assert_eq!((counts.delivered, counts.dead, counts.dropped), (1, 1, 1));
}

#[test]
fn a_process_that_the_spool_forgot_still_knows_what_it_accepted() {
    let place = Place::new();
    let spool = place.open(&[]);
    put(&spool, &["1", "2"]);
    spool
        .ask(soon(), |open| {
            open.connection.execute("DELETE FROM origin", [])
        })
        .unwrap();
    put(&spool, &["3"]);
    assert_eq!(spool.totals(soon()).unwrap().process.accepted, 3);
}

#[test]
fn what_was_set_aside_is_listed_spools_and_inboxes() {
    let place = Place::new();
    put(&place.open(&[]), &["1"]);
    let names = ["spool-inbox.damaged-2", "spool.damaged-1"];
    for name in names.iter().chain(&["spool.damaged-1-wal"]) {
        fs::write(place.0.join(name), "").unwrap();
    }
    let listed = place.operator().report().unwrap().set_aside;
    assert_eq!(listed, names.map(|name| place.0.join(name)));
}

#[test]
fn a_spool_that_is_behind_its_inbox_is_not_settled() {
    let place = Place::new();
    let (here, there) = (place.open(&[]), place.open(&[]));
    // The first goes into the tables, and what comes then into the inbox.
    there.push(item("first"), soon()).unwrap();
    settle(&there, oldest(&there, 1), Fate::Delivered);
    let mark = here.mark(soon()).unwrap().unwrap();
    assert!(here.is_settled(i64::MAX, soon()).unwrap());
    // As if the disk had no room for one more page, and more is accepted than fits into the pages that are free.
    here.ask(soon(), |open| {
        open.connection
            .pragma_update_and_check(None, "max_page_count", 1, |_| Ok(()))
    })
    .unwrap();
    for n in 0..500 {
        there.push(item(&n.to_string()), soon()).unwrap();
    }
    assert!(here.is_settled(mark, soon()).unwrap());
    assert!(!here.is_settled(i64::MAX, soon()).unwrap());
}
