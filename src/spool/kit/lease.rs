//! Only one drainer holds the lease; the results of its settlements.

use super::*;
use crate::spool::{Gate, LeaseError};

const BACKING_OFF: Gate = Gate {
    failures: 2,
    closed_at: 1_700_000_000_000,
    pause: 4000,
};

fn is_free(spool: &dyn Spool) -> bool {
    spool.acquire(soon()).unwrap().is_some()
}

pub(crate) fn lease_is_granted_to_one_drainer_at_a_time<E: Engine>() {
    let engine = E::new(&settings());
    let (one, two) = (engine.open(), engine.open());
    let mut lease = lead(&*one);
    for _ in 0..3 {
        assert!(!is_free(&*one));
        assert!(!is_free(&*two));
    }
    // The refused calls have not harmed the lease.
    push_all(&*two, 1..=1);
    let fetched = fetch(&mut *lease, SHOP, at(0));
    settle(&mut *lease, &fetched, Fate::Delivered);
    assert_eq!(counts(&*two), [1, 1, 0, 0, 0, 0]);
}

pub(crate) fn lease_is_granted_at_once_after_a_release_or_a_drop<E: Engine>() {
    let engine = E::new(&settings());
    let (one, two) = (engine.open(), engine.open());
    for round in 0..10 {
        let (last, next) = if round % 2 == 0 {
            (&one, &two)
        } else {
            (&two, &one)
        };
        lead(&**last).release();
        lead(&**next).release();
        drop(lead(&**last));
        drop(lead(&**next));
    }
}

/// Asserts that every call of a lease is refused because another drainer leads.
fn assert_lost(lease: &mut dyn Lease, item: &Item) {
    let none = HashSet::new();
    let lost = |result: Result<(), LeaseError>| match result {
        Err(LeaseError::Lost) => {}
        other => panic!("the stale lease was not refused: {other:?}"),
    };
    let delivered = settlement(item, Fate::Delivered, at(50));
    lost(lease.settle(&[delivered], &[(item.origin.clone(), BACKING_OFF)]));
    lost(lease.settle(&[], &[(item.origin.clone(), BACKING_OFF)]));
    lost(lease.poll(at(50)).map(drop));
    lost(lease.fetch(SHOP, at(50), 9, &none).map(drop));
    lost(lease.overdue(SHOP, at(50), ms(1), &none).map(drop));
    lost(lease.maintain(at(50)));
    lease.origins();
}

pub(crate) fn stale_lease_is_refused_when_another_drainer_leads<E: Engine>() {
    let engine = E::new(&settings());
    let (one, two) = (engine.open(), engine.open());
    push_all(&*one, 1..=2);
    let mut stale = lead(&*one);
    let fetched = fetch(&mut *stale, SHOP, at(0));
    engine.expire_lease();
    let mut lease = lead(&*two);
    for _ in 0..2 {
        assert_lost(&mut *stale, &fetched[0]);
    }
    assert_eq!(counts(&*one), [2, 0, 0, 0, 0, 2]);
    assert_eq!(two.gate(SHOP, soon()).unwrap(), Gate::default());
    assert_eq!(ids(&fetch(&mut *lease, SHOP, at(0))), ["n-1", "n-2"]);
    assert_eq!(all_pending(&*two).len(), 2);
    // The old lease is refused even after the next drainer has released its own.
    lease.release();
    assert_lost(&mut *stale, &fetched[0]);
    assert_eq!(counts(&*one), [2, 0, 0, 0, 0, 2]);
}

pub(crate) fn stale_lease_does_not_release_the_next_one_when_it_is_dropped<E: Engine>() {
    let engine = E::new(&settings());
    let (one, two) = (engine.open(), engine.open());
    for is_released in [false, true] {
        let stale = lead(&*one);
        engine.expire_lease();
        let mut lease = lead(&*two);
        if is_released {
            stale.release();
        } else {
            drop(stale);
        }
        assert!(!is_free(&*one));
        lease.maintain(at(0)).unwrap();
        lease.release();
    }
}

