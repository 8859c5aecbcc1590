//! What was received: the records, the counters, and the script that answers from.
//!
//! One mutex guards all of it, so that a request takes its number, its scripted answer and its
//! place in the records in one step: the third record always got the third answer.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use crate::answer::{Answer, FOR_EVER};
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
    /// The members that could be read, if the body was a JSON object, whatever its method and path.
    pub notification: Option<Notification>,
    /// Whether the customer key is that of a signed-in visitor; `None` for what was no
    /// notification: not a JSON object, or not a POST to the right path.
    pub visitor: Option<Visitor>,
    /// Whether the token belongs to the customer key. `None`: an anonymous visitor, no token, or
    /// no private key to tell by.
    pub token_valid: Option<bool>,
    /// Why `token_valid` is not true for a signed-in visitor, in words; `None` when there is
    /// nothing to explain.
    pub token_problem: Option<String>,
    /// Whether a notification with this `id` was received before, whatever it was answered. The
    /// last million ids are known, and up to as many before them.
    pub duplicate: bool,
    /// Oddities that the vendor's page neither allows nor forbids, in words.
    pub warnings: Vec<String>,
    /// What was answered: `204` and the like, or the scripted answer such as `503:retry-after=1`.
    pub answer: String,
    /// The status that was answered; `None` when the scripted answer has none.
    pub status: Option<u16>,
    /// The body of that answer, mostly the reason for a refusal; empty when there is none.
    pub answer_text: String,
    /// Whether the answer came from the script, and not from what the notification deserves.
    pub scripted: bool,
}

impl Received {
    /// What it takes in memory, near enough.
    fn bytes(&self) -> usize {
        let of = |text: &String| size_of::<String>() + text.len();
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| of(name) + of(value));
        let members = self.notification.iter().flat_map(Notification::values);
        let texts = [
            &self.method,
            &self.path,
            &self.body,
            &self.answer,
            &self.answer_text,
        ];
        let texts = texts
            .into_iter()
            .chain(&self.body_hex)
            .chain(&self.token_problem);
        let texts = texts.chain(&self.warnings).chain(members).map(of);
        size_of::<Received>() + headers.chain(texts).sum::<usize>()
    }
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

impl Notification {
    fn values(&self) -> impl Iterator<Item = &String> {
        [
            &self.market,
            &self.customer_key,
            &self.session_key,
            &self.id,
            &self.token,
            &self.ticket,
        ]
        .into_iter()
        .flatten()
    }
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
    /// Requests that the script will still answer; `usize::MAX` when it has no end.
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

/// How far somebody has read: the records up to `seq` of one era of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Which start of a sandbox; a number that no other start is likely to have.
    pub(crate) run: u64,
    /// How often its records had been cleared.
    pub(crate) era: u64,
    pub(crate) seq: u64,
}

/// What has changed for somebody who had read up to a [`Cursor`].
pub(crate) struct News {
    /// Where the records begin: the cursor that was given, or the start of the current era.
    pub(crate) from: Cursor,
    /// The oldest of the records after it.
    pub(crate) records: Vec<Arc<Received>>,
    /// The next answers of the script.
    pub(crate) script: Vec<Answer>,
    /// How many requests the whole script answers; `u64::MAX` and more: without end.
    pub(crate) script_left: u64,
}

pub(crate) struct Journal {
    remember: usize,
    remember_bytes: usize,
    run: u64,
    /// Touched after each change, for those who wait for [`Journal::news`].
    changed: watch::Sender<()>,
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    /// How often the records were cleared.
    era: u64,
    connections: u64,
    received: u64,
    records: VecDeque<Arc<Received>>,
    /// Of the records.
    bytes: usize,
    ids: Ids,
    script: VecDeque<Answer>,
}

/// As many ids are known at least.
const MOST_IDS: usize = 1_000_000;

/// The ids seen, by half their SHA-256: a long run must not keep every id whole, nor for ever.
#[derive(Default)]
struct Ids {
    newer: HashSet<[u8; 16]>,
    older: HashSet<[u8; 16]>,
}

