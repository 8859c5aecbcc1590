//! The deadline of the call on this thread, and the step that the call has reached.
//!
//! ureq calls our connections on the caller's thread and passes them no context. They read the
//! deadline here, and store here how far the exchange has come, for the message of the receipt.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::time::{Duration, Instant};

/// The current step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Resolve,
    Connect,
    /// Asking the proxy to open a tunnel.
    Tunnel,
    Tls,
    Exchange,
    Answer,
}

impl Step {
    /// The text of the step for a message, after "while ...".
    pub(crate) fn text(self) -> &'static str {
        match self {
            Step::Resolve => "looking up the host name",
            Step::Connect => "connecting",
            Step::Tunnel => "asking the proxy for a connection",
            Step::Tls => "setting up TLS",
            Step::Exchange => "waiting for the answer",
            Step::Answer => "reading the answer",
        }
    }
}

/// The inner error of an I/O error after the deadline.
#[derive(Debug)]
pub(crate) struct BudgetSpent;

impl fmt::Display for BudgetSpent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time budget has ended")
    }
}

impl std::error::Error for BudgetSpent {}

thread_local! {
    static STEP: Cell<Step> = const { Cell::new(Step::Exchange) };
    static FRESH: Cell<bool> = const { Cell::new(false) };
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Begins an exchange. It is assumed to use a kept connection until the dialer makes a new one.
pub(crate) fn begin(deadline: Instant) {
    STEP.set(Step::Exchange);
    FRESH.set(false);
    DEADLINE.set(Some(deadline));
}

pub(crate) fn enter(step: Step) {
    STEP.set(step);
}

pub(crate) fn step() -> Step {
    STEP.get()
}

pub(crate) fn connection_is_fresh() {
    FRESH.set(true);
}

pub(crate) fn is_fresh() -> bool {
    FRESH.get()
}

/// Moves the deadline to an earlier time. It is never moved to a later one.
pub(crate) fn at_most(limit: Duration) {
    let limit = Instant::now() + limit;
    DEADLINE.set(DEADLINE.get().map(|d| d.min(limit)));
}

/// The time until the deadline; `None`: the deadline has passed.
pub(crate) fn remaining() -> Option<Duration> {
    let deadline = DEADLINE.get()?;
    let left = deadline.saturating_duration_since(Instant::now());
    (!left.is_zero()).then_some(left)
}

/// The time until the deadline, or the error that ends the call.
pub(crate) fn check() -> io::Result<Duration> {
    remaining().ok_or_else(spent)
}

/// The error that ends a call after its deadline.
pub(crate) fn spent() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, BudgetSpent)
}
