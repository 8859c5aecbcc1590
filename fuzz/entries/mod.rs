//! The door for fuzzing: one function for every entry in which our code parses what somebody else wrote.
//!
//! Compiled with `--cfg fuzzing`, which `cargo fuzz` sets, and for the unit test below, which feeds it the committed
//! seeds. It is never part of the library. A function here panics if the entry breaks a promise, and so does the
//! entry itself: that is what fuzzing looks for.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime};

pub use crate::ffi::fuzz::c_arguments;
pub use crate::spool::log::fuzz::{dead_letters, journal, segment, spool_files};

use crate::client::retry::{self, Clock, Policy};
use crate::http::{Outcome, Request, Transport, parse_retry_after};
use crate::notification::{Notification, Visitor};
use crate::options::{Config, ServiceSettings};
use crate::outcome::{Error, Status};
use crate::queue::gate::{Backoff, MAX_RETRY_AFTER};
use crate::spool::Gate;

/// What a target makes its choices from; at the end of the input, zeros.
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    pub(crate) fn integer(&mut self) -> i64 {
        let mut number = [0; 8];
        for (to, from) in number.iter_mut().zip(self.bytes(8)) {
            *to = *from;
        }
        i64::from_le_bytes(number)
    }

    /// As many bytes as the next one says.
    pub(crate) fn piece(&mut self) -> &'a [u8] {
        let length = self.byte().into();
        self.bytes(length)
    }

    fn bytes(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// Names and values of options: a line for each, `name=value`.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut config = Config::new();
    for line in text.split('\n') {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        let before = config.clone();
        match config.set(name, value) {
            Ok(()) => assert_eq!(config.get(name), Some(value)),
            Err(e) => {
                assert_eq!(e.status(), Status::InvalidConfig);
                assert!(config == before, "{e} has changed something");
                assert!(!e.detail().contains(char::is_control), "{e:?}");
            }
        }
    }
    let Ok(settings) = config.settings() else {
        return;
    };
    let endpoint = &settings.service.endpoint;
    let url: ureq::http::Uri = endpoint
        .origin
        .parse()
        .expect("an accepted address is a URL");
    if let Some(cluster) = config.get("cluster_id") {
        let host = format!("{cluster}.api.esales.apptus.cloud");
        assert_eq!(url.host(), Some(host.as_str()));
        assert!(endpoint.is_https);
    }
    assert!(!url.authority().unwrap().as_str().contains('@'));
    let no_roots = || Err(Error::config("there is no TLS here"));
    let made = Transport::new(&settings.service, no_roots);
    assert!(endpoint.is_https || made.is_ok(), "{made:?}");
}

/// The value of a `Retry-After` header, to what a blocking call and the queue make of it.
pub fn retry_after(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let asked = parse_retry_after(text, SystemTime::UNIX_EPOCH);
    let policy = Policy {
        max_attempts: 3,
        backoff: Duration::from_millis(100),
    };
    let deadline = Instant::now() + Duration::from_secs(300);
    let (outcome, attempts) = retry::run(policy, deadline, &NeverSleeps, || Outcome {
        status: Status::ServerError,
        http_status: Some(503),
        detail: String::new(),
        retry_after: asked,
        may_have_arrived: false,
    });
    assert!(outcome.status == Status::ServerError && (1..=3).contains(&attempts));
    let backoff = Backoff {
        min: Duration::from_secs(1),
        max: Duration::from_secs(300),
    };
    let gate = Gate::default().closed(true, asked, 0, backoff, 0.5);
    assert!(gate.wait(0) <= MAX_RETRY_AFTER);
}

struct NeverSleeps;

impl Clock for NeverSleeps {
    fn now(&self) -> Instant {
        Instant::now()
    }
    fn sleep(&self, _: Duration) {}
    fn dice(&self) -> f64 {
        0.5
    }
}

/// Whatever a server can send: status line, headers and body, over a real connection.
pub fn answer(data: &[u8]) {
    static SERVER: OnceLock<(&Mutex<Vec<u8>>, Transport)> = OnceLock::new();
    let (says, transport) = SERVER.get_or_init(serve);
    *says.lock().unwrap() = data.to_vec();
    let visitor = Visitor::signed_in("customer-key", "session-key", "token-of-it").in_market("UK");
    let body = Notification::click("ticket-of-it").encode(&visitor, None, "1");
    let body = body.unwrap();
    let request = Request {
        path: "/x",
        body: body.as_bytes(),
        may_repeat: true,
        secrets: &|| crate::notification::secrets("/x", &body),
    };
    let deadline = Instant::now() + Duration::from_secs(5);
    let outcome = transport.exchange(&request, deadline);
    let code = outcome.http_status.unwrap_or(0);
    let is_delivered = outcome.status == Status::Delivered;
    assert_eq!(is_delivered, (200..300).contains(&code), "{outcome:?}");
    assert!(!outcome.detail.contains(char::is_control), "{outcome:?}");
    assert!(outcome.detail.chars().count() < 400, "{outcome:?}");
}

/// A server that says to everybody what stands in the mutex, and a transport without kept connections that leads to it.
fn serve() -> (&'static Mutex<Vec<u8>>, Transport) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = Config::new();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    config.set("base_url", &base_url).unwrap();
    config.set("keep_alive_s", "0").unwrap();
    let service: ServiceSettings = config.settings().unwrap().service;
    let says: &'static Mutex<Vec<u8>> = Box::leak(Box::default());
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            // A client that has read enough may be gone.
            let _ = say(connection, says);
        }
    });
    let transport = Transport::new(&service, || Err(Error::config("no TLS")));
    (says, transport.unwrap())
}

fn say(mut connection: TcpStream, says: &Mutex<Vec<u8>>) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut part = [0; 4096];
    // The request ends with its body. What is left unread would break the connection.
    while !request.ends_with(b"}") {
        match connection.read(&mut part)? {
            0 => return Ok(()),
            n => request.extend_from_slice(part.get(..n).unwrap_or_default()),
        }
    }
    let answer = says.lock().unwrap().clone();
    connection.write_all(&answer)?;
    connection.shutdown(Shutdown::Write)?;
    while connection.read(&mut part)? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Target = fn(&[u8]);

    /// What fuzzing has found once, and an example of everything, in every run of the tests.
    #[test]
    fn fuzz_entries_accept_the_committed_seeds() {
        let targets: [(&str, Target); 8] = [
            ("config", config),
            ("retry_after", retry_after),
            ("answer", answer),
            ("segment", segment),
            ("journal", journal),
            ("dead_letters", dead_letters),
            ("spool_files", spool_files),
            ("c_arguments", c_arguments),
        ];
        for (name, target) in targets {
            let folder = format!("{}/fuzz/seeds/{name}", env!("CARGO_MANIFEST_DIR"));
            let mut seeds = 0;
            for seed in std::fs::read_dir(&folder).unwrap() {
                target(&std::fs::read(seed.unwrap().path()).unwrap());
                seeds += 1;
            }
            assert!(seeds > 0, "{folder} is empty");
        }
    }
}
