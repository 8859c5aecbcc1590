//! The queue with the sandbox, with both spools: every accepted notification is delivered or counted.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use common::{Folder, KEY, SESSION, client, config, in_time, sandbox, scripted, visitor};
use esales_notify::{
    Client, Notification, Receipt, SpoolAdmin, Stats, Status, Visitor, customer_key, customer_token,
};
use esales_notify_sandbox::{Answer, Options, Sandbox};

const LONG: Duration = Duration::from_secs(20);

/// A client of each kind of spool; keep the folder as long as the client.
fn both(base_url: &str, options: &[(&str, &str)]) -> Vec<(Client, Folder)> {
    let folder = Folder::new();
    let path = folder.path("spool");
    let mut on_disk = vec![("spool", path.as_str())];
    on_disk.extend(options);
    let in_memory = (client(base_url, options), Folder::new());
    vec![in_memory, (client(base_url, &on_disk), folder)]
}

fn enqueue(client: &Client, id: &str) -> Receipt {
    client
        .enqueue_add_to_cart(&visitor(), "ticket-4711", Some(id))
        .unwrap()
}

/// The statistics; asserts that the counters add up.
fn counted(client: &Client) -> Stats {
    let stats = client.stats().unwrap();
    assert!(stats.spool.is_balanced(), "{stats:?}");
    assert!(stats.process.is_balanced(), "{stats:?}");
    stats
}

/// Reads the statistics until they are as expected.
fn wait_for(client: &Client, is_reached: impl Fn(&Stats) -> bool) -> Stats {
    let deadline = Instant::now() + LONG;
    loop {
        let stats = counted(client);
        if is_reached(&stats) {
            return stats;
        }
        assert!(Instant::now() < deadline, "{stats:?}");
        std::thread::yield_now();
    }
}

fn ids(sandbox: &Sandbox) -> Vec<String> {
    let received = sandbox.received().into_iter();
    received
        .map(|r| r.notification.unwrap().id.unwrap())
        .collect()
}

#[test]
fn enqueued_notifications_are_delivered_and_counted() {
    let sandbox = sandbox();
    for (client, _folder) in both(&sandbox.base_url(), &[]) {
        sandbox.clear();
        for n in 0..50 {
            let receipt = enqueue(&client, &n.to_string());
            assert_eq!((receipt.status, receipt.attempts), (Status::Queued, 0));
        }
        assert!(client.flush(LONG).unwrap());
        let mut arrived = ids(&sandbox);
        arrived.sort_by_key(|id| id.parse::<u32>().unwrap());
        let sent: Vec<String> = (0..50).map(|n| n.to_string()).collect();
        assert_eq!(arrived, sent);
        let stats = counted(&client);
        assert_eq!((stats.spool.accepted, stats.spool.delivered), (50, 50));
        assert_eq!(stats.process, stats.spool);
        assert!(stats.attempt_latency.p50 > Duration::ZERO);
        let receipt = client.receipt("7").unwrap().unwrap();
        assert_eq!(
            (receipt.status, receipt.http_status, receipt.attempts),
            (Status::Delivered, Some(204), 1)
        );
        assert_eq!(client.receipt("never").unwrap(), None);
    }
}

#[test]
fn queued_notifications_are_delivered_oldest_first() {
    let sandbox = sandbox();
    for (client, _folder) in both(&sandbox.base_url(), &[("concurrency", "1")]) {
        sandbox.clear();
        for n in 0..20 {
            enqueue(&client, &n.to_string());
        }
        assert!(client.flush(LONG).unwrap());
        let sent: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        assert_eq!(ids(&sandbox), sent);
        counted(&client);
    }
}

#[test]
fn queued_notification_is_retried_with_the_same_bytes() {
    for kind in 0..2 {
        let sandbox = scripted("503, 429:retry-after=0, 500, 204");
        let (client, _folder) = both(&sandbox.base_url(), &[("gate_min_ms", "10")]).remove(kind);
        enqueue(&client, "same");
        assert!(client.flush(LONG).unwrap());
        let bodies: Vec<String> = sandbox.received().into_iter().map(|r| r.body).collect();
        assert_eq!(bodies.len(), 4);
        assert!(bodies.iter().all(|b| *b == bodies[0]));
        let receipt = client.receipt("same").unwrap().unwrap();
        assert_eq!((receipt.status, receipt.attempts), (Status::Delivered, 4));
        counted(&client);
    }
}

