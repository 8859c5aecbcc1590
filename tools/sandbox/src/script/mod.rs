//! Scripted answers and their text form, independent of HTTP connections and records.

mod answer;
mod grammar;

pub use answer::Answer;
pub(crate) use answer::{ALL_PERCENT, Action, FOR_EVER, Status};
pub use grammar::ParseError;
