//! Status codes, words and the version, for C.

use std::ffi::c_char;

use super::{LAST_ERROR, boundary};
use crate::outcome::Status;

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
