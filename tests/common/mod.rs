//! Common parts of the integration tests.
#![allow(dead_code, clippy::panic)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use esales_notify::{Client, Config, Error, Receipt, Visitor};
use esales_notify_sandbox::{Answer, Options, Sandbox};

pub const KEY: &str = "d9528030-509c-4e0f-b585-7168f1e9feca";
pub const SESSION: &str = "b106299c-eac0-4f6f-96d2-93e57c255784";

pub fn sandbox() -> Sandbox {
    Sandbox::start(Options::default()).unwrap()
}

pub fn scripted(answers: &str) -> Sandbox {
    let sandbox = sandbox();
    sandbox.script(Answer::parse_list(answers).unwrap());
    sandbox
}

/// Reads one request, head and body; `None` if the client has gone.
pub fn read_request(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut request = String::new();
    let mut length = 0;
    while !request.ends_with("\r\n\r\n") {
        let start = request.len();
        if reader.read_line(&mut request).ok()? == 0 {
            return None;
        }
        let line = request.split_at(start).1.to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    request.push_str(std::str::from_utf8(&body).unwrap());
    Some(request)
}

/// A server that answers the first request of each connection with these bytes, and closes. Reports each request.
pub fn answering(answer: impl Into<Vec<u8>>) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let (report, requests) = channel();
    let answer = answer.into();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            if let Some(request) = read_request(&mut reader) {
                report.send(request).unwrap();
                let _ = stream.write_all(&answer);
                let _ = stream.shutdown(Shutdown::Write);
            }
        }
    });
    (base_url, requests)
}

pub fn config(options: &[(&str, &str)]) -> Config {
    let mut config = Config::new();
    for (name, value) in options {
        config.set(name, value).unwrap();
    }
    config
}

pub fn client(base_url: &str, options: &[(&str, &str)]) -> Client {
    // The machine may be slow; tests of this time set it in `options`.
    let usual = [("base_url", base_url), ("enqueue_timeout_ms", "60000")];
    Client::new(&config(&[&usual, options].concat())).unwrap()
}

pub fn visitor() -> Visitor<'static> {
    Visitor::anonymous(KEY, SESSION).in_market("UK")
}

pub fn send(client: &Client) -> Result<Receipt, Error> {
    client.notify_add_to_cart(&visitor(), "ticket", None)
}

/// The receipt of a call that must not have succeeded.
pub fn refused(client: &Client) -> Receipt {
    send(client).unwrap_err().receipt().unwrap().clone()
}

/// A name, the measured time and the allowed time.
pub type Timing = (String, Duration, Duration);

/// Measures up to five rounds, each with its own fixture, until every time of one round is within its limit: a short
/// load on the machine is not a fault of the library. Other assertions of a round must hold in every round.
pub fn in_time(round: impl Fn() -> Vec<Timing>) {
    let mut measured = Vec::new();
    for _ in 0..5 {
        let timings = round();
        if timings.iter().all(|(_, took, limit)| took <= limit) {
            return;
        }
        measured.push(timings);
    }
    panic!("no round was in time: {measured:#?}");
}

/// A folder of one test, removed at its end.
pub struct Folder(std::path::PathBuf);

impl Folder {
    pub fn new() -> Folder {
        let name = format!("esales-{}", esales_notify::new_key().unwrap());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Folder(path)
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Renamed first: a worker that still writes would otherwise create files while they are removed.
        let gone = self.0.with_extension("gone");
        std::fs::rename(&self.0, &gone).unwrap();
        std::fs::remove_dir_all(&gone).unwrap();
    }
}
