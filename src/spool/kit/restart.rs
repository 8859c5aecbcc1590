//! Which data survives the end of the processes that use a spool, and a power cut.

use super::*;
use crate::options::Durability;
use crate::spool::Gate;

const BACKING_OFF: Gate = Gate {
    failures: 2,
    closed_at: 1_700_000_000_000,
    pause: 4000,
};

pub(crate) fn spool_keeps_everything_after_a_restart<E: Engine>() {
    if !E::SURVIVES {
        return;
    }
    let mut engine = E::new(&settings());
    let spool = engine.open();
    push_all(&*spool, 1..=6);
    let mut lease = lead(&*spool);
    let fetched = fetch(&mut *lease, SHOP, at(0));
    settle(&mut *lease, &fetched[..1], Fate::Delivered);
    settle(&mut *lease, &fetched[1..2], Fate::Dead);
    settle(&mut *lease, &fetched[2..3], Fate::Expired);
    settle(&mut *lease, &fetched[3..4], Fate::Retry { pause: ms(5000) });
    lease
        .settle(&[], &[(Arc::from(SHOP), BACKING_OFF)])
        .unwrap();
    let seen = |spool: &dyn Spool| {
        let receipts = (1..=6).map(|n| spool.receipt(&format!("n-{n}"), at(60), soon()).unwrap());
        (
            totals(spool).spool,
            totals(spool).pending_bytes,
            totals(spool).oldest,
            all_pending(spool),
            all_dead(spool),
            spool.gate(SHOP, soon()).unwrap(),
            receipts.collect::<Vec<_>>(),
        )
    };
    let before = seen(&*spool);
    assert_eq!(numbers(before.0), [6, 1, 1, 1, 0, 3]);
    drop((spool, lease));
    for _ in 0..2 {
        engine.restart();
        let spool = engine.open();
        assert_eq!(seen(&*spool), before);
        if E::IS_SHARED {
            assert_eq!(numbers(totals(&*spool).process), [0; 6]);
        }
        let mut lease = lead(&*spool);
        assert_eq!(seen(&*spool), before);
        assert_eq!(lease.origins(), [(Arc::from(SHOP), BACKING_OFF)]);
        assert_eq!(ids(&fetch(&mut *lease, SHOP, at(5049))), ["n-5", "n-6"]);
        let all = fetch(&mut *lease, SHOP, at(5050));
        assert_eq!(ids(&all), ["n-4", "n-5", "n-6"]);
    }
    let spool = engine.open();
    push_all(&*spool, 7..=7);
    let mut lease = lead(&*spool);
    let rest = fetch(&mut *lease, SHOP, at(5050));
    assert_eq!(ids(&rest), ["n-4", "n-5", "n-6", "n-7"]);
    settle(&mut *lease, &rest, Fate::Delivered);
    assert_eq!(counts(&*spool), [7, 5, 1, 1, 0, 0]);
}

pub(crate) fn memory_spool_is_empty_after_a_restart<E: Engine>() {
    if E::SURVIVES {
        return;
    }
    let mut engine = E::new(&settings());
    let spool = engine.open();
    push_all(&*spool, 1..=3);
    drop(spool);
    engine.restart();
    let spool = engine.open();
    assert_eq!(counts(&*spool), [0; 6]);
    assert_eq!(spool.receipt("n-1", at(0), soon()).unwrap(), None);
    push_all(&*spool, 4..=4);
    assert_eq!(ids(&fetch(&mut *lead(&*spool), SHOP, at(0))), ["n-4"]);
}

pub(crate) fn lease_is_granted_at_once_after_a_restart<E: Engine>() {
    let mut engine = E::new(&settings());
    for _ in 0..5 {
        let spool = engine.open();
        // A killed process runs no destructor.
        std::mem::forget(lead(&*spool));
        drop(spool);
        engine.restart();
    }
    lead(&*engine.open()).release();
}

