//! The honest answer: what the vendor's page says a notification deserves. Pure.
//!
//! The page ("Adding to cart notification") knows three answers: 204, 400 for a missing ticket,
//! and 403 for a SHA-256 customer key that could not be validated. Whatever it does not say is
//! marked: answers of our own invention begin with `Sandbox:`, and oddities that the page neither
//! allows nor forbids are answered as usual and noted as warnings.
//!
//! The token is computed here with `hmac` and `sha2` directly, and not by the notify library's own
//! signing code, on purpose: a bug there must not hide itself by being made twice.

mod notification;

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value};
use sha2::Sha256;

pub use self::notification::{Notification, Visitor};
use crate::personal_data::personal_data;

/// The vendor's words for 400.
const TICKET_MISSING: &str = "Ticket is missing.";
/// The vendor's words for 403.
const NOT_VALIDATED: &str = "A SHA256 customer key was used, but it could not be validated.";
/// The members of the request that the vendor's page lists.
const MEMBERS: [&str; 6] = [
    "market",
    "customerKey",
    "sessionKey",
    "id",
    "token",
    "ticket",
];

/// What is to be answered, and what was understood on the way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) status: u16,
    /// The body of the answer; empty for 204.
    pub(crate) text: String,
    pub(crate) notification: Option<Notification>,
    pub(crate) visitor: Option<Visitor>,
    pub(crate) token_valid: Option<bool>,
    /// Why the token is not valid, or cannot be told to be.
    pub(crate) token_problem: Option<&'static str>,
    pub(crate) warnings: Vec<String>,
}

impl Verdict {
    /// A refusal of what is no notification, whatever it holds. Its members are read all the same: whoever sees
    /// them is to see which of them is the token.
    pub(crate) fn refuse(status: u16, text: impl Into<String>, body: &[u8]) -> Self {
        let members = serde_json::from_slice::<Map<String, Value>>(body).ok();
        Verdict {
            status,
            text: text.into(),
            notification: members.as_ref().map(read),
            ..Verdict::default()
        }
    }
}

/// Judges one notification by its `Content-Type` header and its body.
pub(crate) fn judge(body: &[u8], content_type: Option<&str>, private_key: Option<&str>) -> Verdict {
    let mut verdict = Verdict::default();
    warn_of_content_type(content_type, &mut verdict.warnings);
    let members = match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => members,
        Ok(_) => {
            return answer(
                verdict,
                400,
                "Sandbox: the body is JSON, but not an object.",
            );
        }
        Err(error) => {
            let text = format!("Sandbox: the body is not JSON: {error}.");
            return answer(verdict, 400, text);
        }
    };
    warn_of_members(&members, &mut verdict.warnings);
    let notification = read(&members);
    let visitor = match notification.customer_key.as_deref() {
        Some(key) if is_sha256_shaped(key) => Visitor::SignedIn,
        _ => Visitor::Anonymous,
    };
    verdict.visitor = Some(visitor);
    let token = check_token(&notification, visitor, private_key);
    verdict.token_valid = match token {
        Token::NotNeeded | Token::Unknown(_) => None,
        Token::Valid => Some(true),
        Token::Invalid(_) => Some(false),
    };
    verdict.token_problem = match token {
        Token::NotNeeded | Token::Valid => None,
        Token::Invalid(reason) | Token::Unknown(reason) => Some(reason),
    };
    let has_token = notification.token.as_deref().is_some_and(|t| !t.is_empty());
    if visitor == Visitor::Anonymous && has_token {
        let text = "a token was sent with a customerKey that is not a SHA-256 hash";
        verdict.warnings.push(text.to_owned());
    }
    let no_ticket = notification.ticket.as_deref().is_none_or(str::is_empty);
    verdict.notification = Some(notification);

    if let Some(bad) = MEMBERS
        .iter()
        .find(|&&name| members.get(name).is_some_and(|value| !value.is_string()))
    {
        let text = format!("Sandbox: `{bad}` is not a string.");
        return answer(verdict, 400, text);
    }
    if no_ticket {
        return answer(verdict, 400, TICKET_MISSING);
    }
    match token {
        Token::NotNeeded | Token::Valid => answer(verdict, 204, ""),
        Token::Invalid(reason) | Token::Unknown(reason) => {
            answer(verdict, 403, format!("{NOT_VALIDATED} Sandbox: {reason}."))
        }
    }
}

fn answer(mut verdict: Verdict, status: u16, text: impl Into<String>) -> Verdict {
    verdict.status = status;
    verdict.text = text.into();
    verdict
}

