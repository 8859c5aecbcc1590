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

    /// URL to use instead of the cluster's, without the path `/api/v1/...`, for example of a sandbox or a gateway.
    ///
    /// Option `base_url`; default: unset.
    pub fn base_url(self, value: &str) -> ConfigBuilder {
        self.text("base_url", value)
    }

    /// Whether `base_url` may be `http://` for a host that is not loopback. Visitor data is then sent without
    /// encryption.
    ///
    /// Option `allow_http`; default: false.
    pub fn allow_http(self, value: bool) -> ConfigBuilder {
        self.flag("allow_http", value)
    }

    /// PEM file of the certificate authorities to trust instead of the system's. It is read once, when the client is
    /// made; a relative path is resolved then. A certificate in the file that cannot be used is an error.
    ///
    /// Option `ca_file`; default: unset.
    pub fn ca_file(self, value: impl AsRef<Path>) -> ConfigBuilder {
        self.path("ca_file", value.as_ref())
    }

    /// HTTP proxy, `http://[user:password@]host:port`. Unset: the environment variables `https_proxy`, `http_proxy` and
    /// `all_proxy` are used, except for loopback hosts. Empty: no proxy.
    ///
    /// Option `proxy`; default: unset.
    pub fn proxy(self, value: &str) -> ConfigBuilder {
        self.text("proxy", value)
    }

    /// Hosts that are reached without the proxy, separated by commas or white space: a name (which includes its
    /// subdomains), an IP address, a network such as `10.0.0.0/8` or `fd00::/8`, `*.domain`, or `*` for all. An entry
    /// with a port matches nothing. Unset: the environment variable `no_proxy` is used as in curl 7.88, which ignores
    /// IPv6 networks, brackets, `*.domain` and a `*` next to other entries.
    ///
    /// Option `no_proxy`; default: unset.
    pub fn no_proxy(self, value: &str) -> ConfigBuilder {
        self.text("no_proxy", value)
    }

    /// Longest life of a connection, and longest time that an idle connection is kept for the next call. It also
    /// applies after the last client is freed. 0: each connection is used once. If the service moves to another IP
    /// address, the client follows within `keep_alive_s` plus `dns_cache_s`.
    ///
    /// Option `keep_alive_s`; 0 to 3600 s; default: 60 s.
    pub fn keep_alive(self, value: Duration) -> ConfigBuilder {
        self.seconds("keep_alive_s", value)
    }

    /// How long the result of a DNS look-up is used for new connections.
    ///
    /// Option `dns_cache_s`; 0 to 3600 s; default: 60 s.
    pub fn dns_cache(self, value: Duration) -> ConfigBuilder {
        self.seconds("dns_cache_s", value)
    }

    /// Longest duration of one blocking call. It includes DNS look-up, connection, TLS, every attempt and every pause.
    ///
    /// Option `timeout_ms`; 1 to 300000 ms; default: 3000 ms.
    pub fn timeout(self, value: Duration) -> ConfigBuilder {
        self.millis("timeout_ms", value)
    }

    /// Market of visitors that have no market of their own.
    ///
    /// Option `market`; default: unset.
    pub fn market(self, value: &str) -> ConfigBuilder {
        self.text("market", value)
    }

    /// Greatest number of attempts in one blocking call. All attempts must fit into `timeout_ms`.
    ///
    /// Option `max_attempts`; 1 to 10; default: 3.
    pub fn max_attempts(self, value: u64) -> ConfigBuilder {
        self.number("max_attempts", value)
    }

    /// Longest pause before the second attempt; it doubles for each further attempt. The actual pause is random, from 0
    /// to that length.
    ///
    /// Option `backoff_ms`; 0 to 60000 ms; default: 100 ms.
    pub fn backoff(self, value: Duration) -> ConfigBuilder {
        self.millis("backoff_ms", value)
    }

    /// What a blocking call does after a failure that may succeed later. `error`: it returns the error. `queue`: it
    /// enqueues the notification with the same id and returns `ESALES_QUEUED`; while deliveries are failing, it does so
    /// without an attempt.
    ///
    /// Option `on_failure`; default: error.
    pub fn on_failure(self, value: OnFailure) -> ConfigBuilder {
        self.text("on_failure", value.as_str())
    }

    /// What holds the queue. An absolute path: a directory, shared by any number of processes of this machine that run
    /// as the same user. The library makes it, with mode 0700; the folder that it is in must exist.
    /// `redis://[user@]host[:port][/db]?name=NAME`, or `rediss://` for TLS: a Redis (6.2 or newer) or Valkey (7.2 or
    /// newer), shared by any number of machines; `NAME` identifies the queue. Several hosts are separated by commas;
    /// with `&sentinel=MASTER` they are Sentinels. Unset: in memory, lost with the process.
    ///
    /// Option `spool`; default: unset.
    pub fn spool(self, value: impl AsRef<Path>) -> ConfigBuilder {
        self.path("spool", value.as_ref())
    }

    /// Password for a `redis://` or `rediss://` `spool`. It does not belong in the address, because addresses are
    /// logged.
    ///
    /// Option `spool_password`; default: unset.
    pub fn spool_password(self, value: &str) -> ConfigBuilder {
        self.text("spool_password", value)
    }

    /// File whose first line is the password for a `redis://` or `rediss://` `spool`. It is read when the client is
    /// made.
    ///
    /// Option `spool_password_file`; default: unset.
    pub fn spool_password_file(self, value: impl AsRef<Path>) -> ConfigBuilder {
        self.path("spool_password_file", value.as_ref())
    }

    /// Directory that stores notifications while a `redis://` or `rediss://` `spool` does not answer: an absolute path.
    /// When the engine answers again, a process that delivers the spool forwards them to it, with the same ids. Unset:
    /// the enqueue fails with `ESALES_SPOOL_FAILED`.
    ///
    /// Option `spool_fallback`; default: unset.
    pub fn spool_fallback(self, value: impl AsRef<Path>) -> ConfigBuilder {
        self.path("spool_fallback", value.as_ref())
    }

    /// Whether a `redis://` or `rediss://` `spool` may be an engine without an append-only file. When such an engine
    /// ends, all pending notifications are lost.
    ///
    /// Option `allow_volatile`; default: false.
    pub fn allow_volatile(self, value: bool) -> ConfigBuilder {
        self.flag("allow_volatile", value)
    }

    /// What an accepted notification in the `spool` survives. `process`: the end of every process, also by kill -9.
    /// `replica`: the loss of the primary too; only for an engine; the enqueue waits until a replica has the
    /// notification. `disk`: a power loss too; the enqueue waits for an fsync, which simultaneous enqueues share.
    ///
    /// Option `durability`; default: process.
    pub fn durability(self, value: Durability) -> ConfigBuilder {
        self.text("durability", value.as_str())
    }

    /// Who delivers the queue. `background`: a thread of this process, unless another process is delivering the same
    /// spool. `none`: another process, such as `esales-notify drain`; requires `spool`.
    ///
    /// Option `delivery`; default: background.
    pub fn delivery(self, value: Delivery) -> ConfigBuilder {
        self.text("delivery", value.as_str())
    }

    /// Longest time that an enqueue waits for the disk, for the engine or for other processes.
    ///
    /// Option `enqueue_timeout_ms`; 1 to 60000 ms; default: 1000 ms.
    pub fn enqueue_timeout(self, value: Duration) -> ConfigBuilder {
        self.millis("enqueue_timeout_ms", value)
    }

    /// Greatest number of pending notifications in the queue.
    ///
    /// Option `max_items`; 1 to 10000000; default: 100000.
    pub fn max_items(self, value: u64) -> ConfigBuilder {
        self.number("max_items", value)
    }

    /// Greatest total size of the pending notifications (their JSON), in bytes.
    ///
    /// Option `max_bytes`; 1024 to 68719476736; default: 67108864.
    pub fn max_bytes(self, value: u64) -> ConfigBuilder {
        self.number("max_bytes", value)
    }

    /// What happens to a new notification when `max_items` or `max_bytes` is reached. `refuse`: the call returns
    /// `ESALES_QUEUE_FULL`. `drop_oldest`: the notification is accepted, and the oldest ones are dropped and counted.
    ///
    /// Option `overflow`; default: refuse.
    pub fn overflow(self, value: Overflow) -> ConfigBuilder {
        self.text("overflow", value.as_str())
    }

    /// Greatest number of dead letters that are kept for an operator. Above it, the oldest are dropped and counted.
    ///
    /// Option `max_dead`; 0 to 1000000; default: 10000.
    pub fn max_dead(self, value: u64) -> ConfigBuilder {
        self.number("max_dead", value)
    }

    /// How long delivery of a notification is tried. After that it expires.
    ///
    /// Option `max_age_s`; 1 to 2592000 s; default: 86400 s.
    pub fn max_age(self, value: Duration) -> ConfigBuilder {
        self.seconds("max_age_s", value)
    }

    /// Greatest number of deliveries at the same time.
    ///
    /// Option `concurrency`; 1 to 64; default: 4.
    pub fn concurrency(self, value: u64) -> ConfigBuilder {
        self.number("concurrency", value)
    }

    /// Longest pause after a failed delivery; it doubles with every further failure. The actual pause is random, from 0
    /// to that length, but never shorter than a `Retry-After` of the service (up to an hour).
    ///
    /// Option `gate_min_ms`; 10 to 60000 ms; default: 1000 ms.
    pub fn gate_min(self, value: Duration) -> ConfigBuilder {
        self.millis("gate_min_ms", value)
    }

    /// Upper limit for the doubling of `gate_min_ms`.
    ///
    /// Option `gate_max_ms`; 10 to 3600000 ms; default: 300000 ms.
    pub fn gate_max(self, value: Duration) -> ConfigBuilder {
        self.millis("gate_max_ms", value)
    }

    /// Whether a payment is sent again after a failure, although the service counts a repeated payment twice.
    /// `certain`: only if the service certainly did not process it; otherwise its status is `ESALES_MAY_HAVE_ARRIVED`,
    /// and the queue keeps it as a dead letter. `always`: also if it may have arrived.
    ///
    /// Option `payment_repeat`; default: certain.
    pub fn payment_repeat(self, value: PaymentRepeat) -> ConfigBuilder {
        self.text("payment_repeat", value.as_str())
    }

    /// How long the receipt of a notification that left the queue is kept. A directory or memory keeps at most the last
    /// 20,000. An engine accepts no second notification with the same id during this time, and no second payment within
    /// `max_age_s`. 0: none.
    ///
    /// Option `receipt_retention_s`; 0 to 2592000 s; default: 3600 s.
    pub fn receipt_retention(self, value: Duration) -> ConfigBuilder {
        self.seconds("receipt_retention_s", value)
    }
}

