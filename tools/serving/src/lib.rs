//! Safety for the HTTP servers of the sandbox and the agent: limits for unfinished requests, and refusal of requests
//! that a browser sends for another site.

mod activity;
mod body;
mod browser;
mod unfinished;

pub use activity::{Activity, InFlight};
pub use body::{Body, BodyError, read};
pub use browser::{Objection, objection};
pub use unfinished::{Heads, Share, Unfinished};
