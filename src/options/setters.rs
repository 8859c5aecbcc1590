//! The typed setters of the options. Generated from the Rust source by `make generate`: do not edit.

use std::path::Path;
use std::time::Duration;

use super::ConfigBuilder;

impl ConfigBuilder {
    /// The cluster: the first label of its host name in `https://{cluster_id}.api.esales.apptus.cloud`. This or
    /// `base_url` is required.
    ///
    /// Option `cluster_id`; default: unset.
    pub fn cluster_id(self, value: &str) -> ConfigBuilder {
        self.text("cluster_id", value)
    }

    /// Address to use instead of the cluster's, without the `/api/v1/...` path: a sandbox, a gateway.
    ///
    /// Option `base_url`; default: unset.
    pub fn base_url(self, value: &str) -> ConfigBuilder {
        self.text("base_url", value)
    }

    /// Whether `base_url` may be `http://` for an address that is not loopback. Visitor data then crosses the network
    /// in clear.
    ///
    /// Option `allow_http`; default: false.
    pub fn allow_http(self, value: bool) -> ConfigBuilder {
        self.flag("allow_http", value)
    }

    /// PEM file of the certificate authorities to trust, instead of the system's. It is read once, when the client is
    /// made; a relative path counts from the folder of that moment. A certificate in it that cannot be used is an
    /// error.
    ///
    /// Option `ca_file`; default: unset.
    pub fn ca_file(self, value: impl AsRef<Path>) -> ConfigBuilder {
        self.path("ca_file", value.as_ref())
    }

    /// HTTP proxy, `http://[user:password@]host:port`. Unset: `https_proxy`, `http_proxy`, `all_proxy` of the
    /// environment, not for loopback addresses. Empty: none.
    ///
    /// Option `proxy`; default: unset.
    pub fn proxy(self, value: &str) -> ConfigBuilder {
        self.text("proxy", value)
    }

    /// Hosts that are reached without the proxy, separated by commas or white space: a name (with all names below it),
    /// an IP address, a network such as `10.0.0.0/8` or `fd00::/8`, `*.domain`, or `*` for all. A port in it matches
    /// nothing. Unset: `no_proxy` of the environment, read as curl 7.88 reads it, to which IPv6 networks, brackets,
    /// `*.domain` and a `*` among others mean nothing.
    ///
    /// Option `no_proxy`; default: unset.
    pub fn no_proxy(self, value: &str) -> ConfigBuilder {
        self.text("no_proxy", value)
    }

    /// How long a connection is used at most, and how long an idle one is kept for the next call, also after the last
    /// client is freed. 0: each is used once. A service that moves to another address is followed within this and
    /// `dns_cache_s`.
    ///
    /// Option `keep_alive_s`; 0 to 3600 s; default: 60 s.
    pub fn keep_alive(self, value: Duration) -> ConfigBuilder {
        self.seconds("keep_alive_s", value)
    }

    /// How long a looked-up address is used for new connections before it is looked up again.
    ///
    /// Option `dns_cache_s`; 0 to 3600 s; default: 60 s.
    pub fn dns_cache(self, value: Duration) -> ConfigBuilder {
        self.seconds("dns_cache_s", value)
    }

    /// Budget of one blocking call: name look-up, connection, TLS, every attempt and every pause.
    ///
    /// Option `timeout_ms`; 1 to 300000 ms; default: 3000 ms.
    pub fn timeout(self, value: Duration) -> ConfigBuilder {
        self.millis("timeout_ms", value)
    }

    /// Market of visitors who name none.
    ///
    /// Option `market`; default: unset.
    pub fn market(self, value: &str) -> ConfigBuilder {
        self.text("market", value)
    }

    /// How often one blocking call tries at most, within its budget.
    ///
    /// Option `max_attempts`; 1 to 10; default: 3.
    pub fn max_attempts(self, value: u64) -> ConfigBuilder {
        self.number("max_attempts", value)
    }

    /// Longest pause before the second attempt; it doubles for each further one. The pause is drawn at random from 0 to
    /// that.
    ///
    /// Option `backoff_ms`; 0 to 60000 ms; default: 100 ms.
    pub fn backoff(self, value: Duration) -> ConfigBuilder {
        self.millis("backoff_ms", value)
    }

    /// What a blocking call does when it ends on an outcome that may succeed later. `error`: it says so. `queue`: the
    /// notification goes into the queue under the same id, at once while deliveries are failing, and the call returns
    /// `ESALES_QUEUED`.
    ///
    /// Option `on_failure`; default: error.
    pub fn on_failure(self, value: OnFailure) -> ConfigBuilder {
        self.text("on_failure", value.as_str())
    }

