//! Packs times, receipts, attempts and gates into text. Scripts copy the text unchanged, because Lua's numbers would
//! lose the last digits.

use std::time::Duration;

use crate::host::{Timestamp, millis};
use crate::outcome::{Receipt, Status};
use crate::spool::{Gate, Settlement};

pub(super) fn pack_time(at: Timestamp) -> String {
    format!("{} {} {}", at.unix_ms, at.uptime_ms, at.boot)
}

/// The most that four numbers of 64 bits and two of 32 take, in bytes, with a blank after each.
const NUMBERS: usize = 4 * 21 + 2 * 11;

/// What an entry's field `a` holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct About<'a> {
    /// When the notification was accepted, by the engine's clock in milliseconds since 1970.
    pub(super) engine_ms: u64,
    /// The same by the producer's clock.
    pub(super) accepted: Timestamp,
    pub(super) producer: u64,
    pub(super) attempts: u32,
    pub(super) detail: &'a str,
}

impl<'a> About<'a> {
    /// Scripts read the numbers. The text is allocated once, because each enqueue packs one.
    pub(super) fn pack(&self) -> String {
        let mut packed = String::with_capacity(NUMBERS + self.detail.len());
        for number in [
            self.engine_ms,
            self.accepted.unix_ms,
            self.accepted.uptime_ms,
            self.accepted.boot.into(),
            self.producer,
            self.attempts.into(),
        ] {
            packed.push_str(itoa::Buffer::new().format(number));
            packed.push(' ');
        }
        packed.push_str(self.detail);
        packed
    }

    pub(super) fn unpack(text: &'a str) -> Option<About<'a>> {
        let mut columns = Columns(text);
        Some(About {
            engine_ms: columns.number()?,
            accepted: columns.time()?,
            producer: columns.number()?,
            attempts: columns.number()?,
            detail: columns.0,
        })
    }
}

/// Parses numbers separated by blanks, followed by text.
struct Columns<'a>(&'a str);

impl<'a> Columns<'a> {
    fn next(&mut self) -> Option<&'a str> {
        if self.0.is_empty() {
            return None;
        }
        let (column, rest) = self.0.split_once(' ').unwrap_or((self.0, ""));
        self.0 = rest;
        Some(column)
    }

    fn number<T: std::str::FromStr>(&mut self) -> Option<T> {
        self.next()?.parse().ok()
    }

    fn time(&mut self) -> Option<Timestamp> {
        Some(Timestamp {
            unix_ms: self.number()?,
            uptime_ms: self.number()?,
            boot: self.number()?,
        })
    }

    fn status(&mut self) -> Option<Status> {
        Status::from_code(self.number()?)
    }

    fn http_status(&mut self) -> Option<Option<u16>> {
        let code: u16 = self.number()?;
        Some((code != 0).then_some(code))
    }
}

pub(super) fn pack_gate(gate: Gate) -> String {
    format!("{} {} {}", gate.failures, gate.closed_at, gate.pause)
}

pub(super) fn gate(text: &str) -> Option<Gate> {
    let mut columns = Columns(text);
    Some(Gate {
        failures: columns.number()?,
        closed_at: columns.number()?,
        pause: columns.number()?,
    })
}

/// The last attempt of an entry that is still pending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LastAttempt {
    pub(super) attempts: u32,
    pub(super) status: Status,
    pub(super) http_status: Option<u16>,
    pub(super) at: Timestamp,
    pub(super) pause: Duration,
    pub(super) detail: String,
}

impl LastAttempt {
    pub(super) fn new(settlement: &Settlement, pause: Duration) -> LastAttempt {
        LastAttempt {
            attempts: settlement.item.attempts,
            status: settlement.status,
            http_status: settlement.http_status,
            at: settlement.at,
            pause,
            detail: settlement.detail.clone(),
        }
    }

    /// The number of attempts comes first, because scripts read it.
    pub(super) fn pack(&self) -> String {
        format!(
            "{} {} {} {} {} {}",
            self.attempts,
            self.status.code(),
            self.http_status.unwrap_or(0),
            pack_time(self.at),
            millis(self.pause),
            self.detail
        )
    }

