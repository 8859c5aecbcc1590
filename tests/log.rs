//! The log callback is the host's: it may use the library at any moment, and its errors do not reach the library.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use common::{Folder, SESSION, client, sandbox, scripted, visitor};
use esales_notify::{Client, LogLevel, Status, Visitor, customer_key, log_to};

const LONG: Duration = Duration::from_secs(20);

/// The log belongs to the process, so these tests run one after the other.
fn alone() -> MutexGuard<'static, ()> {
    static LOG: Mutex<()> = Mutex::new(());
    LOG.lock().unwrap_or_else(PoisonError::into_inner)
}

fn enqueue(client: &Client, id: &str) -> Status {
    match client.enqueue_add_to_cart(&visitor(), "ticket", Some(id)) {
        Ok(receipt) => receipt.status,
        Err(e) => e.status(),
    }
}

/// The logged messages, each with the status of the callback's own enqueue.
type Messages = Vec<(String, Status)>;

/// Enqueues with a callback that enqueues and reads the statistics. Returns the status and the messages.
fn enqueue_with_a_busy_log(client: &Arc<Client>) -> (Status, Messages) {
    let messages = Arc::new(Mutex::new(Messages::new()));
    log_to(LogLevel::Debug, {
        let (client, messages) = (Arc::clone(client), Arc::clone(&messages));
        Some(Box::new(move |_, message| {
            let status = enqueue(&client, "from the log");
            assert_eq!(client.stats().is_ok(), status == Status::Queued);
            messages.lock().unwrap().push((message.to_owned(), status));
        }))
    });
    let (tx, rx) = mpsc::channel();
    let client = Arc::clone(client);
    thread::spawn(move || tx.send(enqueue(&client, "1")).unwrap());
    let status = rx.recv_timeout(LONG).expect("it hangs");
    log_to(LogLevel::Error, None);
    let messages = std::mem::take(&mut *messages.lock().unwrap());
    (status, messages)
}

/// A client whose queue no process delivers.
fn waiting(path: &str) -> Arc<Client> {
    let options = [("spool", path), ("delivery", "none")];
    Arc::new(client("http://127.0.0.1:9", &options))
}

#[test]
fn log_callback_can_use_a_spool_that_was_deleted() {
    let _alone = alone();
    let folder = Folder::new();
    let path = folder.path("spool");
    let client = waiting(&path);
    assert_eq!(enqueue(&client, "0"), Status::Queued);
    std::fs::remove_dir_all(&path).unwrap();
    // The library notices it when the statistics are read, or at the latest when a later enqueue checks.
    let messages = loop {
        let (status, messages) = enqueue_with_a_busy_log(&client);
        assert_eq!(status, Status::Queued);
        if !messages.is_empty() {
            break messages;
        }
    };
    let is_reported = |(message, _): &(String, Status)| {
        message.contains("was deleted or moved while it was in use")
    };
    assert!(messages.iter().any(is_reported), "{messages:?}");
    assert!(
        messages.iter().all(|(_, s)| *s == Status::Queued),
        "{messages:?}"
    );
    let stats = client.stats().unwrap();
    assert!(stats.spool.is_balanced());
    assert!(stats.spool.pending > messages.len() as u64, "{stats:?}");
}

#[test]
fn log_callback_can_use_a_spool_that_was_damaged() {
    let _alone = alone();
    let folder = Folder::new();
    let path = folder.path("spool");
    std::fs::create_dir(&path).unwrap();
    std::fs::write(folder.path("spool/segment-0000000001.log"), [7; 8192]).unwrap();
    let client = waiting(&path);
    let (status, messages) = enqueue_with_a_busy_log(&client);
    assert_eq!(status, Status::Queued);
    let is_reported =
        |(message, _): &(String, Status)| message.contains("FORMAT") && message.contains("damaged");
    assert!(messages.iter().any(is_reported), "{messages:?}");
    assert!(
        messages.iter().all(|(_, s)| *s == Status::Queued),
        "{messages:?}"
    );
    let pending = client.stats().unwrap().spool.pending;
    assert_eq!(pending, 1 + messages.len() as u64);
}

#[test]
fn log_callback_is_not_called_for_failures_of_its_own_calls() {
    let _alone = alone();
    let folder = Folder::new();
    let path = folder.path("spool");
    // A folder of another program.
    std::fs::create_dir(&path).unwrap();
    std::fs::write(folder.path("spool/letters.txt"), "Dear customer").unwrap();
    let client = waiting(&path);
    let (status, messages) = enqueue_with_a_busy_log(&client);
    assert_eq!(status, Status::SpoolFailed);
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert!(messages[0].0.contains("1 was not accepted"), "{messages:?}");
    assert_eq!(messages[0].1, Status::SpoolFailed);
}

#[test]
fn panic_of_a_log_callback_does_not_reach_the_caller() {
    let _alone = alone();
    let sandbox = sandbox();
    let client = client(&sandbox.base_url(), &[]);
    let (tx, rx) = mpsc::channel();
    let tx = Mutex::new(tx);
    log_to(
        LogLevel::Debug,
        Some(Box::new(move |_, _| {
            tx.lock().unwrap().send(()).unwrap();
            panic!("the host's defect");
        })),
    );
    for id in ["1", "2"] {
        client
            .notify_add_to_cart(&visitor(), "ticket", Some(id))
            .unwrap();
        rx.recv_timeout(LONG).unwrap();
    }
    log_to(LogLevel::Error, None);
}

#[test]
fn log_shows_no_secret_when_the_service_repeats_it() {
    let _alone = alone();
    let (key, token) = (customer_key("log").unwrap(), "t0ken-that-must-not-be-seen");
    let messages = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&messages);
    log_to(
        LogLevel::Debug,
        Some(Box::new(move |level, message| {
            log.lock().unwrap().push((level, message.to_owned()));
        })),
    );
    // A server that repeats the request in its answer.
    let sandbox = scripted(&format!("503:body=\"{key} {token}\", 403:body=\"{token}\""));
    let client = client(&sandbox.base_url(), &[("gate_min_ms", "10")]);
    let visitor = Visitor::signed_in(&key, SESSION, token).in_market("UK");
    client
        .enqueue_add_to_cart(&visitor, "ticket-in-the-log", Some("logged"))
        .unwrap();
    assert!(client.flush(LONG).unwrap());
    log_to(LogLevel::Error, None);
    let messages = messages.lock().unwrap();
    let message: Vec<&str> = messages
        .iter()
        .map(|(_, message)| message.as_str())
        .collect();
    let all = message.join("\n");
    assert!(
        all.contains("logged is a dead letter: ESALES_FORBIDDEN"),
        "{all}"
    );
    assert!(
        all.contains("are failing") && all.contains("getting through"),
        "{all}"
    );
    for secret in [&*key, token, "ticket-in-the-log", SESSION] {
        assert!(!all.contains(secret), "{all}");
    }
}
