//! `Client::enqueue_request`: complete requests to the web API.

// Clippy allows these only in `#[test]` functions, not in the functions that they share.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::sync::mpsc::channel;
use std::time::Duration;

use esales_notify::{Client, Config, Status};
use esales_notify_sandbox::{Options, Sandbox};

const WAIT_LIMIT: Duration = Duration::from_secs(60);
const PAYMENT: &str = "/api/v1/notifications/payment";

fn client(sandbox: &Sandbox) -> Client {
    let config = Config::builder().base_url(&sandbox.base_url());
    Client::new(&config.build().unwrap()).unwrap()
}

#[test]
fn enqueue_request_sends_path_and_body_byte_for_byte() {
    let sandbox = Sandbox::start(Options::default()).unwrap();
    let client = client(&sandbox);
    let path = format!("{PAYMENT}?paymentToken={}", "0aF9".repeat(16));
    let body = "{ \"lines\": [{\"quantity\": 2,\n \"sellingPrice\": 199.500, \"productKey\": \"P\\u0031\"}],\t\
                \"market\":\"UK\", \"customerKey\":\"c\", \"sessionKey\":\"s\", \"new\": null }\n";
    let receipt = client
        .enqueue_request(&path, body, Some("order 1"))
        .unwrap();
    assert_eq!((receipt.status, &*receipt.id), (Status::Queued, "order 1"));
    assert!(client.flush(WAIT_LIMIT).unwrap());
    let received = sandbox.received();
    assert_eq!((&*received[0].path, &*received[0].body), (&*path, body));
}

#[test]
fn enqueue_request_returns_the_id_of_the_body_and_refuses_another() {
    let sandbox = Sandbox::start(Options::default()).unwrap();
    let client = client(&sandbox);
    let path = "/api/v1/notifications/click";
    let body = r#"{"market":"UK","customerKey":"c","sessionKey":"s","id":"1","ticket":"t"}"#;
    assert_eq!(client.enqueue_request(path, body, None).unwrap().id, "1");
    assert_eq!(
        client.enqueue_request(path, body, Some("1")).unwrap().id,
        "1"
    );
    let refused = client.enqueue_request(path, body, Some("2")).unwrap_err();
    assert_eq!(refused.status(), Status::InvalidArgument);
    let order = r#"{"market":"UK","customerKey":"c","sessionKey":"s","lines":[{"productKey":"P","quantity":1,"sellingPrice":1}]}"#;
    let made = client.enqueue_request(PAYMENT, order, None).unwrap().id;
    assert_eq!(made.len(), 36);
}

#[test]
fn timed_delivery_has_the_duration_of_the_attempt() {
    let sandbox = Sandbox::start(Options::default()).unwrap();
    let client = client(&sandbox);
    let (sender, outcomes) = channel();
    client
        .on_timed_delivery(Some(Box::new(move |receipt, latency| {
            let _ = sender.send((receipt.clone(), latency));
        })))
        .unwrap();
    let end = r#"{"market":"UK","customerKey":"c","sessionKey":"s"}"#;
    let path = "/api/v1/notifications/end";
    client.enqueue_request(path, end, Some("end")).unwrap();
    let (receipt, latency) = outcomes.recv_timeout(WAIT_LIMIT).unwrap();
    assert_eq!((receipt.status, &*receipt.id), (Status::Delivered, "end"));
    assert!(!latency.is_zero() && latency <= WAIT_LIMIT);
}
