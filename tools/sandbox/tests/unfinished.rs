//! Unfinished requests: their limits of time and memory.

// Clippy allows these only in `#[test]` functions, not in the functions that they share.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use common::{WAIT_TIMEOUT, connect, exchange, notify, read_reply, start};
use esales_notify_sandbox::{Answer, NOTIFICATION_PATH, Options, Sandbox, TlsIdentity};

const TIMEOUT: Duration = Duration::from_millis(300);

fn impatient() -> Sandbox {
    start(Options {
        request_timeout: TIMEOUT,
        ..Options::default()
    })
}

/// Waits for the end of the connection, whichever way the sandbox ends it.
fn ends(stream: &mut TcpStream) {
    let mut ignored = [0; 4096];
    loop {
        match stream.read(&mut ignored) {
            Ok(0) => return,
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::ConnectionReset => return,
            Err(e) => assert_eq!(e.kind(), ErrorKind::Interrupted),
        }
    }
}

fn head(length: usize) -> String {
    format!(
        "POST {NOTIFICATION_PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
    )
}

#[test]
fn sandbox_closes_the_connection_when_a_head_does_not_end() {
    let sandbox = impatient();
    for part in [
        "P",
        "POST / HTTP/1.1\r\n",
        "POST / HTTP/1.1\r\nHost: localhost\r\n",
    ] {
        let mut stream = connect(&sandbox);
        stream.write_all(part.as_bytes()).unwrap();
        ends(&mut stream);
    }
    assert_eq!(sandbox.stats().received, 0);
}

#[test]
fn sandbox_closes_the_connection_when_a_head_is_too_slow() {
    let sandbox = impatient();
    let mut stream = connect(&sandbox);
    // The read is the pause between two bytes.
    stream
        .set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    for _ in 0..WAIT_TIMEOUT.as_millis() / 20 {
        let written = stream.write_all(b"x");
        let read = stream.read(&mut [0; 16]);
        if written.is_err() || read.is_ok() {
            return;
        }
    }
    unreachable!("a slow head is read for ever");
}

#[test]
fn sandbox_answers_408_when_a_body_does_not_end() {
    let sandbox = impatient();
    for path in [NOTIFICATION_PATH, "/elsewhere", "/sandbox/script"] {
        let method = if path == "/sandbox/script" {
            "PUT"
        } else {
            "POST"
        };
        let mut stream = connect(&sandbox);
        let part = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n204"
        );
        stream.write_all(part.as_bytes()).unwrap();
        let reply = read_reply(&mut stream);
        assert_eq!(reply.status, 408, "{path}");
        assert!(reply.body.contains("300 ms"), "{}", reply.body);
        ends(&mut stream);
    }
    assert_eq!(sandbox.stats().received, 0);
}

#[test]
fn sandbox_ends_the_tls_handshake_when_the_peer_is_silent() {
    let sandbox = start(Options {
        tls: Some(TlsIdentity::Valid),
        request_timeout: TIMEOUT,
        ..Options::default()
    });
    let mut silent = connect(&sandbox);
    ends(&mut silent);
}

#[test]
fn sandbox_keeps_the_connection_open_when_it_is_idle_between_requests() {
    let sandbox = impatient();
    let mut idle = connect(&sandbox);
    assert_eq!(notify(&mut idle).status, 204);
    let mut fresh = connect(&sandbox);
    // Longer than the limit for one request: three unfinished ones, one after the other.
    for _ in 0..3 {
        let mut stream = connect(&sandbox);
        stream.write_all(b"POST").unwrap();
        ends(&mut stream);
    }
    assert_eq!(notify(&mut idle).status, 204);
    assert_eq!(notify(&mut fresh).status, 204);
    assert_eq!(sandbox.stats().connections, 2);
}

