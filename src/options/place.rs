//! The value of the option `spool`: a directory, or an engine that several machines share.

use std::fmt;
use std::path::{Path, PathBuf};

use super::endpoint::shown;
use crate::outcome::Error;

/// The place of a spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SpoolPlace {
    Directory(PathBuf),
    Engine(EnginePlace),
}

/// The address of a spool in a Redis or Valkey server. It has no password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EnginePlace {
    /// The text of the option.
    pub(crate) url: String,
    pub(crate) is_tls: bool,
    pub(crate) user: Option<String>,
    /// The engine's hosts, or the Sentinels. They are tried in this order.
    pub(crate) hosts: Vec<Host>,
    pub(crate) database: u16,
    /// The spool's name within the engine.
    pub(crate) name: String,
    /// The Sentinels' name for the primary.
    pub(crate) sentinel: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Host {
    /// The host name as in a URL: an IPv6 address has brackets.
    pub(crate) name: String,
    pub(crate) port: u16,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.port)
    }
}

/// Short, because messages have little room: only the first of several hosts is shown.
impl fmt::Display for EnginePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "rediss" } else { "redis" };
        write!(f, "{scheme}://")?;
        for host in self.hosts.iter().take(1) {
            write!(f, "{host}")?;
        }
        if self.hosts.len() > 1 {
            f.write_str(",...")?;
        }
        write!(f, "/{}?name={}", self.database, self.name)
    }
}

impl fmt::Display for SpoolPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpoolPlace::Directory(path) => path.display().fmt(f),
            SpoolPlace::Engine(engine) => engine.fmt(f),
        }
    }
}

const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;
const MAX_NAME: usize = 64;
const NO_PASSWORD: &str = "must not contain a password, because addresses are logged: use spool_password or spool_password_file";
const FORM: &str = "redis://[user@]host[:port][/db]?name=NAME";

impl SpoolPlace {
    pub(crate) fn parse(value: &str) -> Result<SpoolPlace, Error> {
        let (is_tls, rest) = match (
            value.strip_prefix("redis://"),
            value.strip_prefix("rediss://"),
        ) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Ok(SpoolPlace::Directory(PathBuf::from(value))),
        };
        EnginePlace::parse(value, is_tls, rest).map(SpoolPlace::Engine)
    }

    pub(crate) fn directory(&self) -> Option<&Path> {
        match self {
            SpoolPlace::Directory(path) => Some(path),
            SpoolPlace::Engine(_) => None,
        }
    }
}

/// Checks a value of `spool`. A path is checked when it is used.
pub(super) fn check(value: &str) -> Result<(), Error> {
    SpoolPlace::parse(value).map(drop)
}

/// The message never quotes a value that may contain a password.
fn refuse<T>(why: impl fmt::Display) -> Result<T, Error> {
    Err(Error::config(format!("spool {why}")))
}

impl EnginePlace {
    fn parse(url: &str, is_tls: bool, rest: &str) -> Result<EnginePlace, Error> {
        let (authority, rest) = match rest.find(['/', '?']) {
            Some(end) => rest.split_at(end),
            None => (rest, ""),
        };
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (Some(user), hosts),
            None => (None, authority),
        };
        if user.is_some_and(|user| user.contains(':')) {
            return refuse(NO_PASSWORD);
        }
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (mut name, mut sentinel) = (None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("name", value)) => name = Some(value),
                Some(("sentinel", value)) => sentinel = Some(value),
                Some(("password", _)) => {
                    return refuse(NO_PASSWORD);
                }
                _ => {
                    let (key, _) = pair.split_once('=').unwrap_or((pair, ""));
                    return refuse(format_args!(
                        "has the parameter {}; known are name and sentinel",
                        shown(key)
                    ));
                }
            }
        }
        let Some(name) = name else {
            return refuse(format_args!(
                "has no name: add ?name=NAME, which identifies the queue in that engine ({FORM})"
            ));
        };
        for (key, value) in [("name", Some(name)), ("sentinel", sentinel)] {
            if value.is_some_and(|value| !is_plain(value)) {
                return refuse(format_args!(
                    "has a {key} that is not 1 to {MAX_NAME} letters, digits, `.`, `_` and `-`"
                ));
            }
        }
        let user = user.filter(|user| !user.is_empty());
        if user.is_some_and(|user| !is_plain(user)) {
            return refuse(format_args!(
                "has a user that is not 1 to {MAX_NAME} letters, digits, `.`, `_` and `-`"
            ));
        }
        let Some(database) = database(path) else {
            return refuse(format_args!(
                "has no valid database number after the host: {FORM}"
            ));
        };
        let usual = if sentinel.is_some() {
            SENTINEL_PORT
        } else {
            PORT
        };
        let hosts: Option<Vec<Host>> = hosts
            .split(',')
            .map(|host| parse_host(host, usual))
            .collect();
        let Some(hosts) = hosts else {
            return refuse(format_args!("has no valid host and port: {FORM}"));
        };
        Ok(EnginePlace {
            url: url.to_owned(),
            is_tls,
            user: user.map(str::to_owned),
            hosts,
            database,
            name: name.to_owned(),
            sentinel: sentinel.map(str::to_owned),
        })
    }
}

