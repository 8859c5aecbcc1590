//! Keys and tokens, for C.

use std::ffi::c_char;

use super::{boundary, copy_text, out, text};
use crate::keys;

/// The customer key of a signed-in visitor: SHA-256 of the visitor's id in the shop, as 64 lower-case hex digits.
///
/// @param customer_id  1 to 4096 bytes, no control character.
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

/// The token of a signed-in visitor: HMAC-SHA256 of the customer key under the shop's private key, as 64 lower-case
/// hex digits.
///
/// @param private_key   from the vendor, 1 to 4096 bytes, no control character (mind a file's final line break).
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

/// A new random key (UUID version 4): for anonymous customer keys, session keys and ids.
///
/// @param out  receives 36 characters and a NUL.
/// @return 0, ESALES_INVALID_ARGUMENT, or ESALES_INTERNAL if the system gives no random bytes.
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
