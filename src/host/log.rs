//! What the library says about its doings, to whoever the host names. Silent until then.
//!
//! Never a key, a token or a ticket: messages hold ids, statuses, addresses without credentials, and the service's
//! words, from which the visitor's values are taken out (see `transport`).

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use crate::host::CallbackSlot;
use crate::host::Mailbox;
use crate::host::{PerProcess, PerThread};

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
const MAX_KEPT_MESSAGES: usize = 256;

struct Log {
    /// The most verbose level that is wanted; 0: none.
    level: AtomicU8,
    slot: CallbackSlot<Callback>,
    mailbox: Mailbox<(LogLevel, String)>,
}

static LOG: PerProcess<Log> = PerProcess::new();

fn log() -> &'static Log {
    // A forked child keeps the host's choice, unless it was forked while another thread was just changing it.
    LOG.get(|parents| Log {
        level: AtomicU8::new(parents.map_or(0, |p| p.level.load(Ordering::Relaxed))),
        slot: CallbackSlot::new(parents.and_then(|p| p.slot.peek())),
        mailbox: Mailbox::new(MAX_KEPT_MESSAGES),
    })
}

/// Sends the library's messages, up to `level`, to `callback`, process-wide; `None` ends it. The callback runs on
/// any thread, the library's own among them, with no lock of the library held, and may use the library; what the
/// library would have to say of such a call, on the same thread, is not said. A panic ends that call and nothing else.
/// When this returns, an earlier callback has ended, unless this is called from within it. A callback must not wait
/// for a thread that takes it back.
pub fn log_to(level: LogLevel, callback: Option<LogCallback>) {
    let callback: Option<Arc<Callback>> = callback.map(Arc::from);
    log().level.store(
        callback.as_ref().map_or(0, |_| level as u8),
        Ordering::Relaxed,
    );
    log().slot.set(callback);
}

/// Keeps the last 256 messages, up to `level`, for [`log_next`]; `None` ends it. For hosts that cannot be called
/// from a thread of ours.
pub fn log_keep(level: Option<LogLevel>) {
    log().slot.set(None);
    log()
        .level
        .store(level.map_or(0, |l| l as u8), Ordering::Relaxed);
    if level.is_none() {
        log().mailbox.clear();
    }
}

/// Takes the oldest message that was kept; waits for one for at most `timeout`.
#[must_use]
pub fn log_next(timeout: Duration) -> Option<(LogLevel, String)> {
    log().mailbox.take(timeout)
}

thread_local! {
    static DEFERRED: Cell<u32> = const { Cell::new(0) };
    static IS_LOGGING: Cell<bool> = const { Cell::new(false) };
}

static WAITING: PerThread<RefCell<Vec<(LogLevel, String)>>> = PerThread::new();

/// While this lives, what this thread says waits. For sections in which a lock is held: the callback is the host's, and
/// may call us. To be made before the lock is taken, so that it ends after it.
#[must_use]
pub(crate) struct DeferredLog(());

pub(crate) fn defer() -> DeferredLog {
    DEFERRED.set(DEFERRED.get() + 1);
    DeferredLog(())
}

impl Drop for DeferredLog {
    fn drop(&mut self) {
        DEFERRED.set(DEFERRED.get() - 1);
        if DEFERRED.get() > 0 {
            return;
        }
        let waiting = WAITING.with(RefCell::take).unwrap_or_default();
        for (level, message) in waiting {
            write_now(level, message);
        }
    }
}

/// Says it, if anybody listens; `message` is not called otherwise.
pub(crate) fn write(level: LogLevel, message: impl FnOnce() -> String) {
    // What a callback causes by its own calls would call it again, without end.
    if IS_LOGGING.get() || (level as u8) > log().level.load(Ordering::Relaxed) {
        return;
    }
    let message = message();
    if DEFERRED.get() == 0 {
        write_now(level, message);
    } else {
        WAITING.with(|waiting| waiting.borrow_mut().push((level, message)));
    }
}

fn write_now(level: LogLevel, message: String) {
    let mut was_called = false;
    log().slot.run(|callback| {
        was_called = true;
        IS_LOGGING.set(true);
        callback(level, &message);
    });
    IS_LOGGING.set(false);
    if !was_called {
        log().mailbox.keep((level, message));
    }
}

pub(crate) fn error(message: impl FnOnce() -> String) {
    write(LogLevel::Error, message);
}

pub(crate) fn warn(message: impl FnOnce() -> String) {
    write(LogLevel::Warn, message);
}

pub(crate) fn info(message: impl FnOnce() -> String) {
    write(LogLevel::Info, message);
}

pub(crate) fn debug(message: impl FnOnce() -> String) {
    write(LogLevel::Debug, message);
}
