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

/// One line of an order. Begin with ESALES_LINE_INIT. The strings are borrowed for the call. Prices
/// are decimal numbers as text, such as "199.50" or "10": digits, optionally followed by a point
/// and more digits, at most 32 characters. Prices are sent exactly as given.
#[allow(non_camel_case_types)]
#[repr(C)]
pub struct esales_line {
    /// sizeof(esales_line), set by ESALES_LINE_INIT. All lines of one order must have the same
    /// size.
    pub struct_size: u32,
    /// Number of items bought, 1 to 2147483647.
    pub quantity: u32,
    /// The shop's key of the product, at most 256 bytes. May be NULL if variant_key is given.
    pub product_key: *const c_char,
    /// The shop's key of the variant, at most 256 bytes. May be NULL if product_key is given.
    pub variant_key: *const c_char,
    /// Selling price of one item.
    pub selling_price: *const c_char,
    /// Cost of one item for the shop, more than 0 and less than selling_price. Only in an
    /// ESALES_SECURE_PAYMENT. NULL: the cost is not known.
    pub cost: *const c_char,
}

// SAFETY: its first member is its size, and the others are numbers and pointers, which may be NULL.
unsafe impl Growing for esales_line {
    const SIZES: &'static [usize] = &[
        #[cfg(esales_test_grown)]
        sized::up_to::<Self>(offset_of!(Self, selling_price), size_of::<*const c_char>()),
        sized::up_to::<Self>(offset_of!(Self, cost), size_of::<*const c_char>()),
    ];
}

/// What happened. Begin with ESALES_NOTIFICATION_INIT, then set kind and the members of that kind.
/// A member of another kind is refused. The strings are borrowed for the call and sent unchanged.
/// None of them may be empty or contain a control character.
#[allow(non_camel_case_types)]
#[repr(C)]
pub struct esales_notification {
    /// sizeof(esales_notification), set by ESALES_NOTIFICATION_INIT.
    pub struct_size: u32,
    /// The kind of notification, such as ESALES_CLICK.
    pub kind: i32,
    /// Id of this one event, at most 128 bytes. NULL: a new UUID. All attempts send the same id. To
    /// send the same event again, pass the id of its receipt. Only clicks and carts send the id to
    /// the service.
    pub id: *const c_char,
    /// Clicks and carts: the opaque string that the service returned with the product, at most 8192
    /// bytes. A ticket with a control character is refused: it was damaged on its way.
    pub ticket: *const c_char,
    /// Non-eSales clicks and carts: the shop's key of the product, at most 256 bytes. May be NULL
    /// if variant_key is given, but the service may refuse such a notification.
    pub product_key: *const c_char,
    /// Non-eSales clicks and carts: the shop's key of the variant, at most 256 bytes. May be NULL.
    pub variant_key: *const c_char,
    /// Payments: an array with the lines of the order.
    pub lines: *const esales_line,
    /// Payments: the number of lines, at most 10,000.
    pub line_count: usize,
    /// Secure payments: the shop's private key, at most 4096 bytes. The library signs the payment
    /// with it during the call and does not keep it.
    pub private_key: *const c_char,
}

// SAFETY: its first member is its size, and the others are numbers and pointers, which may be NULL.
unsafe impl Growing for esales_notification {
    const SIZES: &'static [usize] = &[
        #[cfg(esales_test_grown)]
        sized::up_to::<Self>(offset_of!(Self, line_count), size_of::<usize>()),
        sized::up_to::<Self>(offset_of!(Self, private_key), size_of::<*const c_char>()),
    ];
}

/// Sends a notification and waits for the answer. The call returns within the option timeout_ms,
/// whatever the network does.
///
/// The service would count a repeated payment twice. A payment is therefore sent again only if the
/// service certainly did not process it (option payment_repeat). ESALES_END first waits for older
/// notifications in the client's queue, for at most half of timeout_ms.
///
/// @param client        from esales_client_new.
/// @param visitor       the visitor who caused the event.
/// @param notification  what happened.
/// @param receipt       receives the outcome. May be NULL.
/// @return ESALES_DELIVERED, ESALES_QUEUED (only with on_failure=queue) or an error. After
///         ESALES_TIMEOUT, ESALES_CONNECTION_LOST, ESALES_BAD_RESPONSE or ESALES_SERVER_ERROR the
///         notification may have arrived: send it again with the same id. A payment that may have
///         arrived returns ESALES_MAY_HAVE_ARRIVED instead: do not send it again.
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

