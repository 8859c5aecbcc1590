//! What was received: the records, the counters, and the script that answers from.
//!
//! One mutex guards all of it, so that a request takes its number, its scripted answer and its
//! place in the records in one step: the third record always got the third answer.

use std::collections::{HashSet, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::answer::Answer;
use crate::verdict::{Verdict, hex};

/// One request as it arrived, and what was answered. Written before the answer is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Received {
    /// Its number since the start or the last `clear`, from 1.
    pub seq: u64,
    /// When it had arrived whole, in milliseconds since 1970-01-01 UTC.
    pub at_unix_ms: u64,
    /// The number of the connection it came on, from 1; see [`Stats::connections`].
    pub connection: u64,
    /// The method, as it was sent.
    pub method: String,
    /// The path with its query, as they were sent.
    pub path: String,
    /// The headers, names in lower case; bytes that are not UTF-8 are replaced.
    pub headers: Vec<(String, String)>,
    /// The body; bytes that are not UTF-8 are replaced. Cut at 1 MiB.
    pub body: String,
    /// The same body in hexadecimal digits, only when it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_hex: Option<String>,
    /// The members that could be read, if this was a POST of a JSON object to the right path.
    pub notification: Option<Notification>,
    /// Whether the customer key is that of a signed-in visitor; `None` without a notification.
    pub visitor: Option<Visitor>,
    /// Whether the token belongs to the customer key. `None`: an anonymous visitor, no token, or
    /// no private key to tell by.
    pub token_valid: Option<bool>,
    /// Whether a request with this `id` was received before, whatever it was answered.
    pub duplicate: bool,
    /// Oddities that the vendor's page neither allows nor forbids, in words.
    pub warnings: Vec<String>,
    /// What was answered: `204` and the like, or the scripted answer such as `503:retry-after=1`.
    pub answer: String,
    /// The status that was answered; `None` when the scripted answer has none.
    pub status: Option<u16>,
}

/// The members of a notification that were strings; the others are `None` (and left out of JSON).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Notification {
    /// The storefront market.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub market: Option<String>,
    /// Who the visitor is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_key: Option<String>,
    /// The visit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_key: Option<String>,
    /// This one notification, through all its retries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Proof that the shop made the customer key; signed-in visitors only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// What was shown to the visitor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
}

/// Who the customer key says the visitor is. JSON: `"anonymous"`, `"signed-in"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Visitor {
    /// The customer key is not shaped like a SHA-256 hash.
    Anonymous,
    /// The customer key is 64 hexadecimal digits.
    SignedIn,
}

/// The counters, all since the start or the last `clear`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Connections on which at least one request was received. Connections that only carried
    /// requests of the control interface, or none, are not counted.
    pub connections: u64,
    /// Requests received, those that are no longer remembered included. Requests of the control
    /// interface are not counted.
    pub received: u64,
    /// Requests that the script will still answer.
    pub script_left: usize,
}

/// The number of one connection, given at its first recorded request and again after a `clear`.
#[derive(Debug, Default)]
pub(crate) struct ConnectionNumber(Mutex<Option<(u64, u64)>>);

/// A request on its way into the records.
pub(crate) struct Arrival<'a> {
    pub(crate) connection: &'a ConnectionNumber,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: &'a [u8],
    pub(crate) verdict: &'a Verdict,
    /// Whether the script may answer it.
    pub(crate) scriptable: bool,
}

pub(crate) struct Journal {
    remember: usize,
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    /// How often the records were cleared.
    era: u64,
    connections: u64,
    received: u64,
    records: VecDeque<Received>,
    /// The ids seen, by half their SHA-256: a long run must not keep every id whole.
    ids: HashSet<[u8; 16]>,
    script: VecDeque<Answer>,
}

