//! The normal answer to a notification, according to the vendor's documents. Pure functions.
//!
//! | answer | when | known from |
//! |---|---|---|
//! | 204 | none of the following | documents |
//! | 400 | the ticket is missing (adding to cart; click) | documents; inferred for click |
//! | 400 | the product key is missing (non-eSales kinds), also when there is a variant key | documents; they do not mention a variant key alone, and the sandbox refuses it |
//! | 400 | a payment has no lines, or a line has neither key | documents |
//! | 400 | a line of a payment without a token has a cost | documents; the status is inferred |
//! | 400 | the body is not JSON, not an object, or a member has another type | our own |
//! | 403 | a SHA-256 customer key could not be validated | documents |
//! | 403 | the payment token is not that of the body's bytes | inferred |
//!
//! Answers that are not the vendor's begin with `Sandbox:`. Values that the documents neither allow nor forbid are answered as
//! usual and noted as a warning: a member that is unknown or missing, a quantity of 0, a cost that is not below the
//! price. The library's own checks are not used here, on purpose: a fault in them must not hide itself by being made
//! twice. Only the table of kinds and fields is shared.

mod address;
mod members;
mod notification;
mod order;
mod signature;

use serde_json::{Map, Value};

pub(crate) use self::address::{Address, known_paths, shortened, without_tokens};
pub use self::notification::{Notification, Visitor};
pub use self::order::Line;
pub(crate) use self::signature::hex;
use self::signature::{Token, check_payment_token, check_token, is_sha256_shaped};
use crate::kind::{Field, Kind};

/// The vendor's text for 400, where it is known.
const TICKET_MISSING: &str = "Ticket is missing.";
/// The corresponding text for a product key; the vendor's text may differ.
const PRODUCT_KEY_MISSING: &str = "Product key is missing.";
/// The vendor's text for 403.
const NOT_VALIDATED: &str = "A SHA256 customer key was used, but it could not be validated.";
/// The corresponding text for a payment token; the vendor's text is unknown.
const PAYMENT_NOT_VALIDATED: &str = "A payment token was used, but it could not be validated.";

/// The answer to a notification, and the values that were read from it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) status: u16,
    /// The body of the answer; empty for 204.
    pub(crate) text: String,
    /// The kind in the path.
    pub(crate) kind: Option<Kind>,
    pub(crate) notification: Option<Notification>,
    pub(crate) visitor: Option<Visitor>,
    pub(crate) token_valid: Option<bool>,
    /// Why the token is not valid, or why that is unknown.
    pub(crate) token_problem: Option<&'static str>,
    pub(crate) payment_token_valid: Option<bool>,
    pub(crate) payment_token_problem: Option<&'static str>,
    pub(crate) warnings: Vec<String>,
}

impl Verdict {
    /// Refuses a request that is not a notification. Its members are read nevertheless, so that its tokens can be
    /// shortened for display.
    pub(crate) fn refuse(
        status: u16,
        text: impl Into<String>,
        kind: Option<Kind>,
        body: &[u8],
    ) -> Self {
        let members = serde_json::from_slice::<Map<String, Value>>(body).ok();
        Verdict {
            status,
            text: text.into(),
            kind,
            notification: members.map(|members| Notification::read(&members, body)),
            ..Verdict::default()
        }
    }

    fn answer(mut self, status: u16, text: impl Into<String>) -> Self {
        self.status = status;
        self.text = text.into();
        self
    }
}

/// Checks one notification of this kind: its path and query, its `Content-Type` header and its body.
pub(crate) fn judge(
    kind: Kind,
    address: &Address<'_>,
    content_type: Option<&str>,
    body: &[u8],
    private_key: Option<&str>,
) -> Verdict {
    let mut verdict = Verdict {
        kind: Some(kind),
        ..Verdict::default()
    };
    address.warn(&mut verdict.warnings);
    warn_of_content_type(content_type, &mut verdict.warnings);
    let members = match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => members,
        Ok(_) => return verdict.answer(400, "Sandbox: the body is JSON, but not an object."),
        Err(error) => {
            return verdict.answer(400, format!("Sandbox: the body is not JSON: {error}."));
        }
    };
    members::warn_of_members(kind, &members, &mut verdict.warnings);
    let notification = Notification::read(&members, body);
    let visitor = match notification.customer_key.as_deref() {
        Some(key) if is_sha256_shaped(key) => Visitor::SignedIn,
        _ => Visitor::Anonymous,
    };
    verdict.visitor = Some(visitor);
    let token = check_token(&notification, visitor, private_key);
    verdict.token_valid = token.valid();
    verdict.token_problem = token.problem();
    let has_token = notification.token.as_deref().is_some_and(|t| !t.is_empty());
    if visitor == Visitor::Anonymous && has_token {
        let text = "a token was sent with a customerKey that is not a SHA-256 hash";
        verdict.warnings.push(text.to_owned());
    }
    let signed = address
        .payment_token
        .filter(|_| kind == Kind::SecurePayment);
    let payment_token = check_payment_token(signed, body, &notification, private_key);
    verdict.payment_token_valid = payment_token.valid();
    verdict.payment_token_problem = payment_token.problem();

    let refusal = refusal(kind, &members, &notification, body, &mut verdict.warnings);
    verdict.notification = Some(notification);
    if let Some(text) = refusal {
        return verdict.answer(400, text);
    }
    for (token, text) in [
        (token, NOT_VALIDATED),
        (payment_token, PAYMENT_NOT_VALIDATED),
    ] {
        if let Token::Invalid(reason) | Token::Unknown(reason) = token {
            return verdict.answer(403, format!("{text} Sandbox: {reason}."));
        }
    }
    verdict.answer(204, "")
}

/// The reason for a 400: first unreadable values, then missing ones.
fn refusal(
    kind: Kind,
    members: &Map<String, Value>,
    notification: &Notification,
    body: &[u8],
    warnings: &mut Vec<String>,
) -> Option<String> {
    let order = kind.need(Field::Lines).map(|_| {
        let lines = order::raw_lines(body);
        order::judge_order(lines, kind == Kind::SecurePayment)
    });
    let mut order = order.unwrap_or_default();
    warnings.append(&mut order.warnings);
    if let Some(name) = members::not_a_string(kind, members) {
        return Some(format!("Sandbox: `{name}` is not a string."));
    }
    if order.unreadable.is_some() {
        return order.unreadable;
    }
    let is_missing = |member: &Option<String>| member.as_deref().is_none_or(str::is_empty);
    if kind.need(Field::Ticket).is_some() && is_missing(&notification.ticket) {
        return Some(TICKET_MISSING.to_owned());
    }
    if kind.need(Field::ProductKey).is_some() && is_missing(&notification.product_key) {
        return Some(if is_missing(&notification.variant_key) {
            PRODUCT_KEY_MISSING.to_owned()
        } else {
            format!(
                "{PRODUCT_KEY_MISSING} Sandbox: there is only a variant key, which the service may refuse; \
                 the sandbox always does."
            )
        });
    }
    order.refused
}

fn warn_of_content_type(content_type: Option<&str>, warnings: &mut Vec<String>) {
    let Some(value) = content_type else {
        warnings.push("there is no Content-Type; it must be application/json".to_owned());
        return;
    };
    let media_type = value.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        warnings.push(format!(
            "the Content-Type is `{value}`; it must be application/json"
        ));
    }
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
