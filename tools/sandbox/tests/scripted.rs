//! Every scripted answer as the client gets it, byte by byte, over plain TCP.

// Clippy allows these only in `#[test]` functions, not in the functions that they share.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::{
    WAIT_TIMEOUT, connect, exchange, notify, read_all, read_head, read_reply, scripted, send,
};
use esales_notify_sandbox::NOTIFICATION_PATH;

/// The sandbox with this script, and a connection that has sent its request.
fn sent(script: &str) -> (esales_notify_sandbox::Sandbox, TcpStream) {
    let sandbox = scripted(script);
    let mut stream = connect(&sandbox);
    send(&mut stream);
    (sandbox, stream)
}

#[test]
fn script_returns_statuses_in_order_on_one_connection() {
    let sandbox = scripted(
        "503:retry-after=\"Wed, 21 Oct 2015 07:28:00 GMT\":body=busy, \
         307:location=http://other.example/x, 200, 429:times=2",
    );
    let mut stream = connect(&sandbox);
    let reply = notify(&mut stream);
    assert_eq!((reply.status, reply.body.as_str()), (503, "busy"));
    assert_eq!(
        reply.header("retry-after"),
        Some("Wed, 21 Oct 2015 07:28:00 GMT")
    );
    assert_eq!(
        reply.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    let reply = notify(&mut stream);
    assert_eq!(reply.status, 307);
    assert_eq!(reply.header("location"), Some("http://other.example/x"));
    let statuses: Vec<_> = (0..4).map(|_| notify(&mut stream).status).collect();
    assert_eq!(statuses, [200, 429, 429, 204]);
    assert_eq!(sandbox.stats().connections, 1);
    assert_eq!(sandbox.stats().script_left, 0);
}

#[test]
fn script_wait_delays_the_answer() {
    let start = Instant::now();
    let (_sandbox, mut stream) = sent("204:wait=60");
    assert_eq!(read_reply(&mut stream).status, 204);
    assert!(start.elapsed() >= Duration::from_millis(60));
}

#[test]
fn script_wait_delays_a_normal_answer() {
    let start = Instant::now();
    let sandbox = scripted("normal:wait=60:times=2, 503");
    let mut stream = connect(&sandbox);
    assert_eq!(notify(&mut stream).status, 204);
    assert!(start.elapsed() >= Duration::from_millis(60));
    let reply = exchange(&mut stream, "POST", NOTIFICATION_PATH, "{}");
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (400, "Ticket is missing.")
    );
    assert!(start.elapsed() >= Duration::from_millis(120));
    assert_eq!(notify(&mut stream).status, 503);
}

#[test]
fn script_then_close_closes_the_connection_unannounced() {
    let (sandbox, mut stream) = sent("204:then=close");
    let text = String::from_utf8(read_all(&mut stream).unwrap()).unwrap();
    assert!(text.starts_with("HTTP/1.1 204 No Content\r\n"), "{text}");
    assert!(text.contains("connection: keep-alive\r\n"), "{text}");
    assert!(text.ends_with("\r\n\r\n"), "{text}");

    sandbox.script(vec![
        "503:then=close:retry-after=2:body=gone".parse().unwrap(),
    ]);
    let reply = notify(&mut connect(&sandbox));
    assert_eq!((reply.status, reply.body.as_str()), (503, "gone"));
    assert_eq!(reply.header("retry-after"), Some("2"));
    assert_eq!(sandbox.received()[0].answer, "204:then=close");
}

#[test]
fn script_hang_never_answers() {
    let (sandbox, mut stream) = sent("hang");
    assert!(sandbox.wait_received(1, WAIT_TIMEOUT));
    stream
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let error = stream.read(&mut [0]).unwrap_err();
    assert!(matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut
    ));
    assert_eq!(sandbox.received()[0].status, None);
}

#[test]
fn script_close_ends_the_connection_without_a_byte() {
    let (_sandbox, mut stream) = sent("close");
    assert_eq!(read_all(&mut stream).unwrap(), b"");
}

