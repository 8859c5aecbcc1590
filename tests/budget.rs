//! A call returns within its budget with any fault of the network, and its message names the cause. (A resolver that
//! never answers needs a network namespace: tests/net.)
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use common::{Timing, client, in_time, refused, scripted, send};
use esales_notify::{Client, Receipt, Status};
use socket2::{Domain, Socket, Type};

/// Shorter than the wait for the body of an answer (1 s), so that the budget ends everything.
const BUDGET: Duration = Duration::from_millis(800);
/// The time that a call may take beyond the budget.
const GRACE: Duration = Duration::from_millis(100);

fn hurried(base_url: &str) -> Client {
    client(base_url, &[("timeout_ms", "800"), ("backoff_ms", "0")])
}

fn within_budget(receipt: &Receipt, case: &str) -> Vec<Timing> {
    vec![(
        format!("{case}: {receipt:?}"),
        receipt.elapsed,
        BUDGET + GRACE,
    )]
}

#[test]
fn call_returns_within_timeout_ms_when_the_service_hangs_or_drips() {
    for (answer, status, message_part) in [
        ("hang", Status::Timeout, "waiting for the answer"),
        ("204:wait=60000", Status::Timeout, "waiting for the answer"),
        ("drip:every=100", Status::Timeout, "reading the answer"),
        (
            "503:wait=500:times=3",
            Status::Timeout,
            "waiting for the answer",
        ),
    ] {
        in_time(|| {
            let sandbox = scripted(answer);
            let receipt = refused(&hurried(&sandbox.base_url()));
            assert_eq!(receipt.status, status, "{answer}: {receipt:?}");
            assert!(
                receipt.detail.contains(message_part),
                "{answer}: {receipt:?}"
            );
            within_budget(&receipt, answer)
        });
    }
}

#[test]
fn receipt_has_the_result_of_the_last_attempt_when_the_call_times_out() {
    in_time(|| {
        let sandbox = scripted("503, hang");
        let receipt = refused(&hurried(&sandbox.base_url()));
        assert_eq!(
            (receipt.status, receipt.http_status, receipt.attempts),
            (Status::Timeout, None, 2)
        );
        within_budget(&receipt, "503, hang")
    });
}

#[test]
fn answer_is_delivered_by_its_status_line_when_its_body_does_not_end() {
    for answer in ["endless", "drip-body:every=100"] {
        in_time(|| {
            let sandbox = scripted(answer);
            let receipt = send(&hurried(&sandbox.base_url())).unwrap();
            assert_eq!(
                (receipt.status, receipt.attempts),
                (Status::Delivered, 1),
                "{answer}"
            );
            assert!(
                receipt.detail.contains("did not end"),
                "{answer}: {receipt:?}"
            );
            within_budget(&receipt, answer)
        });
    }
}

#[test]
fn answer_is_delivered_by_its_status_line_when_its_head_does_not_end() {
    in_time(|| {
        let sandbox = scripted("endless-head");
        let receipt = send(&hurried(&sandbox.base_url())).unwrap();
        assert_eq!(
            (receipt.status, receipt.attempts),
            (Status::Delivered, 1),
            "{receipt:?}"
        );
        within_budget(&receipt, "endless-head")
    });
}

#[test]
fn call_waits_for_a_dripping_body_for_a_second_only() {
    in_time(|| {
        let sandbox = scripted("drip-body:every=1000");
        let client = client(&sandbox.base_url(), &[("timeout_ms", "30000")]);
        let receipt = send(&client).unwrap();
        vec![(
            format!("{receipt:?}"),
            receipt.elapsed,
            Duration::from_secs(10),
        )]
    });
}

/// A listener whose backlog is full: the kernel drops further SYNs, and connect never completes.
fn full_backlog() -> (Socket, SocketAddr, Vec<Socket>) {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    listener.listen(0).unwrap();
    let addr = listener.local_addr().unwrap().as_socket().unwrap();
    let mut waiting = Vec::new();
    loop {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let full = socket
            .connect_timeout(&addr.into(), Duration::from_secs(1))
            .is_err();
        waiting.push(socket);
        if full {
            return (listener, addr, waiting);
        }
        assert!(waiting.len() < 64, "the backlog does not fill");
    }
}

#[test]
fn call_returns_within_timeout_ms_when_connect_does_not_complete() {
    in_time(|| {
        let (_listener, addr, _waiting) = full_backlog();
        let receipt = refused(&hurried(&format!("http://{addr}")));
        assert_eq!(
            (receipt.status, receipt.attempts),
            (Status::Timeout, 1),
            "{receipt:?}"
        );
        assert!(receipt.detail.contains("connecting"), "{receipt:?}");
        within_budget(&receipt, "full backlog")
    });
}

#[test]
fn call_returns_within_timeout_ms_when_the_tls_handshake_hangs() {
    in_time(|| {
        // Accepts, and then neither reads nor writes.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("https://{}", listener.local_addr().unwrap());
        let receipt = refused(&hurried(&base_url));
        assert_eq!(receipt.status, Status::Timeout, "{receipt:?}");
        assert!(receipt.detail.contains("setting up TLS"), "{receipt:?}");
        within_budget(&receipt, "TLS")
    });
}

#[test]
fn call_returns_within_timeout_ms_when_the_proxy_drips() {
    in_time(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = format!("http://{}", listener.local_addr().unwrap());
        let dripping = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = [0; 1024];
            assert!(stream.read(&mut head).unwrap() > 0);
            drip(stream)
        });
        let client = client(
            "http://127.0.0.1:9",
            &[
                ("timeout_ms", "800"),
                ("max_attempts", "1"),
                ("proxy", &proxy),
            ],
        );
        let receipt = refused(&client);
        assert_eq!(receipt.status, Status::Timeout, "{receipt:?}");
        assert!(dripping.join().unwrap() > 1, "the proxy did not drip");
        within_budget(&receipt, "proxy")
    });
}

/// Writes a byte at intervals until the client closes; returns the number of bytes.
fn drip(mut stream: TcpStream) -> usize {
    stream
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let head = b"HTTP/1.1 200 OK\r\nX: "
        .iter()
        .chain(std::iter::repeat(&b'x'));
    let mut sent = 0;
    for byte in head {
        let gone = matches!(stream.read(&mut [0]), Ok(0));
        if gone || stream.write_all(&[*byte]).is_err() {
            break;
        }
        sent += 1;
    }
    sent
}
