//! The client: one notification at a time, blocking inside a time budget, or by way of the queue.

pub(crate) mod retry;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::host;
use crate::host::log;
use crate::http::{self, Pool, Request};
use crate::keys::{key_of, no_random_bytes, payment_token};
use crate::notification::{self, Message, Notification, Visitor};
use crate::options::{Config, Settings};
use crate::outcome::{Error, Receipt, Status};
use crate::queue::{self, OnDelivery, Queue, Stats};
use retry::{Policy, SystemClock};

/// What [`Client::on_delivery`] calls.
pub type DeliveryCallback = Box<dyn Fn(&Receipt) + Send + Sync>;

/// Sends notifications. May be used from any number of threads at once.
///
/// Cheap to make and to drop: clients whose options lead to the same place share their connections and their queue,
/// process-wide, and the connections stay warm for `keep_alive_s` after the last client went. After a fork, a client
/// works in the parent and in the child; the child opens connections of its own.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    pool: Arc<Pool>,
    /// Opened at the first need.
    queue: OnceLock<Arc<Queue>>,
    /// Under which the queue knows its listener.
    number: u64,
}

static LAST_NUMBER: AtomicU64 = AtomicU64::new(0);

impl Client {
    /// Makes a client. Nothing is sent, no file is written and no thread is started.
    ///
    /// # Errors
    /// [`Status::InvalidConfig`] if options are missing or contradict one another, if `ca_file` cannot be used, if
    /// `spool` is not an absolute path, or if `spool` is set and the feature `log-spool` is not; [`Status::SpoolFailed`] if the place of the spool cannot be used.
    pub fn new(config: &Config) -> Result<Client, Error> {
        let settings = config.settings()?;
        let pool = http::pool_of(&settings.service)?;
        let client = Client {
            settings,
            pool,
            queue: OnceLock::new(),
            number: LAST_NUMBER.fetch_add(1, Ordering::Relaxed),
        };
        if client.settings.queue.spool.is_some() {
            client.queue()?;
        }
        Ok(client)
    }

    /// Sends a notification, and waits for the answer.
    ///
    /// Blocks for at most `timeout_ms`, whatever the network does. With `on_failure = queue`, an outcome that may succeed
    /// later puts the notification into the queue, and the receipt says [`Status::Queued`].
    ///
    /// A payment is not sent again, and not put into the queue, if it may have arrived: the service would count it twice
    /// (option `payment_repeat`). An end of session is not sent while the queue of this client still holds older
    /// notifications: the call waits for them, for at most half of `timeout_ms`.
    ///
    /// # Errors
    /// An [`Error`] whose [`Error::receipt`] says what became of the notification. It may still have arrived when the
    /// status is [`Status::Timeout`], [`Status::ConnectionLost`], [`Status::BadResponse`] or [`Status::ServerError`]; for a
    /// payment the status is [`Status::MayHaveArrived`] then.
    pub fn notify(
        &self,
        visitor: &Visitor<'_>,
        notification: &Notification<'_>,
    ) -> Result<Receipt, Error> {
        with_elapsed(|start| self.deliver(visitor, notification, start))
    }

    /// Accepts a notification into the queue and returns; it is delivered later, by a thread of this process or by
    /// another process (`delivery`). The arguments are those of [`Client::notify`], and checked as there.
    ///
    /// Never waits on the network, and on the disk or other processes at most `enqueue_timeout_ms`.
    ///
    /// # Errors
    /// [`Status::InvalidArgument`], [`Status::QueueFull`] or [`Status::SpoolFailed`]; it was not accepted.
    pub fn enqueue(
        &self,
        visitor: &Visitor<'_>,
        notification: &Notification<'_>,
    ) -> Result<Receipt, Error> {
        with_elapsed(|_| {
            let message = self.message(visitor, notification)?;
            let queue = self.queue()?;
            let id = message.id.clone();
            let pushed = queue.push(message, (0, ""), self.enqueue_deadline());
            let unsent = match &pushed {
                Ok(()) => Receipt::unsent(Status::Queued, "queued", Duration::ZERO),
                Err(e) => Receipt::unsent(e.status(), e.detail(), Duration::ZERO),
            };
            Ok(Receipt { id, ..unsent })
        })
    }