fn database(path: &str) -> Option<u16> {
    match path.trim_start_matches('/') {
        "" => Some(0),
        number if number.bytes().all(|b| b.is_ascii_digit()) => number.parse().ok(),
        _ => None,
    }
}

fn is_plain(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(inner)
}

fn parse_host(text: &str, usual: u16) -> Option<Host> {
    let end = match text.strip_prefix('[') {
        Some(rest) => rest.find(']')? + 2,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (name, port) = text.split_at_checked(end)?;
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let is_host = |b: u8| b.is_ascii_alphanumeric() || b".-_:".contains(&b);
    let port = match port.strip_prefix(':') {
        Some(port) if port.bytes().all(|b| b.is_ascii_digit()) => port.parse().ok()?,
        Some(_) => return None,
        None if port.is_empty() => usual,
        None => return None,
    };
    let is_valid = !bare.is_empty() && bare.bytes().all(is_host) && port != 0;
    is_valid.then(|| Host {
        name: name.to_owned(),
        port,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine(url: &str) -> EnginePlace {
        match SpoolPlace::parse(url).unwrap() {
            SpoolPlace::Engine(engine) => engine,
            directory => panic!("{directory:?}"),
        }
    }

    fn hosts(engine: &EnginePlace) -> Vec<String> {
        engine.hosts.iter().map(Host::to_string).collect()
    }

    #[test]
    fn engine_address_is_parsed() {
        let one = engine("redis://cache.shop.example?name=shop");
        assert_eq!(hosts(&one), ["cache.shop.example:6379"]);
        assert_eq!((one.database, one.is_tls, &one.user), (0, false, &None));
        let all = engine("rediss://esales@[::1]:7000,10.0.0.2/3?name=a.b-c_1&sentinel=my-primary");
        assert_eq!(hosts(&all), ["[::1]:7000", "10.0.0.2:26379"]);
        assert_eq!((all.database, all.is_tls), (3, true));
        assert_eq!(all.user.as_deref(), Some("esales"));
        assert_eq!(all.sentinel.as_deref(), Some("my-primary"));
        assert_eq!(all.name, "a.b-c_1");
        assert_eq!(
            one.to_string(),
            "redis://cache.shop.example:6379/0?name=shop"
        );
        assert_eq!(all.to_string(), "rediss://[::1]:7000,.../3?name=a.b-c_1");
        let path = SpoolPlace::parse("/var/lib/spool").unwrap();
        assert_eq!(path.directory(), Some(Path::new("/var/lib/spool")));
    }

    #[test]
    fn engine_address_with_a_password_is_refused_without_showing_it() {
        for url in [
            "redis://:geheim@h?name=x",
            "rediss://u:geheim@h:1/0?name=x",
            "redis://u:ge@heim@h?name=x",
            "redis://h?name=x&password=geheim",
        ] {
            let refused = SpoolPlace::parse(url).unwrap_err();
            assert!(refused.detail().contains("spool_password"), "{refused}");
            assert!(!refused.detail().contains("heim"), "{refused}");
        }
    }

    #[test]
    fn malformed_engine_address_is_refused() {
        for url in [
            "redis://",
            "redis://h",
            "redis://h?name=",
            "redis://h?name=a b",
            "redis://h?name={a}",
            "redis://?name=x",
            "redis://h:0?name=x",
            "redis://h:99999?name=x",
            "redis://h:?name=x",
            "redis://h,?name=x",
            "redis://[::1?name=x",
            "redis://h/a?name=x",
            "redis://h/-1?name=x",
            "redis://h?name=x&db=1",
            "redis://a b@h?name=x",
        ] {
            let refused = SpoolPlace::parse(url).unwrap_err();
            assert!(refused.detail().starts_with("spool "), "{url}: {refused}");
        }
    }
}
