//! Which items a drainer fetches, when, and in which order.

use super::*;

/// 30 days, in milliseconds.
const MONTH: u64 = 30 * 86_400_000;

pub(crate) fn items_are_fetched_oldest_first_when_several_producers_push<E: Engine>() {
    let engine = E::new(&settings());
    let (one, two) = (engine.open(), engine.open());
    for n in 0..20 {
        let producer = if n % 3 == 0 { &one } else { &two };
        producer.push(&item(n), soon()).unwrap();
    }
    let mut lease = lead(&*one);
    let fetched = fetch(&mut *lease, SHOP, at(0));
    let expected: Vec<String> = (0..20).map(|n| format!("n-{n}")).collect();
    assert_eq!(ids(&fetched), expected);
    assert!(fetched.is_sorted_by(|a, b| a.position < b.position));
    let (first, second) = (&fetched[0], &fetched[1]);
    assert_eq!(first.producer != second.producer, E::IS_SHARED);
    assert_eq!(stored_ids(&all_pending(&*two)), expected);
}

pub(crate) fn fetch_returns_only_its_origin_when_there_are_several<E: Engine>() {
    let engine = E::new(&settings());
    let spool = engine.open();
    for n in 1..=6 {
        let origin = Arc::from(if n % 2 == 0 { SHOP } else { OTHER });
        spool.push(&NewItem { origin, ..item(n) }, soon()).unwrap();
    }
    let mut lease = lead(&*spool);
    let fetched = fetch(&mut *lease, SHOP, at(0));
    assert_eq!(ids(&fetched), ["n-2", "n-4", "n-6"]);
    assert!(fetched.iter().all(|i| &*i.origin == SHOP));
    let others = fetch(&mut *lease, OTHER, at(0));
    assert_eq!(ids(&others), ["n-1", "n-3", "n-5"]);
    for unknown in [
        "",
        "https://shop.example",
        &SHOP[1..],
        "https://shop.example:443/prefix/",
    ] {
        assert_eq!(fetch(&mut *lease, unknown, at(0)), []);
    }
}

pub(crate) fn fetch_passes_over_skipped_items<E: Engine>() {
    let engine = E::new(&settings());
    let spool = engine.open();
    push_all(&*spool, 1..=5);
    let mut lease = lead(&*spool);
    let fetched = fetch(&mut *lease, SHOP, at(0));
    let skip = [1, 3].map(|n: usize| fetched[n].position).into();
    let rest = lease.fetch(SHOP, at(0), 1000, &skip).unwrap();
    assert_eq!(ids(&rest), ["n-1", "n-3", "n-5"]);
    let first = lease.fetch(SHOP, at(0), 2, &skip).unwrap();
    assert_eq!(ids(&first), ["n-1", "n-3"]);
    let all = fetched.iter().map(|i| i.position).collect();
    assert_eq!(lease.fetch(SHOP, at(0), 1000, &all).unwrap(), []);
}

pub(crate) fn fetch_returns_no_more_than_its_limit<E: Engine>() {
    let engine = E::new(&settings());
    let spool = engine.open();
    push_all(&*spool, 1..=3);
    let mut lease = lead(&*spool);
    for limit in 0..=4 {
        let fetched = lease.fetch(SHOP, at(0), limit, &HashSet::new()).unwrap();
        assert_eq!(fetched.len(), limit.min(3));
    }
    assert_eq!(
        lease
            .fetch(SHOP, at(0), usize::MAX, &HashSet::new())
            .unwrap()
            .len(),
        3
    );
}

pub(crate) fn item_is_fetched_again_until_it_is_completed<E: Engine>() {
    let engine = E::new(&settings());
    let spool = engine.open();
    push_all(&*spool, 1..=1);
    let mut lease = lead(&*spool);
    let fetched = fetch(&mut *lease, SHOP, at(0));
    assert_eq!(fetch(&mut *lease, SHOP, at(0)), fetched);
    lease.release();
    let mut lease = lead(&*spool);
    assert_eq!(fetch(&mut *lease, SHOP, at(0)), fetched);
    let item = &fetched[0];
    assert_eq!((item.accepted, item.attempts), (at(0), 0));
    assert_eq!(item.body, "{\"n\":1}");
}

