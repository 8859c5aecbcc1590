//! What the call that runs on this thread is doing right now, and until when it may.
//!
//! ureq calls our resolver and our TCP connection on the caller's thread and hands them no context of ours. They
//! find the deadline here, and leave here how far the exchange came, for the words of the receipt.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// The step that was under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Resolve,
    Connect,
    /// Asking the proxy for a way through.
    Tunnel,
    Tls,
    Exchange,
    Answer,
}

impl Step {
    /// The step in words, as in "while ...".
    pub(crate) fn words(self) -> &'static str {
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

thread_local! {
    static STEP: Cell<Step> = const { Cell::new(Step::Exchange) };
    static FRESH: Cell<bool> = const { Cell::new(false) };
    static WANTS_FRESH: Cell<bool> = const { Cell::new(false) };
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Begins an exchange: on a kept connection until the connector says otherwise.
pub(crate) fn begin(deadline: Instant) {
    STEP.set(Step::Exchange);
    FRESH.set(false);
    WANTS_FRESH.set(false);
    DEADLINE.set(Some(deadline));
}

/// Begins the same exchange again, on no kept connection.
pub(crate) fn begin_afresh(deadline: Instant) {
    begin(deadline);
    WANTS_FRESH.set(true);
}

/// Whether kept connections are to be closed instead of used.
pub(crate) fn wants_fresh_connection() -> bool {
    WANTS_FRESH.get()
}

pub(crate) fn enter(step: Step) {
    STEP.set(step);
}

pub(crate) fn step() -> Step {
    STEP.get()
}

pub(crate) fn connection_is_fresh() {
    FRESH.set(true);
    WANTS_FRESH.set(false);
}

pub(crate) fn is_fresh() -> bool {
    FRESH.get()
}

/// Moves the deadline closer, never further away.
pub(crate) fn at_most(limit: Duration) {
    let limit = Instant::now() + limit;
    DEADLINE.set(DEADLINE.get().map(|d| d.min(limit)));
}

/// What is left of the budget; `None` when it is spent.
pub(crate) fn remaining() -> Option<Duration> {
    let deadline = DEADLINE.get()?;
    let left = deadline.saturating_duration_since(Instant::now());
    (!left.is_zero()).then_some(left)
}
