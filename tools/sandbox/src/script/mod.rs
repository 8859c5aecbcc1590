//! Scripted answers, and the text that they are written in. It knows nothing of HTTP connections or records.

mod answer;
mod grammar;

pub use answer::Answer;
pub(crate) use answer::{ALL_PERCENT, Action, FOR_EVER, Status};
pub use grammar::ParseError;