    /// [`Client::notify`] of the commonest kind: the visitor added the product behind `ticket` to the cart. `id` names this
    /// one event; `None` makes a UUID.
    ///
    /// # Errors
    /// As [`Client::notify`].
    pub fn notify_add_to_cart(
        &self,
        visitor: &Visitor<'_>,
        ticket: &str,
        id: Option<&str>,
    ) -> Result<Receipt, Error> {
        self.notify(visitor, &add_to_cart(ticket, id))
    }

    /// [`Client::enqueue`] of the commonest kind.
    ///
    /// # Errors
    /// As [`Client::enqueue`].
    pub fn enqueue_add_to_cart(
        &self,
        visitor: &Visitor<'_>,
        ticket: &str,
        id: Option<&str>,
    ) -> Result<Receipt, Error> {
        self.enqueue(visitor, &add_to_cart(ticket, id))
    }

    /// Waits until everything that was accepted before the call has left the queue, for at most `timeout`; false if
    /// it has not, or others kept the spool busy for so long. What is left stays in the queue.
    ///
    /// # Errors
    /// [`Status::SpoolFailed`] if the spool cannot be read.
    pub fn flush(&self, timeout: Duration) -> Result<bool, Error> {
        self.queue()?.flush(host::deadline_after(timeout))
    }

    /// Flushes, and asks for the numbers afterwards, all within `timeout`. `None`: they could not be had by then.
    pub(crate) fn flush_and_count(
        &self,
        timeout: Duration,
    ) -> Result<(bool, Option<Stats>), Error> {
        self.queue()?.flush_and_count(timeout)
    }

    /// Ends this process's part in the delivery of the queue, for good: the process takes nothing more out of the queue,
    /// and the call waits until requests in flight are recorded, for at most `timeout`. Clients that share the queue,
    /// also later ones, do not deliver either. For services that are told to stop; [`stop_delivery`](crate::stop_delivery)
    /// does it for every spool of the process.
    ///
    /// Returns false if requests were still in flight after `timeout`: they are sent once more later, under the same
    /// ids. What is left stays in the queue, and enqueues keep working. Another process becomes the leader of a spool at
    /// once.
    ///
    /// # Errors
    /// [`Status::InvalidConfig`] if the queue cannot be used.
    pub fn stop_delivery(&self, timeout: Duration) -> Result<bool, Error> {
        Ok(self.queue()?.stop_delivery(timeout))
    }

    /// Whether this process's delivery, as the leader or on standby, polled the queue within `within`; a watchdog may
    /// rely on it. It polls at least once a second, unless a callback, the log or the disk does not return.
    ///
    /// # Errors
    /// [`Status::InvalidConfig`] if the queue cannot be used.
    pub fn has_polled(&self, within: Duration) -> Result<bool, Error> {
        Ok(self.queue()?.has_polled(within))
    }

    /// The queue in numbers.
    ///
    /// # Errors
    /// [`Status::SpoolFailed`] if the spool cannot be read within `enqueue_timeout_ms`.
    pub fn stats(&self) -> Result<Stats, Error> {
        let queue = self.queue()?;
        queue.wake();
        queue.stats(self.enqueue_deadline())
    }

    /// What became of a notification that went into the queue: [`Status::Queued`] while it waits; `None` if nothing
    /// is known of the id (never accepted here, or longer ago than `receipt_retention_s`).
    ///
    /// # Errors
    /// [`Status::SpoolFailed`] if the spool cannot be read within `enqueue_timeout_ms`.
    pub fn receipt(&self, id: &str) -> Result<Option<Receipt>, Error> {
        self.queue()?.receipt(id, self.enqueue_deadline())
    }