    /// Directory that holds the queue, shared by any number of processes of this machine that run as the same user: an
    /// absolute path. The library makes it, with mode 0700; the folder that it is in must exist. Unset: in memory, lost
    /// with the process.
    ///
    /// Option `spool`; default: unset.
    pub fn spool(self, value: impl AsRef<Path>) -> ConfigBuilder {
        self.path("spool", value.as_ref())
    }

    /// What an accepted notification in the `spool` survives. `process`: the end of every process, kill -9 included.
    /// `disk`: a power loss too; the enqueues that run at the same time share an fsync and wait for it.
    ///
    /// Option `durability`; default: process.
    pub fn durability(self, value: Durability) -> ConfigBuilder {
        self.text("durability", value.as_str())
    }

    /// Who delivers the queue. `background`: a thread of this process, unless another process is delivering the same
    /// spool. `none`: some other process, such as `esales-notify drain`; needs `spool`.
    ///
    /// Option `delivery`; default: background.
    pub fn delivery(self, value: Delivery) -> ConfigBuilder {
        self.text("delivery", value.as_str())
    }

    /// Longest time an enqueue waits for the disk or for other processes.
    ///
    /// Option `enqueue_timeout_ms`; 1 to 60000 ms; default: 1000 ms.
    pub fn enqueue_timeout(self, value: Duration) -> ConfigBuilder {
        self.millis("enqueue_timeout_ms", value)
    }

    /// Most notifications that wait in the queue.
    ///
    /// Option `max_items`; 1 to 10000000; default: 100000.
    pub fn max_items(self, value: u64) -> ConfigBuilder {
        self.number("max_items", value)
    }

    /// Most bytes of notifications (their JSON) that wait in the queue.
    ///
    /// Option `max_bytes`; 1024 to 68719476736; default: 67108864.
    pub fn max_bytes(self, value: u64) -> ConfigBuilder {
        self.number("max_bytes", value)
    }

    /// What happens to a notification over `max_items` or `max_bytes`. `refuse`: it gets `ESALES_QUEUE_FULL`.
    /// `drop_oldest`: it is accepted, and the oldest are dropped and counted.
    ///
    /// Option `overflow`; default: refuse.
    pub fn overflow(self, value: Overflow) -> ConfigBuilder {
        self.text("overflow", value.as_str())
    }

    /// Most dead letters that are kept for an operator; over that, the oldest are dropped and counted.
    ///
    /// Option `max_dead`; 0 to 1000000; default: 10000.
    pub fn max_dead(self, value: u64) -> ConfigBuilder {
        self.number("max_dead", value)
    }

    /// How long a notification is tried; then it expires.
    ///
    /// Option `max_age_s`; 1 to 2592000 s; default: 86400 s.
    pub fn max_age(self, value: Duration) -> ConfigBuilder {
        self.seconds("max_age_s", value)
    }

    /// Most deliveries at the same time.
    ///
    /// Option `concurrency`; 1 to 64; default: 4.
    pub fn concurrency(self, value: u64) -> ConfigBuilder {
        self.number("concurrency", value)
    }

    /// After a failed delivery, the longest pause before the next one is tried; it doubles with every further failure.
    /// The pause is drawn at random from 0 to that, and is never shorter than a `Retry-After` (up to an hour).
    ///
    /// Option `gate_min_ms`; 10 to 60000 ms; default: 1000 ms.
    pub fn gate_min(self, value: Duration) -> ConfigBuilder {
        self.millis("gate_min_ms", value)
    }

    /// Where the doubling of `gate_min_ms` ends.
    ///
    /// Option `gate_max_ms`; 10 to 3600000 ms; default: 300000 ms.
    pub fn gate_max(self, value: Duration) -> ConfigBuilder {
        self.millis("gate_max_ms", value)
    }

    /// When a payment is sent again: the service would count it twice. `certain`: only if it is certain that it was not
    /// processed; otherwise its status is `ESALES_MAY_HAVE_ARRIVED`, and the queue keeps it as a dead letter. `always`:
    /// also if it may have arrived.
    ///
    /// Option `payment_repeat`; default: certain.
    pub fn payment_repeat(self, value: PaymentRepeat) -> ConfigBuilder {
        self.text("payment_repeat", value.as_str())
    }

    /// How long the receipt of a notification that left the queue is kept; at most the last 20,000. 0: none.
    ///
    /// Option `receipt_retention_s`; 0 to 2592000 s; default: 3600 s.
    pub fn receipt_retention(self, value: Duration) -> ConfigBuilder {
        self.seconds("receipt_retention_s", value)
    }
}

/// What a blocking call does when it ends on an outcome that may succeed later. Option `on_failure`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnFailure {
    /// `error`: it says so.
    Error,
    /// `queue`: the notification goes into the queue under the same id, at once while deliveries are failing, and the
    /// call returns `ESALES_QUEUED`.
    Queue,
}

