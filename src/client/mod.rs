//! The client: sends one notification within a time budget, or enqueues it.

pub(crate) mod retry;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::host;
use crate::host::log;
use crate::http::{self, Pool, Request};
use crate::keys::{key_of, no_random_bytes, payment_token};
use crate::notification::{self, MAX_ID, Message, Notification, Visitor};
use crate::options::{Config, Settings};
use crate::outcome::{Error, Receipt, Status};
use crate::queue::{self, OnDelivery, Queue, Stats};
use retry::{Policy, SystemClock};

/// The callback of [`Client::on_delivery`].
pub type DeliveryCallback = Box<dyn Fn(&Receipt) + Send + Sync>;

/// The callback of [`Client::on_timed_delivery`]: it gets the receipt, and the duration of the attempt that decided the
/// outcome.
pub type TimedDeliveryCallback = Box<dyn Fn(&Receipt, Duration) + Send + Sync>;

/// Sends notifications. Any number of threads may use it at once.
///
/// Clients are cheap to make and to drop. In one process, clients that have the same endpoint
/// settings share their connections, and clients that have the same options share their queue.
/// Connections stay open for `keep_alive_s` after the last client is dropped. After a fork, a
/// client works in the parent and in the child; the child opens its own connections.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    pool: Arc<Pool>,
    /// Opened on first use.
    queue: OnceLock<Arc<Queue>>,
    /// The number under which the queue stores this client's listener.
    number: u64,
}

static LAST_NUMBER: AtomicU64 = AtomicU64::new(0);

impl Client {
    /// Makes a client. This sends nothing, writes no file and starts no thread.
    ///
    /// # Errors
    /// [`Status::InvalidConfig`] if an option is missing or contradicts another, if `ca_file`
    /// cannot be used, if `spool` is not an absolute path, or if `spool` is set and the feature
    /// `log-spool` is off. [`Status::SpoolFailed`] if the spool directory cannot be used.
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

    /// Sends a notification and waits for the answer.
    ///
    /// The call returns within `timeout_ms`, whatever the network does. With `on_failure = queue`,
    /// a notification that failed and may succeed later is enqueued, and the receipt has the status
    /// [`Status::Queued`].
    ///
    /// The service would count a repeated payment twice. A payment that may have arrived is
    /// therefore neither sent again nor enqueued (option `payment_repeat`). An end of session is
    /// not sent while this client's queue holds older notifications: the call waits for them, for
    /// at most half of `timeout_ms`.
    ///
    /// # Errors
    /// An [`Error`] whose [`Error::receipt`] has the outcome. The notification may have arrived if the status is
    /// [`Status::Timeout`], [`Status::ConnectionLost`], [`Status::BadResponse`] or [`Status::ServerError`]. The status of a
    /// payment that may have arrived is [`Status::MayHaveArrived`].
    pub fn notify(
        &self,
        visitor: &Visitor<'_>,
        notification: &Notification<'_>,
    ) -> Result<Receipt, Error> {
        with_elapsed(|start| self.deliver(visitor, notification, start))
    }

    /// Accepts a notification into the queue and returns. A thread of this process or another
    /// process delivers it later (option `delivery`). The arguments are checked as in
    /// [`Client::notify`].
    ///
    /// The call never waits for the network. It waits for the disk and for other processes for at
    /// most `enqueue_timeout_ms`.
    ///
    /// # Errors
    /// [`Status::InvalidArgument`], [`Status::QueueFull`] or [`Status::SpoolFailed`]. The
    /// notification was not accepted.
    pub fn enqueue(
        &self,
        visitor: &Visitor<'_>,
        notification: &Notification<'_>,
    ) -> Result<Receipt, Error> {
        with_elapsed(|_| self.push(self.message(visitor, notification)?))
    }

    /// Accepts a complete request to the web API into the queue: its path and its body. It is for programs that forward
    /// requests which a shop makes without this library.
    ///
    /// `path` is the path of a kind ([`crate::KINDS`]), for a secure payment with its query `?paymentToken=...`. The
    /// fields are checked as those of [`Client::enqueue`], but the option `market` is not used. `body` is sent byte for
    /// byte, so that a payment token that signs it stays valid. Members that no kind has are sent too.
    ///
    /// The id is the one in the body. For a kind whose body has no id, it is `id`; `None`: a new UUID.
    ///
    /// # Errors
    /// As [`Client::enqueue`].
    pub fn enqueue_request(
        &self,
        path: &str,
        body: &str,
        id: Option<&str>,
    ) -> Result<Receipt, Error> {
        with_elapsed(|_| {
            let of_body = notification::check_request(path, body)?;
            if let Some(id) = id {
                notification::check("id", id, MAX_ID)?;
            }
            let id = match (of_body, id) {
                (Some(of_body), Some(id)) if of_body != id => {
                    return Err(Error::argument("id differs from the id in the body"));
                }
                (Some(of_body), _) => of_body,
                (None, id) => id_or_new(id)?,
            };
            self.push(Message {
                id,
                path: notification::stored_path(path),
                body: body.to_owned(),
            })
        })
    }

