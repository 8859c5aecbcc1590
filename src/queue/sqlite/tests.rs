//! What needs a look behind the trait.

use std::time::{Duration, Instant};

use super::*;
use crate::Config;
use crate::queue::spool::{Fate, NewItem};
use crate::queue::unix_ms;

const URL: &str = "http://127.0.0.1:9/";

/// A folder of the test's own, gone with it.
pub(in crate::queue) struct Folder(pub(in crate::queue) PathBuf);

impl Folder {
    pub(in crate::queue) fn new() -> Folder {
        let name = format!("esales-{}", crate::new_key().unwrap());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn spool(path: &Path) -> Arc<SqliteSpool> {
    let mut config = Config::new();
    config.set("cluster_id", "w1").unwrap();
    config.set("spool", path.to_str().unwrap()).unwrap();
    let settings = config.settings().unwrap().queue;
    SqliteSpool::new(check(path).unwrap(), &settings, false)
}

fn push(spool: &SqliteSpool) {
    let item = NewItem {
        id: "x".to_owned(),
        url: Arc::from(URL),
        body: "x".repeat(1000),
        accepted_at: unix_ms(std::time::SystemTime::now()),
        attempts: 0,
        detail: String::new(),
    };
    spool.push(item, soon()).unwrap();
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

#[test]
fn a_spool_that_is_behind_its_inbox_is_not_settled() {
    let folder = Folder::new();
    let path = folder.0.join("spool");
    let (here, there) = (spool(&path), spool(&path));
    // The first goes into the tables, and what comes then into the inbox.
    push(&there);
    let delivered = there.oldest(URL, u64::MAX, 1, &HashSet::new()).unwrap();
    let settled = delivered.into_iter().map(|item| Settlement {
        item,
        fate: Fate::Delivered,
        status: Status::Delivered,
        http_status: Some(204),
        detail: String::new(),
        latency: Duration::ZERO,
        at: 1,
    });
    there.settle(&settled.collect::<Vec<_>>()).unwrap();
    let mark = here.mark(soon()).unwrap();
    assert!(here.is_settled(i64::MAX, soon()).unwrap());
    // As if the disk had no room for one more page, and more is accepted than fits into the pages that are free.
    here.ask(soon(), |open| {
        open.connection
            .pragma_update_and_check(None, "max_page_count", 1, |_| Ok(()))
    })
    .unwrap();
    for _ in 0..100 {
        push(&there);
    }
    assert!(here.is_settled(mark, soon()).unwrap());
    assert!(!here.is_settled(i64::MAX, soon()).unwrap());
}
