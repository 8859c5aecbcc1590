//! `max_items`, `max_bytes` and `overflow` at their limits.

use super::*;
use crate::outcome::Error;

/// An item whose body has this many bytes.
fn sized(n: u64, bytes: usize) -> NewItem {
    NewItem {
        body: "b".repeat(bytes),
        ..item(n)
    }
}

fn push(spool: &dyn Spool, new: &NewItem) -> Result<(), Error> {
    spool.push(new, soon())
}

fn assert_full(result: Result<(), Error>, limits: &QueueSettings) {
    let error = result.unwrap_err();
    assert_eq!(error.status(), Status::QueueFull);
    let (max_items, max_bytes) = (limits.max_items, limits.max_bytes);
    assert_eq!(
        error.detail(),
        format!("the queue is full (max_items {max_items}, max_bytes {max_bytes})")
    );
}

fn assert_pending(spool: &dyn Spool, numbers: &[u64], bytes: u64) {
    let expected: Vec<String> = numbers.iter().map(|n| format!("n-{n}")).collect();
    assert_eq!(stored_ids(&all_pending(spool)), expected);
    let totals = totals(spool);
    assert_eq!(totals.spool.pending, numbers.len() as u64);
    assert_eq!(totals.pending_bytes, bytes);
}

pub(crate) fn max_items_is_exact_when_overflow_refuses<E: Engine>() {
    for max_items in 1..=5 {
        let limits = QueueSettings {
            max_items,
            ..settings()
        };
        let engine = E::new(&limits);
        let spool = engine.open();
        push_all(&*spool, 1..=max_items);
        for _ in 0..3 {
            assert_full(push(&*spool, &item(9)), &limits);
        }
        assert_full(push(&*spool, &sized(9, 0)), &limits);
        assert_eq!(counts(&*spool), [max_items, 0, 0, 0, 0, max_items]);
        assert_eq!(spool.receipt("n-9", at(0), soon()).unwrap(), None);
    }
}

pub(crate) fn max_bytes_is_exact_when_overflow_refuses<E: Engine>() {
    let limits = QueueSettings {
        max_bytes: 100,
        ..settings()
    };
    let engine = E::new(&limits);
    let spool = engine.open();
    push(&*spool, &sized(1, 60)).unwrap();
    assert_full(push(&*spool, &sized(2, 41)), &limits);
    push(&*spool, &sized(3, 39)).unwrap();
    assert_full(push(&*spool, &sized(4, 2)), &limits);
    push(&*spool, &sized(5, 1)).unwrap();
    assert_full(push(&*spool, &sized(6, 1)), &limits);
    push(&*spool, &sized(7, 0)).unwrap();
    assert_pending(&*spool, &[1, 3, 5, 7], 100);
    // Counts bytes, not characters.
    let engine = E::new(&limits);
    let spool = engine.open();
    let wide = |n, chars| NewItem {
        body: "å".repeat(chars),
        ..item(n)
    };
    push(&*spool, &wide(1, 49)).unwrap();
    assert_full(push(&*spool, &wide(2, 2)), &limits);
    push(&*spool, &wide(3, 1)).unwrap();
    assert_pending(&*spool, &[1, 3], 100);
}

pub(crate) fn max_items_is_exact_when_overflow_drops_the_oldest<E: Engine>() {
    let limits = QueueSettings {
        max_items: 3,
        drops_oldest: true,
        ..settings()
    };
    let engine = E::new(&limits);
    let spool = engine.open();
    for n in 1..=8 {
        push(&*spool, &sized(n, 10)).unwrap();
        let first = n.saturating_sub(2).max(1);
        let pending: Vec<u64> = (first..=n).collect();
        assert_pending(&*spool, &pending, 10 * pending.len() as u64);
        assert_eq!(totals(&*spool).spool.dropped, first - 1);
    }
    let mut lease = lead(&*spool);
    assert_eq!(ids(&fetch(&mut *lease, SHOP, at(0))), ["n-6", "n-7", "n-8"]);
    assert_eq!(counts(&*spool), [8, 0, 0, 0, 5, 3]);
}

