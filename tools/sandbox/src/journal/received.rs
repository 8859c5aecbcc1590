//! A record: one request as it arrived, and its answer.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use crate::kind::Kind;
use crate::verdict::{Notification, Visitor, shortened, without_tokens};

/// A shorter token is no secret, and the same letters may occur elsewhere in the body.
const MEANT_AS_TOKEN: usize = 16;

/// One request as it arrived, and its answer. Written before the answer is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Received {
    /// The number of the request since the start or the last `clear`, from 1.
    pub seq: u64,
    /// When the whole request had arrived, in milliseconds since 1970-01-01 UTC.
    pub at_unix_ms: u64,
    /// The number of its connection, from 1; see [`Stats::connections`].
    pub connection: u64,
    /// The method, as it was sent.
    pub method: String,
    /// The path with its query, as they were sent: a payment token in it is a secret.
    pub path: String,
    /// The kind of notification in the path, whatever the method and the body; a payment with a payment token is a
    /// secure one. JSON: the name of the kind, such as `"add_to_cart"`, or `null`.
    #[serde(serialize_with = "kind_name")]
    pub kind: Option<Kind>,
    /// The headers, names in lower case; bytes that are not UTF-8 are replaced.
    pub headers: Vec<(String, String)>,
    /// The body; bytes that are not UTF-8 are replaced. Cut at 1 MiB.
    pub body: String,
    /// The same body in hexadecimal digits, only when it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_hex: Option<String>,
    /// The readable members, if the body was a JSON object, with any method and path.
    pub notification: Option<Notification>,
    /// Whether the customer key is that of a signed-in visitor; `None` for a request that is not a notification: its
    /// body is not a JSON object, or it is not a POST to the path of a kind.
    pub visitor: Option<Visitor>,
    /// Whether the token belongs to the customer key. `None`: an anonymous visitor, no token, or no private key to
    /// compare with.
    pub token_valid: Option<bool>,
    /// Why `token_valid` is not true for a signed-in visitor; `None` if there is nothing to explain.
    pub token_problem: Option<String>,
    /// Whether the payment token signs the bytes of the body. `None`: no secure payment, or no private key to compare
    /// with.
    pub payment_token_valid: Option<bool>,
    /// Why `payment_token_valid` is not true for a secure payment; `None` if there is nothing to explain.
    pub payment_token_problem: Option<String>,
    /// Whether a notification with this `id` was received before, and none of them was answered 2xx. Kinds without an id
    /// are compared by their bytes. At least the last million ids are known, and at least the last 100,000 bodies.
    pub retry: bool,
    /// Whether a notification with this `id` was received before and one of them was answered 2xx, so that the service
    /// already has it.
    pub duplicate: bool,
    /// Warnings about unusual values that the vendor's page neither allows nor forbids.
    pub warnings: Vec<String>,
    /// The answer: `204` and the like, or the scripted answer such as `503:retry-after=1`.
    pub answer: String,
    /// The status of the answer; `None` if the scripted answer has none.
    pub status: Option<u16>,
    /// The body of the answer, mostly the reason for a refusal; empty if there is none.
    pub answer_text: String,
    /// Whether the answer came from the script, and not from the check of the notification.
    pub scripted: bool,
}

/// Serde passes a reference to the member.
#[expect(clippy::ref_option, reason = "serde passes a reference")]
fn kind_name<S: Serializer>(kind: &Option<Kind>, serializer: S) -> Result<S::Ok, S::Error> {
    kind.map(|kind| kind.spec().name).serialize(serializer)
}

impl Received {
    /// The path and query, with the payment token shortened, so that it cannot be used.
    #[must_use]
    pub fn path_without_tokens(&self) -> Cow<'_, str> {
        without_tokens(&self.path)
    }

    /// The body, with the visitor's token shortened, so that it cannot be used. In a body that is not a JSON object, no
    /// token is found.
    #[must_use]
    pub fn body_without_tokens(&self) -> Cow<'_, str> {
        let token = self.notification.as_ref().and_then(|n| n.token.as_deref());
        match token.filter(|token| token.len() >= MEANT_AS_TOKEN) {
            Some(token) => Cow::Owned(self.body.replace(token, &shortened(token))),
            None => Cow::Borrowed(&self.body),
        }
    }

    /// Its approximate size in memory.
    pub(super) fn bytes(&self) -> usize {
        let of = |text: &String| size_of::<String>() + text.len();
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| of(name) + of(value));
        let members = self.notification.iter().map(Notification::bytes);
        let texts = [
            &self.method,
            &self.path,
            &self.body,
            &self.answer,
            &self.answer_text,
        ];
        let texts = texts
            .into_iter()
            .chain(&self.body_hex)
            .chain(&self.token_problem)
            .chain(&self.payment_token_problem);
        let texts = texts.chain(&self.warnings).map(of);
        size_of::<Received>() + headers.chain(texts).chain(members).sum::<usize>()
    }
}

/// The counters since the start or the last `clear`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Connections on which at least one request was received. Connections that only carried
    /// requests of the control interface, or none, are not counted.
    pub connections: u64,
    /// Requests received, including forgotten ones, without requests of the control interface.
    pub received: u64,
    /// Requests that the script will still answer; `usize::MAX` when it has no end.
    pub script_left: usize,
}
