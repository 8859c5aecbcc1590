//! `esales_config`: a set of options.

use std::ffi::c_char;
use std::sync::{Mutex, PoisonError};

use super::{boundary, out, reference, text};
use crate::config::Config;

/// Options for clients: name and value strings, see the option table. May be used from any number of threads.
#[allow(non_camel_case_types)]
pub struct esales_config(Mutex<Config>);

impl esales_config {
    pub(super) fn snapshot(&self) -> Config {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Makes an empty configuration; the environment is not read.
///
/// @param out  receives the handle; free it with esales_config_free.
/// @return 0, or ESALES_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn esales_config_new(out: *mut *mut esales_config) -> i32 {
    boundary(|| {
        let slot = self::out("out", out)?;
        let config = Box::new(esales_config(Mutex::new(Config::new())));
        // SAFETY: not NULL; the caller promises a writable pointer.
        unsafe { slot.write(Box::into_raw(config)) };
        Ok(0)
    })
}

/// Sets one option; a later value replaces an earlier one. On failure the configuration is unchanged.
///
/// @param config  from esales_config_new.
/// @param name    the option, such as "timeout_ms".
/// @param value   its value as text, such as "500"; flags are "true" or "false".
/// @return 0, ESALES_INVALID_ARGUMENT, or ESALES_INVALID_CONFIG for an unknown name (esales_last_error suggests the
///         nearest one) or a value out of range.
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
        config
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .set(name, value)?;
        Ok(0)
    })
}

/// Frees a configuration; NULL is fine. Clients made from it are not affected.
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