    /// Puts a notification into the queue, before the deadline of a call that begins now.
    fn push(&self, message: Message) -> Result<Receipt, Error> {
        let queue = self.queue()?;
        let id = message.id.clone();
        let pushed = queue.push(message, (0, ""), self.enqueue_deadline());
        let unsent = match &pushed {
            Ok(detail) => {
                let detail = detail.as_deref().unwrap_or("queued");
                Receipt::unsent(Status::Queued, detail, Duration::ZERO)
            }
            Err(e) => Receipt::unsent(e.status(), e.detail(), Duration::ZERO),
        };
        Ok(Receipt { id, ..unsent })
    }

    /// Sends the most common notification with [`Client::notify`]: the visitor added the ticket's
    /// product to the cart. `id` is the id of this one event; `None`: a new UUID.
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

    /// Enqueues the most common notification with [`Client::enqueue`]: the visitor added the
    /// ticket's product to the cart.
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

    /// Waits until all notifications that were accepted before the call have left the queue, and the callbacks for
    /// those that this process delivered have ended, for at most `timeout`. A call from within a callback does not wait
    /// for callbacks; any other caller must not hold a lock that a callback needs.
    ///
    /// Returns false if some have not left, if a callback has not ended, or if other processes kept the spool busy.
    /// What has not left stays in the queue.
    ///
    /// # Errors
    /// [`Status::SpoolFailed`] if the spool cannot be read.
    pub fn flush(&self, timeout: Duration) -> Result<bool, Error> {
        self.queue()?.flush(host::deadline_after(timeout))
    }

    /// Flushes and then reads the counters, all within `timeout`. `None`: the counters could not be
    /// read in time.
    pub(crate) fn flush_and_count(
        &self,
        timeout: Duration,
    ) -> Result<(bool, Option<Stats>), Error> {
        self.queue()?.flush_and_count(timeout)
    }

    /// Ends this process's delivery of the queue, for good. The process sends no further notification from the queue,
    /// and the call waits until requests in flight are recorded, for at most `timeout`. No other client of this process
    /// delivers the queue either, even if it is made later. Call it in a program that is about to end.
    /// [`stop_delivery`](crate::stop_delivery) does this for every spool of the process.
    ///
    /// Returns false if requests were still in flight after `timeout`; they are sent again later, with the same
    /// ids, except payments, which become dead letters.
    /// Pending notifications stay in the queue, and enqueues keep working. Another process on standby becomes the
    /// leader of the spool at once.
    ///
    /// # Errors
    /// [`Status::InvalidConfig`] if the queue cannot be used.
    pub fn stop_delivery(&self, timeout: Duration) -> Result<bool, Error> {
        Ok(self.queue()?.stop_delivery(timeout))
    }

    /// Whether this process, as the leader or on standby, has polled the queue within the last
    /// `within`. It polls at least once a second, unless a callback, the log or the disk hangs, so
    /// a watchdog may rely on it.
    ///
    /// # Errors
    /// [`Status::InvalidConfig`] if the queue cannot be used.
    pub fn has_polled(&self, within: Duration) -> Result<bool, Error> {
        Ok(self.queue()?.has_polled(within))
    }

    /// Returns the counters of the queue.
    ///
    /// # Errors
    /// [`Status::SpoolFailed`] if the spool cannot be read within `enqueue_timeout_ms`.
    pub fn stats(&self) -> Result<Stats, Error> {
        let queue = self.queue()?;
        queue.wake();
        queue.stats(self.enqueue_deadline())
    }

    /// Returns the receipt of a notification that was accepted into the queue; its status is
    /// [`Status::Queued`] while the notification is pending. `None`: the id is unknown, because it
    /// was never accepted here or the notification left the queue more than `receipt_retention_s`
    /// ago.
    ///
    /// # Errors
    /// [`Status::SpoolFailed`] if the spool cannot be read within `enqueue_timeout_ms`.
    pub fn receipt(&self, id: &str) -> Result<Option<Receipt>, Error> {
        self.queue()?.receipt(id, self.enqueue_deadline())
    }

