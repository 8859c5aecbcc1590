//! `esales_receipt`: the outcome of a notification.

use std::ffi::c_char;
use std::mem::offset_of;
use std::time::Duration;

use super::copy_text;
use super::sized::{self, CallerStruct, Growing};
use crate::outcome::{Error, Receipt, Status};

/// The outcome of a notification. Begin with ESALES_RECEIPT_INIT. The caller owns it, and there is
/// nothing to free. It is also written if the call fails, unless struct_size is wrong. If detail is
/// cut, esales_last_error returns the whole message of a call that failed.
#[allow(non_camel_case_types)]
#[repr(C)]
pub struct esales_receipt {
    /// sizeof(esales_receipt), set by ESALES_RECEIPT_INIT.
    pub struct_size: u32,
    /// The outcome, as a status code. A function that sends or enqueues returns the same code.
    pub status: i32,
    /// HTTP status of the answer to the last attempt. 0: the last attempt got no answer.
    pub http_status: i32,
    /// How many attempts were started. 0: nothing was sent.
    pub attempts: u32,
    /// Duration of the call, in microseconds. In a receipt from the queue: the time from acceptance
    /// to the outcome, or until now if the notification is pending.
    pub elapsed_us: u64,
    /// The id that was sent, which is the same in every attempt. Empty if the arguments were
    /// refused. To send the same event again, pass this id.
    pub id: [c_char; 129],
    /// A message for a person: UTF-8, at most 255 bytes. A longer message is cut and ends with
    /// "...".
    pub detail: [c_char; 256],
}

// SAFETY: its first member is its size, and the others are numbers.
unsafe impl Growing for esales_receipt {
    const SIZES: &'static [usize] = &[
        #[cfg(esales_test_grown)]
        sized::up_to::<Self>(offset_of!(Self, id), 129),
        sized::up_to::<Self>(offset_of!(Self, detail), 256),
    ];
}

/// Checks the caller's receipt and writes ESALES_INTERNAL into it, which stays there if the call
/// panics.
///
/// # Safety
/// `pointer` is NULL, or points to a receipt that stays writable as long as the [`CallerStruct`]
/// lives.
pub(super) unsafe fn prepare(
    pointer: *mut esales_receipt,
) -> Result<CallerStruct<esales_receipt>, Error> {
    // SAFETY: the caller's promise.
    let target = unsafe { CallerStruct::new("receipt", pointer) }?;
    let unknown = Receipt::unsent(Status::Internal, Status::Internal.text(), Duration::ZERO);
    target.write(to_c(&unknown));
    Ok(target)
}

/// Like [`prepare`], for a receipt that may be NULL.
///
/// # Safety
/// As for [`prepare`].
pub(super) unsafe fn prepare_optional(
    pointer: *mut esales_receipt,
) -> Result<Option<CallerStruct<esales_receipt>>, Error> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    unsafe { prepare(pointer) }.map(Some)
}

/// Converts the receipt to its C struct.
pub(super) fn to_c(receipt: &Receipt) -> esales_receipt {
    let mut written = esales_receipt {
        struct_size: size_of::<esales_receipt>() as u32,
        status: receipt.status.code(),
        http_status: receipt.http_status.map_or(0, i32::from),
        attempts: receipt.attempts,
        elapsed_us: u64::try_from(receipt.elapsed.as_micros()).unwrap_or(u64::MAX),
        id: [0; 129],
        detail: [0; 256],
    };
    // SAFETY: the arrays are as long as their types say.
    unsafe {
        copy_text(&receipt.id, (&raw mut written.id).cast(), 129);
        copy_text(&receipt.detail, (&raw mut written.detail).cast(), 256);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    #[test]
    fn detail_ends_with_an_ellipsis_when_it_does_not_fit() {
        let detail = "é".repeat(200);
        let written = to_c(&Receipt::unsent(Status::Forbidden, &detail, Duration::ZERO));
        // SAFETY: `of` ends it with a NUL.
        let text = unsafe { CStr::from_ptr(written.detail.as_ptr()) };
        let expected = format!("{}...", "é".repeat(126));
        assert_eq!(text.to_str().unwrap(), expected);
    }
}