    /// Calls `callback`, on a thread of the library, for every notification that this process's delivery settles,
    /// after it is recorded. `None` ends it. When this returns, or the client is dropped, an earlier callback has
    /// ended (unless this is called from within it). Two callbacks that end each other at the same time wait for ever.
    /// A panic in it ends that call and nothing else. A forked child has no callback until it sets one.
    ///
    /// # Errors
    /// [`Status::InvalidConfig`] if the queue cannot be used.
    pub fn on_delivery(&self, callback: Option<DeliveryCallback>) -> Result<(), Error> {
        let queue = self.queue()?;
        match callback.map(Arc::<OnDelivery>::from) {
            Some(callback) => queue.listeners.call(self.number, callback),
            None => queue.listeners.forget(self.number),
        }
        Ok(())
    }

    /// The oldest notification that this process's delivery has settled and this method has not yet told of; waits
    /// for one for at most `timeout`. For hosts that cannot be called back.
    ///
    /// They are kept from the first call on, 1024 at most (of older ones [`Client::receipt`] knows), until
    /// `on_delivery(None)`.
    ///
    /// # Errors
    /// [`Status::InvalidConfig`] if the queue cannot be used.
    pub fn delivery_next(&self, timeout: Duration) -> Result<Option<Receipt>, Error> {
        Ok(self.queue()?.listeners.next(self.number, timeout))
    }

    /// When a call that begins now must be done with the spool.
    fn enqueue_deadline(&self) -> Instant {
        host::deadline_after(self.settings.queue.enqueue_timeout)
    }

    /// The checked notification as it is sent, with an id that is made if none is given.
    fn message(
        &self,
        visitor: &Visitor<'_>,
        notification: &Notification<'_>,
    ) -> Result<Message, Error> {
        let id = match notification.id {
            Some(id) => id.to_owned(),
            None => host::random().map(key_of).map_err(no_random_bytes)?,
        };
        let body = notification.encode(visitor, self.settings.market.as_deref(), &id)?;
        let token = match notification.private_key {
            Some(key) => Some(payment_token(key, &body)?),
            None => None,
        };
        Ok(Message {
            id,
            path: notification::path(notification.kind, token.as_deref()),
            body,
        })
    }

    fn deliver(
        &self,
        visitor: &Visitor<'_>,
        notification: &Notification<'_>,
        start: Instant,
    ) -> Result<Receipt, Error> {
        let deadline = start + self.settings.timeout;
        let message = self.message(visitor, notification)?;
        let unsent = |status, detail| Receipt {
            id: message.id.clone(),
            ..Receipt::unsent(status, detail, Duration::ZERO)
        };
        if notification::ends_session(&message.path)
            && let Some(queue) = self.queue_in_use()?
            && !queue.flush(start + self.settings.timeout / 2)?
        {
            let older = unsent(
                Status::Timeout,
                "older notifications are still in the queue",
            );
            return Ok(match self.settings.queue_on_failure {
                true => or_queue(
                    &queue,
                    message,
                    deadline,
                    "queued behind older notifications",
                    older,
                ),
                false => older,
            });
        }
        if !self.settings.queue_on_failure {
            return self.send(&message, deadline);
        }
        let queue = self.queue()?;
        // What an earlier process left in the spool is not to wait for the next failure.
        queue.wake();
        // For each of the two turns to the spool: the service gets at least half of the time.
        let reserve = self
            .settings
            .queue
            .enqueue_timeout
            .min(self.settings.timeout / 4);
        if queue.is_backing_off(start + reserve) {
            let reason = "deliveries are failing; queued at once";
            let failing = unsent(Status::ConnectFailed, "deliveries are failing");
            return Ok(or_queue(&queue, message, deadline, reason, failing));
        }
        let receipt = self.send(&message, deadline - reserve)?;
        if receipt.status.is_retryable() {
            return Ok(or_queue(&queue, message, deadline, "queued", receipt));
        }
        Ok(receipt)
    }

