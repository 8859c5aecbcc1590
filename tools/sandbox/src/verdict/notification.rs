//! What could be read of a notification.

use serde::Serialize;

/// The members of a notification that were strings; the others are `None` (and left out of JSON).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Notification {
    /// The storefront market.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub market: Option<String>,
    /// Who the visitor is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_key: Option<String>,
    /// The visit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_key: Option<String>,
    /// This one notification, through all its retries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Proof that the shop made the customer key; signed-in visitors only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// What was shown to the visitor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
}

impl Notification {
    pub(crate) fn values(&self) -> impl Iterator<Item = &String> {
        [
            &self.market,
            &self.customer_key,
            &self.session_key,
            &self.id,
            &self.token,
            &self.ticket,
        ]
        .into_iter()
        .flatten()
    }
}

/// Who the customer key says the visitor is. JSON: `"anonymous"`, `"signed-in"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Visitor {
    /// The customer key is not shaped like a SHA-256 hash.
    Anonymous,
    /// The customer key is 64 hexadecimal digits.
    SignedIn,
}
