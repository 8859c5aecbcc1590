//! Reads the body of a request, or returns the answer that explains why it was not read.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use esales_notify_serving::{Body, BodyError, Unfinished};

use super::reply::plain;

/// The longest request body that is read, in bytes.
pub(super) const LONGEST_BODY: usize = 1024 * 1024;

/// Reads a body, or returns the reason why it was not read to its end.
pub(super) async fn read(
    unfinished: &Arc<Unfinished>,
    body: axum::body::Body,
) -> Result<Body, Response> {
    let read = esales_notify_serving::read(unfinished, LONGEST_BODY, body).await;
    read.map_err(|e| match e {
        BodyError::Timeout => plain(
            StatusCode::REQUEST_TIMEOUT,
            format!(
                "Sandbox: the body did not arrive within {} ms.",
                unfinished.timeout.as_millis()
            ),
        ),
        BodyError::BrokenOff => plain(StatusCode::BAD_REQUEST, format!("Sandbox: {e}.")),
        BodyError::NoRoom => plain(StatusCode::SERVICE_UNAVAILABLE, format!("Sandbox: {e}.")),
    })
}
