//! What could be read of a notification.

use serde::Serialize;
use serde_json::{Map, Value};

use super::order::{Line, raw_lines, read_lines};

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
    /// The shop's key of the product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_key: Option<String>,
    /// The shop's key of the variant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant_key: Option<String>,
    /// The lines of an order that were objects; the first 10,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<Vec<Line>>,
}

impl Notification {
    /// Reads what is a string, and the lines. `members` are those of `body`.
    pub(super) fn read(members: &Map<String, Value>, body: &[u8]) -> Self {
        let text = |name: &str| members.get(name)?.as_str().map(str::to_owned);
        Notification {
            market: text("market"),
            customer_key: text("customerKey"),
            session_key: text("sessionKey"),
            id: text("id"),
            token: text("token"),
            ticket: text("ticket"),
            product_key: text("productKey"),
            variant_key: text("variantKey"),
            lines: members
                .get("lines")
                .and_then(|_| raw_lines(body))
                .and_then(read_lines),
        }
    }

    /// What it takes in memory beside its own size, near enough.
    pub(crate) fn bytes(&self) -> usize {
        let of = |text: &String| text.len();
        let members = [
            &self.market,
            &self.customer_key,
            &self.session_key,
            &self.id,
            &self.token,
            &self.ticket,
            &self.product_key,
            &self.variant_key,
        ];
        let lines = self.lines.iter().flatten();
        let lines = lines.map(|line| size_of::<Line>() + line.values().map(of).sum::<usize>());
        members.into_iter().flatten().map(of).sum::<usize>() + lines.sum::<usize>()
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
