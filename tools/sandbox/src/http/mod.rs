//! The server: connections, routes, and the handlers of notifications, of the control interface and of the page.

mod body;
mod connection;
mod control;
mod events;
mod guard;
mod notify;
mod page;
mod reply;
mod server;
mod shared;
pub(crate) mod tls;
mod wire;

pub(crate) use esales_notify_serving::Unfinished;
pub(crate) use server::run;
pub(crate) use shared::Shared;
