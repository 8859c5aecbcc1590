//! Dead letters, and the commands of an operator on them.

use super::*;

/// A lease on a spool with these dead letters, ids `n-1` and so on.
fn with_dead<E: Engine>(
    settings: &QueueSettings,
    letters: u64,
) -> (E, Box<dyn Spool>, Box<dyn Lease>) {
    let engine = E::new(settings);
    let spool = engine.open();
    push_all(&*spool, 1..=letters);
    let mut lease = lead(&*spool);
    let fetched = fetch(&mut *lease, SHOP, at(0));
    settle(&mut *lease, &fetched, Fate::Dead);
    (engine, spool, lease)
}

pub(crate) fn dead_letter_is_returned_with_its_details<E: Engine>() {
    let (engine, spool, lease) = with_dead::<E>(&settings(), 3);
    for is_led in [true, false] {
        for spool in [&spool, &engine.open()] {
            let dead = all_dead(&**spool);
            assert_eq!(stored_ids(&dead), ["n-1", "n-2", "n-3"]);
            let letter = &dead[1];
            assert_eq!(letter.item.body, "{\"n\":2}");
            assert_eq!(&*letter.item.origin, SHOP);
            assert_eq!(letter.item.accepted, at(0));
            assert_eq!(letter.item.attempts, 1);
            assert_eq!(letter.died, Some(at(50)));
            assert_eq!(letter.status, Status::Rejected);
            assert_eq!(letter.http_status, Some(422));
            assert_eq!(letter.detail, "ESALES_REJECTED after 1");
            assert_eq!(all_pending(&**spool), []);
        }
        if !is_led {
            break;
        }
    }
    lease.release();
    assert_eq!(all_dead(&*engine.open()).len(), 3);
}

pub(crate) fn oldest_dead_letters_are_dropped_over_max_dead<E: Engine>() {
    let limits = QueueSettings {
        max_dead: 3,
        ..settings()
    };
    let (_engine, spool, mut lease) = with_dead::<E>(&limits, 3);
    assert_eq!(counts(&*spool), [3, 0, 3, 0, 0, 0]);
    push_all(&*spool, 4..=9);
    let fetched = fetch(&mut *lease, SHOP, at(0));
    settle(&mut *lease, &fetched[..1], Fate::Dead);
    assert_eq!(stored_ids(&all_dead(&*spool)), ["n-2", "n-3", "n-4"]);
    assert_eq!(counts(&*spool), [9, 0, 3, 0, 1, 5]);
    settle(&mut *lease, &fetched[1..], Fate::Dead);
    assert_eq!(stored_ids(&all_dead(&*spool)), ["n-7", "n-8", "n-9"]);
    assert_eq!(counts(&*spool), [9, 0, 3, 0, 6, 0]);
    // The receipt still has the service's answer.
    let receipt = spool.receipt("n-1", at(60), soon()).unwrap().unwrap();
    assert_eq!(receipt.status, Status::Rejected);
}

pub(crate) fn dead_letters_are_dropped_at_once_when_max_dead_is_zero<E: Engine>() {
    let limits = QueueSettings {
        max_dead: 0,
        ..settings()
    };
    let (_engine, spool, _lease) = with_dead::<E>(&limits, 2);
    assert_eq!(all_dead(&*spool), []);
    assert_eq!(counts(&*spool), [2, 0, 0, 0, 2, 0]);
    let receipt = spool.receipt("n-2", at(60), soon()).unwrap().unwrap();
    assert_eq!(receipt.status, Status::Rejected);
}

