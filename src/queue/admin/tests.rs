//! Tests of SpoolAdmin with the memory engine and the log engine.

use super::report::next_probe_in;
use super::*;
use crate::notification::{self, Kind};
use crate::spool::log::LogSpool;
use crate::spool::memory::MemorySpool;
use crate::spool::{Fate, Gate, Lease, NewItem, Settlement};

const KEY: &str = "c3";

struct Fixture {
    spool: Arc<dyn Spool>,
    admin: SpoolAdmin,
    _folder: tempfile::TempDir,
}

fn settings() -> QueueSettings {
    Config::new().queue_settings().unwrap()
}

/// One spool of each engine.
fn fixtures() -> [Fixture; 2] {
    fixtures_with(&settings())
}

fn fixtures_with(settings: &QueueSettings) -> [Fixture; 2] {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    let log = LogSpool::new(path.clone(), settings, true).unwrap();
    let of_log = QueueSettings {
        spool: Some(SpoolPlace::Directory(path)),
        ..settings.clone()
    };
    let memory = MemorySpool::new(settings);
    [
        fixture(Arc::new(memory), settings.clone()),
        Fixture {
            _folder: folder,
            ..fixture(Arc::new(log), of_log)
        },
    ]
}

fn fixture(spool: Arc<dyn Spool>, settings: QueueSettings) -> Fixture {
    Fixture {
        admin: SpoolAdmin::over(Arc::clone(&spool), settings),
        spool,
        _folder: tempfile::tempdir().unwrap(),
    }
}