#[test]
fn one_probe_is_sent_after_retry_after_when_deliveries_fail() {
    for kind in 0..2 {
        let sandbox = scripted("503:retry-after=1:times=2");
        let options = [("gate_min_ms", "10"), ("concurrency", "1")];
        let (client, _folder) = both(&sandbox.base_url(), &options).remove(kind);
        for n in 0..20 {
            enqueue(&client, &n.to_string());
        }
        assert!(sandbox.wait_received(1, LONG));
        assert!(client.flush(LONG).unwrap());
        let at: Vec<u64> = sandbox.received().iter().map(|r| r.at_unix_ms).collect();
        assert_eq!(at.len(), 22);
        assert!(at[1] - at[0] >= 1000 && at[2] - at[1] >= 1000, "{at:?}");
        assert_eq!(counted(&client).gate_failures, 0);
    }
}

#[test]
fn final_answer_makes_a_dead_letter_and_the_next_notification_is_delivered() {
    for kind in 0..2 {
        let sandbox = scripted("400:body=\"Ticket is missing.\", 204");
        let (client, _folder) = both(&sandbox.base_url(), &[("concurrency", "1")]).remove(kind);
        enqueue(&client, "bad");
        enqueue(&client, "good");
        assert!(client.flush(LONG).unwrap());
        let stats = counted(&client);
        assert_eq!((stats.spool.dead, stats.spool.delivered), (1, 1));
        let receipt = client.receipt("bad").unwrap().unwrap();
        assert_eq!(receipt.status, Status::BadRequest);
        assert!(receipt.detail.contains("Ticket is missing."), "{receipt:?}");
    }
}

#[test]
fn notification_that_always_fails_does_not_block_others() {
    for kind in 0..2 {
        // The first notification is answered 500 at each try; the others are delivered between its tries.
        let sandbox = scripted("500, 500, 500, 204, 204, 204");
        let options = [("gate_min_ms", "10"), ("concurrency", "1")];
        let (client, _folder) = both(&sandbox.base_url(), &options).remove(kind);
        enqueue(&client, "poison");
        assert!(sandbox.wait_received(3, LONG));
        enqueue(&client, "next");
        assert!(client.flush(LONG).unwrap());
        assert_eq!(ids(&sandbox)[..3], ["poison", "poison", "poison"]);
        counted(&client);
    }
}

#[test]
fn queued_notification_expires_after_max_age_s() {
    for kind in 0..2 {
        let sandbox = scripted("503:times=1000");
        let options = [
            ("gate_min_ms", "50"),
            ("gate_max_ms", "100"),
            ("max_age_s", "1"),
        ];
        let (client, _folder) = both(&sandbox.base_url(), &options).remove(kind);
        enqueue(&client, "late");
        assert!(client.flush(LONG).unwrap());
        let stats = counted(&client);
        assert_eq!((stats.spool.expired, stats.spool.pending), (1, 0));
        let receipt = client.receipt("late").unwrap().unwrap();
        assert_eq!(receipt.status, Status::Expired);
        assert!(receipt.detail.contains("max_age_s"), "{receipt:?}");
    }
}

/// An address without a listener.
const DOWN: &str = "http://127.0.0.1:9";

#[test]
fn enqueue_is_refused_when_the_queue_is_full() {
    for limit in [("max_items", "2"), ("max_bytes", "1024")] {
        for (client, _folder) in both(DOWN, &[limit]) {
            let ticket = "t".repeat(300);
            let push = |id: &str| client.enqueue_add_to_cart(&visitor(), &ticket, Some(id));
            push("1").unwrap();
            push("2").unwrap();
            let refused = push("3").unwrap_err();
            assert_eq!(refused.status(), Status::QueueFull, "{limit:?}");
            assert_eq!(refused.receipt().unwrap().id, "3");
            assert!(refused.detail().contains(limit.0), "{refused}");
            let stats = counted(&client);
            assert_eq!((stats.spool.accepted, stats.process_refused), (2, 1));
        }
    }
}

