//! A spool in a Redis or Valkey server, for several machines. docs/fleet.md describes it for users, FORMAT.md describes
//! its keys.
//!
//! Each change is one Lua script, which the engine runs atomically. Producers push. One drainer, which holds the key
//! `lead`, fetches and settles. Order and age are measured by the engine's clock.

mod acceptances;
mod ahead;
mod breaker;
mod checks;
mod codec;
mod connection;
mod engine;
mod entry;
mod fallback;
mod forwarder;
mod inlet;
mod lease;
mod ledger;
mod operator;
mod primary;
mod report;
mod resp;
mod script;
#[cfg(test)]
mod tests;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Instant;

pub use report::EngineReport;
pub(crate) use report::inspect;

use super::{Spool, new_producer};
use crate::host::{Timestamp, millis};
use crate::options::{EnginePlace, QueueSettings};
use crate::outcome::{Error, Status};
use acceptances::Acceptances;
use engine::{Engine, Failure};
use entry::Clock;
use fallback::FallbackSpool;
use resp::{Command, Value};
use script::Script;

/// The engine keeps a receipt a little longer than the receipt is valid, because its clock may differ from this
/// machine's.
const RECEIPT_MARGIN_MS: u64 = 60_000;

/// Opens the spool of an engine, without connecting.
pub(super) fn open(
    place: &EnginePlace,
    settings: &QueueSettings,
    creates: bool,
) -> Result<Arc<dyn Spool>, Error> {
    let own_boot = Some(Timestamp::now().boot);
    let engine = RedisSpool::new(place, settings, creates, own_boot)?;
    Ok(match &settings.spool_fallback {
        Some(path) => Arc::new(FallbackSpool::new(engine, path, settings, creates)?),
        None => Arc::new(engine),
    })
}

/// A spool in an engine, for one producer.
#[derive(Debug, Clone)]
pub(crate) struct RedisSpool {
    shared: Arc<Shared>,
}

/// State that the spool's handle and its lease share.
#[derive(Debug)]
struct Shared {
    engine: Engine,
    settings: QueueSettings,
    /// Whether a missing spool is made. Not for an operator, who may have mistyped the name.
    creates: bool,
    own_boot: Option<u32>,
    acceptances: Mutex<Acceptances>,
    /// The newest position when lost notifications were last pushed again. A mark from before is not after them.
    pushed_again: AtomicU64,
    /// The value of `Engine::replications` when an operator last listed items.
    listed: AtomicU64,
}

impl RedisSpool {
    /// `own_boot`: see `Clock::own_boot`.
    fn new(
        place: &EnginePlace,
        settings: &QueueSettings,
        creates: bool,
        own_boot: Option<u32>,
    ) -> Result<RedisSpool, Error> {
        let producer = new_producer()?;
        Ok(RedisSpool {
            shared: Arc::new(Shared {
                engine: Engine::new(place, settings)?,
                settings: settings.clone(),
                creates,
                own_boot,
                acceptances: Mutex::new(Acceptances::new(producer)),
                pushed_again: AtomicU64::new(0),
                listed: AtomicU64::new(0),
            }),
        })
    }
}

impl Shared {
    fn clock(&self) -> Clock {
        Clock {
            own_boot: self.own_boot,
            engine: self.engine.clock(),
        }
    }

    fn failed(&self, failure: &Failure) -> Error {
        self.engine.failed(failure)
    }

    /// How long the engine keeps a receipt, in milliseconds; 0: it keeps none.
    fn receipt_ms(&self) -> u64 {
        match millis(self.settings.receipt_retention) {
            0 => 0,
            ms => ms.saturating_add(RECEIPT_MARGIN_MS),
        }
    }

    /// The same for a notification that has left the spool. By its receipt the engine knows a payment that is enqueued
    /// again, and one from a fallback can come as late as `max_age`; after that it is no longer sent.
    fn receipt_ms_of(&self, path: &str) -> u64 {
        match self.settings.may_repeat(path) {
            true => self.receipt_ms(),
            false => self
                .receipt_ms()
                .max(millis(self.settings.max_age).saturating_add(RECEIPT_MARGIN_MS)),
        }
    }

    /// Calls a script that changes nothing, or may be called twice.
    fn call(
        &self,
        script: &Script,
        arguments: &Command,
        deadline: Instant,
    ) -> Result<Value, Error> {
        self.call_within(script, arguments, None, deadline)
    }

    /// Calls a script. `within`: see `Engine::call_all`.
    fn call_within(
        &self,
        script: &Script,
        arguments: &Command,
        within: Option<u64>,
        deadline: Instant,
    ) -> Result<Value, Error> {
        let called = self.engine.call(script, arguments, within, deadline);
        called.map_err(|failure| self.failed(&failure))
    }

    /// The error for an unexpected reply.
    fn odd(&self) -> Error {
        let text = format!(
            "spool {}: the engine sent an unexpected reply",
            self.engine.place
        );
        Error::new(Status::SpoolFailed, text)
    }

    /// The error for an entry that another program has written or changed.
    fn unreadable(&self, of: &str, entry: &Value) -> Error {
        let id = entry.list().and_then(|parts| parts.first()?.text());
        let text = format!(
            "spool {}: the entry {} of {of} cannot be read, because another program has written or changed it: remove it with XDEL",
            self.engine.place,
            id.unwrap_or_default()
        );
        Error::new(Status::SpoolFailed, text)
    }

    fn missing(&self) -> Error {
        let text = format!(
            "spool {}: there is no spool of this name in the engine: nothing was ever enqueued, or its keys were deleted",
            self.engine.place
        );
        Error::new(Status::SpoolFailed, text)
    }
}