fn body(id: &str, customer_key: &str, token: Option<&str>) -> String {
    let token = token.map_or(String::new(), |token| format!(r#""token":"{token}","#));
    format!(
        r#"{{"market":"UK","customerKey":"{customer_key}","sessionKey":"s","id":"{id}",{token}"ticket":"t"}}"#
    )
}

impl Fixture {
    fn push(&self, id: &str, body: String) {
        self.push_kind(Kind::AddToCart, id, body);
    }

    fn push_kind(&self, kind: Kind, id: &str, body: String) {
        let token = (kind == Kind::SecurePayment).then_some("old");
        let item = NewItem {
            id: id.to_owned(),
            origin: Arc::from("https://h"),
            path: notification::path(kind, token),
            body,
            accepted: Timestamp::now(),
            attempts: 0,
            detail: String::new(),
        };
        self.spool.push(&item, deadline()).unwrap();
    }

    fn push_all<const N: usize>(&self, ids: [&str; N]) {
        for id in ids {
            self.push(id, body(id, KEY, None));
        }
    }

    /// Reads everything that was enqueued, like a drainer.
    fn lease(&self) -> Box<dyn Lease> {
        let mut lease = self.spool.acquire(deadline()).unwrap().unwrap();
        while lease.poll(Timestamp::now()).unwrap() {}
        lease
    }

    /// Settles all pending items.
    fn settle(&self, fate: Fate, status: Status, http_status: u16) {
        self.settle_with(fate, status, &format!("HTTP {http_status}"));
    }

    fn settle_with(&self, fate: Fate, status: Status, detail: &str) {
        let now = Timestamp::now();
        let mut lease = self.lease();
        loop {
            let items = lease
                .fetch("https://h", now, PAGE, &HashSet::new())
                .unwrap();
            if items.is_empty() {
                break;
            }
            let settlements: Vec<Settlement> = items
                .into_iter()
                .map(|mut item| {
                    item.attempts += 1;
                    Settlement {
                        item,
                        fate,
                        status,
                        http_status: None,
                        detail: detail.to_owned(),
                        latency: Duration::from_millis(5),
                        at: now,
                    }
                })
                .collect();
            lease.settle(&settlements, &[]).unwrap();
        }
        lease.release();
    }

    fn salvage(&self, from: &Fixture, with_dead_letters: bool) -> Result<SalvageReport, Error> {
        salvage::salvage(&*self.spool, &*from.spool, with_dead_letters, false)
    }

    fn retry_all(&self) -> u64 {
        self.admin.retry_dead(None, None, false).unwrap().retried
    }

    fn kill_all(&self) {
        self.settle(Fate::Dead, Status::Forbidden, 403);
    }

    fn pending_ids(&self) -> Vec<String> {
        let (page, _) = self.admin.pending(None, 1000).unwrap();
        page.into_iter().map(|p| p.id).collect()
    }

    fn dead_ids(&self) -> Vec<String> {
        let letters = self.admin.dead_letters().unwrap();
        letters.into_iter().map(|l| l.id).collect()
    }
}

#[test]
fn report_counts_and_names_the_leader() {
    for f in fixtures() {
        f.push_all(["a", "b"]);
        f.kill_all();
        f.push_all(["c"]);
        f.lease().release();
        let report = f.admin.report().unwrap();
        assert!(report.is_balanced());
        let counts = report.counts;
        assert_eq!((counts.accepted, counts.dead, counts.pending), (3, 2, 1));
        assert_eq!(report.pending_bytes, body("c", KEY, None).len() as u64);
        assert_eq!(report.dead_by_status, [(Status::Forbidden, 2)]);
        let [origin] = report.origins.as_slice() else {
            unreachable!("one origin: {report:?}");
        };
        assert_eq!((origin.url.as_str(), origin.pending), ("https://h", 1));
        assert_eq!(report.leader, None);
        let _lease = f.lease();
        assert!(f.admin.report().unwrap().leader.is_some());
    }
}

#[test]
fn report_is_not_balanced_when_the_spool_has_faults() {
    let mut report = SpoolReport::default();
    assert!(report.is_balanced());
    report.faults.push("a segment is missing".to_owned());
    assert!(!report.is_balanced());
}

#[test]
fn next_probe_is_due_after_the_pause_when_the_clock_is_set() {
    let at = |unix_ms| Timestamp {
        unix_ms,
        ..Timestamp::default()
    };
    let gate = Gate {
        failures: 2,
        closed_at: 10_000,
        pause: 4000,
    };
    for (now, wait) in [(10_000, 4000), (13_000, 1000), (20_000, 0), (5, 4000)] {
        assert_eq!(next_probe_in(gate, at(now)), Duration::from_millis(wait));
    }
    let open = Gate {
        failures: 0,
        ..gate
    };
    assert_eq!(next_probe_in(open, at(10_000)), Duration::ZERO);
}

#[test]
fn pending_returns_pages_in_order_and_no_cursor_with_the_last() {
    for f in fixtures() {
        f.push_all(["a", "b", "c", "d"]);
        let (first, next) = f.admin.pending(None, 3).unwrap();
        let ids: Vec<&str> = first.iter().map(|p| p.id.as_str()).collect();
        assert_eq!(ids, ["a", "b", "c"]);
        let (second, next) = f.admin.pending(next.as_deref(), 3).unwrap();
        assert_eq!((second.len(), next), (1, None));
        assert_eq!(second.first().unwrap().id, "d");
        assert_eq!(f.admin.pending(None, 4).unwrap().1, None);
    }
}

#[test]
fn pending_refuses_a_foreign_cursor_and_a_limit_of_0() {
    for f in fixtures() {
        for (after, limit) in [(Some("../x"), 1), (Some(""), 1), (None, 0)] {
            let e = f.admin.pending(after, limit).unwrap_err();
            assert_eq!(e.status(), Status::InvalidArgument);
        }
    }
}

#[test]
fn pending_and_dead_letters_show_no_token() {
    for f in fixtures() {
        f.push("a", body("a", KEY, Some("s3cret")));
        let (page, _) = f.admin.pending(None, 1).unwrap();
        assert!(page.first().unwrap().body.contains(r#""token":"...""#));
        f.kill_all();
        let letters = f.admin.dead_letters().unwrap();
        let letter = letters.first().unwrap();
        assert!(letter.is_signed);
        assert!(letter.body.contains(r#""token":"...""#), "{letter:?}");
        let (_, shown) = f.admin.show("a").unwrap().unwrap().stored.unwrap();
        assert!(shown.contains(r#""token":"...""#));
    }
}

#[test]
fn show_returns_the_body_only_while_it_is_in_the_spool() {
    for f in fixtures() {
        f.push_all(["a"]);
        let shown = f.admin.show("a").unwrap().unwrap();
        assert_eq!(shown.receipt.status, Status::Queued);
        let expected = ("add_to_cart".to_owned(), body("a", KEY, None));
        assert_eq!(shown.stored, Some(expected));
        f.settle(Fate::Delivered, Status::Delivered, 204);
        let shown = f.admin.show("a").unwrap().unwrap();
        assert_eq!(
            (shown.receipt.status, shown.stored),
            (Status::Delivered, None)
        );
        assert_eq!(f.admin.show("b").unwrap(), None);
    }
}

#[test]
fn show_returns_a_dead_letter_when_its_receipt_is_discarded() {
    let mut settings = settings();
    settings.receipt_retention = Duration::ZERO;
    for f in fixtures_with(&settings) {
        f.push_all(["a"]);
        f.kill_all();
        let shown = f.admin.show("a").unwrap().unwrap();
        let receipt = shown.receipt;
        assert_eq!(receipt.status, Status::Forbidden);
        assert_eq!((receipt.attempts, receipt.detail.as_str()), (1, "HTTP 403"));
        assert!(shown.stored.is_some());
    }
}

#[test]
fn retry_dead_enqueues_the_chosen_letters_and_signs_them_with_the_key() {
    for f in fixtures() {
        let key = "0".repeat(64);
        f.push("a", body("a", &key, Some("old")));
        f.push("b", body("b", &key, Some("old")));
        f.kill_all();
        let chosen = ["b".to_owned()];
        let report = f
            .admin
            .retry_dead(Some(&chosen), Some("secret"), false)
            .unwrap();
        assert_eq!((report.retried, report.left), (1, 0));
        assert_eq!(f.dead_ids(), ["a"]);
        let stored = f.spool.pending(None, 9, deadline()).unwrap();
        let token = customer_token("secret", &key).unwrap();
        let retried = &stored.first().unwrap().item;
        assert_eq!(retried.body, body("b", &key, Some(&token)));
        assert_eq!(retried.attempts, 0);
        assert_eq!(f.retry_all(), 1);
        assert_eq!(f.pending_ids(), ["b", "a"]);
        assert_eq!(f.retry_all(), 0);
    }
}

#[test]
fn retry_dead_changes_nothing_when_the_private_key_is_refused() {
    for f in fixtures() {
        f.push_all(["a"]);
        f.kill_all();
        let e = f.admin.retry_dead(None, Some(""), false).unwrap_err();
        assert_eq!(e.status(), Status::InvalidArgument);
        assert_eq!(f.dead_ids(), ["a"]);
    }
}

/// Pushes a payment that may have arrived, and a click that the service refused.
fn push_dead_payment_and_click(f: &Fixture) {
    f.push_kind(Kind::SecurePayment, "paid", body("x", KEY, None));
    f.settle_with(Fate::Dead, Status::MayHaveArrived, "HTTP 500");
    f.push_kind(Kind::Click, "clicked", body("clicked", KEY, None));
    f.kill_all();
}

#[test]
fn retry_dead_leaves_a_payment_that_may_have_arrived_unless_it_may_count_twice() {
    for f in fixtures() {
        push_dead_payment_and_click(&f);
        let letters = f.admin.dead_letters().unwrap();
        let marks: Vec<_> = letters
            .iter()
            .map(|l| (l.kind.as_str(), l.may_have_arrived))
            .collect();
        assert_eq!(marks, [("secure_payment", true), ("click", false)]);
        assert!(f.admin.show("paid").unwrap().unwrap().may_have_arrived);
        let report = f.admin.retry_dead(None, None, false).unwrap();
        assert_eq!((report.retried, report.left), (1, 1));
        assert_eq!(f.pending_ids(), ["clicked"]);
        let report = f.admin.retry_dead(None, Some("new"), true).unwrap();
        assert_eq!((report.retried, report.left), (1, 0));
        let stored = f.spool.pending(None, 9, deadline()).unwrap();
        let paid = stored.last().unwrap();
        let token = payment_token("new", &paid.item.body).unwrap();
        assert_eq!(notification::payment_token(&paid.item.path), Some(&*token));
    }
}

#[test]
fn retry_dead_retries_a_payment_that_the_service_refused() {
    for f in fixtures() {
        f.push_kind(Kind::Payment, "paid", body("x", KEY, None));
        f.kill_all();
        let report = f.admin.retry_dead(None, None, false).unwrap();
        assert_eq!((report.retried, report.left), (1, 0));
    }
}

#[test]
fn salvage_leaves_a_payment_that_may_have_arrived_unless_it_may_count_twice() {
    for (here, there) in fixtures().into_iter().zip(fixtures()) {
        push_dead_payment_and_click(&there);
        there.push_kind(Kind::Payment, "in flight", body("y", KEY, None));
        let mut lease = there.lease();
        let items = lease.fetch("https://h", Timestamp::now(), PAGE, &HashSet::new());
        lease.begin(&[items.unwrap()[0].position]).unwrap();
        lease.release();
        let (pending, _) = there.admin.pending(None, 9).unwrap();
        assert!(pending.iter().all(|p| p.may_have_arrived));
        let report = here.salvage(&there, true).unwrap();
        assert_eq!((report.enqueued, report.may_have_arrived_left), (1, 2));
        assert_eq!(here.pending_ids(), ["clicked"]);
        let report = salvage::salvage(&*here.spool, &*there.spool, true, true).unwrap();
        assert_eq!((report.enqueued, report.may_have_arrived_left), (2, 0));
    }
}

#[test]
fn drop_dead_counts_the_letters_as_dropped() {
    for f in fixtures() {
        f.push_all(["a", "b", "c"]);
        f.kill_all();
        let chosen = ["b".to_owned(), "unknown".to_owned()];
        assert_eq!(f.admin.drop_dead(Some(&chosen)).unwrap(), 1);
        assert_eq!(f.dead_ids(), ["a", "c"]);
        assert_eq!(f.admin.drop_dead(None).unwrap(), 2);
        let report = f.admin.report().unwrap();
        assert_eq!((report.counts.dead, report.counts.dropped), (0, 3));
        assert!(report.is_balanced());
    }
}

#[test]
fn dead_letters_beyond_one_page_are_all_listed_retried_and_dropped() {
    for f in fixtures() {
        let push = |prefix: &str| {
            for n in 0..2 * PAGE + 1 {
                f.push(&format!("{prefix}{n}"), body("x", KEY, None));
            }
        };
        push("a");
        f.kill_all();
        assert_eq!(f.dead_ids().len(), 2 * PAGE + 1);
        assert_eq!(f.retry_all(), 2 * PAGE as u64 + 1);
        f.kill_all();
        assert_eq!(f.admin.drop_dead(None).unwrap(), 2 * PAGE as u64 + 1);
    }
}

#[test]
fn purge_erases_by_customer_key_and_in_broken_bodies_by_text() {
    for f in fixtures() {
        f.push("theirs", body("theirs", "alice", None));
        f.kill_all();
        f.push("theirs too", body("x", "alice", None));
        f.push("another's", body("x", "bob", None));
        // This body has the key in another member.
        f.push(
            "ticket",
            r#"{"customerKey":"bob","ticket":"alice"}"#.to_owned(),
        );
        f.push("broken", r#"{"customerKey":"alice","#.to_owned());
        f.push("broken, another's", "\0\u{1}bob".to_owned());
        assert_eq!(f.admin.purge("alice").unwrap(), 3);
        assert_eq!(
            f.pending_ids(),
            ["another's", "ticket", "broken, another's"]
        );
        assert_eq!(f.admin.report().unwrap().counts.dropped, 3);
        assert_eq!(f.admin.purge("alice").unwrap(), 0);
        let e = f.admin.purge("").unwrap_err();
        assert_eq!(e.status(), Status::InvalidArgument);
    }
}

#[test]
fn salvage_enqueues_only_unknown_notifications_and_each_once() {
    for (here, there) in fixtures().into_iter().zip(fixtures()) {
        there.push_all(["pending", "dead", "delivered", "new", "new"]);
        here.push_all(["delivered"]);
        here.settle(Fate::Delivered, Status::Delivered, 204);
        here.push_all(["dead"]);
        here.kill_all();
        here.push_all(["pending"]);
        let expected = |enqueued, already_there| SalvageReport {
            enqueued,
            already_there,
            ..SalvageReport::default()
        };
        let salvage = || here.salvage(&there, false).unwrap();
        assert_eq!(salvage(), expected(1, 4));
        assert_eq!(here.pending_ids(), ["pending", "new"]);
        assert_eq!(salvage(), expected(0, 5));
        assert_eq!(there.pending_ids().len(), 5);
    }
}

#[test]
fn salvage_enqueues_dead_letters_only_if_asked_to() {
    for (here, there) in fixtures().into_iter().zip(fixtures()) {
        there.push_all(["a", "b"]);
        there.kill_all();
        let left = here.salvage(&there, false).unwrap();
        assert_eq!((left.enqueued, left.dead_letters_left), (0, 2));
        let taken = here.salvage(&there, true).unwrap();
        assert_eq!((taken.enqueued, taken.dead_letters_left), (2, 0));
        let stored = here.spool.pending(None, 9, deadline()).unwrap();
        assert!(stored.iter().all(|s| s.item.attempts == 0));
    }
}

#[test]
fn salvage_reports_its_progress_when_the_queue_is_full() {
    let mut settings = settings();
    settings.max_items = 1;
    for (here, there) in fixtures_with(&settings).into_iter().zip(fixtures()) {
        there.push_all(["a", "b"]);
        let e = here.salvage(&there, false).unwrap_err();
        assert_eq!(e.status(), Status::QueueFull);
        assert!(e.detail().contains("enqueued before that: 1"), "{e}");
        here.settle(Fate::Delivered, Status::Delivered, 204);
        let rest = here.salvage(&there, false).unwrap();
        assert_eq!((rest.enqueued, rest.already_there), (1, 1));
    }
}

#[test]
fn backup_is_a_spool_that_can_be_salvaged() {
    let [_, f] = fixtures();
    f.push_all(["dead"]);
    f.kill_all();
    f.push_all(["a", "b"]);
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("copy");
    assert_eq!(f.admin.backup(&to).unwrap(), 2);
    let copy = LogSpool::new(to, &settings(), false).unwrap();
    let copy = fixture(Arc::new(copy), settings());
    assert_eq!(copy.pending_ids(), ["a", "b"]);
    assert_eq!(copy.dead_ids(), ["dead"]);
    for here in fixtures() {
        let report = here.salvage(&copy, true).unwrap();
        assert_eq!((report.enqueued, report.already_there), (3, 0));
        assert_eq!(here.pending_ids(), ["a", "b", "dead"]);
    }
}

#[test]
fn backup_and_salvage_refuse_the_spool_itself_and_what_exists() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    std::fs::create_dir(&spool).unwrap();
    let settings = QueueSettings {
        spool: Some(SpoolPlace::Directory(spool.clone())),
        ..settings()
    };
    let f = fixture(Arc::new(MemorySpool::new(&settings)), settings);
    for bad in [
        &spool,
        &spool.join("inside"),
        &folder.path().join("no/such"),
    ] {
        let e = f.admin.backup(bad).unwrap_err();
        assert_eq!(e.status(), Status::InvalidArgument, "{e}");
    }
    let itself = folder.path().join("./spool");
    let e = f.admin.salvage(&itself, false, false).unwrap_err();
    assert!(e.detail().contains("is the spool itself"), "{e}");
}

#[test]
fn probe_now_counts_the_origins_that_are_backing_off() {
    for f in fixtures() {
        f.push_all(["a"]);
        assert_eq!(f.admin.probe_now().unwrap(), 0);
        let gate = Gate {
            failures: 3,
            closed_at: Timestamp::now().unix_ms,
            pause: 600_000,
        };
        let mut lease = f.lease();
        let gates = [(Arc::from("https://h"), gate)];
        lease.settle(&[], &gates).unwrap();
        lease.release();
        let wait = |f: &Fixture| f.admin.report().unwrap().origins[0].next_probe_in;
        assert!(wait(&f) > Duration::from_secs(500));
        assert_eq!(f.admin.probe_now().unwrap(), 1);
        assert_eq!(wait(&f), Duration::ZERO);
    }
}
