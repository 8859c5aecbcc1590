//! Reads the body of a request, with limits on its size and time.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use http_body_util::BodyExt as _;
use tokio::time::timeout;

use super::reply::plain;
use super::unfinished::{Share, Unfinished};

/// The longest request body that is read, in bytes.
pub(super) const LONGEST_BODY: usize = 1024 * 1024;
/// How much of a longer body is read and thrown away, so that the client can read its 413.
const LONGEST_DRAIN: usize = 64 * LONGEST_BODY;

/// The body of a request.
pub(super) struct Body {
    /// Cut at [`LONGEST_BODY`].
    pub(super) bytes: Vec<u8>,
    pub(super) is_too_long: bool,
    /// Its part of the memory for unfinished requests.
    pub(super) share: Share,
}

/// Reads a body, or returns the reason why it was not read to its end.
pub(super) async fn read(
    unfinished: &Arc<Unfinished>,
    body: axum::body::Body,
) -> Result<Body, Response> {
    match timeout(unfinished.timeout, read_to_end(unfinished, body)).await {
        Ok(result) => result,
        Err(_) => Err(plain(
            StatusCode::REQUEST_TIMEOUT,
            format!(
                "Sandbox: the body did not arrive within {} ms.",
                unfinished.timeout.as_millis()
            ),
        )),
    }
}

async fn read_to_end(
    unfinished: &Arc<Unfinished>,
    mut body: axum::body::Body,
) -> Result<Body, Response> {
    let (mut bytes, mut length) = (Vec::new(), 0);
    let mut share = Share::new(unfinished);
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Err(plain(
                StatusCode::BAD_REQUEST,
                "Sandbox: the body is incomplete.",
            ));
        };
        if let Ok(data) = frame.into_data() {
            length += data.len();
            let room = LONGEST_BODY - bytes.len();
            let kept = data.get(..room).unwrap_or(&data);
            if !share.take(kept.len()) {
                return Err(plain(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "Sandbox: too many requests are unfinished.",
                ));
            }
            bytes.extend_from_slice(kept);
        }
        if length > LONGEST_DRAIN {
            break;
        }
    }
    Ok(Body {
        bytes,
        is_too_long: length > LONGEST_BODY,
        share,
    })
}
