//! Counters, marks, gates and lists.

use super::*;
use crate::spool::{Gate, RECENT};

fn backing_off(failures: u32, pause: u64) -> Gate {
    Gate {
        failures,
        closed_at: at(0).unix_ms,
        pause,
    }
}

pub(crate) fn counters_change_with_every_fate<E: Engine>() {
    let engine = E::new(&settings());
    let spool = engine.open();
    assert_eq!(counts(&*spool), [0; 6]);
    push_all(&*spool, 1..=9);
    assert_eq!(counts(&*spool), [9, 0, 0, 0, 0, 9]);
    let mut lease = lead(&*spool);
    let fetched = fetch(&mut *lease, SHOP, at(0));
    settle(&mut *lease, &fetched[..3], Fate::Delivered);
    assert_eq!(counts(&*spool), [9, 3, 0, 0, 0, 6]);
    settle(&mut *lease, &fetched[3..5], Fate::Dead);
    assert_eq!(counts(&*spool), [9, 3, 2, 0, 0, 4]);
    settle(&mut *lease, &fetched[5..6], Fate::Expired);
    assert_eq!(counts(&*spool), [9, 3, 2, 1, 0, 3]);
    let pause = ms(1);
    settle(&mut *lease, &fetched[6..7], Fate::Retry { pause });
    assert_eq!(counts(&*spool), [9, 3, 2, 1, 0, 3]);
    let dead = all_dead(&*spool);
    assert_eq!(spool.requeue(&dead[..1], soon()).unwrap(), 1);
    refresh(&mut *lease);
    assert_eq!(counts(&*spool), [9, 3, 1, 1, 0, 4]);
    let rest = dead[1].item.position;
    assert_eq!(spool.discard(&[rest], soon()).unwrap(), 1);
    refresh(&mut *lease);
    assert_eq!(counts(&*spool), [9, 3, 0, 1, 1, 4]);
    assert_eq!(spool.purge(&|_| true, soon()).unwrap(), 4);
    refresh(&mut *lease);
    assert_eq!(counts(&*spool), [9, 3, 0, 1, 5, 0]);
    lease.maintain(at(60)).unwrap();
    lease.release();
    assert_eq!(counts(&*spool), [9, 3, 0, 1, 5, 0]);
}

pub(crate) fn process_counters_count_the_items_of_the_handle<E: Engine>() {
    let engine = E::new(&settings());
    let (one, two) = (engine.open(), engine.open());
    // 1, 3, 5, 7 are accepted by the first handle, 2, 4, 6 by the second.
    for n in 1..=7 {
        let spool = if n % 2 == 1 { &one } else { &two };
        spool.push(&item(n), soon()).unwrap();
    }
    let mut lease = lead(&*two);
    let fetched = fetch(&mut *lease, SHOP, at(0));
    settle(&mut *lease, &fetched[0..2], Fate::Delivered);
    settle(&mut *lease, &fetched[2..4], Fate::Dead);
    settle(&mut *lease, &fetched[4..5], Fate::Expired);
    let of = |spool: &dyn Spool| numbers(totals(spool).process);
    if E::IS_SHARED {
        assert_eq!(of(&*one), [4, 1, 1, 1, 0, 1]);
        assert_eq!(of(&*two), [3, 1, 1, 0, 0, 1]);
        assert_eq!(of(&*engine.open()), [0; 6]);
    } else {
        assert_eq!(of(&*one), [7, 2, 2, 1, 0, 2]);
    }
    // A notification keeps its producer, even if another process drops or requeues it.
    let dead = all_dead(&*one);
    assert_eq!(one.requeue(&dead[..1], soon()).unwrap(), 1);
    let position = dead[1].item.position;
    assert_eq!(one.discard(&[position], soon()).unwrap(), 1);
    refresh(&mut *lease);
    if E::IS_SHARED {
        assert_eq!(of(&*one), [4, 1, 0, 1, 0, 2]);
        assert_eq!(of(&*two), [3, 1, 0, 0, 1, 1]);
    } else {
        assert_eq!(of(&*one), [7, 2, 0, 1, 1, 3]);
    }
    assert_eq!(counts(&*one), [7, 2, 0, 1, 1, 3]);
}

