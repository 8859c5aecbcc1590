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

/// What esales_client_on_delivery calls: with what became of one notification. The receipt is valid during the call.
#[allow(non_camel_case_types)]
pub type esales_delivery_callback =
    Option<unsafe extern "C" fn(user_data: *mut c_void, receipt: *const esales_receipt)>;

/// Waits until everything that was accepted before the call has left the queue, for at most timeout_ms. What is
/// left then stays in the queue. ESALES_TIMEOUT is also returned if the spool stayed busy for so long.
///
/// @param client      from esales_client_new.
/// @param timeout_ms  how long to wait, in milliseconds; 0: not at all.
/// @param stats       receives the numbers afterwards, also with ESALES_TIMEOUT; may be NULL. They are asked for within
///                    timeout_ms too; if the spool cannot tell by then, all of it stays as it was.
/// @return 0, ESALES_TIMEOUT, ESALES_INVALID_ARGUMENT or ESALES_SPOOL_FAILED.
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
                "the queue was not seen empty within timeout_ms",
            )),
        }
    })
}

/// Ends this process's part in the delivery of the client's queue, for good: the process takes nothing more out of the
/// queue, and the call waits until requests in flight are recorded. For a program that is about to end: a request that
/// is in flight when the process ends is sent again later, under the same id. esales_stop_delivery does it for every
/// spool of the process.
///
/// Clients that share the queue, also later ones, do not deliver either. What is left stays in the queue, and enqueues
/// keep working. Another process delivers a spool from then on, if one is on standby or starts later. In a forked child
/// the delivery is not stopped.
///
/// @param client      from esales_client_new.
/// @param timeout_ms  how long to wait for requests in flight, in milliseconds; 0: not at all.
/// @return 0, ESALES_INVALID_ARGUMENT, ESALES_INVALID_CONFIG, or ESALES_TIMEOUT if requests were still in flight after
///         timeout_ms: the delivery has ended all the same, and these notifications are sent once more later.
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

/// Ends this process's part in the delivery of every spool, as esales_client_stop_delivery does for one queue, also of
/// spools whose clients have been freed. To be called once, when the program ends. Queues in memory are left alone, for
/// what is in them ends with the process: call esales_client_flush before.
///
/// @param timeout_ms  how long to wait for requests in flight, in milliseconds; 0: not at all.
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
            "requests were still in flight after timeout_ms; they are sent once more later",
        )),
    }
}

/// The queue in numbers.
///
/// @param client  from esales_client_new.
/// @param stats   receives the numbers.
/// @return 0, ESALES_INVALID_ARGUMENT, or ESALES_SPOOL_FAILED if the spool cannot be read within enqueue_timeout_ms.
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

/// What became of a notification that went into the queue.
///
/// @param client   from esales_client_new.
/// @param id       the id of its receipt when it was accepted.
/// @param receipt  its status is ESALES_QUEUED while the notification waits, ESALES_DELIVERED, the code that it became a
///                 dead letter with, ESALES_EXPIRED or ESALES_DROPPED; elapsed_us counts from acceptance.
/// @return 0, ESALES_UNKNOWN_ID if nothing is known of the id (never accepted here, or completed longer ago than
///         receipt_retention_s), ESALES_INVALID_ARGUMENT, or ESALES_SPOOL_FAILED if the spool cannot be read within
///         enqueue_timeout_ms. The receipt has the same code, and its detail the reason.
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

/// Takes the oldest notification that this process's delivery has settled (delivered, dead, expired) and this function
/// has not yet told of. For hosts that a thread of the library cannot call back.
///
/// They are kept from the first call on, at most 1024 (esales_client_receipt knows of older ones), until
/// esales_client_on_delivery is called with NULL, or the client is freed. In a forked child, from its first call on.
///
/// @param client      from esales_client_new.
/// @param timeout_ms  how long to wait for one, in milliseconds; 0: not at all.
/// @param receipt     receives what became of it; its status is ESALES_TIMEOUT if there is none.
/// @return 1, 0 if there is none, ESALES_INVALID_ARGUMENT or ESALES_INVALID_CONFIG.
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
                "no notification was settled within timeout_ms",
                start.elapsed(),
            )),
            Err(error) => receipt::to_c(&refused(error, start.elapsed())),
        });
        next.map(|settled| i32::from(settled.is_some()))
    })
}

/// Calls back, on a thread of the library, for every notification that this process's delivery settles (delivered,
/// dead, expired), after it is recorded. No lock is held: the callback may use the library. A child that it forks is to
/// call exec or _exit; coming back from the callback ends the child.
///
/// @param client     from esales_client_new.
/// @param callback   replaces an earlier one; NULL ends it. When this, or esales_client_free, returns, an earlier
///                   callback has ended, except when it is called from within it.
/// @param user_data  handed to the callback as it is.
/// @return 0, ESALES_INVALID_ARGUMENT or ESALES_INVALID_CONFIG. After a fork, set it again in the child.
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
