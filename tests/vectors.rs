//! The shared vectors, through the Rust API.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use common::{client, sandbox};
use esales_notify::{Client, Config, Error, Visitor, customer_key, customer_token};
use serde_json::Value;

fn load(name: &str) -> Value {
    let path = format!("{}/tests/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn rows(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().unwrap().iter()
}

/// A vector's value; `None` where Rust's strings cannot hold it (bytes that are not UTF-8).
fn text(value: &Value) -> Option<String> {
    if let Some(text) = value.as_str() {
        return Some(text.to_owned());
    }
    let times = value.get("times")?.as_u64()? as usize;
    Some(value["repeat"].as_str()?.repeat(times))
}

#[test]
fn bodies_are_byte_identical() {
    let sandbox = sandbox();
    let client = client(&sandbox.base_url(), &[]);
    let vectors = load("notifications.json");
    for row in rows(&vectors) {
        let field = |name: &str| row[name].as_str();
        let visitor = Visitor {
            market: field("market"),
            customer_key: field("customer_key").unwrap(),
            session_key: field("session_key").unwrap(),
            token: field("token"),
        };
        let sent = client.notify_add_to_cart(&visitor, field("ticket").unwrap(), field("id"));
        // A signed-in visitor is answered 403 here, for want of a private key; the bytes are what counts.
        assert_eq!(sent.is_ok(), visitor.token.is_none(), "{}", row["name"]);
        assert_eq!(
            sandbox.received().pop().unwrap().body,
            row["body"].as_str().unwrap(),
            "{}",
            row["name"]
        );
    }
}

#[test]
fn identities() {
    let vectors = load("identity.json");
    for row in rows(&vectors["customer_keys"]) {
        let key = customer_key(row["customer_id"].as_str().unwrap()).unwrap();
        assert_eq!(key, row["customer_key"].as_str().unwrap());
    }
    for row in rows(&vectors["tokens"]) {
        let field = |name: &str| row[name].as_str().unwrap();
        let token = customer_token(field("private_key"), field("customer_key")).unwrap();
        assert_eq!(token, field("token"));
    }
}

#[test]
fn bad_input_is_refused_and_nothing_is_sent() {
    let sandbox = sandbox();
    let vectors = load("bad_input.json");
    let example = load("notifications.json")[0].clone();
    let mut tried = 0;
    for row in rows(&vectors) {
        let Some(result) = attempt(&sandbox.base_url(), &example, row) else {
            continue;
        };
        let error = result.unwrap_err();
        assert_eq!(
            i64::from(error.status().code()),
            row["status"].as_i64().unwrap(),
            "{row}: {error}"
        );
        // In Rust a NUL within an option's value is the value's fault, and a bad configuration like any other.
        let named = error.detail().contains(row["names"].as_str().unwrap());
        assert!(named, "{row}: {error}");
        tried += 1;
    }
    assert!(tried >= 60, "only {tried} bad inputs");
    assert_eq!(sandbox.stats().received, 0);
}

/// `None`: Rust cannot express the input.
fn attempt(base_url: &str, example: &Value, row: &Value) -> Option<Result<(), Error>> {
    let set = |name: &str| row["set"].get(name).map(text);
    match row["call"].as_str().unwrap() {
        "notify" => {
            let field = |name: &str| match row["set"].get(name) {
                Some(Value::Null) => Some(None),
                Some(value) => text(value).map(Some),
                None => Some(example[name].as_str().map(str::to_owned)),
            };
            let (market, token) = (field("market")?, field("token")?);
            // A missing required field does not compile in Rust.
            let (key, session) = (field("customer_key")??, field("session_key")??);
            let (ticket, id) = (field("ticket")??, field("id")??);
            let visitor = Visitor {
                market: market.as_deref(),
                customer_key: &key,
                session_key: &session,
                token: token.as_deref(),
            };
            let sent = client(base_url, &[]).notify_add_to_cart(&visitor, &ticket, Some(&id));
            Some(sent.map(drop))
        }
        "config" => {
            let value = text(&row["value"]).filter(|v| !v.contains('\0'))?;
            Some(Config::new().set(row["option"].as_str().unwrap(), &value))
        }
        "client" => {
            let mut config = Config::new();
            for (name, value) in row["options"].as_object().unwrap() {
                config.set(name, value.as_str().unwrap()).unwrap();
            }
            Some(Client::new(&config).map(drop))
        }
        "customer_key" => Some(customer_key(&set("customer_id")??).map(drop)),
        "customer_token" => {
            Some(customer_token(&set("private_key")??, &set("customer_key")??).map(drop))
        }
        other => panic!("unknown call {other}"),
    }
}
