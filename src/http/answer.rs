//! Maps an answer, or the lack of one, to the outcome of an attempt.

use std::io;
use std::time::{Duration, SystemTime};

use super::deadline::{BudgetSpent, Step};
use super::head::NotHttp;
use super::message::cut;
use super::tls_error;
use super::tunnel::ProxyRefused;
use crate::outcome::Status;

/// Greatest length of a detail, in bytes. A receipt in C has room for 255, and the number of the
/// attempt may follow.
const MAX_DETAIL: usize = 200;

/// The outcome of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) status: Status,
    pub(crate) http_status: Option<u16>,
    pub(crate) detail: String,
    /// How long to wait before the next attempt, as the service requests.
    pub(crate) retry_after: Option<Duration>,
    /// Whether the service may have processed the request without answering 2xx.
    pub(crate) may_have_arrived: bool,
}

impl Outcome {
    /// The outcome of a request that must not be repeated: [`Status::MayHaveArrived`], unless the
    /// service certainly did not process it.
    pub(crate) fn of_unrepeatable(self) -> Outcome {
        if !self.may_have_arrived {
            return self;
        }
        Outcome {
            status: Status::MayHaveArrived,
            detail: format!("may have arrived: {}", self.detail),
            ..self
        }
    }

    fn unanswered(status: Status, detail: impl Into<String>) -> Outcome {
        Outcome {
            status,
            http_status: None,
            detail: detail.into(),
            retry_after: None,
            may_have_arrived: false,
        }
    }

    /// An outcome without an answer, after the request was sent.
    fn after_sending(status: Status, detail: impl Into<String>) -> Outcome {
        Outcome {
            may_have_arrived: true,
            ..Outcome::unanswered(status, detail)
        }
    }
}

/// Classifies an answer. The first four rows follow the vendor's table, the others the HTTP
/// standard.
///
/// The hint is in front of the service's own message, because that may be cut.
pub(super) fn from_status(
    code: u16,
    message: &str,
    is_whole: bool,
    retry_after: Option<Duration>,
) -> Outcome {
    let (status, hint) = match code {
        204 => (Status::Delivered, ""),
        200..=299 => (Status::Delivered, " (204 was expected)"),
        400 => (Status::BadRequest, ""),
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
            " (redirects are not followed; check cluster_id or base_url)",
        ),
        408 => (Status::Timeout, ""),
        425 | 429 => (Status::Throttled, ""),
        401..=499 => (Status::Rejected, ""),
        500..=599 => (Status::ServerError, ""),
        _ => (Status::BadResponse, " (not an HTTP status)"),
    };
    let mut detail = format!("HTTP {code}{hint}");
    if !is_whole {
        detail.push_str(" (the answer's body did not end)");
    }
    if !message.is_empty() {
        detail.push_str(": ");
        detail.push_str(message);
    }
    Outcome {
        status,
        http_status: Some(code),
        detail: cut(&detail, MAX_DETAIL),
        retry_after,
        // 429, 425 and 503 mean that the request was not processed. For other codes only the
        // service knows.
        may_have_arrived: match status {
            Status::ServerError => code != 503,
            Status::Timeout | Status::BadResponse => true,
            _ => false,
        },
    }
}

/// The outcome if the deadline passed before the exchange began.
pub(super) fn too_late() -> Outcome {
    Outcome::unanswered(
        Status::Timeout,
        "the time budget ended before anything was sent",
    )
}

/// Classifies an error without an answer.
pub(super) fn from_error(error: &ureq::Error, step: Step) -> Outcome {
    match error {
        ureq::Error::Io(e) => from_io(e, step),
        other => Outcome::after_sending(Status::BadResponse, not_http(other)),
    }
}

fn not_http(why: impl std::fmt::Display) -> String {
    format!("the answer is not valid HTTP: {why}")
}

fn has_inside<T: std::error::Error + 'static>(e: &io::Error) -> bool {
    e.get_ref().is_some_and(|inner| inner.is::<T>())
}

