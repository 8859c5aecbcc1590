//! Warnings about the members of a body, independent of the answer.

use serde_json::{Map, Value};

use crate::kind::{FIELDS, Kind};
use crate::personal_data::personal_data;

/// The members of the visitor, which every kind has.
const VISITOR: [&str; 4] = ["market", "customerKey", "sessionKey", "token"];

/// The members of a kind's own fields.
pub(super) fn of_fields(kind: Kind) -> impl Iterator<Item = &'static str> {
    let fields = kind.spec().fields.iter();
    fields.filter_map(|(field, _)| field.spec().json)
}

fn knows(kind: Kind, name: &str) -> bool {
    VISITOR.contains(&name)
        || (name == "id" && kind.spec().has_id)
        || of_fields(kind).any(|own| own == name)
}

/// The first member of the kind that must be a string and is not. A key of a product or a variant may be `null`, as
/// in the vendor's examples.
pub(super) fn not_a_string(kind: Kind, members: &Map<String, Value>) -> Option<&'static str> {
    let strings = VISITOR.into_iter().chain(["id"]).chain(of_fields(kind));
    let mut known = strings.filter(|name| knows(kind, name) && *name != "lines");
    known.find(|name| {
        members.get(*name).is_some_and(|value| {
            let is_no_key = value.is_null() && matches!(*name, "productKey" | "variantKey");
            !value.is_string() && !is_no_key
        })
    })
}

pub(super) fn warn_of_members(
    kind: Kind,
    members: &Map<String, Value>,
    warnings: &mut Vec<String>,
) {
    // A missing or empty ticket or product key is answered elsewhere; a token may be missing.
    let id = kind.spec().has_id.then_some("id");
    for name in ["market", "customerKey", "sessionKey"]
        .into_iter()
        .chain(id)
    {
        match members.get(name) {
            None => warnings.push(format!("`{name}` is missing")),
            Some(Value::String(text)) if text.is_empty() => {
                warnings.push(format!("`{name}` is empty"));
            }
            Some(_) => {}
        }
    }
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    if text("token") == Some("") {
        warnings.push("`token` is empty; leave it out for an anonymous visitor".to_owned());
    }
    if knows(kind, "variantKey") && text("variantKey") == Some("") {
        warnings.push("`variantKey` is empty; leave it out, or send null".to_owned());
    }
    warn_of_keys(members, warnings);
    for name in members.keys().filter(|name| !knows(kind, name)) {
        let of_others = name == "id" || FIELDS.iter().any(|row| row.json == Some(name.as_str()));
        warnings.push(if of_others {
            format!(
                "`{name}` is not a member of this kind of notification ({})",
                kind.spec().name
            )
        } else {
            format!("`{name}` is not a member that the service knows")
        });
    }
}

/// Warns of keys that the library would refuse or warn of, for shops that send without the library.
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
    // A number may well be the name of a session; an e-mail address is not.
    let session_key = text("sessionKey").filter(|key| key.contains('@'));
    for (name, key) in [("customerKey", customer_key), ("sessionKey", session_key)] {
        if let Some(looks_like) = key.and_then(personal_data) {
            warnings.push(format!(
                "`{name}` looks like {looks_like}; it must not be a person's data"
            ));
        }
    }
}
