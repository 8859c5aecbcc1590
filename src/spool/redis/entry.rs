//! Entries of the engine's streams, as the spool's items.

use std::sync::Arc;
use std::time::Duration;

use super::codec::{self, About, LastAttempt};
use super::resp::Value;
use crate::host::{Timestamp, millis};
use crate::notification::stored_path;
use crate::outcome::Status;
use crate::spool::{Item, Position, StoredItem};

/// Converts times of other machines to this machine's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Clock {
    /// The id of this machine's current boot. Times with this boot id are not converted. `None`: no time is converted.
    pub(super) own_boot: Option<u32>,
    /// The engine's clock, and this machine's at that moment.
    pub(super) engine: Option<(u64, Timestamp)>,
}

impl Clock {
    /// The engine's clock at a moment `at` before `now`.
    pub(super) fn engine_ms(self, at: Timestamp, now: Timestamp) -> u64 {
        let Some((engine_then, then)) = self.engine else {
            return at.unix_ms;
        };
        let since = |earlier| millis(now.since(earlier).length);
        let engine_now = engine_then.saturating_add(since(then));
        engine_now.saturating_sub(since(at))
    }

    /// The moment on this machine's clocks at which the engine's clock was `engine_ms`. The machines' clocks may
    /// differ: each machine knows the difference between its clock and the engine's.
    pub(super) fn localise(self, stored: Timestamp, engine_ms: u64) -> Timestamp {
        let (Some(own), Some((engine_now, now))) = (self.own_boot, self.engine) else {
            return stored;
        };
        if stored.boot == own && own != 0 {
            return stored;
        }
        let moved = |clock: u64| clock.saturating_add(engine_ms).checked_sub(engine_now);
        let unix_ms = moved(now.unix_ms).unwrap_or(0);
        match moved(now.uptime_ms) {
            Some(uptime_ms) if now.boot != 0 && uptime_ms != 0 => Timestamp {
                unix_ms,
                uptime_ms,
                boot: now.boot,
            },
            // The time is before this machine was started.
            _ => Timestamp {
                unix_ms,
                ..Timestamp::default()
            },
        }
    }
}

/// An entry that waits for delivery.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub(super) stored: StoredItem,
    /// The end of the last attempt, and the pause before the next one.
    pub(super) pause: Option<(Timestamp, Duration)>,
}

/// The fields of an entry.
struct Fields<'a>(&'a [Value]);

impl<'a> Fields<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        let mut pairs = self.0.chunks_exact(2);
        pairs.find_map(|pair| match pair {
            [key, value] if key.text() == Some(name) => value.text(),
            _ => None,
        })
    }
}

fn parts(entry: &Value) -> Option<(Position, Fields<'_>)> {
    let [id, fields] = entry.list()? else {
        return None;
    };
    let (seq, _) = id.text()?.split_once('-')?;
    Some((Position(seq.parse().ok()?), Fields(fields.list()?)))
}

pub(super) fn position(entry: &Value) -> Option<Position> {
    parts(entry).map(|(position, _)| position)
}

fn item(entry: &Value, origin: &Arc<str>, clock: Clock) -> Option<(Item, String)> {
    let (position, fields) = parts(entry)?;
    let about = About::unpack(fields.get("a")?)?;
    let item = Item {
        position,
        id: fields.get("i")?.to_owned(),
        origin: Arc::clone(origin),
        path: stored_path(fields.get("p")?),
        body: fields.get("b")?.to_owned(),
        accepted: clock.localise(about.accepted, about.engine_ms),
        attempts: about.attempts,
        has_begun: false,
        producer: about.producer,
    };
    Some((item, about.detail.to_owned()))
}

/// Makes an item from a pending entry, its attempts, and whether its delivery has begun.
pub(super) fn pending(
    entry: &Value,
    last: &Value,
    begun: &Value,
    origin: &Arc<str>,
    clock: Clock,
) -> Option<Pending> {
    let (mut item, detail) = item(entry, origin, clock)?;
    item.has_begun = *begun != Value::Nil;
    let mut stored = StoredItem {
        item,
        died: None,
        status: Status::Queued,
        http_status: None,
        detail,
    };
    let mut pause = None;
    if let Some(last) = last.text() {
        let last = LastAttempt::unpack(last)?;
        stored.item.attempts = last.attempts;
        stored.status = last.status;
        stored.http_status = last.http_status;
        stored.detail = last.detail;
        pause = Some((last.at, last.pause));
    }
    Some(Pending { stored, pause })
}

/// A dead letter.
pub(super) fn letter(entry: &Value, clock: Clock) -> Option<StoredItem> {
    let (_, fields) = parts(entry)?;
    let origin = Arc::from(fields.get("u")?);
    let (mut item, _) = item(entry, &origin, clock)?;
    let (receipt, died) = codec::receipt(&item.id, fields.get("x")?)?;
    item.attempts = receipt.attempts;
    Some(StoredItem {
        item,
        died: Some(died),
        status: receipt.status,
        http_status: receipt.http_status,
        detail: receipt.detail,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(unix_ms: u64, uptime_ms: u64, boot: u32) -> Timestamp {
        Timestamp {
            unix_ms,
            uptime_ms,
            boot,
        }
    }

    #[test]
    fn engine_time_is_computed_from_this_machines_clock() {
        let clock = Clock {
            own_boot: None,
            engine: Some((1_000_000, at(7_000_000, 500_000, 7))),
        };
        // This machine's clock was set back meanwhile.
        let now = at(3_000_000, 500_060, 7);
        assert_eq!(clock.engine_ms(now, now), 1_000_060);
        assert_eq!(clock.engine_ms(at(0, 500_050, 7), now), 1_000_050);
        // Accepted before this machine was started.
        assert_eq!(clock.engine_ms(at(2_999_000, 9, 6), now), 999_060);
        assert_eq!(Clock::default().engine_ms(at(5, 9, 8), now), 5);
    }

    #[test]
    fn time_of_another_machine_is_converted_by_the_engines_clock() {
        // This machine's clock is an hour fast.
        let hour = 3_600_000;
        let clock = Clock {
            own_boot: Some(7),
            engine: Some((1_000_000_000, at(1_000_000_000 + hour, 500_000, 7))),
        };
        let theirs = at(5, 9, 8);
        let found = clock.localise(theirs, 1_000_000_000 - 60_000);
        assert_eq!(found, at(1_000_000_000 + hour - 60_000, 440_000, 7));
        // Accepted since the clocks were compared.
        assert_eq!(clock.localise(theirs, 1_000_000_500).uptime_ms, 500_500);
        // The age of an entry from before this machine was started is not certain.
        let old = clock.localise(theirs, 1_000_000_000 - 600_000);
        assert_eq!(old, at(1_000_000_000 + hour - 600_000, 0, 0));
        let own = at(5, 9, 7);
        assert_eq!(clock.localise(own, 1), own);
        assert_eq!(Clock::default().localise(theirs, 1), theirs);
    }
}
