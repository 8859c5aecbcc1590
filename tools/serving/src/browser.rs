//! Which requests are refused because a browser may have sent them for another site's page.
//!
//! A browser sends requests to this machine for any page that asks it to. Two rules refuse such requests:
//! - a request with the header of a page of another origin (`Origin`, `Sec-Fetch-Site`) is refused, and no answer
//!   allows another origin to read it;
//! - a name in `Host` must be `localhost` or an allowed name. With DNS rebinding, another site's name resolves to
//!   127.0.0.1, and the browser treats both as one origin; but `Host` then has that name. IP addresses are allowed,
//!   because they cannot be rebound.
//!
//! curl and HTTP libraries send an address or `localhost`, and no `Origin`: the rules do not affect them.

use std::net::IpAddr;

use http::header::{HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, HeaderName};

/// The reason for a refusal.
#[derive(Debug, PartialEq, Eq)]
pub enum Objection {
    /// `Host` has this name, which is not an address, localhost or an allowed name.
    Host(String),
    /// The request comes from a page of this other origin.
    Origin(String),
    /// The request comes from a page of another origin, with this value of `Sec-Fetch-Site`.
    Site(String),
}

/// The reason to refuse this request; `None`: it is allowed. `is_link`: a page of another site may cause it, as by a
/// link.
#[must_use]
pub fn objection(request: &Parts, allow_hosts: &[String], is_link: bool) -> Option<Objection> {
    let headers = &request.headers;
    let host = match request.uri.authority() {
        Some(authority) => authority.as_str(),
        // Without `Host` the request is not from a browser, which always sends it.
        None => text(headers, &HOST)?,
    };
    let name = name_of(host);
    if !is_ours(name, allow_hosts) {
        return Some(Objection::Host(name.to_owned()));
    }
    if let Some(origin) = text(headers, &ORIGIN) {
        let of_origin = origin.split_once("://").map(|(_, authority)| authority);
        if of_origin.is_none_or(|authority| !authority.eq_ignore_ascii_case(host)) {
            return Some(Objection::Origin(origin.to_owned()));
        }
    }
    match text(headers, &HeaderName::from_static("sec-fetch-site")) {
        None | Some("same-origin" | "none") => None,
        Some(_) if is_link => None,
        Some(site) => Some(Objection::Site(site.to_owned())),
    }
}

/// The value of a header. A value that is not text is replaced by a text that no rule allows.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers
        .get(name)
        .map(|value| value.to_str().unwrap_or("(not text)"))
}

/// The host without its port, and without the brackets of an IPv6 address.
fn name_of(host: &str) -> &str {
    if let Some((address, _)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address;
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

fn is_ours(name: &str, allow_hosts: &[String]) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name.parse::<IpAddr>().is_ok()
        || name == "localhost"
        || name.ends_with(".localhost")
        || allow_hosts
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(&name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn refused(path: &str, headers: &[(&str, &str)], is_link: bool) -> Option<Objection> {
        let mut request = Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        objection(&parts, &["sandbox".to_owned()], is_link)
    }

    #[test]
    fn objection_is_made_to_a_foreign_host_name() {
        for (host, is_refused) in [
            ("127.0.0.1:8080", false),
            ("127.0.0.1", false),
            ("192.168.1.7:8080", false),
            ("[::1]:8080", false),
            ("[::1]", false),
            ("localhost:8080", false),
            ("LOCALHOST.", false),
            ("shop.localhost:1", false),
            ("Sandbox:8080", false),
            ("evil.example:8080", true),
            ("localhost.evil.example", true),
            ("127.0.0.1.evil.example:8080", true),
            ("evillocalhost", true),
            ("", true),
        ] {
            let found = refused("/", &[("host", host)], true).is_some();
            assert_eq!(found, is_refused, "{host}");
        }
        assert_eq!(refused("/", &[], false), None);
        let absolute = refused("http://evil.example/", &[("host", "localhost")], false);
        assert_eq!(absolute, Some(Objection::Host("evil.example".to_owned())));
    }

    #[test]
    fn objection_is_made_to_a_page_of_another_origin() {
        let host = ("host", "127.0.0.1:8080");
        for (origin, is_refused) in [
            ("http://127.0.0.1:8080", false),
            ("https://127.0.0.1:8080", false),
            ("http://127.0.0.1:8081", true),
            ("http://localhost:8080", true),
            ("https://evil.example", true),
            ("null", true),
            ("", true),
        ] {
            let found = refused("/", &[host, ("origin", origin)], true).is_some();
            assert_eq!(found, is_refused, "{origin}");
        }
    }

    #[test]
    fn objection_is_made_to_another_site_unless_it_is_a_link() {
        let host = ("host", "127.0.0.1:8080");
        for (site, is_refused) in [
            ("none", false),
            ("same-origin", false),
            ("same-site", true),
            ("cross-site", true),
        ] {
            let headers = [host, ("sec-fetch-site", site)];
            assert_eq!(
                refused("/", &headers, false).is_some(),
                is_refused,
                "{site}"
            );
            assert_eq!(refused("/", &headers, true), None, "{site}");
        }
    }
}
