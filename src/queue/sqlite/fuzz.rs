//! For fuzzing: a spool file in which somebody else has written.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use rusqlite::Connection;
use rusqlite::types::Value;

use super::file::beside;
use super::inbox::MAGIC;
use super::{SpoolFile, SqliteSpool};
use crate::config::Config;
use crate::fuzz::Input;
use crate::queue::spool::{Fate, NewItem, Settlement, Spool};
use crate::queue::unix_ms;
use crate::status::Status;

const URL: &str = "http://127.0.0.1:9/api/v1/notifications/adding-to-cart";
const TABLES: &[(&str, &[&str])] = &[
    (
        "item",
        &[
            "seq",
            "id",
            "destination",
            "origin",
            "accepted_at",
            "not_before",
            "attempts",
            "http_status",
            "detail",
            "body",
            "accepted",
            "bytes_in",
        ],
    ),
    (
        "dead",
        &[
            "seq",
            "id",
            "destination",
            "origin",
            "accepted_at",
            "died_at",
            "attempts",
            "status",
            "http_status",
            "detail",
            "body",
        ],
    ),
    (
        "receipt",
        &[
            "n",
            "id",
            "settled_at",
            "status",
            "http_status",
            "attempts",
            "age_ms",
            "latency_us",
            "detail",
        ],
    ),
    ("destination", &["id", "url", "failures", "closed_until"]),
    ("origin", &["id", "delivered", "dead", "expired", "dropped"]),
    (
        "total",
        &[
            "accepted",
            "delivered",
            "dead",
            "expired",
            "dropped",
            "bytes_in",
            "bytes_out",
            "last_seq",
            "inbox_generation",
            "inbox_offset",
        ],
    ),
];

