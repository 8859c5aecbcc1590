//! The output of `queue` for programs.

use std::time::{Duration, SystemTime};

use esales_notify::{
    DeadLetter, OriginReport, PendingNotification, Percentiles, SalvageReport, ShownNotification,
    SpoolReport,
};
use serde_json::{Map, Value, json};

use super::millis;
use crate::send;

/// JSON with line breaks, so that a person can read it too.
pub(super) fn page(value: &Value) -> String {
    format!("{value:#}\n")
}

fn unix_ms(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, millis)
}

/// The value of the body if it is JSON, else a string.
fn body_json(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|_| json!(body))
}

pub(super) fn report(report: &SpoolReport) -> Value {
    let percentiles = |p: Percentiles, unit: fn(Duration) -> u64| json!({ "p50": unit(p.p50), "p95": unit(p.p95), "p99": unit(p.p99) });
    let micros = |d: Duration| u64::try_from(d.as_micros()).unwrap_or(u64::MAX);
    let counts = &report.counts;
    let dead_by_status: Map<String, Value> = report
        .dead_by_status
        .iter()
        .map(|(status, n)| (status.name().to_owned(), json!(n)))
        .collect();
    json!({
        "accepted": counts.accepted,
        "delivered": counts.delivered,
        "dead": counts.dead,
        "expired": counts.expired,
        "dropped": counts.dropped,
        "pending": counts.pending,
        "is_balanced": report.is_balanced(),
        "faults": report.faults,
        "lost": report.lost,
        "pending_bytes": report.pending_bytes,
        "oldest_age_ms": millis(report.oldest_age),
        "has_drainer": report.leader.is_some(),
        "leader": report.leader,
        "origins": report.origins.iter().map(origin).collect::<Vec<_>>(),
        "dead_by_status": dead_by_status,
        "delivery_age_ms": percentiles(report.delivery_age, millis),
        "attempt_latency_us": percentiles(report.attempt_latency, micros),
        "set_aside": report.set_aside.iter().map(|p| p.to_string_lossy()).collect::<Vec<_>>(),
    })
}

fn origin(origin: &OriginReport) -> Value {
    json!({
        "url": origin.url,
        "pending": origin.pending,
        "gate_failures": origin.gate_failures,
        "next_probe_ms": millis(origin.next_probe_in),
    })
}

pub(super) fn shown(shown: &ShownNotification) -> Value {
    let (kind, body) = shown
        .stored
        .as_ref()
        .map(|(kind, body)| (kind.as_str(), body_json(body)))
        .unzip();
    let mut value = send::as_json(kind, &shown.receipt);
    if let Some(fields) = value.as_object_mut() {
        fields.insert("may_have_arrived".to_owned(), shown.may_have_arrived.into());
        fields.insert("body".to_owned(), body.unwrap_or(Value::Null));
    }
    value
}

pub(super) fn pending(page: &[PendingNotification], next: Option<&str>) -> Value {
    let rows: Vec<Value> = page.iter().map(notification).collect();
    json!({ "pending": rows, "next": next })
}

fn notification(pending: &PendingNotification) -> Value {
    json!({
        "id": pending.id,
        "kind": pending.kind,
        "origin": pending.origin,
        "status": pending.status.code(),
        "status_name": pending.status.name(),
        "http_status": pending.http_status,
        "detail": pending.detail,
        "attempts": pending.attempts,
        "may_have_arrived": pending.may_have_arrived,
        "accepted_at_ms": unix_ms(pending.accepted_at),
        "age_ms": millis(pending.age),
        "body": body_json(&pending.body),
    })
}

pub(super) fn dead_letters(letters: &[DeadLetter]) -> Value {
    letters.iter().map(dead_letter).collect::<Vec<_>>().into()
}

pub(super) fn dead_letter(letter: &DeadLetter) -> Value {
    json!({
        "id": letter.id,
        "kind": letter.kind,
        "origin": letter.origin,
        "status": letter.status.code(),
        "status_name": letter.status.name(),
        "http_status": letter.http_status,
        "detail": letter.detail,
        "attempts": letter.attempts,
        "may_have_arrived": letter.may_have_arrived,
        "accepted_at_ms": unix_ms(letter.accepted_at),
        "died_at_ms": unix_ms(letter.died_at),
        "body": body_json(&letter.body),
    })
}

pub(super) fn salvage(report: &SalvageReport) -> Value {
    json!({
        "enqueued": report.enqueued,
        "already_there": report.already_there,
        "dead_letters_left": report.dead_letters_left,
        "may_have_arrived_left": report.may_have_arrived_left,
        "unreadable": report.unreadable,
    })
}
