//! The option table: the one place where an option is declared. Parsing, range checks, environment variables, the
//! command's flags, the typed options of each language and the reference page all read it.
//!
//! A row also declares the field that the option sets: a new option is one row, and the code that reads the field.

use std::path::PathBuf;
use std::time::Duration;

use super::setters::Durability;
use super::{CaFile, Config, Endpoint, ProxySettings, Secret, SpoolPlace, endpoint, place};
use crate::notification::{MAX_MARKET, check};
use crate::outcome::Error;

/// The values that an option accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Any text that the option's own rule accepts.
    Text,
    /// The path of a file or of a directory.
    Path,
    /// `true` or `false` (also `1` or `0`).
    Flag,
    /// A whole number in this range, both ends included.
    Integer {
        /// Smallest value.
        min: u64,
        /// Largest value.
        max: u64,
    },
    /// One of these values.
    Choice(&'static [&'static str]),
}

/// A check of a text value: it gets the option's name and the value.
type Rule = fn(&str, &str) -> Result<(), Error>;

/// One option.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct OptionSpec {
    /// The name, such as `timeout_ms`. It ends with the unit.
    pub name: &'static str,
    /// The values that it accepts.
    pub kind: Kind,
    /// The value when it is not set; `None`: unset.
    pub default: Option<&'static str>,
    /// One line for the reference page.
    pub doc: &'static str,
    /// An additional check for a text value.
    pub(super) rule: Option<Rule>,
}

impl OptionSpec {
    /// The environment variable that sets it, such as `ESALES_TIMEOUT_MS`.
    #[must_use]
    pub fn environment_variable(&self) -> String {
        format!("{PREFIX}{}", self.name.to_ascii_uppercase())
    }

    /// The range as text, such as `1 to 300000`.
    #[must_use]
    pub fn range(&self) -> String {
        match self.kind {
            Kind::Text => "text".to_owned(),
            Kind::Path => "path".to_owned(),
            Kind::Flag => "true or false".to_owned(),
            Kind::Integer { min, max } => format!("{min} to {max}"),
            Kind::Choice(values) => values.join(" or "),
        }
    }
}

/// The prefix of every option's environment variable.
const PREFIX: &str = "ESALES_";

/// The option that an environment variable sets.
pub(crate) fn of_variable(variable: &str) -> Option<&'static OptionSpec> {
    let name = variable.strip_prefix(PREFIX)?;
    let is_upper = |name: &str| !name.bytes().any(|b| b.is_ascii_lowercase());
    OPTIONS
        .iter()
        .find(|o| is_upper(name) && o.name.eq_ignore_ascii_case(name))
}

impl OptionSpec {
    const fn checked(self, rule: Rule) -> OptionSpec {
        OptionSpec {
            rule: Some(rule),
            ..self
        }
    }
}

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
        rule: None,
    }
}

const fn one_of(values: &'static [&'static str]) -> Kind {
    Kind::Choice(values)
}

const fn int(min: u64, max: u64) -> Kind {
    Kind::Integer { min, max }
}

// Functions that read the value of a row into its field.

fn text(config: &Config, option: &OptionSpec) -> Result<Option<String>, Error> {
    Ok(config.value(option).map(str::to_owned))
}

fn path(config: &Config, option: &OptionSpec) -> Result<Option<PathBuf>, Error> {
    Ok(config.value(option).map(PathBuf::from))
}

fn spool_place(config: &Config, option: &OptionSpec) -> Result<Option<SpoolPlace>, Error> {
    config.value(option).map(SpoolPlace::parse).transpose()
}

fn secret(config: &Config, option: &OptionSpec) -> Result<Option<Secret>, Error> {
    Ok(config.value(option).map(Secret::new))
}

fn durability(config: &Config, option: &OptionSpec) -> Result<Durability, Error> {
    Ok(match config.value(option) {
        Some("replica") => Durability::Replica,
        Some("disk") => Durability::Disk,
        _ => Durability::Process,
    })
}

fn flag(config: &Config, option: &OptionSpec) -> Result<bool, Error> {
    Ok(config.value(option).is_some_and(is_true))
}

fn number<T: TryFrom<u64>>(config: &Config, option: &OptionSpec) -> Result<T, Error> {
    config
        .value(option)
        .and_then(|value| T::try_from(value.parse::<u64>().ok()?).ok())
        .ok_or_else(|| Error::config(format!("{} has no value", option.name)))
}

