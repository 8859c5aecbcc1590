//! The table of status codes.

use std::ffi::CStr;
use std::fmt;

/// Declares the codes. Each code has one row; its constants and texts in every language are generated from the row.
macro_rules! statuses {
    ($($Variant:ident = $code:literal: $Group:ident {
        name: $name:literal, text: $text:literal, advice: $advice:literal $(,)?
    })*) => {
        /// The outcome of a call. The numbers are those of the C API and are frozen: they are never renumbered or
        /// reused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(i32)]
        #[non_exhaustive]
        pub enum Status {
            $(#[doc = $text] $Variant = $code,)*
        }

        impl Status {
            /// Every status, highest code first.
            pub const ALL: &'static [Status] = &[$(Status::$Variant,)*];

            /// The status of a C code, if there is one.
            #[must_use]
            pub fn from_code(code: i32) -> Option<Status> {
                match code {
                    $($code => Some(Status::$Variant),)*
                    _ => None,
                }
            }

            /// The group of the code.
            #[must_use]
            pub fn group(self) -> Group {
                match self { $(Status::$Variant => Group::$Group,)* }
            }

            /// The meaning of the code, in one sentence.
            #[must_use]
            pub fn text(self) -> &'static str {
                match self { $(Status::$Variant => $text,)* }
            }

            /// Advice for the caller, in one sentence.
            #[must_use]
            pub fn advice(self) -> &'static str {
                match self { $(Status::$Variant => $advice,)* }
            }

            pub(crate) fn name_c(self) -> &'static CStr {
                match self { $(Status::$Variant => c_literal(concat!($name, "\0")),)* }
            }

            pub(crate) fn text_c(self) -> &'static CStr {
                match self { $(Status::$Variant => c_literal(concat!($text, "\0")),)* }
            }
        }
    };
}

#[rustfmt::skip]
statuses! {
    Delivered = 0: Success {
        name: "ESALES_DELIVERED", text: "The service received the notification (2xx).",
        advice: "Nothing.",
    }
    Queued = 1: Success {
        name: "ESALES_QUEUED", text: "The notification is in the queue and will be delivered.",
        advice: "Nothing. Its receipt can be read with its id.",
    }
    InvalidArgument = -1: Usage {
        name: "ESALES_INVALID_ARGUMENT", text: "An argument is missing or malformed; nothing was sent.",
        advice: "Fix the call. The message names the argument.",
    }
    InvalidConfig = -2: Usage {
        name: "ESALES_INVALID_CONFIG", text: "An option is missing, unknown, out of range, or contradicts another.",
        advice: "Fix the configuration. The message names the option.",
    }
    Closed = -3: Usage {
        name: "ESALES_CLOSED", text: "The client was closed; nothing was sent.",
        advice: "Close the client after its last call.",
    }
    BadRequest = -10: Final {
        name: "ESALES_BAD_REQUEST", text: "The service refused the request (400): a ticket, a product key or an order line is missing.",
        advice: "Read the message, which quotes the service. Pass tickets and keys exactly as the service returned them.",
    }
    Forbidden = -11: Final {
        name: "ESALES_FORBIDDEN", text: "The service could not validate a signed-in visitor or a payment (403).",
        advice: "Check the private key, the token and the customer key.",
    }
    Rejected = -12: Final {
        name: "ESALES_REJECTED", text: "The service gave another final answer, such as a 404 or a redirect.",
        advice: "Check cluster_id or base_url, and whether the v1 API is enabled for the cluster.",
    }
    MayHaveArrived = -13: Final {
        name: "ESALES_MAY_HAVE_ARRIVED", text: "It is not known whether the payment arrived; the service would count it twice if it were sent again.",
        advice: "Look the payment up in the service's figures, and send it again only if it is not there.",
    }
    ServerError = -20: Retryable {
        name: "ESALES_SERVER_ERROR", text: "The service is unavailable or busy (5xx).",
        advice: "Send it again later with the same id.",
    }
    Throttled = -21: Retryable {
        name: "ESALES_THROTTLED", text: "The service asks the client to try again later (429 or 425).",
        advice: "Send it again later with the same id.",
    }
    Timeout = -22: Retryable {
        name: "ESALES_TIMEOUT", text: "There was no answer within the time-out, or the answer was 408; the notification may have arrived.",
        advice: "Send it again later with the same id.",
    }
    ConnectFailed = -23: Retryable {
        name: "ESALES_CONNECT_FAILED", text: "The host name was not found, or no connection could be made.",
        advice: "Check cluster_id or base_url, and the network. Send it again later with the same id.",
    }
    TlsFailed = -24: Retryable {
        name: "ESALES_TLS_FAILED", text: "The TLS handshake failed, or the certificate was refused.",
        advice: "Read the message. If the certificate is from a private authority, name that authority in the option ca_file.",
    }
    ConnectionLost = -25: Retryable {
        name: "ESALES_CONNECTION_LOST", text: "The connection broke before the answer was complete; the notification may have arrived.",
        advice: "Send it again later with the same id.",
    }
    BadResponse = -26: Retryable {
        name: "ESALES_BAD_RESPONSE", text: "The answer is not valid HTTP; the notification may have arrived.",
        advice: "Check cluster_id or base_url. Send it again later with the same id.",
    }
    QueueFull = -30: Queue {
        name: "ESALES_QUEUE_FULL", text: "The queue is full; the notification was not accepted.",
        advice: "Find out why nothing is delivered, or raise the options max_items and max_bytes.",
    }
    SpoolFailed = -31: Queue {
        name: "ESALES_SPOOL_FAILED", text: "The spool could not be read or written. If the call was to enqueue, the notification was not accepted.",
        advice: "Read the message. Check the disk, the folder and its permissions.",
    }
    Expired = -32: Queue {
        name: "ESALES_EXPIRED", text: "The notification was not delivered within max_age_s; its delivery is no longer tried.",
        advice: "Find out why nothing was delivered, or raise the option max_age_s.",
    }
    Dropped = -33: Queue {
        name: "ESALES_DROPPED", text: "The notification was dropped from the queue: to make room, or by an operator.",
        advice: "If it was dropped to make room, raise the options max_items, max_bytes and max_dead.",
    }
    UnknownId = -34: Queue {
        name: "ESALES_UNKNOWN_ID", text: "The id is unknown: it was never accepted here, or its receipt was discarded.",
        advice: "Use the id of the receipt, and ask within receipt_retention_s after the delivery.",
    }
    Internal = -90: Defect {
        name: "ESALES_INTERNAL", text: "The library has a defect; it is not known whether the call had an effect.",
        advice: "Report it with its message.",
    }
}