#[test]
fn oldest_notifications_are_dropped_when_the_queue_is_full_and_overflow_is_drop_oldest() {
    let limits = [("max_items", "2"), ("overflow", "drop_oldest")];
    for (client, _folder) in both(DOWN, &limits) {
        for n in 0..5 {
            enqueue(&client, &n.to_string());
        }
        let stats = counted(&client);
        assert_eq!(
            (
                stats.spool.accepted,
                stats.spool.dropped,
                stats.spool.pending
            ),
            (5, 3, 2)
        );
        // The drainer drops them when it reads the newest notification.
        let deadline = Instant::now() + LONG;
        while client.receipt("2").unwrap().unwrap().status != Status::Dropped {
            assert!(Instant::now() < deadline, "it is not dropped");
            std::thread::yield_now();
        }
        assert_eq!(client.receipt("4").unwrap().unwrap().status, Status::Queued);
    }
    // A notification larger than the whole queue drops no other notification.
    for (client, _folder) in both(DOWN, &[("max_bytes", "1024"), ("overflow", "drop_oldest")]) {
        enqueue(&client, "small");
        let large = client.enqueue_add_to_cart(&visitor(), &"t".repeat(1024), None);
        assert_eq!(large.unwrap_err().status(), Status::QueueFull);
        assert_eq!(counted(&client).spool.pending, 1);
    }
}

static ROUNDS: AtomicU64 = AtomicU64::new(0);

#[test]
fn flush_keeps_its_deadline_when_the_service_is_down() {
    for is_down in [true, false] {
        for kind in 0..2 {
            in_time(|| {
                let hanging = scripted("hang:times=1000");
                // Clients with equal options share a queue in memory, so each round has different options.
                let max_items = 10_000 + ROUNDS.fetch_add(1, Ordering::Relaxed);
                let base_url = if is_down { DOWN } else { &hanging.base_url() };
                let (client, _folder) =
                    both(base_url, &[("max_items", &max_items.to_string())]).remove(kind);
                enqueue(&client, "left");
                let mut timings = Vec::new();
                for ms in [0, 100] {
                    let start = Instant::now();
                    assert!(!client.flush(Duration::from_millis(ms)).unwrap());
                    let limit = Duration::from_millis(ms + 500);
                    timings.push((format!("flush {ms}"), start.elapsed(), limit));
                }
                assert_eq!(counted(&client).spool.pending, 1);
                let start = Instant::now();
                drop(client);
                timings.push((
                    "drop".to_owned(),
                    start.elapsed(),
                    Duration::from_millis(500),
                ));
                timings
            });
        }
    }
}

#[test]
fn enqueue_refuses_invalid_input() {
    for (client, _folder) in both(DOWN, &[("max_items", "1001")]) {
        let refused = client
            .enqueue_add_to_cart(&visitor(), "", None)
            .unwrap_err();
        assert_eq!(refused.status(), Status::InvalidArgument);
        assert_eq!(counted(&client).spool.accepted, 0);
    }
}

#[test]
fn failed_notification_is_queued_with_its_id_when_on_failure_is_queue() {
    for kind in 0..2 {
        let sandbox = scripted("503, 503, 204, 204");
        let options = [
            ("on_failure", "queue"),
            ("max_attempts", "2"),
            ("backoff_ms", "0"),
        ];
        let (client, _folder) = both(&sandbox.base_url(), &options).remove(kind);
        let receipt = client
            .notify_add_to_cart(&visitor(), "ticket", Some("mine"))
            .unwrap();
        assert_eq!(
            (receipt.status, receipt.http_status, receipt.attempts),
            (Status::Queued, Some(503), 2)
        );
        assert!(client.flush(LONG).unwrap());
        assert_eq!(ids(&sandbox), ["mine"; 3]);
        let receipt = client.receipt("mine").unwrap().unwrap();
        assert_eq!((receipt.status, receipt.attempts), (Status::Delivered, 3));
        // A final refusal is not queued.
        sandbox.script(Answer::parse_list("400").unwrap());
        let refused = client.notify_add_to_cart(&visitor(), "ticket", None);
        assert_eq!(refused.unwrap_err().status(), Status::BadRequest);
        assert_eq!(counted(&client).spool.accepted, 1);
    }
}

