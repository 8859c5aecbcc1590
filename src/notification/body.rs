//! Functions for the stored body of any kind: show it without its token, renew its token, find its
//! visitor.
//!
//! A body is split into its members. Members that a function does not change stay exactly as
//! written, for example prices.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use super::path::payment_token;

const CUSTOMER_KEY: &str = "customerKey";
const SESSION_KEY: &str = "sessionKey";
const TOKEN: &str = "token";
/// The members that identify or could impersonate a visitor.
const SECRETS: [&str; 4] = [CUSTOMER_KEY, SESSION_KEY, "ticket", TOKEN];

/// The members of a JSON object, in order.
pub(super) struct Members<'a>(pub(super) Vec<(String, &'a RawValue)>);

impl<'a> Members<'a> {
    /// `None`: the body is not a JSON object.
    fn parse(body: &'a str) -> Option<Members<'a>> {
        serde_json::from_str(body).ok()
    }

    /// The text of a member; `None`: it is missing or not a string.
    fn text(&self, name: &str) -> Option<String> {
        let (_, value) = self.0.iter().find(|(member, _)| member == name)?;
        serde_json::from_str(value.get()).ok()
    }

    /// The object with a new value for an existing member; `None`: the member is missing.
    fn with(self, name: &str, value: &str) -> Option<String> {
        let value = serde_json::value::to_raw_value(value).ok()?;
        let mut members = self.0;
        let (_, replaced) = members.iter_mut().find(|(member, _)| member == name)?;
        *replaced = &value;
        serde_json::to_string(&Members(members)).ok()
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members<'de>, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// A stored body without the token, for a person to read.
pub(crate) fn redacted(body: &str) -> String {
    let Some(members) = Members::parse(body) else {
        return "(not a notification)".to_owned();
    };
    let without_token = members.with(TOKEN, "...");
    without_token.unwrap_or_else(|| body.to_owned())
}

/// Whether a stored body has a token.
pub(crate) fn is_signed(body: &str) -> bool {
    Members::parse(body).is_some_and(|members| members.text(TOKEN).is_some())
}

/// A stored body with a new token, which `sign` makes from the customer key. `None`: it has no
/// token, or cannot be read.
pub(crate) fn sign_anew(body: &str, sign: impl FnOnce(&str) -> Option<String>) -> Option<String> {
    let members = Members::parse(body)?;
    members.text(TOKEN)?;
    let token = sign(&members.text(CUSTOMER_KEY)?)?;
    members.with(TOKEN, &token)
}

/// The values in a stored notification that identify or could impersonate a visitor, or forge a
/// payment.
pub(crate) fn secrets(path: &str, body: &str) -> Vec<String> {
    let members = Members::parse(body);
    let of_body = members.iter().flat_map(|members| {
        let found = SECRETS.iter().map(|name| members.text(name));
        found.flatten()
    });
    of_body
        .chain(payment_token(path).map(str::to_owned))
        .collect()
}

/// A number for the session of a body. It is equal for bodies of one session, and almost always
/// differs between sessions. `None`: the body has no session.
pub(crate) fn session(body: &str) -> Option<u32> {
    let key = Members::parse(body)?.text(SESSION_KEY)?;
    Some(crc32fast::hash(key.as_bytes()))
}

/// Whether a body belongs to the visitor with this customer key. A body that is not JSON belongs to
/// the visitor if it contains the key.
pub(crate) fn is_of_visitor(body: &str, customer_key: &str) -> bool {
    match Members::parse(body) {
        Some(members) => members.text(CUSTOMER_KEY).as_deref() == Some(customer_key),
        None => body.contains(customer_key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"market":"UK","customerKey":"c\u0041","sessionKey":"s","token":"t\"k","lines":[{"sellingPrice":199.50}],"new":null}"#;

    #[test]
    fn redacted_body_hides_only_the_token() {
        assert_eq!(redacted(BODY), BODY.replace("t\\\"k", "..."));
        let anonymous = BODY.replace(r#""token":"t\"k","#, "");
        assert_eq!(redacted(&anonymous), anonymous);
        for other in ["", "x", "[]", "\"t\"", "{"] {
            assert_eq!(redacted(other), "(not a notification)");
        }
    }

    #[test]
    fn sign_anew_replaces_the_token_only_when_there_is_one() {
        let signed = sign_anew(BODY, |key| Some(format!("of {key}"))).unwrap();
        assert_eq!(signed, BODY.replace("t\\\"k", "of cA"));
        assert!(is_signed(BODY));
        let anonymous = BODY.replace(r#""token":"t\"k","#, "");
        assert!(!is_signed(&anonymous));
        assert_eq!(sign_anew(&anonymous, |_| Some("t".to_owned())), None);
    }

    #[test]
    fn secrets_of_a_body_are_its_keys_ticket_and_token() {
        let body = r#"{"market":"UK","customerKey":"c","sessionKey":"s","id":"1","token":"t\"k","ticket":"x"}"#;
        assert_eq!(secrets("/p", body), ["c", "s", "x", "t\"k"]);
        assert_eq!(secrets("/p?paymentToken=p", "{}"), ["p"]);
        assert!(secrets("/p", "x").is_empty());
        assert_eq!(session(body), session(BODY));
        assert_ne!(session(body), session(&body.replace("\"s\"", "\"S\"")));
        assert_eq!(session("{}"), None);
    }

    #[test]
    fn body_is_found_by_its_visitor_when_it_is_damaged() {
        assert!(is_of_visitor(BODY, "cA"));
        assert!(!is_of_visitor(BODY, "c"));
        assert!(is_of_visitor("{damaged cA", "cA"));
    }
}