fn read(members: &Map<String, Value>) -> Notification {
    let text = |name: &str| members.get(name)?.as_str().map(str::to_owned);
    Notification {
        market: text("market"),
        customer_key: text("customerKey"),
        session_key: text("sessionKey"),
        id: text("id"),
        token: text("token"),
        ticket: text("ticket"),
    }
}

fn warn_of_content_type(content_type: Option<&str>, warnings: &mut Vec<String>) {
    let Some(value) = content_type else {
        warnings.push("there is no Content-Type; application/json is wanted".to_owned());
        return;
    };
    let media_type = value.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        warnings.push(format!(
            "the Content-Type is `{value}`; application/json is wanted"
        ));
    }
}

fn warn_of_members(members: &Map<String, Value>, warnings: &mut Vec<String>) {
    // A ticket that is missing or empty has an answer of its own; a token may be missing.
    for name in ["market", "customerKey", "sessionKey", "id"] {
        match members.get(name) {
            None => warnings.push(format!("`{name}` is missing")),
            Some(Value::String(text)) if text.is_empty() => {
                warnings.push(format!("`{name}` is empty"));
            }
            Some(_) => {}
        }
    }
    if members.get("token").and_then(Value::as_str) == Some("") {
        warnings.push("`token` is empty; an anonymous visitor sends no token member".to_owned());
    }
    warn_of_keys(members, warnings);
    for name in members.keys() {
        if !MEMBERS.contains(&name.as_str()) {
            warnings.push(format!("`{name}` is not a member that the service knows"));
        }
    }
}

/// What the library would refuse or warn of, from a shop that sends by hand.
fn warn_of_keys(members: &Map<String, Value>, warnings: &mut Vec<String>) {
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    for name in ["customerKey", "sessionKey", "token"] {
        let Some(key) = text(name) else { continue };
        if key.contains('&') {
            warnings.push(format!(
                "`{name}` contains `&`: it looks like a part of a query string"
            ));
        }
        if key.contains(|c: char| c.is_whitespace() || c.is_control()) {
            warnings.push(format!("`{name}` contains a blank or a control character"));
        }
    }
    let customer_key = text("customerKey").filter(|key| !key.is_empty());
    if let (Some(customer), Some(session)) = (customer_key, text("sessionKey"))
        && session.eq_ignore_ascii_case(customer)
    {
        let text =
            "`sessionKey` is the same as `customerKey`; it names one visit, and is new for each";
        warnings.push(text.to_owned());
    }
    if let Some(looks_like) = customer_key.and_then(personal_data) {
        warnings.push(format!(
            "`customerKey` looks like {looks_like}; it must not be a person's data"
        ));
    }
}

enum Token {
    /// The visitor is anonymous.
    NotNeeded,
    Valid,
    Invalid(&'static str),
    /// There was no token, or no private key to compare it with.
    Unknown(&'static str),
}

fn check_token(notification: &Notification, visitor: Visitor, private_key: Option<&str>) -> Token {
    if visitor == Visitor::Anonymous {
        return Token::NotNeeded;
    }
    let customer_key = notification.customer_key.as_deref().unwrap_or_default();
    let token = match notification.token.as_deref() {
        None => return Token::Unknown("there is no token"),
        Some("") => return Token::Unknown("the token is empty"),
        Some(token) => token,
    };
    let Some(private_key) = private_key else {
        return Token::Unknown("no private key was given to the sandbox");
    };
    if customer_key.contains(|c: char| c.is_ascii_uppercase()) {
        return Token::Invalid("the customerKey is not in lower case");
    }
    let expected = hmac_sha256_hex(private_key, customer_key);
    if token == expected {
        Token::Valid
    } else if token.eq_ignore_ascii_case(&expected) {
        Token::Invalid("the token is right but for its case; lower case is wanted")
    } else if is_sha256_shaped(token) {
        Token::Invalid(
            "the token is not that of this customerKey under the sandbox's private key \
             (another private key, or another visitor's token)",
        )
    } else {
        Token::Invalid("the token is not 64 hexadecimal digits")
    }
}

/// 64 hexadecimal digits, in either case.
fn is_sha256_shaped(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn hmac_sha256_hex(key: &str, message: &str) -> String {
    // HMAC takes a key of any length, so the error cannot come up; a token is never empty.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else {
        return String::new();
    };
    mac.update(message.as_bytes());
    hex(&mac.finalize().into_bytes())
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // a String never refuses
        text
    })
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
