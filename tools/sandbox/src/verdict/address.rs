//! The path and query of a request: the kind of notification, and the payment token.

use std::borrow::Cow;

use crate::kind::{KINDS, Kind};

/// The query parameter that makes a payment a secure one.
const PAYMENT_TOKEN: &str = "paymentToken";
/// From this length on, a shortened secret shows its first eight characters and its last four; a shorter secret shows
/// none.
const SHOWN_FROM: usize = 21;

/// The parts of a request's path and query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Address<'a> {
    /// The kind in the path, which may have any prefix. `None`: no kind has this path.
    pub(crate) kind: Option<Kind>,
    /// The payment token, which may be empty; `None`: the query has none.
    pub(crate) payment_token: Option<&'a str>,
    query: &'a str,
}

impl<'a> Address<'a> {
    pub(crate) fn new(path: &str, query: Option<&'a str>) -> Self {
        let query = query.unwrap_or_default();
        let payment_token = parameters(query)
            .find(|(name, _)| *name == PAYMENT_TOKEN)
            .map(|(_, value)| value);
        let row = KINDS.iter().find(|row| path.ends_with(row.path));
        let kind = match row.map(|row| row.kind) {
            Some(Kind::Payment) if payment_token.is_some() => Some(Kind::SecurePayment),
            kind => kind,
        };
        Address {
            kind,
            payment_token,
            query,
        }
    }

    /// Warns of parameters that the kind does not have. A proxy of the shop may add some, but those of a payment sign
    /// it.
    pub(super) fn warn(&self, warnings: &mut Vec<String>) {
        let is_payment = matches!(self.kind, Some(Kind::Payment | Kind::SecurePayment));
        for (name, _) in parameters(self.query) {
            if is_payment && name != PAYMENT_TOKEN {
                warnings.push(format!(
                    "`{name}` is not a query parameter of a payment; only `{PAYMENT_TOKEN}` is"
                ));
            }
            if !is_payment && name.eq_ignore_ascii_case(PAYMENT_TOKEN) {
                warnings.push(format!("`{name}` is for payments only"));
            }
        }
    }
}

fn parameters(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts.map(|part| part.split_once('=').unwrap_or((part, "")))
}

/// The paths of all kinds, for the answer to another path.
pub(crate) fn known_paths() -> String {
    let mut paths: Vec<&str> = KINDS.iter().map(|row| row.path).collect();
    paths.dedup();
    paths.join(", ")
}

/// The path and query, with every token in the query shortened, so that it cannot be used.
pub(crate) fn without_tokens(path_and_query: &str) -> Cow<'_, str> {
    let Some((path, query)) = path_and_query.split_once('?') else {
        return Cow::Borrowed(path_and_query);
    };
    let shortened: Vec<Cow<'_, str>> = query
        .split('&')
        .map(|part| match part.split_once('=') {
            Some((name, value)) if names_a_token(name) && !value.is_empty() => {
                Cow::Owned(format!("{name}={}", shortened(value)))
            }
            _ => Cow::Borrowed(part),
        })
        .collect();
    if shortened
        .iter()
        .all(|part| matches!(part, Cow::Borrowed(_)))
    {
        return Cow::Borrowed(path_and_query);
    }
    Cow::Owned(format!("{path}?{}", shortened.join("&")))
}

/// Whether this parameter may hold a token. A misspelt parameter holds the same secret, and a name with escapes may
/// be one.
fn names_a_token(name: &str) -> bool {
    name.contains('%') || name.to_ascii_lowercase().contains("token")
}

/// The part of a token that is enough to compare it, but not to use it. `text.js` of the page does the same.
pub(crate) fn shortened(token: &str) -> String {
    let characters = token.chars().count();
    if characters < SHOWN_FROM {
        return "…".to_owned();
    }
    let first: String = token.chars().take(8).collect();
    let last: String = token.chars().skip(characters - 4).collect();
    format!("{first}…{last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notification_path_ends_with_the_name_of_its_kind() {
        for (path, query, kind) in [
            (
                "/api/v1/notifications/adding-to-cart",
                None,
                Some(Kind::AddToCart),
            ),
            ("/shop/api/v1/notifications/click", None, Some(Kind::Click)),
            (
                "/api/v1/notifications/non-esales-click",
                None,
                Some(Kind::NonEsalesClick),
            ),
            (
                "/api/v1/notifications/non-esales-adding-to-cart",
                None,
                Some(Kind::NonEsalesAddToCart),
            ),
            ("/api/v1/notifications/payment", None, Some(Kind::Payment)),
            (
                "/api/v1/notifications/payment",
                Some("a=b"),
                Some(Kind::Payment),
            ),
            (
                "/api/v1/notifications/payment",
                Some("a=b&paymentToken=00"),
                Some(Kind::SecurePayment),
            ),
            (
                "/api/v1/notifications/payment",
                Some("paymentToken="),
                Some(Kind::SecurePayment),
            ),
            (
                "/api/v1/notifications/end",
                Some("paymentToken=00"),
                Some(Kind::End),
            ),
            ("/api/v1/notifications/End", None, None),
            ("/api/v1/notifications/end/", None, None),
            ("/api/v2/notifications/end", None, None),
            ("/", None, None),
        ] {
            assert_eq!(Address::new(path, query).kind, kind, "{path} {query:?}");
        }
    }

    #[test]
    fn token_in_a_query_is_shortened_when_the_path_is_shown() {
        let token = "0123456789abcdef".repeat(4);
        for (query, shown) in [
            (
                format!("paymentToken={token}"),
                "paymentToken=01234567…cdef",
            ),
            (
                format!("a=b&payment_TOKEN={token}&c"),
                "a=b&payment_TOKEN=01234567…cdef&c",
            ),
            (
                format!("payment%54oken={token}"),
                "payment%54oken=01234567…cdef",
            ),
            ("paymentToken=short".to_owned(), "paymentToken=…"),
            ("paymentToken=".to_owned(), "paymentToken="),
            ("paymentToken".to_owned(), "paymentToken"),
            ("a=b".to_owned(), "a=b"),
        ] {
            assert_eq!(
                without_tokens(&format!("/x?{query}")),
                format!("/x?{shown}")
            );
        }
        assert_eq!(without_tokens("/token=abc"), "/token=abc");
    }
}
