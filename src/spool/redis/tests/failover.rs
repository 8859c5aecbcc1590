//! A failover to a replica that lacks the last writes: the new primary gives their sequence numbers to other
//! notifications.

use super::*;
use crate::host::{self, Timestamp};
use crate::spool::kit::{
    SHOP, at, fetch, ids, item, lead, ms, push_all, settings, settlement, soon, stored_ids,
};
use crate::spool::{Counts, Fate, Inlet, Item, Lease, LeaseError, Ledger, Operator, Position};

struct Pair {
    primary: Server,
    replica: Server,
    place: EnginePlace,
}

impl Pair {
    fn start<P: Program>() -> Pair {
        let settings = ["--appendonly", "no", "--repl-diskless-sync-delay", "0"];
        let primary = Server::start(P::NAME, &settings);
        let replica = Server::start(P::NAME, &settings);
        let both = format!(
            "redis://127.0.0.1:{},127.0.0.1:{}/0?name=shop",
            primary.port(),
            replica.port()
        );
        Pair {
            place: place(&both),
            primary,
            replica,
        }
    }

    /// A drainer leads when the notifications up to this one have been replicated, and later writes are not.
    fn start_with_lease<P: Program>(last: u64) -> (Pair, Box<dyn Lease>) {
        let pair = Pair::start::<P>();
        let drainer = pair.open();
        push_all(&drainer, 1..=last);
        let lease = lead(&drainer);
        pair.replicate_until_now();
        (pair, lease)
    }

    /// Another process.
    fn open(&self) -> RedisSpool {
        let settings = QueueSettings {
            allow_volatile: true,
            ..settings()
        };
        RedisSpool::new(&self.place, &settings, true, None).unwrap()
    }

    /// Makes the replica receive everything that was written until now, and nothing later.
    fn replicate_until_now(&self) {
        let port = self.primary.port().to_string();
        self.replica.command(&["REPLICAOF", "127.0.0.1", &port]);
        self.replica.wait_for_info("master_link_status:up");
        self.replica.command(&["REPLICAOF", "NO", "ONE"]);
        // The lease must not end on a busy machine.
        self.replica.command(&["PERSIST", "esales:{shop}:lead"]);
    }

    /// Ends the old primary, so that the replica is the primary for every process.
    fn fail_over(&self) {
        self.primary.kill();
    }
}