fn millis(config: &Config, option: &OptionSpec) -> Result<Duration, Error> {
    number(config, option).map(Duration::from_millis)
}

fn seconds(config: &Config, option: &OptionSpec) -> Result<Duration, Error> {
    number(config, option).map(Duration::from_secs)
}

/// Whether the option has this value.
fn is(value: &'static str) -> impl Fn(&Config, &OptionSpec) -> Result<bool, Error> {
    move |config, option| Ok(config.value(option) == Some(value))
}

pub(super) fn is_true(value: &str) -> bool {
    matches!(value, "true" | "1")
}

// Functions that check texts.

fn cluster_id(_: &str, value: &str) -> Result<(), Error> {
    endpoint::check_cluster_id(value)
}

fn base_url(_: &str, value: &str) -> Result<(), Error> {
    endpoint::check_base_url(value).map(drop)
}

fn proxy(_: &str, value: &str) -> Result<(), Error> {
    endpoint::check_proxy(value)
}

fn market(name: &str, value: &str) -> Result<(), Error> {
    check(name, value, MAX_MARKET).map_err(|e| Error::config(e.detail()))
}

fn spool(name: &str, value: &str) -> Result<(), Error> {
    not_empty(name, value)?;
    place::check(value)
}

fn not_empty(name: &str, value: &str) -> Result<(), Error> {
    match value.is_empty() {
        true => Err(Error::config(format!("{name} is empty"))),
        false => Ok(()),
    }
}