pub(crate) fn requeued_letters_are_delivered_last_with_their_new_body<E: Engine>() {
    for is_led in [true, false] {
        let (_engine, spool, lease) = with_dead::<E>(&settings(), 3);
        let mut lease = Some(lease).filter(|_| is_led);
        push_all(&*spool, 4..=4);
        let mut letters = all_dead(&*spool);
        letters.remove(1);
        letters[0].item.body = "signed anew: \u{e5}\n\0".to_owned();
        let before = Timestamp::now();
        assert_eq!(spool.requeue(&letters, soon()).unwrap(), 2);
        let mut lease = lease.take().unwrap_or_else(|| lead(&*spool));
        refresh(&mut *lease);
        let after = Timestamp::now();
        assert_eq!(counts(&*spool), [4, 0, 1, 0, 0, 3]);
        assert_eq!(stored_ids(&all_dead(&*spool)), ["n-2"]);
        let fetched = fetch(&mut *lease, SHOP, after);
        assert_eq!(ids(&fetched), ["n-4", "n-1", "n-3"]);
        assert_eq!(fetched[1].body, "signed anew: \u{e5}\n\0");
        assert_eq!(fetched[2].body, "{\"n\":3}");
        for item in &fetched[1..] {
            assert_eq!(item.attempts, 0);
            assert!(item.accepted.unix_ms >= before.unix_ms);
            assert!(item.accepted.unix_ms <= after.unix_ms);
        }
        let pending = &all_pending(&*spool)[1];
        assert_eq!((pending.died, pending.status), (None, Status::Queued));
        assert_eq!((pending.http_status, &*pending.detail), (None, ""));
        settle(&mut *lease, &fetched, Fate::Delivered);
        assert_eq!(counts(&*spool), [4, 3, 1, 0, 0, 0]);
    }
}

pub(crate) fn requeue_returns_only_the_number_of_existing_dead_letters<E: Engine>() {
    let (_engine, spool, mut lease) = with_dead::<E>(&settings(), 3);
    let letters = all_dead(&*spool);
    assert_eq!(spool.requeue(&[], soon()).unwrap(), 0);
    assert_eq!(spool.requeue(&letters[..1], soon()).unwrap(), 1);
    refresh(&mut *lease);
    assert_eq!(spool.requeue(&letters[..2], soon()).unwrap(), 1);
    refresh(&mut *lease);
    let twice = [letters[2].clone(), letters[2].clone()];
    assert_eq!(spool.requeue(&twice, soon()).unwrap(), 1);
    refresh(&mut *lease);
    assert_eq!(spool.requeue(&letters, soon()).unwrap(), 0);
    refresh(&mut *lease);
    assert_eq!(counts(&*spool), [3, 0, 0, 0, 0, 3]);
    assert_eq!(stored_ids(&all_pending(&*spool)), ["n-1", "n-2", "n-3"]);
}

pub(crate) fn discarded_dead_letter_counts_as_dropped<E: Engine>() {
    for is_led in [true, false] {
        let (_engine, spool, lease) = with_dead::<E>(&settings(), 3);
        let mut lease = Some(lease).filter(|_| is_led);
        let mut learn = || {
            if let Some(lease) = &mut lease {
                refresh(&mut **lease);
            }
        };
        let positions: Vec<Position> = all_dead(&*spool).iter().map(|s| s.item.position).collect();
        assert_eq!(spool.discard(&[], soon()).unwrap(), 0);
        assert_eq!(spool.discard(&positions[..2], soon()).unwrap(), 2);
        learn();
        assert_eq!(counts(&*spool), [3, 0, 1, 0, 2, 0]);
        assert_eq!(spool.discard(&positions[..2], soon()).unwrap(), 0);
        learn();
        let last = [positions[2], positions[2], Position(u64::MAX)];
        assert_eq!(spool.discard(&last, soon()).unwrap(), 1);
        learn();
        assert_eq!(counts(&*spool), [3, 0, 0, 0, 3, 0]);
        assert_eq!(all_dead(&*spool), []);
    }
}

