//! A customer key with personal data is sent, and the log warns of it. In a process of its own, because the log
//! belongs to the process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::sync::{Arc, Mutex};

use common::{client, sandbox};
use esales_notify::{LogLevel, Visitor, customer_key, log_to};

#[test]
fn log_warns_without_showing_the_key_when_a_customer_key_is_personal_data() {
    let sandbox = sandbox();
    let client = client(&sandbox.base_url(), &[]);
    let messages = Arc::new(Mutex::new(Vec::new()));
    log_to(LogLevel::Warn, {
        let messages = Arc::clone(&messages);
        Some(Box::new(move |level, message| {
            messages.lock().unwrap().push((level, message.to_owned()));
        }))
    });
    let send = |key: &str| {
        let visitor =
            Visitor::anonymous(key, "b106299c-eac0-4f6f-96d2-93e57c255784").in_market("UK");
        client.notify_add_to_cart(&visitor, "t", None).unwrap();
        std::mem::take(&mut *messages.lock().unwrap())
    };

    for (key, looks_like) in [
        ("anna@example.com", "an e-mail address"),
        ("4711", "a number"),
        ("19811218-9876", "a national id"),
        ("anna.svensson", "a user name"),
    ] {
        let logged = send(key);
        assert_eq!(logged.len(), 1, "{key}: {logged:?}");
        let (level, message) = &logged[0];
        assert_eq!(*level, LogLevel::Warn);
        assert!(message.contains(looks_like), "{message}");
        assert!(!message.contains(key), "{message}");
    }
    assert_eq!(send("d9528030-509c-4e0f-b585-7168f1e9feca"), []);

    // If every key has personal data, the log has few warnings.
    let logged: usize = (0..100).map(|_| send("anna@example.com").len()).sum();
    assert_eq!(logged, 6, "ten in all");
    assert_eq!(sandbox.stats().received, 105);

    // A correct key of a signed-in visitor causes no warning.
    assert_eq!(
        esales_notify::personal_data(&customer_key("anna@example.com").unwrap()),
        None
    );
    log_to(LogLevel::Error, None);
}
