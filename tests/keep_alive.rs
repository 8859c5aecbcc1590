//! Connections are kept, shared and replaced without an error for the caller.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use common::{client, sandbox, scripted, send};
use esales_notify::Status;

#[test]
fn thousand_sends_use_one_connection() {
    let sandbox = sandbox();
    let client = client(&sandbox.base_url(), &[]);
    for _ in 0..1000 {
        send(&client).unwrap();
    }
    assert_eq!(
        (sandbox.stats().connections, sandbox.stats().received),
        (1, 1000)
    );
}

#[test]
fn consecutive_clients_share_one_connection() {
    let sandbox = sandbox();
    for timeout in ["1000", "2000", "2000"] {
        // Clients with different budgets share connections.
        send(&client(&sandbox.base_url(), &[("timeout_ms", timeout)])).unwrap();
    }
    assert_eq!(sandbox.stats().connections, 1);
}

#[test]
fn connection_is_kept_when_the_answer_has_a_body() {
    let sandbox = scripted("500:body=\"the cluster is busy\", 204");
    let receipt = send(&client(&sandbox.base_url(), &[("backoff_ms", "0")])).unwrap();
    assert_eq!(receipt.attempts, 2);
    assert_eq!(sandbox.stats().connections, 1);
}

/// The limit of the body is 64 KiB: more cannot be told from a full 64 KiB, so both cost the connection.
#[test]
fn connection_is_kept_when_the_body_is_within_the_limit() {
    for (length, connections) in [(65_535, 1), (65_536, 2)] {
        let sandbox = scripted(&format!("200:body={}, 204", "x".repeat(length)));
        let client = client(&sandbox.base_url(), &[("timeout_ms", "20000")]);
        let first = send(&client).unwrap();
        assert_eq!(
            first.detail.contains("did not end"),
            connections == 2,
            "{length}: {first:?}"
        );
        send(&client).unwrap();
        assert_eq!(sandbox.stats().connections, connections, "{length} bytes");
    }
}

#[test]
fn send_uses_a_new_connection_without_an_attempt_when_the_idle_one_was_closed() {
    let sandbox = sandbox();
    let client = client(&sandbox.base_url(), &[("max_attempts", "1")]);
    for round in 1..=20 {
        let receipt = send(&client).unwrap();
        assert_eq!((receipt.status, receipt.attempts), (Status::Delivered, 1));
        assert_eq!(sandbox.stats().connections, round);
        sandbox.close_idle_connections();
    }
}

/// A close that the check before sending cannot see: the server reads the request on the kept connection and closes
/// without a byte.
#[test]
fn send_repeats_once_when_a_kept_connection_breaks() {
    let sandbox = scripted("204, close, 204");
    let client = client(&sandbox.base_url(), &[("max_attempts", "1")]);
    send(&client).unwrap();
    let receipt = send(&client).unwrap();
    assert_eq!((receipt.status, receipt.attempts), (Status::Delivered, 1));
    assert_eq!(sandbox.stats().connections, 2);
    let ids: Vec<_> = sandbox
        .received()
        .iter()
        .map(|r| r.notification.clone().unwrap().id)
        .collect();
    assert_eq!(ids[1], ids[2]);
}

#[test]
fn attempt_fails_when_a_new_connection_breaks() {
    let sandbox = scripted("close, 204");
    let client = client(&sandbox.base_url(), &[("max_attempts", "1")]);
    assert_eq!(send(&client).unwrap_err().status(), Status::ConnectionLost);
    assert_eq!(sandbox.stats().received, 1);
}

/// A server that closes every kept connection after a request must not get the same bytes again and again: after one
/// such connection the client uses no other kept connection.
#[test]
fn request_is_repeated_only_once_on_a_new_connection() {
    let sandbox = scripted("204:wait=300:times=4, close:times=5, 204");
    let client = client(
        &sandbox.base_url(),
        &[("max_attempts", "1"), ("timeout_ms", "20000")],
    );
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| send(&client).unwrap());
        }
    });
    assert_eq!(sandbox.stats().connections, 4);
    assert_eq!(send(&client).unwrap_err().status(), Status::ConnectionLost);
    assert_eq!(
        (sandbox.stats().received, sandbox.stats().connections),
        (6, 5)
    );
}

