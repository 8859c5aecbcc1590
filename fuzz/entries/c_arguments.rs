//! For fuzzing: a C program that passes anything at all, as far as C lets it know what it passes.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicPtr, Ordering};

use super::client::*;
use super::config::*;
use super::keys::*;
use super::log::*;
use super::notification::*;
use super::queue::*;
use super::receipt::esales_receipt;
use super::stats::esales_stats;
use super::status::*;
use super::visitor::esales_visitor;
use crate::fuzz::Input;
use crate::outcome::Status;

/// A string of any bytes up to the NUL, or NULL.
struct Text(Option<CString>);

impl Text {
    fn read(input: &mut Input<'_>) -> Text {
        let is_null = input.byte() == 0;
        let bytes = input.piece().iter().copied().take_while(|b| *b != 0);
        Text((!is_null).then(|| CString::new(bytes.collect::<Vec<_>>()).unwrap()))
    }

    fn pointer(&self) -> *const c_char {
        self.0.as_ref().map_or(null(), |text| text.as_ptr())
    }
}

/// The memory of a struct that says that it is so many bytes large, and is, within reason: NULL, too small, too large.
struct Memory(Vec<u64>);

impl Memory {
    fn read<T>(input: &mut Input<'_>) -> Memory {
        let usual = size_of::<T>();
        let size = match input.byte() {
            0 => return Memory(Vec::new()),
            n if n < 128 => usual as u32,
            _ => input.integer() as u32,
        };
        let words = (size as usize).clamp(8, 1024).div_ceil(8);
        let mut memory = vec![0_u64; words];
        // SAFETY: the size stands in the first four bytes of at least eight.
        unsafe { memory.as_mut_ptr().cast::<u32>().write(size) };
        Memory(memory)
    }

    fn pointer<T>(&mut self) -> *mut T {
        if self.0.is_empty() {
            return null_mut();
        }
        self.0.as_mut_ptr().cast()
    }
}

/// A visitor of any size whose strings are anything.
fn visitor(input: &mut Input<'_>, strings: &[Text; 4]) -> Memory {
    let mut memory = Memory::read::<esales_visitor>(input);
    if memory.0.len() * 8 >= size_of::<esales_visitor>() {
        let visitor: *mut esales_visitor = memory.pointer();
        let [market, customer_key, session_key, token] = strings.each_ref().map(Text::pointer);
        // SAFETY: the memory is as large as a visitor, aligned for one, and lives.
        unsafe {
            (*visitor).market = market;
            (*visitor).customer_key = customer_key;
            (*visitor).session_key = session_key;
            (*visitor).token = token;
        }
    }
    memory
}

/// A notification of any size and kind whose strings are anything, with at most three lines.
fn notification(input: &mut Input<'_>, strings: &[Text; 4], lines: &mut Vec<u64>) -> Memory {
    let mut memory = Memory::read::<esales_notification>(input);
    let count = usize::from(input.byte() % 4);
    for _ in 0..count {
        let [product_key, variant_key, selling_price, cost] =
            strings.each_ref().map(|text| text.pointer() as u64);
        let quantity = u64::from(input.byte());
        let size = match input.byte() {
            0 => input.integer() as u32,
            _ => size_of::<esales_line>() as u32,
        };
        lines.push(quantity << 32 | u64::from(size));
        lines.extend([product_key, variant_key, selling_price, cost]);
    }
    if memory.0.len() * 8 >= size_of::<esales_notification>() {
        let notification: *mut esales_notification = memory.pointer();
        let [id, ticket, product_key, private_key] = strings.each_ref().map(Text::pointer);
        // SAFETY: the memory is as large as a notification, aligned for one, and lives.
        unsafe {
            (*notification).kind = i32::from(input.byte() % 9);
            (*notification).id = id;
            (*notification).ticket = ticket;
            (*notification).product_key = product_key;
            (*notification).private_key = private_key;
            (*notification).line_count = count;
            (*notification).lines = match count {
                // A pointer that must not be followed.
                0 => null_mut(),
                _ => lines.as_ptr().cast(),
            };
        }
    }
    memory
}

/// Calls of every function, in any order, with any strings, NULLs and sizes.
pub fn c_arguments(data: &[u8]) {
    static CLIENT: AtomicPtr<esales_client> = AtomicPtr::new(null_mut());
    if CLIENT.load(Ordering::Relaxed).is_null() {
        CLIENT.store(new_client(), Ordering::Relaxed);
    }
    let live = CLIENT.load(Ordering::Relaxed);
    let mut input = Input(data);
    let mut config = null_mut();
    // SAFETY: every pointer below is NULL or leads to what the header asks for: a live handle, a string with its NUL,
    // a struct in as much memory as it says, an array of the size that the header declares.
    unsafe {
        assert_eq!(esales_config_new(&raw mut config), 0);
        while !input.is_empty() {
            let choice = input.byte();
            let client = if choice.is_multiple_of(18) {
                null_mut()
            } else {
                live
            };
            call(choice % 18, &mut input, client, config);
        }
        esales_config_free(config);
    }
}

fn new_client() -> *mut esales_client {
    let (mut config, mut client) = (null_mut(), null_mut());
    // Nobody listens on the discard port: every delivery is refused at once.
    let options = [
        (c"base_url", c"http://127.0.0.1:9"),
        (c"timeout_ms", c"1000"),
        (c"max_attempts", c"1"),
        (c"max_items", c"50"),
        (c"overflow", c"drop_oldest"),
        // So that some end, and callbacks hear of it.
        (c"max_age_s", c"1"),
    ];
    // SAFETY: places of our own, and strings with their NUL.
    unsafe {
        assert_eq!(esales_config_new(&raw mut config), 0);
        for (name, value) in options {
            assert_eq!(esales_config_set(config, name.as_ptr(), value.as_ptr()), 0);
        }
        assert_eq!(esales_client_new(config, &raw mut client), 0);
        esales_config_free(config);
    }
    client
}

