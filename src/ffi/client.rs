//! `esales_client`: sends notifications.

use std::ffi::{CStr, c_char};
use std::ptr::null;
use std::time::{Duration, Instant};

use super::config::esales_config;
use super::receipt::{self, esales_receipt};
use super::visitor::{self, esales_visitor};
use super::{boundary, copied, optional_text, out, reference, require_memory, text};
use crate::client::Client;
use crate::config::Config;
use crate::status::{Error, Receipt};
use crate::wire::Visitor;

/// Sends notifications. May be used from any number of threads at once, and after a fork in the parent and in the
/// child. Cheap: clients that lead to the same place share their connections and their queue, process-wide.
#[allow(non_camel_case_types)]
pub struct esales_client(pub(super) Client);

/// Makes a client. Nothing is sent, no file is written, no thread is started.
///
/// The environment is read here and nowhere else: ESALES_* if config is NULL, the proxy variables if the options
/// proxy or no_proxy are not set. As with getenv, no other thread may change it (setenv) at the same time.
///
/// @param config  its options, copied; NULL: the options are read from ESALES_* environment variables.
/// @param out     receives the handle; free it with esales_client_free.
/// @return 0, ESALES_INVALID_ARGUMENT, ESALES_INVALID_CONFIG if options are missing or contradict one another, if
///         ca_file cannot be used or if spool is not an absolute path, or ESALES_SPOOL_FAILED if the place of the spool
///         cannot be used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn esales_client_new(
    config: *const esales_config,
    out: *mut *mut esales_client,
) -> i32 {
    boundary(|| {
        let slot = self::out("out", out)?;
        require_memory()?;
        // SAFETY: the caller promises a live handle or NULL.
        let config = match unsafe { config.as_ref() } {
            Some(config) => config.snapshot()?,
            None => Config::from_env()?,
        };
        let client = Box::new(esales_client(Client::new(&config)?));
        // SAFETY: not NULL; the caller promises a writable pointer.
        unsafe { slot.write_unaligned(Box::into_raw(client)) };
        Ok(0)
    })
}

/// Frees a client; NULL is fine. No other thread may be using it. Its connections stay warm for other clients, for the
/// time that keep_alive_s says, and the process keeps delivering what is in the queue (esales_stop_delivery ends that).
///
/// Returns at once, with one exception: if the client's delivery callback is running on another thread, the call waits
/// until the callback has ended.
///
/// @param client  the handle, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn esales_client_free(client: *mut esales_client) {
    boundary(|| {
        if !client.is_null() {
            // SAFETY: the caller promises a handle from esales_client_new that was not freed before.
            drop(unsafe { Box::from_raw(client) });
        }
        Ok(())
    })
}

/// Tells the service that the visitor added the product behind the ticket to the cart, and waits for the answer.
/// Blocks for at most the option timeout_ms, whatever the network does.
///
/// @param client   from esales_client_new.
/// @param visitor  who added the product.
/// @param ticket   the service's own opaque string, at most 8192 bytes, sent as it is. Refused if it has a control
///                 character: the service's tickets have none, so it was altered on its way.
/// @param id       names this one event, at most 128 bytes; NULL: a new UUID. It is the same in every attempt. To send
///                 the same event again, pass the id of the receipt.
/// @param receipt  receives what became of it; may be NULL.
/// @return ESALES_DELIVERED, with on_failure=queue ESALES_QUEUED, or an error. After ESALES_TIMEOUT,
///         ESALES_CONNECTION_LOST and ESALES_BAD_RESPONSE the event may have arrived all the same.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn esales_notify_add_to_cart(
    client: *const esales_client,
    visitor: *const esales_visitor,
    ticket: *const c_char,
    id: *const c_char,
    receipt: *mut esales_receipt,
) -> i32 {
    boundary(|| {
        // SAFETY: the caller's promises are those of Call.
        unsafe {
            Call {
                client,
                visitor,
                ticket,
                id,
                receipt,
            }
            .make(Client::notify_add_to_cart)
        }
    })
}

/// The arguments of a call about one notification: each pointer is NULL or what the header says, alive through the
/// call.
pub(super) struct Call {
    pub(super) client: *const esales_client,
    pub(super) visitor: *const esales_visitor,
    pub(super) ticket: *const c_char,
    pub(super) id: *const c_char,
    pub(super) receipt: *mut esales_receipt,
}

type Method = fn(&Client, &Visitor<'_>, &str, Option<&str>) -> Result<Receipt, Error>;

impl Call {
    /// # Safety
    /// The pointers are what the struct says.
    pub(super) unsafe fn make(&self, method: Method) -> Result<i32, Error> {
        let start = Instant::now();
        // SAFETY: the caller's promise.
        let id = unsafe { copied(self.id) };
        // SAFETY: the caller's promise.
        let slot = unsafe { receipt::prepare_optional(self.receipt) }?;
        // SAFETY: the caller's promise, and the copy lives through the call.
        let result = unsafe { self.run(id.as_deref(), method) };
        if let Some(slot) = slot {
            slot.write(match &result {
                Ok(delivered) => receipt::of(delivered),
                Err(error) => receipt::of(&refused(error, start.elapsed())),
            });
        }
        result.map(|delivered| delivered.status.code())
    }

    /// # Safety
    /// The pointers are what the struct says.
    unsafe fn run(&self, id: Option<&CStr>, method: Method) -> Result<Receipt, Error> {
        // SAFETY: the caller's promise.
        unsafe {
            require_memory()?;
            let client = reference("client", self.client)?;
            let visitor = visitor::read(self.visitor)?;
            let ticket = text("ticket", self.ticket)?;
            let id = optional_text("id", id.map_or(null(), CStr::as_ptr))?;
            method(&client.0, &visitor, ticket, id)
        }
    }
}

/// The receipt of an error: its own, or, for an argument that C got wrong, one that says so.
pub(super) fn refused(error: &Error, elapsed: Duration) -> Receipt {
    let own = error.receipt().cloned();
    own.unwrap_or_else(|| Receipt::unsent(error.status(), error.detail(), elapsed))
}