    pub(super) fn unpack(text: &str) -> Option<LastAttempt> {
        let mut columns = Columns(text);
        Some(LastAttempt {
            attempts: columns.number()?,
            status: columns.status()?,
            http_status: columns.http_status()?,
            at: columns.time()?,
            pause: Duration::from_millis(columns.number()?),
            detail: columns.0.to_owned(),
        })
    }
}

/// The receipt of a notification that left the spool, and the time. The status is second, because scripts read it.
pub(super) fn pack_receipt(settlement: &Settlement) -> String {
    let receipt = settlement.receipt();
    let mut packed = format!(
        "r {} {} {} {} {} ",
        receipt.status.code(),
        receipt.http_status.unwrap_or(0),
        receipt.attempts,
        millis(receipt.elapsed),
        pack_time(settlement.at),
    );
    packed.push_str(&receipt.detail);
    packed
}

/// A stored receipt, and the time at which its notification left.
pub(super) fn receipt(id: &str, text: &str) -> Option<(Receipt, Timestamp)> {
    let mut columns = Columns(text);
    match columns.next()? {
        "r" => {
            let status = columns.status()?;
            let http_status = columns.http_status()?;
            let attempts = columns.number()?;
            let elapsed = Duration::from_millis(columns.number()?);
            let at = columns.time()?;
            let receipt = Receipt {
                status,
                http_status,
                attempts,
                elapsed,
                id: id.to_owned(),
                detail: columns.0.to_owned(),
            };
            Some((receipt, at))
        }
        // A script wrote this receipt when it dropped the notification.
        "x" => {
            let accepted = columns.time()?;
            let at = columns.time()?;
            let attempts = columns.number()?;
            let detail = match columns.next()? {
                "m" => "dropped to make room for newer notifications",
                _ => "dropped by an operator",
            };
            let receipt = Receipt {
                status: Status::Dropped,
                http_status: None,
                attempts,
                elapsed: at.since(accepted).length,
                id: id.to_owned(),
                detail: detail.to_owned(),
            };
            Some((receipt, at))
        }
        _ => None,
    }
}

/// Age at delivery, and latency of the last attempt.
pub(super) fn pack_recent(settlement: &Settlement) -> String {
    let latency = u64::try_from(settlement.latency.as_micros()).unwrap_or(u64::MAX);
    format!("{} {latency}", millis(settlement.age()))
}

pub(super) fn recent(text: &str) -> Option<(Duration, Duration)> {
    let mut columns = Columns(text);
    let age = Duration::from_millis(columns.number()?);
    Some((age, Duration::from_micros(columns.number()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_values_round_trip() {
        let at = Timestamp {
            unix_ms: u64::MAX,
            uptime_ms: 0,
            boot: u32::MAX,
        };
        let most = Gate {
            failures: u32::MAX,
            closed_at: u64::MAX,
            pause: u64::MAX,
        };
        assert_eq!(gate(&pack_gate(most)), Some(most));
        for detail in ["", " ", "a b  c", "\n\t\0", "r 1"] {
            let about = About {
                engine_ms: u64::MAX,
                accepted: at,
                producer: u64::MAX,
                attempts: u32::MAX,
                detail,
            };
            assert_eq!(About::unpack(&about.pack()), Some(about));
            let last = LastAttempt {
                attempts: u32::MAX,
                status: Status::ServerError,
                http_status: Some(503),
                at,
                pause: Duration::from_millis(u64::MAX),
                detail: detail.to_owned(),
            };
            assert_eq!(LastAttempt::unpack(&last.pack()), Some(last));
        }
        for garbage in ["", " ", "1", "1 2", "x", "r", "r a", "1 2 x"] {
            assert_eq!(gate(garbage), None);
            assert!(About::unpack(garbage).is_none());
            assert!(receipt("id", garbage).is_none());
            assert!(LastAttempt::unpack(garbage).is_none());
        }
    }
}
