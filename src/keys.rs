//! Customer keys, tokens and new random keys.
//!
//! They follow the vendor's CustomerKeyAuthentication. The customer key of a signed-in visitor is the SHA-256 of the
//! visitor's id in the shop. The token is the HMAC-SHA256 of that key under the shop's private key. Both are lower-case
//! hex. The customer key does not depend on the private key, so a leaked private key can be replaced without losing the
//! history of a visitor.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::host;
use crate::notification::check;
use crate::outcome::{Error, Status};

/// Greatest length of a customer id, private key or customer key to sign, in bytes.
pub const MAX_KEY_INPUT: usize = 4096;

/// Returns the customer key of a signed-in visitor: the SHA-256 of `customer_id` (UTF-8), as 64 lower-case hex digits.
///
/// # Errors
/// [`Status::InvalidArgument`] if `customer_id` is empty, over 4096 bytes, or has a control character.
pub fn customer_key(customer_id: &str) -> Result<String, Error> {
    check("customer_id", customer_id, MAX_KEY_INPUT)?;
    Ok(hex::encode(Sha256::digest(customer_id.as_bytes())))
}

/// Returns the token of a signed-in visitor: the HMAC-SHA256 of `customer_key` under `private_key`, as 64 lower-case
/// hex digits.
///
/// # Errors
/// [`Status::InvalidArgument`] if an argument is empty, over 4096 bytes, or has a control character.
pub fn customer_token(private_key: &str, customer_key: &str) -> Result<String, Error> {
    check("customer_key", customer_key, MAX_KEY_INPUT)?;
    sign(private_key, customer_key)
}

/// The token of a secure payment: the HMAC-SHA256 of the exact bytes of the body under `private_key`. It is a secret.
pub(crate) fn payment_token(private_key: &str, body: &str) -> Result<String, Error> {
    sign(private_key, body)
}

fn sign(private_key: &str, text: &str) -> Result<String, Error> {
    check("private_key", private_key, MAX_KEY_INPUT)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(private_key.as_bytes())
        .map_err(|e| Error::new(Status::Internal, format!("HMAC: {e}")))?;
    mac.update(text.as_bytes());
    Ok(hex::encode(mac.finalize().into_bytes()))
}

/// Returns a new random key (UUID version 4, 36 characters) for an anonymous customer key, a session key or an id.
///
/// # Errors
/// [`Status::Internal`] if the operating system gives no random bytes.
pub fn new_key() -> Result<String, Error> {
    // Not `Uuid::new_v4`, which panics if the system's generator fails.
    host::fresh_random().map(key_of).map_err(no_random_bytes)
}

/// The UUID of these random bytes.
pub(crate) fn key_of(random: [u8; 16]) -> String {
    let uuid = uuid::Builder::from_random_bytes(random).into_uuid();
    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
    uuid.hyphenated().encode_lower(&mut text).to_owned()
}

pub(crate) fn no_random_bytes(e: getrandom::Error) -> Error {
    Error::new(Status::Internal, format!("no random bytes: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    // The expected values were computed with Python's hashlib and hmac.
    #[test]
    fn keys_and_tokens_equal_the_values_of_pythons_hashlib() {
        assert_eq!(
            customer_key("abc").unwrap(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(
            customer_token("key", "The quick brown fox jumps over the lazy dog").unwrap(),
            "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"
        );
        assert_eq!(
            payment_token("key", "{}").unwrap(),
            "a777724d943eb48dc69bca8a4a6d57a04db3f9ec7e1de4e581e860265bdf3032"
        );
    }

    #[test]
    fn key_is_refused_by_the_name_of_the_argument() {
        assert!(
            customer_key("")
                .unwrap_err()
                .detail()
                .contains("customer_id")
        );
        let err = customer_token("secret\n", "k").unwrap_err();
        assert_eq!(
            err.detail(),
            "private_key contains the control character U+000A"
        );
        assert!(
            customer_token("k", "")
                .unwrap_err()
                .detail()
                .contains("customer_key")
        );
        assert!(customer_key(&"x".repeat(MAX_KEY_INPUT)).is_ok());
        assert!(customer_key(&"x".repeat(MAX_KEY_INPUT + 1)).is_err());
    }

    #[test]
    fn new_keys_are_distinct_v4_uuids() {
        let (a, b) = (new_key().unwrap(), new_key().unwrap());
        assert_ne!(a, b);
        assert_eq!(uuid::Uuid::parse_str(&a).unwrap().get_version_num(), 4);
        assert_eq!(a.len(), 36);
    }
}
