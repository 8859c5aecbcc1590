//! The files of the inspector, the page at `/`. They are compiled into the program.

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

const JS: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// Path, content type and text of each file that the page loads.
const FILES: [(&str, &str, &str); 15] = [
    (
        "/sandbox/inspector/inspector.css",
        CSS,
        include_str!("../inspector/inspector.css"),
    ),
    (
        "/sandbox/inspector/icon.svg",
        SVG,
        include_str!("../inspector/icon.svg"),
    ),
    (
        "/sandbox/inspector/main.js",
        JS,
        include_str!("../inspector/main.js"),
    ),
    (
        "/sandbox/inspector/stream.js",
        JS,
        include_str!("../inspector/stream.js"),
    ),
    (
        "/sandbox/inspector/store.js",
        JS,
        include_str!("../inspector/store.js"),
    ),
    (
        "/sandbox/inspector/filter.js",
        JS,
        include_str!("../inspector/filter.js"),
    ),
    (
        "/sandbox/inspector/links.js",
        JS,
        include_str!("../inspector/links.js"),
    ),
    (
        "/sandbox/inspector/export.js",
        JS,
        include_str!("../inspector/export.js"),
    ),
    (
        "/sandbox/inspector/table.js",
        JS,
        include_str!("../inspector/table.js"),
    ),
    (
        "/sandbox/inspector/kinds.js",
        JS,
        include_str!("../inspector/kinds.js"),
    ),
    (
        "/sandbox/inspector/order.js",
        JS,
        include_str!("../inspector/order.js"),
    ),
    (
        "/sandbox/inspector/detail.js",
        JS,
        include_str!("../inspector/detail.js"),
    ),
    (
        "/sandbox/inspector/body.js",
        JS,
        include_str!("../inspector/body.js"),
    ),
    (
        "/sandbox/inspector/switches.js",
        JS,
        include_str!("../inspector/switches.js"),
    ),
    (
        "/sandbox/inspector/text.js",
        JS,
        include_str!("../inspector/text.js"),
    ),
];

/// The routes of those files.
pub(crate) fn files<S: Clone + Send + Sync + 'static>() -> Router<S> {
    FILES
        .into_iter()
        .fold(Router::new(), |router, (path, kind, text)| {
            router.route(path, get(async move || ([(CONTENT_TYPE, kind)], text)))
        })
}

pub(crate) async fn page() -> Response {
    let headers = [(CONTENT_TYPE, "text/html; charset=utf-8")];
    (headers, include_str!("../inspector/index.html")).into_response()
}
