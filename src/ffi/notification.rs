//! `esales_notification` and `esales_line`: what happened.

use std::ffi::{CStr, c_char};
use std::mem::offset_of;
use std::ptr::null;
use std::time::Instant;

use super::client::{esales_client, refused};
use super::receipt::{self, esales_receipt};
use super::sized::{self, Growing};
use super::visitor::{self, esales_visitor};
use super::{boundary, copied, missing, optional_text, reference, require_memory, text};
use crate::client::Client;
use crate::notification::{Kind, Line, MAX_LINES, Notification, Visitor};
use crate::outcome::{Error, Receipt};

/// One line of an order. Begin with ESALES_LINE_INIT. The strings are borrowed for the call. Prices are decimal numbers as
/// text, such as "199.50": digits, and a point with digits behind it where there are decimals, at most 32 characters. They
/// are sent exactly as given.
#[allow(non_camel_case_types)]
#[repr(C)]
pub struct esales_line {
    /// sizeof(esales_line), set by ESALES_LINE_INIT. The lines of one order have the same.
    pub struct_size: u32,
    /// How many were bought, 1 to 2147483647.
    pub quantity: u32,
    /// The shop's key of the product, at most 256 bytes. NULL: variant_key is given.
    pub product_key: *const c_char,
    /// The shop's key of the variant, at most 256 bytes. NULL: product_key is given.
    pub variant_key: *const c_char,
    /// What one of them was sold for.
    pub selling_price: *const c_char,
    /// What one of them cost the shop: more than 0 and less than selling_price; only in ESALES_SECURE_PAYMENT. NULL: not
    /// known.
    pub cost: *const c_char,
}

// SAFETY: its first member is its size, and the others are numbers and pointers, which may be NULL.
unsafe impl Growing for esales_line {
    const SIZES: &'static [usize] = &[
        #[cfg(esales_test_grown)]
        sized::up_to::<Self>(offset_of!(Self, selling_price), size_of::<*const c_char>()),
        sized::up_to::<Self>(offset_of!(Self, cost), size_of::<*const c_char>()),
    ];

    fn set_struct_size(&mut self, size: u32) {
        self.struct_size = size;
    }
}

/// What happened. Begin with ESALES_NOTIFICATION_INIT, and set kind and its members; a member of another kind is refused.
/// The strings are borrowed for the call and sent as they are; none may be empty or hold a control character.
#[allow(non_camel_case_types)]
#[repr(C)]
pub struct esales_notification {
    /// sizeof(esales_notification), set by ESALES_NOTIFICATION_INIT.
    pub struct_size: u32,
    /// One of the kinds above, such as ESALES_CLICK.
    pub kind: i32,
    /// Names this one event, at most 128 bytes; NULL: a new UUID. It is the same in every attempt. To send the same event
    /// again, pass the id of the receipt. The service gets it with clicks and carts only.
    pub id: *const c_char,
    /// Clicks and carts: the service's own opaque string, at most 8192 bytes. Refused if it has a control character: the
    /// service's tickets have none, so it was altered on its way.
    pub ticket: *const c_char,
    /// Non-eSales clicks and carts: the shop's key of the product, at most 256 bytes. NULL: variant_key is given; the
    /// service may refuse that.
    pub product_key: *const c_char,
    /// Non-eSales clicks and carts: the shop's key of the variant, at most 256 bytes. NULL: none.
    pub variant_key: *const c_char,
    /// Payments: the lines of the order.
    pub lines: *const esales_line,
    /// Their number, at most 10,000.
    pub line_count: usize,
    /// Secure payments: the shop's private key, at most 4096 bytes. It signs the payment during the call and is never kept.
    pub private_key: *const c_char,
}

// SAFETY: its first member is its size, and the others are numbers and pointers, which may be NULL.
unsafe impl Growing for esales_notification {
    const SIZES: &'static [usize] = &[
        #[cfg(esales_test_grown)]
        sized::up_to::<Self>(offset_of!(Self, line_count), size_of::<usize>()),
        sized::up_to::<Self>(offset_of!(Self, private_key), size_of::<*const c_char>()),
    ];

    fn set_struct_size(&mut self, size: u32) {
        self.struct_size = size;
    }
}

