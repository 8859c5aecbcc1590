//! The endpoint: the origin from `cluster_id` or `base_url`, and checks of the proxy.

use std::net::IpAddr;

use ureq::http::Uri;

use crate::outcome::Error;

/// The checked origin of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Scheme, host, port and prefix, without a slash at the end. The path of a notification
    /// follows it.
    pub(crate) origin: String,
    pub(crate) is_loopback: bool,
    pub(crate) is_https: bool,
}

impl Endpoint {
    pub(crate) fn from_cluster_id(cluster_id: &str) -> Endpoint {
        Endpoint {
            origin: format!("https://{cluster_id}.api.esales.apptus.cloud"),
            is_loopback: false,
            is_https: true,
        }
    }

    /// From a stored origin, which a process checked before it accepted notifications for it.
    pub(crate) fn from_stored(origin: &str) -> Endpoint {
        let uri = origin.parse::<Uri>().unwrap_or_default();
        Endpoint {
            origin: origin.to_owned(),
            is_loopback: uri.host().is_some_and(is_loopback),
            is_https: uri.scheme_str() == Some("https"),
        }
    }

    pub(crate) fn from_base_url(base_url: &str) -> Result<Endpoint, Error> {
        let uri = check_base_url(base_url)?;
        let host = uri.host().unwrap_or_default();
        Ok(Endpoint {
            origin: base_url.trim_end_matches('/').to_owned(),
            is_loopback: is_loopback(host),
            is_https: uri.scheme_str() == Some("https"),
        })
    }
}

/// Checks for a plain host label (RFC 1123), so that the value cannot lead to another host.
pub(crate) fn check_cluster_id(value: &str) -> Result<(), Error> {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    let plain = (1..=63).contains(&value.len())
        && value.bytes().all(inner)
        && !value.starts_with('-')
        && !value.ends_with('-');
    if plain {
        return Ok(());
    }
    Err(Error::config(format!(
        "cluster_id is not a plain host label (1 to 63 letters, digits and inner hyphens): {}",
        shown(value)
    )))
}

pub(crate) fn check_base_url(value: &str) -> Result<Uri, Error> {
    let refuse = |why: &str| Err(Error::config(format!("base_url {why}")));
    // Checked before the value is quoted, because a message must not contain a password.
    if value.contains('@') {
        return refuse("must not carry credentials (an `@` is not allowed in it)");
    }
    if value.contains(['#', '?', '\\']) || value.chars().any(|c| c.is_whitespace()) {
        return refuse("must be scheme, host and optional path: no `?`, `#`, `\\` or white space");
    }
    if let Some(c) = value.chars().find(|c| !c.is_ascii()) {
        return refuse(&format!(
            "contains {c:?}, which is not ASCII: write the host in its xn-- form, and the path percent-encoded"
        ));
    }
    if let Some(c) = value.chars().find(|c| "\"<>^`{|}".contains(*c)) {
        return refuse(&format!("contains {c:?}: write the path percent-encoded"));
    }
    let mut escapes = value
        .split('%')
        .skip(1)
        .map(|rest| rest.as_bytes().get(..2));
    if !escapes.all(|hex| hex.is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))) {
        return refuse("contains a % that is not followed by two hexadecimal digits");
    }
    let Ok(uri) = value.parse::<Uri>() else {
        return refuse(&format!("is not a URL: {}", shown(value)));
    };
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return refuse(&format!(
            "must start with https:// (or http://): {}",
            shown(value)
        ));
    }
    if uri.host().is_none_or(str::is_empty) || !has_plain_port(&uri) {
        return refuse(&format!("has no valid host and port: {}", shown(value)));
    }
    Ok(uri)
}

/// `host:`, `host:0` and `host:99999` are valid in URLs but cannot be used.
fn has_plain_port(uri: &Uri) -> bool {
    let authority = uri.authority().map_or("", |a| a.as_str());
    let address = authority.rsplit('@').next().unwrap_or_default();
    let host = uri.host().unwrap_or_default();
    match address.strip_prefix(host) {
        Some("") => true,
        Some(port) => port
            .strip_prefix(':')
            .is_some_and(|p| p.parse::<u16>().is_ok_and(|n| n > 0)),
        None => false,
    }
}

pub(crate) fn check_proxy(value: &str) -> Result<(), Error> {
    if value.is_empty() {
        return Ok(());
    }
    // The value is never quoted, because it may contain a password.
    if !value.is_ascii() {
        return Err(Error::config(
            "proxy contains a character that is not ASCII: write the host in its xn-- form, and user and password \
             percent-encoded",
        ));
    }
    let (scheme, _) = value.split_once("://").unwrap_or(("http", value));
    if !matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https") {
        return Err(Error::config(
            "proxy must be an HTTP proxy: http://[user:password@]host:port",
        ));
    }
    match ureq::Proxy::new(value) {
        Ok(proxy) if !proxy.host().is_empty() && has_plain_port(proxy.uri()) => Ok(()),
        _ => Err(Error::config(
            "proxy does not have the form http://[user:password@]host:port",
        )),
    }
}