    fn send(&self, message: &Message, deadline: Instant) -> Result<Receipt, Error> {
        let pool = self.pool()?;
        let request = Request {
            path: &message.path,
            body: message.body.as_bytes(),
            may_repeat: self.settings.queue.may_repeat(&message.path),
            secrets: &|| notification::secrets(&message.path, &message.body),
        };
        let policy = Policy {
            max_attempts: self.settings.max_attempts,
            backoff: self.settings.backoff,
        };
        let (outcome, attempts) = retry::run(policy, deadline, &SystemClock, || {
            pool.transport.exchange(&request, deadline)
        });
        let mut detail = outcome.detail;
        if attempts > 1 {
            detail.push_str(&format!(" (attempt {attempts})"));
        }
        log::debug(|| format!("{}: {} {detail}", message.id, outcome.status));
        let receipt = Receipt {
            status: outcome.status,
            http_status: outcome.http_status,
            attempts,
            elapsed: Duration::ZERO,
            id: message.id.clone(),
            detail,
        };
        Ok(receipt)
    }

    /// The queue, if it may hold something that was accepted by a client with these options.
    fn queue_in_use(&self) -> Result<Option<Arc<Queue>>, Error> {
        let settings = &self.settings.queue;
        match settings.spool.is_some() || self.settings.queue_on_failure {
            true => self.queue().map(Some),
            false => Ok(queue::find_open(&self.settings.service, settings)),
        }
    }

    /// This process's pool: the client's own, or, in a forked child, one that the child made.
    fn pool(&self) -> Result<Arc<Pool>, Error> {
        if self.pool.is_ours() {
            Ok(Arc::clone(&self.pool))
        } else {
            http::pool_of(&self.settings.service)
        }
    }

    /// This process's queue, as with the pool.
    fn queue(&self) -> Result<Arc<Queue>, Error> {
        if let Some(queue) = self.queue.get().filter(|q| q.is_ours()) {
            return Ok(Arc::clone(queue));
        }
        let queue = queue::find_or_open(&self.settings.service, &self.settings.queue)?;
        queue.join(self.number, &self.settings.queue);
        Ok(if self.pool.is_ours() {
            Arc::clone(self.queue.get_or_init(|| queue))
        } else {
            queue
        })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if self.pool.is_ours() {
            if let Some(queue) = self.queue.get() {
                queue.leave(self.number);
            }
            return;
        }
        // In a forked child: a callback of the child's own ends as well.
        if let Some(queue) = queue::find_open(&self.settings.service, &self.settings.queue) {
            queue.leave(self.number);
        }
        // The connections and the spool are the parent's: one reference too many, and they are never closed.
        std::mem::forget(Arc::clone(&self.pool));
        std::mem::forget(self.queue.get().cloned());
    }
}

/// Runs a call, and puts its duration into the receipt; a receipt that is no success becomes the error.
fn with_elapsed(call: impl FnOnce(Instant) -> Result<Receipt, Error>) -> Result<Receipt, Error> {
    let start = Instant::now();
    let receipt = match call(start) {
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

fn add_to_cart<'a>(ticket: &'a str, id: Option<&'a str>) -> Notification<'a> {
    Notification {
        id,
        ..Notification::add_to_cart(ticket)
    }
}

/// Puts what did not get through into the queue; if that fails too, the receipt says both.
fn or_queue(
    queue: &Arc<Queue>,
    message: Message,
    deadline: Instant,
    reason: &str,
    mut receipt: Receipt,
) -> Receipt {
    let so_far = (receipt.attempts, receipt.detail.as_str());
    match queue.push(message, so_far, deadline) {
        Ok(()) => {
            receipt.status = Status::Queued;
            receipt.detail = match receipt.attempts {
                0 => reason.to_owned(),
                _ => format!("{reason}, after: {}", receipt.detail),
            };
        }
        Err(e) => receipt.detail.push_str(&format!("; not queued: {e}")),
    }
    receipt
}