/// Writes into a spool, and then does everything with it that a drainer, a producer and an operator do. The first byte
/// says what: columns of its rows, of any value and type (0); bytes of its file (1); an inbox of any bytes (2); or one
/// whose checksums are right, beside tables that say that any part of it was taken over (3).
pub fn spool(data: &[u8]) {
    let mut input = Input(data);
    let folder = std::env::temp_dir().join(format!("esales-notify-fuzz-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("spool");
    let untouched = UNTOUCHED.get_or_init(|| begin(&path));
    for suffix in ["-wal", "-shm", "-inbox"] {
        let _ = fs::remove_file(beside(&path, suffix));
    }
    fs::write(&path, untouched).unwrap();
    let what = input.byte() % 4;
    match what {
        0 => {
            let connection = Connection::open(&path).unwrap();
            while !input.is_empty() {
                overwrite(&connection, &mut input);
            }
        }
        1 => {
            let mut file = untouched.clone();
            while !input.is_empty() {
                let place = input.integer().unsigned_abs() as usize % file.len();
                *file.get_mut(place).unwrap() = input.byte();
            }
            fs::write(&path, file).unwrap();
        }
        2 => fs::write(beside(&path, "-inbox"), input.0).unwrap(),
        _ => {
            let place = (input.integer(), input.integer());
            let connection = Connection::open(&path).unwrap();
            let set = "UPDATE total SET inbox_generation = ?1, inbox_offset = ?2";
            connection.execute(set, place).unwrap();
            fs::write(beside(&path, "-inbox"), records(&mut input)).unwrap();
        }
    }
    operate(&path);
    // Damaged bytes may have been those of the tables' columns.
    deliver(&path, what != 1);
    fs::remove_dir_all(&folder).unwrap();
}

/// An inbox of some generation: records of fields of the right kinds or of anything, and what is none.
fn records(input: &mut Input<'_>) -> Vec<u8> {
    let mut inbox = format!("{MAGIC}{:020}", input.integer().unsigned_abs()).into_bytes();
    while !input.is_empty() {
        let kind = input.byte() % 3;
        let fields = if kind == 0 {
            let (origin, accepted_at) = (input.integer(), input.integer());
            let [id, url, body] = [(); 3].map(|()| String::from_utf8_lossy(input.piece()));
            let url = if url.is_empty() { URL.into() } else { url };
            format!("\t{origin}\t{accepted_at}\t{id}\t{url}\t{body}").into_bytes()
        } else {
            input.piece().to_vec()
        };
        if kind < 2 {
            inbox.extend_from_slice(format!("\n{:08x}", crc32fast::hash(&fields)).as_bytes());
        }
        inbox.extend_from_slice(&fields);
    }
    inbox
}

fn settings(path: &Path) -> Config {
    let mut config = Config::new();
    config.set("spool", path.to_str().unwrap()).unwrap();
    config.set("max_dead", "2").unwrap();
    config
}

fn opened(path: &Path) -> std::sync::Arc<SqliteSpool> {
    let settings = settings(path).queue_settings().unwrap();
    SqliteSpool::new(PathBuf::from(path), &settings, false)
}

fn item(id: &str) -> NewItem {
    NewItem {
        id: id.to_owned(),
        url: URL.into(),
        body: r#"{"market":"UK","customerKey":"k","sessionKey":"s","id":"1","token":"t","ticket":"t"}"#.to_owned(),
        accepted_at: unix_ms(SystemTime::now()),
        attempts: 0,
        detail: String::new(),
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

static UNTOUCHED: OnceLock<Vec<u8>> = OnceLock::new();

/// The file of a spool with two that wait, one delivered and one dead, and nothing left in the log.
fn begin(path: &Path) -> Vec<u8> {
    let spool = opened(path);
    for id in ["1", "2", "3", "4"] {
        spool.push(item(id), soon()).unwrap();
    }
    let taken = spool.oldest(URL, 1, 2, &HashSet::new()).unwrap();
    let fates = [Fate::Delivered, Fate::Dead];
    let settled: Vec<_> = taken.into_iter().zip(fates).map(settled).collect();
    spool.settle(&settled).unwrap();
    drop(spool);
    let connection = Connection::open(path).unwrap();
    let empty_the_log = "PRAGMA wal_checkpoint(TRUNCATE)";
    connection.query_row(empty_the_log, [], |_| Ok(())).unwrap();
    drop(connection);
    fs::read(path).unwrap()
}

fn settled((item, fate): (super::Item, Fate)) -> Settlement {
    Settlement {
        item,
        fate,
        status: if fate == Fate::Dead {
            Status::Forbidden
        } else {
            Status::Delivered
        },
        http_status: Some(204),
        detail: "words".to_owned(),
        latency: Duration::from_millis(1),
        at: unix_ms(SystemTime::now()),
    }
}

/// One column of every row of a table. What the table's own rules refuse is left as it was.
fn overwrite(connection: &Connection, input: &mut Input<'_>) {
    let (table, columns) = pick(TABLES, input.byte());
    let column = pick(columns, input.byte());
    let value = match input.byte() % 5 {
        0 => Value::Null,
        1 => Value::Integer(input.integer()),
        2 => Value::Real(f64::from_bits(input.integer() as u64)),
        3 => Value::Text(String::from_utf8_lossy(input.piece()).into_owned()),
        _ => Value::Blob(input.piece().to_vec()),
    };
    let _ = connection.execute(&format!("UPDATE {table} SET {column} = ?1"), [value]);
}

fn pick<T: Copy>(all: &[T], choice: u8) -> T {
    all.iter().copied().cycle().nth(choice.into()).unwrap()
}

/// Everything may fail, and says so; nothing may panic.
fn operate(path: &Path) {
    let Ok(file) = SpoolFile::open(&settings(path)) else {
        return;
    };
    if let Ok(report) = file.report() {
        let _ = report.is_balanced();
    }
    let _ = file.dead_letters();
    for id in ["1", "2", "3"] {
        let _ = file.show(id);
    }
    let _ = file.retry_dead(Some(&["2".to_owned()]), Some("private key"));
    let _ = file.retry_dead(None, None);
    let _ = file.purge("k");
    let _ = file.drop_dead(None);
}

fn deliver(path: &Path, has_tables: bool) {
    let spool = opened(path);
    let now = unix_ms(SystemTime::now());
    let _ = spool.totals(soon());
    let _ = spool.receipt("3", now);
    for gate in [
        spool.gate(URL, soon()),
        spool
            .destinations()
            .map(|d| d.first().map_or_else(Default::default, |d| d.gate)),
    ] {
        let _ = gate.map(|gate| gate.wait(now));
    }
    let _ = spool.overdue(now, &HashSet::new());
    for fate in [
        Fate::Retry {
            not_before: u64::MAX,
        },
        Fate::Delivered,
        Fate::Dead,
        Fate::Expired,
    ] {
        let taken = spool
            .oldest(URL, u64::MAX, 1, &HashSet::new())
            .unwrap_or_default();
        let settled: Vec<_> = taken
            .into_iter()
            .map(|item| settled((item, fate)))
            .collect();
        for one in &settled {
            let _ = (one.age(), one.receipt());
        }
        let _ = spool.settle(&settled);
    }
    let _ = spool.maintain(now);
    // Accepted is accepted: what comes in now can be asked for.
    if spool.push(item("5"), soon()).is_ok() {
        let receipt = spool.receipt("5", now);
        let is_there = matches!(&receipt, Ok(Some(r)) if r.status == Status::Queued);
        assert!(is_there || !has_tables, "{receipt:?}");
    }
    if let Ok(Some(mark)) = spool.mark(soon()) {
        let _ = spool.is_settled(mark, soon());
    }
}