#[test]
fn script_reset_resets_the_connection() {
    let (_sandbox, mut stream) = sent("reset");
    let error = read_all(&mut stream).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn script_drip_sends_a_valid_answer_byte_by_byte() {
    let start = Instant::now();
    let (_sandbox, mut stream) = sent("drip:every=20, drip:every=1:body=hello");
    let mut bytes = Vec::new();
    let (mut reads, mut buffer) = (0, [0; 1024]);
    loop {
        match stream.read(&mut buffer).unwrap() {
            0 => break,
            n => bytes.extend_from_slice(&buffer[..n]),
        }
        reads += 1;
    }
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(text, "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
    // The reader may be slow and read several bytes at once, but not all of them.
    assert!(reads > 1, "one read found everything");
    let least = 20 * u64::try_from(text.len() - 1).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(least));

    let reply = notify(&mut connect(&_sandbox));
    assert_eq!((reply.status, reply.body.as_str()), (200, "hello"));
}

#[test]
fn script_drip_body_sends_the_head_at_once() {
    let (_sandbox, mut stream) = sent("drip-body:every=60000, drip-body:every=1");
    let head = read_head(&mut stream);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("content-length: 1000\r\n"), "{head}");
    let reply = notify(&mut connect(&_sandbox));
    assert_eq!(reply.body.len(), 1000);
}

#[test]
fn script_endless_sends_a_body_or_head_without_end() {
    for (script, first) in [
        ("endless", "HTTP/1.1 200 OK\r\n"),
        ("endless-head", "HTTP/1.1 200 OK\r\nx-sandbox: "),
    ] {
        let (_sandbox, mut stream) = sent(script);
        let mut bytes = vec![0; 4 * 1024 * 1024];
        stream.read_exact(&mut bytes).unwrap();
        assert!(bytes.starts_with(first.as_bytes()));
        let head_ends = bytes.windows(4).any(|window| window == b"\r\n\r\n");
        assert_eq!(head_ends, script == "endless");
    }
}

#[test]
fn script_endless_does_not_block_other_connections() {
    let (sandbox, mut greedy) = sent("endless");
    let reader = std::thread::spawn(move || std::io::copy(&mut greedy, &mut std::io::sink()));
    for _ in 0..100 {
        assert_eq!(notify(&mut connect(&sandbox)).status, 204);
    }
    drop(sandbox);
    let _ = reader.join().unwrap(); // only the end matters
}

#[test]
fn script_garbage_sends_bytes_that_are_not_http() {
    let (_sandbox, mut stream) = sent("garbage");
    let bytes = read_all(&mut stream).unwrap();
    assert!(!bytes.is_empty() && !bytes.starts_with(b"HTTP/"));
}

#[test]
fn script_applies_to_every_post_of_a_notification() {
    let sandbox = scripted("503, 502");
    let mut stream = connect(&sandbox);
    let path = format!("/prefix{}", esales_notify_sandbox::NOTIFICATION_PATH);
    let reply = common::exchange(&mut stream, "POST", &path, "not even JSON");
    assert_eq!(reply.status, 503);
    sandbox.script(vec!["504".parse().unwrap()]);
    let statuses = [notify(&mut stream).status, notify(&mut stream).status];
    assert_eq!(statuses, [504, 204], "a new script replaces what was left");
}

#[test]
fn sandbox_drop_closes_all_connections_at_once() {
    // On a busy machine another process may cause the delay, so the test has five tries.
    let took: Vec<_> = (0..5).map_while(|_| slow_drop()).collect();
    assert!(took.len() < 5, "{took:?}");
}

/// Drops a sandbox with all kinds of open connections; returns how long that took, if it took long.
fn slow_drop() -> Option<Duration> {
    let script = "hang, drip, drip-body, endless, endless-head, 204:wait=3600000";
    let sandbox = scripted(script);
    let mut streams: Vec<TcpStream> = Vec::new();
    let mut idle = connect(&sandbox);
    for n in 1..=6 {
        let mut stream = connect(&sandbox);
        send(&mut stream);
        assert!(sandbox.wait_received(n, WAIT_TIMEOUT));
        streams.push(stream);
    }
    assert_eq!(notify(&mut idle).status, 204);
    streams.push(idle);
    streams.push(connect(&sandbox)); // sends nothing

    let addr = sandbox.addr();
    let start = Instant::now();
    drop(sandbox);
    let took = start.elapsed();
    for stream in &mut streams {
        // Data that was sent before may still arrive; then the connection ends, by close or reset.
        let end = read_all(stream);
        let reset = |kind| matches!(kind, ErrorKind::ConnectionReset);
        assert!(end.as_ref().is_ok() || end.is_err_and(|e| reset(e.kind())));
    }
    assert!(TcpStream::connect(addr).is_err());
    // The port is free again for the next one.
    let again = esales_notify_sandbox::Options {
        listen: addr,
        ..esales_notify_sandbox::Options::default()
    };
    assert_eq!(notify(&mut connect(&common::start(again))).status, 204);
    (took >= Duration::from_secs(1)).then_some(took)
}
