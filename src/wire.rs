//! The notification as it goes over the wire: fields, validation, JSON. Pure but for the warnings about keys, which go
//! to the log: no clock, no network, no randomness.
//!
//! The fields and their order are those of the vendor's page "Adding to cart notification"; the rules about what
//! belongs together (a SHA-256 customer key needs a token) are from the same page.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::log;
use crate::personal_data::personal_data;
use crate::status::Error;

/// Path of the notification below the cluster's address.
pub const ADD_TO_CART_PATH: &str = "/api/v1/notifications/adding-to-cart";

/// Longest `market`, in bytes.
pub const MAX_MARKET: usize = 128;
/// Longest customer key, session key or token, in bytes.
pub const MAX_KEY: usize = 256;
/// Longest notification id, in bytes.
pub const MAX_ID: usize = 128;
/// Longest ticket, in bytes. The service's own are a few hundred.
pub const MAX_TICKET: usize = 8192;

/// Who did it. All four are sent as given; nothing is trimmed or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visitor<'a> {
    /// Storefront market, 1 to 128 bytes; `None`: the client's `market` option.
    pub market: Option<&'a str>,
    /// A UUID of the shop's for an anonymous visitor, [`crate::customer_key`] of the visitor's id for a signed-in
    /// one; 1 to 256 bytes without blanks and `&`. Not a person's data: see [`crate::personal_data`].
    pub customer_key: &'a str,
    /// A UUID for the visit, 1 to 256 bytes without blanks and `&`; another one than the customer key.
    pub session_key: &'a str,
    /// [`crate::customer_token`] for a signed-in visitor, 1 to 256 bytes; `None` for an anonymous one.
    pub token: Option<&'a str>,
}

impl<'a> Visitor<'a> {
    /// A visitor who is not signed in.
    #[must_use]
    pub fn anonymous(customer_key: &'a str, session_key: &'a str) -> Visitor<'a> {
        Visitor {
            market: None,
            customer_key,
            session_key,
            token: None,
        }
    }

    /// A visitor who is signed in: `customer_key` from [`crate::customer_key`], `token` from
    /// [`crate::customer_token`].
    #[must_use]
    pub fn signed_in(customer_key: &'a str, session_key: &'a str, token: &'a str) -> Visitor<'a> {
        Visitor {
            token: Some(token),
            ..Visitor::anonymous(customer_key, session_key)
        }
    }

    /// The same visitor in this market.
    #[must_use]
    pub fn in_market(self, market: &'a str) -> Visitor<'a> {
        Visitor {
            market: Some(market),
            ..self
        }
    }
}

/// One notification, validated. The members stand in the order of the vendor's example.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AddToCart<'a> {
    #[serde(borrow)]
    market: Cow<'a, str>,
    #[serde(borrow)]
    customer_key: Cow<'a, str>,
    #[serde(borrow)]
    session_key: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    token: Option<Cow<'a, str>>,
    #[serde(borrow)]
    ticket: Cow<'a, str>,
}

impl<'a> AddToCart<'a> {
    /// Checks every field; the error names the first that is wrong.
    pub(crate) fn new(
        visitor: &Visitor<'a>,
        default_market: Option<&'a str>,
        id: &'a str,
        ticket: &'a str,
    ) -> Result<AddToCart<'a>, Error> {
        let Some(market) = visitor.market.or(default_market) else {
            return Err(Error::argument(
                "market is missing: give the visitor one, or set the client's option `market`",
            ));
        };
        check("market", market, MAX_MARKET)?;
        check_key("customer_key", visitor.customer_key)?;
        check_key("session_key", visitor.session_key)?;
        if visitor
            .session_key
            .eq_ignore_ascii_case(visitor.customer_key)
        {
            return Err(Error::argument(
                "session_key is the same as customer_key: the customer key names the visitor for years, the session \
                 key names one visit; make a new one for each visit (esales_new_key)",
            ));
        }
        check("id", id, MAX_ID)?;
        if let Some(token) = visitor.token {
            if token.is_empty() {
                return Err(Error::argument(
                    "token is empty: leave it out (NULL) for an anonymous visitor",
                ));
            }
            check_key("token", token)?;
        }
        check("ticket", ticket, MAX_TICKET)?;
        check_customer_key(visitor.customer_key, visitor.token)?;
        warn_of_personal_data(visitor.customer_key);
        Ok(AddToCart {
            market: market.into(),
            customer_key: visitor.customer_key.into(),
            session_key: visitor.session_key.into(),
            id: id.into(),
            token: visitor.token.map(Cow::from),
            ticket: ticket.into(),
        })
    }

    /// The request body: UTF-8 JSON without insignificant white space.
    pub(crate) fn to_json(&self) -> Result<String, Error> {
        serde_json::to_string(self)
            .map_err(|e| Error::new(crate::status::Status::Internal, format!("JSON: {e}")))
    }
}

