//! The configuration: pairs of a name and a text value, checked against one table, as in librdkafka.

mod builder;
mod ca_file;
mod endpoint;
mod no_proxy;
mod pem;
mod place;
mod secret;
// Not formatted: the file is generated.
#[rustfmt::skip]
pub(crate) mod setters;
mod table;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

pub use builder::ConfigBuilder;
pub(crate) use ca_file::CaFile;
pub(crate) use endpoint::Endpoint;
pub(crate) use no_proxy::NoProxy;
pub(crate) use place::{EnginePlace, Host, SpoolPlace};
pub(crate) use secret::Secret;
pub(crate) use setters::Durability;
pub use table::{Kind, OPTIONS, OptionSpec};
pub(crate) use table::{QueueSettings, ServiceSettings, Settings};

use table::{Address, Budget, is_true};

use crate::notification;
use crate::outcome::Error;

/// A set of options. Each value is checked when it is set; [`crate::Client::new`] finds options that contradict each
/// other.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Config {
    values: BTreeMap<&'static str, String>,
}

/// Shows only the names: a value may contain a password.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl Config {
    /// An empty configuration. The environment is not read.
    #[must_use]
    pub fn new() -> Config {
        Config::default()
    }

    /// An empty builder, which has a method for each option.
    pub fn builder() -> ConfigBuilder {
        ConfigBuilder::default()
    }

    /// The options that `ESALES_*` environment variables set. An empty variable counts as not set.
    ///
    /// # Errors
    /// [`crate::Status::InvalidConfig`] if a value is refused or is not UTF-8. The message names the variable.
    pub fn from_env() -> Result<Config, Error> {
        let mut config = Config::new();
        // One pass over the environment is faster than a look-up for each option, and PHP makes a client for each page.
        for (variable, value) in std::env::vars_os().filter(|(_, value)| !value.is_empty()) {
            let Some(option) = variable.to_str().and_then(table::of_variable) else {
                continue;
            };
            if config.values.contains_key(option.name) {
                // If two variables have the same name, the first one is used, as in getenv.
                continue;
            }
            let variable = option.environment_variable();
            let Some(value) = value.to_str() else {
                return Err(Error::config(format!("{variable} is not UTF-8")));
            };
            config
                .set(option.name, value)
                .map_err(|e| Error::config(format!("{} (from {variable})", e.detail())))?;
        }
        Ok(config)
    }

    /// Sets one option. A later value replaces an earlier one.
    ///
    /// # Errors
    /// [`crate::Status::InvalidConfig`] for a value out of range or an unknown name; the message suggests the nearest
    /// name. The configuration is then unchanged.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let Some(option) = OPTIONS.iter().find(|o| o.name == name) else {
            return Err(unknown(name));
        };
        check_value(option, value)?;
        self.values.insert(option.name, value.to_owned());
        Ok(())
    }

    /// The value that was set, or the default.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.value(OPTIONS.iter().find(|option| option.name == name)?)
    }

    /// The option with the most similar name, if one is similar enough: for messages about a misspelt name.
    #[must_use]
    pub fn nearest(name: &str) -> Option<&'static str> {
        // The time is quadratic in the lengths, so very long names are not compared.
        let start: String = name
            .chars()
            .take(64)
            .collect::<String>()
            .to_ascii_lowercase();
        OPTIONS
            .iter()
            .map(|o| (strsim::damerau_levenshtein(o.name, &start), o.name))
            .min()
            .filter(|(distance, _)| *distance <= 3)
            .map(|(_, name)| name)
    }

    /// The value of a row: the one that was set, or the default.
    fn value(&self, option: &OptionSpec) -> Option<&str> {
        let set = self.values.get(option.name).map(String::as_str);
        set.or(option.default)
    }

    /// The typed settings, after the checks that involve several options. Reads the files that options name.
    pub(crate) fn settings(&self) -> Result<Settings, Error> {
        let address = Address::read(self)?;
        let endpoint = match (&address.cluster_id, &address.base_url) {
            (Some(cluster_id), None) => Endpoint::from_cluster_id(cluster_id),
            (None, Some(base_url)) => Endpoint::from_base_url(base_url)?,
            (None, None) => {
                return Err(Error::config(
                    "cluster_id is missing: set it (or ESALES_CLUSTER_ID) to your cluster's id, or set base_url",
                ));
            }
            (Some(_), Some(_)) => {
                return Err(Error::config(
                    "cluster_id and base_url contradict each other: set one of them",
                ));
            }
        };
        if !(endpoint.is_https || endpoint.is_loopback || address.allow_http) {
            return Err(Error::config(
                "base_url is http:// and not a loopback address: visitor data would be sent without encryption; \
                 use https://, or set allow_http if you accept that",
            ));
        }
        let proxy = proxy_settings(&address, &endpoint)?;
        let has_tls_to_proxy = proxy.as_ref().is_some_and(|proxy| is_https(&proxy.url));
        let ca_file = match address.ca_file.as_deref().map(CaFile::read) {
            Some(Err(e)) if endpoint.is_https || has_tls_to_proxy => return Err(e),
            read => read,
        };
        let service = ServiceSettings::read(self, endpoint, proxy, ca_file)?;
        let timeout = Budget::read(self)?.timeout;
        Settings::read(self, timeout, service, self.queue_settings()?)
    }

    pub(crate) fn queue_settings(&self) -> Result<QueueSettings, Error> {
        let mut settings = QueueSettings::read(self, Budget::read(self)?.timeout, None)?;
        settings.check_spool()?;
        if let Some(SpoolPlace::Engine(engine)) = &settings.spool {
            if let Some(file) = settings.spool_password_file.take() {
                settings.spool_password = Some(Secret::read(&file)?);
            }
            if engine.is_tls {
                let ca_file = Address::read(self)?.ca_file;
                settings.ca_file = ca_file.as_deref().map(CaFile::read).transpose()?;
            }
        }
        if settings.gate_min > settings.gate_max {
            return Err(Error::config("gate_min_ms is greater than gate_max_ms"));
        }
        Ok(settings)
    }
}

