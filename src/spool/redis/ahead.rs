//! The oldest entries of one origin, read ahead by the drainer, so that one round trip fetches many.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use super::codec::LastAttempt;
use super::entry::Pending;
use crate::host::Timestamp;
use crate::notification::{self, ends_session};
use crate::spool::{Item, Position};

/// Limits of reading ahead: the number of entries, and the bytes of their bodies. Later entries are read when some of
/// these have left.
const MAX_ITEMS: usize = 4096;
const MAX_BYTES: usize = 16 << 20;

/// All pending entries of an origin from the oldest one up to `read_to`.
#[derive(Debug, Default)]
pub(super) struct Window {
    items: BTreeMap<Position, Cached>,
    pub(super) read_to: Position,
    /// Whether the last read found no entry after `read_to`.
    pub(super) is_at_end: bool,
    bytes: usize,
}

#[derive(Debug)]
struct Cached {
    pending: Pending,
    /// The session in the body, parsed on first use.
    session: OnceCell<Option<u32>>,
}

impl Cached {
    fn item(&self) -> &Item {
        &self.pending.stored.item
    }

    fn session(&self) -> Option<u32> {
        let read = || notification::session(&self.item().body);
        *self.session.get_or_init(read)
    }

    /// Whether the pause after the last attempt is over.
    fn may_be_tried(&mut self, now: Timestamp) -> bool {
        let Some((since, length)) = &mut self.pending.pause else {
            return true;
        };
        let age = now.since(*since);
        if !age.is_certain && now.unix_ms < since.unix_ms {
            // The clock was set back, or the time is another machine's. The pause starts again; otherwise it could last
            // as long as the clock is wrong.
            *since = now;
        }
        age.length >= *length
    }
}

impl Window {
    /// Whether the limits allow reading more entries.
    pub(super) fn has_room(&self) -> bool {
        !self.is_at_end && self.items.len() < MAX_ITEMS && self.bytes < MAX_BYTES
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn push(&mut self, pending: Pending) {
        let item = &pending.stored.item;
        self.bytes += item.body.len();
        let position = item.position;
        self.pass(position);
        self.items.insert(
            position,
            Cached {
                pending,
                session: OnceCell::new(),
            },
        );
    }

    /// Passes over an entry.
    pub(super) fn pass(&mut self, position: Position) {
        self.read_to = self.read_to.max(position);
    }

    pub(super) fn remove(&mut self, position: Position) {
        if let Some(removed) = self.items.remove(&position) {
            self.bytes -= removed.item().body.len();
        }
    }

    pub(super) fn begin(&mut self, position: Position) {
        if let Some(cached) = self.items.get_mut(&position) {
            cached.pending.stored.item.has_begun = true;
        }
    }

    pub(super) fn retry(&mut self, position: Position, last: &LastAttempt) {
        if let Some(cached) = self.items.get_mut(&position) {
            let stored = &mut cached.pending.stored;
            stored.item.attempts = last.attempts;
            stored.item.has_begun = false;
            cached.pending.pause = Some((last.at, last.pause));
        }
    }

    /// The oldest items that may be tried at `now` and are not in `skip`. An item that ends a session is returned only
    /// after every older item of that session has left.
    pub(super) fn due(
        &mut self,
        now: Timestamp,
        limit: usize,
        skip: &HashSet<Position>,
    ) -> Vec<Item> {
        let mut due: Vec<Item> = Vec::new();
        for (position, cached) in &mut self.items {
            if due.len() >= limit {
                break;
            }
            if !skip.contains(position) && cached.may_be_tried(now) {
                due.push(cached.item().clone());
            }
        }
        if due.iter().any(|item| ends_session(&item.path)) {
            due.retain(|item| !self.is_early(item));
            // Items whose pause is not over do not count.
            if due.len() < limit {
                due = self.due_slowly(now, limit, skip);
            }
        }
        due
    }

    fn due_slowly(&mut self, now: Timestamp, limit: usize, skip: &HashSet<Position>) -> Vec<Item> {
        let ready: Vec<Position> = self
            .items
            .iter_mut()
            .filter_map(|(position, cached)| {
                let is_ready = !skip.contains(position) && cached.may_be_tried(now);
                is_ready.then_some(*position)
            })
            .collect();
        let items = ready
            .iter()
            .filter_map(|at| Some(self.items.get(at)?.item()));
        let due = items.filter(|item| !self.is_early(item)).take(limit);
        due.cloned().collect()
    }

    /// Whether an item ends a session that has an older pending item.
    fn is_early(&self, item: &Item) -> bool {
        if !ends_session(&item.path) {
            return false;
        }
        let session = self.items.get(&item.position).and_then(Cached::session);
        let mut older = self.items.range(..item.position).map(|(_, older)| older);
        session.is_some() && older.any(|older| older.session() == session)
    }

    /// The items that are older than `max_age` and not in `skip`.
    pub(super) fn overdue(
        &self,
        now: Timestamp,
        max_age: Duration,
        skip: &HashSet<Position>,
    ) -> Vec<Item> {
        let items = self.items.values().map(Cached::item);
        let overdue = items.filter(|item| {
            let age = now.since(item.accepted);
            !skip.contains(&item.position)
                && age.length > max_age
                && (age.is_certain || item.attempts > 0)
        });
        overdue.cloned().collect()
    }
}
