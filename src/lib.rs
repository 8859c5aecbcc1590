//! Tells the Elevate 3 commerce search service (formerly Apptus eSales) what a shop's visitors do: clicks, products
//! added to the cart, payments, the end of a session.
//!
//! A blocking call returns within its time budget, whatever the network does. It tries again if that can help and
//! cannot count an order twice, and returns a [`Receipt`] with the outcome. An enqueuing call does not wait for the
//! service: the notification goes into a queue and is delivered in the background.
//!
//! # A first example
//!
//! ```no_run
//! use std::time::Duration;
//! use esales_notify::{Client, Config, Notification, Visitor};
//!
//! # fn main() -> Result<(), esales_notify::Error> {
//! let config = Config::builder()
//!     .cluster_id("w5d1cc1f4")
//!     .market("UK")
//!     .timeout(Duration::from_millis(500))
//!     .build()?;
//! let client = Client::new(&config)?;
//!
//! let visitor = Visitor::anonymous(
//!     "d9528030-509c-4e0f-b585-7168f1e9feca",
//!     "b106299c-eac0-4f6f-96d2-93e57c255784",
//! );
//! let receipt = client.notify(&visitor, &Notification::add_to_cart("Oy9keW5h..."))?;
//! println!("{} {}", receipt.status, receipt.id);
//! # Ok(())
//! # }
//! ```
//!
//! Make one client when the program starts, and keep it: any number of threads may use it at once. [`OPTIONS`] is the
//! table of options. [`Config::builder`] has a method for each option, [`Config::set`] takes its name and value as
//! text, and [`Config::from_env`] reads `ESALES_*` environment variables.
//!
//! # Who the visitor is
//!
//! [`Visitor::anonymous`] is a visitor who is not signed in. Make the customer key once with [`new_key`] and keep it in
//! a cookie; make a new session key for each visit. [`Visitor::signed_in`] is a visitor who is signed in. It takes the
//! [`customer_key`] of the visitor's id in the shop, and the [`customer_token`] of that key.
//!
//! # What can be sent
//!
//! [`Notification`] has a function for each [`Kind`]:
//!
//! ```no_run
//! use esales_notify::{Line, Notification};
//! # fn main() -> Result<(), esales_notify::Error> {
//! # let client = esales_notify::Client::new(&esales_notify::Config::from_env()?)?;
//! # let visitor = esales_notify::Visitor::anonymous("a", "b");
//!
//! client.notify(&visitor, &Notification::click("Oy9keW5h..."))?;
//! client.notify(&visitor, &Notification::non_esales_click("P_12538").with_variant("P_12538-M"))?;
//!
//! // Prices are decimal numbers as text, and are sent exactly as given.
//! let lines = [Line::new("P_12538", 2, "199.50"), Line::new("P_99", 1, "10")];
//! client.notify(&visitor, &Notification::payment(&lines))?;
//! client.notify(&visitor, &Notification::end())?;
//! # Ok(())
//! # }
//! ```
//!
//! # Notify or enqueue
//!
//! | | [`Client::notify`] | [`Client::enqueue`] |
//! |---|---|---|
//! | waits for the service | yes, for at most `timeout_ms` | no |
//! | result | the answer of the service | [`Status::Queued`] |
//! | after a temporary failure | up to `max_attempts` attempts within `timeout_ms` | retries until `max_age_s` |
//!
//! The queue is in the memory of the process. With the option `spool` it is in a directory instead, which survives the
//! process and can be shared by any number of processes. With `on_failure = queue` ([`OnFailure::Queue`]), a blocking
//! call that fails temporarily enqueues the notification.
//!
//! A call blocks its thread. In asynchronous code, enqueue, or use a thread for blocking work. A program with a queue
//! in memory must flush the queue before it ends:
//!
//! ```no_run
//! use std::time::Duration;
//! # use esales_notify::Notification;
//! # fn main() -> Result<(), esales_notify::Error> {
//! # let client = esales_notify::Client::new(&esales_notify::Config::from_env()?)?;
//! # let visitor = esales_notify::Visitor::anonymous("a", "b");
//!
//! let receipt = client.enqueue(&visitor, &Notification::click("Oy9keW5h..."))?;
//! if !client.flush(Duration::from_secs(5))? {
//!     println!("{} are still in the queue", client.stats()?.spool.pending);
//! }
//! if let Some(outcome) = client.receipt(&receipt.id)? {
//!     println!("{}: {}", outcome.status, outcome.detail);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Errors
//!
//! [`Error::status`] is the code, one of [`Status`]. [`Error::detail`] is a message that names the argument or the
//! option. [`Error::receipt`] is the receipt, if the call was about a notification. [`std::error::Error::source`] is
//! the cause, if there is one.
//!
//! ```no_run
//! use esales_notify::{Error, Notification};
//! # fn main() -> Result<(), esales_notify::Error> {
//! # let client = esales_notify::Client::new(&esales_notify::Config::from_env()?)?;
//! # let visitor = esales_notify::Visitor::anonymous("a", "b");
//!
//! match client.notify(&visitor, &Notification::click("Oy9keW5h...")) {
//!     Ok(_) => {}
//!     Err(error @ (Error::InvalidArgument(_) | Error::InvalidConfig(_))) => {
//!         eprintln!("the program is wrong, and nothing was sent: {}", error.detail());
//!     }
//!     // To send it again, pass the id of the receipt: `Notification::with_id`.
//!     Err(error) if error.status().is_retryable() => eprintln!("may succeed later: {error}"),
//!     Err(error) => eprintln!("refused: {error}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! All of them are on by default. A Rust program needs none of them for [`Client`] with a queue in memory.
//!
//! | feature | brings | without it |
//! |---|---|---|
//! | `capi` | the exported C functions of `libesales_notify` | |
//! | `log-spool` | queues in a directory, `SpoolAdmin` | the option `spool` is refused with [`Status::InvalidConfig`] |
//! | `redis-spool` | queues in a Redis or Valkey, for several machines; brings `log-spool` | a `spool` of `redis://` is refused with [`Status::InvalidConfig`] |
//! | `diagnose` | `Probe`: checks the connection to the service step by step | |
//!
//! The feature `guest` is internal, for the shared library. A Rust program must not enable it.
//!
//! The crate runs on Linux only.

