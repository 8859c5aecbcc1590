//! The log's callback is the host's: it may use the library whatever the library was doing, and what goes wrong in it
//! stays there.
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

/// The log is the process's.
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

/// What was said, and what the callback's own enqueue brought.
type Said = Vec<(String, Status)>;

/// Enqueues with a callback that enqueues and asks for the numbers; the result, and what was said.
fn enqueue_with_a_busy_log(client: &Arc<Client>) -> (Status, Said) {
    let said = Arc::new(Mutex::new(Said::new()));
    log_to(LogLevel::Debug, {
        let (client, said) = (Arc::clone(client), Arc::clone(&said));
        Some(Box::new(move |_, words| {
            let status = enqueue(&client, "from the log");
            assert_eq!(client.stats().is_ok(), status == Status::Queued);
            said.lock().unwrap().push((words.to_owned(), status));
        }))
    });
    let (tx, rx) = mpsc::channel();
    let client = Arc::clone(client);
    thread::spawn(move || tx.send(enqueue(&client, "1")).unwrap());
    let status = rx.recv_timeout(LONG).expect("it hangs");
    log_to(LogLevel::Error, None);
    let said = std::mem::take(&mut *said.lock().unwrap());
    (status, said)
}

/// Nobody delivers.
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
    // It is noticed when the numbers are asked for, or at the latest by the next enqueue that looks.
    let said = loop {
        let (status, said) = enqueue_with_a_busy_log(&client);
        assert_eq!(status, Status::Queued);
        if !said.is_empty() {
            break said;
        }
    };
    let is_reported = |(message, _): &(String, Status)| {
        message.contains("was deleted or moved while it was in use")
    };
    assert!(said.iter().any(is_reported), "{said:?}");
    assert!(said.iter().all(|(_, s)| *s == Status::Queued), "{said:?}");
    let stats = client.stats().unwrap();
    assert!(stats.spool.is_balanced());
    assert!(stats.spool.pending > said.len() as u64, "{stats:?}");
}

#[test]
fn log_callback_can_use_a_spool_that_was_damaged() {
    let _alone = alone();
    let folder = Folder::new();
    let path = folder.path("spool");
    std::fs::create_dir(&path).unwrap();
    std::fs::write(folder.path("spool/segment-0000000001.log"), [7; 8192]).unwrap();
    let client = waiting(&path);
    let (status, said) = enqueue_with_a_busy_log(&client);
    assert_eq!(status, Status::Queued);
    let is_reported =
        |(message, _): &(String, Status)| message.contains("FORMAT") && message.contains("damaged");
    assert!(said.iter().any(is_reported), "{said:?}");
    assert!(said.iter().all(|(_, s)| *s == Status::Queued), "{said:?}");
    let pending = client.stats().unwrap().spool.pending;
    assert_eq!(pending, 1 + said.len() as u64);
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
    let (status, said) = enqueue_with_a_busy_log(&client);
    assert_eq!(status, Status::SpoolFailed);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].0.contains("1 was not accepted"), "{said:?}");
    assert_eq!(said[0].1, Status::SpoolFailed);
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
    let said = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&said);
    log_to(
        LogLevel::Debug,
        Some(Box::new(move |level, words| {
            log.lock().unwrap().push((level, words.to_owned()));
        })),
    );
    // A server that repeats what it was sent.
    let sandbox = scripted(&format!("503:body=\"{key} {token}\", 403:body=\"{token}\""));
    let client = client(&sandbox.base_url(), &[("gate_min_ms", "10")]);
    let visitor = Visitor::signed_in(&key, SESSION, token).in_market("UK");
    client
        .enqueue_add_to_cart(&visitor, "ticket-in-the-log", Some("logged"))
        .unwrap();
    assert!(client.flush(LONG).unwrap());
    log_to(LogLevel::Error, None);
    let said = said.lock().unwrap();
    let words: Vec<&str> = said.iter().map(|(_, words)| words.as_str()).collect();
    let all = words.join("\n");
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
