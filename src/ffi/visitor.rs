//! `esales_visitor`: who did it.

use std::ffi::c_char;

use super::{optional_text, reference, text};
use crate::status::Error;
use crate::wire::Visitor;

/// Who added the product to the cart. Begin with ESALES_VISITOR_INIT. The strings are borrowed for the call and
/// sent as they are; none may be empty or hold a control character.
#[allow(non_camel_case_types)]
#[repr(C)]
pub struct esales_visitor {
    /// sizeof(esales_visitor), set by ESALES_VISITOR_INIT.
    pub struct_size: u32,
    /// Storefront market, at most 128 bytes. NULL: the client's option "market".
    pub market: *const c_char,
    /// Who the visitor is, at most 256 bytes. Anonymous: a UUID that the shop made and keeps (esales_new_key).
    /// Signed in: esales_customer_key of the visitor's id.
    pub customer_key: *const c_char,
    /// A UUID for the visit, at most 256 bytes.
    pub session_key: *const c_char,
    /// Signed in: esales_customer_token, at most 256 bytes. NULL: an anonymous visitor.
    pub token: *const c_char,
}

/// # Safety
/// `pointer` is NULL or points to a visitor whose strings live and stay unchanged through the call.
pub(super) unsafe fn read<'a>(pointer: *const esales_visitor) -> Result<Visitor<'a>, Error> {
    if pointer.is_null() {
        return Err(super::missing("visitor"));
    }
    // Only the size may be read before it is known that the rest is there.
    // SAFETY: every version of the struct begins with its size.
    let size = unsafe { (&raw const (*pointer).struct_size).read() };
    check_size::<esales_visitor>("visitor", size)?;
    // SAFETY: the caller's promise, and the struct is as large as ours.
    unsafe {
        let visitor = reference("visitor", pointer)?;
        Ok(Visitor {
            market: optional_text("visitor.market", visitor.market)?,
            customer_key: text("visitor.customer_key", visitor.customer_key)?,
            session_key: text("visitor.session_key", visitor.session_key)?,
            token: optional_text("visitor.token", visitor.token)?,
        })
    }
}

/// The rule for growing: a struct gains members at its end only, and every size that was ever released stays valid.
pub(super) fn check_size<T>(name: &str, size: u32) -> Result<(), Error> {
    let ours = size_of::<T>();
    if usize::try_from(size) == Ok(ours) {
        return Ok(());
    }
    Err(Error::argument(format!(
        "{name}.struct_size is {size}, not {ours}: begin with the ESALES_..._INIT macro of this library's header"
    )))
}
