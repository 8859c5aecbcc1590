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
        format!("ESALES_{}", self.name.to_ascii_uppercase())
    }

    /// Its range in words, such as `1 to 300000`.
    #[must_use]
    pub fn range(&self) -> String {
        match self.kind {
            Kind::Text => "text".to_owned(),
            Kind::Flag => "true or false".to_owned(),
            Kind::Integer { min, max } => format!("{min} to {max}"),
        }
    }
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
        "PEM file of the certificate authorities to trust, instead of the system's."),
    row(PROXY, Kind::Text, None,
        "HTTP proxy, `http://[user:password@]host:port`. Unset: `https_proxy`, `http_proxy`, `all_proxy` of the environment, not for loopback addresses. Empty: none."),
    row(NO_PROXY, Kind::Text, None,
        "Hosts that are reached without the proxy, separated by commas: `name`, `.domain`, `*.domain` or `*`. Unset: `no_proxy` of the environment."),
    row(ALLOW_HTTP, Kind::Flag, Some("false"),
        "Whether `base_url` may be `http://` for an address that is not loopback. Visitor data then crosses the network in clear."),
    row(KEEP_ALIVE_S, int(0, 3600), Some("60"),
        "How long an idle connection is kept for the next call, in seconds, also after the last client is freed. 0: not at all."),
    row(DNS_CACHE_S, int(0, 3600), Some("60"),
        "How long a looked-up address is used before it is looked up again, in seconds."),
];

#[cfg(test)]
mod tests {
    use super::*;

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
            assert!(option.doc.ends_with('.'), "{}", option.name);
            assert!(OPTIONS[..i].iter().all(|o| o.name != option.name));
        }
    }
}
