//! What became of a call: the status, the receipt, the error.

mod error;
mod receipt;
mod status;

pub use error::Error;
pub use receipt::Receipt;
pub use status::{Group, Status};
