//! Protects the page and the control interface from web sites that a developer visits.
//!
//! `esales_notify_serving::objection` has the rules. In addition, the rights of the page itself are narrow
//! (`Content-Security-Policy`), and no page may frame it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use esales_notify_serving::{Objection, objection};

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
    let (parts, body) = request.into_parts();
    let mut response = match refusal(parts, &shared.allow_hosts) {
        Err(reason) => plain(StatusCode::FORBIDDEN, reason),
        Ok(parts) => next.run(Request::from_parts(parts, body)).await,
    };
    for (name, value) in HEADERS {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

/// The reason to refuse this request, or the request if it is allowed.
fn refusal(request: Parts, allow_hosts: &[String]) -> Result<Parts, String> {
    let follows_a_link = request.method == Method::GET
        && request.uri.path() == "/"
        && request
            .headers
            .get("sec-fetch-mode")
            .is_some_and(|mode| mode == "navigate");
    Err(match objection(&request, allow_hosts, follows_a_link) {
        None => return Ok(request),
        Some(Objection::Host(name)) => format!(
            "Sandbox: the Host `{name}` is neither an address nor localhost. If this machine has \
             that name, start the sandbox with --allow-host {name}."
        ),
        Some(Objection::Origin(page) | Objection::Site(page)) => {
            format!("Sandbox: a page of another origin ({page}) may not do this.")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(method: &str, path: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        refusal(parts, &[]).is_err()
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