impl Journal {
    pub(crate) fn new(remember: usize) -> Self {
        Journal {
            remember,
            state: Mutex::default(),
            arrived: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the request and returns the scripted answer that it gets, if it gets one.
    pub(crate) fn record(&self, arrival: Arrival<'_>) -> Option<Answer> {
        let body = String::from_utf8_lossy(arrival.body);
        let mut record = Received {
            seq: 0,
            at_unix_ms: unix_ms(),
            connection: 0,
            method: arrival.method,
            path: arrival.path,
            headers: arrival.headers,
            body_hex: std::str::from_utf8(arrival.body)
                .is_err()
                .then(|| hex(arrival.body)),
            body: body.into_owned(),
            notification: arrival.verdict.notification.clone(),
            visitor: arrival.verdict.visitor,
            token_valid: arrival.verdict.token_valid,
            duplicate: false,
            warnings: arrival.verdict.warnings.clone(),
            answer: arrival.verdict.status.to_string(),
            status: Some(arrival.verdict.status),
        };
        let id = record.notification.as_ref().and_then(|n| n.id.as_deref());
        let id = id.map(fingerprint);

        let mut state = self.lock();
        let scripted = arrival.scriptable.then(|| state.next_answer()).flatten();
        if let Some(answer) = &scripted {
            record.answer = answer.to_string();
            record.status = answer.status();
        }
        state.received += 1;
        record.seq = state.received;
        record.connection = state.number(arrival.connection);
        record.duplicate = id.is_some_and(|id| !state.ids.insert(id));
        state.records.push_back(record);
        while state.records.len() > self.remember {
            state.records.pop_front();
        }
        drop(state);
        self.arrived.notify_all();
        scripted
    }

    pub(crate) fn records(&self) -> Vec<Received> {
        self.lock().records.iter().cloned().collect()
    }

    /// Forgets the records, the ids and the counters, not the script.
    pub(crate) fn clear(&self) {
        let mut state = self.lock();
        let fresh = State {
            era: state.era + 1,
            script: std::mem::take(&mut state.script),
            ..State::default()
        };
        *state = fresh;
    }

    pub(crate) fn set_script(&self, script: Vec<Answer>) {
        self.lock().script = script.into();
    }

    pub(crate) fn stats(&self) -> Stats {
        let state = self.lock();
        let left = state.script.iter().map(|answer| answer.times);
        let left = left.fold(0, u64::saturating_add);
        Stats {
            connections: state.connections,
            received: state.received,
            script_left: usize::try_from(left).unwrap_or(usize::MAX),
        }
    }

    /// Waits until `n` requests have been received; false when `timeout` ends first.
    pub(crate) fn wait(&self, n: usize, timeout: Duration) -> bool {
        let wanted = u64::try_from(n).unwrap_or(u64::MAX);
        let start = Instant::now();
        let mut state = self.lock();
        while state.received < wanted {
            let left = timeout.saturating_sub(start.elapsed());
            if left.is_zero() {
                return false;
            }
            state = self
                .arrived
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }
}

impl State {
    fn next_answer(&mut self) -> Option<Answer> {
        let mut answer = self.script.pop_front()?;
        if answer.times > 1 {
            answer.times -= 1;
            self.script.push_front(answer.clone());
        }
        answer.times = 1;
        Some(answer)
    }

    fn number(&mut self, connection: &ConnectionNumber) -> u64 {
        let mut known = connection.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *known {
            Some((era, number)) if era == self.era => number,
            _ => {
                self.connections += 1;
                *known = Some((self.era, self.connections));
                self.connections
            }
        }
    }
}

fn fingerprint(id: &str) -> [u8; 16] {
    let mut half = [0; 16];
    for (to, from) in half.iter_mut().zip(Sha256::digest(id.as_bytes())) {
        *to = from;
    }
    half
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::judge;

    fn arrive(journal: &Journal, connection: &ConnectionNumber, body: &[u8]) -> Option<Answer> {
        journal.record(Arrival {
            connection,
            method: "POST".to_owned(),
            path: "/".to_owned(),
            headers: Vec::new(),
            body,
            verdict: &judge(body, Some("application/json"), None),
            scriptable: true,
        })
    }

    #[test]
    fn the_oldest_are_forgotten_but_counted() {
        let journal = Journal::new(2);
        let (one, two) = (ConnectionNumber::default(), ConnectionNumber::default());
        for connection in [&one, &two, &one] {
            arrive(&journal, connection, br#"{"id":"a"}"#);
        }
        let seen: Vec<_> = journal.records();
        let seen: Vec<_> = seen
            .iter()
            .map(|r| (r.seq, r.connection, r.duplicate))
            .collect();
        assert_eq!(seen, [(2, 2, true), (3, 1, true)]);
        assert_eq!(journal.stats().received, 3);
        assert_eq!(journal.stats().connections, 2);
        assert!(journal.wait(3, Duration::ZERO));
        assert!(!journal.wait(4, Duration::from_millis(5)));
    }

    #[test]
    fn after_clear_everything_counts_from_one_again() {
        let journal = Journal::new(10);
        let (one, two) = (ConnectionNumber::default(), ConnectionNumber::default());
        journal.set_script(Answer::parse_list("503:times=5").unwrap());
        arrive(&journal, &one, br#"{"id":"a"}"#);
        arrive(&journal, &two, br#"{"id":"b"}"#);
        journal.clear();
        let empty = Stats {
            script_left: 3,
            ..Stats::default()
        };
        assert_eq!(journal.stats(), empty);
        arrive(&journal, &two, br#"{"id":"a"}"#);
        let record = journal.records().remove(0);
        assert_eq!(
            (record.seq, record.connection, record.duplicate),
            (1, 1, false)
        );
        assert_eq!((record.answer.as_str(), record.status), ("503", Some(503)));
    }

    #[test]
    fn bodies_that_are_not_utf8_are_kept_in_hex() {
        let journal = Journal::new(1);
        arrive(&journal, &ConnectionNumber::default(), b"\xffa");
        let record = journal.records().remove(0);
        assert_eq!(record.body, "\u{fffd}a");
        assert_eq!(record.body_hex.as_deref(), Some("ff61"));
    }
}