#![cfg_attr(docsrs, feature(doc_cfg))]
// Code that only one feature uses is compiled without the feature too, so that conditions are not scattered.
#![cfg_attr(
    not(all(feature = "capi", feature = "redis-spool", feature = "diagnose")),
    allow(dead_code, unused_imports)
)]

#[cfg(not(target_os = "linux"))]
compile_error!(
    "esales-notify does not support this platform yet: it runs on Linux only. \
     Build it for a Linux target, such as x86_64-unknown-linux-gnu."
);

mod client;
#[cfg(feature = "capi")]
mod ffi;
#[cfg(all(any(test, fuzzing), feature = "capi", feature = "log-spool"))]
#[path = "../fuzz/entries/mod.rs"]
pub mod fuzz;
mod host;
mod http;
mod keys;
mod notification;
mod options;
mod outcome;
mod queue;
mod spool;

pub use client::{Client, DeliveryCallback, TimedDeliveryCallback};
#[cfg(feature = "log-spool")]
pub use host::FileSystem;
pub use host::log::{LogCallback, LogLevel, log_keep, log_next, log_to};
#[cfg(feature = "diagnose")]
pub use http::{Probe, ProbeAnswer, Trust};
pub use keys::{MAX_KEY_INPUT, customer_key, customer_token, new_key};
pub use notification::{
    FIELDS, Field, FieldSpec, KINDS, Kind, KindSpec, Line, MAX_BODY, MAX_ID, MAX_KEY, MAX_LINES,
    MAX_MARKET, MAX_PRICE, MAX_PRODUCT_KEY, MAX_QUANTITY, MAX_TICKET, Need, Notification, Repeat,
    Visitor, personal_data,
};
// The enums of the choice options.
pub use options::setters::*;
pub use options::{Config, ConfigBuilder, Kind as OptionKind, OPTIONS, OptionSpec};
pub use outcome::{Error, Group, Receipt, Status};
#[cfg(feature = "redis-spool")]
pub use queue::EngineReport;
pub use queue::{Counts, Percentiles, Stats, stop_delivery};
#[cfg(feature = "log-spool")]
pub use queue::{
    DeadLetter, OriginReport, PendingNotification, RetryReport, SalvageReport, ShownNotification,
    SpoolAdmin, SpoolReport,
};
