//! Tests of the log engine with the conformance kit, and of its own features: removed files and
//! segments.

use std::path::Path;

use super::*;
use crate::spool::Spool;
use crate::spool::kit::faulty::{fault_tests, file_fault_tests};
use crate::spool::kit::{DeadOrder, Engine, conformance_tests};

pub(super) struct LogEngine {
    settings: Settings,
    folder: tempfile::TempDir,
}

impl LogEngine {
    fn path(&self) -> PathBuf {
        self.folder.path().join("spool")
    }

    fn open_at(&self, path: PathBuf) -> Box<dyn Spool> {
        Box::new(LogSpool::new(path, &self.settings, true).unwrap())
    }
}

impl Engine for LogEngine {
    const SURVIVES: bool = true;
    const IS_SHARED: bool = true;
    const DEAD_ORDER: DeadOrder = DeadOrder::Acceptance;
    const MODEL_STEPS: u32 = 40_000;

    fn new(settings: &Settings) -> LogEngine {
        disk::tests_only::crash_after(None);
        disk::tests_only::expect_power_cut();
        LogEngine {
            settings: settings.clone(),
            // In memory if the machine has such a folder, because thousands of spools are made.
            folder: match tempfile::tempdir_in("/dev/shm") {
                Ok(folder) => folder,
                Err(_) => tempfile::tempdir().unwrap(),
            },
        }
    }

    fn open(&self) -> Box<dyn Spool> {
        self.open_at(self.path())
    }

    fn expire_lease(&self) {
        crate::spool::log::lease::tests_only::expire();
    }

    fn restart(&mut self) {
        disk::tests_only::crash_after(None);
        // A killed process has no locks, but a leaked value in a test has.
        self.expire_lease();
    }

    fn crash_after(&self, writes: u64) -> bool {
        disk::tests_only::crash_after(Some(usize::try_from(writes).unwrap()));
        true
    }

    fn has_crashed(&self) -> bool {
        disk::tests_only::has_crashed()
    }

    fn power_cut(&mut self) -> Option<()> {
        disk::tests_only::cut_power();
        disk::tests_only::expect_power_cut();
        Some(())
    }

    fn has_in_files(&self, text: &str) -> Option<bool> {
        let mut files = std::fs::read_dir(self.path()).unwrap();
        Some(files.any(|entry| {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            memchr::memmem::find(&bytes, text.as_bytes()).is_some()
        }))
    }

    fn open_copy(&self, copy: &Path) -> Option<Box<dyn Spool>> {
        Some(self.open_at(copy.to_owned()))
    }
}

conformance_tests!(LogEngine);
fault_tests!(LogEngine);
file_fault_tests!(LogEngine);

#[test]
fn calls_end_with_their_deadline_when_the_backlog_is_larger_than_can_be_read() {
    let settings = Settings {
        max_bytes: 1 << 40,
        ..crate::spool::kit::settings()
    };
    let engine = LogEngine::new(&settings);
    let spool = engine.open();
    let large = |n| NewItem {
        body: "x".repeat(30_000),
        ..crate::spool::kit::item(n)
    };
    for n in 1..=700 {
        spool.push(&large(n), crate::spool::kit::soon()).unwrap();
    }
    let now = Timestamp::now();
    let reader = engine.open();
    let refused = reader.receipt("unknown", now, Instant::now()).unwrap_err();
    assert_eq!(refused.status(), Status::SpoolFailed);
    assert!(refused.detail().contains("in time"), "{refused}");
    let reader = engine.open();
    assert_eq!(reader.mark(Instant::now()).unwrap(), None);
    assert!(reader.totals(Instant::now()).is_err());
    // Each call continues where the previous one stopped.
    let totals = (0..200).find_map(|_| reader.totals(Instant::now()).ok());
    assert_eq!(totals.unwrap().spool.pending, 700);
    let found = reader.receipt("unknown", now, crate::spool::kit::soon());
    assert_eq!(found.unwrap(), None);
}

#[test]
fn enqueue_reads_no_backlog_when_it_is_far_from_the_limits() {
    let settings = Settings {
        max_items: 10_000_000,
        max_bytes: 1 << 40,
        ..crate::spool::kit::settings()
    };
    let engine = LogEngine::new(&settings);
    let producer = engine.open();
    let large = |n| NewItem {
        body: "x".repeat(30_000),
        ..crate::spool::kit::item(n)
    };
    for n in 1..=700 {
        producer.push(&large(n), crate::spool::kit::soon()).unwrap();
    }
    // A deadline in the past leaves no time to count unread notifications.
    engine.open().push(&large(701), Instant::now()).unwrap();
}

#[test]
fn purge_leaves_no_receipt_of_a_dead_letter_whose_segment_is_deleted() {
    use crate::spool::Fate;
    use crate::spool::kit::{SHOP, at, fetch, lead, push_all, refresh, settle, soon};
    let engine = LogEngine::new(&crate::spool::kit::settings());
    let spool = engine.open();
    push_all(&*spool, 1..=1);
    let mut lease = lead(&*spool);
    let fetched = fetch(&mut *lease, SHOP, at(0));
    settle(&mut *lease, &fetched, Fate::Dead);
    let receipt = || spool.receipt("n-1", at(60), soon()).unwrap();
    assert_eq!(receipt().unwrap().status, Status::Rejected);
    // As the leader deletes a completed segment.
    let segment = engine.path().join(segment_name(1));
    std::fs::remove_file(segment).unwrap();
    drop(lease);
    let mut lease = lead(&*spool);
    assert_eq!(spool.purge(&|_| true, soon()).unwrap(), 1);
    refresh(&mut *lease);
    assert_eq!(receipt(), None);
}
