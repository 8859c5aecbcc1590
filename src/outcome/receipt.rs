//! The outcome of one notification.

use std::time::Duration;

use super::Status;

/// The outcome of one notification.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// The outcome.
    pub status: Status,
    /// HTTP status of the answer to the last attempt. `None`: the last attempt got no answer.
    pub http_status: Option<u16>,
    /// How many attempts were started. 0: nothing was sent.
    pub attempts: u32,
    /// Duration of the call. In a receipt from the queue: the time from acceptance to the outcome, or until now.
    pub elapsed: Duration,
    /// The id that was sent. Empty if the arguments were refused.
    pub id: String,
    /// A message for a person.
    pub detail: String,
}

impl Receipt {
    /// The receipt of a notification that was not sent.
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
    fn receipt_has_no_attempt_when_nothing_was_sent() {
        let receipt = Receipt::unsent(Status::Closed, "closed", Duration::from_secs(1));
        assert_eq!(
            (receipt.status, receipt.detail.as_str()),
            (Status::Closed, "closed")
        );
        assert_eq!((receipt.attempts, receipt.http_status), (0, None));
        assert_eq!(
            (receipt.elapsed, receipt.id.as_str()),
            (Duration::from_secs(1), "")
        );
    }
}