/// The proxy for the endpoint, from the options or the environment.
fn proxy_settings(address: &Address, endpoint: &Endpoint) -> Result<Option<ProxySettings>, Error> {
    let url = match &address.proxy {
        Some(url) => url.clone(),
        // As in Go: a proxy from the environment is not used for loopback.
        None if endpoint.is_loopback => return Ok(None),
        None => proxy_of_environment(endpoint.is_https)?.unwrap_or_default(),
    };
    if url.is_empty() {
        return Ok(None);
    }
    let no_proxy = match &address.no_proxy {
        Some(hosts) => NoProxy {
            list: hosts.clone(),
            is_from_environment: false,
        },
        None => NoProxy {
            list: environment(&["no_proxy", "NO_PROXY"]).map_or_else(String::new, |(_, v)| v),
            is_from_environment: true,
        },
    };
    Ok(Some(ProxySettings { url, no_proxy }))
}

impl QueueSettings {
    /// Whether an accepted notification is to survive a power loss.
    pub(crate) fn is_synced(&self) -> bool {
        self.durability == Durability::Disk
    }

    /// Refuses options that contradict the kind of spool.
    fn check_spool(&self) -> Result<(), Error> {
        let refuse = |message: &str| Err(Error::config(message));
        if self.spool_password.is_some() && self.spool_password_file.is_some() {
            return refuse("spool_password and spool_password_file contradict each other: set one");
        }
        match (&self.spool, self.durability) {
            (None, _) if !self.delivers => refuse(
                "delivery is none and spool is not set: no other process can deliver a queue in the memory of this process",
            ),
            (None, Durability::Disk) => refuse(
                "durability is disk and spool is not set: a queue in memory is lost with the process",
            ),
            (None | Some(SpoolPlace::Directory(_)), Durability::Replica) => refuse(
                "durability is replica and spool is not redis:// or rediss://: only an engine has replicas",
            ),
            (None | Some(SpoolPlace::Directory(_)), _) if self.spool_fallback.is_some() => refuse(
                "spool_fallback is set and spool is not redis:// or rediss://: a fallback is for an engine only",
            ),
            _ => Ok(()),
        }
    }