/// A stored body for a person to read: without the token.
pub(crate) fn without_token(body: &str) -> String {
    match serde_json::from_str::<AddToCart<'_>>(body) {
        Ok(mut stored) => {
            if stored.token.is_some() {
                stored.token = Some("...".into());
            }
            serde_json::to_string(&stored).unwrap_or_default()
        }
        Err(_) => "(not a notification)".to_owned(),
    }
}

/// A stored body with a token made from this private key; `None` if it has none, or cannot be read.
pub(crate) fn sign_anew(body: &str, private_key: &str) -> Option<String> {
    let mut stored: AddToCart<'_> = serde_json::from_str(body).ok()?;
    stored.token.as_ref()?;
    let token = crate::identity::customer_token(private_key, &stored.customer_key).ok()?;
    stored.token = Some(token.into());
    serde_json::to_string(&stored).ok()
}

/// The values in a request by which a visitor could be known or impersonated.
pub(crate) fn secrets(body: &[u8]) -> Vec<String> {
    let Ok(sent) = serde_json::from_slice::<AddToCart<'_>>(body) else {
        return Vec::new();
    };
    let always = [sent.customer_key, sent.session_key, sent.ticket];
    let all = always.into_iter().chain(sent.token);
    all.map(Cow::into_owned).collect()
}

/// Not empty, not over `max` bytes, no control character: a line break or a NUL in one of these is always a slip,
/// such as a key read from a file together with its newline. That holds for a ticket too, although JSON could carry it:
/// the service's own tickets have no control characters, and one that was altered on its way would count for nothing.
pub(crate) fn check(name: &str, value: &str, max: usize) -> Result<(), Error> {
    if value.is_empty() {
        return Err(Error::argument(format!("{name} is empty")));
    }
    if value.len() > max {
        return Err(Error::argument(format!(
            "{name} is {} bytes long; at most {max} are allowed",
            value.len()
        )));
    }
    if value.trim().is_empty() {
        return Err(Error::argument(format!("{name} is only white space")));
    }
    // Its bytes first, all of them, which is many times faster: every control character has one of these.
    let suspects = |found: bool, b: u8| found | (b < 0x20) | (b == 0x7f) | (b == 0xc2);
    if value.bytes().fold(false, suspects)
        && let Some(c) = value.chars().find(|c| c.is_control())
    {
        return Err(Error::argument(format!(
            "{name} contains the control character U+{:04X}",
            u32::from(c)
        )));
    }
    Ok(())
}

/// A key or a token: [`check`], and neither a blank nor a `&` in it, which are left over from a header, a query string
/// or a cookie that was cut in the wrong place. The service would take such a key for another visitor's.
fn check_key(name: &str, value: &str) -> Result<(), Error> {
    check(name, value, MAX_KEY)?;
    // A UUID, a hash or a token is ASCII: only other text needs a look at its characters.
    let is_suspect = |b: u8| b <= b' ' || b == b'&' || b >= 0x80;
    if !value.bytes().any(is_suspect) {
        return Ok(());
    }
    if value.contains('&') {
        return Err(Error::argument(format!(
            "{name} contains `&`: it looks like a part of a query string that was cut in the wrong place"
        )));
    }
    if let Some(c) = value
        .chars()
        .find(|c| c.is_whitespace() || is_invisible(*c))
    {
        return Err(Error::argument(format!(
            "{name} contains a blank (U+{:04X}): keys and tokens have none, so it was cut out of other text, padded, or \
             read from a file with a byte-order mark",
            u32::from(c)
        )));
    }
    Ok(())
}

/// Characters without a width of their own, such as a byte-order mark.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}

/// Logs a warning about a customer key that is a person's data. A shop that makes all of its keys so would fill the log:
/// after the first ten it is every thousandth.
fn warn_of_personal_data(customer_key: &str) {
    static FOUND: AtomicU64 = AtomicU64::new(0);
    let Some(looks_like) = personal_data(customer_key) else {
        return;
    };
    let n = FOUND.fetch_add(1, Ordering::Relaxed).saturating_add(1);
    if n <= 10 || n.is_multiple_of(1000) {
        log::warn(|| {
            format!(
                "a customer_key looks like {looks_like}: the service must not be given a person's data ({n} such \
                 notifications in this process). Use esales_customer_key for signed-in visitors, a UUID for anonymous ones"
            )
        });
    }
}

