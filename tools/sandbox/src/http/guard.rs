//! Protects the page and the control interface from web sites that a developer visits.
//!
//! A browser sends requests to this machine for any page that wants it to. Three rules keep such a page from reading
//! the received requests, and from scripting or clearing the sandbox:
//! - a request from a page of another origin (`Origin`, `Sec-Fetch-Site`) is refused, and no answer allows another
//!   origin to read it;
//! - a name in `Host` must be `localhost` or a name in the options. If the owner of another site lets a name point to
//!   127.0.0.1 (DNS rebinding), the browser takes both for one origin, but `Host` contains that name. Addresses are
//!   allowed, because nobody can let them point elsewhere;
//! - the rights of the page itself are narrow (`Content-Security-Policy`), and no page may frame it.
//!
//! curl and HTTP libraries send an address or `localhost`, and no `Origin`: the rules do not affect them.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use super::reply::plain;
use super::shared::Shared;

/// Headers of every answer of the page and the control interface.
const HEADERS: [(HeaderName, &str); 7] = [
    (CACHE_CONTROL, "no-store"),
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
];

/// The layer around the page and the control interface.
pub(crate) async fn guard(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match objection(&request, &shared.allow_hosts) {
        Some(reason) => plain(StatusCode::FORBIDDEN, reason),
        None => next.run(request).await,
    };
    for (name, value) in HEADERS {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

/// The reason to refuse this request. `None`: it is allowed.
fn objection(request: &Request, allow_hosts: &[String]) -> Option<String> {
    let headers = request.headers();
    let host = match request.uri().authority() {
        Some(authority) => authority.as_str(),
        // A browser always sends a host.
        None => text(headers, HOST)?,
    };
    let name = name_of(host);
    if !is_ours(name, allow_hosts) {
        return Some(format!(
            "Sandbox: the Host `{name}` is neither an address nor localhost. If this machine has \
             that name, start the sandbox with --allow-host {name}."
        ));
    }
    if let Some(origin) = text(headers, ORIGIN) {
        let of_origin = origin.split_once("://").map(|(_, authority)| authority);
        if of_origin.is_none_or(|authority| !authority.eq_ignore_ascii_case(host)) {
            return Some(format!(
                "Sandbox: a page of another origin, {origin}, may not do this."
            ));
        }
    }
    let site = text(headers, HeaderName::from_static("sec-fetch-site"));
    let follows_a_link = request.method() == Method::GET
        && request.uri().path() == "/"
        && text(headers, HeaderName::from_static("sec-fetch-mode")) == Some("navigate");
    match site {
        None | Some("same-origin" | "none") => None,
        Some(_) if follows_a_link => None,
        Some(site) => Some(format!(
            "Sandbox: a page of another origin ({site}) may not do this."
        )),
    }
}

/// The value of a header. A value that is not text counts as an unknown one, not as missing.
fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
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
    use axum::body::Body;

    fn refused(method: &str, path: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        objection(&request, &["sandbox".to_owned()]).is_some()
    }

    #[test]
    fn host_header_is_refused_when_it_is_not_loopback() {
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
            let found = refused("GET", "/sandbox/received", &[("host", host)]);
            assert_eq!(found, is_refused, "{host}");
        }
        assert!(!refused("GET", "/sandbox/received", &[]));
        let absolute = refused("GET", "http://evil.example/sandbox/received", &[]);
        assert!(absolute, "the request line outweighs Host");
    }

    #[test]
    fn origin_header_is_refused_when_it_is_not_the_sandboxs_own() {
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
            let found = refused("PUT", "/sandbox/script", &[host, ("origin", origin)]);
            assert_eq!(found, is_refused, "{origin}");
        }
    }

    #[test]
    fn request_of_another_site_is_refused_unless_it_is_a_link_to_the_page() {
        let host = ("host", "127.0.0.1:8080");
        let navigate = ("sec-fetch-mode", "navigate");
        for (site, is_refused) in [
            ("none", false),
            ("same-origin", false),
            ("same-site", true),
            ("cross-site", true),
        ] {
            let site = ("sec-fetch-site", site);
            assert!(!refused("GET", "/", &[host, site, navigate]));
            let embedded = refused("GET", "/", &[host, site, ("sec-fetch-mode", "no-cors")]);
            assert_eq!(embedded, is_refused, "{site:?}");
            let read = refused("GET", "/sandbox/received", &[host, site, navigate]);
            assert_eq!(read, is_refused, "{site:?}");
            let close = refused("POST", "/sandbox/close-idle", &[host, site, navigate]);
            assert_eq!(close, is_refused, "{site:?}");
        }
    }
}