pub(super) fn from_io(e: &io::Error, step: Step) -> Outcome {
    let is_sent = matches!(step, Step::Exchange | Step::Answer);
    if has_inside::<BudgetSpent>(e) {
        let detail = format!("the time budget ended while {}", step.text());
        return match is_sent {
            true => Outcome::after_sending(Status::Timeout, detail),
            false => Outcome::unanswered(Status::Timeout, detail),
        };
    }
    if has_inside::<NotHttp>(e) {
        return Outcome::after_sending(Status::BadResponse, not_http(e));
    }
    if has_inside::<ProxyRefused>(e) {
        return Outcome::unanswered(Status::ConnectFailed, e.to_string());
    }
    match tls_error::inside(e) {
        // If the connection breaks after the request was sent, the service may have read the
        // request.
        Some(tls) if !is_sent || tls_error::is_refusal_of_the_client(tls) => {
            return Outcome::unanswered(Status::TlsFailed, tls_error::reason(tls));
        }
        _ => {}
    }
    match step {
        Step::Resolve => Outcome::unanswered(Status::ConnectFailed, e.to_string()),
        Step::Connect => {
            Outcome::unanswered(Status::ConnectFailed, format!("no connection to {e}"))
        }
        Step::Tunnel => Outcome::unanswered(
            Status::ConnectFailed,
            format!("the connection broke while {}: {e}", step.text()),
        ),
        Step::Tls => Outcome::unanswered(
            Status::ConnectionLost,
            format!("the connection broke while {}: {e}", step.text()),
        ),
        Step::Exchange | Step::Answer => Outcome::after_sending(
            Status::ConnectionLost,
            format!("the connection broke while {}: {e}", step.text()),
        ),
    }
}