    /// Sets a callback for the outcomes of this process's delivery. A thread of the library calls
    /// it for every notification that was delivered, became a dead letter or expired, after the
    /// outcome is recorded. `None` unregisters the callback.
    ///
    /// When this method returns, or the client is dropped, the earlier callback has ended, unless
    /// the call was made from within it. Two callbacks that unregister each other at the same time
    /// wait for ever. A panic in the callback ends only that call. A forked child has no callback
    /// until it sets one.
    ///
    /// # Errors
    /// [`Status::InvalidConfig`] if the queue cannot be used.
    pub fn on_delivery(&self, callback: Option<DeliveryCallback>) -> Result<(), Error> {
        self.on_timed_delivery(callback.map(|callback| {
            Box::new(move |receipt: &Receipt, _: Duration| callback(receipt))
                as TimedDeliveryCallback
        }))
    }

    /// Like [`Client::on_delivery`], for a callback that also gets the duration of the attempt that decided the
    /// outcome. The duration is zero if there was no attempt, for example if the notification expired. The callback
    /// replaces an earlier one, also one of [`Client::on_delivery`].
    ///
    /// # Errors
    /// As [`Client::on_delivery`].
    pub fn on_timed_delivery(&self, callback: Option<TimedDeliveryCallback>) -> Result<(), Error> {
        let queue = self.queue()?;
        match callback.map(Arc::<OnDelivery>::from) {
            Some(callback) => queue.listeners.call(self.number, callback),
            None => queue.listeners.forget(self.number),
        }
        Ok(())
    }

    /// Returns the next outcome of this process's delivery, oldest first; waits for at most `timeout`. It is for hosts
    /// that cannot be called back.
    ///
    /// Outcomes are collected from the first call on, at most the last 1024; [`Client::receipt`]
    /// can find older ones. `on_delivery(None)` ends the collecting.
    ///
    /// # Errors
    /// [`Status::InvalidConfig`] if the queue cannot be used.
    pub fn delivery_next(&self, timeout: Duration) -> Result<Option<Receipt>, Error> {
        Ok(self.queue()?.listeners.next(self.number, timeout))
    }

    /// The time by which a call that begins now must have finished its work with the spool.
    fn enqueue_deadline(&self) -> Instant {
        host::deadline_after(self.settings.queue.enqueue_timeout)
    }

    /// The checked notification in the form in which it is sent. If it has no id, a new one is
    /// made.
    fn message(
        &self,
        visitor: &Visitor<'_>,
        notification: &Notification<'_>,
    ) -> Result<Message, Error> {
        let id = id_or_new(notification.id)?;
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
            && !queue.wait_until_empty(start + self.settings.timeout / 2)?
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
        // The spool may hold notifications of an earlier process: deliver them now, not after the next failure.
        queue.wake();
        // A quarter for each of the two spool accesses, so that the service gets at least half of the time.
        let reserve = self
            .settings
            .queue
            .enqueue_timeout
            .min(self.settings.timeout / 4);
        if queue.is_backing_off(start + reserve) {
            let reason = "deliveries are failing; queued without an attempt";
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

    /// The queue, if it may hold notifications that a client with these options enqueued.
    fn queue_in_use(&self) -> Result<Option<Arc<Queue>>, Error> {
        let settings = &self.settings.queue;
        match settings.spool.is_some() || self.settings.queue_on_failure {
            true => self.queue().map(Some),
            false => Ok(queue::find_open(&self.settings.service, settings)),
        }
    }

    /// The connection pool of this process: the client's own or, in a forked child, one that the
    /// child made.
    fn pool(&self) -> Result<Arc<Pool>, Error> {
        if self.pool.is_ours() {
            Ok(Arc::clone(&self.pool))
        } else {
            http::pool_of(&self.settings.service)
        }
    }

    /// The queue of this process, found like the pool.
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
        // In a forked child: unregister a callback that the child has set.
        if let Some(queue) = queue::find_open(&self.settings.service, &self.settings.queue) {
            queue.leave(self.number);
        }
        // The connections and the spool belong to the parent: keep a reference, so that they are never closed here.
        std::mem::forget(Arc::clone(&self.pool));
        std::mem::forget(self.queue.get().cloned());
    }
}

/// Makes a call and sets the duration in its receipt. A receipt without success becomes an error.
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

/// The id, or a new one.
fn id_or_new(id: Option<&str>) -> Result<String, Error> {
    match id {
        Some(id) => Ok(id.to_owned()),
        None => host::random().map(key_of).map_err(no_random_bytes),
    }
}

fn add_to_cart<'a>(ticket: &'a str, id: Option<&'a str>) -> Notification<'a> {
    Notification {
        id,
        ..Notification::add_to_cart(ticket)
    }
}

/// Enqueues a notification that failed. If that fails too, the receipt has both messages.
fn or_queue(
    queue: &Arc<Queue>,
    message: Message,
    deadline: Instant,
    reason: &str,
    mut receipt: Receipt,
) -> Receipt {
    let so_far = (receipt.attempts, receipt.detail.as_str());
    match queue.push(message, so_far, deadline) {
        Ok(elsewhere) => {
            let reason = elsewhere.as_deref().unwrap_or(reason);
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
