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
/// Notifications were lost or may be lost: an operator must act.
pub const ESALES_LOG_ERROR: i32 = 1;
/// A problem that an operator should look at: a dead letter, an outage, expired or dropped
/// notifications.
pub const ESALES_LOG_WARN: i32 = 2;
/// Delivery started or stopped, or the service is available again.
pub const ESALES_LOG_INFO: i32 = 3;
/// Every attempt.
pub const ESALES_LOG_DEBUG: i32 = 4;

/// The callback of esales_log_to. level is one of ESALES_LOG_ERROR to ESALES_LOG_DEBUG. message is
/// UTF-8 and valid during the call.
#[allow(non_camel_case_types)]
pub type esales_log_callback =
    Option<unsafe extern "C" fn(user_data: *mut c_void, level: i32, message: *const c_char)>;

/// Sets where the library's log messages go, for the whole process. The messages never contain
/// keys, tokens or tickets.
///
/// @param callback   receives each message. It may run on any thread, including threads of the
///                   library. No lock is held, so it may call functions of the library. Messages
///                   about calls made within the callback are not logged. NULL: the last 256
///                   messages are kept for esales_log_next. When this function returns, an earlier
///                   callback has ended, unless the call was made from within it. A forked child
///                   keeps the callback, unless the fork happened while another thread was in this
///                   function.
/// @param user_data  passed to the callback unchanged.
/// @param level      the most verbose level that is logged, ESALES_LOG_OFF to ESALES_LOG_DEBUG. The
///                   level is ESALES_LOG_OFF until this function is called: nothing is logged and
///                   no message is kept.
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

/// Returns the oldest kept message. Messages are kept while esales_log_to has a level and no
/// callback.
///
/// @param timeout_ms  how long to wait for a message, in milliseconds. 0: do not wait.
/// @param level       receives the level of the message.
/// @param message     receives at most 511 bytes of UTF-8 and a NUL. A longer message is cut
///                    between two characters and ends with "...".
/// @return 1 if a message was returned, 0 if there was none, or ESALES_INVALID_ARGUMENT.
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
