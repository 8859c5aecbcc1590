//! From what came back, or did not, to the outcome of one attempt.

use std::time::{Duration, SystemTime};

use super::tls;
use super::trace::Step;
use crate::status::Status;

/// The outcome of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) status: Status,
    pub(crate) http_status: Option<u16>,
    pub(crate) detail: String,
    /// How long the service asks to wait.
    pub(crate) retry_after: Option<Duration>,
}

impl Outcome {
    fn unanswered(status: Status, detail: impl Into<String>) -> Outcome {
        Outcome {
            status,
            http_status: None,
            detail: detail.into(),
            retry_after: None,
        }
    }
}

/// Classifies an answer. The first four rows are the vendor's table; the rest is HTTP's own meaning.
pub(super) fn of_answer(code: u16, body: &str, retry_after: Option<Duration>) -> Outcome {
    let (status, hint) = match code {
        204 => (Status::Delivered, ""),
        200..=299 => (Status::Delivered, " (204 was expected)"),
        400 => (Status::TicketMissing, ""),
        403 => (
            Status::Forbidden,
            " (is the token made with the current private key, for this customer_key?)",
        ),
        404 => (
            Status::Rejected,
            " (is the v1 API enabled for this cluster?)",
        ),
        300..=399 => (
            Status::Rejected,
            " (redirects are not followed; check the address)",
        ),
        408 => (Status::Timeout, ""),
        425 | 429 => (Status::Throttled, ""),
        401..=499 => (Status::Rejected, ""),
        500..=599 => (Status::ServerError, ""),
        _ => (Status::BadResponse, " (not a status of HTTP)"),
    };
    let mut detail = format!("HTTP {code}{hint}");
    let words: String = body.split_whitespace().collect::<Vec<_>>().join(" ");
    let words: String = words
        .chars()
        .filter(|c| !c.is_control())
        .take(160)
        .collect();
    if !words.is_empty() {
        detail.push_str(": ");
        detail.push_str(&words);
    }
    Outcome {
        status,
        http_status: Some(code),
        detail,
        retry_after,
    }
}

/// The deadline of an exchange that had not begun.
pub(super) fn too_late() -> Outcome {
    Outcome::unanswered(
        Status::Timeout,
        "the time budget ended before anything was sent",
    )
}

/// Classifies a failure to get an answer.
pub(super) fn of_error(error: &ureq::Error, step: Step) -> Outcome {
    use ureq::Error as E;
    match error {
        E::Timeout(_) => Outcome::unanswered(
            Status::Timeout,
            format!("the time budget ended while {}", step.words()),
        ),
        E::Io(e) => match tls::inside(e) {
            Some(tls) => Outcome::unanswered(Status::TlsFailed, tls::reason(tls)),
            None => of_io(e, step),
        },
        E::Rustls(e) => Outcome::unanswered(Status::TlsFailed, tls::reason(e)),
        E::Tls(_) | E::TlsRequired | E::Pem(_) => {
            Outcome::unanswered(Status::TlsFailed, error.to_string())
        }
        E::HostNotFound | E::ConnectionFailed | E::ConnectProxyFailed(_) => {
            Outcome::unanswered(Status::ConnectFailed, error.to_string())
        }
        other => Outcome::unanswered(
            Status::BadResponse,
            format!("the answer is not HTTP that could be understood: {other}"),
        ),
    }
}

fn of_io(e: &std::io::Error, step: Step) -> Outcome {
    match step {
        Step::Resolve => Outcome::unanswered(Status::ConnectFailed, e.to_string()),
        Step::Connect => {
            Outcome::unanswered(Status::ConnectFailed, format!("no connection to {e}"))
        }
        Step::Tunnel => Outcome::unanswered(
            Status::ConnectFailed,
            format!("the connection broke while {}: {e}", step.words()),
        ),
        Step::Tls | Step::Exchange | Step::Answer => Outcome::unanswered(
            Status::ConnectionLost,
            format!("the connection broke while {}: {e}", step.words()),
        ),
    }
}

/// `Retry-After` in both of its forms: seconds, or an HTTP date (measured against `now`).
pub(crate) fn parse_retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // More than this, and more digits than fit, mean "very long", not "no header". A clock cannot go on for as
        // long as a server can write.
        let seconds = value.parse().unwrap_or(u32::MAX);
        return Some(Duration::from_secs(seconds.into()));
    }
    let at = httpdate::parse_http_date(value).ok()?;
    Some(at.duration_since(now).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_its_status() {
        use Status::*;
        for (codes, status) in [
            (&[200, 201, 204, 299][..], Delivered),
            (&[400], TicketMissing),
            (&[403], Forbidden),
            (
                &[300, 301, 302, 307, 401, 404, 405, 410, 413, 418, 499],
                Rejected,
            ),
            (&[408], Timeout),
            (&[425, 429], Throttled),
            (&[500, 502, 503, 504, 599], ServerError),
            (&[600, 999], BadResponse),
        ] {
            for code in codes {
                assert_eq!(of_answer(*code, "", None).status, status, "{code}");
            }
        }
    }

    #[test]
    fn the_services_words_are_kept_short_and_on_one_line() {
        let body = format!("busy\r\n\u{0}now {}", "x".repeat(500));
        let detail = of_answer(503, &body, None).detail;
        assert!(detail.starts_with("HTTP 503: busy now xxx"), "{detail}");
        assert!(detail.len() < 200);
    }

    #[test]
    fn retry_after_in_both_forms() {
        let now = httpdate::parse_http_date("Wed, 21 Oct 2015 07:28:00 GMT").unwrap();
        for (text, seconds) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("99999999999999999999999", Some(u64::from(u32::MAX))),
            // Fits into a number, but no clock can be set on by that much.
            ("9999990017770719044", Some(u64::from(u32::MAX))),
            ("Wed, 21 Oct 2015 07:28:30 GMT", Some(30)),
            ("Wed, 21 Oct 2015 07:27:00 GMT", Some(0)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(
                parse_retry_after(text, now),
                seconds.map(Duration::from_secs),
                "{text}"
            );
        }
    }
}