impl Ids {
    /// False if it is known; the last `most` ids are.
    fn insert(&mut self, id: [u8; 16], most: usize) -> bool {
        let is_new = !self.older.contains(&id);
        let is_new = self.newer.insert(id) && is_new;
        if self.newer.len() >= most {
            self.older = std::mem::take(&mut self.newer);
        }
        is_new
    }
}

impl Journal {
    pub(crate) fn new(remember: usize, remember_bytes: usize) -> Self {
        Journal {
            remember,
            remember_bytes,
            // A new RandomState is random enough to tell two starts apart, and std has it.
            run: RandomState::new().hash_one(0),
            changed: watch::Sender::new(()),
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
            token_problem: arrival.verdict.token_problem.map(str::to_owned),
            duplicate: false,
            warnings: arrival.verdict.warnings.clone(),
            answer: arrival.verdict.status.to_string(),
            status: Some(arrival.verdict.status),
            answer_text: arrival.verdict.text.clone(),
            scripted: false,
        };
        let notification = record.visitor.and(record.notification.as_ref());
        let id = notification.and_then(|n| n.id.as_deref());
        let id = id.map(fingerprint);

        let mut state = self.lock();
        let scripted = arrival.scriptable.then(|| state.next_answer()).flatten();
        if let Some(answer) = &scripted {
            record.answer = answer.to_string();
            if !answer.is_honest() {
                record.status = answer.status();
                record.answer_text = answer.body().unwrap_or_default().to_owned();
            }
            record.scripted = true;
        }
        state.received += 1;
        record.seq = state.received;
        record.connection = state.number(arrival.connection);
        record.duplicate = id.is_some_and(|id| !state.ids.insert(id, MOST_IDS));
        state.bytes += record.bytes();
        state.records.push_back(Arc::new(record));
        while state.records.len() > self.remember
            || (state.bytes > self.remember_bytes && state.records.len() > 1)
        {
            let oldest = state.records.pop_front();
            state.bytes -= oldest.map_or(0, |record| record.bytes());
        }
        drop(state);
        self.arrived.notify_all();
        self.changed.send_replace(());
        scripted
    }

    pub(crate) fn records(&self) -> Vec<Arc<Received>> {
        self.lock().records.iter().cloned().collect()
    }

    /// Wakes after each change.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// What came after `cursor`: at most `records` records, and `answers` of the script. `None`,
    /// or a cursor of another run or an earlier era, has read nothing.
    pub(crate) fn news(&self, cursor: Option<Cursor>, records: usize, answers: usize) -> News {
        let state = self.lock();
        let start = Cursor {
            run: self.run,
            era: state.era,
            seq: 0,
        };
        let from = cursor
            .filter(|c| (c.run, c.era) == (start.run, start.era))
            .unwrap_or(start);
        // The records are numbered without a gap.
        let oldest = state.records.front().map_or(0, |record| record.seq);
        let skip = usize::try_from((from.seq + 1).saturating_sub(oldest)).unwrap_or(usize::MAX);
        News {
            from,
            records: state
                .records
                .iter()
                .skip(skip)
                .take(records)
                .cloned()
                .collect(),
            script: state.script.iter().take(answers).cloned().collect(),
            script_left: state.script_left(),
        }
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
        drop(state);
        self.changed.send_replace(());
    }

    pub(crate) fn set_script(&self, script: Vec<Answer>) {
        self.lock().script = script.into();
        self.changed.send_replace(());
    }

    pub(crate) fn stats(&self) -> Stats {
        let state = self.lock();
        Stats {
            connections: state.connections,
            received: state.received,
            script_left: usize::try_from(state.script_left()).unwrap_or(usize::MAX),
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
    fn script_left(&self) -> u64 {
        let left = self.script.iter().map(|answer| answer.times);
        left.fold(0, u64::saturating_add)
    }

    fn next_answer(&mut self) -> Option<Answer> {
        let mut answer = self.script.pop_front()?;
        if answer.times > 1 {
            if answer.times != FOR_EVER {
                answer.times -= 1;
            }
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
#[path = "record_tests.rs"]
mod tests;
