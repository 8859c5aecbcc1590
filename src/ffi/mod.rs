//! The C ABI. One file for each C type, which only translates.
//!
//! Every exported function is a single call of [`boundary`]. A unit test reads these files and
//! fails if an `extern "C"` function is anything else.

#![allow(unsafe_code)]

mod client;
mod config;
#[cfg(any(test, fuzzing))]
#[path = "../../fuzz/entries/c_arguments.rs"]
pub(crate) mod fuzz;
mod keys;
mod log;
mod notification;
mod queue;
mod receipt;
mod sized;
mod stats;
mod status;
mod visitor;

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::host::{self, PerThread};
use crate::notification::MAX_ID;
use crate::outcome::{Error, Status};

static LAST_ERROR: PerThread<RefCell<CString>> = PerThread::new();

/// The return value of a function that failed or panicked, chosen by its return type.
trait Returned {
    fn failed(status: Status) -> Self;
}

impl Returned for i32 {
    fn failed(status: Status) -> i32 {
        status.code()
    }
}

impl Returned for () {
    fn failed(_: Status) {}
}

impl Returned for *const c_char {
    fn failed(_: Status) -> *const c_char {
        c"".as_ptr()
    }
}

/// Runs the body of a C function. Errors become codes and are stored for `esales_last_error`.
/// Panics are caught.
fn boundary<T: Returned>(body: impl FnOnce() -> Result<T, Error>) -> T {
    host::silence_panics();
    host::note_thread();
    let result = catch_unwind(AssertUnwindSafe(|| {
        #[cfg(esales_test_panic)]
        test_panic::strike();
        body()
    }));
    let error = match result {
        Ok(Ok(value)) => return value,
        Ok(Err(error)) => error,
        Err(panic) => Error::new(Status::Internal, host::panic_message(&*panic)),
    };
    remember(error.detail());
    T::failed(error.status())
}

fn remember(detail: &str) {
    let text = c_text(detail);
    LAST_ERROR.with(|last| *last.borrow_mut() = text);
}

/// The host's pointer, which is passed to its callback.
#[derive(Clone, Copy)]
struct UserData(*mut c_void);

// SAFETY: the library never dereferences the pointer, and the host promises that its callback may
// run on any thread.
unsafe impl Send for UserData {}
// SAFETY: as above.
unsafe impl Sync for UserData {}

impl UserData {
    fn get(self) -> *mut c_void {
        self.0
    }
}

/// Refuses new work if the process has no memory left.
fn require_memory() -> Result<(), Error> {
    match host::is_memory_short() {
        false => Ok(()),
        true => Err(Error::new(
            Status::Internal,
            "the process has no memory left: a limit on its address space or its container is reached; nothing was sent",
        )),
    }
}

fn missing(name: &str) -> Error {
    Error::argument(format!("{name} is NULL"))
}

/// A required handle or struct.
///
/// # Safety
/// `pointer` is NULL or points to a live `T` that no thread changes during the call.
unsafe fn reference<'a, T>(name: &str, pointer: *const T) -> Result<&'a T, Error> {
    // SAFETY: the caller's promise.
    unsafe { pointer.as_ref() }.ok_or_else(|| missing(name))
}

/// A required out-parameter. It is checked before any work and written after it.
fn out<T>(name: &str, pointer: *mut T) -> Result<*mut T, Error> {
    if pointer.is_null() {
        return Err(missing(name));
    }
    Ok(pointer)
}

/// A required string.
///
/// # Safety
/// `pointer` is NULL or a NUL-terminated string that stays valid and unchanged during the call.
unsafe fn text<'a>(name: &str, pointer: *const c_char) -> Result<&'a str, Error> {
    // SAFETY: the caller's promise.
    unsafe { optional_text(name, pointer) }?.ok_or_else(|| missing(name))
}

/// A string that may be NULL.
///
/// # Safety
/// As for [`text`].
unsafe fn optional_text<'a>(name: &str, pointer: *const c_char) -> Result<Option<&'a str>, Error> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, and the caller's promise for the rest.
    match unsafe { CStr::from_ptr(pointer) }.to_str() {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(Error::argument(format!("{name} is not UTF-8"))),
    }
}

/// A copy of an id, which may be NULL. It is copied because it may be part of the receipt that the
/// same call writes. At most one character more than the longest id is copied.
///
/// # Safety
/// As for [`text`].
unsafe fn copied(pointer: *const c_char) -> Option<CString> {
    const ENOUGH: usize = MAX_ID + 4;
    if pointer.is_null() {
        return None;
    }
    // SAFETY: not NULL; strnlen stops at the NUL, so the caller's string has this many bytes.
    let bytes = unsafe {
        let length = libc::strnlen(pointer, ENOUGH);
        std::slice::from_raw_parts(pointer.cast::<u8>(), length)
    };
    let whole = match std::str::from_utf8(bytes) {
        // Only a copy that ended within a character has an error at the end of the bytes.
        Err(error) if error.error_len().is_none() && bytes.len() == ENOUGH => error.valid_up_to(),
        _ => bytes.len(),
    };
    CString::new(bytes.get(..whole).unwrap_or(bytes)).ok()
}

/// The text for C, without NULs, which a server's answer may contain.
fn c_text(text: &str) -> CString {
    CString::new(text).unwrap_or_else(|error| {
        let mut bytes = error.into_vec();
        bytes.retain(|byte| *byte != 0);
        CString::new(bytes).unwrap_or_default()
    })
}

/// The end of a text that was cut.
const ELLIPSIS: &str = "...";

