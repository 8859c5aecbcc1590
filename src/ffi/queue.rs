//! The queue, for C: enqueue, flush, statistics, receipts, the delivery callback.

use std::ffi::{CStr, c_char, c_void};
use std::ptr::null;
use std::time::{Duration, Instant};

use super::client::{esales_client, refused};
use super::receipt::{self, esales_receipt};
use super::stats::{self, esales_stats};
use super::{UserData, boundary, copied, reference, text};
use crate::client::DeliveryCallback;
use crate::outcome::{Error, Receipt, Status};

/// The callback of esales_client_on_delivery. The receipt reports the outcome of one notification;
/// it is valid during the call.
#[allow(non_camel_case_types)]
pub type esales_delivery_callback =
    Option<unsafe extern "C" fn(user_data: *mut c_void, receipt: *const esales_receipt)>;

/// Waits until all notifications that were accepted before the call have left the queue, and the
/// callbacks for those that this process delivered have ended, for at most timeout_ms. What has not
/// left by then stays in the queue. A call from within a callback does not wait for callbacks; any
/// other caller must not hold a lock that a callback needs.
///
/// @param client      from esales_client_new.
/// @param timeout_ms  how long to wait, in milliseconds. 0: do not wait.
/// @param stats       receives the counters after the wait, also if the call returns
///                    ESALES_TIMEOUT. May be NULL. If the spool cannot be read within timeout_ms,
///                    the struct is left unchanged.
/// @return 0, ESALES_TIMEOUT, ESALES_INVALID_ARGUMENT or ESALES_SPOOL_FAILED. ESALES_TIMEOUT is
///         also returned if the spool stayed busy. If stats->pending is 0 then, a callback
///         had not ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn esales_client_flush(
    client: *const esales_client,
    timeout_ms: u32,
    stats: *mut esales_stats,
) -> i32 {
    boundary(|| {
        // SAFETY: the caller promises a live handle or NULL, and writable stats or NULL.
        let client = unsafe { reference("client", client) }?;
        let target = match stats.is_null() {
            true => None,
            // SAFETY: as above.
            false => Some(unsafe { stats::prepare(stats) }?),
        };
        let timeout = Duration::from_millis(timeout_ms.into());
        let is_done = match target {
            None => client.0.flush(timeout)?,
            Some(target) => {
                let (is_done, counted) = client.0.flush_and_count(timeout)?;
                if let Some(counted) = counted {
                    target.write(stats::to_c(&counted));
                }
                is_done
            }
        };
        match is_done {
            true => Ok(0),
            false => Err(Error::new(
                Status::Timeout,
                "the queue was not empty, or a callback had not ended, within timeout_ms",
            )),
        }
    })
}

/// Ends this process's delivery of the client's queue, for good. The process sends no further
/// notification from the queue, and the call waits until requests in flight are recorded. Call it
/// in a program that is about to end: a request that is in flight when the process ends is sent
/// again later, with the same id, and a payment becomes a dead letter instead.
/// esales_stop_delivery does this for every spool of the process.
///
/// No other client of this process delivers the queue either, even if it is made later. Pending
/// notifications stay in the queue, and esales_enqueue keeps working. Another process delivers the
/// spool if one is on standby or starts later. In a forked child, delivery is not stopped.
///
/// @param client      from esales_client_new.
/// @param timeout_ms  how long to wait for requests in flight, in milliseconds. 0: do not wait.
/// @return 0, ESALES_INVALID_ARGUMENT, ESALES_INVALID_CONFIG or ESALES_TIMEOUT. ESALES_TIMEOUT:
///         delivery has ended, but requests were still in flight after timeout_ms; their
///         notifications are sent again later, except payments, which become dead letters.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn esales_client_stop_delivery(
    client: *const esales_client,
    timeout_ms: u32,
) -> i32 {
    boundary(|| {
        // SAFETY: the caller promises a live handle or NULL.
        let client = unsafe { reference("client", client) }?;
        let timeout = Duration::from_millis(timeout_ms.into());
        stopped(client.0.stop_delivery(timeout)?)
    })
}

/// Ends this process's delivery of every spool, as esales_client_stop_delivery does for one queue.
/// Spools whose clients have been freed are included. Call it once, when the program ends. Queues
/// in memory are not stopped, because they are lost with the process: call esales_client_flush
/// before.
///
/// @param timeout_ms  how long to wait for requests in flight, in milliseconds. 0: do not wait.
/// @return 0, or ESALES_TIMEOUT as from esales_client_stop_delivery.
#[unsafe(no_mangle)]
pub extern "C" fn esales_stop_delivery(timeout_ms: u32) -> i32 {
    boundary(|| {
        let timeout = Duration::from_millis(timeout_ms.into());
        stopped(crate::queue::stop_delivery(timeout))
    })
}

fn stopped(is_done: bool) -> Result<i32, Error> {
    match is_done {
        true => Ok(0),
        false => Err(Error::new(
            Status::Timeout,
            "requests were still in flight after timeout_ms; they are sent again later",
        )),
    }
}

/// Returns the counters of the client's queue.
///
/// @param client  from esales_client_new.
/// @param stats   receives the counters.
/// @return 0, ESALES_INVALID_ARGUMENT, or ESALES_SPOOL_FAILED if the spool cannot be read within
///         enqueue_timeout_ms.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn esales_client_stats(
    client: *const esales_client,
    stats: *mut esales_stats,
) -> i32 {
    boundary(|| {
        // SAFETY: the caller promises a live handle or NULL, and writable stats or NULL.
        let (client, target) = unsafe { (reference("client", client)?, stats::prepare(stats)?) };
        target.write(stats::to_c(&client.0.stats()?));
        Ok(0)
    })
}