    /// Whether a notification with this path may be sent again if it may have arrived.
    pub(crate) fn may_repeat(&self, path: &str) -> bool {
        self.repeats_payments || !notification::counts_twice(path)
    }

    /// Whether clients with these settings share a queue. The time-outs of single calls may differ.
    pub(crate) fn shares_a_queue_with(&self, other: &QueueSettings) -> bool {
        let without_timeouts = |settings: &QueueSettings| QueueSettings {
            enqueue_timeout: Duration::ZERO,
            attempt_timeout: Duration::ZERO,
            ..settings.clone()
        };
        self.spool == other.spool && without_timeouts(self) == without_timeouts(other)
    }
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ProxySettings {
    pub(crate) url: String,
    pub(crate) no_proxy: NoProxy,
}

impl fmt::Debug for ProxySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProxySettings(..)")
    }
}

fn check_value(option: &OptionSpec, value: &str) -> Result<(), Error> {
    let name = option.name;
    match option.kind {
        Kind::Flag if is_true(value) || matches!(value, "false" | "0") => Ok(()),
        Kind::Flag => Err(Error::config(format!(
            "{name} must be true or false: {}",
            endpoint::shown(value)
        ))),
        Kind::Integer { min, max } => {
            let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
            match value.parse::<u64>() {
                Ok(number) if digits && (min..=max).contains(&number) => Ok(()),
                _ => Err(Error::config(format!(
                    "{name} must be a whole number from {min} to {max}: {}",
                    endpoint::shown(value)
                ))),
            }
        }
        Kind::Choice(values) if values.contains(&value) => Ok(()),
        Kind::Choice(_) => Err(Error::config(format!(
            "{name} must be {}: {}",
            option.range(),
            endpoint::shown(value)
        ))),
        Kind::Text | Kind::Path => check_text(option, value),
    }
}

fn check_text(option: &OptionSpec, value: &str) -> Result<(), Error> {
    let name = option.name;
    // Longer than any usable URL, path or list of hosts.
    const MAX_TEXT: usize = 4096;
    if value.len() > MAX_TEXT {
        return Err(Error::config(format!(
            "{name} is {} bytes long; at most {MAX_TEXT} are allowed",
            value.len()
        )));
    }
    if value.chars().any(char::is_control) {
        return Err(Error::config(format!(
            "{name} contains a control character"
        )));
    }
    option.rule.map_or(Ok(()), |rule| rule(name, value))
}

fn is_https(url: &str) -> bool {
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    scheme.eq_ignore_ascii_case("https")
}

fn unknown(name: &str) -> Error {
    let hint = Config::nearest(name).map_or(String::new(), |n| format!("; did you mean {n}?"));
    Error::config(format!(
        "there is no option {}{hint}",
        endpoint::shown(name)
    ))
}

/// `HTTP_PROXY` in capitals is not read: in a CGI program a visitor sets it with a `Proxy:` header ("httpoxy").
fn proxy_of_environment(https: bool) -> Result<Option<String>, Error> {
    let names: &[&str] = if https {
        &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
    } else {
        &["http_proxy", "all_proxy", "ALL_PROXY"]
    };
    let Some((name, url)) = environment(names) else {
        return Ok(None);
    };
    endpoint::check_proxy(&url).map_err(|e| {
        Error::config(format!(
            "{} (from {name}; the option proxy overrides it)",
            e.detail()
        ))
    })?;
    Ok(Some(url))
}

