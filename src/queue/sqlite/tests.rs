//! What the spool does when the disk is full, a row unreadable, or time passes; with no clock and no disk of its own.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::SqliteSpool;
use crate::config::Config;
use crate::queue::spool::{Fate, Item, NewItem, Settlement, Spool};
use crate::status::Status;

const URL: &str = "http://127.0.0.1:9/api";
const NOW: u64 = 1_700_000_000_000;

struct Place(PathBuf);

impl Place {
    fn new() -> Place {
        let name = format!("esales-spool-{}", crate::new_key().unwrap());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        Place(folder)
    }

    fn open(&self, options: &[(&str, &str)]) -> Arc<SqliteSpool> {
        let path = self.0.join("spool");
        let mut config = Config::new();
        config.set("spool", path.to_str().unwrap()).unwrap();
        for (name, value) in options {
            config.set(name, value).unwrap();
        }
        SqliteSpool::new(path, &config.queue_settings().unwrap(), false)
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
