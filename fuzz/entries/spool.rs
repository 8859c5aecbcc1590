//! Whatever stands in the files of a spool: for `cargo fuzz`, and for the committed seeds.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::Config;
use crate::host::Timestamp;
use crate::outcome::Status;
use crate::spool::{self, Fate, Settlement};

/// A segment: of the first two, the first byte chooses which.
pub fn segment(data: &[u8]) {
    one_of(data, &["segment-0000000001.log", "segment-0000000002.log"]);
}

/// The leader's journal.
pub fn journal(data: &[u8]) {
    drain_with("journal-0000000001", data);
}

/// A file of dead letters.
pub fn dead_letters(data: &[u8]) {
    drain_with("dead-0000000001.log", data);
}

/// The files that hold nothing which was accepted: the first byte chooses which.
pub fn spool_files(data: &[u8]) {
    one_of(data, &["receipts-0000000001.log", "lease", "FORMAT"]);
}

fn one_of(data: &[u8], names: &[&str]) {
    if let Some((choice, content)) = data.split_first()
        && let Some(name) = names.get(usize::from(*choice) % names.len())
    {
        drain_with(name, content);
    }
}

/// A spool that has `content` in one of its files must open, count and drain without a panic.
fn drain_with(name: &str, content: &[u8]) {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = format!("esales-fuzz-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(folder);
    let mut config = Config::new();
    config.set("spool", path.to_str().unwrap()).unwrap();
    let spool = spool::open(&config.queue_settings().unwrap()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let item = spool::NewItem {
        id: "sound".to_owned(),
        origin: "https://h/".into(),
        path: "/x".into(),
        body: "{}".to_owned(),
        accepted: Timestamp::now(),
        attempts: 0,
        detail: String::new(),
    };
    spool.push(&item, deadline).unwrap();
    // A checksum that is right, where the input asks for it: else nothing behind the checksum is ever reached.
    let mut bytes = Vec::new();
    for line in content.split(|b| *b == b'\n') {
        match line.split_first() {
            Some((b'!', payload)) => {
                super::line::encode(&mut bytes, |out| out.extend_from_slice(payload));
            }
            _ => {
                bytes.push(b'\n');
                bytes.extend_from_slice(line);
            }
        }
    }
    fs::write(path.join(name), &bytes).unwrap();
    read_all(&*spool, deadline);
    // First: a producer whose spool was deleted makes a new one.
    drop(spool);
    fs::remove_dir_all(&path).unwrap();
}

fn read_all(spool: &dyn spool::Spool, deadline: Instant) {
    let now = Timestamp::now();
    let Ok(Some(mut lease)) = spool.acquire(deadline) else {
        return;
    };
    for _ in 0..4 {
        let _ = lease.poll(now);
        for (origin, _) in lease.origins() {
            let Ok(items) = lease.fetch(&origin, now, 64, &Default::default()) else {
                continue;
            };
            let settled: Vec<Settlement> = items
                .into_iter()
                .map(|item| Settlement {
                    item,
                    fate: Fate::Dead,
                    status: Status::Rejected,
                    http_status: Some(400),
                    detail: String::new(),
                    latency: Duration::ZERO,
                    at: now,
                })
                .collect();
            let _ = lease.settle(&settled, &[]);
        }
        let _ = lease.maintain(now);
    }
    lease.release();
    let _ = spool.totals(deadline);
    let _ = spool.receipt("sound", now, deadline);
    let _ = spool.overview(deadline);
    let _ = spool.dead(None, 100, deadline);
    let _ = spool.purge(&|body| body == "{}", deadline);
}
