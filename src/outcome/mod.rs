//! The outcome of a call: status, receipt and error.

mod error;
mod receipt;
mod status;

pub use error::Error;
pub use receipt::Receipt;
pub use status::{Group, Status};