#[test]
fn sandbox_answers_503_when_unfinished_bodies_exceed_the_memory_limit() {
    let sandbox = start(Options {
        unfinished_bytes: 512 * 1024,
        request_timeout: Duration::from_secs(10),
        ..Options::default()
    });
    let part = vec![b'x'; 100 * 1024];
    let mut streams: Vec<TcpStream> = (0..20).map(|_| connect(&sandbox)).collect();
    for stream in &mut streams {
        stream.write_all(head(1024 * 1024).as_bytes()).unwrap();
        // The write may fail, because the sandbox does not read a refused request to its end.
        let _ = stream.write_all(&part);
    }
    // At least 14 of the 20 exceed the limit; the others get an answer later, because their rest never came.
    let mut refused = 0;
    for stream in &mut streams {
        let mut start = [0; 12];
        match stream.read_exact(&mut start) {
            Ok(()) if &start == b"HTTP/1.1 408" => {}
            Ok(()) => {
                assert_eq!(&start, b"HTTP/1.1 503");
                refused += 1;
            }
            Err(e) => {
                // Its head exceeded the limit already, or the rest of its body was sent to a closed connection.
                assert!(matches!(
                    e.kind(),
                    ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof
                ));
                refused += 1;
            }
        }
    }
    assert!((14..20).contains(&refused), "{refused} of 20");
    assert_eq!(sandbox.stats().received, 0);
    // When they are gone, there is room again.
    drop(streams);
    let mut again = connect(&sandbox);
    while notify(&mut again).status != 204 {
        again = connect(&sandbox);
    }
}

#[test]
fn sandbox_closes_connections_when_unfinished_heads_exceed_the_memory_limit() {
    let sandbox = start(Options {
        unfinished_bytes: 100 * 1024,
        ..Options::default()
    });
    let part = format!("POST / HTTP/1.1\r\nx: {}", "x".repeat(40 * 1024));
    let mut streams: Vec<TcpStream> = (0..3).map(|_| connect(&sandbox)).collect();
    for stream in &mut streams {
        let _ = stream.write_all(part.as_bytes());
    }
    // The last one exceeds the limit.
    let closed = streams.iter_mut().rev().any(|stream| {
        stream
            .set_read_timeout(Some(Duration::from_secs(2)))
            .unwrap();
        match stream.read(&mut [0; 16]) {
            Ok(n) => n == 0,
            Err(e) => e.kind() == ErrorKind::ConnectionReset,
        }
    });
    assert!(closed, "three heads of 40 KiB fit into 100 KiB");
}

#[test]
fn sandbox_frees_a_body_while_its_answer_is_delayed() {
    let sandbox = start(Options {
        unfinished_bytes: 1536 * 1024,
        ..Options::default()
    });
    sandbox.script(Answer::parse_list("204:wait=3600000:times=5").unwrap());
    let body = format!("{{\"ticket\":\"{}\"}}", "x".repeat(1000 * 1024));
    let streams: Vec<TcpStream> = (1..=5)
        .map(|n| {
            let mut stream = connect(&sandbox);
            stream.write_all(head(body.len()).as_bytes()).unwrap();
            stream.write_all(body.as_bytes()).unwrap();
            assert!(
                sandbox.wait_received(n, WAIT_TIMEOUT),
                "request {n} was refused"
            );
            stream
        })
        .collect();
    assert_eq!(
        sandbox
            .received()
            .iter()
            .filter(|r| r.status == Some(204))
            .count(),
        5
    );
    drop(streams);
}

#[test]
fn sandbox_refuses_a_script_that_is_too_long() {
    assert!(
        Answer::parse_list(&"204,".repeat(9_999)).is_err(),
        "the last one is empty"
    );
    let most = vec!["204"; 10_000].join(",");
    assert_eq!(Answer::parse_list(&most).unwrap().len(), 10_000);
    let sandbox = impatient();
    let mut stream = connect(&sandbox);
    for (script, message_part) in [
        (format!("{most},204"), "10001 answers"),
        (
            format!("204:body={}", "x".repeat(128 * 1024)),
            "bytes long; at most 131072",
        ),
    ] {
        let problem = Answer::parse_list(&script).unwrap_err().to_string();
        assert!(
            problem.contains(message_part) && problem.len() < 300,
            "{problem}"
        );
        let reply = exchange(&mut stream, "PUT", "/sandbox/script", &script);
        assert_eq!(reply.status, 400);
        assert!(reply.body.contains(message_part), "{}", reply.body);
    }
    // The body is far longer than the sandbox reads.
    let reply = exchange(
        &mut stream,
        "PUT",
        "/sandbox/script",
        &"204,".repeat(1_000_000),
    );
    assert_eq!(reply.status, 400);
    assert_eq!(sandbox.stats().script_left, 0);
}