/// Holds the lock of a spool's directory, as another process does near a limit.
#[allow(unsafe_code)]
fn hold_lock(spool: &str) -> std::fs::File {
    use std::os::fd::AsRawFd;
    let mut options = std::fs::OpenOptions::new();
    let file = options
        .read(true)
        .write(true)
        .open(format!("{spool}/lock"))
        .unwrap();
    // SAFETY: plain data, for which zero is a value, and a descriptor that is open during the call.
    let taken = unsafe {
        let mut lock: libc::flock = std::mem::zeroed();
        lock.l_type = libc::F_WRLCK as libc::c_short;
        libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock)
    };
    assert_eq!(taken, 0);
    file
}

#[test]
fn notify_keeps_its_deadline_when_another_program_locks_the_spool() {
    let limit = Duration::from_millis(2000 + 100);
    for (answer, expected) in [
        ("204", Status::Delivered),
        ("503:times=10", Status::ServerError),
        ("hang", Status::Timeout),
    ] {
        in_time(|| {
            let sandbox = scripted(answer);
            let folder = Folder::new();
            let path = folder.path("spool");
            let options = [
                ("spool", path.as_str()),
                ("delivery", "none"),
                ("on_failure", "queue"),
                ("timeout_ms", "2000"),
                ("enqueue_timeout_ms", "5000"),
                ("max_attempts", "1"),
                // So near its limit that producers enqueue one at a time.
                ("max_items", "100"),
            ];
            let caller = client(&sandbox.base_url(), &options);
            enqueue(&caller, "first");
            let lock = hold_lock(&path);
            let start = Instant::now();
            let outcome = caller.notify_add_to_cart(&visitor(), "ticket", Some("mine"));
            let took = start.elapsed();
            let receipt = outcome.unwrap_or_else(|e| e.receipt().unwrap().clone());
            assert_eq!(receipt.status, expected, "{receipt:?}");
            assert_eq!(ids(&sandbox), ["mine"], "{receipt:?}");
            let is_queued = !receipt.detail.contains("not queued");
            assert_eq!(is_queued, expected == Status::Delivered, "{receipt:?}");
            drop(lock);
            assert_eq!(counted(&caller).spool.accepted, 1);
            vec![(answer.to_owned(), took, limit)]
        });
    }
}

#[test]
fn notify_queues_at_once_when_deliveries_are_backing_off() {
    for kind in 0..2 {
        let sandbox = scripted("503:retry-after=3600");
        let (client, _folder) = both(&sandbox.base_url(), &[("on_failure", "queue")]).remove(kind);
        enqueue(&client, "first");
        assert!(sandbox.wait_received(1, LONG));
        let deadline = Instant::now() + LONG;
        while counted(&client).gate_failures == 0 {
            assert!(Instant::now() < deadline, "the gate stays open");
            std::thread::yield_now();
        }
        let receipt = client
            .notify_add_to_cart(&visitor(), "ticket", Some("second"))
            .unwrap();
        assert_eq!((receipt.status, receipt.attempts), (Status::Queued, 0));
        assert_eq!(sandbox.received().len(), 1);
        counted(&client);
    }
}

