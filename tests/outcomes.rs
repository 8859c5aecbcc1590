//! Every answer of the service, and every way not to answer, becomes the outcome that the design promises.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::collections::HashSet;

use common::{KEY, SESSION, client, refused, sandbox, scripted, send};
use esales_notify::{Status, Visitor, customer_key, customer_token};
use esales_notify_sandbox::{Options, Sandbox};

#[test]
fn every_answer_has_its_outcome_and_is_tried_as_often_as_it_deserves() {
    for (answer, status, http_status, attempts, words) in [
        (
            "400:body=\"Ticket is missing.\"",
            Status::TicketMissing,
            400,
            1,
            "Ticket is missing.",
        ),
        ("403", Status::Forbidden, 403, 1, "private key"),
        (
            "302:location=http://127.0.0.1:1/",
            Status::Rejected,
            302,
            1,
            "redirect",
        ),
        ("401", Status::Rejected, 401, 1, "401"),
        ("404", Status::Rejected, 404, 1, "v1 API"),
        ("413", Status::Rejected, 413, 1, "413"),
        ("408", Status::Timeout, 408, 3, "408"),
        ("425", Status::Throttled, 425, 3, "425"),
        ("429", Status::Throttled, 429, 3, "429"),
        (
            "500:body=\"cluster busy\"",
            Status::ServerError,
            500,
            3,
            "cluster busy",
        ),
        ("503", Status::ServerError, 503, 3, "503"),
        (
            "close",
            Status::ConnectionLost,
            0,
            3,
            "waiting for the answer",
        ),
        (
            "reset",
            Status::ConnectionLost,
            0,
            3,
            "waiting for the answer",
        ),
        ("garbage", Status::BadResponse, 0, 3, "not HTTP"),
    ] {
        let sandbox = scripted(&format!("{answer}:times=3"));
        let client = client(
            &sandbox.base_url(),
            &[("backoff_ms", "0"), ("timeout_ms", "20000")],
        );
        let receipt = refused(&client);
        assert_eq!(receipt.status, status, "{answer}: {receipt:?}");
        assert_eq!(receipt.http_status.unwrap_or(0), http_status, "{answer}");
        assert_eq!(receipt.attempts, attempts, "{answer}: {receipt:?}");
        assert!(receipt.detail.contains(words), "{answer}: {receipt:?}");
        assert_eq!(sandbox.received().len(), attempts as usize, "{answer}");
    }
}

#[test]
fn an_unexpected_2xx_is_delivered_and_noted() {
    for answer in ["200", "201:body=thanks", "202", "299"] {
        let sandbox = scripted(answer);
        let receipt = send(&client(&sandbox.base_url(), &[])).unwrap();
        assert_eq!(receipt.status, Status::Delivered);
        assert!(
            receipt.detail.contains("204 was expected"),
            "{}",
            receipt.detail
        );
    }
}

#[test]
fn every_attempt_sends_the_same_bytes_and_id() {
    let sandbox = scripted("503, garbage, 204");
    let client = client(&sandbox.base_url(), &[("backoff_ms", "1")]);
    let receipt = send(&client).unwrap();
    assert_eq!((receipt.status, receipt.attempts), (Status::Delivered, 3));
    let bodies: HashSet<String> = sandbox.received().into_iter().map(|r| r.body).collect();
    assert_eq!(bodies.len(), 1);
    assert!(bodies.iter().next().unwrap().contains(&receipt.id));
}

#[test]
fn retry_after_that_does_not_fit_the_budget_ends_the_call() {
    for header in ["120", "\"Wed, 21 Oct 2099 07:28:00 GMT\""] {
        let sandbox = scripted(&format!("503:retry-after={header}, 204"));
        let receipt = refused(&client(&sandbox.base_url(), &[]));
        assert_eq!((receipt.status, receipt.attempts), (Status::ServerError, 1));
        assert!(
            receipt.detail.contains("no time left"),
            "{}",
            receipt.detail
        );
    }
}

#[test]
fn retry_after_that_fits_is_waited_for() {
    let sandbox = scripted("429:retry-after=1, 204");
    let receipt = send(&client(&sandbox.base_url(), &[("backoff_ms", "0")])).unwrap();
    assert_eq!(receipt.attempts, 2);
    assert!(receipt.elapsed.as_millis() >= 1000, "{:?}", receipt.elapsed);
}

#[test]
fn signed_in_visitors_are_validated_by_the_service() {
    let sandbox = Sandbox::start(Options {
        private_key: Some("current".to_owned()),
        ..Options::default()
    })
    .unwrap();
    let client = client(&sandbox.base_url(), &[("market", "UK")]);
    let key = customer_key("customer-4711").unwrap();
    for (private_key, status) in [
        ("current", Status::Delivered),
        ("rotated", Status::Forbidden),
    ] {
        let token = customer_token(private_key, &key).unwrap();
        let visitor = Visitor::signed_in(&key, SESSION, &token);
        let sent = client.notify_add_to_cart(&visitor, "ticket", None);
        assert_eq!(sent.map_or_else(|e| e.status(), |r| r.status), status);
    }
    let tokens: Vec<_> = sandbox.received().iter().map(|r| r.token_valid).collect();
    assert_eq!(tokens, [Some(true), Some(false)]);
}

#[test]
fn the_market_of_the_visitor_outweighs_the_clients() {
    let sandbox = sandbox();
    let client = client(&sandbox.base_url(), &[("market", "SE")]);
    send(&client).unwrap();
    client
        .notify_add_to_cart(&Visitor::anonymous(KEY, SESSION), "t", Some("my-id"))
        .unwrap();
    let markets: Vec<_> = sandbox
        .received()
        .into_iter()
        .map(|r| r.notification.unwrap().market.unwrap())
        .collect();
    assert_eq!(markets, ["UK", "SE"]);
}

#[test]
fn headers_are_what_the_page_asks_for() {
    let sandbox = sandbox();
    send(&client(&sandbox.base_url(), &[])).unwrap();
    let received = sandbox.received().remove(0);
    let header = |name: &str| {
        let found: Vec<_> = received.headers.iter().filter(|(n, _)| n == name).collect();
        assert!(found.len() <= 1, "{name} twice");
        found.first().map(|(_, v)| v.clone())
    };
    assert_eq!(received.path, esales_notify::ADD_TO_CART_PATH);
    assert_eq!(header("content-type").unwrap(), "application/json");
    assert_eq!(
        header("content-length").unwrap(),
        received.body.len().to_string()
    );
    assert_eq!(
        header("user-agent").unwrap(),
        format!("esales-notify/{}", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(header("transfer-encoding"), None);
    assert!(received.warnings.is_empty(), "{:?}", received.warnings);
}
