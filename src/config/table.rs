//! The option table: the one place where an option is declared. Parsing, range checks, environment variables, the
//! command's flags and the reference page all read it.

/// What values an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Any text that the option's own rule accepts.
    Text,
    /// `true` or `false` (also `1` or `0`).
    Flag,
    /// A whole number in this range, both ends included.
    Integer {
        /// Smallest value.
        min: u64,
        /// Largest value.
        max: u64,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// One option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OptionSpec {
    /// Its name, such as `timeout_ms`. The unit is the name's ending.
    pub name: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// The value when it is not set; `None`: unset.
    pub default: Option<&'static str>,
    /// One line for the reference page.
    pub doc: &'static str,
}

impl OptionSpec {
    /// The environment variable that sets it, such as `ESALES_TIMEOUT_MS`.
    #[must_use]
    pub fn environment_variable(&self) -> String {
        format!("{PREFIX}{}", self.name.to_ascii_uppercase())
    }

    /// Its range in words, such as `1 to 300000`.
    #[must_use]
    pub fn range(&self) -> String {
        match self.kind {
            Kind::Text => "text".to_owned(),
            Kind::Flag => "true or false".to_owned(),
            Kind::Integer { min, max } => format!("{min} to {max}"),
            Kind::Choice(words) => words.join(" or "),
        }
    }
}

/// Of the variables of all options.
const PREFIX: &str = "ESALES_";

/// The option that an environment variable sets.
pub(crate) fn of_variable(variable: &str) -> Option<&'static OptionSpec> {
    let name = variable.strip_prefix(PREFIX)?;
    let is_upper = |name: &str| !name.bytes().any(|b| b.is_ascii_lowercase());
    OPTIONS
        .iter()
        .find(|o| is_upper(name) && o.name.eq_ignore_ascii_case(name))
}

pub(crate) const CLUSTER_ID: &str = "cluster_id";
pub(crate) const BASE_URL: &str = "base_url";
pub(crate) const MARKET: &str = "market";
pub(crate) const TIMEOUT_MS: &str = "timeout_ms";
pub(crate) const MAX_ATTEMPTS: &str = "max_attempts";
pub(crate) const BACKOFF_MS: &str = "backoff_ms";
pub(crate) const CA_FILE: &str = "ca_file";
pub(crate) const PROXY: &str = "proxy";
pub(crate) const NO_PROXY: &str = "no_proxy";
pub(crate) const ALLOW_HTTP: &str = "allow_http";
pub(crate) const KEEP_ALIVE_S: &str = "keep_alive_s";
pub(crate) const DNS_CACHE_S: &str = "dns_cache_s";
pub(crate) const SPOOL: &str = "spool";
pub(crate) const DURABILITY: &str = "durability";
pub(crate) const DELIVERY: &str = "delivery";
pub(crate) const ON_FAILURE: &str = "on_failure";
pub(crate) const ENQUEUE_TIMEOUT_MS: &str = "enqueue_timeout_ms";
pub(crate) const MAX_ITEMS: &str = "max_items";
pub(crate) const MAX_BYTES: &str = "max_bytes";
pub(crate) const OVERFLOW: &str = "overflow";
pub(crate) const MAX_DEAD: &str = "max_dead";
pub(crate) const MAX_AGE_S: &str = "max_age_s";
pub(crate) const CONCURRENCY: &str = "concurrency";
pub(crate) const GATE_MIN_MS: &str = "gate_min_ms";
pub(crate) const GATE_MAX_MS: &str = "gate_max_ms";
pub(crate) const PAYMENT_REPEAT: &str = "payment_repeat";
pub(crate) const RECEIPT_RETENTION_S: &str = "receipt_retention_s";

const fn row(
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    doc: &'static str,
) -> OptionSpec {
    OptionSpec {
        name,
        kind,
        default,
        doc,
    }
}

const fn one_of(words: &'static [&'static str]) -> Kind {
    Kind::Choice(words)
}

const fn int(min: u64, max: u64) -> Kind {
    Kind::Integer { min, max }
}