#[test]
fn delivery_callback_is_called_for_every_completed_notification() {
    for kind in 0..2 {
        let sandbox = scripted("204, 400");
        let (client, _folder) = both(&sandbox.base_url(), &[("concurrency", "1")]).remove(kind);
        let (tx, rx) = mpsc::channel();
        let tx = Mutex::new(tx);
        client
            .on_delivery(Some(Box::new(move |receipt| {
                tx.lock().unwrap().send(receipt.clone()).unwrap();
            })))
            .unwrap();
        enqueue(&client, "1");
        enqueue(&client, "2");
        let receipts: Vec<Receipt> = (0..2).map(|_| rx.recv_timeout(LONG).unwrap()).collect();
        assert_eq!(
            (receipts[0].id.as_str(), receipts[0].status),
            ("1", Status::Delivered)
        );
        assert_eq!(
            (receipts[1].id.as_str(), receipts[1].status),
            ("2", Status::BadRequest)
        );
        client.on_delivery(None).unwrap();
        enqueue(&client, "3");
        assert!(client.flush(LONG).unwrap());
        assert!(rx.try_recv().is_err());
        counted(&client);
    }
}

#[test]
fn flush_waits_for_the_delivery_callback() {
    for kind in 0..2 {
        let sandbox = sandbox();
        let (client, _folder) = both(&sandbox.base_url(), &[]).remove(kind);
        let (entered, is_entered) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let (entered, may_go_on) = (Mutex::new(entered), Mutex::new(may_go_on));
        client
            .on_delivery(Some(Box::new(move |_| {
                entered.lock().unwrap().send(()).unwrap();
                may_go_on.lock().unwrap().recv().unwrap();
            })))
            .unwrap();
        enqueue(&client, "1");
        is_entered.recv_timeout(LONG).unwrap();
        assert_eq!(counted(&client).spool.pending, 0);
        assert!(!client.flush(Duration::from_millis(50)).unwrap());
        // The end of a session waits only for older notifications.
        let end = client.notify(&visitor(), &Notification::end()).unwrap();
        assert_eq!(end.status, Status::Delivered);
        go_on.send(()).unwrap();
        assert!(client.flush(LONG).unwrap());
    }
}

#[test]
fn delivery_callback_can_flush() {
    for kind in 0..2 {
        let sandbox = sandbox();
        let (client, _folder) = both(&sandbox.base_url(), &[]).remove(kind);
        let client = Arc::new(client);
        let (tx, rx) = mpsc::channel();
        let (tx, flushing) = (Mutex::new(tx), Arc::downgrade(&client));
        client
            .on_delivery(Some(Box::new(move |_| {
                let is_done = flushing.upgrade().unwrap().flush(LONG).unwrap();
                tx.lock().unwrap().send(is_done).unwrap();
            })))
            .unwrap();
        enqueue(&client, "1");
        assert!(client.flush(LONG).unwrap());
        assert_eq!(rx.try_recv(), Ok(true));
    }
}

#[test]
fn panic_of_a_delivery_callback_does_not_affect_other_clients() {
    let sandbox = sandbox();
    let folder = Folder::new();
    let path = folder.path("spool");
    let options = [("spool", path.as_str())];
    // Three clients of one queue, one with a failing callback; the order of the callbacks is not defined.
    let clients: Vec<Client> = (0..3)
        .map(|_| client(&sandbox.base_url(), &options))
        .collect();
    let (tx, rx) = mpsc::channel();
    for (n, client) in clients.iter().enumerate() {
        let tx = Mutex::new(tx.clone());
        client
            .on_delivery(Some(Box::new(move |receipt| {
                tx.lock().unwrap().send((n, receipt.id.clone())).unwrap();
                assert!(n != 1, "the host's defect");
            })))
            .unwrap();
    }
    for id in ["1", "2"] {
        enqueue(&clients[0], id);
        let mut receipts: Vec<_> = (0..3).map(|_| rx.recv_timeout(LONG).unwrap()).collect();
        receipts.sort_unstable();
        let expected: Vec<_> = (0..3).map(|n| (n, id.to_owned())).collect();
        assert_eq!(receipts, expected);
    }
    // The callback is removed, and dropped with the others.
    clients[1].on_delivery(None).unwrap();
}

/// Uses this much stack, and more without optimisation; returns the sum of its contents.
fn go_deep(bytes: usize) -> usize {
    let frame = std::hint::black_box([1_u8; 4096]);
    match bytes.checked_sub(frame.len()) {
        Some(left) => usize::from(frame[0]) + go_deep(left),
        None => 0,
    }
}

