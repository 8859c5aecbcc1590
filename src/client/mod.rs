//! The client: one notification at a time, blocking, inside a time budget.

mod cores;
mod retry;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::{Config, Settings};
use crate::identity::new_key;
use crate::status::{Error, Receipt};
use crate::wire::{AddToCart, Visitor};
use retry::{Policy, SystemClock};

/// Sends notifications. May be used from any number of threads at once.
///
/// Cheap to make and to drop: clients whose options lead to the same place share their connections, process-wide,
/// and the connections stay warm for `keep_alive_s` after the last client went. After a fork, a client works in the
/// parent and in the child; the child opens connections of its own.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    core: Arc<cores::Core>,
}

impl Client {
    /// Makes a client. Nothing is sent and no thread is started.
    ///
    /// # Errors
    /// [`Status::InvalidConfig`](crate::Status::InvalidConfig) if options are missing or contradict one another, or `ca_file` cannot be used.
    pub fn new(config: &Config) -> Result<Client, Error> {
        let settings = config.settings()?;
        let core = cores::of(&settings.route)?;
        Ok(Client { settings, core })
    }

    /// Tells the service that `visitor` added the product behind `ticket` to the cart, and waits for the answer.
    ///
    /// Blocks for at most `timeout_ms`, whatever the network does. `ticket` is the service's own opaque string, 1
    /// to 8192 bytes, sent as it is. `id` names this one event, 1 to 128 bytes; `None` makes a UUID. It is the same
    /// in every attempt; to send the same event again later, pass the id of the receipt.
    ///
    /// # Errors
    /// An [`Error`] whose [`Error::receipt`] says what became of the notification. The event may still have arrived
    /// when the status is [`Status::Timeout`](crate::Status::Timeout), [`Status::ConnectionLost`](crate::Status::ConnectionLost) or [`Status::BadResponse`](crate::Status::BadResponse).
    pub fn notify_add_to_cart(
        &self,
        visitor: &Visitor<'_>,
        ticket: &str,
        id: Option<&str>,
    ) -> Result<Receipt, Error> {
        let start = Instant::now();
        let deadline = start + self.settings.timeout;
        let receipt = match self.deliver(visitor, ticket, id, deadline) {
            Ok(mut receipt) => {
                receipt.elapsed = start.elapsed();
                receipt
            }
            Err(error) => Receipt::unsent(error.status(), error.detail(), start.elapsed()),
        };
        if receipt.status.is_success() {
            Ok(receipt)
        } else {
            Err(receipt.into())
        }
    }

    fn deliver(
        &self,
        visitor: &Visitor<'_>,
        ticket: &str,
        id: Option<&str>,
        deadline: Instant,
    ) -> Result<Receipt, Error> {
        let id = match id {
            Some(id) => id.to_owned(),
            None => new_key()?,
        };
        let market = self.settings.market.as_deref();
        let body = AddToCart::new(visitor, market, &id, ticket)?.to_json()?;
        let core = self.core()?;
        let policy = Policy {
            max_attempts: self.settings.max_attempts,
            backoff: self.settings.backoff,
        };
        let (outcome, attempts) = retry::run(policy, deadline, &SystemClock, || {
            core.transport.exchange(&body, deadline)
        });
        let mut detail = outcome.detail;
        if attempts > 1 {
            detail.push_str(&format!(" (attempt {attempts})"));
        }
        Ok(Receipt {
            status: outcome.status,
            http_status: outcome.http_status,
            attempts,
            elapsed: Duration::ZERO,
            id,
            detail,
        })
    }

    /// This process's core: the client's own, or, in a forked child, one that the child made.
    fn core(&self) -> Result<Arc<cores::Core>, Error> {
        if self.core.is_ours() {
            Ok(Arc::clone(&self.core))
        } else {
            cores::of(&self.settings.route)
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if !self.core.is_ours() {
            // In a forked child: the connections are the parent's. One reference too many, and they are never closed.
            std::mem::forget(Arc::clone(&self.core));
        }
    }
}