pub(crate) fn completed_item_is_not_fetched_again<E: Engine>() {
    for fate in [Fate::Delivered, Fate::Dead, Fate::Expired] {
        let engine = E::new(&settings());
        let spool = engine.open();
        push_all(&*spool, 1..=3);
        let mut lease = lead(&*spool);
        let fetched = fetch(&mut *lease, SHOP, at(0));
        settle(&mut *lease, &fetched[1..2], fate);
        assert_eq!(ids(&fetch(&mut *lease, SHOP, at(MONTH))), ["n-1", "n-3"]);
        assert_eq!(stored_ids(&all_pending(&*spool)), ["n-1", "n-3"]);
        lease.release();
        let mut lease = lead(&*spool);
        assert_eq!(ids(&fetch(&mut *lease, SHOP, at(MONTH))), ["n-1", "n-3"]);
    }
}

pub(crate) fn retried_item_keeps_its_position_and_its_attempts<E: Engine>() {
    let engine = E::new(&settings());
    let spool = engine.open();
    push_all(&*spool, 1..=2);
    let mut lease = lead(&*spool);
    for attempts in 1..=3 {
        let fetched = fetch(&mut *lease, SHOP, at(50));
        assert_eq!(ids(&fetched), ["n-1", "n-2"]);
        assert_eq!(fetched[0].attempts, attempts - 1);
        let pause = Duration::ZERO;
        settle(&mut *lease, &fetched[..1], Fate::Retry { pause });
        let pending = &all_pending(&*spool)[0];
        assert_eq!((pending.item.attempts, pending.died), (attempts, None));
        assert_eq!(
            (pending.status, pending.http_status),
            (Status::ServerError, Some(503))
        );
        assert_eq!(
            pending.detail,
            format!("ESALES_SERVER_ERROR after {attempts}")
        );
    }
    let untried = &all_pending(&*spool)[1];
    assert_eq!(
        (untried.status, untried.http_status),
        (Status::Queued, None)
    );
    assert_eq!(totals(&*spool).spool.pending, 2);
}

/// A lease on a spool with one item, retried at `now` with a pause of 5,000 ms.
fn retried<E: Engine>(now: Timestamp) -> (E, Box<dyn Spool>, Box<dyn Lease>) {
    let engine = E::new(&settings());
    let spool = engine.open();
    let accepted = Timestamp {
        unix_ms: now.unix_ms - 10,
        ..now
    };
    spool
        .push(
            &NewItem {
                accepted,
                ..item(1)
            },
            soon(),
        )
        .unwrap();
    let mut lease = lead(&*spool);
    let fetched = fetch(&mut *lease, SHOP, now);
    let retry = Fate::Retry { pause: ms(5000) };
    lease
        .settle(&[settlement(&fetched[0], retry, now)], &[])
        .unwrap();
    (engine, spool, lease)
}

pub(crate) fn retried_item_waits_for_its_pause<E: Engine>() {
    let (_engine, spool, mut lease) = retried::<E>(at(100));
    assert_eq!(fetch(&mut *lease, SHOP, at(100)), []);
    assert_eq!(fetch(&mut *lease, SHOP, at(5099)), []);
    assert_eq!(fetch(&mut *lease, SHOP, at(5100)).len(), 1);
    // Another drainer reads the pause too.
    lease.release();
    let mut lease = lead(&*spool);
    assert_eq!(fetch(&mut *lease, SHOP, at(5099)), []);
    assert_eq!(fetch(&mut *lease, SHOP, at(5100)).len(), 1);
    assert_eq!(all_pending(&*spool).len(), 1);
}

pub(crate) fn retried_item_waits_for_its_pause_when_the_wall_clock_is_set<E: Engine>() {
    for unix_ms in [1, at(0).unix_ms - MONTH, at(0).unix_ms + MONTH, u64::MAX] {
        let (_engine, _spool, mut lease) = retried::<E>(at(100));
        let set = |ms| Timestamp { unix_ms, ..at(ms) };
        assert_eq!(fetch(&mut *lease, SHOP, set(5099)), []);
        assert_eq!(fetch(&mut *lease, SHOP, set(5100)).len(), 1);
    }
}

