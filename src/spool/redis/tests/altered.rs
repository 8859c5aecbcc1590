//! Keys that somebody else has changed.

use super::*;
use crate::outcome::Error;
use crate::spool::kit::{OTHER, item, lead, push_all, settings, soon};
use crate::spool::{LeaseError, NewItem};

fn is_reported<T: std::fmt::Debug>(result: Result<T, Error>) {
    let text = result.unwrap_err().to_string();
    assert!(
        text.contains("the engine sent an unexpected reply"),
        "{text}"
    );
}

pub(super) fn altered_entry_is_reported_and_the_other_origins_are_delivered<P: Program>() {
    let engine = RedisEngine::<P>::new(&settings());
    let spool = engine.open();
    push_all(&*spool, 1..=1);
    let other = NewItem {
        origin: OTHER.into(),
        ..item(2)
    };
    spool.push(&other, soon()).unwrap();
    let key = |rest: &str| format!("esales:{{{}}}:{rest}", engine.place.name);
    engine
        .server
        .command(&["XADD", &key("q:1"), "3-0", "i", "n-3"]);

    is_reported(spool.pending(None, 10, soon()));
    let mut lease = lead(&*spool);
    match lease.fetch(SHOP, at(0), 10, &HashSet::new()) {
        Err(LeaseError::Failed(e)) => is_reported::<()>(Err(e)),
        other => panic!("{other:?}"),
    }
    let items = lease.fetch(OTHER, at(0), 10, &HashSet::new()).unwrap();
    let delivered = settlement(&items[0], Fate::Delivered, at(1));
    lease.settle(&[delivered], &[]).unwrap();
    assert_eq!(spool.totals(soon()).unwrap().spool.delivered, 1);

    engine
        .server
        .command(&["XADD", &key("dead"), "9-0", "i", "n-9"]);
    is_reported(spool.dead(None, 10, soon()));
}
