//! The log, for C.

// The constants are read by cbindgen.
#![allow(dead_code)]

use std::ffi::{c_char, c_void};
use std::time::Duration;

use super::{UserData, boundary, c_text, copy_text, out};
use crate::host::log::{self, LogLevel};
use crate::outcome::Error;

/// No messages.
pub const ESALES_LOG_OFF: i32 = 0;
/// Events may be lost, or were: an operator must act.
pub const ESALES_LOG_ERROR: i32 = 1;
/// Something to look at: a dead letter, an outage, expired or dropped events.
pub const ESALES_LOG_WARN: i32 = 2;
/// Turns in the delivery: the service is back.
pub const ESALES_LOG_INFO: i32 = 3;
/// Every attempt.
pub const ESALES_LOG_DEBUG: i32 = 4;

/// What esales_log_to calls: level is one of ESALES_LOG_ERROR to ESALES_LOG_DEBUG, message is UTF-8, valid during
/// the call.
#[allow(non_camel_case_types)]
pub type esales_log_callback =
    Option<unsafe extern "C" fn(user_data: *mut c_void, level: i32, message: *const c_char)>;

/// Says where the library's messages go, for the whole process. Keys, tokens and tickets never appear in them.
///
/// @param callback   runs on any thread, the library's own among them, with no lock held: it may use the library. What
///                   the library would have to say of such a call, on the same thread, is not said. NULL: the last 256
///                   messages are kept for esales_log_next. When this returns, an earlier callback has ended, except
///                   when it is called from within it. A forked child goes on with it, unless another thread was just
///                   calling this function.
/// @param user_data  handed to the callback as it is.
/// @param level      the most verbose level that is wanted, ESALES_LOG_OFF to ESALES_LOG_DEBUG. Off, which it is to
///                   begin with: nothing is called or kept.
/// @return 0 or ESALES_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn esales_log_to(
    callback: esales_log_callback,
    user_data: *mut c_void,
    level: i32,
) -> i32 {
    boundary(|| {
        let wanted = LogLevel::from_code(level);
        if wanted.is_none() && level != ESALES_LOG_OFF {
            return Err(Error::argument(format!("level is {level}, not 0 to 4")));
        }
        let user_data = UserData(user_data);
        match (callback, wanted) {
            (Some(callback), Some(wanted)) => log::log_to(
                wanted,
                Some(Box::new(move |level, message| {
                    let message = c_text(message);
                    // SAFETY: the caller promises a function that may be called on any thread until it is replaced.
                    unsafe { callback(user_data.get(), level as i32, message.as_ptr()) };
                })),
            ),
            _ => log::log_keep(wanted),
        }
        Ok(0)
    })
}

/// Takes the oldest message that was kept because esales_log_to was given no callback.
///
/// @param timeout_ms  how long to wait for one, in milliseconds; 0: not at all.
/// @param level       receives its level.
/// @param message     receives at most 511 bytes and a NUL, UTF-8. What does not fit is cut between two characters, and
///                    then ends with "...".
/// @return 1, 0 if there is none, or ESALES_INVALID_ARGUMENT.
///
/// cbindgen:ptrs-as-arrays=[[message;512]]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn esales_log_next(
    timeout_ms: u32,
    level: *mut i32,
    message: *mut c_char,
) -> i32 {
    boundary(|| {
        let (level_out, message_out) = (out("level", level)?, out("message", message)?);
        let Some((level, message)) = log::log_next(Duration::from_millis(timeout_ms.into())) else {
            return Ok(0);
        };
        // SAFETY: not NULL; the caller promises a writable number and 512 writable bytes.
        unsafe {
            level_out.write_unaligned(level as i32);
            copy_text(&message, message_out, 512);
        }
        Ok(1)
    })
}
