//! Status codes, words and the version, for C.

// The constants are read by cbindgen; in Rust the codes are those of `Status`, and a test holds both together.
#![allow(dead_code)]

use std::ffi::c_char;

use super::{LAST_ERROR, boundary};
use crate::status::Status;

/// The service received the notification (2xx).
pub const ESALES_DELIVERED: i32 = 0;
/// The notification is in the queue and will be delivered.
pub const ESALES_QUEUED: i32 = 1;
/// An argument is missing or malformed; nothing was sent.
pub const ESALES_INVALID_ARGUMENT: i32 = -1;
/// An option is unknown, out of range, or contradicts another.
pub const ESALES_INVALID_CONFIG: i32 = -2;
/// The client was closed.
pub const ESALES_CLOSED: i32 = -3;
/// 400: the service found no ticket. Final.
pub const ESALES_TICKET_MISSING: i32 = -10;
/// 403: the customer key of a signed-in visitor could not be validated. Final.
pub const ESALES_FORBIDDEN: i32 = -11;
/// Any other final answer.
pub const ESALES_REJECTED: i32 = -12;
/// 5xx: unavailable or busy. May succeed later, with the same id.
pub const ESALES_SERVER_ERROR: i32 = -20;
/// 429 or 425: come back later. May succeed later, with the same id.
pub const ESALES_THROTTLED: i32 = -21;
/// No answer within timeout_ms, or 408. May succeed later, with the same id.
pub const ESALES_TIMEOUT: i32 = -22;
/// Name not found, or no connection. May succeed later, with the same id.
pub const ESALES_CONNECT_FAILED: i32 = -23;
/// TLS handshake failed or certificate refused. May succeed later, once mended.
pub const ESALES_TLS_FAILED: i32 = -24;
/// The connection broke before the answer. May succeed later, with the same id.
pub const ESALES_CONNECTION_LOST: i32 = -25;
/// The answer is not HTTP. May succeed later, with the same id.
pub const ESALES_BAD_RESPONSE: i32 = -26;
/// The queue is full; not accepted.
pub const ESALES_QUEUE_FULL: i32 = -30;
/// The spool could not be written; not accepted.
pub const ESALES_SPOOL_FAILED: i32 = -31;
/// A defect in this library.
pub const ESALES_INTERNAL: i32 = -90;

/// The name of a code, such as "ESALES_TIMEOUT"; "ESALES_UNKNOWN" for a number that is none. Static.
///
/// @param status  an ESALES_* code.
#[unsafe(no_mangle)]
pub extern "C" fn esales_status_name(status: i32) -> *const c_char {
    boundary(|| {
        Ok(Status::from_code(status)
            .map_or(c"ESALES_UNKNOWN", Status::name_c)
            .as_ptr())
    })
}

/// What a code means, in one sentence. Static.
///
/// @param status  an ESALES_* code.
#[unsafe(no_mangle)]
pub extern "C" fn esales_status_text(status: i32) -> *const c_char {
    boundary(|| {
        Ok(Status::from_code(status)
            .map_or(c"Not a status code.", Status::text_c)
            .as_ptr())
    })
}

/// This thread's last failure, in words that name the argument or option; "" if there was none. Success does not
/// clear it. Valid until this thread's next failing call.
#[unsafe(no_mangle)]
pub extern "C" fn esales_last_error() -> *const c_char {
    boundary(|| {
        Ok(LAST_ERROR
            .with(|last| last.borrow().as_ptr())
            .unwrap_or(c"".as_ptr()))
    })
}

/// The library's version, such as "0.1.0"; compare with ESALES_VERSION of the header. Static.
#[unsafe(no_mangle)]
pub extern "C" fn esales_version() -> *const c_char {
    boundary(|| Ok(concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_are_the_statuses() {
        let source = include_str!("status.rs");
        for status in Status::ALL {
            let line = format!("pub const {}: i32 = {};", status.name(), status.code());
            assert!(source.contains(&line), "{line}");
        }
        assert_eq!(
            source.matches("\npub const ESALES_").count(),
            Status::ALL.len()
        );
    }
}