/// The part of the text that fits into `room` bytes, cut between two characters, and an ellipsis if
/// it was cut.
fn fitting(text: &str, room: usize) -> (&str, &'static str) {
    if text.len() <= room {
        return (text, "");
    }
    let (left, end) = match room.checked_sub(ELLIPSIS.len()) {
        Some(left) => (left, ELLIPSIS),
        None => (room, ""),
    };
    (
        text.get(..text.floor_char_boundary(left))
            .unwrap_or_default(),
        end,
    )
}

/// Copies `text` and a NUL into the caller's memory; if it does not fit, it is cut between two characters and ends with
/// an ellipsis.
///
/// # Safety
/// `out` is valid for writes of `capacity` bytes.
unsafe fn copy_text(text: &str, out: *mut c_char, capacity: usize) {
    let Some(room) = capacity.checked_sub(1) else {
        return;
    };
    let without_nul;
    let text = if text.contains('\0') {
        without_nul = text.replace('\0', "");
        without_nul.as_str()
    } else {
        text
    };
    let (text, end) = fitting(text, room);
    // SAFETY: text, end and the NUL fit into `capacity` bytes; a Rust string cannot overlap the caller's memory.
    unsafe {
        std::ptr::copy_nonoverlapping(text.as_ptr().cast::<c_char>(), out, text.len());
        std::ptr::copy_nonoverlapping(
            end.as_ptr().cast::<c_char>(),
            out.add(text.len()),
            end.len(),
        );
        *out.add(text.len() + end.len()) = 0;
    }
}

/// Test only: makes the next call panic inside the boundary.
#[cfg(esales_test_panic)]
mod test_panic {
    use std::sync::atomic::{AtomicBool, Ordering};

    static ARMED: AtomicBool = AtomicBool::new(false);

    /// cbindgen:ignore
    #[unsafe(no_mangle)]
    pub extern "C" fn esales_test_panic_next() {
        ARMED.store(true, Ordering::SeqCst);
    }

    #[allow(clippy::panic)]
    pub(super) fn strike() {
        if ARMED.swap(false, Ordering::SeqCst) {
            panic!("forced by a test");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rule of the module: an `extern "C"` function consists of a call of `boundary` and
    /// nothing else.
    #[test]
    fn exported_function_contains_panics_by_one_boundary_call() {
        let sources = [
            include_str!("client.rs"),
            include_str!("config.rs"),
            include_str!("keys.rs"),
            include_str!("log.rs"),
            include_str!("notification.rs"),
            include_str!("queue.rs"),
            include_str!("receipt.rs"),
            include_str!("stats.rs"),
            include_str!("status.rs"),
            include_str!("visitor.rs"),
        ];
        let mut seen = 0;
        for source in sources {
            for function in source.split("#[unsafe(no_mangle)]").skip(1) {
                let body = function.split_once("{\n").unwrap().1;
                let end = body.find("\n}\n").unwrap();
                let body = body[..end].trim();
                assert!(body.starts_with("boundary(|| "), "{body}");
                // A single expression: there is nothing after the call.
                assert!(body.ends_with(')'), "{body}");
                assert_eq!(
                    body.lines()
                        .filter(|l| l.starts_with("    ") && !l.starts_with("     "))
                        .count(),
                    usize::from(body.contains('\n')),
                    "{body}"
                );
                seen += 1;
            }
        }
        let symbols = include_str!("../../tests/abi/symbols.txt");
        assert_eq!(seen, symbols.lines().count());
    }

    #[test]
    fn panic_becomes_esales_internal_with_a_message() {
        let code: i32 = boundary(|| panic!("oh {}", "no"));
        assert_eq!(code, Status::Internal.code());
        let message = LAST_ERROR.with(|last| last.borrow().to_str().unwrap().to_owned());
        assert_eq!(message.as_deref(), Some("a defect in esales-notify: oh no"));
        let text: *const c_char = boundary(|| panic!("again"));
        assert!(!text.is_null());
    }

    #[test]
    fn text_is_cut_between_characters_and_ends_with_an_ellipsis_when_it_does_not_fit() {
        for (text, capacity, expected) in [
            ("abcdef", 7, "abcdef"),
            ("abcdef", 6, "ab..."),
            ("aéb", 5, "aéb"),
            ("aébc", 5, "a..."),
            ("aéébc", 7, "aé..."),
            ("aé€", 7, "aé€"),
            ("a€€€", 8, "a€..."),
            ("a€€€", 9, "a€..."),
            ("a\0b", 8, "ab"),
            ("éé", 4, "..."),
            ("aé", 3, "a"),
            ("x", 1, ""),
        ] {
            let mut out = [1 as c_char; 10];
            // SAFETY: `out` has 10 bytes.
            unsafe { copy_text(text, out.as_mut_ptr(), capacity) };
            // SAFETY: copy_text wrote a NUL within `out`.
            let copied = unsafe { CStr::from_ptr(out.as_ptr()) };
            assert_eq!(copied.to_str().unwrap(), expected, "{text:?} in {capacity}");
            let behind = &out[copied.count_bytes() + 1..];
            assert!(
                behind.iter().all(|byte| *byte == 1),
                "{text:?} in {capacity}"
            );
        }
    }

    #[test]
    fn text_is_copied_whole_when_it_has_no_nul() {
        assert_eq!(c_text("a\0b\0").as_c_str(), c"ab");
        assert_eq!(c_text("a\u{e9}").as_c_str(), c"a\xc3\xa9");
    }

    #[test]
    fn copied_string_is_read_up_to_the_longest_id_when_it_has_no_nul() {
        let endless = CString::new("é".repeat(1 << 20)).unwrap();
        // SAFETY: a string with its NUL.
        let copy = unsafe { copied(endless.as_ptr()) }.unwrap();
        assert!((MAX_ID + 1..MAX_ID + 8).contains(&copy.count_bytes()));
        assert!(copy.to_str().is_ok());
    }
}
