//! What became of one notification.

use std::time::Duration;

use super::Status;

/// How the detail of a notification begins that is not sent again because it may have arrived.
pub(crate) const MAY_HAVE_ARRIVED: &str =
    "may have arrived, and would be counted twice if sent again";

/// What became of one notification.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// The outcome.
    pub status: Status,
    /// The HTTP status of the last attempt's answer; `None` if it got none.
    pub http_status: Option<u16>,
    /// How many attempts were started: 0 if nothing was sent.
    pub attempts: u32,
    /// How long the call took, from entry to return.
    pub elapsed: Duration,
    /// The id that was sent; empty if the arguments were refused before there was one.
    pub id: String,
    /// What happened, in words for a person.
    pub detail: String,
}

impl Receipt {
    /// Whether this is a payment that was not delivered for certain, and may have arrived. The service knows no id for a
    /// payment and counts it twice if it is sent again: only the service's own figures show whether it arrived.
    #[must_use]
    pub fn may_have_arrived(&self) -> bool {
        self.detail.starts_with(MAY_HAVE_ARRIVED)
    }

    /// The receipt of a notification of which nothing was sent.
    pub(crate) fn unsent(status: Status, detail: &str, elapsed: Duration) -> Receipt {
        Receipt {
            status,
            http_status: None,
            attempts: 0,
            elapsed,
            id: String::new(),
            detail: detail.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipt_tells_a_payment_that_may_have_arrived_by_its_detail() {
        let receipt = |detail: &str| Receipt::unsent(Status::Timeout, detail, Duration::ZERO);
        assert!(receipt(&format!("{MAY_HAVE_ARRIVED}: no answer")).may_have_arrived());
        assert!(!receipt("no answer").may_have_arrived());
    }
}