pub(crate) fn retried_item_is_fetched_within_its_pause_when_its_age_is_uncertain<E: Engine>() {
    // The machine was restarted, or this is unknown.
    for (then, now) in [(at(100), 8), (wall(100), 0), (at(100), 0)] {
        let later = |from, ms| Timestamp {
            unix_ms: from + ms,
            uptime_ms: 50 + ms,
            boot: now,
        };
        let (_engine, _spool, mut lease) = retried::<E>(then);
        let early = later(then.unix_ms, 4999);
        assert_eq!(fetch(&mut *lease, SHOP, early), []);
        let due = later(then.unix_ms, 5000);
        assert_eq!(fetch(&mut *lease, SHOP, due).len(), 1);
        // If the clock was set back, the item may be tried at once or after a whole pause, but not after a month.
        let (_engine, _spool, mut lease) = retried::<E>(then);
        let back = then.unix_ms - MONTH;
        fetch(&mut *lease, SHOP, later(back, 0));
        assert_eq!(fetch(&mut *lease, SHOP, later(back, 5000)).len(), 1);
    }
}

fn overdue(lease: &mut dyn Lease, now: Timestamp, max_age: u64) -> Vec<Item> {
    refresh(lease);
    lease
        .overdue(SHOP, now, ms(max_age), &HashSet::new())
        .unwrap()
}

pub(crate) fn overdue_returns_items_older_than_max_age<E: Engine>() {
    let engine = E::new(&settings());
    let spool = engine.open();
    // The last item was accepted first, because the clocks of the producers may differ.
    for (n, accepted) in [(1, at(1000)), (2, at(2000)), (3, at(3000)), (4, at(0))] {
        spool
            .push(
                &NewItem {
                    accepted,
                    ..item(n)
                },
                soon(),
            )
            .unwrap();
    }
    let mut lease = lead(&*spool);
    assert_eq!(overdue(&mut *lease, at(3000), 3000), []);
    assert_eq!(ids(&overdue(&mut *lease, at(3001), 3000)), ["n-4"]);
    assert_eq!(ids(&overdue(&mut *lease, at(4001), 3000)), ["n-1", "n-4"]);
    // The wall clock does not matter when the age is certain.
    let set = Timestamp {
        unix_ms: u64::MAX,
        ..at(3000)
    };
    assert_eq!(overdue(&mut *lease, set, 3000), []);
    let set = Timestamp {
        unix_ms: 0,
        ..at(9000)
    };
    assert_eq!(overdue(&mut *lease, set, 3000).len(), 4);
    assert_eq!(overdue(&mut *lease, at(u64::MAX >> 20), u64::MAX), []);
}

pub(crate) fn overdue_passes_over_untried_items_when_their_age_is_uncertain<E: Engine>() {
    for (accepted, now) in [(wall(0), wall(MONTH)), (at(0), wall(MONTH))] {
        let engine = E::new(&settings());
        let spool = engine.open();
        for (n, attempts) in [(1, 0), (2, 1), (3, 0)] {
            let tried = NewItem {
                accepted,
                attempts,
                detail: "ESALES_TIMEOUT".to_owned(),
                ..item(n)
            };
            spool.push(&tried, soon()).unwrap();
        }
        let mut lease = lead(&*spool);
        assert_eq!(ids(&overdue(&mut *lease, now, 3000)), ["n-2"]);
        let untried = fetch(&mut *lease, SHOP, now);
        let retry = Fate::Retry { pause: ms(1) };
        lease
            .settle(&[settlement(&untried[2], retry, now)], &[])
            .unwrap();
        assert_eq!(ids(&overdue(&mut *lease, now, 3000)), ["n-2", "n-3"]);
    }
}

