//! What the sandbox and the agent need to serve HTTP safely, beside hyper: bounds for requests that begin and do not
//! end, and which requests of a browser are refused.

mod activity;
mod body;
mod browser;
mod unfinished;

pub use activity::{Activity, InFlight};
pub use body::{Body, BodyError, read};
pub use browser::{Objection, objection};
pub use unfinished::{Heads, Share, Unfinished};
