//! The stream of events and its protection, over a real socket.

// Clippy allows these only in `#[test]` functions, not in the functions that they share.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use common::{connect, exchange, notify, read_head, scripted, start};
use esales_notify_sandbox::{NOTIFICATION_PATH, Options, Sandbox};
use serde_json::Value;

/// One event of the stream.
#[derive(Debug)]
struct Event {
    name: String,
    id: String,
    data: Value,
}

/// A reader of the stream, like the page.
struct Listener(BufReader<TcpStream>);

impl Listener {
    /// `after`: the query string, and lines of the head.
    fn open(sandbox: &Sandbox, query: &str, headers: &str) -> Listener {
        let mut stream = connect(sandbox);
        let request =
            format!("GET /sandbox/events{query} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let head = read_head(&mut stream);
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.contains("content-type: text/event-stream"), "{head}");
        Listener(BufReader::new(stream))
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end_matches(['\r', '\n']).to_owned()
    }

    /// The next event, without the frames of its chunks.
    fn next(&mut self) -> Event {
        let (mut name, mut id, mut data) = Default::default();
        loop {
            let size = usize::from_str_radix(&self.line(), 16).unwrap();
            let mut chunk = vec![0; size];
            self.0.read_exact(&mut chunk).unwrap();
            assert_eq!(self.line(), "");
            let text = String::from_utf8(chunk).unwrap();
            assert!(text.ends_with("\n\n"), "one event is one chunk: {text}");
            for line in text.lines().filter(|line| !line.is_empty()) {
                let (field, value) = line.split_once(": ").unwrap_or((line, ""));
                match field {
                    "event" => name = value.to_owned(),
                    "id" => id = value.to_owned(),
                    "data" => data = value.to_owned(),
                    other => panic!("{other}"),
                }
            }
            if name != "alive" {
                let data = serde_json::from_str(&data).unwrap();
                return Event { name, id, data };
            }
        }
    }

    /// Reads until the record with this number, and returns the numbers, and the id of the last event.
    fn until(&mut self, seq: u64) -> (Vec<u64>, String) {
        let mut seen = Vec::new();
        loop {
            let event = self.next();
            if event.name == "received" {
                let records = event.data.as_array().unwrap();
                seen.extend(records.iter().map(|r| r["seq"].as_u64().unwrap()));
            }
            if seen.last() == Some(&seq) {
                return (seen, event.id);
            }
        }
    }
}

#[test]
fn event_stream_begins_with_the_state_and_continues_with_arrivals() {
    let sandbox = scripted("503:times=2, close:times=forever");
    let mut listener = Listener::open(&sandbox, "", "");
    let state = listener.next();
    assert_eq!(state.name, "state");
    let script = serde_json::json!(["503:times=2", "close:times=forever"]);
    assert_eq!(state.data["script"], script);
    assert_eq!(state.data["script_left"], Value::Null, "without end");
    assert_eq!(state.data["private_key"], false);
    notify(&mut connect(&sandbox));
    let (one, other) = (listener.next(), listener.next());
    assert_eq!(
        (one.name.as_str(), other.name.as_str()),
        ("state", "received")
    );
    assert_eq!(one.data["script"][0], "503");
    assert_eq!(other.data[0]["seq"], 1);
    assert_eq!(other.data[0]["answer"], "503");
    assert_eq!(other.data[0]["scripted"], true);
    sandbox.clear();
    let cleared = listener.next();
    assert_eq!(cleared.data["era"], 1);
    assert_eq!(cleared.data["run"], state.data["run"]);
    notify(&mut connect(&sandbox));
    assert_eq!(listener.until(1).0, [1], "counted from one again");
}

#[test]
fn event_stream_resumes_after_the_last_event_id() {
    let sandbox = scripted("");
    let mut stream = connect(&sandbox);
    let mut listener = Listener::open(&sandbox, "", "");
    for _ in 0..3 {
        notify(&mut stream);
    }
    let (_, last) = listener.until(3);
    drop(listener);
    for _ in 0..3 {
        notify(&mut stream);
    }
    let query = format!("?after={last}");
    let header = format!("Last-Event-ID: {last}\r\n");
    for (query, headers, expected) in [
        (query.as_str(), "", vec![4, 5, 6]),
        ("", header.as_str(), vec![4, 5, 6]),
        // The header of the browser is newer than the address.
        ("?after=0-0-0", header.as_str(), vec![4, 5, 6]),
        // An invalid position, or a position in another sandbox, is ignored.
        ("?after=nonsense", "", vec![1, 2, 3, 4, 5, 6]),
        ("?after=1-0-5", "", vec![1, 2, 3, 4, 5, 6]),
        ("?before=", "", vec![1, 2, 3, 4, 5, 6]),
    ] {
        let mut again = Listener::open(&sandbox, query, headers);
        assert_eq!(again.until(6).0, expected, "{query} {headers}");
    }
    sandbox.clear();
    notify(&mut stream);
    let mut again = Listener::open(&sandbox, &query, "");
    assert_eq!(
        again.until(1).0,
        [1],
        "an earlier era's number is no number"
    );
}

#[test]
fn event_stream_misses_only_discarded_records_when_its_reader_is_slow() {
    let sandbox = start(Options {
        remember: 400,
        remember_bytes: usize::MAX,
        ..Options::default()
    });
    let mut slow = Listener::open(&sandbox, "", "");
    let body = format!(r#"{{"ticket":"{}"}}"#, "x".repeat(100_000));
    let mut stream = connect(&sandbox);
    // More than the buffers of a connection hold, so that the stream must wait for its reader.
    for _ in 0..300 {
        exchange(&mut stream, "POST", NOTIFICATION_PATH, &body);
    }
    assert_eq!(slow.until(300).0, (1..=300).collect::<Vec<_>>());
    for _ in 0..700 {
        exchange(&mut stream, "POST", NOTIFICATION_PATH, &body);
    }
    let (seen, _) = slow.until(1000);
    assert!(seen.is_sorted_by(|a, b| a < b), "nothing twice: {seen:?}");
    assert!(seen.ends_with(&(601..=1000).collect::<Vec<_>>()));
}

#[test]
fn event_stream_is_not_counted_as_a_request_or_idle_connection() {
    let sandbox = scripted("");
    let mut listener = Listener::open(&sandbox, "", "");
    assert_eq!(listener.next().name, "state");
    assert_eq!(sandbox.stats().received, 0);
    assert_eq!(sandbox.close_idle_connections(), 0);
    notify(&mut connect(&sandbox));
    assert_eq!(listener.until(1).0, [1], "it is still open");
}

#[test]
fn guard_refuses_foreign_page_requests_and_accepts_misdirected_notifications() {
    let sandbox = scripted("");
    let reply = exchange(&mut connect(&sandbox), "GET", "/", "");
    assert_eq!(reply.status, 200);
    assert!(
        reply
            .head
            .contains("content-security-policy: default-src 'none'")
    );
    assert_eq!(sandbox.stats().received, 0);
    let mut stream = connect(&sandbox);
    let request = "POST / HTTP/1.1\r\nHost: shop.example\r\nOrigin: https://shop.example\r\n\
                   Content-Length: 0\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    assert_eq!(common::read_reply(&mut stream).status, 404);
    assert_eq!(sandbox.received()[0].path, "/");
    for path in [
        "/",
        "/favicon.ico",
        "/sandbox/received",
        "/sandbox/inspector/main.js",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: shop.example\r\n\r\n");
        let mut stream = connect(&sandbox);
        stream.write_all(request.as_bytes()).unwrap();
        assert_eq!(common::read_reply(&mut stream).status, 403, "{path}");
    }
}
