//! `esales_config`: a set of options.

use std::ffi::c_char;
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use super::{boundary, out, reference, text};
use crate::options::Config;
use crate::outcome::{Error, Status};

/// The options of a client: pairs of a name and a value, both text. The names are in the option
/// table (esales-notify options). Any number of threads may use it at once.
#[allow(non_camel_case_types)]
pub struct esales_config(Mutex<Config>);

/// How long a call waits for the lock of a configuration. The lock is normally held for
/// microseconds. A forked child may inherit it locked by a thread that the child does not have.
const LOCK_TIMEOUT: Duration = Duration::from_secs(3);

impl esales_config {
    fn lock(&self) -> Result<MutexGuard<'_, Config>, Error> {
        let deadline = Instant::now() + LOCK_TIMEOUT;
        loop {
            match self.0.try_lock() {
                Ok(config) => return Ok(config),
                Err(TryLockError::Poisoned(config)) => return Ok(config.into_inner()),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    thread::sleep(Duration::from_micros(50));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::new(
                        Status::Internal,
                        "another thread was using the configuration when this process was forked: make a new \
                        configuration",
                    ));
                }
            }
        }
    }

    pub(super) fn snapshot(&self) -> Result<Config, Error> {
        Ok(self.lock()?.clone())
    }
}

/// Makes an empty configuration. This does not read the environment.
///
/// @param out  receives the handle; free it with esales_config_free.
/// @return 0 or ESALES_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn esales_config_new(out: *mut *mut esales_config) -> i32 {
    boundary(|| {
        let target = self::out("out", out)?;
        let config = Box::new(esales_config(Mutex::new(Config::new())));
        // SAFETY: not NULL; the caller promises a writable pointer.
        unsafe { target.write_unaligned(Box::into_raw(config)) };
        Ok(0)
    })
}

/// Sets one option. A later value replaces an earlier one. On failure the configuration is
/// unchanged.
///
/// @param config  from esales_config_new.
/// @param name    the name of the option, such as "timeout_ms".
/// @param value   the value as text, such as "500". Flags are "true" or "false".
/// @return 0, ESALES_INVALID_ARGUMENT, or ESALES_INVALID_CONFIG for a value out of range or an
///         unknown name; for an unknown name, esales_last_error suggests the nearest one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn esales_config_set(
    config: *mut esales_config,
    name: *const c_char,
    value: *const c_char,
) -> i32 {
    boundary(|| {
        // SAFETY: the caller promises a live handle or NULL, and strings or NULL.
        let (config, name, value) = unsafe {
            (
                reference("config", config)?,
                text("name", name)?,
                text("value", value)?,
            )
        };
        config.lock()?.set(name, value)?;
        Ok(0)
    })
}

/// Frees a configuration. NULL is allowed. Clients made from it are not affected.
///
/// @param config  the handle, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn esales_config_free(config: *mut esales_config) {
    boundary(|| {
        if !config.is_null() {
            // SAFETY: the caller promises a handle from esales_config_new that was not freed before.
            drop(unsafe { Box::from_raw(config) });
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn config_lock_times_out_when_its_thread_was_lost_in_a_fork() {
        let config = esales_config(Mutex::new(Config::new()));
        // A forked child finds it locked like this.
        std::mem::forget(config.0.lock().unwrap());
        assert_eq!(config.snapshot().unwrap_err().status(), Status::Internal);
    }
}
