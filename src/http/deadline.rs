//! The deadline of the call that runs on this thread, and the step that the call has reached.
//!
//! ureq calls our connections on the caller's thread and hands them no context of ours. They find the deadline here,
//! and leave here how far the exchange came, for the message of the receipt.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::time::{Duration, Instant};

/// The step that is in progress.
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
    /// The step as it reads after "while ...".
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

/// The error inside the I/O error of a call whose budget is spent.
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

/// Begins an exchange: on a kept connection until the dialer says otherwise.
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

/// Moves the deadline closer, never further away.
pub(crate) fn at_most(limit: Duration) {
    let limit = Instant::now() + limit;
    DEADLINE.set(DEADLINE.get().map(|d| d.min(limit)));
}

/// The rest of the budget; `None` when it is spent.
pub(crate) fn remaining() -> Option<Duration> {
    let deadline = DEADLINE.get()?;
    let left = deadline.saturating_duration_since(Instant::now());
    (!left.is_zero()).then_some(left)
}

/// The rest of the budget, or the error that ends the call.
pub(crate) fn check() -> io::Result<Duration> {
    remaining().ok_or_else(spent)
}

/// The error that ends a call whose budget is spent.
pub(crate) fn spent() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, BudgetSpent)
}