/// The first of these variables that is set and not empty.
fn environment<'a>(names: &[&'a str]) -> Option<(&'a str, String)> {
    names.iter().find_map(|name| {
        let value = std::env::var(name).ok().filter(|v| !v.is_empty())?;
        Some((*name, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(options: &[(&str, &str)]) -> Config {
        let mut config = Config::new();
        for (name, value) in options {
            config.set(name, value).unwrap();
        }
        config
    }

    #[test]
    fn integer_option_is_refused_when_it_is_out_of_range() {
        for option in OPTIONS {
            let Kind::Integer { min, max } = option.kind else {
                continue;
            };
            let mut config = Config::new();
            config.set(option.name, &min.to_string()).unwrap();
            config.set(option.name, &max.to_string()).unwrap();
            let outside = [
                (max + 1).to_string(),
                "-1".to_owned(),
                "+1".to_owned(),
                "1.5".to_owned(),
                " 1".to_owned(),
                String::new(),
                "99999999999999999999".to_owned(),
            ];
            for bad in outside
                .into_iter()
                .chain(min.checked_sub(1).map(|n| n.to_string()))
            {
                let err = config.set(option.name, &bad).unwrap_err();
                assert!(err.detail().contains(option.name), "{err}");
            }
            assert_eq!(config.get(option.name), Some(max.to_string().as_str()));
        }
    }

    #[test]
    fn unknown_option_is_refused_with_the_nearest_name() {
        let err = Config::new().set("timeout", "1").unwrap_err();
        assert_eq!(
            err.detail(),
            "there is no option \"timeout\"; did you mean timeout_ms?"
        );
        let err = Config::new().set("colour", "1").unwrap_err();
        assert_eq!(err.detail(), "there is no option \"colour\"");
    }

    #[test]
    fn build_is_refused_when_options_contradict_each_other() {
        let at = ("cluster_id", "a");
        for (options, named) in [
            (&[at, ("delivery", "none")][..], "spool"),
            (&[at, ("durability", "disk")], "spool"),
            (
                &[at, ("gate_min_ms", "1001"), ("gate_max_ms", "1000")],
                "gate_max_ms",
            ),
            (&[][..], "cluster_id"),
            (
                &[("cluster_id", "a"), ("base_url", "https://h")][..],
                "base_url",
            ),
            (&[("base_url", "http://h")][..], "allow_http"),
            (
                &[("base_url", "http://h"), ("allow_http", "false")][..],
                "allow_http",
            ),
        ] {
            let err = config(options).settings().unwrap_err();
            assert!(err.detail().contains(named), "{err}");
        }
        config(&[("base_url", "http://h"), ("allow_http", "true")])
            .settings()
            .unwrap();
        config(&[("base_url", "http://127.0.0.1:1")])
            .settings()
            .unwrap();
    }

    #[test]
    fn endpoint_is_derived_from_cluster_id() {
        let settings = config(&[
            ("cluster_id", "w1"),
            ("proxy", "http://p:1"),
            ("no_proxy", "a,b"),
        ])
        .settings()
        .unwrap();
        assert_eq!(
            settings.service.endpoint.origin,
            "https://w1.api.esales.apptus.cloud"
        );
        assert_eq!(settings.timeout, Duration::from_millis(3000));
        let proxy = settings.service.proxy.unwrap();
        assert_eq!(
            (proxy.url.as_str(), proxy.no_proxy.list.as_str()),
            ("http://p:1", "a,b")
        );
        assert!(
            config(&[("cluster_id", "w1"), ("proxy", "")])
                .settings()
                .unwrap()
                .service
                .proxy
                .is_none()
        );
    }

    #[test]
    fn config_debug_output_shows_no_value() {
        assert_eq!(
            format!("{:?}", config(&[("proxy", "http://u:secret@p:1")])),
            "{\"proxy\"}"
        );
    }
}