pub(crate) fn push_is_atomic_when_it_is_interrupted<E: Engine>() {
    let new = NewItem {
        body: "whole\nbody".to_owned(),
        ..item(3)
    };
    for writes in 0.. {
        let mut engine = E::new(&settings());
        let spool = engine.open();
        push_all(&*spool, 1..=2);
        if !engine.crash_after(writes) {
            return;
        }
        let is_accepted = spool.push(&new, soon()).is_ok();
        let has_crashed = engine.has_crashed();
        assert!(is_accepted || has_crashed);
        drop(spool);
        engine.restart();
        let spool = engine.open();
        let is_there = totals(&*spool).spool.accepted == 3;
        assert!(is_there || !is_accepted, "lost after {writes}");
        let mut expected = vec!["n-1", "n-2"];
        expected.extend(is_there.then_some("n-3"));
        // The notification of the next producer comes after all earlier ones.
        push_all(&*spool, 4..=4);
        expected.push("n-4");
        let pending = all_pending(&*spool);
        assert_eq!(stored_ids(&pending), expected, "after {writes}");
        let mut lease = lead(&*spool);
        let fetched = fetch(&mut *lease, SHOP, at(0));
        assert_eq!(ids(&fetched), expected, "after {writes}");
        let torn = fetched.iter().find(|i| i.id == "n-3");
        assert!(torn.is_none_or(|i| i.body == new.body), "torn: {torn:?}");
        settle(&mut *lease, &fetched, Fate::Delivered);
        let all = expected.len() as u64;
        assert_eq!(counts(&*spool), [all, all, 0, 0, 0, 0]);
        if !has_crashed {
            return;
        }
    }
}

pub(crate) fn settle_is_atomic_when_it_is_interrupted<E: Engine>() {
    for writes in 0.. {
        let mut engine = E::new(&settings());
        let spool = engine.open();
        push_all(&*spool, 1..=4);
        let mut lease = lead(&*spool);
        let fetched = fetch(&mut *lease, SHOP, at(0));
        let fates = [
            Fate::Delivered,
            Fate::Dead,
            Fate::Expired,
            Fate::Retry { pause: ms(5000) },
        ];
        let settlements: Vec<Settlement> = fetched
            .iter()
            .zip(fates)
            .map(|(item, fate)| settlement(item, fate, at(50)))
            .collect();
        if !engine.crash_after(writes) {
            return;
        }
        let gates = [(Arc::from(SHOP), BACKING_OFF)];
        let is_settled = lease.settle(&settlements, &gates).is_ok();
        let has_crashed = engine.has_crashed();
        assert!(is_settled || has_crashed);
        drop((lease, spool));
        engine.restart();
        let spool = engine.open();
        let mut lease = lead(&*spool);
        let fetched = fetch(&mut *lease, SHOP, at(60));
        let gate = spool.gate(SHOP, soon()).unwrap();
        let dead = all_dead(&*spool);
        let delivered = spool.receipt("n-1", at(60), soon()).unwrap().unwrap();
        if fetched.is_empty() {
            assert_eq!(counts(&*spool), [4, 1, 1, 1, 0, 1], "after {writes}");
            assert_eq!(stored_ids(&dead), ["n-2"]);
            assert_eq!(gate, BACKING_OFF);
            assert_eq!(delivered.status, Status::Delivered);
            assert_eq!(ids(&fetch(&mut *lease, SHOP, at(5050))), ["n-4"]);
        } else {
            assert!(!is_settled, "lost after {writes}");
            assert_eq!(counts(&*spool), [4, 0, 0, 0, 0, 4], "after {writes}");
            assert_eq!(ids(&fetched), ["n-1", "n-2", "n-3", "n-4"]);
            assert!(fetched.iter().all(|i| i.attempts == 0));
            assert_eq!(dead, []);
            assert_eq!(gate, Gate::default());
            assert_eq!(delivered.status, Status::Queued);
        }
        if !has_crashed {
            return;
        }
    }
}

pub(crate) fn purge_leaves_no_receipt_when_it_is_interrupted<E: Engine>() {
    for writes in 0.. {
        let mut engine = E::new(&settings());
        let spool = engine.open();
        push_all(&*spool, 1..=2);
        let mut lease = lead(&*spool);
        let fetched = fetch(&mut *lease, SHOP, at(0));
        settle(&mut *lease, &fetched[..1], Fate::Dead);
        if !engine.crash_after(writes) {
            return;
        }
        let is_purged = spool.purge(&|_| true, soon()).is_ok();
        let _ = lease.poll(at(50));
        let has_crashed = engine.has_crashed();
        drop((lease, spool));
        engine.restart();
        let spool = engine.open();
        refresh(&mut *lead(&*spool));
        let (pending, dead) = (all_pending(&*spool), all_dead(&*spool));
        let left = [stored_ids(&pending), stored_ids(&dead)].concat();
        assert!(left.is_empty() || !is_purged, "{left:?} after {writes}");
        for id in ["n-1", "n-2"] {
            if left.contains(&id) {
                continue;
            }
            // The service's answer may have named the person.
            let receipt = spool.receipt(id, at(60), soon()).unwrap();
            let is_erased = receipt.as_ref().is_none_or(|r| r.status == Status::Dropped);
            assert!(is_erased, "after {writes}: {receipt:?}");
        }
        if !has_crashed {
            return;
        }
    }
}