fn check_customer_key(key: &str, token: Option<&str>) -> Result<(), Error> {
    let sha256_shaped = key.len() == 64 && key.bytes().all(|b| b.is_ascii_hexdigit());
    if !sha256_shaped {
        return Ok(());
    }
    if token.is_none() {
        return Err(Error::argument(
            "token is missing: customer_key is a SHA-256 (a signed-in visitor), which the service accepts only with \
             a token from esales_customer_token; an anonymous visitor's customer_key is a UUID",
        ));
    }
    if key.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(Error::argument(
            "customer_key is a SHA-256 with upper-case digits: the service knows it only in lower case",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "d9528030-509c-4e0f-b585-7168f1e9feca";
    const SESSION: &str = "b106299c-eac0-4f6f-96d2-93e57c255784";
    const TICKET: &str = "Oy9keW5hbWljLXBhZ2VzL3N0YXJ0L2VzYWxlcy1zdGFydC0xOyM7cHJvZHVjdF9rZXk7UF8xMjUzODMtMDAxNF9VSzsjOztOT05FOk5PTkU7NjE7";

    #[test]
    fn the_references_example_byte_for_byte() {
        let visitor = Visitor::anonymous(KEY, SESSION).in_market("UK");
        let body = AddToCart::new(&visitor, None, "0.nd2bj6h4pi9", TICKET)
            .unwrap()
            .to_json()
            .unwrap();
        assert_eq!(
            body,
            format!(
                r#"{{"market":"UK","customerKey":"{KEY}","sessionKey":"{SESSION}","id":"0.nd2bj6h4pi9","ticket":"{TICKET}"}}"#
            )
        );
    }

    #[test]
    fn a_token_stands_before_the_ticket() {
        let key = "a".repeat(64);
        let visitor = Visitor::signed_in(&key, SESSION, "t0k");
        let body = AddToCart::new(&visitor, Some("SE"), "1", "x\"y")
            .unwrap()
            .to_json()
            .unwrap();
        assert_eq!(
            body,
            format!(
                r#"{{"market":"SE","customerKey":"{key}","sessionKey":"{SESSION}","id":"1","token":"t0k","ticket":"x\"y"}}"#
            )
        );
    }

    #[test]
    fn the_secrets_of_a_request_are_keys_token_and_ticket() {
        let visitor = Visitor::signed_in(KEY, SESSION, "t\"k").in_market("UK");
        let body = AddToCart::new(&visitor, None, "1", TICKET).unwrap();
        let body = body.to_json().unwrap();
        assert_eq!(secrets(body.as_bytes()), [KEY, SESSION, TICKET, "t\"k"]);
        assert!(secrets(b"{}").is_empty());
    }

    fn refusal(customer_key: &str, session_key: &str, token: Option<&str>) -> Option<String> {
        let visitor = Visitor {
            market: Some("UK"),
            customer_key,
            session_key,
            token,
        };
        let made = AddToCart::new(&visitor, None, "1", TICKET);
        made.err().map(|e| e.detail().to_owned())
    }

    #[test]
    fn session_key_is_refused_when_it_is_the_customer_key() {
        for session in [KEY.to_owned(), KEY.to_uppercase()] {
            let words = refusal(KEY, &session, None).unwrap();
            assert!(
                words.starts_with("session_key is the same as customer_key"),
                "{words}"
            );
        }
        assert_eq!(refusal(KEY, SESSION, None), None);
    }

    #[test]
    fn keys_and_tokens_are_refused_when_they_hold_blanks_or_ampersands() {
        for wrong in [
            "a&b",
            "&",
            "a&amp;b",
            "a b",
            " a",
            "a ",
            "a\u{a0}b",
            "a\u{3000}b",
            "\u{feff}a",
            "a\u{200b}",
        ] {
            for (name, words) in [
                ("customer_key", refusal(wrong, SESSION, None)),
                ("session_key", refusal(KEY, wrong, None)),
                ("token", refusal(KEY, SESSION, Some(wrong))),
            ] {
                let words = words.unwrap_or_else(|| panic!("{name} {wrong:?} was taken"));
                let why = if wrong.contains('&') {
                    "`&`"
                } else {
                    "a blank"
                };
                assert!(
                    words.starts_with(&format!("{name} contains {why}")),
                    "{words}"
                );
            }
        }
        // What a shop may use as a key of its own making.
        for right in ["k-åäö", "日本", "a=b", "a+b/c==", "{d9528030}", "a;b", "é"] {
            assert_eq!(refusal(right, SESSION, None), None, "{right}");
        }
    }

    #[test]
    fn limits_at_their_edge() {
        for (name, max) in [
            ("market", MAX_MARKET),
            ("customer_key", MAX_KEY),
            ("session_key", MAX_KEY),
            ("id", MAX_ID),
            ("token", MAX_KEY),
            ("ticket", MAX_TICKET),
        ] {
            for (len, fits) in [(1, true), (max, true), (max + 1, false)] {
                let long = "x".repeat(len);
                let pick = |field: &str, usual: &'static str| -> &str {
                    if field == name { &long } else { usual }
                };
                let visitor = Visitor {
                    market: Some(pick("market", "UK")),
                    customer_key: pick("customer_key", KEY),
                    session_key: pick("session_key", SESSION),
                    token: Some(pick("token", "t")),
                };
                let made = AddToCart::new(&visitor, None, pick("id", "1"), pick("ticket", TICKET));
                match made {
                    Ok(_) => assert!(fits, "{name} of {len} bytes was taken"),
                    Err(e) => {
                        assert!(!fits, "{name} of {len} bytes: {e}");
                        assert!(e.detail().starts_with(name), "{e}");
                    }
                }
            }
        }
    }
}