pub(crate) fn totals_include_every_settlement_after_a_release<E: Engine>() {
    let engine = E::new(&settings());
    let (one, two) = (engine.open(), engine.open());
    push_all(&*one, 1..=4);
    let mut lease = lead(&*one);
    let fetched = fetch(&mut *lease, SHOP, at(0));
    settle(&mut *lease, &fetched[..1], Fate::Delivered);
    settle(&mut *lease, &fetched[1..2], Fate::Dead);
    settle(&mut *lease, &fetched[2..3], Fate::Expired);
    lease.release();
    for spool in [&one, &two, &engine.open()] {
        assert_eq!(counts(&**spool), [4, 1, 1, 1, 0, 1]);
        for (n, status) in [
            (1, Status::Delivered),
            (2, Status::Rejected),
            (3, Status::Expired),
            (4, Status::Queued),
        ] {
            let receipt = spool.receipt(&format!("n-{n}"), at(60), soon()).unwrap();
            assert_eq!(receipt.unwrap().status, status);
        }
    }
}

pub(crate) fn settle_records_nothing_when_the_lease_is_lost<E: Engine>() {
    let engine = E::new(&settings());
    let spool = engine.open();
    push_all(&*spool, 1..=4);
    let mut stale = lead(&*spool);
    let fetched = fetch(&mut *stale, SHOP, at(0));
    engine.expire_lease();
    let lease = lead(&*spool);
    let fates = [
        Fate::Delivered,
        Fate::Dead,
        Fate::Expired,
        Fate::Retry { pause: ms(9) },
    ];
    let settlements: Vec<Settlement> = fetched
        .iter()
        .zip(fates)
        .map(|(item, fate)| settlement(item, fate, at(50)))
        .collect();
    let gates = [(Arc::from(SHOP), BACKING_OFF)];
    let refused = stale.settle(&settlements, &gates);
    assert!(matches!(refused, Err(LeaseError::Lost)), "{refused:?}");
    assert_eq!(counts(&*spool), [4, 0, 0, 0, 0, 4]);
    assert!(all_pending(&*spool).iter().all(|s| s.item.attempts == 0));
    assert_eq!(spool.gate(SHOP, soon()).unwrap(), Gate::default());
    lease.release();
}

pub(crate) fn settle_ignores_items_that_were_already_completed<E: Engine>() {
    let engine = E::new(&settings());
    let spool = engine.open();
    push_all(&*spool, 1..=3);
    let mut lease = lead(&*spool);
    let fetched = fetch(&mut *lease, SHOP, at(0));
    let fates = [
        Fate::Delivered,
        Fate::Dead,
        Fate::Expired,
        Fate::Retry { pause: ms(9) },
    ];
    // The same item twice in one call, and once more in a later one.
    let first = settlement(&fetched[0], Fate::Delivered, at(50));
    lease.settle(&[first.clone(), first], &[]).unwrap();
    for fate in fates {
        settle(&mut *lease, &fetched[..1], fate);
    }
    assert_eq!(counts(&*spool), [3, 1, 0, 0, 0, 2]);
    assert_eq!(all_dead(&*spool), []);
    // An item that has left does not keep the others in the same call.
    settle(&mut *lease, &fetched, Fate::Expired);
    assert_eq!(counts(&*spool), [3, 1, 0, 2, 0, 0]);
    let receipt = spool.receipt("n-1", at(50), soon()).unwrap().unwrap();
    assert_eq!(receipt.status, Status::Delivered);
    lease.settle(&[], &[]).unwrap();
}

/// A lease that has fetched items 1 and 2 and let item 1 be dropped to make room for item 3.
fn dropped_in_flight<E: Engine>() -> (E, Box<dyn Spool>, Box<dyn Lease>, Vec<Item>) {
    let limits = QueueSettings {
        max_items: 2,
        drops_oldest: true,
        ..settings()
    };
    let engine = E::new(&limits);
    let spool = engine.open();
    push_all(&*spool, 1..=2);
    let mut lease = lead(&*spool);
    let fetched = fetch(&mut *lease, SHOP, at(0));
    push_all(&*spool, 3..=3);
    refresh(&mut *lease);
    assert_eq!(counts(&*spool), [3, 0, 0, 0, 1, 2]);
    (engine, spool, lease, fetched)
}

pub(crate) fn settle_counts_a_delivery_when_the_item_was_dropped_in_flight<E: Engine>() {
    let (_engine, spool, mut lease, fetched) = dropped_in_flight::<E>();
    for _ in 0..2 {
        settle(&mut *lease, &fetched[..1], Fate::Delivered);
        assert_eq!(counts(&*spool), [3, 1, 0, 0, 0, 2]);
        let totals = totals(&*spool);
        assert_eq!(totals.process, totals.spool);
        assert_eq!(totals.recent, [(ms(50), ms(12))]);
    }
    let receipt = spool.receipt("n-1", at(60), soon()).unwrap().unwrap();
    assert_eq!(receipt.status, Status::Delivered);
    lease.release();
    assert_eq!(counts(&*spool), [3, 1, 0, 0, 0, 2]);
}