/// Answers 204 and then sends a body that a 204 must not have, as some gateways do by mistake. Reports each
/// connection, and when the stray bytes are sent.
fn stray() -> (String, Receiver<&'static str>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let (report, reports) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, report) = (stream.unwrap(), report.clone());
            report.send("connection").unwrap();
            thread::spawn(move || {
                stream.set_nodelay(true).unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                loop {
                    let mut length = 0;
                    loop {
                        let mut line = String::new();
                        if reader.read_line(&mut line).unwrap_or(0) == 0 {
                            return;
                        }
                        if let Some(n) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                            length = n.trim().parse().unwrap();
                        }
                        if line == "\r\n" {
                            break;
                        }
                    }
                    reader.read_exact(&mut vec![0; length]).unwrap();
                    stream
                        .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
                        .unwrap();
                    // Late enough that they are not read together with the answer.
                    thread::yield_now();
                    if stream.write_all(b"{}").is_err() {
                        return;
                    }
                    report.send("stray").unwrap();
                }
            });
        }
    });
    (base_url, reports)
}

/// Bytes on a kept connection before the request are not the answer to the request.
#[test]
fn connection_is_closed_when_stray_bytes_follow_an_answer() {
    let (base_url, reports) = stray();
    let client = client(&base_url, &[("max_attempts", "1")]);
    for _ in 0..20 {
        assert_eq!(
            reports.try_recv(),
            Err(std::sync::mpsc::TryRecvError::Empty)
        );
        assert_eq!(send(&client).unwrap().status, Status::Delivered);
        assert_eq!(reports.recv().unwrap(), "connection");
        assert_eq!(reports.recv().unwrap(), "stray");
    }
}

#[test]
fn sixteen_threads_can_share_one_client() {
    let sandbox = sandbox();
    let client = client(&sandbox.base_url(), &[("timeout_ms", "20000")]);
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..50 {
                    send(&client).unwrap();
                }
            });
        }
    });
    assert_eq!(sandbox.stats().received, 800);
    assert!(sandbox.stats().connections <= 16, "{:?}", sandbox.stats());
}

#[test]
fn connection_is_closed_after_each_call_when_keep_alive_s_is_0() {
    let sandbox = sandbox();
    let client = client(&sandbox.base_url(), &[("keep_alive_s", "0")]);
    for _ in 0..3 {
        send(&client).unwrap();
    }
    assert_eq!(sandbox.stats().connections, 3);
}

#[test]
fn busy_connection_is_replaced_when_it_is_older_than_keep_alive_s() {
    let sandbox = sandbox();
    let client = client(&sandbox.base_url(), &[("keep_alive_s", "1")]);
    let start = Instant::now();
    while sandbox.stats().connections < 3 {
        assert_eq!(send(&client).unwrap().attempts, 1);
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "one connection lives for ever"
        );
    }
    assert!(start.elapsed() >= Duration::from_secs(2));
}

/// The server of the pooled connections has disappeared without closing them, so requests on them are never answered.
#[test]
fn dead_kept_connections_are_all_replaced_by_one_call() {
    let sandbox = scripted("204:wait=300:times=4, hang, 204");
    let patient = client(&sandbox.base_url(), &[("timeout_ms", "20000")]);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| send(&patient).unwrap());
        }
    });
    let kept = sandbox.stats().connections;
    let hurried = client(&sandbox.base_url(), &[("timeout_ms", "200")]);
    assert_eq!(send(&hurried).unwrap_err().status(), Status::Timeout);
    assert_eq!(sandbox.stats().connections, kept);
    send(&patient).unwrap();
    assert_eq!(sandbox.stats().connections, kept + 1);
}
