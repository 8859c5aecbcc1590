//! The log: the library's messages for the host. It is off until the host sets a callback or a level.
//!
//! Messages contain ids, statuses, URLs without credentials and quotes of the service, from which `http::scrub` removes
//! the visitor's values. They never contain a key, a token or a ticket.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use crate::host::CallbackSlot;
use crate::host::Mailbox;
use crate::host::{PerProcess, PerThread};

/// The level of a log message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LogLevel {
    /// Notifications were lost or may be lost: an operator must act.
    Error = 1,
    /// A problem that an operator should look at: a dead letter, an outage, expired or dropped
    /// notifications.
    Warn = 2,
    /// Delivery started or stopped, or the service is available again.
    Info = 3,
    /// Every attempt.
    Debug = 4,
}

impl LogLevel {
    /// The level with this C number, 1 to 4.
    #[must_use]
    pub fn from_code(code: i32) -> Option<LogLevel> {
        [Self::Error, Self::Warn, Self::Info, Self::Debug]
            .into_iter()
            .find(|l| *l as i32 == code)
    }
}

/// The callback of [`log_to`].
pub type LogCallback = Box<dyn Fn(LogLevel, &str) + Send + Sync>;

type Callback = dyn Fn(LogLevel, &str) + Send + Sync;

/// How many messages are kept for [`log_next`].
const MAX_KEPT_MESSAGES: usize = 256;

struct Log {
    /// The most verbose level that is logged; 0: none.
    level: AtomicU8,
    slot: CallbackSlot<Callback>,
    mailbox: Mailbox<(LogLevel, String)>,
}

static LOG: PerProcess<Log> = PerProcess::new();

fn log() -> &'static Log {
    // A forked child keeps the host's settings, unless another thread was changing them during the fork.
    LOG.get(|parents| Log {
        level: AtomicU8::new(parents.map_or(0, |p| p.level.load(Ordering::Relaxed))),
        slot: CallbackSlot::new(parents.and_then(|p| p.slot.peek())),
        mailbox: Mailbox::new(MAX_KEPT_MESSAGES),
    })
}

/// Sends the library's log messages up to `level` to `callback`, for the whole process. `None`
/// unregisters the callback.
///
/// The callback may run on any thread, including threads of the library. The library holds no lock
/// meanwhile, so the callback may call the library; messages about calls made within the callback
/// are not logged. A panic in the callback ends only that call. When this function returns, the
/// earlier callback has ended, unless the call was made from within it. A callback must not wait
/// for a thread that unregisters it.
pub fn log_to(level: LogLevel, callback: Option<LogCallback>) {
    let callback: Option<Arc<Callback>> = callback.map(Arc::from);
    log().level.store(
        callback.as_ref().map_or(0, |_| level as u8),
        Ordering::Relaxed,
    );
    log().slot.set(callback);
}

/// Keeps the last 256 messages up to `level` for [`log_next`]. `None`: no messages are kept. It is
/// for hosts that cannot be called back from a thread of the library.
pub fn log_keep(level: Option<LogLevel>) {
    log().slot.set(None);
    log()
        .level
        .store(level.map_or(0, |l| l as u8), Ordering::Relaxed);
    if level.is_none() {
        log().mailbox.clear();
    }
}

/// Returns the oldest kept message; waits for one for at most `timeout`.
#[must_use]
pub fn log_next(timeout: Duration) -> Option<(LogLevel, String)> {
    log().mailbox.take(timeout)
}

thread_local! {
    static DEFERRED: Cell<u32> = const { Cell::new(0) };
    static IS_LOGGING: Cell<bool> = const { Cell::new(false) };
}

static WAITING: PerThread<RefCell<Vec<(LogLevel, String)>>> = PerThread::new();

/// As long as this value lives, messages of this thread are deferred. It is for code that holds a
/// lock, because the log callback belongs to the host and may call the library. Make it before the
/// lock is taken, so that it is dropped after the lock.
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

/// Logs a message. `message` is not called if the level is not logged.
pub(crate) fn write(level: LogLevel, message: impl FnOnce() -> String) {
    // Messages about the callback's own calls would call it again without end.
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
