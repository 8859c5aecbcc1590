//! The path of a notification, after the origin. It identifies the kind of a stored notification.

use std::borrow::Cow;

use super::kind::{KINDS, Kind, Repeat};

const PAYMENT_TOKEN: &str = "?paymentToken=";

/// The path of a kind. It includes the payment's token, which is a secret.
pub(crate) fn path(kind: Kind, payment_token: Option<&str>) -> Cow<'static, str> {
    let path = kind.spec().path;
    match payment_token {
        Some(token) => Cow::Owned(format!("{path}{PAYMENT_TOKEN}{token}")),
        None => Cow::Borrowed(path),
    }
}

/// A stored path. It needs no allocation if it is the path of a kind.
pub(crate) fn stored_path(path: &str) -> Cow<'static, str> {
    match KINDS.iter().find(|row| row.path == path) {
        Some(row) => Cow::Borrowed(row.path),
        None => Cow::Owned(path.to_owned()),
    }
}

/// The kind of a stored path; `None`: a kind of a later version.
pub(crate) fn kind_of(path: &str) -> Option<Kind> {
    let (bare, token) = split(path);
    let mut rows = KINDS.iter().filter(|row| row.path == bare);
    let is_signed = token.is_some();
    let row = rows.find(|row| (row.kind == Kind::SecurePayment) == is_signed)?;
    Some(row.kind)
}

/// The name of a stored path's kind, or the path without its secret if the kind is unknown.
pub(crate) fn kind_name(path: &str) -> &str {
    kind_of(path).map_or(split(path).0, |kind| kind.spec().name)
}

/// The payment token in a stored path.
pub(crate) fn payment_token(path: &str) -> Option<&str> {
    split(path).1
}

/// Whether the service would count the notification twice if it were sent twice. True for an
/// unknown kind.
pub(crate) fn counts_twice(path: &str) -> bool {
    kind_of(path).is_none_or(|kind| kind.spec().repeat == Repeat::Counts)
}

/// Whether the notification ends its session, so that nothing of the session may be sent after it.
pub(crate) fn ends_session(path: &str) -> bool {
    kind_of(path) == Some(Kind::End)
}

fn split(path: &str) -> (&str, Option<&str>) {
    // Each enqueue asks, and a search for one character is cheap.
    let query = path.find('?').and_then(|at| path.split_at_checked(at));
    match query.and_then(|(bare, query)| Some((bare, query.strip_prefix(PAYMENT_TOKEN)?))) {
        Some((bare, token)) => (bare, Some(token)),
        None => (path, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_path_returns_the_kind_it_was_made_for() {
        for row in KINDS {
            let token = (row.kind == Kind::SecurePayment).then_some("abc");
            let made = path(row.kind, token);
            assert_eq!(kind_of(&made), Some(row.kind));
            assert_eq!(kind_name(&made), row.name);
            assert_eq!(stored_path(&made), made);
            assert_eq!(payment_token(&made), token);
            assert_eq!(counts_twice(&made), row.name.ends_with("payment"));
            assert_eq!(ends_session(&made), row.name == "end");
        }
    }

    #[test]
    fn notification_with_an_unknown_path_is_not_sent_twice_and_shows_no_secret() {
        let path = "/api/v3/x?paymentToken=secret";
        assert_eq!(kind_of(path), None);
        assert_eq!(kind_name(path), "/api/v3/x");
        assert!(counts_twice(path) && !ends_session(path));
        assert_eq!(stored_path(path), path);
    }
}