/// A lease on a spool of dead, delivered and pending notifications of two persons. One has the odd ids, the other the
/// even ids.
fn of_two_people<E: Engine>(body: impl Fn(u64) -> String) -> (E, Box<dyn Spool>, Box<dyn Lease>) {
    let engine = E::new(&settings());
    let spool = engine.open();
    for n in 1..=8 {
        let new = NewItem {
            body: body(n),
            ..item(n)
        };
        spool.push(&new, soon()).unwrap();
    }
    let mut lease = lead(&*spool);
    let fetched = fetch(&mut *lease, SHOP, at(0));
    settle(&mut *lease, &fetched[..2], Fate::Dead);
    settle(&mut *lease, &fetched[2..4], Fate::Delivered);
    settle(&mut *lease, &fetched[4..5], Fate::Retry { pause: ms(1) });
    (engine, spool, lease)
}

pub(crate) fn purge_drops_pending_items_and_dead_letters_of_one_person<E: Engine>() {
    for is_led in [true, false] {
        let body = |n| format!("{{\"customerKey\":\"{}\"}}", n % 2);
        let (_engine, spool, lease) = of_two_people::<E>(body);
        let mut lease = Some(lease).filter(|_| is_led);
        let purge = || {
            spool
                .purge(&|body| body.contains(":\"1\""), soon())
                .unwrap()
        };
        assert_eq!(purge(), 3);
        if let Some(lease) = &mut lease {
            refresh(&mut **lease);
        }
        assert_eq!(counts(&*spool), [8, 2, 1, 0, 3, 2]);
        assert_eq!(stored_ids(&all_pending(&*spool)), ["n-6", "n-8"]);
        assert_eq!(stored_ids(&all_dead(&*spool)), ["n-2"]);
        for gone in ["n-1", "n-5", "n-7"] {
            // The service's answer may have named the person.
            let receipt = spool.receipt(gone, at(60), soon()).unwrap();
            assert!(receipt.is_none_or(|r| r.status == Status::Dropped));
        }
        assert_eq!(purge(), 0);
        if let Some(lease) = &mut lease {
            refresh(&mut **lease);
            assert_eq!(ids(&fetch(&mut **lease, SHOP, at(60))), ["n-6", "n-8"]);
        }
        assert_eq!(spool.purge(&|_| true, soon()).unwrap(), 3);
    }
}

pub(crate) fn purge_works_when_bodies_are_not_json<E: Engine>() {
    let bodies = [
        "",
        "{",
        "\0\u{1}\t\r\n",
        "\u{feff}{\"a\":",
        "mine",
        "null",
        "å\"\\",
        "]",
    ];
    let body = |n: u64| bodies[n as usize - 1].to_owned();
    let (_engine, spool, mut lease) = of_two_people::<E>(body);
    assert_eq!(spool.purge(&|body| body == "mine", soon()).unwrap(), 1);
    refresh(&mut *lease);
    let pending = all_pending(&*spool);
    assert_eq!(stored_ids(&pending), ["n-6", "n-7", "n-8"]);
    for stored in pending.iter().chain(&all_dead(&*spool)) {
        let n: usize = stored.item.id[2..].parse().unwrap();
        assert_eq!(stored.item.body, bodies[n - 1]);
    }
    let seen = std::cell::RefCell::new(HashSet::new());
    let nobodys = |body: &str| {
        seen.borrow_mut().insert(body.to_owned());
        false
    };
    assert_eq!(spool.purge(&nobodys, soon()).unwrap(), 0);
    // Every remaining body was checked.
    for n in [1, 2, 6, 7, 8] {
        assert!(seen.borrow().contains(bodies[n - 1]), "{n}");
    }
}

pub(crate) fn purge_leaves_no_copy_of_a_delivered_body<E: Engine>() {
    for is_led in [true, false] {
        let body = |n| format!("{{\"n\":{n},\"customerKey\":\"secret-{}\"}}", n % 2);
        let (engine, spool, lease) = of_two_people::<E>(body);
        let mut lease = Some(lease).filter(|_| is_led);
        spool
            .purge(&|body| body.contains("secret-1"), soon())
            .unwrap();
        if let Some(lease) = &mut lease {
            refresh(&mut **lease);
        }
        assert!(!engine.has_in_files("secret-1").unwrap_or(false));
        assert!(engine.has_in_files("secret-0").unwrap_or(true));
    }
}