pub(crate) fn totals_return_bytes_and_the_age_of_the_oldest_item<E: Engine>() {
    let engine = E::new(&settings());
    let spool = engine.open();
    assert_eq!(totals(&*spool).pending_bytes, 0);
    assert_eq!(totals(&*spool).oldest, None);
    for (n, bytes) in [(1, 100), (2, 0), (3, 7)] {
        let new = NewItem {
            body: "b".repeat(bytes),
            accepted: at(n),
            ..item(n)
        };
        spool.push(&new, soon()).unwrap();
    }
    assert_eq!(totals(&*spool).pending_bytes, 107);
    assert_eq!(totals(&*spool).oldest, Some(at(1)));
    let mut lease = lead(&*spool);
    let fetched = fetch(&mut *lease, SHOP, at(10));
    settle(&mut *lease, &fetched[..1], Fate::Delivered);
    assert_eq!(totals(&*spool).pending_bytes, 7);
    assert_eq!(totals(&*spool).oldest, Some(at(2)));
    settle(&mut *lease, &fetched[1..], Fate::Dead);
    assert_eq!(totals(&*spool).pending_bytes, 0);
    assert_eq!(totals(&*spool).oldest, None);
}

pub(crate) fn totals_return_age_and_latency_of_the_last_deliveries<E: Engine>() {
    let more = RECENT as u64 + 5;
    let engine = E::new(&settings());
    let spool = engine.open();
    push_all(&*spool, 1..=more + 2);
    let mut lease = lead(&*spool);
    let skip = HashSet::new();
    let fetched = lease.fetch(SHOP, at(0), usize::MAX, &skip).unwrap();
    let (others, delivered) = fetched.split_at(2);
    settle(&mut *lease, &others[..1], Fate::Dead);
    settle(&mut *lease, &others[1..], Fate::Expired);
    assert_eq!(totals(&*spool).recent, []);
    let settlements: Vec<Settlement> = (1..=more)
        .zip(delivered)
        .map(|(n, item)| Settlement {
            latency: ms(n),
            ..settlement(item, Fate::Delivered, at(2 * n))
        })
        .collect();
    for some in settlements.chunks(100) {
        lease.settle(some, &[]).unwrap();
    }
    let mut recent = totals(&*spool).recent;
    recent.sort_unstable();
    let expected: Vec<(Duration, Duration)> = (6..=more).map(|n| (ms(2 * n), ms(n))).collect();
    assert_eq!(recent, expected);
}

pub(crate) fn mark_is_settled_once_everything_before_it_has_left<E: Engine>() {
    let engine = E::new(&settings());
    let (spool, other) = (engine.open(), engine.open());
    let mark = || spool.mark(soon()).unwrap().expect("the spool is not busy");
    let is_settled = |mark| {
        let seen = [&spool, &other].map(|s| s.is_settled(mark, soon()).unwrap());
        assert_eq!(seen[0], seen[1]);
        seen[0]
    };
    let empty = mark();
    assert!(is_settled(empty));
    push_all(&*spool, 1..=2);
    push_all(&*other, 3..=3);
    let first = mark();
    let elsewhere = NewItem {
        origin: Arc::from(OTHER),
        ..item(4)
    };
    other.push(&elsewhere, soon()).unwrap();
    let second = mark();
    push_all(&*spool, 5..=5);
    assert!(is_settled(empty));
    assert!(!is_settled(first));
    let mut lease = lead(&*spool);
    let fetched = fetch(&mut *lease, SHOP, at(0));
    settle(&mut *lease, &fetched[1..3], Fate::Delivered);
    assert!(!is_settled(first));
    let pause = ms(1);
    settle(&mut *lease, &fetched[..1], Fate::Retry { pause });
    assert!(!is_settled(first));
    settle(&mut *lease, &fetched[..1], Fate::Dead);
    assert!(is_settled(first));
    assert!(!is_settled(second));
    let elsewhere = fetch(&mut *lease, OTHER, at(0));
    settle(&mut *lease, &elsewhere, Fate::Expired);
    assert!(is_settled(second));
    // A requeued letter is the last in the queue, after every mark.
    assert_eq!(spool.requeue(&all_dead(&*spool), soon()).unwrap(), 1);
    refresh(&mut *lease);
    assert!(is_settled(second));
    assert!(!is_settled(mark()));
    spool.purge(&|_| true, soon()).unwrap();
    refresh(&mut *lease);
    assert!(is_settled(mark()));
}