pub(crate) fn accepted_items_survive_a_power_cut_when_durability_is_disk<E: Engine>() {
    let limits = QueueSettings {
        durability: Durability::Disk,
        ..settings()
    };
    let mut engine = E::new(&limits);
    for round in 0..5 {
        let spool = engine.open();
        let first = 3 * round + 1;
        push_all(&*spool, first..=first + 2);
        drop(spool);
        if engine.power_cut().is_none() {
            return;
        }
        let spool = engine.open();
        let expected: Vec<String> = (1..first + 3).map(|n| format!("n-{n}")).collect();
        assert_eq!(stored_ids(&all_pending(&*spool)), expected);
        let mut lease = lead(&*spool);
        assert_eq!(ids(&fetch(&mut *lease, SHOP, at(0))), expected);
    }
}

pub(crate) fn backup_holds_everything_that_is_pending<E: Engine>() {
    let engine = E::new(&settings());
    let spool = engine.open();
    push_all(&*spool, 1..=50);
    let folder = tempfile::tempdir().unwrap();
    let made = |name| {
        let to = folder.path().join(name);
        let count = spool.backup(&to, soon());
        (engine.open_copy(&to), count)
    };
    let (Some(copy), count) = made("nobody drains") else {
        let error = spool.backup(&folder.path().join("x"), soon()).unwrap_err();
        assert_eq!(error.status(), Status::InvalidConfig);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        return;
    };
    assert_eq!(count.unwrap(), 50);
    assert_eq!(all_pending(&*copy), all_pending(&*spool));
    let mut lease = lead(&*spool);
    let fetched = fetch(&mut *lease, SHOP, at(0));
    settle(&mut *lease, &fetched[..10], Fate::Delivered);
    settle(&mut *lease, &fetched[10..13], Fate::Dead);
    let (copy, count) = made("in use");
    let copy = copy.unwrap();
    assert_eq!(count.unwrap(), 37);
    assert_eq!(all_pending(&*copy), all_pending(&*spool));
    assert_eq!(all_dead(&*copy), all_dead(&*spool));
    assert_eq!(counts(&*copy), counts(&*spool));
    // The copy is a separate spool.
    let mut theirs = lead(&*copy);
    let fetched = fetch(&mut *theirs, SHOP, at(0));
    settle(&mut *theirs, &fetched, Fate::Delivered);
    assert_eq!(counts(&*copy), [50, 47, 3, 0, 0, 0]);
    assert_eq!(counts(&*spool), [50, 10, 3, 0, 0, 37]);
    // A second copy does not overwrite the first.
    assert!(spool.backup(&folder.path().join("in use"), soon()).is_err());
}

pub(crate) fn begun_item_is_marked_after_a_restart<E: Engine>() {
    let mut engine = E::new(&settings());
    begin_one_of_two(&engine);
    engine.restart();
    if !E::SURVIVES {
        return;
    }
    let spool = engine.open();
    let fetched = fetch(&mut *lead(&*spool), SHOP, at(0));
    assert_eq!(ids(&fetched), ["n-1", "n-2"]);
    assert!(fetched[0].has_begun && !fetched[1].has_begun);
}

pub(crate) fn begun_item_is_marked_after_a_power_cut_when_durability_is_disk<E: Engine>() {
    let mut engine = E::new(&QueueSettings {
        durability: Durability::Disk,
        ..settings()
    });
    begin_one_of_two(&engine);
    if engine.power_cut().is_none() {
        return;
    }
    let spool = engine.open();
    let fetched = fetch(&mut *lead(&*spool), SHOP, at(0));
    assert_eq!(ids(&fetched), ["n-1", "n-2"]);
    assert!(fetched[0].has_begun && !fetched[1].has_begun);
}

fn begin_one_of_two<E: Engine>(engine: &E) {
    let spool = engine.open();
    push_all(&*spool, 1..=2);
    let mut lease = lead(&*spool);
    let fetched = fetch(&mut *lease, SHOP, at(0));
    lease.begin(&[fetched[0].position]).unwrap();
}
