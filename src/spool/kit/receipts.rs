//! Receipts by id.

use super::*;
use crate::outcome::Receipt;
use crate::spool::MAX_RECEIPTS;

fn receipt(spool: &dyn Spool, id: &str, now: Timestamp) -> Option<Receipt> {
    spool.receipt(id, now, soon()).unwrap()
}

fn kept_for(seconds: u64) -> QueueSettings {
    QueueSettings {
        receipt_retention: Duration::from_secs(seconds),
        ..settings()
    }
}

pub(crate) fn receipt_of_a_pending_item_shows_its_last_attempt<E: Engine>() {
    let engine = E::new(&settings());
    let spool = engine.open();
    push_all(&*spool, 1..=1);
    let tried = NewItem {
        attempts: 3,
        detail: "ESALES_TIMEOUT: no answer".to_owned(),
        accepted: at(20),
        ..item(2)
    };
    spool.push(&tried, soon()).unwrap();
    let queued = |id: &str, http_status, attempts, elapsed, detail: &str| Receipt {
        status: Status::Queued,
        http_status,
        attempts,
        elapsed: ms(elapsed),
        id: id.to_owned(),
        detail: detail.to_owned(),
    };
    for spool in [&spool, &engine.open()] {
        assert_eq!(
            receipt(&**spool, "n-1", at(30)),
            Some(queued("n-1", None, 0, 30, ""))
        );
        assert_eq!(
            receipt(&**spool, "n-2", at(30)),
            Some(queued("n-2", None, 3, 10, "ESALES_TIMEOUT: no answer"))
        );
    }
    let mut lease = lead(&*spool);
    let fetched = fetch(&mut *lease, SHOP, at(30));
    settle(&mut *lease, &fetched, Fate::Retry { pause: ms(1000) });
    let detail = "ESALES_SERVER_ERROR after 4";
    assert_eq!(
        receipt(&*spool, "n-2", at(60)),
        Some(queued("n-2", Some(503), 4, 40, detail))
    );
    // While it is pending, no retention removes it.
    assert!(receipt(&*spool, "n-2", at(1 << 40)).is_some());
}

pub(crate) fn receipt_shows_the_outcome_of_a_completed_item<E: Engine>() {
    let engine = E::new(&settings());
    let spool = engine.open();
    push_all(&*spool, 1..=3);
    let mut lease = lead(&*spool);
    let fetched = fetch(&mut *lease, SHOP, at(0));
    settle(&mut *lease, &fetched[..1], Fate::Delivered);
    settle(&mut *lease, &fetched[1..2], Fate::Dead);
    settle(&mut *lease, &fetched[2..], Fate::Expired);
    let expected = [
        ("n-1", Status::Delivered, Some(200), 1),
        ("n-2", Status::Rejected, Some(422), 1),
        ("n-3", Status::Expired, None, 0),
    ];
    for (id, status, http_status, attempts) in expected {
        let expected = Receipt {
            status,
            http_status,
            attempts,
            elapsed: ms(50),
            id: id.to_owned(),
            detail: format!("{} after {attempts}", status.name()),
        };
        assert_eq!(receipt(&*spool, id, at(9000)), Some(expected.clone()));
        assert_eq!(receipt(&*engine.open(), id, at(9000)), Some(expected));
    }
}

pub(crate) fn receipt_of_a_dropped_item_has_the_status_dropped<E: Engine>() {
    let limits = QueueSettings {
        max_items: 1,
        drops_oldest: true,
        ..settings()
    };
    let engine = E::new(&limits);
    let spool = engine.open();
    let tried = NewItem {
        attempts: 2,
        ..item(1)
    };
    spool.push(&tried, soon()).unwrap();
    push_all(&*spool, 2..=2);
    let dropped = receipt(&*spool, "n-1", at(5)).unwrap();
    assert_eq!(
        (dropped.status, dropped.http_status, dropped.attempts),
        (Status::Dropped, None, 2)
    );
    assert!(dropped.detail.contains("dropped"), "{dropped:?}");
    let kept = receipt(&*spool, "n-2", at(5)).unwrap();
    assert_eq!(kept.status, Status::Queued);
}

