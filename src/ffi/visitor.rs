//! `esales_visitor`: who did it.

use std::ffi::c_char;
use std::mem::offset_of;

use super::sized::{self, Growing};
use super::{optional_text, text};
use crate::notification::Visitor;
use crate::outcome::Error;

/// The visitor who caused the event. Begin with ESALES_VISITOR_INIT. The strings are borrowed for
/// the call and sent unchanged. None of them may be empty or contain a control character.
#[allow(non_camel_case_types)]
#[repr(C)]
pub struct esales_visitor {
    /// sizeof(esales_visitor), set by ESALES_VISITOR_INIT.
    pub struct_size: u32,
    /// Storefront market, at most 128 bytes. NULL: the value of the client's option `market`.
    pub market: *const c_char,
    /// Key of the visitor, at most 256 bytes. Anonymous visitor: a UUID that the shop makes with
    /// esales_new_key and keeps. Signed-in visitor: esales_customer_key of the visitor's id.
    pub customer_key: *const c_char,
    /// Key of the session (visit), a UUID, at most 256 bytes.
    pub session_key: *const c_char,
    /// Signed-in visitor: the token from esales_customer_token, at most 256 bytes. NULL: the
    /// visitor is anonymous.
    pub token: *const c_char,
}

// SAFETY: its first member is its size, and the others are pointers, which may be NULL.
unsafe impl Growing for esales_visitor {
    const SIZES: &'static [usize] = &[
        #[cfg(esales_test_grown)]
        sized::up_to::<Self>(offset_of!(Self, session_key), size_of::<*const c_char>()),
        sized::up_to::<Self>(offset_of!(Self, token), size_of::<*const c_char>()),
    ];
}

/// # Safety
/// `pointer` is NULL or points to a visitor whose strings live and stay unchanged through the call.
pub(super) unsafe fn read<'a>(pointer: *const esales_visitor) -> Result<Visitor<'a>, Error> {
    // SAFETY: the caller's promise.
    unsafe {
        let visitor = sized::read("visitor", pointer)?;
        Ok(Visitor {
            market: optional_text("visitor.market", visitor.market)?,
            customer_key: text("visitor.customer_key", visitor.customer_key)?,
            session_key: text("visitor.session_key", visitor.session_key)?,
            token: optional_text("visitor.token", visitor.token)?,
        })
    }
}