#[test]
fn delivery_callback_can_use_a_deep_stack() {
    let sandbox = sandbox();
    for (client, _folder) in both(&sandbox.base_url(), &[]) {
        let (tx, rx) = mpsc::channel();
        let tx = Mutex::new(tx);
        client
            .on_delivery(Some(Box::new(move |_| {
                tx.lock().unwrap().send(go_deep(1 << 20)).unwrap();
            })))
            .unwrap();
        enqueue(&client, "deep");
        assert_eq!(rx.recv_timeout(LONG).unwrap(), (1 << 20) / 4096);
        client.on_delivery(None).unwrap();
    }
}

#[test]
fn client_delivers_what_a_client_without_delivery_enqueued() {
    let sandbox = sandbox();
    let folder = Folder::new();
    let path = folder.path("spool");
    let options = [("spool", path.as_str()), ("delivery", "none")];
    let producer = client(&sandbox.base_url(), &options);
    enqueue(&producer, "handed over");
    assert!(!producer.flush(Duration::from_millis(50)).unwrap());
    let drainer = client(&sandbox.base_url(), &options[..1]);
    assert!(drainer.flush(LONG).unwrap());
    assert!(producer.flush(LONG).unwrap());
    assert_eq!(ids(&sandbox), ["handed over"]);
    assert_eq!(counted(&producer).process.delivered, 1);
    assert_eq!(counted(&drainer).process.accepted, 0);
}

#[test]
fn stop_delivery_completes_requests_in_flight_and_starts_no_more() {
    for kind in 0..2 {
        let sandbox = sandbox();
        let (client, _folder) = both(&sandbox.base_url(), &[("concurrency", "2")]).remove(kind);
        sandbox.script(Answer::parse_list("204:wait=200:times=20").unwrap());
        for n in 0..20 {
            enqueue(&client, &n.to_string());
        }
        while sandbox.received().is_empty() {
            std::thread::yield_now();
        }
        assert!(client.stop_delivery(LONG).unwrap());
        let begun = sandbox.received().len();
        let stats = counted(&client);
        assert_eq!(stats.spool.delivered, begun as u64);
        assert!(begun < 20);
        // The client still accepts notifications, and the delivery stays stopped.
        enqueue(&client, "later");
        assert!(!client.flush(Duration::from_millis(50)).unwrap());
        assert_eq!(sandbox.received().len(), begun);
        counted(&client);
    }
}

#[test]
fn stop_delivery_returns_false_when_requests_stay_in_flight() {
    let sandbox = scripted("hang");
    let (client, _folder) = both(&sandbox.base_url(), &[]).remove(1);
    enqueue(&client, "held");
    while sandbox.received().is_empty() {
        std::thread::yield_now();
    }
    assert!(!client.stop_delivery(Duration::from_millis(50)).unwrap());
    counted(&client);
}

#[test]
fn directory_of_other_files_keeps_its_mode_when_it_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let path = folder.path("letters");
    std::fs::create_dir(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(folder.path("letters/letter.txt"), "Dear customer").unwrap();
    let client = client(DOWN, &[("spool", &path), ("delivery", "none")]);
    let error = client.stats().unwrap_err();
    assert_eq!(error.status(), Status::SpoolFailed);
    let refused = client.enqueue_add_to_cart(&visitor(), "a ticket", None);
    assert_eq!(refused.unwrap_err().status(), Status::SpoolFailed);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
    assert_eq!(std::fs::read_dir(&path).unwrap().count(), 1);
}

#[test]
fn spool_counts_lost_notifications_as_dropped_when_it_is_deleted_in_use() {
    let sandbox = scripted("400, 503:retry-after=600, 204");
    let (client, folder) = both(&sandbox.base_url(), &[("concurrency", "1")]).remove(1);
    enqueue(&client, "dead");
    assert!(client.flush(LONG).unwrap());
    enqueue(&client, "waiting");
    wait_for(&client, |stats| stats.gate_failures > 0);
    std::fs::remove_dir_all(folder.path("spool")).unwrap();
    // A notification that its producer appends again counts until the drainer has found that it was read before.
    let stats = wait_for(&client, |stats| {
        (stats.spool.dropped, stats.spool.accepted) == (2, 2)
    });
    assert_eq!((stats.spool.accepted, stats.spool.dead), (2, 0));
    enqueue(&client, "after");
    assert!(client.flush(LONG).unwrap());
    let spool = counted(&client).spool;
    assert_eq!((spool.accepted, spool.delivered, spool.pending), (3, 1, 0));
    assert_eq!(ids(&sandbox), ["dead", "waiting", "after"]);
}