pub(crate) fn gate_is_stored_for_each_origin<E: Engine>() {
    let engine = E::new(&settings());
    let (spool, other) = (engine.open(), engine.open());
    assert_eq!(spool.gate(SHOP, soon()).unwrap(), Gate::default());
    push_all(&*spool, 1..=1);
    let elsewhere = NewItem {
        origin: Arc::from(OTHER),
        ..item(2)
    };
    spool.push(&elsewhere, soon()).unwrap();
    let mut lease = lead(&*spool);
    let (shop, elsewhere): (Arc<str>, Arc<str>) = (Arc::from(SHOP), Arc::from(OTHER));
    for gate in [
        backing_off(1, 250),
        backing_off(u32::MAX, u64::MAX),
        Gate::default(),
        backing_off(7, 0),
    ] {
        lease.settle(&[], &[(shop.clone(), gate)]).unwrap();
        for handle in [&spool, &other] {
            assert_eq!(handle.gate(SHOP, soon()).unwrap(), gate);
            assert_eq!(handle.gate(OTHER, soon()).unwrap(), Gate::default());
            assert_eq!(handle.gate("", soon()).unwrap(), Gate::default());
        }
    }
    let gates = [
        (shop.clone(), backing_off(3, 9)),
        (elsewhere.clone(), backing_off(4, 8)),
    ];
    lease.settle(&[], &gates).unwrap();
    lease.release();
    let lease = lead(&*other);
    let mut origins = lease.origins();
    origins.sort_by(|a, b| a.0.cmp(&b.0));
    let mut expected = gates.to_vec();
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(origins, expected);
}

pub(crate) fn probe_now_ends_the_pause_of_every_origin_that_is_backing_off<E: Engine>() {
    for is_led in [false, true] {
        let engine = E::new(&settings());
        let spool = engine.open();
        for (n, origin) in [(1, SHOP), (2, OTHER), (3, "third")] {
            let origin = Arc::from(origin);
            spool.push(&NewItem { origin, ..item(n) }, soon()).unwrap();
        }
        assert_eq!(spool.probe_now(soon()).unwrap(), 0);
        let mut lease = lead(&*spool);
        let gates = [
            (Arc::from(SHOP), backing_off(3, 60_000)),
            (Arc::from(OTHER), backing_off(1, 10)),
        ];
        lease.settle(&[], &gates).unwrap();
        let mut lease = Some(lease).filter(|_| is_led);
        assert_eq!(spool.probe_now(soon()).unwrap(), 2);
        if let Some(lease) = &mut lease {
            refresh(&mut **lease);
        }
        assert_eq!(spool.gate(SHOP, soon()).unwrap(), backing_off(3, 0));
        assert_eq!(spool.gate(OTHER, soon()).unwrap(), backing_off(1, 0));
        assert_eq!(spool.gate("third", soon()).unwrap(), Gate::default());
        drop(lease);
        let origins = lead(&*spool).origins();
        let shop = origins.iter().find(|(origin, _)| &**origin == SHOP);
        assert_eq!(shop.unwrap().1, backing_off(3, 0));
    }
}

pub(crate) fn origins_are_listed_once_each<E: Engine>() {
    let engine = E::new(&settings());
    let spool = engine.open();
    let mut lease = lead(&*spool);
    assert_eq!(lease.origins(), []);
    for (n, origin) in [(1, SHOP), (2, OTHER), (3, SHOP), (4, OTHER)] {
        let origin = Arc::from(origin);
        spool.push(&NewItem { origin, ..item(n) }, soon()).unwrap();
    }
    refresh(&mut *lease);
    let names = |lease: &dyn Lease| {
        let mut names: Vec<String> = lease.origins().iter().map(|o| o.0.to_string()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&*lease), [OTHER, SHOP]);
    let fetched = fetch(&mut *lease, SHOP, at(0));
    settle(&mut *lease, &fetched[..1], Fate::Delivered);
    assert_eq!(names(&*lease), [OTHER, SHOP]);
    lease.release();
    assert_eq!(names(&*lead(&*spool)), [OTHER, SHOP]);
}

