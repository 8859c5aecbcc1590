//! Payments are never sent twice, and an end of session comes last: blocking and queued, with both spools.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use common::{Folder, KEY, client, config, sandbox, scripted};
use esales_notify::{Client, Line, Notification, Receipt, SpoolAdmin, Stats, Status, Visitor};
use esales_notify_sandbox::{Answer, Options, Received, Sandbox};

const LONG: Duration = Duration::from_secs(60);
const SESSION: &str = "b106299c-eac0-4f6f-96d2-93e57c255784";
const OTHER_SESSION: &str = "0b5a5b56-2f0e-4a5e-8a39-4b8a9c1fd6ab";

/// Answers after which the service may have processed the request although the client got no 2xx.
const AMBIGUOUS: &[&str] = &["hang", "408", "close", "reset", "garbage", "500", "502"];

fn anonymous(session: &'static str) -> Visitor<'static> {
    Visitor::anonymous(KEY, session).in_market("UK")
}

/// Calls `test` with an unsigned and with a signed payment.
fn with_each_payment(test: impl Fn(&Notification<'_>)) {
    let lines = [Line::new("P1", 2, "199.50")];
    test(&Notification::payment(&lines).with_id("order-1001"));
    test(&Notification::secure_payment(&lines, "my private key").with_id("order-1001"));
}

/// A client of each kind of spool, with the folder and the path of the log.
fn both(base_url: &str, options: &[(&str, &str)]) -> Vec<(Client, Folder, Option<String>)> {
    let folder = Folder::new();
    let path = folder.path("spool");
    let usual = [("gate_min_ms", "10"), ("gate_max_ms", "50")];
    let in_memory = [&usual, options].concat();
    let on_disk = [in_memory.as_slice(), &[("spool", path.as_str())]].concat();
    let on_disk = client(base_url, &on_disk);
    vec![
        (client(base_url, &in_memory), Folder::new(), None),
        (on_disk, folder, Some(path)),
    ]
}

fn counted(client: &Client) -> Stats {
    let stats = client.stats().unwrap();
    assert!(stats.spool.is_balanced(), "{stats:?}");
    stats
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + LONG;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::yield_now();
    }
}

fn payments(sandbox: &Sandbox) -> Vec<Received> {
    let received = sandbox.received().into_iter();
    received.filter(|r| r.path.contains("/payment")).collect()
}

/// Sends a click; a payment that were repeated would be sent before it.
fn deliver_a_click(client: &Client) {
    let click = Notification::click("ticket").with_id("a click");
    client.enqueue(&anonymous(SESSION), &click).unwrap();
    assert!(client.flush(LONG).unwrap());
    assert_eq!(
        client.receipt("a click").unwrap().unwrap().status,
        Status::Delivered
    );
}

#[test]
fn blocking_payment_is_sent_once_when_it_may_have_arrived() {
    for answer in AMBIGUOUS {
        with_each_payment(|payment| {
            let sandbox = scripted(&format!("{answer}, 204:times=forever"));
            let client = client(&sandbox.base_url(), &[("timeout_ms", "3000")]);
            let error = client.notify(&anonymous(SESSION), payment).unwrap_err();
            let receipt = error.receipt().unwrap();
            assert_eq!(
                (receipt.status, receipt.attempts),
                (Status::MayHaveArrived, 1),
                "{answer}: {receipt:?}"
            );
            assert!(
                receipt.detail.starts_with("may have arrived"),
                "{answer}: {receipt:?}"
            );
            assert_eq!(receipt.id, "order-1001");
            assert_eq!(sandbox.received().len(), 1, "{answer}");
        });
    }
}

#[test]
fn blocking_payment_is_not_queued_on_failure_when_it_may_have_arrived() {
    for answer in AMBIGUOUS {
        with_each_payment(|payment| {
            let sandbox = scripted(&format!("{answer}, 204:times=forever"));
            let options = [("timeout_ms", "3000"), ("on_failure", "queue")];
            let client = client(&sandbox.base_url(), &options);
            let error = client.notify(&anonymous(SESSION), payment).unwrap_err();
            assert_eq!(error.status(), Status::MayHaveArrived, "{answer}: {error}");
            assert!(
                error.detail().starts_with("may have arrived"),
                "{answer}: {error}"
            );
            assert_eq!(counted(&client).spool.accepted, 0, "{answer}");
            deliver_a_click(&client);
            assert_eq!(payments(&sandbox).len(), 1, "{answer}");
        });
    }
}

#[test]
fn queued_payment_becomes_a_dead_letter_when_it_may_have_arrived() {
    for answer in AMBIGUOUS {
        for kind in 0..2 {
            with_each_payment(|payment| {
                let sandbox = scripted(&format!("{answer}, 204:times=forever"));
                let options = [("timeout_ms", "3000"), ("concurrency", "1")];
                let (client, _folder, path) = both(&sandbox.base_url(), &options).remove(kind);
                client.enqueue(&anonymous(SESSION), payment).unwrap();
                assert!(client.flush(LONG).unwrap());
                let receipt = client.receipt("order-1001").unwrap().unwrap();
                assert_eq!(
                    (receipt.status, receipt.attempts),
                    (Status::MayHaveArrived, 1),
                    "{answer}: {receipt:?}"
                );
                assert!(
                    receipt.detail.starts_with("may have arrived"),
                    "{answer}: {receipt:?}"
                );
                let counts = counted(&client).spool;
                assert_eq!((counts.accepted, counts.dead), (1, 1), "{answer}");
                deliver_a_click(&client);
                assert_eq!(payments(&sandbox).len(), 1, "{answer}");
                if let Some(path) = path {
                    retry_as_operator(&client, &sandbox, &path);
                }
            });
        }
    }
}

#[test]
fn gate_closes_when_a_payment_may_have_arrived() {
    for kind in 0..2 {
        let sandbox = scripted("500:retry-after=3600:times=forever");
        let (client, _folder, _) = both(&sandbox.base_url(), &[("concurrency", "1")]).remove(kind);
        let lines = [Line::new("P1", 2, "199.50")];
        for number in 0..5 {
            let id = format!("order-{number}");
            let payment = Notification::payment(&lines).with_id(&id);
            client.enqueue(&anonymous(SESSION), &payment).unwrap();
        }
        until("the first payment is a dead letter", || {
            counted(&client).spool.dead > 0
        });
        // The other payments wait for the service: an outage costs one payment at a time, not all of them.
        let stats = counted(&client);
        assert_eq!((stats.gate_failures, stats.spool.dead), (1, 1));
        assert_eq!(payments(&sandbox).len(), 1);
    }
}

/// Retries the payment as an operator; it is sent with the same bytes.
fn retry_as_operator(client: &Client, sandbox: &Sandbox, path: &str) {
    let spool = SpoolAdmin::open(&config(&[("spool", path)])).unwrap();
    let dead = spool.dead_letters().unwrap();
    assert_eq!(dead.len(), 1);
    assert!(dead[0].detail.starts_with("may have arrived"), "{dead:?}");
    let left = spool.retry_dead(None, None, false).unwrap();
    assert_eq!((left.retried, left.left), (0, 1));
    let retried = spool.retry_dead(None, None, true).unwrap();
    assert_eq!((retried.retried, retried.left), (1, 0));
    assert!(client.flush(LONG).unwrap());
    assert_eq!(
        client.receipt("order-1001").unwrap().unwrap().status,
        Status::Delivered
    );
    let sent = payments(sandbox);
    assert_eq!(sent.len(), 2);
    assert_eq!(
        (&sent[0].path, &sent[0].body),
        (&sent[1].path, &sent[1].body)
    );
}

#[test]
fn payment_is_retried_until_delivered_when_it_was_certainly_not_processed() {
    for kind in 0..2 {
        with_each_payment(|payment| {
            let sandbox = scripted("503, 429:retry-after=0, 425, 204:times=forever");
            let (client, _folder, _) = both(&sandbox.base_url(), &[]).remove(kind);
            client.enqueue(&anonymous(SESSION), payment).unwrap();
            assert!(client.flush(LONG).unwrap());
            let receipt = client.receipt("order-1001").unwrap().unwrap();
            assert_eq!(
                (receipt.status, receipt.attempts),
                (Status::Delivered, 4),
                "{receipt:?}"
            );
            deliver_a_click(&client);
            assert_once(&payments(&sandbox));
        });
    }
    with_each_payment(|payment| {
        let sandbox = scripted("503, 429:retry-after=0, 204:times=forever");
        let client = client(&sandbox.base_url(), &[("timeout_ms", "60000")]);
        let receipt = client.notify(&anonymous(SESSION), payment).unwrap();
        assert_eq!((receipt.status, receipt.attempts), (Status::Delivered, 3));
        assert_once(&payments(&sandbox));
    });
}

/// Asserts that exactly one was processed, and that all had the same bytes.
fn assert_once(sent: &[Received]) {
    let processed = sent.iter().filter(|r| r.status == Some(204));
    assert_eq!(processed.count(), 1, "{sent:?}");
    for other in sent {
        assert_eq!((&other.path, &other.body), (&sent[0].path, &sent[0].body));
    }
}

#[test]
fn payment_is_delivered_once_when_earlier_connections_were_refused() {
    for kind in 0..2 {
        with_each_payment(|payment| {
            let address = unused_address();
            let base_url = format!("http://{address}");
            let (client, _folder, _) = both(&base_url, &[("backoff_ms", "1")]).remove(kind);
            let error = client.notify(&anonymous(SESSION), payment).unwrap_err();
            let receipt = error.receipt().unwrap();
            assert_eq!(
                (receipt.status, receipt.attempts),
                (Status::ConnectFailed, 3),
                "{receipt:?}"
            );
            assert!(!receipt.detail.contains("may have arrived"), "{receipt:?}");

            client.enqueue(&anonymous(SESSION), payment).unwrap();
            until("an attempt has failed", || {
                counted(&client).gate_failures > 1
            });
            let sandbox = at(address);
            assert!(client.flush(LONG).unwrap());
            deliver_a_click(&client);
            assert_once(&payments(&sandbox));
            assert_eq!(payments(&sandbox).len(), 1);
        });
    }
}

/// An address without a listener: a sandbox has just closed it.
fn unused_address() -> SocketAddr {
    let sandbox = sandbox();
    let base_url = sandbox.base_url();
    base_url.strip_prefix("http://").unwrap().parse().unwrap()
}

fn at(listen: SocketAddr) -> Sandbox {
    let sandbox = Sandbox::start(Options {
        listen,
        ..Options::default()
    })
    .unwrap();
    sandbox.script(Answer::parse_list("204:times=forever").unwrap());
    sandbox
}

#[test]
fn failed_payment_is_queued_and_delivered_once_when_it_was_certainly_not_processed() {
    with_each_payment(|payment| {
        let sandbox = scripted("503:times=3, 204:times=forever");
        let options = [("on_failure", "queue"), ("timeout_ms", "60000")];
        let client = client(&sandbox.base_url(), &options);
        let receipt = client.notify(&anonymous(SESSION), payment).unwrap();
        assert_eq!(receipt.status, Status::Queued, "{receipt:?}");
        assert!(client.flush(LONG).unwrap());
        deliver_a_click(&client);
        assert_once(&payments(&sandbox));
    });
}

#[test]
fn payment_is_repeated_when_payment_repeat_is_always() {
    for kind in 0..2 {
        with_each_payment(|payment| {
            let options = [("payment_repeat", "always"), ("timeout_ms", "60000")];
            let sandbox = scripted("500, close, garbage, 204:times=forever");
            let (client, _folder, _) = both(&sandbox.base_url(), &options).remove(kind);
            client.enqueue(&anonymous(SESSION), payment).unwrap();
            assert!(client.flush(LONG).unwrap());
            let receipt = client.receipt("order-1001").unwrap().unwrap();
            assert_eq!(receipt.status, Status::Delivered, "{receipt:?}");
            assert_eq!(payments(&sandbox).len(), 4);
            assert_once(&payments(&sandbox));

            sandbox.script(Answer::parse_list("500, garbage, 204").unwrap());
            let receipt = client.notify(&anonymous(SESSION), payment).unwrap();
            assert_eq!((receipt.status, receipt.attempts), (Status::Delivered, 3));
        });
    }
}

#[test]
fn click_is_repeated_when_it_may_have_arrived() {
    let sandbox = scripted("500, close, 204");
    let client = client(&sandbox.base_url(), &[("timeout_ms", "60000")]);
    let click = Notification::click("ticket");
    let receipt = client.notify(&anonymous(SESSION), &click).unwrap();
    assert_eq!(receipt.status, Status::Delivered);
    let bodies: Vec<String> = sandbox.received().into_iter().map(|r| r.body).collect();
    assert!(bodies.len() == 3 && bodies.iter().all(|body| *body == bodies[0]));
}

/// Whether the session has one end, and the end arrived last.
fn ends_last(received: &[Received], session: &str) -> bool {
    let of_session = received.iter().filter(|r| r.body.contains(session));
    let paths: Vec<bool> = of_session.map(|r| r.path.ends_with("/end")).collect();
    paths.iter().filter(|is_end| **is_end).count() == 1 && paths.last() == Some(&true)
}

/// Enqueues clicks and a payment of two sessions in turns, and both ends.
fn enqueue_sessions(client: &Client) {
    let lines = [Line::new("P1", 1, "1")];
    for n in 0..6 {
        for session in [SESSION, OTHER_SESSION] {
            let id = format!("{n} of {session}");
            let sent = match n {
                5 => Notification::payment(&lines),
                _ => Notification::click("ticket"),
            };
            client
                .enqueue(&anonymous(session), &sent.with_id(&id))
                .unwrap();
        }
    }
    for session in [SESSION, OTHER_SESSION] {
        client
            .enqueue(&anonymous(session), &Notification::end())
            .unwrap();
    }
}

#[test]
fn queued_end_is_sent_last_when_older_notifications_of_its_session_fail() {
    for script in [
        "503:times=5, 204:times=forever",
        "204:wait=300, 503, 204:wait=100, close, 204:times=forever",
        "403, 500, 204:wait=200:times=3, garbage, 204:times=forever",
        "429:retry-after=1, 204:times=forever",
        "reset:times=2, 204:times=4, 503:retry-after=1, 204:times=forever",
    ] {
        for kind in 0..2 {
            let sandbox = scripted(script);
            let (client, _folder, _) =
                both(&sandbox.base_url(), &[("concurrency", "4")]).remove(kind);
            enqueue_sessions(&client);
            assert!(client.flush(LONG).unwrap());
            let counts = counted(&client).spool;
            assert_eq!(counts.accepted, counts.delivered + counts.dead);
            let received = sandbox.received();
            for session in [SESSION, OTHER_SESSION] {
                assert!(ends_last(&received, session), "{script}: {received:#?}");
            }
        }
    }
}

#[test]
fn queued_end_is_sent_only_when_older_notifications_are_answered() {
    for kind in 0..2 {
        let sandbox = scripted("204:wait=500:times=3, 204:times=forever");
        let (client, _folder, _) = both(&sandbox.base_url(), &[("concurrency", "4")]).remove(kind);
        for _ in 0..3 {
            client
                .enqueue(&anonymous(SESSION), &Notification::click("ticket"))
                .unwrap();
        }
        client
            .enqueue(&anonymous(SESSION), &Notification::end())
            .unwrap();
        assert!(client.flush(LONG).unwrap());
        let received = sandbox.received();
        assert!(ends_last(&received, SESSION), "{received:#?}");
        let waited = received[3].at_unix_ms - received[2].at_unix_ms;
        assert!(waited >= 400, "{waited} ms");
    }
}

#[test]
fn blocking_end_is_sent_after_older_queued_notifications() {
    for kind in 0..2 {
        let sandbox = scripted("503, 204:wait=200:times=3, 204:times=forever");
        let options = [("concurrency", "4"), ("timeout_ms", "60000")];
        let (client, _folder, _) = both(&sandbox.base_url(), &options).remove(kind);
        for _ in 0..4 {
            client
                .enqueue(&anonymous(SESSION), &Notification::click("ticket"))
                .unwrap();
        }
        let receipt = client
            .notify(&anonymous(SESSION), &Notification::end())
            .unwrap();
        assert_eq!((receipt.status, receipt.attempts), (Status::Delivered, 1));
        let received = sandbox.received();
        assert!(
            ends_last(&received, SESSION) && received.len() == 6,
            "{received:#?}"
        );
    }
}

#[test]
fn blocking_end_is_not_sent_when_older_notifications_stay_queued() {
    for kind in 0..2 {
        let sandbox = scripted("503:times=forever");
        let options = [("timeout_ms", "600"), ("concurrency", "4")];
        let (client, _folder, _) = both(&sandbox.base_url(), &options).remove(kind);
        client
            .enqueue(&anonymous(SESSION), &Notification::click("ticket"))
            .unwrap();
        let receipt = failed_end(&client);
        assert_eq!((receipt.status, receipt.attempts), (Status::Timeout, 0));
        assert!(receipt.detail.contains("older"), "{receipt:?}");
        let received = sandbox.received();
        assert!(received.iter().all(|r| r.path.ends_with("/click")));
    }
}

fn failed_end(client: &Client) -> Receipt {
    let error = client
        .notify(&anonymous(SESSION), &Notification::end())
        .unwrap_err();
    error.receipt().unwrap().clone()
}

#[test]
fn blocking_end_is_queued_behind_older_notifications_when_on_failure_is_queue() {
    for kind in 0..2 {
        let sandbox = scripted("503:times=forever");
        let options = [
            ("timeout_ms", "600"),
            ("concurrency", "4"),
            ("on_failure", "queue"),
        ];
        let (client, _folder, _) = both(&sandbox.base_url(), &options).remove(kind);
        for _ in 0..3 {
            client
                .enqueue(&anonymous(SESSION), &Notification::click("ticket"))
                .unwrap();
        }
        let receipt = client
            .notify(&anonymous(SESSION), &Notification::end())
            .unwrap();
        assert_eq!((receipt.status, receipt.attempts), (Status::Queued, 0));
        sandbox.script(Answer::parse_list("204:times=forever").unwrap());
        assert!(client.flush(LONG).unwrap());
        let received = sandbox.received();
        assert!(ends_last(&received, SESSION), "{received:#?}");
    }
}