#[test]
fn notification_is_delivered_only_to_the_origin_it_was_accepted_for() {
    let (first, second) = (sandbox(), sandbox());
    let folder = Folder::new();
    let path = folder.path("spool");
    let options = [("spool", path.as_str()), ("delivery", "none")];
    enqueue(&client(&first.base_url(), &options), "for the first");
    let drainer = client(&second.base_url(), &options[..1]);
    enqueue(&drainer, "for the second");
    assert!(drainer.flush(LONG).unwrap());
    assert_eq!(ids(&first), ["for the first"]);
    assert_eq!(ids(&second), ["for the second"]);
    counted(&drainer);
}

/// A spool with a notification for each of some addresses. A client with the returned options cannot connect to them:
/// it would need a `ca_file` that does not exist.
fn with_unreachable_origins(path: &str, ids: &[&str]) {
    for (port, id) in (1..).zip(ids) {
        let options = [("spool", path), ("delivery", "none")];
        enqueue(&client(&format!("https://127.0.0.1:{port}"), &options), id);
    }
}

#[test]
fn unreachable_origin_does_not_block_other_origins() {
    let sandbox = sandbox();
    let folder = Folder::new();
    let path = folder.path("spool");
    let ca_file = folder.path("missing.pem");
    with_unreachable_origins(&path, &["1", "2", "3", "4", "5", "6", "7", "8"]);
    let client = client(
        &sandbox.base_url(),
        &[("spool", &path), ("ca_file", &ca_file)],
    );
    for n in 10..20 {
        enqueue(&client, &n.to_string());
    }
    let stats = wait_for(&client, |stats| stats.spool.delivered == 10);
    assert_eq!(stats.spool.pending, 8);
    assert_eq!(ids(&sandbox).len(), 10);
}

#[test]
fn notification_expires_when_its_origin_is_unreachable() {
    let folder = Folder::new();
    let path = folder.path("spool");
    let ca_file = folder.path("missing.pem");
    with_unreachable_origins(&path, &["old"]);
    // More than one search returns.
    let options = [("spool", path.as_str()), ("delivery", "none")];
    let impassable = client("https://127.0.0.1:1", &options);
    for n in 0..3000 {
        enqueue(&impassable, &n.to_string());
    }
    let client = client(
        DOWN,
        &[("spool", &path), ("ca_file", &ca_file), ("max_age_s", "1")],
    );
    let stats = wait_for(&client, |stats| stats.spool.expired == 3001);
    assert_eq!(stats.spool.pending, 0);
    assert!(client.stop_delivery(LONG).unwrap());
}

