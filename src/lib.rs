//! Tells the Elevate 3 commerce search service (formerly Apptus eSales) that a visitor added a product to the cart.
//!
//! ```no_run
//! use esales_notify::{Client, Config, Visitor};
//!
//! # fn main() -> Result<(), esales_notify::Error> {
//! let mut config = Config::new();
//! config.set("cluster_id", "w5d1cc1f4")?;
//! let client = Client::new(&config)?;
//! let visitor = Visitor::anonymous(
//!     "d9528030-509c-4e0f-b585-7168f1e9feca",
//!     "b106299c-eac0-4f6f-96d2-93e57c255784",
//! );
//! let receipt = client.notify_add_to_cart(&visitor.in_market("UK"), "Oy9keW5h...", None)?;
//! println!("{} {}", receipt.status, receipt.id);
//! # Ok(())
//! # }
//! ```
//!
//! A call blocks for at most `timeout_ms`, sends the same bytes with the same id at every attempt, and says in its
//! receipt what became of the notification. The same crate is the shared library `libesales_notify` with a C ABI
//! (`include/esales_notify.h`), which the C++, Python, PHP and C# bindings use.
//!
//! [`Client::enqueue_add_to_cart`] does not block: it puts the notification into a queue, in memory or in a directory
//! that survives the process, and a thread of this or another process delivers it.
//!
//! Modules point downwards only: `ffi` → [`Client`] → `queue` → `spool`, `http` → `notification`, `identity`, `outcome`; `host` is what it
//! takes to be a guest in another program's process.

#![cfg_attr(docsrs, feature(doc_cfg))]
// What only a feature uses is still compiled without the feature: to leave it out item by item would scatter conditions.
#![cfg_attr(
    not(all(feature = "capi", feature = "log-spool", feature = "diagnose")),
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
mod identity;
mod notification;
mod options;
mod outcome;
mod queue;
mod spool;

pub use client::{Client, DeliveryCallback};
#[cfg(feature = "log-spool")]
pub use host::FileSystem;
pub use host::log::{LogCallback, LogLevel, log_keep, log_next, log_to};
#[cfg(feature = "diagnose")]
pub use http::{Probe, ProbeAnswer, Trust};
pub use identity::{MAX_IDENTITY, customer_key, customer_token, new_key};
pub use notification::{
    FIELDS, Field, FieldSpec, KINDS, Kind, KindSpec, Line, MAX_BODY, MAX_ID, MAX_KEY, MAX_LINES,
    MAX_MARKET, MAX_PRICE, MAX_PRODUCT_KEY, MAX_QUANTITY, MAX_TICKET, Need, Notification, Repeat,
    Visitor, personal_data,
};
// The enums of the options that are a choice.
pub use options::setters::*;
pub use options::{Config, ConfigBuilder, Kind as OptionKind, OPTIONS, OptionSpec};
pub use outcome::{Error, Group, Receipt, Status};
pub use queue::{Counts, Percentiles, Stats, stop_delivery};
#[cfg(feature = "log-spool")]
pub use queue::{
    DeadLetter, OriginReport, PendingNotification, RetryReport, SalvageReport, ShownNotification,
    SpoolAdmin, SpoolReport,
};
