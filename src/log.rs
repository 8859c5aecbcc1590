//! What the library says about its doings, to whoever the host names. Silent until then.
//!
//! Never a key, a token or a ticket: messages hold ids, statuses, addresses without credentials, and the service's
//! words, from which the visitor's values are taken out (see `transport`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use crate::hook::Hook;
use crate::host::PerProcess;
use crate::kept::Kept;

/// How bad, or how much detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LogLevel {
    /// Events may be lost, or were: an operator must act.
    Error = 1,
    /// Something to look at: a dead letter, an outage, expired or dropped events.
    Warn = 2,
    /// Turns in the delivery: it starts, it ends, the service is back.
    Info = 3,
    /// Every attempt.
    Debug = 4,
}

impl LogLevel {
    /// The level of a C number from 1 to 4.
    #[must_use]
    pub fn from_code(code: i32) -> Option<LogLevel> {
        [Self::Error, Self::Warn, Self::Info, Self::Debug]
            .into_iter()
            .find(|l| *l as i32 == code)
    }
}

/// What [`log_to`] calls.
pub type LogCallback = Box<dyn Fn(LogLevel, &str) + Send + Sync>;

type Callback = dyn Fn(LogLevel, &str) + Send + Sync;

/// How many messages wait for [`log_next`].
const KEPT: usize = 256;

struct Log {
    /// The most verbose level that is wanted; 0: none.
    level: AtomicU8,
    hook: Hook<Callback>,
    kept: Kept<(LogLevel, String)>,
}

static LOG: PerProcess<Log> = PerProcess::new();

fn log() -> &'static Log {
    // A forked child keeps the host's choice.
    LOG.get(|parents| Log {
        level: AtomicU8::new(parents.map_or(0, |p| p.level.load(Ordering::Relaxed))),
        hook: Hook::new(parents.and_then(|p| p.hook.peek())),
        kept: Kept::new(KEPT),
    })
}

/// Sends the library's messages, up to `level`, to `callback`, process-wide; `None` ends it. The callback runs on
/// any thread, the library's own among them. When this returns, an earlier callback has ended.
pub fn log_to(level: LogLevel, callback: Option<LogCallback>) {
    let callback: Option<Arc<Callback>> = callback.map(Arc::from);
    log().level.store(
        callback.as_ref().map_or(0, |_| level as u8),
        Ordering::Relaxed,
    );
    log().hook.set(callback);
}

/// Keeps the last 256 messages, up to `level`, for [`log_next`]; `None` ends it. For hosts that cannot be called
/// from a thread of ours.
pub fn log_keep(level: Option<LogLevel>) {
    log().hook.set(None);
    log()
        .level
        .store(level.map_or(0, |l| l as u8), Ordering::Relaxed);
    if level.is_none() {
        log().kept.clear();
    }
}

/// Takes the oldest message that was kept; waits for one for at most `timeout`.
#[must_use]
pub fn log_next(timeout: Duration) -> Option<(LogLevel, String)> {
    log().kept.take(timeout)
}

/// Says it, if anybody listens; `words` is not called otherwise.
pub(crate) fn say(level: LogLevel, words: impl FnOnce() -> String) {
    if (level as u8) > log().level.load(Ordering::Relaxed) {
        return;
    }
    let words = words();
    let mut was_called = false;
    log().hook.run(|callback| {
        was_called = true;
        callback(level, &words);
    });
    if !was_called {
        log().kept.keep((level, words));
    }
}

pub(crate) fn error(words: impl FnOnce() -> String) {
    say(LogLevel::Error, words);
}

pub(crate) fn warn(words: impl FnOnce() -> String) {
    say(LogLevel::Warn, words);
}

pub(crate) fn info(words: impl FnOnce() -> String) {
    say(LogLevel::Info, words);
}

pub(crate) fn debug(words: impl FnOnce() -> String) {
    say(LogLevel::Debug, words);
}