pub(crate) fn max_bytes_is_exact_when_overflow_drops_the_oldest<E: Engine>() {
    let limits = QueueSettings {
        max_bytes: 100,
        drops_oldest: true,
        ..settings()
    };
    let engine = E::new(&limits);
    let spool = engine.open();
    push(&*spool, &sized(1, 30)).unwrap();
    push(&*spool, &sized(2, 30)).unwrap();
    push(&*spool, &sized(3, 40)).unwrap();
    assert_pending(&*spool, &[1, 2, 3], 100);
    push(&*spool, &sized(4, 0)).unwrap();
    assert_pending(&*spool, &[1, 2, 3, 4], 100);
    push(&*spool, &sized(5, 1)).unwrap();
    assert_pending(&*spool, &[2, 3, 4, 5], 71);
    push(&*spool, &sized(6, 60)).unwrap();
    assert_pending(&*spool, &[4, 5, 6], 61);
    push(&*spool, &sized(7, 100)).unwrap();
    assert_pending(&*spool, &[7], 100);
    assert_eq!(counts(&*spool), [7, 0, 0, 0, 6, 1]);
}

pub(crate) fn body_larger_than_max_bytes_is_refused_and_drops_nothing<E: Engine>() {
    for drops_oldest in [false, true] {
        let limits = QueueSettings {
            max_bytes: 100,
            max_items: 2,
            drops_oldest,
            ..settings()
        };
        let engine = E::new(&limits);
        let spool = engine.open();
        assert_full(push(&*spool, &sized(1, 101)), &limits);
        push(&*spool, &sized(2, 99)).unwrap();
        push(&*spool, &sized(3, 1)).unwrap();
        assert_full(push(&*spool, &sized(4, 101)), &limits);
        assert_full(push(&*spool, &sized(5, 1 << 20)), &limits);
        assert_pending(&*spool, &[2, 3], 100);
        assert_eq!(counts(&*spool), [2, 0, 0, 0, 0, 2]);
        assert_eq!(push(&*spool, &sized(6, 100)).is_ok(), drops_oldest);
    }
}

pub(crate) fn completed_items_free_room_and_retried_items_do_not<E: Engine>() {
    let limits = QueueSettings {
        max_items: 3,
        max_bytes: 30,
        ..settings()
    };
    let engine = E::new(&limits);
    let spool = engine.open();
    let mut n = 0;
    let mut fill = |room: u64| {
        for _ in 0..room {
            n += 1;
            push(&*spool, &sized(n, 10)).unwrap();
        }
        assert_full(push(&*spool, &sized(0, 0)), &limits);
    };
    fill(3);
    let mut lease = lead(&*spool);
    for fate in [Fate::Delivered, Fate::Dead, Fate::Expired] {
        let fetched = fetch(&mut *lease, SHOP, at(60));
        settle(&mut *lease, &fetched[..2], fate);
        fill(2);
    }
    let fetched = fetch(&mut *lease, SHOP, at(60));
    let pause = Duration::ZERO;
    settle(&mut *lease, &fetched, Fate::Retry { pause });
    fill(0);
    spool.purge(&|_| true, soon()).unwrap();
    refresh(&mut *lease);
    fill(3);
}

pub(crate) fn limits_hold_for_all_handles_together<E: Engine>() {
    let limits = QueueSettings {
        max_items: 5,
        ..settings()
    };
    let engine = E::new(&limits);
    let handles = [engine.open(), engine.open(), engine.open()];
    let accepted = (0..30).filter(|n| {
        let spool = &handles[*n as usize % 3];
        push(&**spool, &item(*n)).is_ok()
    });
    assert_eq!(accepted.collect::<Vec<u64>>(), [0, 1, 2, 3, 4]);
    for spool in &handles {
        assert_full(push(&**spool, &item(99)), &limits);
        assert_pending(&**spool, &[0, 1, 2, 3, 4], 35);
    }
}

pub(crate) fn dead_letters_do_not_count_towards_the_limits_and_can_be_requeued_over_them<
    E: Engine,
>() {
    let limits = QueueSettings {
        max_items: 2,
        ..settings()
    };
    let engine = E::new(&limits);
    let spool = engine.open();
    push_all(&*spool, 1..=2);
    let mut lease = lead(&*spool);
    let fetched = fetch(&mut *lease, SHOP, at(0));
    settle(&mut *lease, &fetched, Fate::Dead);
    push_all(&*spool, 3..=4);
    assert_full(push(&*spool, &item(5)), &limits);
    assert_eq!(spool.requeue(&all_dead(&*spool), soon()).unwrap(), 2);
    refresh(&mut *lease);
    assert_pending(&*spool, &[3, 4, 1, 2], 28);
    let fetched = fetch(&mut *lease, SHOP, at(0));
    settle(&mut *lease, &fetched[..2], Fate::Delivered);
    assert_full(push(&*spool, &item(5)), &limits);
    settle(&mut *lease, &fetched[2..3], Fate::Delivered);
    push_all(&*spool, 5..=5);
}
