//! The C ABI: translation only, one file per C type.
//!
//! Every exported function is one call of [`boundary`], which no wrapper can forget: a unit test reads these files
//! and fails on an `extern "C"` function that is anything else.

#![allow(unsafe_code)]

mod client;
mod config;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod identity;
mod log;
mod queue;
mod receipt;
mod sized;
mod stats;
mod status;
mod visitor;

use std::any::Any;
use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::status::{Error, Status};

thread_local! {
    static LAST_ERROR: RefCell<CString> = RefCell::default();
}

/// What a function returns when it failed or panicked: chosen by its return type.
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

/// Runs the body of a C function: errors become codes and are remembered for `esales_last_error`, and no panic
/// leaves.
fn boundary<T: Returned>(body: impl FnOnce() -> Result<T, Error>) -> T {
    let result = catch_unwind(AssertUnwindSafe(|| {
        #[cfg(feature = "test-panic")]
        test_panic::strike();
        body()
    }));
    let error = match result {
        Ok(Ok(value)) => return value,
        Ok(Err(error)) => error,
        Err(panic) => Error::new(Status::Internal, words_of(&*panic)),
    };
    remember(error.detail());
    T::failed(error.status())
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let words = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("a defect in esales-notify: {}", words.unwrap_or("panic"))
}

fn remember(detail: &str) {
    let text: Vec<u8> = detail.bytes().filter(|b| *b != 0).collect();
    let text = CString::new(text).unwrap_or_default();
    // At thread exit the slot may be gone already; then there is nobody left to read it.
    let _ = LAST_ERROR.try_with(|slot| *slot.borrow_mut() = text);
}

/// What the host wants to have handed to its callback.
#[derive(Clone, Copy)]
struct UserData(*mut c_void);

// SAFETY: the library never looks at it; that its callback may run on any thread is the host's promise.
unsafe impl Send for UserData {}
// SAFETY: as above.
unsafe impl Sync for UserData {}

impl UserData {
    fn get(self) -> *mut c_void {
        self.0
    }
}

fn missing(name: &str) -> Error {
    Error::argument(format!("{name} is NULL"))
}

/// A required handle or struct.
///
/// # Safety
/// `pointer` is NULL or points to a live `T` that nobody changes during the call.
unsafe fn reference<'a, T>(name: &str, pointer: *const T) -> Result<&'a T, Error> {
    // SAFETY: the caller's promise.
    unsafe { pointer.as_ref() }.ok_or_else(|| missing(name))
}

/// A required out-parameter: checked before any work, written after it.
fn out<T>(name: &str, pointer: *mut T) -> Result<*mut T, Error> {
    if pointer.is_null() {
        return Err(missing(name));
    }
    Ok(pointer)
}

/// A required string.
///
/// # Safety
/// `pointer` is NULL or a NUL-terminated string that lives and stays unchanged through the call.
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

/// A copy of an id, NULL or not: it may stand in the receipt that the same call writes.
///
/// # Safety
/// As for [`text`].
unsafe fn copied(pointer: *const c_char) -> Option<CString> {
    // SAFETY: not NULL, and the caller's promise for the rest.
    (!pointer.is_null()).then(|| unsafe { CStr::from_ptr(pointer) }.to_owned())
}

/// Copies `text` and a NUL into the caller's memory, cut at a character boundary if it does not fit.
///
/// # Safety
/// `out` is valid for writes of `capacity` bytes.
unsafe fn copy_text(text: &str, out: *mut c_char, capacity: usize) {
    let Some(room) = capacity.checked_sub(1) else {
        return;
    };
    let length = text.floor_char_boundary(room);
    // SAFETY: `length` and the NUL fit into `capacity` bytes; a new Rust string cannot overlap the caller's memory.
    unsafe {
        std::ptr::copy_nonoverlapping(text.as_ptr().cast::<c_char>(), out, length);
        *out.add(length) = 0;
    }
}

/// Test only: makes the next call panic inside the boundary.
#[cfg(feature = "test-panic")]
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

    /// The promise of the module: `extern "C"` functions consist of a call of `boundary` and nothing else.
    #[test]
    fn every_exported_function_is_one_boundary_call() {
        let sources = [
            include_str!("client.rs"),
            include_str!("config.rs"),
            include_str!("identity.rs"),
            include_str!("log.rs"),
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
                // One expression: nothing stands at the function's own level after the call.
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
    fn a_panic_becomes_a_code_and_words() {
        let code: i32 = boundary(|| panic!("oh {}", "no"));
        assert_eq!(code, Status::Internal.code());
        let words = LAST_ERROR.with(|slot| slot.borrow().to_str().unwrap().to_owned());
        assert_eq!(words, "a defect in esales-notify: oh no");
        let text: *const c_char = boundary(|| panic!("again"));
        assert!(!text.is_null());
    }

    #[test]
    fn text_is_cut_at_a_character_boundary() {
        for (text, capacity, expected) in [
            ("abc", 4, "abc"),
            ("abc", 3, "ab"),
            ("aé", 3, "a"),
            ("aé", 4, "aé"),
            ("x", 1, ""),
        ] {
            let mut out = [1 as c_char; 8];
            // SAFETY: `out` has 8 bytes.
            unsafe { copy_text(text, out.as_mut_ptr(), capacity) };
            // SAFETY: copy_text wrote a NUL within `out`.
            let copied = unsafe { CStr::from_ptr(out.as_ptr()) };
            assert_eq!(copied.to_str().unwrap(), expected);
        }
    }
}
