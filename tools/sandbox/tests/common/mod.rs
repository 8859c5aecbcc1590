//! A client that shows every byte: plain sockets, and HTTP only as far as the tests need it.

#![allow(dead_code)] // each test file uses its own part

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use esales_notify_sandbox::{Answer, NOTIFICATION_PATH, Options, Sandbox};

/// Far longer than anything here takes; only there so that a failure is not a hang.
pub const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

pub const ANONYMOUS: &str = r#"{"market":"UK","customerKey":"d9528030-509c-4e0f-b585-7168f1e9feca","sessionKey":"b106299c-eac0-4f6f-96d2-93e57c255784","id":"0.nd2bj6h4pi9","ticket":"Oy9keW5h"}"#;

pub fn start(options: Options) -> Sandbox {
    Sandbox::start(options).unwrap()
}

/// A sandbox on plain HTTP with this script.
pub fn scripted(script: &str) -> Sandbox {
    let sandbox = start(Options::default());
    sandbox.script(Answer::parse_list(script).unwrap());
    sandbox
}

pub fn connect(sandbox: &Sandbox) -> TcpStream {
    let stream = TcpStream::connect(sandbox.addr()).unwrap();
    stream.set_read_timeout(Some(WAIT_TIMEOUT)).unwrap();
    stream.set_write_timeout(Some(WAIT_TIMEOUT)).unwrap();
    stream
}

pub fn request(method: &str, path: &str, body: &str) -> Vec<u8> {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Sends the usual notification, reads nothing.
pub fn send(stream: &mut impl Write) {
    let bytes = request("POST", NOTIFICATION_PATH, ANONYMOUS);
    stream.write_all(&bytes).unwrap();
    stream.flush().unwrap();
}

/// Everything until the end of the connection.
pub fn read_all(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What the stream of events sends until it has sent the record with this number.
pub fn first_events(sandbox: &Sandbox, seq: u64) -> String {
    let mut stream = connect(sandbox);
    stream
        .write_all(&request("GET", "/sandbox/events", ""))
        .unwrap();
    let wanted = format!("\"seq\":{seq},");
    let mut seen = Vec::new();
    let mut byte = [0];
    while !(seen.ends_with(b"\n\n") && String::from_utf8_lossy(&seen).contains(&wanted)) {
        stream.read_exact(&mut byte).unwrap();
        seen.push(byte[0]);
    }
    String::from_utf8(seen).unwrap()
}

/// One answer. Without a content-length it has no body.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

pub fn read_head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

pub fn read_reply(stream: &mut impl Read) -> Reply {
    let head = read_head(stream);
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut reply = Reply {
        status,
        head,
        body: String::new(),
    };
    if let Some(length) = reply.header("content-length") {
        let mut body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut body).unwrap();
        reply.body = String::from_utf8(body).unwrap();
    }
    reply
}

/// One request and its answer on a kept-alive connection.
pub fn exchange(stream: &mut (impl Read + Write), method: &str, path: &str, body: &str) -> Reply {
    stream.write_all(&request(method, path, body)).unwrap();
    stream.flush().unwrap();
    read_reply(stream)
}

/// The usual notification and its answer.
pub fn notify(stream: &mut (impl Read + Write)) -> Reply {
    exchange(stream, "POST", NOTIFICATION_PATH, ANONYMOUS)
}