/// Declares structs whose fields are set by options, and the table of all their options. A row is
/// `field: Type = function that reads it, row(name, values, default, doc);`. Fields after `with` are not options.
macro_rules! options {
    ($(
        $(#[$attr:meta])*
        $Struct:ident with { $($extra:ident: $Extra:ty),* } {
            $($field:ident: $Type:ty = $read:expr, $row:expr;)*
        }
    )*) => {
        /// Every option, in the order of the reference page.
        pub const OPTIONS: &[OptionSpec] = &[$($($row,)*)*];

        $(
            $(#[$attr])*
            #[derive(Debug, Clone, PartialEq, Eq)]
            pub(crate) struct $Struct {
                $(pub(crate) $extra: $Extra,)*
                $(pub(crate) $field: $Type,)*
            }

            impl $Struct {
                pub(super) fn read(config: &Config $(, $extra: $Extra)*) -> Result<$Struct, Error> {
                    Ok($Struct {
                        $($extra,)*
                        $($field: $read(config, const { &$row })?,)*
                    })
                }
            }
        )*
    };
}

#[rustfmt::skip]
options! {
    /// The options from which the endpoint and the proxy settings are made.
    Address with {} {
        cluster_id: Option<String> = text, row("cluster_id", Kind::Text, None,
            "The cluster: the first label of its host name in `https://{cluster_id}.api.esales.apptus.cloud`. This or `base_url` is required.").checked(cluster_id);
        base_url: Option<String> = text, row("base_url", Kind::Text, None,
            "URL to use instead of the cluster's, without the path `/api/v1/...`, for example of a sandbox or a gateway.").checked(base_url);
        allow_http: bool = flag, row("allow_http", Kind::Flag, Some("false"),
            "Whether `base_url` may be `http://` for a host that is not loopback. Visitor data is then sent without encryption.");
        ca_file: Option<String> = text, row("ca_file", Kind::Path, None,
            "PEM file of the certificate authorities to trust instead of the system's. It is read once, when the client is made; a relative path is resolved then. A certificate in the file that cannot be used is an error.").checked(not_empty);
        proxy: Option<String> = text, row("proxy", Kind::Text, None,
            "HTTP proxy, `http://[user:password@]host:port`. Unset: the environment variables `https_proxy`, `http_proxy` and `all_proxy` are used, except for loopback hosts. Empty: no proxy.").checked(proxy);
        no_proxy: Option<String> = text, row("no_proxy", Kind::Text, None,
            "Hosts that are reached without the proxy, separated by commas or white space: a name (which includes its subdomains), an IP address, a network such as `10.0.0.0/8` or `fd00::/8`, `*.domain`, or `*` for all. An entry with a port matches nothing. Unset: the environment variable `no_proxy` is used as in curl 7.88, which ignores IPv6 networks, brackets, `*.domain` and a `*` next to other entries.");
    }

    /// The endpoint settings. Clients with equal settings share connections.
    ///
    /// An error of `ca_file` is kept, because it matters only for an origin with https: a spool may hold notifications
    /// for several origins.
    ServiceSettings with { endpoint: Endpoint, proxy: Option<ProxySettings>, ca_file: Option<Result<CaFile, Error>> } {
        keep_alive: Duration = seconds, row("keep_alive_s", int(0, 3600), Some("60"),
            "Longest life of a connection, and longest time that an idle connection is kept for the next call, in seconds. It also applies after the last client is freed. 0: each connection is used once. If the service moves to another IP address, the client follows within `keep_alive_s` plus `dns_cache_s`.");
        dns_cache: Duration = seconds, row("dns_cache_s", int(0, 3600), Some("60"),
            "How long the result of a DNS look-up is used for new connections, in seconds.");
    }

    /// The time limit of a call, and of an attempt to deliver from the queue.
    Budget with {} {
        timeout: Duration = millis, row("timeout_ms", int(1, 300_000), Some("3000"),
            "Longest duration of one blocking call, in milliseconds. It includes DNS look-up, connection, TLS, every attempt and every pause.");
    }

    /// The configuration in the form that the client uses.
    Settings with { timeout: Duration, service: ServiceSettings, queue: QueueSettings } {
        market: Option<String> = text, row("market", Kind::Text, None,
            "Market of visitors that have no market of their own.").checked(market);
        max_attempts: u32 = number, row("max_attempts", int(1, 10), Some("3"),
            "Greatest number of attempts in one blocking call. All attempts must fit into `timeout_ms`.");
        backoff: Duration = millis, row("backoff_ms", int(0, 60_000), Some("100"),
            "Longest pause before the second attempt, in milliseconds; it doubles for each further attempt. The actual pause is random, from 0 to that length.");
        queue_on_failure: bool = is("queue"), row("on_failure", one_of(&["error", "queue"]), Some("error"),
            "What a blocking call does after a failure that may succeed later. `error`: it returns the error. `queue`: it enqueues the notification with the same id and returns ESALES_QUEUED; while deliveries are failing, it does so without an attempt.");
    }

    /// The queue and its delivery. `attempt_timeout` is the time for one delivery attempt; of the clients that share a
    /// queue, the longest.
    QueueSettings with { attempt_timeout: Duration, ca_file: Option<CaFile> } {
        spool: Option<SpoolPlace> = spool_place, row("spool", Kind::Path, None,
            "What holds the queue. An absolute path: a directory, shared by any number of processes of this machine that run as the same user. The library makes it, with mode 0700; the folder that it is in must exist. `redis://[user@]host[:port][/db]?name=NAME`, or `rediss://` for TLS: a Redis (6.2 or newer) or Valkey (7.2 or newer), shared by any number of machines; `NAME` identifies the queue. Several hosts are separated by commas; with `&sentinel=MASTER` they are Sentinels. Unset: in memory, lost with the process.").checked(spool);
        spool_password: Option<Secret> = secret, row("spool_password", Kind::Text, None,
            "Password for a `redis://` or `rediss://` `spool`. It does not belong in the address, because addresses are logged.").checked(not_empty);
        spool_password_file: Option<PathBuf> = path, row("spool_password_file", Kind::Path, None,
            "File whose first line is the password for a `redis://` or `rediss://` `spool`. It is read when the client is made.").checked(not_empty);
        spool_fallback: Option<PathBuf> = path, row("spool_fallback", Kind::Path, None,
            "Directory that stores notifications while a `redis://` or `rediss://` `spool` does not answer: an absolute path. When the engine answers again, a process that delivers the spool forwards them to it, with the same ids. Unset: the enqueue fails with ESALES_SPOOL_FAILED.").checked(not_empty);
        allow_volatile: bool = flag, row("allow_volatile", Kind::Flag, Some("false"),
            "Whether a `redis://` or `rediss://` `spool` may be an engine without an append-only file. When such an engine ends, all pending notifications are lost.");
        durability: Durability = durability, row("durability", one_of(&["process", "replica", "disk"]), Some("process"),
            "What an accepted notification in the `spool` survives. `process`: the end of every process, also by kill -9. `replica`: the loss of the primary too; only for an engine; the enqueue waits until a replica has the notification. `disk`: a power loss too; the enqueue waits for an fsync, which simultaneous enqueues share.");
        delivers: bool = is("background"), row("delivery", one_of(&["background", "none"]), Some("background"),
            "Who delivers the queue. `background`: a thread of this process, unless another process is delivering the same spool. `none`: another process, such as `esales-notify drain`; requires `spool`.");
        enqueue_timeout: Duration = millis, row("enqueue_timeout_ms", int(1, 60_000), Some("1000"),
            "Longest time that an enqueue waits for the disk, for the engine or for other processes, in milliseconds.");
        max_items: u64 = number, row("max_items", int(1, 10_000_000), Some("100000"),
            "Greatest number of pending notifications in the queue.");
        max_bytes: u64 = number, row("max_bytes", int(1024, 64 << 30), Some("67108864"),
            "Greatest total size of the pending notifications (their JSON), in bytes.");
        drops_oldest: bool = is("drop_oldest"), row("overflow", one_of(&["refuse", "drop_oldest"]), Some("refuse"),
            "What happens to a new notification when `max_items` or `max_bytes` is reached. `refuse`: the call returns ESALES_QUEUE_FULL. `drop_oldest`: the notification is accepted, and the oldest ones are dropped and counted.");
        max_dead: u64 = number, row("max_dead", int(0, 1_000_000), Some("10000"),
            "Greatest number of dead letters that are kept for an operator. Above it, the oldest are dropped and counted.");
        max_age: Duration = seconds, row("max_age_s", int(1, 2_592_000), Some("86400"),
            "How long delivery of a notification is tried, in seconds. After that it expires.");
        concurrency: usize = number, row("concurrency", int(1, 64), Some("4"),
            "Greatest number of deliveries at the same time.");
        gate_min: Duration = millis, row("gate_min_ms", int(10, 60_000), Some("1000"),
            "Longest pause after a failed delivery, in milliseconds; it doubles with every further failure. The actual pause is random, from 0 to that length, but never shorter than a `Retry-After` of the service (up to an hour).");
        gate_max: Duration = millis, row("gate_max_ms", int(10, 3_600_000), Some("300000"),
            "Upper limit for the doubling of `gate_min_ms`, in milliseconds.");
        repeats_payments: bool = is("always"), row("payment_repeat", one_of(&["certain", "always"]), Some("certain"),
            "Whether a payment is sent again after a failure, although the service counts a repeated payment twice. `certain`: only if the service certainly did not process it; otherwise its status is ESALES_MAY_HAVE_ARRIVED, and the queue keeps it as a dead letter. `always`: also if it may have arrived.");
        receipt_retention: Duration = seconds, row("receipt_retention_s", int(0, 2_592_000), Some("3600"),
            "How long the receipt of a notification that left the queue is kept, in seconds. A directory or memory keeps at most the last 20,000. An engine accepts no second notification with the same id during this time, and no second payment within `max_age_s`. 0: none.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_variable_of_every_option_is_in_capitals() {
        for option in OPTIONS {
            let variable = option.environment_variable();
            assert_eq!(of_variable(&variable).unwrap().name, option.name);
        }
        for other in [
            "ESALES_timeout_ms",
            "esales_timeout_ms",
            "TIMEOUT_MS",
            "ESALES_",
            "ESALES_NOTIFY_LIBRARY",
        ] {
            assert!(of_variable(other).is_none(), "{other}");
        }
    }

    #[test]
    fn option_defaults_are_in_range_and_names_are_unique() {
        for (i, option) in OPTIONS.iter().enumerate() {
            if let (Kind::Integer { min, max }, Some(default)) = (option.kind, option.default) {
                assert!(
                    (min..=max).contains(&default.parse().unwrap()),
                    "{}",
                    option.name
                );
            }
            if let (Kind::Choice(values), Some(default)) = (option.kind, option.default) {
                assert!(values.contains(&default), "{}", option.name);
            }
            assert!(option.doc.ends_with('.'), "{}", option.name);
            assert!(OPTIONS[..i].iter().all(|o| o.name != option.name));
        }
    }
}
