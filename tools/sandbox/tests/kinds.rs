//! Every kind of notification over a real socket: its answer, its record, and its secrets.

// Clippy allows these only in `#[test]` functions, not in the functions that they share.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use common::{connect, exchange, scripted, start};
use esales_notify_sandbox::kind::{KINDS, Kind};
use esales_notify_sandbox::{Options, Sandbox};
use serde_json::Value;

/// Python: `hmac.new(b"sandbox-private-key", ORDER.encode(), hashlib.sha256).hexdigest()`.
const PAYMENT_TOKEN: &str = "ec99e3e9e8d5accf00f3dcfa703d63d3c10498181b7a763f44a8674a568c066e";
const ORDER: &str = r#"{"market":"UK","customerKey":"d9528030-509c-4e0f-b585-7168f1e9feca","sessionKey":"s-1","lines":[{"productKey":"P1","quantity":1,"sellingPrice":199.50,"cost":80}]}"#;

fn with_private_key() -> Sandbox {
    start(Options {
        private_key: Some("sandbox-private-key".to_owned()),
        ..Options::default()
    })
}

/// A valid body for this kind.
fn body(kind: Kind) -> String {
    let own = match kind {
        Kind::AddToCart | Kind::Click => r#","id":"1","ticket":"t""#,
        Kind::NonEsalesClick | Kind::NonEsalesAddToCart => {
            r#","id":"2","productKey":"P1","variantKey":null"#
        }
        Kind::End => "",
        _ => return ORDER.to_owned(),
    };
    format!(r#"{{"market":"UK","customerKey":"k-1","sessionKey":"s-1"{own}}}"#)
}

fn address(kind: Kind) -> String {
    let path = kind.spec().path;
    match kind {
        Kind::SecurePayment => format!("{path}?paymentToken={PAYMENT_TOKEN}"),
        _ => path.to_owned(),
    }
}

fn json(sandbox: &Sandbox, path: &str) -> Value {
    serde_json::from_str(&exchange(&mut connect(sandbox), "GET", path, "").body).unwrap()
}

#[test]
fn sandbox_answers_204_and_records_the_name_of_every_kind() {
    let sandbox = with_private_key();
    let mut stream = connect(&sandbox);
    for row in KINDS {
        let path = format!("/shop{}", address(row.kind));
        let mut body = body(row.kind);
        if row.kind == Kind::Payment {
            body = body.replace(r#","cost":80"#, "");
        }
        let reply = exchange(&mut stream, "POST", &path, &body);
        assert_eq!(
            (reply.status, reply.body.as_str()),
            (204, ""),
            "{}",
            row.name
        );
        let record = sandbox.received().pop().unwrap();
        assert_eq!((record.kind, record.path), (Some(row.kind), path));
        sandbox.clear();
        // Another method on the same path has the same kind.
        assert_eq!(exchange(&mut stream, "PUT", row.path, &body).status, 405);
        assert!(sandbox.received().pop().unwrap().kind.is_some());
    }
    let reply = exchange(&mut stream, "POST", "/api/v1/notifications/favorite", "{}");
    assert_eq!(reply.status, 404);
    for row in KINDS {
        assert!(reply.body.contains(row.path), "{}", reply.body);
    }
    assert_eq!(sandbox.received().pop().unwrap().kind, None);
}

#[test]
fn sandbox_script_applies_to_every_kind() {
    let sandbox = scripted("503:times=forever");
    let mut stream = connect(&sandbox);
    for row in KINDS {
        let reply = exchange(&mut stream, "POST", &address(row.kind), &body(row.kind));
        assert_eq!(reply.status, 503, "{}", row.name);
    }
    assert!(sandbox.received().iter().all(|record| record.scripted));
}

#[test]
fn sandbox_refuses_a_secure_payment_when_its_bytes_were_changed() {
    let sandbox = with_private_key();
    let changed = ORDER.replace("199.50", "199.5");
    let reply = exchange(
        &mut connect(&sandbox),
        "POST",
        &address(Kind::SecurePayment),
        &changed,
    );
    assert_eq!(reply.status, 403);
    assert!(
        reply.body.contains("does not sign these bytes"),
        "{}",
        reply.body
    );
    let record = &json(&sandbox, "/sandbox/received")[0];
    assert_eq!(record["kind"], "secure_payment");
    assert_eq!(record["payment_token_valid"], false);
    let problem = record["payment_token_problem"].as_str().unwrap();
    assert!(problem.contains("does not sign"), "{problem}");
    // Without a token, a cost is refused.
    let reply = exchange(
        &mut connect(&sandbox),
        "POST",
        Kind::Payment.spec().path,
        ORDER,
    );
    assert_eq!(reply.status, 400);
    assert!(
        reply.body.contains("only a secure payment"),
        "{}",
        reply.body
    );
}

#[test]
fn sandbox_flags_a_payment_that_counts_twice() {
    let sandbox = with_private_key();
    let mut stream = connect(&sandbox);
    for _ in 0..2 {
        exchange(&mut stream, "POST", &address(Kind::SecurePayment), ORDER);
    }
    exchange(&mut stream, "POST", &address(Kind::End), &body(Kind::End));
    exchange(
        &mut stream,
        "POST",
        &address(Kind::Click),
        &body(Kind::Click),
    );
    let seen = sandbox.received();
    let duplicates: Vec<bool> = seen.iter().map(|record| record.duplicate).collect();
    assert_eq!(duplicates, [false, true, false, false]);
    assert!(
        seen[1].warnings[0].starts_with("counted twice: number 1 "),
        "{:?}",
        seen[1].warnings
    );
    assert!(
        seen[3].warnings[0].starts_with("this session was ended by number 3"),
        "{:?}",
        seen[3].warnings
    );
    sandbox.clear();
    exchange(&mut stream, "POST", &address(Kind::SecurePayment), ORDER);
    assert!(!sandbox.received()[0].duplicate, "cleared");
}

#[test]
fn sandbox_json_returns_order_lines_as_they_were_written() {
    let sandbox = scripted("");
    let mut stream = connect(&sandbox);
    exchange(&mut stream, "POST", &address(Kind::Payment), ORDER);
    exchange(
        &mut stream,
        "POST",
        &address(Kind::NonEsalesClick),
        &body(Kind::NonEsalesClick),
    );
    let records = json(&sandbox, "/sandbox/received");
    let wanted = serde_json::json!([{"productKey": "P1", "quantity": "1", "sellingPrice": "199.50", "cost": "80"}]);
    assert_eq!(records[0]["notification"]["lines"], wanted);
    assert_eq!(records[1]["notification"]["productKey"], "P1");
    assert!(records[1]["notification"].get("lines").is_none());
    assert_eq!(records[1]["kind"], "non_esales_click");
    assert_eq!(json(&sandbox, "/sandbox/received/2"), records[1]);
    for seq in ["0", "3", "18446744073709551615"] {
        let path = format!("/sandbox/received/{seq}");
        assert_eq!(exchange(&mut stream, "GET", &path, "").status, 404, "{seq}");
    }
}

#[test]
fn sandbox_hides_payment_tokens_in_what_it_shows() {
    let sandbox = with_private_key();
    let misspelt = address(Kind::SecurePayment).replace("paymentToken", "PaymentToken");
    let mut stream = connect(&sandbox);
    for path in [&address(Kind::SecurePayment), &misspelt] {
        exchange(&mut stream, "POST", path, ORDER);
    }
    let record = sandbox.received().remove(0);
    assert!(
        record.path.ends_with(PAYMENT_TOKEN),
        "a test may compare it"
    );
    let shown = record.path_without_tokens().into_owned();
    assert!(
        !shown.contains(PAYMENT_TOKEN) && shown.contains("?paymentToken="),
        "{shown}"
    );
    assert!(
        json(&sandbox, "/sandbox/received/1")["path"]
            .as_str()
            .unwrap()
            .ends_with(PAYMENT_TOKEN)
    );
    let events = common::first_events(&sandbox, 2);
    assert!(
        events.contains(&shown) && !events.contains(PAYMENT_TOKEN),
        "{events}"
    );
}

#[test]
fn sandbox_hides_the_visitors_token_when_it_prints_a_body() {
    let token = "0123456789abcdef".repeat(4);
    let sandbox = scripted("");
    let body = format!(r#"{{"token":"{token}","market":"UK"}}"#);
    exchange(&mut connect(&sandbox), "POST", &address(Kind::End), &body);
    let record = sandbox.received().remove(0);
    assert_eq!(
        record.body_without_tokens(),
        r#"{"token":"01234567…cdef","market":"UK"}"#
    );
    assert_eq!(record.body, body);
}
