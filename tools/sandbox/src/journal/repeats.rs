//! Finds repetitions: duplicates, payments that the service counts twice, and notifications of ended sessions.
//!
//! It stores half a SHA-256 of each key and forgets the oldest ones: a long run must not keep every id.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::kind::{Kind, Repeat};

/// At least this many ids are known.
const MOST_IDS: usize = 1_000_000;
/// At least this many payments and ends are known, and as many sessions.
const MOST_OTHERS: usize = 100_000;
/// Greatest number of expected repetitions for one session.
const MOST_AWAITED: usize = 100;

/// Half a SHA-256.
type Fingerprint = [u8; 16];

/// Values of the newest keys: the last `most` of them, and up to as many before.
struct Recent<V> {
    most: usize,
    newer: HashMap<Fingerprint, V>,
    older: HashMap<Fingerprint, V>,
}

impl<V: Default> Recent<V> {
    fn new(most: usize) -> Self {
        Recent {
            most,
            newer: HashMap::new(),
            older: HashMap::new(),
        }
    }

    /// The value of this key, and whether the key is new.
    fn get(&mut self, key: Fingerprint) -> (&mut V, bool) {
        if !self.newer.contains_key(&key) && self.newer.len() >= self.most {
            self.older = std::mem::take(&mut self.newer);
        }
        let known = self.older.remove(&key);
        let is_new = known.is_none() && !self.newer.contains_key(&key);
        let value = self
            .newer
            .entry(key)
            .or_insert_with(|| known.unwrap_or_default());
        (value, is_new)
    }
}

/// The fate of a notification according to its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Processed,
    /// The notification may have been processed: the answer was 500, or there was none.
    Uncertain,
    /// The notification was not processed and may be sent again: the answer was 429 or 503.
    Later,
    Refused,
}

impl Outcome {
    fn from_status(status: Option<u16>) -> Self {
        match status {
            Some(200..=299) => Outcome::Processed,
            Some(429 | 503) => Outcome::Later,
            None | Some(408 | 425 | 500..) => Outcome::Uncertain,
            Some(_) => Outcome::Refused,
        }
    }

    fn may_be_processed(self) -> bool {
        matches!(self, Outcome::Processed | Outcome::Uncertain)
    }
}

/// The properties of a notification that matter here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sighting {
    kind: Kind,
    /// The fingerprint of its id, or of its bytes if the kind has none; `None`: the id is missing.
    itself: Option<Fingerprint>,
    session: Option<Fingerprint>,
}

impl Sighting {
    pub(super) fn new(kind: Kind, id: Option<&str>, session: Option<&str>, body: &[u8]) -> Self {
        let itself = if kind.spec().has_id {
            id.map(|id| fingerprint(&[id.as_bytes()]))
        } else {
            Some(fingerprint(&[kind.spec().path.as_bytes(), body]))
        };
        let session = session.filter(|session| !session.is_empty());
        Sighting {
            kind,
            itself,
            session: session.map(|session| fingerprint(&[session.as_bytes()])),
        }
    }
}

fn fingerprint(parts: &[&[u8]]) -> Fingerprint {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part);
    }
    let mut half = Fingerprint::default();
    for (to, from) in half.iter_mut().zip(digest.finalize()) {
        *to = from;
    }
    half
}

/// Whether a notification was received before, and with which result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repetition {
    First,
    /// No earlier one was answered 2xx.
    Retry,
    /// An earlier one was answered 2xx.
    Duplicate,
}

impl Repetition {
    fn new(is_first: bool, is_delivered: bool) -> Self {
        match (is_first, is_delivered) {
            (true, _) => Repetition::First,
            (false, false) => Repetition::Retry,
            (false, true) => Repetition::Duplicate,
        }
    }
}

/// An id that was received.
#[derive(Default)]
struct ReceivedId {
    /// The number of the first notification with it.
    first: u64,
    /// Whether one of them was answered 2xx.
    is_delivered: bool,
}

/// A payment or an end that was received.
#[derive(Default)]
struct ReceivedBody {
    first: u64,
    /// Whether one of them was answered 2xx.
    is_delivered: bool,
    /// The number of the one that was processed, and whether that is certain.
    processed: Option<(u64, bool)>,
}

