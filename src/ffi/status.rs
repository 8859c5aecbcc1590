//! Status codes, their texts, and the version, for C.

use std::ffi::c_char;

use super::{LAST_ERROR, boundary};
use crate::outcome::Status;

/// Returns the name of a code, such as "ESALES_TIMEOUT", or "ESALES_UNKNOWN" for an unknown number.
/// The string is static.
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

/// Returns the meaning of a code, in one sentence. The string is static.
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

/// Returns the message of this thread's last failure, which names the argument or option. "": no
/// call of this thread has failed. A successful call does not clear it. The string is valid until
/// this thread's next failing call.
#[unsafe(no_mangle)]
pub extern "C" fn esales_last_error() -> *const c_char {
    boundary(|| {
        Ok(LAST_ERROR
            .with(|last| last.borrow().as_ptr())
            .unwrap_or(c"".as_ptr()))
    })
}

/// Returns the library's version, such as "0.1.0". Compare it with ESALES_VERSION of the header.
/// The string is static.
#[unsafe(no_mangle)]
pub extern "C" fn esales_version() -> *const c_char {
    boundary(|| Ok(concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()))
}
