//! `esales_client`: sends notifications.

use std::time::Duration;

use super::config::esales_config;
use super::{boundary, out, require_memory};
use crate::client::Client;
use crate::options::Config;
use crate::outcome::{Error, Receipt};

/// A client sends notifications. Any number of threads may use it at once, and after a fork the
/// parent and the child may both use it. Clients are cheap: in one process, clients that have the
/// same endpoint settings share their connections, and clients that have the same options share
/// their queue.
#[allow(non_camel_case_types)]
pub struct esales_client(pub(super) Client);

/// Makes a client. This sends nothing, writes no file and starts no thread.
///
/// Only this function reads the environment: the ESALES_* variables if config is NULL, and the
/// proxy variables if the options proxy or no_proxy are not set. As with getenv, no other thread
/// may change the environment (setenv) at the same time.
///
/// @param config  the options, which are copied. NULL: the ESALES_* environment variables are the
///                options.
/// @param out     receives the handle; free it with esales_client_free.
/// @return 0, or ESALES_INVALID_ARGUMENT. ESALES_INVALID_CONFIG if an option is missing or
///         contradicts another, if ca_file cannot be used, or if spool is not an absolute path.
///         ESALES_SPOOL_FAILED if the spool directory cannot be used.
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

/// Frees a client. NULL is allowed. No other thread may be using the client. Its connections stay
/// open for other clients for keep_alive_s, and the process keeps delivering its queue until
/// esales_stop_delivery is called.
///
/// The call returns at once, with one exception: if the client's delivery callback is running on
/// another thread, the call waits until the callback has ended.
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

/// The receipt of an error: the error's own, or a new one if the error came from a C argument.
pub(super) fn refused(error: &Error, elapsed: Duration) -> Receipt {
    let own = error.receipt().cloned();
    own.unwrap_or_else(|| Receipt::unsent(error.status(), error.detail(), elapsed))
}
