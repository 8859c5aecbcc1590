//! The two tokens: a signed-in visitor's, and a payment's.
//!
//! They are computed here with `hmac` and `sha2` directly, not with the signing code of the library, so that a bug
//! there is found.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::notification::{Notification, Visitor};

/// The result of checking a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// The visitor is anonymous, or the payment is not a secure one.
    NotNeeded,
    Valid,
    Invalid(&'static str),
    /// There was no token, or no private key to compare it with.
    Unknown(&'static str),
}

impl Token {
    /// Whether it is valid. `None`: unknown or not needed.
    pub(super) fn valid(self) -> Option<bool> {
        match self {
            Token::NotNeeded | Token::Unknown(_) => None,
            Token::Valid => Some(true),
            Token::Invalid(_) => Some(false),
        }
    }

    /// Why it is not valid, or why that is unknown.
    pub(super) fn problem(self) -> Option<&'static str> {
        match self {
            Token::NotNeeded | Token::Valid => None,
            Token::Invalid(reason) | Token::Unknown(reason) => Some(reason),
        }
    }
}

const NO_PRIVATE_KEY: &str = "no private key was given to the sandbox";

/// The token of a signed-in visitor: it signs the customer key.
pub(super) fn check_token(
    notification: &Notification,
    visitor: Visitor,
    private_key: Option<&str>,
) -> Token {
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
        return Token::Unknown(NO_PRIVATE_KEY);
    };
    if customer_key.contains(|c: char| c.is_ascii_uppercase()) {
        return Token::Invalid("the customerKey is not in lower case");
    }
    let expected = hmac_sha256_hex(private_key, customer_key.as_bytes());
    if token == expected {
        Token::Valid
    } else if token.eq_ignore_ascii_case(&expected) {
        Token::Invalid("the token is valid except for its case: it must be lower case")
    } else if is_sha256_shaped(token) {
        Token::Invalid(
            "the token is not that of this customerKey under the sandbox's private key \
             (another private key, or another visitor's token)",
        )
    } else {
        Token::Invalid("the token is not 64 hexadecimal digits")
    }
}

/// The token of a secure payment: it signs the bytes of the body.
pub(super) fn check_payment_token(
    token: Option<&str>,
    body: &[u8],
    notification: &Notification,
    private_key: Option<&str>,
) -> Token {
    let token = match token {
        None => return Token::NotNeeded,
        Some("") => return Token::Invalid("the payment token is empty"),
        Some(token) => token,
    };
    let Some(private_key) = private_key else {
        return Token::Unknown(NO_PRIVATE_KEY);
    };
    let signs = |bytes: &[u8]| token.eq_ignore_ascii_case(&hmac_sha256_hex(private_key, bytes));
    let customer_key = notification.customer_key.as_deref().unwrap_or_default();
    if token == hmac_sha256_hex(private_key, body) {
        Token::Valid
    } else if signs(body) {
        Token::Invalid("the payment token is valid except for its case: it must be lower case")
    } else if !is_sha256_shaped(token) {
        Token::Invalid("the payment token is not 64 hexadecimal digits")
    } else if signs(body.trim_ascii()) {
        Token::Invalid("the payment token signs the body without the white space around it")
    } else if signs(customer_key.as_bytes()) {
        Token::Invalid(
            "the payment token is the visitor's token; it must sign the bytes of the body",
        )
    } else {
        Token::Invalid(
            "the payment token does not sign these bytes under the sandbox's private key \
             (another private key, or the body was changed after it was signed)",
        )
    }
}

/// 64 hexadecimal digits, in either case.
pub(super) fn is_sha256_shaped(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

pub(super) fn hmac_sha256_hex(key: &str, message: &[u8]) -> String {
    // HMAC accepts a key of any length, so the error is impossible; a token is never empty.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else {
        return String::new();
    };
    mac.update(message);
    hex(&mac.finalize().into_bytes())
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // writing to a String never fails
        text
    })
}