/// # Safety
/// `client` and `config` are live handles or NULL.
unsafe fn call(
    choice: u8,
    input: &mut Input<'_>,
    client: *mut esales_client,
    config: *mut esales_config,
) {
    let (one, two) = (Text::read(input), Text::read(input));
    let mut room = [0x55 as c_char; 512];
    let out = if input.byte() == 0 {
        null_mut()
    } else {
        room.as_mut_ptr()
    };
    let mut receipt = Memory::read::<esales_receipt>(input);
    let mut stats = Memory::read::<esales_stats>(input);
    // SAFETY: as in c_arguments.
    let code = unsafe {
        match choice {
            0 | 1 => esales_config_set(config, one.pointer(), two.pointer()),
            2 => made(config),
            3 | 4 => {
                let strings = [(); 4].map(|()| Text::read(input));
                let mut visitor = visitor(input, &strings);
                let send = if choice == 3 {
                    esales_notify_add_to_cart
                } else {
                    esales_enqueue_add_to_cart
                };
                send(
                    client,
                    visitor.pointer(),
                    one.pointer(),
                    two.pointer(),
                    receipt.pointer(),
                )
            }
            15 | 16 => {
                let strings = [(); 4].map(|()| Text::read(input));
                let mut visitor = visitor(input, &strings);
                let strings = [(); 4].map(|()| Text::read(input));
                let mut lines = Vec::new();
                let mut notification = notification(input, &strings, &mut lines);
                let send = if choice == 15 {
                    esales_notify
                } else {
                    esales_enqueue
                };
                send(
                    client,
                    visitor.pointer(),
                    notification.pointer(),
                    receipt.pointer(),
                )
            }
            5 => match input.byte() {
                ms @ 0..=1 => esales_client_flush(client, ms.into(), stats.pointer()),
                2 => esales_client_stop_delivery(client, 0),
                3 => esales_stop_delivery(0),
                _ => esales_client_flush(client, 0, stats.pointer()),
            },
            6 => esales_client_stats(client, stats.pointer()),
            7 => esales_client_receipt(client, one.pointer(), receipt.pointer()),
            8 => esales_client_delivery_next(client, 0, receipt.pointer()),
            9 => {
                let callback: esales_delivery_callback =
                    (input.byte() % 2 == 1).then_some(delivered);
                esales_client_on_delivery(client, callback, HANDED.as_ptr().cast_mut().cast())
            }
            10 => esales_customer_key(one.pointer(), out),
            11 => esales_customer_token(one.pointer(), two.pointer(), out),
            12 => esales_new_key(out),
            13 => {
                let level = i32::from(input.byte()) - 2;
                let callback: esales_log_callback = (input.byte() % 2 == 1).then_some(logged);
                esales_log_to(callback, HANDED.as_ptr().cast_mut().cast(), level)
            }
            14 => {
                let mut level = 0;
                esales_log_next(0, &raw mut level, out)
            }
            _ => {
                let code = input.integer() as i32;
                for text in [
                    esales_status_name(code),
                    esales_status_text(code),
                    esales_version(),
                ] {
                    assert!(!is_text(text).is_empty());
                }
                0
            }
        }
    };
    assert_ne!(
        code,
        Status::Internal.code(),
        "a panic, or a defect that says so"
    );
    // SAFETY: the words end with a NUL, and live until this thread's next failure.
    unsafe { is_text(esales_last_error()) };
}

/// # Safety
/// It ends with a NUL, if it is not NULL.
unsafe fn is_text<'a>(text: *const c_char) -> &'a str {
    assert!(!text.is_null());
    // SAFETY: the caller's promise.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().expect("the words are UTF-8")
}

/// What every callback is handed.
static HANDED: [u8; 1] = [0];

unsafe extern "C" fn delivered(user_data: *mut c_void, receipt: *const esales_receipt) {
    assert!(user_data.cast_const().cast() == HANDED.as_ptr() && !receipt.is_null());
    // SAFETY: the receipt is valid during the call, and its texts end with a NUL.
    unsafe {
        is_text((*receipt).id.as_ptr());
        is_text((*receipt).detail.as_ptr());
    }
}

unsafe extern "C" fn logged(user_data: *mut c_void, level: i32, message: *const c_char) {
    assert!(user_data.cast_const().cast() == HANDED.as_ptr());
    assert!((ESALES_LOG_ERROR..=ESALES_LOG_DEBUG).contains(&level));
    // SAFETY: the message is valid during the call, and ends with a NUL.
    unsafe { is_text(message) };
}

/// # Safety
/// `config` is a live handle.
unsafe fn made(config: *mut esales_config) -> i32 {
    // Files of any name stay untouched: what is in them is for other targets.
    for option in [c"ca_file", c"spool"] {
        // SAFETY: the caller's promise, and strings with their NUL.
        unsafe { esales_config_set(config, option.as_ptr(), c"/nowhere/file".as_ptr()) };
    }
    let mut client = null_mut();
    // SAFETY: the caller's promise, and a place of our own.
    unsafe {
        let code = esales_client_new(config, &raw mut client);
        esales_client_free(client);
        code
    }
}