/// Whether `host` (as in a URL, with brackets for IPv6) is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// A value for a message: short and on one line.
pub(crate) fn shown(value: &str) -> String {
    const MOST: usize = 60;
    let mut text: String = value
        .chars()
        .take(MOST)
        .collect::<String>()
        .escape_debug()
        .collect();
    if value.chars().nth(MOST).is_some() {
        text.push('…');
    }
    format!("\"{text}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cluster_id_is_refused_when_it_is_not_a_host_label() {
        let longest = "a".repeat(63);
        for good in ["w5d1cc1f4", "A", "a-b", "0", longest.as_str()] {
            check_cluster_id(good).unwrap();
        }
        let too_long = "a".repeat(64);
        for bad in [
            "",
            "-a",
            "a-",
            "a.b",
            "x@evil.example/",
            "a/b",
            "a:1",
            "a b",
            "a\n",
            "ä",
            "%61",
            "[::1]",
            too_long.as_str(),
        ] {
            let err = check_cluster_id(bad).unwrap_err();
            assert!(err.detail().contains("cluster_id"), "{bad}: {err}");
        }
    }

    #[test]
    fn base_url_is_accepted_or_refused_with_the_reason() {
        for (good, origin, loopback, https) in [
            (
                "http://127.0.0.1:8080",
                "http://127.0.0.1:8080",
                true,
                false,
            ),
            (
                "https://gw.example/esales/",
                "https://gw.example/esales",
                false,
                true,
            ),
            ("http://[::1]:1/", "http://[::1]:1", true, false),
            ("https://LOCALHOST", "https://LOCALHOST", true, true),
        ] {
            let endpoint = Endpoint::from_base_url(good).unwrap();
            assert_eq!(
                (
                    endpoint.origin.as_str(),
                    endpoint.is_loopback,
                    endpoint.is_https
                ),
                (origin, loopback, https)
            );
        }
        for bad in [
            "",
            "x",
            "/path",
            "ftp://h",
            "http://",
            "https://:443",
            "https://h:",
            "https://h:0",
            "https://h:99999",
            "https://u:secret@h/",
            "https://h/?q",
            "https://h/#f",
            "https://h /",
            "https://h\\@x",
            "javascript:alert(1)",
            "https://bücher.example",
            "https://gw.example/käse",
            "https://gw.example/\u{200b}",
            "https://gw.example/a|b",
            "https://gw.example/{cluster}",
            "https://gw.example/100%",
            "https://gw.example/%zz",
        ] {
            let err = Endpoint::from_base_url(bad).unwrap_err();
            assert!(
                err.detail().contains("base_url") && !err.detail().contains("secret"),
                "{bad}: {err}"
            );
        }
    }

    #[test]
    fn endpoint_from_a_stored_origin_equals_the_accepted_one() {
        for base_url in ["https://gw.example", "HTTPS://gw.example", "http://[::1]:1"] {
            let accepted = Endpoint::from_base_url(base_url).unwrap();
            assert_eq!(Endpoint::from_stored(&accepted.origin), accepted);
        }
    }

    #[test]
    fn every_loopback_host_is_recognised() {
        for yes in ["127.0.0.1", "127.9.9.9", "[::1]", "localhost"] {
            assert!(is_loopback(yes), "{yes}");
        }
        for no in ["localhost.example", "10.0.0.1", "0.0.0.0", "[::2]", ""] {
            assert!(!is_loopback(no), "{no}");
        }
    }

    #[test]
    fn proxy_is_refused_with_the_reason_when_it_is_not_ascii() {
        for bad in [
            "http://prøxy.test:80",
            "http://user:secrét@proxy.test:80",
            "http://proxy.test:80/é",
        ] {
            let refused = check_proxy(bad).unwrap_err();
            assert!(refused.detail().contains("not ASCII"), "{refused}");
            assert!(!refused.detail().contains("secr"), "{refused}");
        }
        check_proxy("http://us%C3%A9r:p%40ss@xn--prxy-hra.test:80").unwrap();
    }

    #[test]
    fn proxy_is_accepted_or_refused_with_the_reason() {
        for good in [
            "",
            "http://127.0.0.1:3128",
            "http://u:p@proxy:1",
            "proxy:8080",
        ] {
            check_proxy(good).unwrap();
        }
        for bad in [
            "socks5://secret:1",
            "ftp://secret",
            "http://",
            "http://secret host",
            "http://:3128",
            "http://u:secret@:3128",
            "http://secret:",
            "http://secret:0",
            "http://u:secret@proxy:99999",
        ] {
            let err = check_proxy(bad).unwrap_err();
            assert!(
                err.detail().contains("proxy") && !err.detail().contains("secret"),
                "{err}"
            );
        }
    }
}