/// Sends a notification, and waits for the answer. Blocks for at most the option timeout_ms, whatever the network does.
///
/// A payment is sent again only if it is certain that the service did not process it, for the service would count it twice
/// (option payment_repeat). ESALES_END waits for older notifications in the client's queue, for at most half of timeout_ms.
///
/// @param client        from esales_client_new.
/// @param visitor       who did it.
/// @param notification  what happened.
/// @param receipt       receives what became of it; may be NULL.
/// @return ESALES_DELIVERED, with on_failure=queue ESALES_QUEUED, or an error. After ESALES_TIMEOUT,
///         ESALES_CONNECTION_LOST, ESALES_BAD_RESPONSE and ESALES_SERVER_ERROR the event may have arrived all the same:
///         send it again with the same id. For a payment these are ESALES_MAY_HAVE_ARRIVED: do not send it again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn esales_notify(
    client: *const esales_client,
    visitor: *const esales_visitor,
    notification: *const esales_notification,
    receipt: *mut esales_receipt,
) -> i32 {
    boundary(|| {
        // SAFETY: the caller's promises are those of Call.
        unsafe { Call::new(client, visitor, receipt).notification(notification, Client::notify) }
    })
}

/// Accepts a notification into the queue and returns at once; it is delivered later, by a thread of this process or by
/// another process (option delivery). The arguments are those of esales_notify, checked as there. Never waits on the
/// network; on the disk and other processes at most enqueue_timeout_ms.
///
/// @param client        from esales_client_new.
/// @param visitor       who did it.
/// @param notification  what happened.
/// @param receipt       receives ESALES_QUEUED and the id, or why it was not accepted; may be NULL.
/// @return ESALES_QUEUED, ESALES_INVALID_ARGUMENT, ESALES_QUEUE_FULL or ESALES_SPOOL_FAILED. What it returned
///         ESALES_QUEUED for is delivered at least once, always with the same bytes, or counted as dead, expired or
///         dropped. A payment that may have arrived becomes a dead letter, which an operator may retry.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn esales_enqueue(
    client: *const esales_client,
    visitor: *const esales_visitor,
    notification: *const esales_notification,
    receipt: *mut esales_receipt,
) -> i32 {
    boundary(|| {
        // SAFETY: the caller's promises are those of Call.
        unsafe { Call::new(client, visitor, receipt).notification(notification, Client::enqueue) }
    })
}

/// esales_notify of the commonest kind: the visitor added the product behind the ticket to the cart.
///
/// @param client   from esales_client_new.
/// @param visitor  who added the product.
/// @param ticket   the service's own opaque string, at most 8192 bytes, sent as it is. Refused if it has a control
///                 character: the service's tickets have none, so it was altered on its way.
/// @param id       names this one event, at most 128 bytes; NULL: a new UUID. It is the same in every attempt. To send
///                 the same event again, pass the id of the receipt.
/// @param receipt  receives what became of it; may be NULL.
/// @return As esales_notify.
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
        unsafe { Call::new(client, visitor, receipt).add_to_cart(ticket, id, Client::notify) }
    })
}

/// esales_enqueue of the commonest kind: the visitor added the product behind the ticket to the cart.
///
/// @param client   from esales_client_new.
/// @param visitor  who added the product.
/// @param ticket   as for esales_notify_add_to_cart.
/// @param id       as for esales_notify_add_to_cart.
/// @param receipt  receives ESALES_QUEUED and the id, or why it was not accepted; may be NULL.
/// @return As esales_enqueue.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn esales_enqueue_add_to_cart(
    client: *const esales_client,
    visitor: *const esales_visitor,
    ticket: *const c_char,
    id: *const c_char,
    receipt: *mut esales_receipt,
) -> i32 {
    boundary(|| {
        // SAFETY: the caller's promises are those of Call.
        unsafe { Call::new(client, visitor, receipt).add_to_cart(ticket, id, Client::enqueue) }
    })
}

/// The arguments that every call about one notification has: each pointer is NULL or what the header says, alive through
/// the call.
struct Call {
    client: *const esales_client,
    visitor: *const esales_visitor,
    receipt: *mut esales_receipt,
}

type Method = fn(&Client, &Visitor<'_>, &Notification<'_>) -> Result<Receipt, Error>;

impl Call {
    fn new(
        client: *const esales_client,
        visitor: *const esales_visitor,
        receipt: *mut esales_receipt,
    ) -> Call {
        Call {
            client,
            visitor,
            receipt,
        }
    }

    /// # Safety
    /// The pointers are what the struct and the header say.
    unsafe fn add_to_cart(
        &self,
        ticket: *const c_char,
        id: *const c_char,
        method: Method,
    ) -> Result<i32, Error> {
        // SAFETY: the caller's promises.
        unsafe {
            self.make(id, |client, visitor, id| {
                let ticket = text("ticket", ticket)?;
                let add_to_cart = Notification {
                    id,
                    ..Notification::add_to_cart(ticket)
                };
                method(client, visitor, &add_to_cart)
            })
        }
    }

