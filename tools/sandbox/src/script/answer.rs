//! Scripted answers: answers for the next requests, instead of the normal answer.

use std::fmt;

/// One scripted answer, made from text such as `503:retry-after=1:times=2`.
///
/// | action | what the client gets |
/// |---|---|
/// | `normal` | the normal answer; with `wait`, late |
/// | `200`..`599` | that status, through the normal server |
/// | `hang` | the request is read and never answered |
/// | `close` | the request is read, the connection closed without a byte |
/// | `reset` | the same with a TCP reset |
/// | `drip` | a complete 204 (200 with `body`), one byte at a time from the status line on |
/// | `drip-body` | a 200 head at once, then 1000 bytes of body, one at a time |
/// | `endless` | a 200 whose chunked body never ends, as fast as the client reads |
/// | `endless-head` | a 200 whose header lines never end |
/// | `garbage` | bytes that are not HTTP, then the end of the connection |
///
/// | modifier | goes with | meaning |
/// |---|---|---|
/// | `wait=MS` | all | pause before answering, 0..=3600000 ms |
/// | `times=N` | all | the next N requests get it, 1..=1000000000; `times=forever`: all later requests |
/// | `retry-after=TEXT` | a status | the value of the header, unchanged |
/// | `location=URL` | a status | the value of the header, unchanged |
/// | `body=TEXT` | a status, `drip` | the body, as `text/plain; charset=utf-8` |
/// | `then=close` | a status | the connection is closed after the answer, without `Connection: close` |
/// | `percent=N` | all | this share of the requests gets it, 1..=100, default 100; the others get the normal answer. `times` counts both |
/// | `every=MS` | `drip`, `drip-body` | pause between two bytes, 1..=3600000 ms, default 1000 |
///
/// `Display` writes the text in one canonical form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub(crate) action: Action,
    pub(crate) wait_ms: u64,
    pub(crate) times: u64,
    /// The share of the requests that get it, in percent.
    pub(crate) percent: u64,
}

/// Default pause between two bytes (`every`), in milliseconds.
pub(crate) const DEFAULT_EVERY_MS: u64 = 1_000;
/// Every request, the default of `percent`.
pub(crate) const ALL_PERCENT: u64 = 100;
/// The `times` of an answer that is given until the script is replaced.
pub(crate) const FOR_EVER: u64 = u64::MAX;

/// How to answer the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// The normal answer, according to the checks of the notification.
    Normal,
    Status(Status),
    Hang,
    Close,
    Reset,
    Drip {
        every_ms: u64,
        body: Option<String>,
    },
    DripBody {
        every_ms: u64,
    },
    Endless,
    EndlessHead,
    Garbage,
}

/// A complete HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) code: u16,
    pub(crate) retry_after: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) body: Option<String>,
    pub(crate) then_close: bool,
}

impl Answer {
    /// Whether request number `seq` gets this answer (`percent`). The choice looks random, and is the same in each run.
    pub(crate) fn is_given_to(&self, seq: u64) -> bool {
        self.percent == ALL_PERCENT || mixed(seq) % ALL_PERCENT < self.percent
    }

    /// Whether this is the normal answer.
    pub(crate) fn is_normal(&self) -> bool {
        self.action == Action::Normal
    }

    /// The status of the answer, if the script sets one.
    pub(crate) fn status(&self) -> Option<u16> {
        match &self.action {
            Action::Status(status) => Some(status.code),
            Action::Drip { body, .. } => Some(if body.is_some() { 200 } else { 204 }),
            Action::DripBody { .. } | Action::Endless => Some(200),
            Action::Normal
            | Action::Hang
            | Action::Close
            | Action::Reset
            | Action::EndlessHead
            | Action::Garbage => None,
        }
    }

    /// The body of the answer, if the script sets one.
    pub(crate) fn body(&self) -> Option<&str> {
        match &self.action {
            Action::Status(status) => status.body.as_deref(),
            Action::Drip { body, .. } => body.as_deref(),
            _ => None,
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |f: &mut fmt::Formatter<'_>, key: &str, value: &Option<String>| match value {
            Some(value) => write!(f, ":{key}={}", quoted(value)),
            None => Ok(()),
        };
        let every = |f: &mut fmt::Formatter<'_>, every_ms: u64| match every_ms {
            DEFAULT_EVERY_MS => Ok(()),
            ms => write!(f, ":every={ms}"),
        };
        match &self.action {
            Action::Status(status) => write!(f, "{}", status.code)?,
            Action::Normal => f.write_str("normal")?,
            Action::Hang => f.write_str("hang")?,
            Action::Close => f.write_str("close")?,
            Action::Reset => f.write_str("reset")?,
            Action::Drip { .. } => f.write_str("drip")?,
            Action::DripBody { .. } => f.write_str("drip-body")?,
            Action::Endless => f.write_str("endless")?,
            Action::EndlessHead => f.write_str("endless-head")?,
            Action::Garbage => f.write_str("garbage")?,
        }
        if self.wait_ms > 0 {
            write!(f, ":wait={}", self.wait_ms)?;
        }
        match &self.action {
            Action::Status(status) => {
                text(f, "retry-after", &status.retry_after)?;
                text(f, "location", &status.location)?;
                text(f, "body", &status.body)?;
                if status.then_close {
                    f.write_str(":then=close")?;
                }
            }
            Action::Drip { every_ms, body } => {
                text(f, "body", body)?;
                every(f, *every_ms)?;
            }
            Action::DripBody { every_ms } => every(f, *every_ms)?,
            _ => {}
        }
        if self.percent != ALL_PERCENT {
            write!(f, ":percent={}", self.percent)?;
        }
        if self.times == FOR_EVER {
            f.write_str(":times=forever")?;
        } else if self.times > 1 {
            write!(f, ":times={}", self.times)?;
        }
        Ok(())
    }
}

/// Maps a number to one that looks random (the finaliser of SplitMix64).
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// The value, in quotes if the grammar needs them.
fn quoted(value: &str) -> String {
    let plain = value.trim() == value && !value.is_empty() && !value.contains([',', ':', '"']);
    if plain {
        value.to_owned()
    } else {
        format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
    }
}