#[test]
fn operator_can_inspect_retry_and_replay_dead_letters() {
    let sandbox = Sandbox::start(Options {
        private_key: Some("rotated".to_owned()),
        ..Options::default()
    })
    .unwrap();
    let folder = Folder::new();
    let path = folder.path("spool");
    let client = client(&sandbox.base_url(), &[("spool", &path)]);
    let key = customer_key("4711").unwrap();
    let token = customer_token("old", &key).unwrap();
    let signed_in = Visitor::signed_in(&key, SESSION, &token).in_market("UK");
    for id in ["a", "b"] {
        client
            .enqueue_add_to_cart(&signed_in, "ticket", Some(id))
            .unwrap();
    }
    enqueue(&client, "c");
    assert!(client.flush(LONG).unwrap());

    let spool = SpoolAdmin::open(&config(&[("spool", &path)])).unwrap();
    let report = spool.report().unwrap();
    assert!(
        report.is_balanced() && report.leader.is_some(),
        "{report:?}"
    );
    assert_eq!(report.dead_by_status, [(Status::Forbidden, 2)]);
    let mut dead = spool.dead_letters().unwrap();
    dead.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!((dead[0].id.as_str(), dead[0].http_status), ("a", Some(403)));
    assert!(!format!("{dead:?}").contains(&token));
    let shown = spool.show("a").unwrap().unwrap();
    assert_eq!(shown.receipt.status, Status::Forbidden);
    assert!(shown.stored.unwrap().1.contains("\"id\":\"a\""));

    let retried = spool.retry_dead(Some(&["a".to_owned()]), Some("rotated"), false);
    assert_eq!(retried.unwrap().retried, 1);
    assert!(client.flush(LONG).unwrap());
    assert_eq!(
        client.receipt("a").unwrap().unwrap().status,
        Status::Delivered
    );
    assert_eq!(spool.drop_dead(None).unwrap(), 1);
    let counts = spool.report().unwrap().counts;
    assert_eq!((counts.delivered, counts.dead, counts.dropped), (2, 0, 1));
    counted(&client);
}

/// Whether any file of a spool contains a text.
fn holds(spool: &str, text: &str) -> bool {
    std::fs::read_dir(spool).unwrap().any(|entry| {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        String::from_utf8_lossy(&bytes).contains(text)
    })
}

#[test]
fn purge_erases_a_persons_data_from_the_files() {
    let folder = Folder::new();
    let path = folder.path("spool");
    let options = [("spool", path.as_str()), ("delivery", "none")];
    let client = client(DOWN, &options);
    let other = Visitor::anonymous("somebody-else", SESSION).in_market("UK");
    client
        .enqueue_add_to_cart(&other, "t", Some("stays"))
        .unwrap();
    for n in 0..20 {
        enqueue(&client, &format!("gone-{n}"));
    }
    let spool = SpoolAdmin::open(&config(&options)).unwrap();
    assert_eq!(spool.purge(KEY).unwrap(), 20);
    let report = spool.report().unwrap();
    assert_eq!((report.counts.dropped, report.counts.pending), (20, 1));
    assert!(report.is_balanced());
    counted(&client);
    assert!(!holds(&path, KEY));
    assert!(holds(&path, "somebody-else"));
}

#[test]
fn purged_notification_is_not_sent() {
    let sandbox = scripted("204:wait=500, 204");
    let (client, folder) = both(&sandbox.base_url(), &[("concurrency", "1")]).remove(1);
    let path = folder.path("spool");
    // Enqueued together, so that the drainer reads them ahead.
    let producer = common::client(
        &sandbox.base_url(),
        &[("spool", path.as_str()), ("delivery", "none")],
    );
    for n in 0..20 {
        enqueue(&producer, &n.to_string());
    }
    counted(&client);
    assert!(sandbox.wait_received(1, LONG));
    let spool = SpoolAdmin::open(&config(&[("spool", path.as_str())])).unwrap();
    assert_eq!(spool.purge(KEY).unwrap(), 20);
    enqueue(&client, "after");
    assert!(client.flush(LONG).unwrap());
    assert_eq!(ids(&sandbox), ["0", "after"]);
    counted(&client);
}

#[test]
fn purge_erases_delivered_notifications_from_the_files() {
    let sandbox = sandbox();
    let folder = Folder::new();
    let path = folder.path("spool");
    let options = [("spool", path.as_str())];
    let waiting = client(
        &sandbox.base_url(),
        &[("spool", path.as_str()), ("delivery", "none")],
    );
    for n in 0..500 {
        enqueue(&waiting, &n.to_string());
    }
    assert!(
        client(&sandbox.base_url(), &options).flush(LONG).unwrap(),
        "not delivered"
    );
    assert!(
        holds(&path, KEY),
        "nothing is left that could be overwritten"
    );
    let spool = SpoolAdmin::open(&config(&options)).unwrap();
    assert_eq!(spool.purge(KEY).unwrap(), 0);
    assert!(!holds(&path, KEY));
    assert_eq!(counted(&waiting).spool.delivered, 500);
}