pub(crate) fn overdue_ignores_pauses_and_respects_skip_and_origin<E: Engine>() {
    let engine = E::new(&settings());
    let spool = engine.open();
    push_all(&*spool, 1..=3);
    let elsewhere = NewItem {
        origin: Arc::from(OTHER),
        ..item(4)
    };
    spool.push(&elsewhere, soon()).unwrap();
    let mut lease = lead(&*spool);
    let fetched = fetch(&mut *lease, SHOP, at(0));
    let pause = Duration::from_secs(86_400);
    settle(&mut *lease, &fetched[..1], Fate::Retry { pause });
    assert_eq!(
        ids(&overdue(&mut *lease, at(9000), 3000)),
        ["n-1", "n-2", "n-3"]
    );
    let skip = [fetched[1].position].into();
    let rest = lease.overdue(SHOP, at(9000), ms(3000), &skip).unwrap();
    assert_eq!(ids(&rest), ["n-1", "n-3"]);
    let elsewhere = lease
        .overdue(OTHER, at(9000), ms(3000), &HashSet::new())
        .unwrap();
    assert_eq!(ids(&elsewhere), ["n-4"]);
}

pub(crate) fn poll_returns_true_once_when_something_was_pushed<E: Engine>() {
    let engine = E::new(&settings());
    let (spool, producer) = (engine.open(), engine.open());
    let mut lease = lead(&*spool);
    assert!(!lease.poll(at(0)).unwrap());
    for n in 1..=3 {
        producer.push(&item(n), soon()).unwrap();
        assert!(lease.poll(at(0)).unwrap());
        refresh(&mut *lease);
        assert!(!lease.poll(at(0)).unwrap());
    }
    assert_eq!(fetch(&mut *lease, SHOP, at(0)).len(), 3);
}

pub(crate) fn end_is_fetched_once_everything_older_of_its_session_is_completed<E: Engine>() {
    let engine = E::new(&settings());
    let spool = engine.open();
    for (n, ends) in [(1, false), (2, false), (3, true), (4, false)] {
        spool.push(&of_session(n, "s", ends), soon()).unwrap();
    }
    let mut lease = lead(&*spool);
    let fetched = fetch(&mut *lease, SHOP, at(0));
    assert_eq!(ids(&fetched), ["n-1", "n-2", "n-4"]);
    // The end comes last, also after items that are in flight or paused.
    settle(&mut *lease, &fetched[2..], Fate::Delivered);
    let in_flight = fetched[..2].iter().map(|i| i.position).collect();
    assert_eq!(lease.fetch(SHOP, at(0), 1, &in_flight).unwrap(), []);
    settle(&mut *lease, &fetched[..1], Fate::Delivered);
    settle(&mut *lease, &fetched[1..2], Fate::Retry { pause: ms(1000) });
    assert_eq!(fetch(&mut *lease, SHOP, at(60)), []);
    let retried = fetch(&mut *lease, SHOP, at(2000));
    assert_eq!(ids(&retried), ["n-2"]);
    // Another drainer reads the same order.
    lease.release();
    let mut lease = lead(&*spool);
    assert_eq!(ids(&fetch(&mut *lease, SHOP, at(2000))), ["n-2"]);
    settle(&mut *lease, &retried, Fate::Dead);
    let end = fetch(&mut *lease, SHOP, at(2000));
    assert_eq!(ids(&end), ["n-3"]);
    // A retried end waits only for older items: there are none.
    settle(&mut *lease, &end, Fate::Retry { pause: ms(1) });
    assert_eq!(ids(&fetch(&mut *lease, SHOP, at(9000))), ["n-3"]);
}

pub(crate) fn end_is_fetched_when_only_other_sessions_or_origins_have_older_items<E: Engine>() {
    let engine = E::new(&settings());
    let spool = engine.open();
    let elsewhere = NewItem {
        origin: Arc::from(OTHER),
        ..of_session(1, "s", false)
    };
    spool.push(&elsewhere, soon()).unwrap();
    spool.push(&of_session(2, "other", false), soon()).unwrap();
    for n in 3..=6 {
        spool.push(&of_session(n, "s", true), soon()).unwrap();
    }
    spool.push(&of_session(7, "s", false), soon()).unwrap();
    let mut lease = lead(&*spool);
    // With any limit, the ends wait for each other and for nothing else.
    let fetched = fetch(&mut *lease, SHOP, at(0));
    assert_eq!(ids(&fetched), ["n-2", "n-3", "n-7"]);
    let skip = fetched[..2].iter().map(|i| i.position).collect();
    let next = lease.fetch(SHOP, at(0), 1, &skip).unwrap();
    assert_eq!(ids(&next), ["n-7"]);
}
