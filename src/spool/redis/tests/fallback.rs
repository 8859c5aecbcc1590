//! The fallback with a real engine.

use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::notification::{self, Kind};
use crate::spool::kit::{SHOP, at, fetch, ids, item, lead, of_session, settings, settlement, soon};
use crate::spool::log::LogSpool;
use crate::spool::{Fate, Inlet, Ledger, NewItem};

struct Shop {
    server: Server,
    settings: QueueSettings,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Shop {
    fn start<P: Program>(settings: QueueSettings) -> Shop {
        let folder = tempfile::tempdir().unwrap();
        Shop {
            server: Server::start(P::NAME, &["--appendonly", "yes"]),
            settings,
            path: folder.path().join("fallback"),
            _folder: folder,
        }
    }

    /// One process.
    fn open(&self) -> FallbackSpool {
        let place = place(&self.server.url("shop"));
        let engine = RedisSpool::new(&place, &self.settings, true, None).unwrap();
        FallbackSpool::new(engine, &self.path, &self.settings, true).unwrap()
    }

    /// A process that stored notifications in an outage, and has not forwarded them.
    fn open_log(&self) -> LogSpool {
        LogSpool::new(self.path.clone(), &self.settings, true).unwrap()
    }
}

pub(super) fn payment_is_not_accepted_twice_when_it_is_forwarded_after_its_delivery<P: Program>() {
    let shop = Shop::start::<P>(QueueSettings {
        receipt_retention: Duration::ZERO,
        ..settings()
    });
    let payment = NewItem {
        path: notification::path(Kind::Payment, None),
        ..item(1)
    };
    // The engine accepts both, but its replies are lost, so that they get into the log too.
    let spool = shop.open();
    spool.push(&payment, soon()).unwrap();
    spool.push(&item(2), soon()).unwrap();
    assert_eq!(deliver(&mut *lead(&spool)), ["n-1", "n-2"]);
    assert_eq!(spool.receipt("n-1", at(2), soon()).unwrap(), None);
    let log = shop.open_log();
    log.push(&payment, soon()).unwrap();
    log.push(&item(2), soon()).unwrap();
    assert_eq!(deliver(&mut *lead(&shop.open())), ["n-2"]);
}

pub(super) fn end_is_sent_after_older_notifications_in_the_log<P: Program>() {
    let shop = Shop::start::<P>(settings());
    let older = shop.open_log();
    older.push(&of_session(1, "s", false), soon()).unwrap();
    let spool = shop.open();
    let is_in_log = |item: &NewItem| spool.accept(item, soon()).unwrap().is_some();
    assert!(!is_in_log(&of_session(2, "t", false)));
    assert!(is_in_log(&of_session(3, "s", true)));
    let mut lease = lead(&spool);
    assert_eq!(deliver(&mut *lease), ["n-2", "n-1"]);
    assert_eq!(deliver(&mut *lease), ["n-3"]);
    assert!(!is_in_log(&of_session(4, "t", true)));
}

pub(super) fn flush_waits_for_what_is_forwarded_meanwhile<P: Program>() {
    let shop = Shop::start::<P>(settings());
    let spool = shop.open();
    spool.push(&item(1), soon()).unwrap();
    shop.open_log().push(&item(2), soon()).unwrap();
    let mark = spool.mark(soon()).unwrap().unwrap();
    assert!(!spool.is_settled(mark, soon()).unwrap());
    // The leader forwards.
    let mut lease = lead(&spool);
    let items = fetch(&mut *lease, SHOP, at(0));
    assert_eq!(ids(&items), ["n-1", "n-2"]);
    for item in items {
        assert!(!spool.is_settled(mark, soon()).unwrap(), "{item:?}");
        let delivered = settlement(&item, Fate::Delivered, at(1));
        lease.settle(&[delivered], &[]).unwrap();
    }
    assert!(spool.is_settled(mark, soon()).unwrap());
}