pub(crate) fn settle_ignores_other_fates_when_the_item_was_dropped_in_flight<E: Engine>() {
    for fate in [
        Fate::Dead,
        Fate::Expired,
        Fate::Retry {
            pause: Duration::ZERO,
        },
    ] {
        let (_engine, spool, mut lease, fetched) = dropped_in_flight::<E>();
        settle(&mut *lease, &fetched[..1], fate);
        assert_eq!(counts(&*spool), [3, 0, 0, 0, 1, 2]);
        assert_eq!(all_dead(&*spool), []);
        assert_eq!(ids(&fetch(&mut *lease, SHOP, at(50))), ["n-2", "n-3"]);
    }
}

fn marks(items: &[Item]) -> Vec<bool> {
    items.iter().map(|item| item.has_begun).collect()
}

pub(crate) fn begun_item_is_marked_when_the_next_drainer_fetches_it<E: Engine>() {
    let engine = E::new(&settings());
    let spool = engine.open();
    push_all(&*spool, 1..=3);
    for end in 0..3 {
        let mut lease = lead(&*spool);
        let fetched = fetch(&mut *lease, SHOP, at(0));
        assert_eq!(marks(&fetched), [end > 0, false, false]);
        lease.begin(&[fetched[0].position]).unwrap();
        match end {
            0 => lease.release(),
            1 => drop(lease),
            _ => engine.expire_lease(),
        }
    }
    let mut lease = lead(&*spool);
    let overdue = lease.overdue(SHOP, at(9000), ms(1), &HashSet::new());
    assert_eq!(marks(&overdue.unwrap()), [true, false, false]);
}

pub(crate) fn begun_item_is_marked_when_an_operator_lists_it<E: Engine>() {
    let engine = E::new(&settings());
    let spool = engine.open();
    push_all(&*spool, 1..=2);
    let mut lease = lead(&*spool);
    let fetched = fetch(&mut *lease, SHOP, at(0));
    lease.begin(&[fetched[0].position]).unwrap();
    let listed = || -> Vec<bool> {
        let pending = spool.pending(None, 9, soon()).unwrap();
        pending.iter().map(|stored| stored.item.has_begun).collect()
    };
    assert_eq!(listed(), [true, false]);
    settle(&mut *lease, &fetched[..1], Fate::Retry { pause: ms(1) });
    assert_eq!(listed(), [false, false]);
}

pub(crate) fn begun_item_is_not_marked_after_its_result_was_recorded<E: Engine>() {
    let engine = E::new(&settings());
    let spool = engine.open();
    push_all(&*spool, 1..=3);
    let mut lease = lead(&*spool);
    let fetched = fetch(&mut *lease, SHOP, at(0));
    let positions: Vec<Position> = fetched.iter().map(|i| i.position).collect();
    lease.begin(&positions).unwrap();
    settle(&mut *lease, &fetched[..1], Fate::Retry { pause: ms(1) });
    settle(&mut *lease, &fetched[1..2], Fate::Dead);
    lease.release();
    assert_eq!(spool.requeue(&all_dead(&*spool), soon()).unwrap(), 1);
    let mut lease = lead(&*spool);
    let again = fetch(&mut *lease, SHOP, at(9000));
    assert_eq!(ids(&again), ["n-1", "n-3", "n-2"]);
    assert_eq!(marks(&again), [false, true, false]);
}

pub(crate) fn begin_is_refused_when_the_lease_is_lost<E: Engine>() {
    let engine = E::new(&settings());
    let spool = engine.open();
    push_all(&*spool, 1..=1);
    let mut stale = lead(&*spool);
    let fetched = fetch(&mut *stale, SHOP, at(0));
    engine.expire_lease();
    let mut lease = lead(&*spool);
    let refused = stale.begin(&[fetched[0].position]);
    assert!(matches!(refused, Err(LeaseError::Lost)), "{refused:?}");
    assert_eq!(marks(&fetch(&mut *lease, SHOP, at(0))), [false]);
}
