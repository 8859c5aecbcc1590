//! Entries that another program has written.

use super::*;
use crate::spool::kit::{OTHER, item, lead, push_all, settings, settle, soon};
use crate::spool::{NewItem, StoredItem};

fn is_named(id: &str, listed: Result<Vec<StoredItem>, Error>) {
    let text = listed.unwrap_err().to_string();
    assert!(text.contains(id) && text.contains("XDEL"), "{text}");
}

pub(super) fn altered_entry_is_named_and_everything_else_is_delivered<P: Program>() {
    let engine = RedisEngine::<P>::new(&settings());
    let spool = engine.open();
    push_all(&*spool, 1..=1);
    let other = NewItem {
        origin: OTHER.into(),
        ..item(2)
    };
    spool.push(&other, soon()).unwrap();
    let key = |rest: &str| format!("esales:{{{}}}:{rest}", engine.place.name);
    let command = |words: &[&str]| engine.server.command(words);
    command(&["XADD", &key("q:1"), "2-0", "i", "n-2"]);
    is_named(
        " 2-0 of https://shop.example",
        spool.pending(None, 10, soon()),
    );
    push_all(&*spool, 3..=3);

    let mut lease = lead(&*spool);
    assert_eq!(deliver(&mut *lease), ["n-1", "n-3"]);
    let items = fetch(&mut *lease, OTHER, at(0));
    settle(&mut *lease, &items, Fate::Delivered);
    lease.release();
    assert_eq!(spool.totals(soon()).unwrap().spool.delivered, 3);

    command(&["XADD", &key("dead"), "9-0", "i", "n-9"]);
    is_named(" 9-0 of dead letters", spool.dead(None, 10, soon()));
    command(&["XDEL", &key("dead"), "9-0"]);
    assert!(spool.dead(None, 10, soon()).unwrap().is_empty());
}