pub(crate) fn receipt_of_an_unknown_id_is_none<E: Engine>() {
    let engine = E::new(&settings());
    let spool = engine.open();
    assert_eq!(receipt(&*spool, "n-1", at(0)), None);
    push_all(&*spool, 1..=1);
    for unknown in ["", "n", "n-", "n-2", "n-11", "N-1", " n-1", "n-1\n"] {
        assert_eq!(receipt(&*spool, unknown, at(0)), None, "{unknown:?}");
    }
}

pub(crate) fn repeated_push_is_ignored_while_its_receipt_exists<E: Engine>() {
    if !E::IGNORES_REPEATED_IDS {
        return;
    }
    let limits = QueueSettings {
        max_items: 3,
        drops_oldest: true,
        ..settings()
    };
    let engine = E::new(&limits);
    let (spool, other) = (engine.open(), engine.open());
    push_all(&*spool, 1..=3);
    // The second push is ignored while the first is pending, also from another producer and when the limit is reached.
    for spool in [&spool, &other] {
        push_all(&**spool, 1..=3);
    }
    assert_eq!(counts(&*spool), [3, 0, 0, 0, 0, 3]);
    let mut lease = lead(&*spool);
    let fetched = fetch(&mut *lease, SHOP, at(0));
    settle(&mut *lease, &fetched[..1], Fate::Delivered);
    settle(&mut *lease, &fetched[1..2], Fate::Dead);
    settle(&mut *lease, &fetched[2..], Fate::Expired);
    push_all(&*other, 1..=3);
    refresh(&mut *lease);
    assert_eq!(counts(&*spool), [3, 1, 1, 1, 0, 0]);
    assert_eq!(numbers(totals(&*other).process), [0; 6]);
    assert_eq!(totals(&*spool).lost + totals(&*other).lost, 0);
    let kept = receipt(&*spool, "n-1", at(60)).unwrap();
    assert_eq!(kept.status, Status::Delivered);
}

pub(crate) fn repeated_push_is_accepted_when_no_receipt_is_kept<E: Engine>() {
    let engine = E::new(&kept_for(0));
    let spool = engine.open();
    let mut lease = lead(&*spool);
    for round in 1..=3 {
        push_all(&*spool, 1..=1);
        let fetched = fetch(&mut *lease, SHOP, at(0));
        settle(&mut *lease, &fetched, Fate::Delivered);
        assert_eq!(counts(&*spool), [round, round, 0, 0, 0, 0]);
    }
}

pub(crate) fn receipt_is_the_newest_when_an_id_was_used_twice<E: Engine>() {
    if E::IGNORES_REPEATED_IDS {
        return;
    }
    let engine = E::new(&settings());
    let spool = engine.open();
    push_all(&*spool, 1..=1);
    let mut lease = lead(&*spool);
    for fate in [Fate::Dead, Fate::Delivered, Fate::Expired] {
        let fetched = fetch(&mut *lease, SHOP, at(0));
        settle(&mut *lease, &fetched, fate);
        let expected = settlement(&fetched[0], fate, at(50)).receipt();
        assert_eq!(receipt(&*spool, "n-1", at(60)), Some(expected));
        push_all(&*spool, 1..=1);
        let pending = receipt(&*spool, "n-1", at(60)).unwrap();
        assert_eq!((pending.status, pending.attempts), (Status::Queued, 0));
    }
    // A requeued letter is pending again.
    spool.purge(&|_| true, soon()).unwrap();
    refresh(&mut *lease);
    push_all(&*spool, 2..=2);
    let fetched = fetch(&mut *lease, SHOP, at(0));
    settle(&mut *lease, &fetched, Fate::Dead);
    assert_eq!(spool.requeue(&all_dead(&*spool), soon()).unwrap(), 1);
    refresh(&mut *lease);
    let pending = receipt(&*spool, "n-2", at(60)).unwrap();
    assert_eq!(
        (pending.status, pending.attempts, pending.http_status),
        (Status::Queued, 0, None)
    );
}

