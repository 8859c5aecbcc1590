//! Every answer of the service, and every kind of missing answer, gives the documented outcome.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::collections::HashSet;

use common::{KEY, SESSION, answering, client, refused, sandbox, scripted, send, visitor};
use esales_notify::{Status, Visitor, customer_key, customer_token};
use esales_notify_sandbox::{Options, Sandbox};

#[test]
fn every_answer_maps_to_its_status_and_its_number_of_attempts() {
    for (answer, status, http_status, attempts, message_part) in [
        (
            "400:body=\"Ticket is missing.\"",
            Status::BadRequest,
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
        ("garbage", Status::BadResponse, 0, 3, "not valid HTTP"),
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
        assert!(
            receipt.detail.contains(message_part),
            "{answer}: {receipt:?}"
        );
        assert_eq!(sandbox.received().len(), attempts as usize, "{answer}");
    }
}

#[test]
fn unexpected_2xx_is_delivered_and_noted_in_the_detail() {
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
fn retries_send_the_same_bytes_and_the_same_id() {
    let sandbox = scripted("503, garbage, 204");
    let client = client(&sandbox.base_url(), &[("backoff_ms", "1")]);
    let receipt = send(&client).unwrap();
    assert_eq!((receipt.status, receipt.attempts), (Status::Delivered, 3));
    let bodies: HashSet<String> = sandbox.received().into_iter().map(|r| r.body).collect();
    assert_eq!(bodies.len(), 1);
    assert!(bodies.iter().next().unwrap().contains(&receipt.id));
}

#[test]
fn call_ends_when_retry_after_is_longer_than_the_time_left() {
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
fn call_waits_for_retry_after_when_it_fits_the_time_left() {
    let sandbox = scripted("429:retry-after=1, 204");
    let receipt = send(&client(&sandbox.base_url(), &[("backoff_ms", "0")])).unwrap();
    assert_eq!(receipt.attempts, 2);
    assert!(receipt.elapsed.as_millis() >= 1000, "{:?}", receipt.elapsed);
}

#[test]
fn service_accepts_the_token_of_a_signed_in_visitor() {
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
fn market_of_the_visitor_overrides_the_clients_option() {
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
fn request_headers_equal_the_documented_ones() {
    let sandbox = sandbox();
    send(&client(&sandbox.base_url(), &[])).unwrap();
    let received = sandbox.received().remove(0);
    let header = |name: &str| {
        let found: Vec<_> = received.headers.iter().filter(|(n, _)| n == name).collect();
        assert!(found.len() <= 1, "{name} twice");
        found.first().map(|(_, v)| v.clone())
    };
    assert_eq!(received.path, esales_notify::Kind::AddToCart.spec().path);
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

/// Odd but harmless data after a status line, each with a name.
fn odd_answers() -> Vec<(&'static str, String)> {
    let many: String = (0..150).map(|n| format!("X-{n}: y\r\n")).collect();
    let long = "y".repeat(300_000);
    vec![
        ("150 fields", format!("{many}\r\n")),
        ("a field of 300 kB", format!("X: {long}\r\n\r\n")),
        (
            "300 kB of fields",
            format!("{}\r\n", "X: y\r\n".repeat(50_000)),
        ),
        ("a line that is no field", "what is this\r\n\r\n".to_owned()),
        ("a field without a name", ": x\r\n\r\n".to_owned()),
        (
            "control characters",
            "X\u{1}: \u{0}\u{7f}\r\n\r\n".to_owned(),
        ),
        ("not ASCII", "Käse: ü\r\n\r\n".to_owned()),
        ("a folded field", "X: a\r\n b\r\n\r\n".to_owned()),
        ("LF only", "X: y\n\n".to_owned()),
        (
            "two lengths",
            "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx".to_owned(),
        ),
        ("no length", "Content-Length: many\r\n\r\n".to_owned()),
        (
            "a body that ends early",
            "Content-Length: 100\r\n\r\nx".to_owned(),
        ),
        (
            "a bad chunk",
            "Transfer-Encoding: chunked\r\n\r\nzz\r\nx".to_owned(),
        ),
        (
            "an unknown coding",
            "Transfer-Encoding: br\r\n\r\nx".to_owned(),
        ),
        (
            "gzip that is none",
            "Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx".to_owned(),
        ),
        (
            "a body that is no UTF-8",
            "Content-Length: 1\r\n\r\n\u{fffd}".to_owned(),
        ),
        ("an early close", String::new()),
        ("an early close in a field", "X: y".to_owned()),
    ]
}

#[test]
fn answer_is_final_when_its_status_line_is_complete() {
    for (line, status) in [
        ("204 No Content", Status::Delivered),
        ("200 OK", Status::Delivered),
        ("204", Status::Delivered),
        ("400 Bad Request", Status::BadRequest),
        ("403 Forbidden", Status::Forbidden),
    ] {
        for (case, rest) in odd_answers() {
            let (base_url, requests) = answering(format!("HTTP/1.1 {line}\r\n{rest}"));
            let client = client(&base_url, &[("timeout_ms", "20000"), ("backoff_ms", "0")]);
            let sent = send(&client);
            let receipt = sent.unwrap_or_else(|e| e.receipt().unwrap().clone());
            assert_eq!(receipt.status, status, "{line}, {case}: {receipt:?}");
            assert_eq!(receipt.attempts, 1, "{line}, {case}: {receipt:?}");
            assert_eq!(requests.try_iter().count(), 1, "{line}, {case}");
        }
    }
}

#[test]
fn connection_is_lost_when_the_answer_breaks_off_in_the_status_line() {
    for answer in [
        "",
        "HTTP/1.1 2",
        "HTTP/1.1 204 No Con",
        "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 204",
    ] {
        let (base_url, _requests) = answering(answer);
        let receipt = refused(&client(&base_url, &[("max_attempts", "1")]));
        assert_eq!(
            receipt.status,
            Status::ConnectionLost,
            "{answer}: {receipt:?}"
        );
    }
}

#[test]
fn interim_1xx_answers_are_skipped() {
    for interim in [
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 100 Continue\r\nX: with a field\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n",
    ] {
        let (base_url, requests) = answering(format!("{interim}HTTP/1.1 204 No Content\r\n\r\n"));
        let receipt = send(&client(&base_url, &[])).unwrap();
        assert_eq!(receipt.http_status, Some(204), "{interim}");
        assert_eq!(requests.try_iter().count(), 1);
    }
}

#[test]
fn retry_after_date_counts_from_the_date_of_the_answer() {
    // The clock of the service is years behind this machine's.
    let answer = "HTTP/1.1 503 Busy\r\nDate: Wed, 21 Oct 2015 07:28:00 GMT\r\n\
                  Retry-After: Wed, 21 Oct 2015 07:28:50 GMT\r\nContent-Length: 0\r\n\r\n";
    let (base_url, _requests) = answering(answer);
    let receipt = refused(&client(&base_url, &[]));
    assert_eq!(receipt.attempts, 1);
    assert!(receipt.detail.contains("no time left"), "{receipt:?}");
}

#[test]
fn detail_omits_secrets_that_the_service_repeats() {
    let upper = KEY.to_uppercase();
    let percent: String = KEY.bytes().map(|b| format!("%{b:02x}")).collect();
    for secret in [KEY, &upper, &percent, &KEY[9..30], &KEY.replace('-', "-\n")] {
        let body = format!("customer {secret} is unknown");
        let (base_url, _requests) = answering(format!("HTTP/1.1 403 Forbidden\r\n\r\n{body}"));
        let client = client(&base_url, &[("market", "UK")]);
        let refused = client.notify_add_to_cart(&visitor(), "ticket", None);
        let detail = refused.unwrap_err().detail().to_owned();
        assert!(
            detail.ends_with(": customer ... is unknown"),
            "{secret}: {detail}"
        );
    }
}

#[test]
fn detail_shows_a_gateways_html_page_as_text_with_an_ellipsis() {
    let page = format!(
        "<html><title>Blocked</title><body>{}</body>",
        "ö".repeat(300)
    );
    let (base_url, _requests) = answering(format!("HTTP/1.1 401 No\r\n\r\n{page}"));
    let detail = refused(&client(&base_url, &[])).detail;
    assert!(detail.starts_with("HTTP 401: Blocked öö"), "{detail}");
    assert!(detail.ends_with("ö…") && detail.len() < 255, "{detail}");
}
