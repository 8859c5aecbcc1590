//! Reads the body of a request, within bounds of size and time.

use std::fmt;
use std::sync::Arc;

use http_body_util::BodyExt as _;
use tokio::time::timeout;

use crate::unfinished::{Share, Unfinished};

/// How much of a longer body is read and discarded, as a multiple of the limit, so that the peer can read its 413.
const LONGEST_DRAIN: usize = 64;

/// The body of a request.
#[derive(Debug)]
pub struct Body {
    /// The bytes, cut at the limit.
    pub bytes: Vec<u8>,
    /// Whether the body was longer than the limit.
    pub is_too_long: bool,
    /// Its share of the limit for unfinished requests, while it is in memory.
    pub share: Share,
}

/// Why a body was not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyError {
    /// The body did not arrive in time.
    Timeout,
    /// The connection broke.
    BrokenOff,
    /// All unfinished requests together would take too many bytes.
    NoRoom,
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BodyError::Timeout => "the body did not arrive in time",
            BodyError::BrokenOff => "the connection broke before the body was complete",
            BodyError::NoRoom => "too many requests are unfinished",
        })
    }
}

/// Reads a body of at most `longest` bytes.
///
/// # Errors
/// See [`BodyError`].
pub async fn read<B>(
    unfinished: &Arc<Unfinished>,
    longest: usize,
    body: B,
) -> Result<Body, BodyError>
where
    B: http_body::Body<Data: AsRef<[u8]>> + Unpin,
{
    match timeout(unfinished.timeout, read_to_end(unfinished, longest, body)).await {
        Ok(result) => result,
        Err(_) => Err(BodyError::Timeout),
    }
}

async fn read_to_end<B>(
    unfinished: &Arc<Unfinished>,
    longest: usize,
    mut body: B,
) -> Result<Body, BodyError>
where
    B: http_body::Body<Data: AsRef<[u8]>> + Unpin,
{
    let (mut bytes, mut length) = (Vec::new(), 0_usize);
    let mut share = Share::new(unfinished);
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Err(BodyError::BrokenOff);
        };
        if let Ok(data) = frame.into_data() {
            let data = data.as_ref();
            length = length.saturating_add(data.len());
            let room = longest.saturating_sub(bytes.len());
            let kept = data.get(..room).unwrap_or(data);
            if !share.take(kept.len()) {
                return Err(BodyError::NoRoom);
            }
            bytes.extend_from_slice(kept);
        }
        if length > longest.saturating_mul(LONGEST_DRAIN) {
            break;
        }
    }
    Ok(Body {
        bytes,
        is_too_long: length > longest,
        share,
    })
}