impl OnFailure {
    fn as_str(self) -> &'static str {
        match self {
            OnFailure::Error => "error",
            OnFailure::Queue => "queue",
        }
    }
}

/// What an accepted notification in the `spool` survives. Option `durability`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Durability {
    /// `process`: the end of every process, kill -9 included.
    Process,
    /// `disk`: a power loss too; the enqueues that run at the same time share an fsync and wait for it.
    Disk,
}

impl Durability {
    fn as_str(self) -> &'static str {
        match self {
            Durability::Process => "process",
            Durability::Disk => "disk",
        }
    }
}

/// Who delivers the queue. Option `delivery`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Delivery {
    /// `background`: a thread of this process, unless another process is delivering the same spool.
    Background,
    /// `none`: some other process, such as `esales-notify drain`; needs `spool`.
    None,
}

impl Delivery {
    fn as_str(self) -> &'static str {
        match self {
            Delivery::Background => "background",
            Delivery::None => "none",
        }
    }
}

/// What happens to a notification over `max_items` or `max_bytes`. Option `overflow`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overflow {
    /// `refuse`: it gets `ESALES_QUEUE_FULL`.
    Refuse,
    /// `drop_oldest`: it is accepted, and the oldest are dropped and counted.
    DropOldest,
}

impl Overflow {
    fn as_str(self) -> &'static str {
        match self {
            Overflow::Refuse => "refuse",
            Overflow::DropOldest => "drop_oldest",
        }
    }
}

/// When a payment is sent again: the service would count it twice. Option `payment_repeat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PaymentRepeat {
    /// `certain`: only if it is certain that it was not processed; otherwise its status is `ESALES_MAY_HAVE_ARRIVED`,
    /// and the queue keeps it as a dead letter.
    Certain,
    /// `always`: also if it may have arrived.
    Always,
}

impl PaymentRepeat {
    fn as_str(self) -> &'static str {
        match self {
            PaymentRepeat::Certain => "certain",
            PaymentRepeat::Always => "always",
        }
    }
}

/// A value of an option, and the call that sets it.
#[cfg(test)]
pub(super) type Setter = (&'static str, &'static str, fn(ConfigBuilder) -> ConfigBuilder);

/// Every setter, with a value of its option.
#[cfg(test)]
pub(super) const SETTERS: &[Setter] = &[
    ("cluster_id", "w1", |builder| builder.cluster_id("w1")),
    ("base_url", "w1", |builder| builder.base_url("w1")),
    ("allow_http", "true", |builder| builder.allow_http(true)),
    ("ca_file", "w1", |builder| builder.ca_file("w1")),
    ("proxy", "w1", |builder| builder.proxy("w1")),
    ("no_proxy", "w1", |builder| builder.no_proxy("w1")),
    ("keep_alive_s", "3600", |builder| builder.keep_alive(Duration::from_secs(3600))),
    ("dns_cache_s", "3600", |builder| builder.dns_cache(Duration::from_secs(3600))),
    ("timeout_ms", "300000", |builder| builder.timeout(Duration::from_millis(300000))),
    ("market", "w1", |builder| builder.market("w1")),
    ("max_attempts", "10", |builder| builder.max_attempts(10)),
    ("backoff_ms", "60000", |builder| builder.backoff(Duration::from_millis(60000))),
    ("on_failure", "queue", |builder| builder.on_failure(OnFailure::Queue)),
    ("spool", "w1", |builder| builder.spool("w1")),
    ("durability", "disk", |builder| builder.durability(Durability::Disk)),
    ("delivery", "none", |builder| builder.delivery(Delivery::None)),
    ("enqueue_timeout_ms", "60000", |builder| builder.enqueue_timeout(Duration::from_millis(60000))),
    ("max_items", "10000000", |builder| builder.max_items(10000000)),
    ("max_bytes", "68719476736", |builder| builder.max_bytes(68719476736)),
    ("overflow", "drop_oldest", |builder| builder.overflow(Overflow::DropOldest)),
    ("max_dead", "1000000", |builder| builder.max_dead(1000000)),
    ("max_age_s", "2592000", |builder| builder.max_age(Duration::from_secs(2592000))),
    ("concurrency", "64", |builder| builder.concurrency(64)),
    ("gate_min_ms", "60000", |builder| builder.gate_min(Duration::from_millis(60000))),
    ("gate_max_ms", "3600000", |builder| builder.gate_max(Duration::from_millis(3600000))),
    ("payment_repeat", "always", |builder| builder.payment_repeat(PaymentRepeat::Always)),
    ("receipt_retention_s", "2592000", |builder| builder.receipt_retention(Duration::from_secs(2592000))),
];