/// Accepts a notification into the queue and returns. A thread of this process, or another process,
/// delivers it later (option delivery). The call never waits for the network; it waits for the disk
/// and for other processes for at most enqueue_timeout_ms.
///
/// If the call returns ESALES_QUEUED, the notification is delivered at least once, always with the
/// same bytes, or it is counted as dead, expired or dropped. A payment that may have arrived
/// becomes a dead letter, which an operator may retry.
///
/// @param client        from esales_client_new.
/// @param visitor       the visitor who caused the event, as for esales_notify.
/// @param notification  what happened, as for esales_notify.
/// @param receipt       receives ESALES_QUEUED and the id, or the reason for the failure. May be
///                      NULL.
/// @return ESALES_QUEUED, ESALES_INVALID_ARGUMENT, ESALES_QUEUE_FULL or ESALES_SPOOL_FAILED.
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

/// Sends the most common notification with esales_notify: the visitor added the ticket's product to
/// the cart.
///
/// @param client   from esales_client_new.
/// @param visitor  the visitor who added the product.
/// @param ticket   the opaque string that the service returned with the product, at most 8192
///                 bytes, sent unchanged. A ticket with a control character is refused: it was
///                 damaged on its way.
/// @param id       id of this one event, at most 128 bytes. NULL: a new UUID. All attempts send the
///                 same id. To send the same event again, pass the id of its receipt.
/// @param receipt  receives the outcome. May be NULL.
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

/// Enqueues the most common notification with esales_enqueue: the visitor added the ticket's
/// product to the cart.
///
/// @param client   from esales_client_new.
/// @param visitor  the visitor who added the product.
/// @param ticket   as for esales_notify_add_to_cart.
/// @param id       as for esales_notify_add_to_cart.
/// @param receipt  receives ESALES_QUEUED and the id, or the reason for the failure. May be NULL.
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

/// The arguments that every call about one notification has. Each pointer is NULL or what the
/// header requires, and stays valid during the call.
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
    /// The pointers are as the struct and the header require.
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
    /// The pointers are as the struct and the header require.
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
                        "notification.kind is {}, which is not a kind of the header, such as ESALES_CLICK",
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

    /// Makes the call and writes the receipt.
    ///
    /// # Safety
    /// The pointers are as the struct requires, and `id` is NULL or a string.
    unsafe fn make(
        &self,
        id: *const c_char,
        call: impl FnOnce(&Client, &Visitor<'_>, Option<&str>) -> Result<Receipt, Error>,
    ) -> Result<i32, Error> {
        let start = Instant::now();
        // The id may be in the receipt, which is written before the id is read.
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
    /// The pointers are as the struct requires.
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

/// Reads the lines of an order. The distance between two lines is the size of the caller's struct.
///
/// # Safety
/// `lines` is NULL, or points to `count` lines whose strings stay valid and unchanged during the
/// call.
unsafe fn read_lines<'a>(lines: *const esales_line, count: usize) -> Result<Vec<Line<'a>>, Error> {
    if count == 0 {
        return Ok(Vec::new());
    }
    if count > MAX_LINES {
        return Err(Error::argument(format!(
            "notification.lines has {count} entries (line_count); at most {MAX_LINES} are allowed"
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
        // The name is made only for an error, because an order may have 10,000 lines.
        let (line, own) = line
            .map_err(|e| Error::argument(format!("notification.lines[{number}]{}", e.detail())))?;
        read.push(line);
        // SAFETY: as above; behind the last one nothing is read.
        at = unsafe { at.add(own as usize) };
    }
    Ok(read)
}

/// Reads a line, and its size, which must equal that of the first line. An error begins with a
/// point and the name of the member.
///
/// # Safety
/// `line` points to a line whose strings stay valid and unchanged during the call.
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