pub(crate) fn receipt_is_discarded_after_its_retention<E: Engine>() {
    let engine = E::new(&kept_for(10));
    let spool = engine.open();
    push_all(&*spool, 1..=2);
    let mut lease = lead(&*spool);
    let fetched = fetch(&mut *lease, SHOP, at(0));
    settle(&mut *lease, &fetched[..1], Fate::Delivered);
    settle(&mut *lease, &fetched[1..], Fate::Dead);
    for _ in 0..2 {
        for id in ["n-1", "n-2"] {
            assert!(receipt(&*spool, id, at(10_049)).is_some());
            assert_eq!(receipt(&*spool, id, at(10_050)), None);
        }
        // Housekeeping removes nothing too early, and the wall clock does not matter.
        let set = Timestamp {
            unix_ms: u64::MAX,
            ..at(10_049)
        };
        assert!(receipt(&*spool, "n-1", set).is_some());
        lease.maintain(set).unwrap();
    }
    lease.maintain(at(10_050)).unwrap();
    for id in ["n-1", "n-2"] {
        assert_eq!(receipt(&*spool, id, at(10_050)), None);
    }
    assert_eq!(all_dead(&*spool).len(), 1);
}

pub(crate) fn receipts_are_not_kept_when_the_retention_is_zero<E: Engine>() {
    let limits = QueueSettings {
        max_items: 3,
        drops_oldest: true,
        ..kept_for(0)
    };
    let engine = E::new(&limits);
    let spool = engine.open();
    push_all(&*spool, 1..=4);
    let mut lease = lead(&*spool);
    let fetched = fetch(&mut *lease, SHOP, at(50));
    settle(&mut *lease, &fetched[..1], Fate::Delivered);
    settle(&mut *lease, &fetched[1..2], Fate::Dead);
    settle(&mut *lease, &fetched[2..], Fate::Expired);
    lease.maintain(at(50)).unwrap();
    for n in 1..=4 {
        assert_eq!(receipt(&*spool, &format!("n-{n}"), at(50)), None);
    }
    assert_eq!(counts(&*spool), [4, 1, 1, 1, 1, 0]);
    assert_eq!(totals(&*spool).recent.len(), 1);
    push_all(&*spool, 5..=5);
    assert!(receipt(&*spool, "n-5", at(50)).is_some());
}

pub(crate) fn receipts_of_the_last_20000_are_kept<E: Engine>() {
    let engine = E::new(&settings());
    let spool = engine.open();
    let mut lease = lead(&*spool);
    let many = MAX_RECEIPTS as u64;
    for first in (1..=many).step_by(1000) {
        push_all(&*spool, first..=first + 999);
        let fetched = fetch(&mut *lease, SHOP, at(0));
        assert_eq!(fetched.len(), 1000);
        settle(&mut *lease, &fetched, Fate::Delivered);
        lease.maintain(at(60)).unwrap();
    }
    for n in [1, 2, 1000, 1001, many / 2, many] {
        let known = receipt(&*spool, &format!("n-{n}"), at(60));
        assert_eq!(known.unwrap().status, Status::Delivered);
    }
    assert_eq!(counts(&*spool), [many, many, 0, 0, 0, 0]);
}

pub(crate) fn known_ids_are_those_with_a_receipt<E: Engine>() {
    let engine = E::new(&settings());
    let spool = engine.open();
    push_all(&*spool, 1..=2);
    let mut lease = lead(&*spool);
    let fetched = fetch(&mut *lease, SHOP, at(0));
    settle(&mut *lease, &fetched, Fate::Delivered);
    lease.release();
    let asked = HashSet::from(["n-1", "n-2", "n-9"]);
    let known = spool.known(&asked, soon()).unwrap();
    assert_eq!(known, HashSet::from(["n-1".to_owned(), "n-2".to_owned()]));
    assert!(spool.known(&HashSet::new(), soon()).unwrap().is_empty());
}