#[derive(Default)]
struct SessionHistory {
    /// The number of the `end`.
    ended: Option<u64>,
    /// Notifications that were not accepted yet and may be sent again, with the number of their first arrival.
    awaited: Vec<(Fingerprint, u64)>,
}

/// Remembers received notifications, to find repetitions.
pub(super) struct Repeats {
    ids: Recent<ReceivedId>,
    bodies: Recent<ReceivedBody>,
    sessions: Recent<SessionHistory>,
}

impl Default for Repeats {
    fn default() -> Self {
        Repeats {
            ids: Recent::new(MOST_IDS),
            bodies: Recent::new(MOST_OTHERS),
            sessions: Recent::new(MOST_OTHERS),
        }
    }
}

impl Repeats {
    /// Records notification number `seq` and its answer. Returns whether it was received before, and adds warnings
    /// about payments that count twice and sessions that have ended.
    pub(super) fn take(
        &mut self,
        sighting: Sighting,
        seq: u64,
        status: Option<u16>,
        warnings: &mut Vec<String>,
    ) -> Repetition {
        let outcome = Outcome::from_status(status);
        let is_delivered = outcome == Outcome::Processed;
        let (first, repetition) = match sighting.itself {
            None => (seq, Repetition::First),
            Some(key) if sighting.kind.spec().has_id => {
                let (id, is_new) = self.ids.get(key);
                if is_new {
                    id.first = seq;
                }
                let repetition = Repetition::new(is_new, id.is_delivered);
                id.is_delivered |= is_delivered;
                (id.first, repetition)
            }
            Some(key) => {
                let (body, is_new) = self.bodies.get(key);
                if is_new {
                    body.first = seq;
                }
                let repetition = Repetition::new(is_new, body.is_delivered);
                body.is_delivered |= is_delivered;
                if sighting.kind.spec().repeat == Repeat::Counts {
                    body.count(seq, outcome, warnings);
                }
                (body.first, repetition)
            }
        };
        if let Some(key) = sighting.session {
            let (session, _) = self.sessions.get(key);
            session.take(sighting, first, seq, outcome, warnings);
        }
        repetition
    }
}

impl ReceivedBody {
    /// A payment has no id: the service counts each one that it processes.
    fn count(&mut self, seq: u64, outcome: Outcome, warnings: &mut Vec<String>) {
        if !outcome.may_be_processed() {
            return;
        }
        let now = outcome == Outcome::Processed;
        match self.processed {
            Some((earlier, true)) if now => warnings.push(format!(
                "counted twice: number {earlier} was a payment with the same bytes, and was received successfully"
            )),
            Some((earlier, _)) => warnings.push(format!(
                "may be counted twice: number {earlier} was a payment with the same bytes, and its answer or this one \
                 does not say whether it was processed"
            )),
            None => {}
        }
        if self.processed.is_none_or(|(_, certain)| !certain && now) {
            self.processed = Some((seq, now));
        }
    }
}

impl SessionHistory {
    fn take(
        &mut self,
        sighting: Sighting,
        first: u64,
        seq: u64,
        outcome: Outcome,
        warnings: &mut Vec<String>,
    ) {
        if sighting.kind.spec().repeat == Repeat::Harmless {
            if let Some((_, older)) = self.awaited.first() {
                warnings.push(format!(
                    "`end` may overtake number {older} of the same session, which was not accepted yet and may be sent again"
                ));
            }
            if outcome.may_be_processed() && self.ended.is_none() {
                self.ended = Some(seq);
            }
            return;
        }
        match self.ended {
            Some(end) if first < end => warnings.push(format!(
                "`end` (number {end}) overtook this notification, which first came as number {first}: the service may \
                 have ended the session early"
            )),
            Some(end) => warnings.push(format!(
                "this session was ended by number {end}: after `end`, a visit has a new session key"
            )),
            None => {}
        }
        let Some(itself) = sighting.itself else {
            return;
        };
        self.awaited.retain(|(awaited, _)| *awaited != itself);
        // A payment whose outcome is uncertain is not sent again.
        let again = outcome == Outcome::Later
            || (outcome == Outcome::Uncertain && sighting.kind.spec().repeat == Repeat::WithId);
        if again && self.awaited.len() < MOST_AWAITED {
            self.awaited.push((itself, first));
        }
    }
}

#[cfg(test)]
#[path = "repeats_tests.rs"]
mod tests;
