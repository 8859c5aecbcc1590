//! Microbenchmarks of private functions, compiled from the library's own files.

// Only a part of each file is used here. The files' unit tests are compiled but not run.
#![allow(dead_code, unused_imports, missing_docs)]

#[path = "../../src/queue/gate.rs"]
mod gate;
#[path = "../../src/keys.rs"]
mod keys;
#[path = "../../src/notification/mod.rs"]
mod notification;
#[path = "../../src/outcome/mod.rs"]
mod outcome;
#[path = "../../src/spool/gate.rs"]
mod spool_gate;

/// The parts of the library that the gate needs.
mod host {
    pub(crate) fn millis(duration: std::time::Duration) -> u64 {
        u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn fresh_random() -> Result<[u8; 16], getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(bytes)
    }

    /// The benchmark has no log.
    pub(crate) mod log {
        pub(crate) fn warn(_: impl FnOnce() -> String) {}
    }
}
mod spool {
    pub(crate) use crate::spool_gate::Gate;
}

use std::time::Duration;

use divan::black_box;
use gate::Backoff;
use notification::{Notification, Visitor};
use spool::Gate;

const KEY: &str = "d9528030-509c-4e0f-b585-7168f1e9feca";
const SESSION: &str = "b106299c-eac0-4f6f-96d2-93e57c255784";
const ID: &str = "22ff97fa-b635-4527-9318-dd9116fbfe91";

fn main() {
    divan::main();
}

fn ticket() -> String {
    "Oy9keW5hbWljLXBhZ2Vz".repeat(7)
}

/// Checks the fields and writes them as JSON.
#[divan::bench]
fn json(bencher: divan::Bencher<'_, '_>) {
    let (visitor, ticket) = (Visitor::anonymous(KEY, SESSION).in_market("UK"), ticket());
    bencher.bench(|| {
        let notification = Notification::add_to_cart(black_box(&ticket));
        notification.encode(black_box(&visitor), None, ID).is_ok()
    });
}

#[divan::bench]
fn new_key() -> bool {
    keys::new_key().is_ok()
}

#[divan::bench]
fn customer_key() -> bool {
    keys::customer_key(black_box("customer-4711")).is_ok()
}

#[divan::bench]
fn customer_token(bencher: divan::Bencher<'_, '_>) {
    let key = keys::customer_key("customer-4711").unwrap_or_default();
    bencher.bench(|| keys::customer_token(black_box("private"), &key).is_ok());
}

/// Whether a delivery may start, and the gate after its failure.
#[divan::bench]
fn gate(bencher: divan::Bencher<'_, '_>) {
    let backoff = Backoff {
        min: Duration::from_secs(1),
        max: Duration::from_secs(300),
    };
    bencher.bench(|| {
        let gate = black_box(Gate::default());
        (
            gate.room(1_000, 3, 8),
            gate.closed(true, None, 1_000, backoff, 0.5),
        )
    });
}