/// What a blocking call does after a failure that may succeed later. Option `on_failure`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnFailure {
    /// `error`: it returns the error.
    Error,
    /// `queue`: it enqueues the notification with the same id and returns `ESALES_QUEUED`; while deliveries are
    /// failing, it does so without an attempt.
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
    /// `process`: the end of every process, also by kill -9.
    Process,
    /// `replica`: the loss of the primary too; only for an engine; the enqueue waits until a replica has the
    /// notification.
    Replica,
    /// `disk`: a power loss too; the enqueue waits for an fsync, which simultaneous enqueues share.
    Disk,
}

impl Durability {
    fn as_str(self) -> &'static str {
        match self {
            Durability::Process => "process",
            Durability::Replica => "replica",
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
    /// `none`: another process, such as `esales-notify drain`; requires `spool`.
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

/// What happens to a new notification when `max_items` or `max_bytes` is reached. Option `overflow`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overflow {
    /// `refuse`: the call returns `ESALES_QUEUE_FULL`.
    Refuse,
    /// `drop_oldest`: the notification is accepted, and the oldest ones are dropped and counted.
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

/// Whether a payment is sent again after a failure, although the service counts a repeated payment twice. Option
/// `payment_repeat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PaymentRepeat {
    /// `certain`: only if the service certainly did not process it; otherwise its status is `ESALES_MAY_HAVE_ARRIVED`,
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
    ("spool_password", "w1", |builder| builder.spool_password("w1")),
    ("spool_password_file", "w1", |builder| builder.spool_password_file("w1")),
    ("spool_fallback", "w1", |builder| builder.spool_fallback("w1")),
    ("allow_volatile", "true", |builder| builder.allow_volatile(true)),
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