/// Every option, in the order of the reference page.
#[rustfmt::skip]
pub const OPTIONS: &[OptionSpec] = &[
    row(CLUSTER_ID, Kind::Text, None,
        "The cluster: the first label of its host name in `https://{cluster_id}.api.esales.apptus.cloud`. This or `base_url` is required."),
    row(BASE_URL, Kind::Text, None,
        "Address to use instead of the cluster's, without the `/api/v1/...` path: a sandbox, a gateway."),
    row(MARKET, Kind::Text, None,
        "Market of visitors who name none."),
    row(TIMEOUT_MS, int(1, 300_000), Some("3000"),
        "Budget of one blocking call, in milliseconds: name look-up, connection, TLS, every attempt and every pause."),
    row(MAX_ATTEMPTS, int(1, 10), Some("3"),
        "How often one blocking call tries at most, within its budget."),
    row(BACKOFF_MS, int(0, 60_000), Some("100"),
        "Longest pause before the second attempt, in milliseconds; it doubles for each further one. The pause is drawn at random from 0 to that."),
    row(CA_FILE, Kind::Text, None,
        "PEM file of the certificate authorities to trust, instead of the system's. It is read once, when the client is made; a relative path counts from the folder of that moment. A certificate in it that cannot be used is an error."),
    row(PROXY, Kind::Text, None,
        "HTTP proxy, `http://[user:password@]host:port`. Unset: `https_proxy`, `http_proxy`, `all_proxy` of the environment, not for loopback addresses. Empty: none."),
    row(NO_PROXY, Kind::Text, None,
        "Hosts that are reached without the proxy, separated by commas or white space: a name (with all names below it), an IP address, a network such as `10.0.0.0/8` or `fd00::/8`, `*.domain`, or `*` for all. A port in it matches nothing. Unset: `no_proxy` of the environment, read as curl 7.88 reads it, to which IPv6 networks, brackets, `*.domain` and a `*` among others mean nothing."),
    row(ALLOW_HTTP, Kind::Flag, Some("false"),
        "Whether `base_url` may be `http://` for an address that is not loopback. Visitor data then crosses the network in clear."),
    row(KEEP_ALIVE_S, int(0, 3600), Some("60"),
        "How long a connection is used at most, and how long an idle one is kept for the next call, in seconds, also after the last client is freed. 0: each is used once. A service that moves to another address is followed within this and `dns_cache_s`."),
    row(DNS_CACHE_S, int(0, 3600), Some("60"),
        "How long a looked-up address is used for new connections before it is looked up again, in seconds."),
    row(SPOOL, Kind::Text, None,
        "Directory that holds the queue, shared by any number of processes of this machine that run as the same user: an absolute path. The library makes it, with mode 0700; the folder that it is in must exist. Unset: in memory, lost with the process."),
    row(DURABILITY, one_of(&["process", "disk"]), Some("process"),
        "What an accepted notification in the `spool` survives. `process`: the end of every process, kill -9 included. `disk`: a power loss too; the enqueues that run at the same time share an fsync and wait for it."),
    row(DELIVERY, one_of(&["background", "none"]), Some("background"),
        "Who delivers the queue. `background`: a thread of this process, unless another process is delivering the same spool. `none`: some other process, such as `esales-notify drain`; needs `spool`."),
    row(ON_FAILURE, one_of(&["error", "queue"]), Some("error"),
        "What a blocking call does when it ends on an outcome that may succeed later. `error`: it says so. `queue`: the notification goes into the queue under the same id, at once while deliveries are failing, and the call returns ESALES_QUEUED."),
    row(ENQUEUE_TIMEOUT_MS, int(1, 60_000), Some("1000"),
        "Longest time an enqueue waits for the disk or for other processes, in milliseconds."),
    row(MAX_ITEMS, int(1, 10_000_000), Some("100000"),
        "Most notifications that wait in the queue."),
    row(MAX_BYTES, int(1024, 64 << 30), Some("67108864"),
        "Most bytes of notifications (their JSON) that wait in the queue."),
    row(OVERFLOW, one_of(&["refuse", "drop_oldest"]), Some("refuse"),
        "What happens to a notification over `max_items` or `max_bytes`. `refuse`: it gets ESALES_QUEUE_FULL. `drop_oldest`: it is accepted, and the oldest are dropped and counted."),
    row(MAX_DEAD, int(0, 1_000_000), Some("10000"),
        "Most dead letters that are kept for an operator; over that, the oldest are dropped and counted."),
    row(MAX_AGE_S, int(1, 2_592_000), Some("86400"),
        "How long a notification is tried, in seconds; then it expires."),
    row(CONCURRENCY, int(1, 64), Some("4"),
        "Most deliveries at the same time."),
    row(GATE_MIN_MS, int(10, 60_000), Some("1000"),
        "After a failed delivery, the longest pause before the next one is tried, in milliseconds; it doubles with every further failure. The pause is drawn at random from 0 to that, and is never shorter than a `Retry-After` (up to an hour)."),
    row(GATE_MAX_MS, int(10, 3_600_000), Some("300000"),
        "Where the doubling of `gate_min_ms` ends, in milliseconds."),
    row(PAYMENT_REPEAT, one_of(&["certain", "always"]), Some("certain"),
        "When a payment is sent again: the service would count it twice. `certain`: only if it is certain that it was not processed; otherwise a blocking call fails, and the queue keeps the payment as a dead letter that says \"may have arrived\". `always`: also if it may have arrived."),
    row(RECEIPT_RETENTION_S, int(0, 2_592_000), Some("3600"),
        "How long the receipt of a notification that left the queue is kept, in seconds; at most the last 20,000. 0: none."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_in_capitals() {
        for option in OPTIONS {
            let variable = option.environment_variable();
            assert_eq!(of_variable(&variable), Some(option), "{variable}");
        }
        for other in [
            "ESALES_timeout_ms",
            "esales_timeout_ms",
            "TIMEOUT_MS",
            "ESALES_",
            "ESALES_NOTIFY_LIBRARY",
        ] {
            assert_eq!(of_variable(other), None, "{other}");
        }
    }

    #[test]
    fn defaults_are_within_their_ranges_and_names_are_unique() {
        for (i, option) in OPTIONS.iter().enumerate() {
            if let (Kind::Integer { min, max }, Some(default)) = (option.kind, option.default) {
                assert!(
                    (min..=max).contains(&default.parse().unwrap()),
                    "{}",
                    option.name
                );
            }
            if let (Kind::Choice(words), Some(default)) = (option.kind, option.default) {
                assert!(words.contains(&default), "{}", option.name);
            }
            assert!(option.doc.ends_with('.'), "{}", option.name);
            assert!(OPTIONS[..i].iter().all(|o| o.name != option.name));
        }
    }
}
