//! Through an HTTP proxy, by option; and what does not go through one.
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
use esales_notify::Status;

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
            heads.send(head).unwrap();
            write!(stream, "HTTP/1.1 {answer}\r\n\r\n").unwrap();
            if answer.starts_with("200") {
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
fn an_explicit_proxy_is_used_with_its_credentials() {
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
fn no_proxy_and_an_empty_proxy_go_straight() {
    let sandbox = sandbox();
    let (addr, seen) = proxy("200 OK");
    let url = format!("http://{addr}");
    for options in [
        &[
            ("proxy", url.as_str()),
            ("no_proxy", "a.example, 127.0.0.1"),
        ][..],
        &[("proxy", "")],
    ] {
        send(&client(&sandbox.base_url(), options)).unwrap();
    }
    assert!(seen.try_recv().is_err(), "the proxy was asked");
}

#[test]
fn a_proxy_that_refuses_is_a_failed_connection() {
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

/// Nothing was sent to the service yet, so it is not said that the event may have arrived.
#[test]
fn a_proxy_that_breaks_off_is_a_failed_connection() {
    let sandbox = sandbox();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            // What is not read makes the close a reset.
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
