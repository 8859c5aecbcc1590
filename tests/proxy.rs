//! Requests through an HTTP proxy, and requests that bypass it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::io::{BufRead, BufReader, Read, Write, copy};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use common::{client, refused, sandbox, send};
use esales_notify::{Client, Config, Status};

fn is_opened_by(answer: &str) -> bool {
    answer.starts_with('2') || answer.contains("HTTP/1.1 2")
}

/// A CONNECT proxy on loopback that reports the head of each request.
fn proxy(answer: &'static str) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let (heads, seen) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
            let target = head.split(' ').nth(1).unwrap().to_owned();
            // The test may have dropped the receiver.
            let _ = heads.send(head);
            write!(stream, "HTTP/1.1 {answer}\r\n\r\n").unwrap();
            if is_opened_by(answer) {
                let mut up = TcpStream::connect(target).unwrap();
                let mut down = up.try_clone().unwrap();
                thread::spawn(move || copy(&mut reader, &mut up));
                thread::spawn(move || copy(&mut down, &mut stream));
            }
        }
    });
    (addr.to_string(), seen)
}

#[test]
fn proxy_option_is_used_with_its_credentials() {
    let sandbox = sandbox();
    let (addr, seen) = proxy("200 OK");
    let url = format!("http://user:pass@{addr}");
    let client = client(
        &sandbox.base_url(),
        &[("proxy", &url), ("no_proxy", "other.example")],
    );
    for _ in 0..3 {
        assert_eq!(send(&client).unwrap().status, Status::Delivered);
    }
    let head = seen.recv().unwrap();
    assert!(
        head.starts_with(&format!("CONNECT {} ", sandbox.addr())),
        "{head}"
    );
    assert!(head.contains("Basic dXNlcjpwYXNz"), "{head}");
    assert!(seen.try_recv().is_err(), "the tunnel was not kept");
}

#[test]
fn proxy_tunnel_opens_when_the_answer_is_any_2xx() {
    let many: String = (0..150).map(|n| format!("\r\nX-{n}: y")).collect();
    let many: &'static str = format!("200 OK{many}").leak();
    for answer in [
        "200",
        "201 Created",
        "204 No Content",
        "299 -",
        "200 OK\r\nContent-Length: 5",
        "200 OK\r\nTransfer-Encoding: chunked",
        "103 Early Hints\r\nX: y\r\n\r\nHTTP/1.1 200 OK",
        "100 Continue\r\n\r\nHTTP/1.1 102 -\r\n\r\nHTTP/1.1 201 OK",
        many,
    ] {
        let sandbox = sandbox();
        let url = format!("http://{}", proxy(answer).0);
        let client = client(&sandbox.base_url(), &[("proxy", &url)]);
        let receipt = send(&client).unwrap_or_else(|e| panic!("{answer}: {e}"));
        assert_eq!(
            (receipt.http_status, receipt.attempts),
            (Some(204), 1),
            "{answer}"
        );
    }
}

#[test]
fn connect_fails_with_the_proxys_answer_when_it_refuses_the_tunnel() {
    for (answer, message_part) in [
        (
            "302 Found\r\nLocation: http://login.example/",
            "CONNECT with 302",
        ),
        ("403 Forbidden", "does not allow"),
        ("407 -", "user and a password"),
        ("502 Bad Gateway\r\nbad field\u{1}", "CONNECT with 502"),
        ("101 Switching Protocols", "CONNECT with 101"),
    ] {
        let sandbox = sandbox();
        let url = format!("http://{}", proxy(answer).0);
        let receipt = refused(&client(
            &sandbox.base_url(),
            &[("proxy", &url), ("max_attempts", "1")],
        ));
        assert_eq!(
            receipt.status,
            Status::ConnectFailed,
            "{answer}: {receipt:?}"
        );
        assert!(
            receipt.detail.contains(message_part),
            "{answer}: {receipt:?}"
        );
        assert_eq!(sandbox.stats().received, 0, "{answer}");
    }
}

#[test]
fn proxy_is_not_used_when_no_proxy_matches_or_proxy_is_empty() {
    let sandbox = sandbox();
    let (addr, seen) = proxy("200 OK");
    let url = format!("http://{addr}");
    for options in [
        &[
            ("proxy", url.as_str()),
            ("no_proxy", "a.example, 127.0.0.1"),
        ][..],
        &[("proxy", url.as_str()), ("no_proxy", "127.0.0.0/8")],
        &[("proxy", url.as_str()), ("no_proxy", "a.example *")],
        &[("proxy", "")],
    ] {
        send(&client(&sandbox.base_url(), options)).unwrap();
    }
    assert!(seen.try_recv().is_err(), "the proxy was asked");
}

#[test]
fn connect_fails_when_the_proxy_refuses_the_connection() {
    let sandbox = sandbox();
    let (addr, _seen) = proxy("407 Proxy Authentication Required");
    let url = format!("http://user:secret@{addr}");
    let receipt = refused(&client(
        &sandbox.base_url(),
        &[("proxy", &url), ("max_attempts", "1")],
    ));
    assert_eq!(receipt.status, Status::ConnectFailed, "{receipt:?}");
    assert!(!receipt.detail.contains("secret"), "{receipt:?}");
    assert_eq!(sandbox.stats().received, 0);
}

/// Nothing was sent to the service yet, so the message must not warn that the event may have arrived.
#[test]
fn connect_fails_when_the_proxy_closes_the_connection() {
    let sandbox = sandbox();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            // Unread data turns the close into a reset.
            stream.unwrap().read_exact(&mut [0]).unwrap();
        }
    });
    let receipt = refused(&client(
        &sandbox.base_url(),
        &[("proxy", &url), ("max_attempts", "1")],
    ));
    assert_eq!(receipt.status, Status::ConnectFailed, "{receipt:?}");
    assert!(receipt.detail.contains("the proxy"), "{receipt:?}");
    assert_eq!(sandbox.stats().received, 0);
}

#[test]
fn debug_output_of_a_client_shows_no_password() {
    let mut config = Config::new();
    for (name, value) in [
        ("cluster_id", "w1"),
        ("proxy", "http://user:letmein@127.0.0.1:1"),
        ("spool", "redis://user@127.0.0.1:1/0?name=shop"),
        ("spool_password", "letmein"),
        ("delivery", "none"),
    ] {
        config.set(name, value).unwrap();
    }
    let client = format!("{:?}", Client::new(&config).unwrap());
    assert!(client.contains("127.0.0.1:1"), "{client}");
    assert!(!client.contains("letmein"), "{client}");
}
