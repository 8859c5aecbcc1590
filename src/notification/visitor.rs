//! The visitor, and checks of the visitor's keys.

use std::sync::atomic::{AtomicU64, Ordering};

use super::check::{check, check_key};
use super::personal_data::personal_data;
use crate::host::log;
use crate::outcome::Error;

/// Greatest length of `market`, in bytes.
pub const MAX_MARKET: usize = 128;

/// The visitor who caused the event. All four fields are sent exactly as given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Visitor<'a> {
    /// Storefront market, 1 to 128 bytes. `None`: the client's option `market`.
    pub market: Option<&'a str>,
    /// Key of the visitor, 1 to 256 bytes without blanks and `&`. Anonymous visitor: a UUID that
    /// the shop makes. Signed-in visitor: [`crate::customer_key`] of the visitor's id. It must not
    /// be personal data: see [`crate::personal_data`].
    pub customer_key: &'a str,
    /// Key of the session (visit): a UUID, 1 to 256 bytes without blanks and `&`. It must differ
    /// from the customer key.
    pub session_key: &'a str,
    /// Signed-in visitor: the token from [`crate::customer_token`], 1 to 256 bytes. `None`: the
    /// visitor is anonymous.
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

    /// Returns the visitor with this market.
    #[must_use]
    pub fn in_market(self, market: &'a str) -> Visitor<'a> {
        Visitor {
            market: Some(market),
            ..self
        }
    }

    /// Checks every field and returns the market.
    pub(super) fn check(&self, default_market: Option<&'a str>) -> Result<&'a str, Error> {
        let Some(market) = self.market.or(default_market) else {
            return Err(Error::argument(
                "market is missing: give the visitor one, or set the client's option `market`",
            ));
        };
        check("market", market, MAX_MARKET)?;
        check_key("customer_key", self.customer_key)?;
        check_key("session_key", self.session_key)?;
        if self.session_key.eq_ignore_ascii_case(self.customer_key) {
            return Err(Error::argument(
                "session_key is the same as customer_key: the customer key names the visitor for years, the session \
                 key names one visit; make a new one for each visit (esales_new_key)",
            ));
        }
        if let Some(token) = self.token {
            if token.is_empty() {
                return Err(Error::argument(
                    "token is empty: leave it out (NULL) for an anonymous visitor",
                ));
            }
            check_key("token", token)?;
        }
        check_customer_key(self.customer_key, self.token)?;
        warn_of_personal_data(self.customer_key);
        Ok(market)
    }
}

/// Logs a warning about a customer key that is personal data. After the first ten warnings only
/// every thousandth is logged, because a shop may make all its keys this way.
fn warn_of_personal_data(customer_key: &str) {
    static FOUND: AtomicU64 = AtomicU64::new(0);
    let Some(looks_like) = personal_data(customer_key) else {
        return;
    };
    let n = FOUND.fetch_add(1, Ordering::Relaxed).saturating_add(1);
    if is_logged(n) {
        log::warn(|| {
            format!(
                "a customer_key looks like {looks_like}: the service must not be given a person's data ({n} such \
                 notifications in this process). Use esales_customer_key for signed-in visitors, a UUID for anonymous ones"
            )
        });
    }
}

fn is_logged(n: u64) -> bool {
    n <= 10 || n.is_multiple_of(1000)
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

    const SESSION: &str = "b106299c-eac0-4f6f-96d2-93e57c255784";

    fn refusal(customer_key: &str, token: Option<&str>) -> Option<String> {
        let visitor = Visitor {
            token,
            ..Visitor::anonymous(customer_key, SESSION).in_market("UK")
        };
        visitor.check(None).err().map(|e| e.detail().to_owned())
    }

    #[test]
    fn market_of_the_options_is_used_when_the_visitor_has_none() {
        let visitor = Visitor::anonymous("k", SESSION);
        assert_eq!(visitor.check(Some("SE")), Ok("SE"));
        assert_eq!(visitor.in_market("UK").check(Some("SE")), Ok("UK"));
        let missing = visitor.check(None).unwrap_err();
        assert!(missing.detail().starts_with("market is missing"));
    }

    #[test]
    fn sha_256_as_customer_key_is_refused_without_a_token() {
        let sha256 = "0123456789abcdef".repeat(4);
        let refused = refusal(&sha256, None).unwrap();
        assert!(refused.starts_with("token is missing"), "{refused}");
        assert_eq!(refusal(&sha256, Some("t")), None);
        // One digit too few, one too many, and one character that is not a digit.
        for other in [
            &sha256[1..],
            &format!("{sha256}0"),
            &sha256.replace('f', "g"),
        ] {
            assert_eq!(refusal(other, None), None, "{other}");
        }
    }

    #[test]
    fn sha_256_in_upper_case_is_refused_with_a_token() {
        let sha256 = "0123456789abcdef".repeat(4);
        let refused = refusal(&sha256.replace('f', "F"), Some("t")).unwrap();
        assert!(refused.contains("upper-case digits"), "{refused}");
        assert_eq!(refusal(&sha256.replace('f', "G"), Some("t")), None);
    }

    #[test]
    fn token_is_refused_when_it_is_empty() {
        let refused = refusal("k", Some("")).unwrap();
        assert!(
            refused.starts_with("token is empty: leave it out"),
            "{refused}"
        );
    }

    #[test]
    fn warnings_are_the_first_ten_and_every_thousandth() {
        let logged: Vec<u64> = (1..=3000).filter(|n| is_logged(*n)).collect();
        assert_eq!(logged, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1000, 2000, 3000]);
    }
}
