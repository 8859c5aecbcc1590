//! `esales_client`: sends notifications.

use std::time::Duration;

use super::config::esales_config;
use super::{boundary, out, require_memory};
use crate::client::Client;
use crate::options::Config;
use crate::outcome::{Error, Receipt};

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
        let target = self::out("out", out)?;
        require_memory()?;
        // SAFETY: the caller promises a live handle or NULL.
        let config = match unsafe { config.as_ref() } {
            Some(config) => config.snapshot()?,
            None => Config::from_env()?,
        };
        let client = Box::new(esales_client(Client::new(&config)?));
        // SAFETY: not NULL; the caller promises a writable pointer.
        unsafe { target.write_unaligned(Box::into_raw(client)) };
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

/// The receipt of an error: its own, or, for an argument that C got wrong, one that says so.
pub(super) fn refused(error: &Error, elapsed: Duration) -> Receipt {
    let own = error.receipt().cloned();
    own.unwrap_or_else(|| Receipt::unsent(error.status(), error.detail(), elapsed))
}