/// Calls until the lease reports that the spool is another one. An error of the connection may come first.
fn assert_replaced<T: std::fmt::Debug>(mut call: impl FnMut() -> Result<T, LeaseError>) {
    for _ in 0..3 {
        match call() {
            Err(LeaseError::Replaced) => return,
            Err(LeaseError::Failed(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    panic!("the lease fails repeatedly");
}

/// A drainer has read n-1 and n-2 when the engine fails over to a replica that has n-1 only. The new primary has given
/// the number of n-2 to n-3.
struct Lost {
    pair: Pair,
    lease: Box<dyn Lease>,
    items: Vec<Item>,
}

impl Lost {
    fn start<P: Program>() -> Lost {
        let (pair, mut lease) = Pair::start_with_lease::<P>(1);
        push_all(&pair.open(), 2..=2);
        let items = fetch(&mut *lease, SHOP, at(0));
        assert_eq!(ids(&items), ["n-1", "n-2"]);
        pair.fail_over();
        push_all(&pair.open(), 3..=3);
        Lost { pair, lease, items }
    }
}

pub(super) fn settlement_after_a_failover_completes_no_other_notification<P: Program>() {
    let mut lost = Lost::start::<P>();
    let delivered = |item| settlement(item, Fate::Delivered, at(1));
    let settlements: Vec<_> = lost.items.iter().map(delivered).collect();
    assert_replaced(|| lost.lease.settle(&settlements, &[]));
    assert_eq!(deliver(&mut *lost.lease), ["n-1", "n-3"]);
    let totals = lost.pair.open().totals(soon()).unwrap();
    let counts = Counts {
        accepted: 2,
        delivered: 2,
        ..Counts::default()
    };
    assert_eq!(totals.spool, counts);
}

pub(super) fn notifications_after_a_failover_are_fetched_by_the_same_drainer<P: Program>() {
    let (pair, mut lease) = Pair::start_with_lease::<P>(1);
    let other = pair.open();
    push_all(&other, 2..=4);
    assert_eq!(deliver(&mut *lease), ["n-1", "n-2", "n-3", "n-4"]);
    pair.fail_over();
    push_all(&pair.open(), 5..=6);
    assert_replaced(|| lease.poll(Timestamp::now()));
    assert_eq!(deliver(&mut *lease), ["n-1", "n-5", "n-6"]);
}

pub(super) fn flush_waits_for_what_is_pushed_again_after_a_failover<P: Program>() {
    let (pair, mut lease) = Pair::start_with_lease::<P>(1);
    let producer = pair.open();
    producer.push(&item(2), soon()).unwrap();
    let mark = producer.mark(soon()).unwrap().unwrap();
    pair.fail_over();
    push_all(&pair.open(), 3..=5);
    assert_replaced(|| lease.poll(Timestamp::now()));
    assert_eq!(deliver(&mut *lease), ["n-1", "n-3", "n-4", "n-5"]);
    // The connection to the old primary is found broken here, and the lost notification is pushed again.
    for _ in 0..3 {
        assert!(!producer.is_settled(mark, soon()).unwrap_or(false));
    }
    assert_eq!(deliver(&mut *lease), ["n-2"]);
    assert!(producer.is_settled(mark, soon()).unwrap());
}

pub(super) fn flush_waits_for_what_another_thread_pushes_again_after_a_failover<P: Program>() {
    let (pair, _lease) = Pair::start_with_lease::<P>(1);
    let producer = pair.open();
    let shared = &producer.shared;
    producer.push(&item(2), soon()).unwrap();
    let mark = Position(0);
    pair.fail_over();
    while shared.heads(soon()).is_err() {}
    // The other thread has not pushed anything yet.
    let taken = host::lock(&shared.acceptances).take_unconfirmed(shared.engine.replications());
    assert_eq!(taken.len(), 1);
    assert!(!producer.is_settled(mark, soon()).unwrap());
    host::lock(&shared.acceptances).put_back(taken);
    assert!(!producer.is_settled(mark, soon()).unwrap());
}

pub(super) fn begin_after_a_failover_marks_no_other_notification<P: Program>() {
    let mut lost = Lost::start::<P>();
    let position = lost.items[1].position;
    assert_replaced(|| lost.lease.begin(&[position]));
    let items = fetch(&mut *lost.lease, SHOP, at(0));
    assert_eq!(ids(&items), ["n-1", "n-3"]);
    assert!(items.iter().all(|item| !item.has_begun));
}

pub(super) fn begun_item_is_marked_after_a_failover_that_lost_the_mark<P: Program>() {
    let (pair, mut lease) = Pair::start_with_lease::<P>(3);
    let items = fetch(&mut *lease, SHOP, at(0));
    let positions: Vec<_> = items.iter().map(|item| item.position).collect();
    lease.begin(&positions).unwrap();
    // The third one did not arrive, so it may be sent again.
    let settlements = [(0, Fate::Delivered), (2, Fate::Retry { pause: ms(0) })]
        .map(|(n, fate)| settlement(&items[n], fate, at(1)));
    lease.settle(&settlements, &[]).unwrap();
    pair.fail_over();
    assert_replaced(|| lease.poll(at(0)));
    let items = fetch(&mut *lease, SHOP, at(2));
    let begun: Vec<_> = items.iter().map(|item| item.has_begun).collect();
    assert_eq!(begun, [true, true, false]);
}

pub(super) fn operator_changes_no_other_dead_letter_after_a_failover<P: Program>() {
    let pair = Pair::start::<P>();
    let (drainer, operator) = (pair.open(), pair.open());
    let mut lease = lead(&drainer);
    push_all(&drainer, 1..=2);
    pair.replicate_until_now();
    let die = |lease: &mut dyn Lease, n: usize| {
        let items = fetch(lease, SHOP, at(0));
        let settlements = [settlement(&items[n], Fate::Dead, at(1))];
        lease.settle(&settlements, &[]).unwrap();
    };
    die(&mut *lease, 0);
    let letters = operator.dead(None, 10, soon()).unwrap();
    assert_eq!(stored_ids(&letters), ["n-1"]);
    pair.fail_over();
    assert_replaced(|| lease.poll(at(0)));
    die(&mut *lease, 1);
    let positions = [letters[0].item.position];
    for changed in [
        operator.discard(&positions, soon()),
        operator.requeue(&letters, soon()),
    ] {
        let error = changed.unwrap_err();
        assert!(
            error.detail().contains("failed over or was restarted"),
            "{error:?}"
        );
    }
    let letters = operator.dead(None, 10, soon()).unwrap();
    assert_eq!(stored_ids(&letters), ["n-2"]);
    assert_eq!(
        operator
            .discard(&[letters[0].item.position], soon())
            .unwrap(),
        1
    );
}