/// Returns the receipt of a notification that was accepted into the queue.
///
/// @param client   from esales_client_new.
/// @param id       the id in the receipt of esales_enqueue or esales_notify.
/// @param receipt  receives the state of the notification. Its status is ESALES_QUEUED while the
///                 notification is pending, then ESALES_DELIVERED, ESALES_EXPIRED, ESALES_DROPPED,
///                 or the code for which it became a dead letter. elapsed_us counts from
///                 acceptance.
/// @return 0 if the receipt was found. ESALES_UNKNOWN_ID if it was not: the id was never accepted
///         here, or the notification left the queue more than receipt_retention_s ago.
///         ESALES_INVALID_ARGUMENT. ESALES_SPOOL_FAILED if the spool cannot be read within
///         enqueue_timeout_ms. On failure the receipt has the same code, and its detail has the
///         reason.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn esales_client_receipt(
    client: *const esales_client,
    id: *const c_char,
    receipt: *mut esales_receipt,
) -> i32 {
    boundary(|| {
        let start = Instant::now();
        // SAFETY: the caller promises a live handle, a string and a writable receipt, or NULL.
        let id = unsafe { copied(id) };
        // SAFETY: as above.
        let target = unsafe { receipt::prepare(receipt) }?;
        let find = || {
            // SAFETY: as above, and the copy lives through the call.
            let (client, id) = unsafe {
                (
                    reference("client", client)?,
                    text("id", id.as_deref().map_or(null(), CStr::as_ptr))?,
                )
            };
            let found = client.0.receipt(id)?;
            found.ok_or_else(|| {
                let message = format!("id {id:?} is not known to the queue");
                Error::new(Status::UnknownId, message)
            })
        };
        let found = find();
        target.write(match &found {
            Ok(found) => receipt::to_c(found),
            Err(error) => receipt::to_c(&refused(error, start.elapsed())),
        });
        found.map(|_| 0)
    })
}

/// Returns the next outcome of this process's delivery: delivered, dead letter or expired. Outcomes
/// are returned oldest first, each once. The function is for hosts in which a thread of the library
/// cannot run a callback.
///
/// The library collects outcomes from the first call on, at most the last 1024;
/// esales_client_receipt can find older ones. Collecting ends when esales_client_on_delivery is
/// called with NULL or the client is freed. A forked child collects only its own outcomes, from its
/// first call on.
///
/// @param client      from esales_client_new.
/// @param timeout_ms  how long to wait for an outcome, in milliseconds. 0: do not wait.
/// @param receipt     receives the outcome. If there is none, its status is ESALES_TIMEOUT.
/// @return 1 if an outcome was returned, 0 if there was none, ESALES_INVALID_ARGUMENT or
///         ESALES_INVALID_CONFIG.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn esales_client_delivery_next(
    client: *const esales_client,
    timeout_ms: u32,
    receipt: *mut esales_receipt,
) -> i32 {
    boundary(|| {
        let start = Instant::now();
        // SAFETY: the caller promises a live handle and a writable receipt, or NULL.
        let target = unsafe { receipt::prepare(receipt) }?;
        let next = || {
            // SAFETY: as above.
            let client = unsafe { reference("client", client) }?;
            client
                .0
                .delivery_next(Duration::from_millis(timeout_ms.into()))
        };
        let next = next();
        target.write(match &next {
            Ok(Some(settled)) => receipt::to_c(settled),
            Ok(None) => receipt::to_c(&Receipt::unsent(
                Status::Timeout,
                "no notification was completed within timeout_ms",
                start.elapsed(),
            )),
            Err(error) => receipt::to_c(&refused(error, start.elapsed())),
        });
        next.map(|settled| i32::from(settled.is_some()))
    })
}

/// Sets a callback for the outcomes of this process's delivery. A thread of the library calls it
/// for every notification that was delivered, became a dead letter or expired, after the outcome is
/// recorded. The library holds no lock meanwhile, so the callback may call any function of the
/// library. If the callback forks, the child must call exec or _exit: a child that returns from the
/// callback is ended. A child that is forked elsewhere must set its callback again.
///
/// @param client     from esales_client_new.
/// @param callback   replaces an earlier callback. NULL unregisters it. When this function or
///                   esales_client_free returns, the earlier callback has ended, unless the call
///                   was made from within it.
/// @param user_data  passed to the callback unchanged.
/// @return 0, ESALES_INVALID_ARGUMENT or ESALES_INVALID_CONFIG.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn esales_client_on_delivery(
    client: *const esales_client,
    callback: esales_delivery_callback,
    user_data: *mut c_void,
) -> i32 {
    boundary(|| {
        // SAFETY: the caller promises a live handle or NULL.
        let client = unsafe { reference("client", client) }?;
        let user_data = UserData(user_data);
        client.0.on_delivery(callback.map(|callback| {
            let call = move |settled: &Receipt| {
                let written = receipt::to_c(settled);
                // SAFETY: the caller promises a function that may be called on any thread until it is taken back.
                unsafe { callback(user_data.get(), &raw const written) };
            };
            Box::new(call) as DeliveryCallback
        }))?;
        Ok(0)
    })
}