pub(crate) fn list_returns_pages<E: Engine>() {
    let engine = E::new(&settings());
    let spool = engine.open();
    push_all(&*spool, 1..=25);
    let mut lease = lead(&*spool);
    let fetched = fetch(&mut *lease, SHOP, at(0));
    settle(&mut *lease, &fetched[..12], Fate::Dead);
    let expect = |range: std::ops::RangeInclusive<u64>| -> Vec<String> {
        range.map(|n| format!("n-{n}")).collect()
    };
    for limit in [1, 2, 5, 12, 13, 100] {
        let pending = all_pages(|after| spool.pending(after, limit, soon()).unwrap());
        assert_eq!(stored_ids(&pending), expect(13..=25));
        let dead = all_pages(|after| spool.dead(after, limit, soon()).unwrap());
        assert_eq!(stored_ids(&dead), expect(1..=12));
        assert_eq!(
            spool.pending(None, limit, soon()).unwrap().len(),
            limit.min(13)
        );
        assert_eq!(
            spool.dead(None, limit, soon()).unwrap().len(),
            limit.min(12)
        );
    }
    assert_eq!(spool.pending(None, 0, soon()).unwrap(), []);
    assert_eq!(spool.dead(None, 0, soon()).unwrap(), []);
    let end = Some(Position(u64::MAX));
    assert_eq!(spool.pending(end, 9, soon()).unwrap(), []);
    assert_eq!(spool.dead(end, 9, soon()).unwrap(), []);
    assert_eq!(spool.pending(None, usize::MAX, soon()).unwrap().len(), 13);
    // Items that leave during a listing do not disturb the next page.
    let first = spool.pending(None, 3, soon()).unwrap();
    settle(&mut *lease, &fetched[12..16], Fate::Delivered);
    let after = Some(first[2].item.position);
    let next = spool.pending(after, 3, soon()).unwrap();
    assert_eq!(stored_ids(&next), expect(17..=19));
}

pub(crate) fn overview_returns_dead_letters_by_status<E: Engine>() {
    let engine = E::new(&settings());
    let spool = engine.open();
    push_all(&*spool, 1..=6);
    let mut lease = lead(&*spool);
    let fetched = fetch(&mut *lease, SHOP, at(0));
    let statuses = [
        Status::Rejected,
        Status::Forbidden,
        Status::Rejected,
        Status::Rejected,
    ];
    for (item, status) in fetched.iter().zip(statuses) {
        let dead = Settlement {
            status,
            ..settlement(item, Fate::Dead, at(5))
        };
        let gate = backing_off(1, 7);
        lease.settle(&[dead], &[(Arc::from(SHOP), gate)]).unwrap();
    }
    refresh(&mut *lease);
    let overview = spool.overview(soon()).unwrap();
    let mut by_status = overview.dead_by_status;
    by_status.sort_by_key(|(_, count)| *count);
    assert_eq!(by_status, [(Status::Forbidden, 1), (Status::Rejected, 3)]);
    assert_eq!(overview.origins, [(Arc::from(SHOP), backing_off(1, 7), 2)]);
    assert_eq!(overview.faults, Vec::<String>::new());
    assert!(overview.set_aside.is_empty());
}

pub(crate) fn overview_returns_the_leader<E: Engine>() {
    let engine = E::new(&settings());
    let (spool, other) = (engine.open(), engine.open());
    push_all(&*spool, 1..=1);
    for _ in 0..2 {
        assert_eq!(other.overview(soon()).unwrap().leader, None);
        let lease = lead(&*spool);
        assert!(other.overview(soon()).unwrap().leader.is_some());
        lease.release();
    }
    assert_eq!(other.overview(soon()).unwrap().leader, None);
}

pub(crate) fn spool_call_returns_when_its_deadline_has_passed<E: Engine>() {
    let engine = E::new(&settings());
    let spool = engine.open();
    push_all(&*spool, 1..=2);
    let mut lease = lead(&*spool);
    let fetched = fetch(&mut *lease, SHOP, at(0));
    settle(&mut *lease, &fetched[..1], Fate::Dead);
    let letters = all_dead(&*spool);
    let begin = Instant::now();
    let past = begin;
    // Both results are right, but the call must return at once, and an error means that nothing was done.
    let is_accepted = spool.push(&item(3), past).is_ok();
    assert!(!matches!(spool.acquire(past), Ok(Some(_))));
    let _ = spool.totals(past);
    let _ = spool.gate(SHOP, past);
    let _ = spool.receipt("n-1", at(0), past);
    if let Ok(Some(mark)) = spool.mark(past) {
        let _ = spool.is_settled(mark, past);
    }
    let _ = spool.overview(past);
    let _ = spool.pending(None, 9, past);
    let _ = spool.dead(None, 9, past);
    let _ = spool.probe_now(past);
    let is_requeued = spool.requeue(&letters, past).is_ok();
    assert!(begin.elapsed() < Duration::from_secs(5));
    refresh(&mut *lease);
    let pending = 1 + u64::from(is_accepted) + u64::from(is_requeued);
    let dead = u64::from(!is_requeued);
    assert_eq!(
        counts(&*spool),
        [2 + u64::from(is_accepted), 0, dead, 0, 0, pending]
    );
}
