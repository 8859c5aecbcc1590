//! Keys and tokens, for C.

use std::ffi::c_char;

use super::{boundary, copy_text, out, text};
use crate::keys;

/// Returns the customer key of a signed-in visitor: the SHA-256 of the visitor's id in the shop, as
/// 64 lower-case hex digits.
///
/// @param customer_id  1 to 4096 bytes without control characters.
/// @param out          receives 64 digits and a NUL.
/// @return 0 or ESALES_INVALID_ARGUMENT.
///
/// cbindgen:ptrs-as-arrays=[[out;65]]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn esales_customer_key(customer_id: *const c_char, out: *mut c_char) -> i32 {
    boundary(|| {
        let target = self::out("out", out)?;
        // SAFETY: the caller promises a string or NULL, and 65 writable bytes.
        unsafe {
            copy_text(
                &keys::customer_key(text("customer_id", customer_id)?)?,
                target,
                65,
            )
        };
        Ok(0)
    })
}

/// Returns the token of a signed-in visitor: the HMAC-SHA256 of the customer key under the shop's
/// private key, as 64 lower-case hex digits.
///
/// @param private_key   the shop's private key, which the vendor issued: 1 to 4096 bytes without
///                      control characters. A line break at the end of a key file is not part of
///                      the key.
/// @param customer_key  from esales_customer_key.
/// @param out           receives 64 digits and a NUL.
/// @return 0 or ESALES_INVALID_ARGUMENT.
///
/// cbindgen:ptrs-as-arrays=[[out;65]]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn esales_customer_token(
    private_key: *const c_char,
    customer_key: *const c_char,
    out: *mut c_char,
) -> i32 {
    boundary(|| {
        let target = self::out("out", out)?;
        // SAFETY: the caller promises strings or NULL, and 65 writable bytes.
        unsafe {
            let private_key = text("private_key", private_key)?;
            let customer_key = text("customer_key", customer_key)?;
            copy_text(
                &keys::customer_token(private_key, customer_key)?,
                target,
                65,
            );
        }
        Ok(0)
    })
}

/// Returns a new random key (UUID version 4) for an anonymous customer key, a session key or an id.
///
/// @param out  receives 36 characters and a NUL.
/// @return 0, ESALES_INVALID_ARGUMENT, or ESALES_INTERNAL if the system provides no random bytes.
///
/// cbindgen:ptrs-as-arrays=[[out;37]]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn esales_new_key(out: *mut c_char) -> i32 {
    boundary(|| {
        let target = self::out("out", out)?;
        // SAFETY: the caller promises 37 writable bytes.
        unsafe { copy_text(&keys::new_key()?, target, 37) };
        Ok(0)
    })
}