    /// # Safety
    /// The pointers are what the struct and the header say.
    unsafe fn notification(
        &self,
        notification: *const esales_notification,
        method: Method,
    ) -> Result<i32, Error> {
        // SAFETY: the caller's promises.
        unsafe {
            let given = sized::read("notification", notification);
            let id = given.as_ref().map_or(null(), |given| given.id);
            self.make(id, |client, visitor, id| {
                let given = given?;
                let Some(kind) = Kind::from_code(given.kind) else {
                    return Err(Error::argument(format!(
                        "notification.kind is {}, which is none of the kinds of the header, such as ESALES_CLICK",
                        given.kind
                    )));
                };
                let lines = read_lines(given.lines, given.line_count)?;
                let notification = Notification {
                    kind,
                    id,
                    ticket: optional_text("notification.ticket", given.ticket)?,
                    product_key: optional_text("notification.product_key", given.product_key)?,
                    variant_key: optional_text("notification.variant_key", given.variant_key)?,
                    lines: &lines,
                    private_key: optional_text("notification.private_key", given.private_key)?,
                };
                method(client, visitor, &notification)
            })
        }
    }

    /// Makes the call, and writes the receipt.
    ///
    /// # Safety
    /// The pointers are what the struct says, and `id` is NULL or a string.
    unsafe fn make(
        &self,
        id: *const c_char,
        call: impl FnOnce(&Client, &Visitor<'_>, Option<&str>) -> Result<Receipt, Error>,
    ) -> Result<i32, Error> {
        let start = Instant::now();
        // It may be that of the receipt, which is written before it is read.
        // SAFETY: the caller's promise.
        let id = unsafe { copied(id) };
        // SAFETY: the caller's promise.
        let target = unsafe { receipt::prepare_optional(self.receipt) }?;
        // SAFETY: the caller's promise, and the copy lives through the call.
        let result = unsafe { self.run(id.as_deref(), call) };
        if let Some(target) = target {
            target.write(match &result {
                Ok(delivered) => receipt::to_c(delivered),
                Err(error) => receipt::to_c(&refused(error, start.elapsed())),
            });
        }
        result.map(|delivered| delivered.status.code())
    }

    /// # Safety
    /// The pointers are what the struct says.
    unsafe fn run(
        &self,
        id: Option<&CStr>,
        call: impl FnOnce(&Client, &Visitor<'_>, Option<&str>) -> Result<Receipt, Error>,
    ) -> Result<Receipt, Error> {
        // SAFETY: the caller's promise.
        unsafe {
            require_memory()?;
            let client = reference("client", self.client)?;
            let visitor = visitor::read(self.visitor)?;
            let id = optional_text("id", id.map_or(null(), CStr::as_ptr))?;
            call(&client.0, &visitor, id)
        }
    }
}

/// The lines of an order. They stand as far apart as the caller's struct is large.
///
/// # Safety
/// `lines` is NULL or points to `count` lines whose strings live and stay unchanged through the call.
unsafe fn read_lines<'a>(lines: *const esales_line, count: usize) -> Result<Vec<Line<'a>>, Error> {
    if count == 0 {
        return Ok(Vec::new());
    }
    if count > MAX_LINES {
        return Err(Error::argument(format!(
            "notification.lines are {count} (line_count); at most {MAX_LINES} are allowed"
        )));
    }
    if lines.is_null() {
        return Err(missing("notification.lines"));
    }
    let mut read = Vec::new();
    if read.try_reserve_exact(count).is_err() {
        return Err(Error::new(
            crate::outcome::Status::Internal,
            "no memory for the lines",
        ));
    }
    let mut at = lines.cast::<u8>();
    let mut size = None;
    for number in 0..count {
        // SAFETY: the caller's promise: `number` lines of this size lie in front of it.
        let line = unsafe { read_line(at.cast(), &mut size) };
        // Named only if something is wrong: an order may have 10,000 lines.
        let (line, own) = line
            .map_err(|e| Error::argument(format!("notification.lines[{number}]{}", e.detail())))?;
        read.push(line);
        // SAFETY: as above; behind the last one nothing is read.
        at = unsafe { at.add(own as usize) };
    }
    Ok(read)
}

/// A line, and its size, which is that of the first one. An error begins with the name of the member, after a point.
///
/// # Safety
/// `line` points to a line whose strings live and stay unchanged through the call.
unsafe fn read_line<'a>(
    line: *const esales_line,
    first: &mut Option<u32>,
) -> Result<(Line<'a>, u32), Error> {
    // SAFETY: the caller's promise.
    unsafe {
        let line = sized::read("", line)?;
        let own = line.struct_size;
        let first = *first.get_or_insert(own);
        if own != first {
            return Err(Error::argument(format!(
                ".struct_size is {own}, but that of the first line is {first}"
            )));
        }
        let read = Line {
            selling_price: text(".selling_price", line.selling_price)?,
            product_key: optional_text(".product_key", line.product_key)?,
            variant_key: optional_text(".variant_key", line.variant_key)?,
            quantity: line.quantity,
            cost: optional_text(".cost", line.cost)?,
        };
        Ok((read, own))
    }
}
