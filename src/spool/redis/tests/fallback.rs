//! The fallback with a real engine.

use std::path::PathBuf;

use super::*;
use crate::spool::kit::{SHOP, at, fetch, ids, item, lead, of_session, settings, settlement, soon};
use crate::spool::log::LogSpool;
use crate::spool::{Fate, Inlet, Lease, Ledger, NewItem};

struct Shop {
    server: Server,
    spool: FallbackSpool,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Shop {
    fn open<P: Program>() -> Shop {
        let server = Server::start(P::NAME, &["--appendonly", "yes"]);
        let folder = tempfile::tempdir().unwrap();
        let engine = RedisSpool::new(&place(&server.url("shop")), &settings(), true, None).unwrap();
        let path = folder.path().join("fallback");
        Shop {
            server,
            spool: FallbackSpool::new(engine, &path, &settings(), true).unwrap(),
            path,
            _folder: folder,
        }
    }

    /// Whether the notification was stored in the log.
    fn is_in_log(&self, item: &NewItem) -> bool {
        self.spool.accept(item, soon()).unwrap().is_some()
    }
}

pub(super) fn end_is_sent_after_older_notifications_in_the_log<P: Program>() {
    let shop = Shop::open::<P>();
    // Another process stored it in an outage, and nobody has forwarded it yet.
    let other = LogSpool::new(shop.path.clone(), &settings(), true).unwrap();
    other.push(&of_session(1, "s", false), soon()).unwrap();
    assert!(!shop.is_in_log(&of_session(2, "t", false)));
    assert!(shop.is_in_log(&of_session(3, "s", true)));
    let mut lease = lead(&shop.spool);
    let settle = |lease: &mut dyn Lease| {
        let items = fetch(lease, SHOP, at(0));
        let settlements: Vec<_> = items
            .iter()
            .map(|item| settlement(item, Fate::Delivered, at(1)))
            .collect();
        lease.settle(&settlements, &[]).unwrap();
        items.into_iter().map(|item| item.id).collect::<Vec<_>>()
    };
    assert_eq!(settle(&mut *lease), ["n-2", "n-1"]);
    assert_eq!(settle(&mut *lease), ["n-3"]);
    assert!(!shop.is_in_log(&of_session(4, "t", true)));
}

pub(super) fn flush_waits_for_what_is_forwarded_meanwhile<P: Program>() {
    let shop = Shop::open::<P>();
    let (server, spool) = (&shop.server, &shop.spool);
    spool.push(&item(1), soon()).unwrap();
    server.kill();
    assert!(
        spool.accept(&item(2), soon()).unwrap().is_some(),
        "the engine accepted it"
    );
    server.restart();
    let mark = spool.mark(soon()).unwrap().unwrap();
    assert!(!spool.is_settled(mark, soon()).unwrap());
    // It forwards.
    let mut lease = lead(spool);
    let items = fetch(&mut *lease, SHOP, at(0));
    assert_eq!(ids(&items), ["n-1", "n-2"]);
    for item in items {
        assert!(!spool.is_settled(mark, soon()).unwrap(), "{item:?}");
        lease
            .settle(&[settlement(&item, Fate::Delivered, at(1))], &[])
            .unwrap();
    }
    assert!(spool.is_settled(mark, soon()).unwrap());
}
