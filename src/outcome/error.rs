//! The error of a call.

use std::error;
use std::fmt;
use std::sync::Arc;

use super::{Receipt, Status};

/// The error of a call. [`Error::status`] is its code, and [`std::error::Error::source`] its cause, if there is one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Error {
    /// An argument is missing or malformed; nothing was sent. The message names the argument.
    InvalidArgument(String),
    /// An option is missing, unknown, out of range, or contradicts another. The message names the option.
    InvalidConfig(String),
    /// A notification was refused or was not delivered. The receipt has the outcome.
    Notification(Box<Receipt>),
    /// Any other failure.
    #[non_exhaustive]
    Other {
        /// The code; never a success.
        status: Status,
        /// The message, for a person.
        detail: String,
        /// The cause.
        source: Option<Arc<dyn error::Error + Send + Sync>>,
    },
}

impl Error {
    pub(crate) fn new(status: Status, detail: impl Into<String>) -> Error {
        let detail = detail.into();
        match status {
            Status::InvalidArgument => Error::InvalidArgument(detail),
            Status::InvalidConfig => Error::InvalidConfig(detail),
            _ => Error::Other {
                status,
                detail,
                source: None,
            },
        }
    }

    /// An error with a cause.
    pub(crate) fn caused_by(
        status: Status,
        detail: impl Into<String>,
        cause: impl error::Error + Send + Sync + 'static,
    ) -> Error {
        Error::Other {
            status,
            detail: detail.into(),
            source: Some(Arc::new(cause)),
        }
    }

    pub(crate) fn argument(detail: impl Into<String>) -> Error {
        Error::InvalidArgument(detail.into())
    }

    pub(crate) fn config(detail: impl Into<String>) -> Error {
        Error::InvalidConfig(detail.into())
    }

    /// The code; never a success.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Error::InvalidArgument(_) => Status::InvalidArgument,
            Error::InvalidConfig(_) => Status::InvalidConfig,
            Error::Notification(receipt) => receipt.status,
            Error::Other { status, .. } => *status,
        }
    }

    /// The message, for a person. It names the argument or the option.
    #[must_use]
    pub fn detail(&self) -> &str {
        match self {
            Error::InvalidArgument(detail) | Error::InvalidConfig(detail) => detail,
            Error::Notification(receipt) => &receipt.detail,
            Error::Other { detail, .. } => detail,
        }
    }

    /// The receipt of the notification, if the call was about one.
    #[must_use]
    pub fn receipt(&self) -> Option<&Receipt> {
        match self {
            Error::Notification(receipt) => Some(receipt),
            _ => None,
        }
    }
}

/// Errors are equal if their codes, messages and receipts are equal. The cause is not compared.
impl PartialEq for Error {
    fn eq(&self, other: &Error) -> bool {
        self.status() == other.status()
            && self.detail() == other.detail()
            && self.receipt() == other.receipt()
    }
}

impl Eq for Error {}

impl From<Receipt> for Error {
    fn from(receipt: Receipt) -> Error {
        Error::Notification(Box::new(receipt))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status(), self.detail())
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Error::Other {
                source: Some(cause),
                ..
            } => Some(&**cause),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;
    use std::io;
    use std::time::Duration;

    #[test]
    fn error_source_is_the_cause_when_there_is_one() {
        let cause = io::Error::from(io::ErrorKind::NotFound);
        let error = Error::caused_by(Status::SpoolFailed, "/spool: it is gone", cause);
        assert_eq!(error.to_string(), "ESALES_SPOOL_FAILED: /spool: it is gone");
        let source = error.source().unwrap().downcast_ref::<io::Error>();
        assert_eq!(source.unwrap().kind(), io::ErrorKind::NotFound);
        let same = Error::new(Status::SpoolFailed, "/spool: it is gone");
        assert_eq!(error, same);
        assert!(same.source().is_none());
    }

    #[test]
    fn errors_are_equal_if_code_message_and_receipt_are() {
        let receipt =
            |elapsed| Receipt::unsent(Status::Timeout, "late", Duration::from_secs(elapsed));
        let error = Error::from(receipt(1));
        assert_eq!(error.receipt(), Some(&receipt(1)));
        assert_eq!(error, Error::from(receipt(1)));
        for other in [
            Error::from(receipt(2)),
            Error::new(Status::Timeout, "late"),
            Error::new(Status::Timeout, "later"),
            Error::new(Status::Throttled, "late"),
        ] {
            assert_ne!(error, other);
        }
        let without = Error::new(Status::Timeout, "late");
        assert_eq!(without.receipt(), None);
        assert_ne!(without, Error::new(Status::Timeout, "later"));
        assert_ne!(without, Error::new(Status::Throttled, "late"));
    }

    #[test]
    fn error_new_makes_the_variant_of_its_status() {
        let argument = Error::new(Status::InvalidArgument, "ticket is empty");
        assert!(matches!(argument, Error::InvalidArgument(_)));
        let config = Error::new(Status::InvalidConfig, "market is empty");
        assert!(matches!(config, Error::InvalidConfig(_)));
        for status in Status::ALL {
            let error = Error::new(*status, "x");
            assert_eq!((error.status(), error.detail()), (*status, "x"));
        }
    }
}
