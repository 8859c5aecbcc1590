//! The shared vectors, through the Rust API.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::collections::HashMap;

use common::{client, sandbox, scripted};
use esales_notify::{
    Client, Config, Error, KINDS, Kind, Line, Notification, Receipt, Visitor, customer_key,
    customer_token,
};
use serde_json::Value;

fn load(name: &str) -> Value {
    let path = format!("{}/tests/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn rows(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().unwrap().iter()
}

/// A value of a vector; `None` if a Rust string cannot hold it (bytes that are not UTF-8).
fn text(value: &Value) -> Option<String> {
    if let Some(text) = value.as_str() {
        return Some(text.to_owned());
    }
    let times = value.get("times")?.as_u64()? as usize;
    Some(value["repeat"].as_str()?.repeat(times))
}

/// The example of each kind is its first row.
fn example<'a>(vectors: &'a Value, kind: &str) -> &'a Value {
    let mut of_kind = rows(vectors).filter(|row| row["kind"] == *kind);
    of_kind.next().unwrap_or_else(|| panic!("no row of {kind}"))
}

/// The members of a row, and of its order lines, as a caller passes them.
#[derive(Default)]
struct Given {
    texts: HashMap<String, String>,
    lines: Vec<GivenLine>,
}

#[derive(Default, Clone)]
struct GivenLine {
    texts: HashMap<String, String>,
    quantity: u32,
}

impl Given {
    fn new(row: &Value) -> Given {
        let mut given = Given::default();
        for (name, value) in row.as_object().unwrap() {
            given.set(name, value).unwrap();
        }
        given
    }

    /// `None`: Rust cannot express the value.
    fn set(&mut self, name: &str, value: &Value) -> Option<()> {
        if let Some(member) = name.strip_prefix("lines[1].") {
            return self.lines[1].set(member, value);
        }
        match name {
            "lines" => self.lines = lines(value)?,
            _ => put(&mut self.texts, name, value)?,
        }
        Some(())
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    fn send(&self, client: &Client) -> Option<Result<Receipt, Error>> {
        // A missing key would not compile in Rust.
        let (customer_key, session_key) = (self.text("customer_key")?, self.text("session_key")?);
        let mut visitor = Visitor::anonymous(customer_key, session_key);
        visitor.market = self.text("market");
        visitor.token = self.text("token");
        let mut lines = Vec::new();
        for line in &self.lines {
            lines.push(line.line()?);
        }
        let mut notification = Notification::new(Kind::from_name(self.text("kind")?).unwrap());
        notification.id = self.text("id");
        notification.ticket = self.text("ticket");
        notification.product_key = self.text("product_key");
        notification.variant_key = self.text("variant_key");
        notification.lines = &lines;
        notification.private_key = self.text("private_key");
        Some(client.notify(&visitor, &notification))
    }
}

impl GivenLine {
    fn set(&mut self, name: &str, value: &Value) -> Option<()> {
        match name {
            "quantity" => self.quantity = value.as_u64()?.try_into().ok()?,
            _ => put(&mut self.texts, name, value)?,
        }
        Some(())
    }

    fn line(&self) -> Option<Line<'_>> {
        let text = |name: &str| self.texts.get(name).map(String::as_str);
        let mut line = Line::new("", self.quantity, text("selling_price")?);
        line.product_key = text("product_key");
        line.variant_key = text("variant_key");
        line.cost = text("cost");
        Some(line)
    }
}

fn put(texts: &mut HashMap<String, String>, name: &str, value: &Value) -> Option<()> {
    match value {
        Value::Null => texts.remove(name),
        value => texts.insert(name.to_owned(), text(value)?),
    };
    Some(())
}

fn lines(value: &Value) -> Option<Vec<GivenLine>> {
    if value.is_null() {
        return Some(Vec::new());
    }
    if let Some(times) = value.get("times") {
        let once = lines(&value["repeat"])?;
        let count = once.len() * times.as_u64()? as usize;
        return Some(once.into_iter().cycle().take(count).collect());
    }
    let mut made = Vec::new();
    for row in rows(value) {
        let mut line = GivenLine::default();
        for (name, value) in row.as_object().unwrap() {
            line.set(name, value)?;
        }
        made.push(line);
    }
    Some(made)
}

#[test]
fn notifications_arrive_with_the_bytes_of_the_vectors() {
    let vectors = load("notifications.json");
    let sandbox = scripted(&format!("204:times={}", vectors.as_array().unwrap().len()));
    let client = client(&sandbox.base_url(), &[]);
    for row in rows(&vectors) {
        let sent = Given::new(row).send(&client).unwrap().unwrap();
        assert_eq!(sent.id, row["id"].as_str().unwrap(), "{}", row["name"]);
        let received = sandbox.received().pop().unwrap();
        for (got, member) in [(received.path, "path"), (received.body, "body")] {
            assert_eq!(got, row[member].as_str().unwrap(), "{}", row["name"]);
        }
    }
    for kind in KINDS {
        example(&vectors, kind.name);
    }
}

#[test]
fn keys_and_tokens_equal_the_vectors() {
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
fn invalid_input_is_refused_with_the_message_of_the_vector() {
    let sandbox = sandbox();
    let vectors = load("bad_input.json");
    let examples = load("notifications.json");
    let mut tried: HashMap<&str, usize> = HashMap::new();
    for row in rows(&vectors) {
        let Some(result) = attempt(&sandbox.base_url(), &examples, row) else {
            continue;
        };
        let error = result.unwrap_err();
        assert_eq!(
            i64::from(error.status().code()),
            row["status"].as_i64().unwrap(),
            "{row}: {error}"
        );
        // In Rust a NUL in the value of an option is a bad configuration like any other.
        let named = error.detail().contains(row["names"].as_str().unwrap());
        assert!(named, "{row}: {error}");
        *tried
            .entry(row["kind"].as_str().unwrap_or("other"))
            .or_default() += 1;
    }
    for kind in KINDS.iter().map(|kind| kind.name).chain(["other"]) {
        let tried = tried.get(kind).copied().unwrap_or_default();
        assert!(tried >= 15, "only {tried} bad inputs of {kind}");
    }
    assert_eq!(sandbox.stats().received, 0);
}

/// `None`: Rust cannot express the input.
fn attempt(base_url: &str, examples: &Value, row: &Value) -> Option<Result<(), Error>> {
    let set = |name: &str| row["set"].get(name).map(text);
    match row["call"].as_str().unwrap() {
        "notify" => {
            let mut given = Given::new(example(examples, row["kind"].as_str().unwrap()));
            for (name, value) in row["set"].as_object().unwrap() {
                given.set(name, value)?;
            }
            Some(given.send(&client(base_url, &[]))?.map(drop))
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
