//! What became of a call: the status codes, the receipt, the error.

use std::fmt;
use std::time::Duration;

macro_rules! statuses {
    ($($(#[doc = $doc:literal])* $variant:ident = $code:literal, $name:literal, $text:literal;)*) => {
        /// The outcome of a call. The numbers are the C API's and are frozen: never renumbered, never reused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(i32)]
        #[non_exhaustive]
        pub enum Status {
            $($(#[doc = $doc])* $variant = $code,)*
        }

        impl Status {
            /// Every status, highest code first.
            pub const ALL: &'static [Status] = &[$(Status::$variant,)*];

            /// The status of a C code, if there is one.
            #[must_use]
            pub fn from_code(code: i32) -> Option<Status> {
                match code {
                    $($code => Some(Status::$variant),)*
                    _ => None,
                }
            }

            /// The name of its C constant, such as `ESALES_TIMEOUT`.
            #[must_use]
            pub fn name(self) -> &'static str {
                self.name_c().to_str().unwrap_or_default()
            }

            /// One sentence for a person.
            #[must_use]
            pub fn text(self) -> &'static str {
                self.text_c().to_str().unwrap_or_default()
            }

            pub(crate) fn name_c(self) -> &'static std::ffi::CStr {
                match self { $(Status::$variant => $name,)* }
            }

            pub(crate) fn text_c(self) -> &'static std::ffi::CStr {
                match self { $(Status::$variant => $text,)* }
            }
        }
    };
}

statuses! {
    /// The service answered 2xx.
    Delivered = 0, c"ESALES_DELIVERED", c"The service received the notification.";
    /// Accepted into the queue, to be delivered later.
    Queued = 1, c"ESALES_QUEUED", c"The notification is in the queue and will be delivered.";
    /// An argument is missing or malformed; nothing was sent.
    InvalidArgument = -1, c"ESALES_INVALID_ARGUMENT", c"An argument is missing or malformed; nothing was sent.";
    /// An option is unknown, out of range, or contradicts another.
    InvalidConfig = -2, c"ESALES_INVALID_CONFIG", c"An option is unknown, out of range, or contradicts another.";
    /// The client was closed.
    Closed = -3, c"ESALES_CLOSED", c"The client was closed.";
    /// 400: the service found no ticket.
    TicketMissing = -10, c"ESALES_TICKET_MISSING", c"The service says that the ticket is missing (400).";
    /// 403: the signed-in visitor could not be validated.
    Forbidden = -11, c"ESALES_FORBIDDEN", c"The service could not validate the customer key of a signed-in visitor (403).";
    /// Any other final answer.
    Rejected = -12, c"ESALES_REJECTED", c"The service refused the notification for good.";
    /// 5xx: the cluster is unavailable or busy.
    ServerError = -20, c"ESALES_SERVER_ERROR", c"The service is unavailable or busy (5xx).";
    /// 429 or 425: the service asks to come back later.
    Throttled = -21, c"ESALES_THROTTLED", c"The service asks to come back later (429 or 425).";
    /// No answer within the budget, or 408.
    Timeout = -22, c"ESALES_TIMEOUT", c"There was no answer within the time budget.";
    /// The name was not found, or no connection could be made.
    ConnectFailed = -23, c"ESALES_CONNECT_FAILED", c"No connection to the service could be made.";
    /// The TLS handshake failed or the certificate was refused.
    TlsFailed = -24, c"ESALES_TLS_FAILED", c"The TLS connection was refused or could not be trusted.";
    /// The connection broke before the answer was complete.
    ConnectionLost = -25, c"ESALES_CONNECTION_LOST", c"The connection broke before an answer arrived.";
    /// What came back is not HTTP.
    BadResponse = -26, c"ESALES_BAD_RESPONSE", c"The answer is not HTTP that could be understood.";
    /// The queue's limit is reached.
    QueueFull = -30, c"ESALES_QUEUE_FULL", c"The queue is full; the notification was not accepted.";
    /// The spool could not be written.
    SpoolFailed = -31, c"ESALES_SPOOL_FAILED", c"The spool could not be written; the notification was not accepted.";
    /// A defect of this library.
    Internal = -90, c"ESALES_INTERNAL", c"A defect in esales-notify; the call had no effect that can be vouched for.";
}

impl Status {
    /// The C code: `>= 0` is success, `< 0` an error.
    #[must_use]
    pub fn code(self) -> i32 {
        self as i32
    }

    /// Whether the call did what was asked.
    #[must_use]
    pub fn is_success(self) -> bool {
        self.code() >= 0
    }

    /// Whether the same notification, with the same id, may get through later.
    /// Everything else is final: the same bytes will meet the same answer.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        (-29..=-20).contains(&self.code())
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How the detail of a notification begins that is not sent again because it may have arrived.
pub(crate) const MAY_HAVE_ARRIVED: &str =
    "may have arrived, and would be counted twice if sent again";

/// What became of one notification.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// Why a call failed.
///
/// For a notification that was refused or did not get through, [`Error::receipt`] says what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    status: Status,
    detail: String,
    receipt: Option<Box<Receipt>>,
}

impl Error {
    pub(crate) fn new(status: Status, detail: impl Into<String>) -> Error {
        Error {
            status,
            detail: detail.into(),
            receipt: None,
        }
    }

    pub(crate) fn argument(detail: impl Into<String>) -> Error {
        Error::new(Status::InvalidArgument, detail)
    }

    pub(crate) fn config(detail: impl Into<String>) -> Error {
        Error::new(Status::InvalidConfig, detail)
    }

    /// The code; never a success.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// What went wrong, in words that name the argument or option.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The receipt of the notification, when the call was about one.
    #[must_use]
    pub fn receipt(&self) -> Option<&Receipt> {
        self.receipt.as_deref()
    }
}

impl From<Receipt> for Error {
    fn from(receipt: Receipt) -> Error {
        Error {
            status: receipt.status,
            detail: receipt.detail.clone(),
            receipt: Some(Box::new(receipt)),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.detail)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_frozen() {
        let codes: Vec<i32> = Status::ALL.iter().map(|s| s.code()).collect();
        assert_eq!(
            codes,
            [
                0, 1, -1, -2, -3, -10, -11, -12, -20, -21, -22, -23, -24, -25, -26, -30, -31, -90
            ]
        );
        for status in Status::ALL {
            assert_eq!(Status::from_code(status.code()), Some(*status));
            assert!(status.name().starts_with("ESALES_"));
            assert!(status.text().ends_with('.'));
        }
        assert_eq!(Status::from_code(2), None);
    }

    #[test]
    fn retryable_is_the_twenties() {
        let retryable: Vec<&str> = Status::ALL
            .iter()
            .filter(|s| s.is_retryable())
            .map(|s| s.name())
            .collect();
        assert_eq!(
            retryable,
            [
                "ESALES_SERVER_ERROR",
                "ESALES_THROTTLED",
                "ESALES_TIMEOUT",
                "ESALES_CONNECT_FAILED",
                "ESALES_TLS_FAILED",
                "ESALES_CONNECTION_LOST",
                "ESALES_BAD_RESPONSE"
            ]
        );
    }
}