/// Reads `Retry-After` in both forms: seconds, or an HTTP date (compared with `now`).
pub(crate) fn parse_retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // A number that is too large means "very long". The result is limited, because a clock
        // cannot count as far as a server can write.
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
    fn http_status_maps_to_its_outcome_code() {
        use Status::*;
        for (codes, status) in [
            (&[200, 201, 204, 299][..], Delivered),
            (&[400], BadRequest),
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
                assert_eq!(from_status(*code, "", true, None).status, status, "{code}");
            }
        }
    }

    #[test]
    fn long_detail_is_cut_with_an_ellipsis_after_the_hint() {
        for c in ["x", "\u{e4}", "\u{1f600}"] {
            let detail = from_status(403, &c.repeat(500), true, None).detail;
            assert!(detail.contains("private key"), "{detail}");
            assert!(detail.ends_with(&format!("{c}\u{2026}")), "{detail}");
            assert!(detail.len() <= MAX_DETAIL, "{}", detail.len());
        }
        let detail = from_status(400, "Ticket is missing.", true, None).detail;
        assert_eq!(detail, "HTTP 400: Ticket is missing.");
    }

    #[test]
    fn detail_has_a_hint_where_the_status_needs_one() {
        for (code, hint) in [
            (204, ""),
            (200, "204 was expected"),
            (400, ""),
            (401, ""),
            (404, "v1 API"),
            (302, "redirects are not followed"),
            (408, ""),
            (503, ""),
            (600, "not an HTTP status"),
        ] {
            let detail = |is_whole| from_status(code, "", is_whole, None).detail;
            let (whole, cut) = (detail(true), detail(false));
            assert!(whole.starts_with(&format!("HTTP {code}")), "{whole}");
            assert!(whole.contains(hint), "{whole}");
            assert_eq!(whole.contains(" ("), !hint.is_empty(), "{whole}");
            assert_eq!(cut, format!("{whole} (the answer's body did not end)"));
        }
    }

    #[test]
    fn answer_reports_whether_the_request_may_have_been_processed() {
        for (codes, expected) in [
            (
                &[200, 204, 301, 400, 401, 403, 404, 425, 429, 503][..],
                false,
            ),
            (&[408, 500, 502, 504, 599, 600], true),
        ] {
            for code in codes {
                let outcome = from_status(*code, "", true, Some(Duration::ZERO));
                assert_eq!(outcome.may_have_arrived, expected, "{code}");
                assert_eq!(outcome.http_status, Some(*code));
                assert_eq!(outcome.retry_after, Some(Duration::ZERO));
            }
        }
    }

    #[test]
    fn unrepeatable_request_may_have_arrived_unless_it_certainly_did_not() {
        for (code, status) in [(500, Status::MayHaveArrived), (503, Status::ServerError)] {
            let outcome = from_status(code, "", true, None).of_unrepeatable();
            assert_eq!((outcome.status, outcome.http_status), (status, Some(code)));
            let is_marked = outcome.detail == format!("may have arrived: HTTP {code}");
            assert_eq!(is_marked, status == Status::MayHaveArrived, "{outcome:?}");
        }
    }

    fn broken(step: Step) -> Outcome {
        from_io(&io::Error::from(io::ErrorKind::ConnectionReset), step)
    }

    #[test]
    fn broken_connection_has_the_status_of_its_step() {
        for (step, status, words, may_have_arrived) in [
            (Step::Resolve, Status::ConnectFailed, "", false),
            (
                Step::Connect,
                Status::ConnectFailed,
                "no connection to ",
                false,
            ),
            (
                Step::Tunnel,
                Status::ConnectFailed,
                "the connection broke while asking the proxy for a connection: ",
                false,
            ),
            (
                Step::Tls,
                Status::ConnectionLost,
                "the connection broke while setting up TLS: ",
                false,
            ),
            (
                Step::Exchange,
                Status::ConnectionLost,
                "the connection broke while waiting for the answer: ",
                true,
            ),
            (
                Step::Answer,
                Status::ConnectionLost,
                "the connection broke while reading the answer: ",
                true,
            ),
        ] {
            let outcome = broken(step);
            let expected = format!("{words}connection reset");
            assert_eq!((outcome.status, outcome.detail), (status, expected));
            assert_eq!(outcome.may_have_arrived, may_have_arrived, "{step:?}");
            let as_ureq = from_error(
                &ureq::Error::Io(io::Error::from(io::ErrorKind::ConnectionReset)),
                step,
            );
            assert_eq!(as_ureq, broken(step));
        }
    }

    #[test]
    fn timeout_names_the_step_when_the_budget_is_spent() {
        for (step, may_have_arrived) in [
            (Step::Connect, false),
            (Step::Exchange, true),
            (Step::Answer, true),
        ] {
            let outcome = from_io(&io::Error::other(BudgetSpent), step);
            let expected = format!("the time budget ended while {}", step.text());
            assert_eq!(
                (outcome.status, outcome.detail),
                (Status::Timeout, expected)
            );
            assert_eq!(outcome.may_have_arrived, may_have_arrived, "{step:?}");
        }
        let unsent = too_late();
        assert_eq!(
            (unsent.status, unsent.may_have_arrived),
            (Status::Timeout, false)
        );
        assert_eq!(
            unsent.detail,
            "the time budget ended before anything was sent"
        );
    }

    #[test]
    fn answer_that_is_not_http_is_a_bad_response() {
        let not_http = from_io(&io::Error::other(NotHttp("garbage")), Step::Answer);
        let from_ureq = from_error(&ureq::Error::BadUri("garbage".to_owned()), Step::Exchange);
        for outcome in [not_http, from_ureq] {
            assert_eq!(outcome.status, Status::BadResponse);
            assert!(outcome.may_have_arrived);
            assert!(outcome.detail.contains("HTTP"), "{}", outcome.detail);
            assert!(outcome.detail.ends_with("garbage"), "{}", outcome.detail);
        }
    }

    #[test]
    fn refusal_of_the_proxy_is_a_failed_connection() {
        let refused = io::Error::other(ProxyRefused("proxy: 407".to_owned()));
        let outcome = from_io(&refused, Step::Tunnel);
        assert_eq!(
            outcome,
            Outcome::unanswered(Status::ConnectFailed, "proxy: 407")
        );
    }

    #[test]
    fn tls_error_after_sending_is_a_lost_connection_unless_it_refuses_the_client() {
        let alert = |kind| io::Error::other(rustls::Error::AlertReceived(kind));
        for (alert, step, status) in [
            (
                alert(rustls::AlertDescription::InternalError),
                Step::Tls,
                Status::TlsFailed,
            ),
            (
                alert(rustls::AlertDescription::InternalError),
                Step::Exchange,
                Status::ConnectionLost,
            ),
            (
                alert(rustls::AlertDescription::CertificateRequired),
                Step::Exchange,
                Status::TlsFailed,
            ),
        ] {
            let outcome = from_io(&alert, step);
            assert_eq!(outcome.status, status, "{alert} while {step:?}");
            let is_lost = status == Status::ConnectionLost;
            assert_eq!(outcome.may_have_arrived, is_lost, "{alert} while {step:?}");
        }
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let now = httpdate::parse_http_date("Wed, 21 Oct 2015 07:28:00 GMT").unwrap();
        for (text, seconds) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("99999999999999999999999", Some(u64::from(u32::MAX))),
            // This date fits into a number, but a clock cannot be advanced by so much.
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