/// Declares the groups of codes, each with its range.
macro_rules! groups {
    ($($Group:ident: $lowest:literal to $highest:literal, $text:literal;)*) => {
        /// A group of codes with the same meaning for the caller. The range of a group includes codes of later
        /// versions.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Group {
            $(#[doc = $text] $Group,)*
        }

        impl Group {
            /// Every group, highest codes first.
            pub const ALL: &'static [Group] = &[$(Group::$Group,)*];

            /// The lowest and the highest code of the group.
            #[must_use]
            pub fn range(self) -> (i32, i32) {
                match self { $(Group::$Group => ($lowest, $highest),)* }
            }

            /// The meaning that its codes share, in one sentence.
            #[must_use]
            pub fn text(self) -> &'static str {
                match self { $(Group::$Group => $text,)* }
            }
        }
    };
}

groups! {
    Success: 0 to 99, "The call did what was asked.";
    Usage: -9 to -1, "The program or its configuration is wrong; nothing was sent.";
    Final: -19 to -10, "The notification is not sent again: the service refused it, or would count it twice.";
    Retryable: -29 to -20, "The same notification may succeed later, with the same id.";
    Queue: -39 to -30, "The queue did not accept the notification, gave up on it, or does not know its id.";
    Defect: -99 to -90, "The library has a defect.";
}

const fn c_literal(text: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(text.as_bytes()) {
        Ok(text) => text,
        Err(_) => c"",
    }
}

impl Status {
    /// The C code: `>= 0` is success, `< 0` an error.
    #[must_use]
    pub fn code(self) -> i32 {
        self as i32
    }

    /// The name of its C constant, such as `ESALES_TIMEOUT`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.name_c().to_str().unwrap_or_default()
    }

    /// Whether the call did what was asked.
    #[must_use]
    pub fn is_success(self) -> bool {
        self.group() == Group::Success
    }

    /// Whether the same notification may succeed later, with the same id.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        self.group() == Group::Retryable
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_codes_are_frozen() {
        let codes: Vec<i32> = Status::ALL.iter().map(|s| s.code()).collect();
        assert_eq!(
            codes,
            [
                0, 1, -1, -2, -3, -10, -11, -12, -13, -20, -21, -22, -23, -24, -25, -26, -30, -31,
                -32, -33, -34, -90
            ]
        );
        for status in Status::ALL {
            assert_eq!(Status::from_code(status.code()), Some(*status));
            assert!(status.name().starts_with("ESALES_"));
            assert!(status.text().ends_with('.') && status.advice().ends_with('.'));
            assert!(!status.text_c().is_empty(), "a NUL within the text");
        }
        assert_eq!(Status::from_code(2), None);
    }

    #[test]
    fn status_code_is_in_the_range_of_its_group() {
        for status in Status::ALL {
            let (lowest, highest) = status.group().range();
            assert!((lowest..=highest).contains(&status.code()), "{status}");
        }
        for pair in Group::ALL[1..].windows(2) {
            assert!(pair[1].range().1 < pair[0].range().0, "{pair:?}");
        }
    }

    #[test]
    fn success_is_delivered_and_queued() {
        for status in Status::ALL {
            let expected = matches!(status, Status::Delivered | Status::Queued);
            assert_eq!(status.is_success(), expected, "{}", status.name());
        }
    }

    #[test]
    fn display_is_the_name_of_the_constant() {
        assert_eq!(Status::Timeout.to_string(), "ESALES_TIMEOUT");
    }

    #[test]
    fn status_is_retryable_when_its_code_is_in_the_twenties() {
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
