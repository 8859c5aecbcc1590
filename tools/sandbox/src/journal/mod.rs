//! The received requests: the records, the counters, and the script of answers.
//!
//! One mutex guards all of it, so that a request gets its number, its scripted answer and its place in the records in
//! one step: the third record always got the third answer.

mod received;
mod repeats;

use std::collections::VecDeque;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::str::FromStr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

pub use self::received::{Received, Stats};
use self::repeats::{Repeats, Repetition, Sighting};
use crate::script::{ALL_PERCENT, Answer, FOR_EVER};
use crate::verdict::{Verdict, hex};

/// The number of one connection, given at its first recorded request and again after a `clear`.
#[derive(Debug, Default)]
pub(crate) struct ConnectionNumber(Mutex<Option<(u64, u64)>>);

/// A request before it is recorded.
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

/// The position of a reader: the records up to `seq` of one era of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Identifies one start of a sandbox; a random number.
    pub(crate) run: u64,
    /// How often the records of that run had been cleared.
    pub(crate) era: u64,
    pub(crate) seq: u64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{}-{}", self.run, self.era, self.seq)
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('-');
        let (Some(run), Some(era), Some(seq), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(());
        };
        Ok(Cursor {
            run: u64::from_str_radix(run, 16).map_err(|_| ())?,
            era: era.parse().map_err(|_| ())?,
            seq: seq.parse().map_err(|_| ())?,
        })
    }
}

/// The changes since a [`Cursor`].
pub(crate) struct JournalUpdate {
    /// The position before the records: the given cursor, or the start of the current era.
    pub(crate) from: Cursor,
    /// The oldest records after it.
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
    /// Changes after each change of the journal, for callers that wait for [`Journal::update_since`].
    changed: watch::Sender<()>,
    state: Mutex<JournalState>,
    arrived: Condvar,
}

#[derive(Default)]
struct JournalState {
    /// How often the records were cleared.
    era: u64,
    connections: u64,
    received: u64,
    records: VecDeque<Arc<Received>>,
    /// The size of the records in memory.
    bytes: usize,
    repeats: Repeats,
    script: VecDeque<Answer>,
}

impl Journal {
    pub(crate) fn new(remember: usize, remember_bytes: usize) -> Self {
        Journal {
            remember,
            remember_bytes,
            // A new RandomState is random enough to distinguish two starts, and needs no other crate.
            run: RandomState::new().hash_one(0),
            changed: watch::Sender::new(()),
            state: Mutex::default(),
            arrived: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, JournalState> {
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
            kind: arrival.verdict.kind,
            headers: arrival.headers,
            body_hex: std::str::from_utf8(arrival.body)
                .is_err()
                .then(|| hex(arrival.body)),
            body: body.into_owned(),
            notification: arrival.verdict.notification.clone(),
            visitor: arrival.verdict.visitor,
            token_valid: arrival.verdict.token_valid,
            token_problem: arrival.verdict.token_problem.map(str::to_owned),
            payment_token_valid: arrival.verdict.payment_token_valid,
            payment_token_problem: arrival.verdict.payment_token_problem.map(str::to_owned),
            retry: false,
            duplicate: false,
            warnings: arrival.verdict.warnings.clone(),
            answer: arrival.verdict.status.to_string(),
            status: Some(arrival.verdict.status),
            answer_text: arrival.verdict.text.clone(),
            scripted: false,
        };
        let notification = record.visitor.and(record.notification.as_ref());
        let sighting = record.kind.zip(notification).map(|(kind, notification)| {
            let id = notification.id.as_deref();
            let session = notification.session_key.as_deref();
            Sighting::new(kind, id, session, arrival.body)
        });

        let mut state = self.lock();
        let seq = state.received + 1;
        let scripted = arrival.scriptable.then(|| state.next_answer(seq)).flatten();
        if let Some(answer) = &scripted {
            record.answer = answer.to_string();
            if !answer.is_normal() {
                record.status = answer.status();
                record.answer_text = answer.body().unwrap_or_default().to_owned();
            }
            record.scripted = true;
        }
        state.received = seq;
        record.seq = seq;
        record.connection = state.number(arrival.connection);
        if let Some(sighting) = sighting {
            let repeats = &mut state.repeats;
            let repetition =
                repeats.take(sighting, record.seq, record.status, &mut record.warnings);
            record.retry = repetition == Repetition::Retry;
            record.duplicate = repetition == Repetition::Duplicate;
        }
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

    /// The record with this number, if it is remembered.
    pub(crate) fn get(&self, seq: u64) -> Option<Arc<Received>> {
        let state = self.lock();
        // The records are numbered without a gap.
        let oldest = state.records.front()?.seq;
        let at = usize::try_from(seq.checked_sub(oldest)?).ok()?;
        state.records.get(at).cloned()
    }

    pub(crate) fn records(&self) -> Vec<Arc<Received>> {
        self.lock().records.iter().cloned().collect()
    }

    /// Wakes after each change.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// The changes after `cursor`: at most `records` records, and `answers` of the script. `None`, or a cursor of
    /// another run or an earlier era, starts with the oldest record.
    pub(crate) fn update_since(
        &self,
        cursor: Option<Cursor>,
        records: usize,
        answers: usize,
    ) -> JournalUpdate {
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
        JournalUpdate {
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
        let fresh = JournalState {
            era: state.era + 1,
            script: std::mem::take(&mut state.script),
            ..JournalState::default()
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

impl JournalState {
    fn script_left(&self) -> u64 {
        let left = self.script.iter().map(|answer| answer.times);
        left.fold(0, u64::saturating_add)
    }

    /// The scripted answer of request number `seq`, if it gets one.
    fn next_answer(&mut self, seq: u64) -> Option<Answer> {
        let mut answer = self.script.pop_front()?;
        if answer.times > 1 {
            if answer.times != FOR_EVER {
                answer.times -= 1;
            }
            self.script.push_front(answer.clone());
        }
        let is_given = answer.is_given_to(seq);
        answer.times = 1;
        answer.percent = ALL_PERCENT;
        is_given.then_some(answer)
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

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
