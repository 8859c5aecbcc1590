//! The output of `queue` for a person.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use esales_notify::{
    DeadLetter, OriginReport, PendingNotification, Percentiles, SalvageReport, ShownNotification,
    SpoolReport,
};

/// A duration for a person.
pub(crate) fn span(duration: Duration) -> String {
    let s = duration.as_secs();
    match s {
        0 => format!("{} ms", duration.as_millis()),
        1..=119 => format!("{s} s"),
        120..=7199 => format!("{} min", s / 60),
        7200..=172_799 => format!("{} h", s / 3600),
        _ => format!("{} d", s / 86_400),
    }
}

fn ago(time: SystemTime) -> String {
    format!("{} ago", span(time.elapsed().unwrap_or_default()))
}

/// "1 notification", "2 notifications".
pub(crate) fn counted(n: u64, noun: &str) -> String {
    match n {
        1 => format!("1 {noun}"),
        n => format!("{n} {noun}s"),
    }
}

pub(super) fn report(report: &SpoolReport) -> String {
    let mut out = String::new();
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(out, "{name:<18}{value}");
    };
    let counts = &report.counts;
    row("accepted", &counts.accepted.to_string());
    row("delivered", &counts.delivered.to_string());
    row("dead", &dead(report));
    row("expired", &counts.expired.to_string());
    row("dropped", &counts.dropped.to_string());
    let pending = format!("{} ({} bytes)", counts.pending, report.pending_bytes);
    row("pending", &pending);
    if counts.pending > 0 {
        row("oldest waits for", &span(report.oldest_age));
    }
    if report.lost > 0 {
        row("lost", &format!("{}, by the engine", report.lost));
    }
    match &report.leader {
        Some(leader) => row("delivered by", leader),
        None => row("delivered by", "no process"),
    }
    if !report.attempt_latency.p99.is_zero() {
        row("age at delivery", &percentiles(report.delivery_age));
        row("latency", &percentiles(report.attempt_latency));
    }
    for origin in &report.origins {
        row("origin", &of_origin(origin));
    }
    for path in &report.set_aside {
        row("set aside", &format!("{} (damaged)", path.display()));
    }
    for fault in &report.faults {
        row("fault", fault);
    }
    out
}

fn dead(report: &SpoolReport) -> String {
    let dead = report.counts.dead;
    let by_status: Vec<String> = report
        .dead_by_status
        .iter()
        .map(|(status, n)| format!("{n} {status}"))
        .collect();
    match by_status.is_empty() {
        true => dead.to_string(),
        false => format!("{dead} ({})", by_status.join(", ")),
    }
}

fn percentiles(p: Percentiles) -> String {
    let [p50, p95, p99] = [p.p50, p.p95, p.p99].map(|d| format!("{:.1} ms", d.as_secs_f64() * 1e3));
    format!("p50 {p50}, p95 {p95}, p99 {p99}")
}

fn of_origin(origin: &OriginReport) -> String {
    let (url, pending) = (&origin.url, origin.pending);
    let gate = match origin.gate_failures {
        0 => "deliveries go through".to_owned(),
        n if origin.next_probe_in.is_zero() => {
            format!(
                "backing off after {}, next try is due",
                counted(n.into(), "failure")
            )
        }
        n => format!(
            "backing off after {}, next try in {}",
            counted(n.into(), "failure"),
            span(origin.next_probe_in)
        ),
    };
    format!("{url}: {pending} pending, {gate}")
}

/// A warning before a payment is sent again.
const TWICE: &str = "it may have arrived: the service counts it twice if it is sent again";

pub(super) fn shown(shown: &ShownNotification) -> String {
    let receipt = &shown.receipt;
    let mut out = format!("{}: {}\n", receipt.status, receipt.status.text());
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(out, "  {name:<10}{value}");
    };
    row("id", &receipt.id);
    if let Some((kind, _)) = &shown.stored {
        row("kind", kind);
    }
    if shown.may_have_arrived {
        row("caution", TWICE);
    }
    if !receipt.detail.is_empty() {
        row("detail", &receipt.detail);
    }
    if let Some(status) = receipt.http_status {
        row("HTTP", &status.to_string());
    }
    row("attempts", &receipt.attempts.to_string());
    row("age", &span(receipt.elapsed));
    if let Some((_, body)) = &shown.stored {
        row("body", body);
    }
    out
}

pub(super) fn pending(page: &[PendingNotification]) -> String {
    let mut out = String::new();
    for pending in page {
        let attempts = counted(pending.attempts.into(), "attempt");
        let line = format!(
            "{:<36}  {:<22}  {:<8}  {attempts:<11}  {}  {}",
            pending.id,
            pending.kind,
            span(pending.age),
            pending.origin,
            match pending.may_have_arrived {
                true => "is being sent, or may have arrived",
                false => pending.detail.as_str(),
            }
        );
        let _ = writeln!(out, "{}", line.trim_end());
    }
    if page.is_empty() {
        out.push_str("no pending notifications\n");
    }
    out
}

pub(super) fn dead_letters(letters: &[DeadLetter]) -> String {
    let mut out = String::new();
    for letter in letters {
        let _ = writeln!(
            out,
            "{:<36}  {:<22}  {:<22}  {:<12}  {}",
            letter.id,
            letter.kind,
            letter.status.name(),
            ago(letter.died_at),
            letter.detail
        );
    }
    if letters.is_empty() {
        out.push_str("no dead letters\n");
    }
    out
}

pub(super) fn dead_letter(letter: &DeadLetter) -> String {
    let mut out = format!("{}: {}\n", letter.status, letter.status.text());
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(out, "  {name:<10}{value}");
    };
    row("id", &letter.id);
    row("kind", &letter.kind);
    if letter.may_have_arrived {
        row("caution", TWICE);
    }
    row("detail", &letter.detail);
    if let Some(status) = letter.http_status {
        row("HTTP", &status.to_string());
    }
    row("attempts", &letter.attempts.to_string());
    row("accepted", &ago(letter.accepted_at));
    row("died", &ago(letter.died_at));
    row("origin", &letter.origin);
    row("body", &letter.body);
    out
}

pub(super) fn salvage(report: &SalvageReport) -> String {
    let mut out = format!("{} enqueued\n", counted(report.enqueued, "notification"));
    if report.already_there > 0 {
        let _ = writeln!(
            out,
            "{} skipped: the spool already has the id",
            counted(report.already_there, "notification")
        );
    }
    if report.dead_letters_left > 0 {
        let _ = writeln!(
            out,
            "{} skipped: --dead enqueues dead letters too",
            counted(report.dead_letters_left, "dead letter")
        );
    }
    if report.may_have_arrived_left > 0 {
        let left = counted(report.may_have_arrived_left, "payment");
        let _ = writeln!(out, "{left} skipped: they may have arrived");
    }
    for part in &report.unreadable {
        let _ = writeln!(out, "unreadable: {part}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue_status_names_the_leader_or_reports_that_no_process_delivers() {
        let mut spool = SpoolReport::default();
        assert!(report(&spool).contains("delivered by      no process\n"));
        spool.leader = Some("process 7 of www-data".to_owned());
        assert!(report(&spool).contains("delivered by      process 7 of www-data\n"));
    }

    #[test]
    fn queue_status_lists_faults_and_files_that_were_set_aside() {
        let mut spool = SpoolReport::default();
        spool.faults = vec!["the journal counts 2, the segments hold 1".to_owned()];
        spool.set_aside = vec!["/spool/damaged-1".into()];
        let text = report(&spool);
        assert!(
            text.contains("fault             the journal counts 2"),
            "{text}"
        );
        assert!(text.contains("set aside         /spool/damaged-1 (damaged)\n"));
    }

    #[test]
    fn salvage_reports_what_was_left_out_only_if_there_is_any() {
        let mut done = SalvageReport::default();
        done.enqueued = 1;
        assert_eq!(salvage(&done), "1 notification enqueued\n");
        done.already_there = 2;
        done.dead_letters_left = 1;
        done.may_have_arrived_left = 1;
        done.unreadable = vec!["segment-1: byte 7".to_owned()];
        assert_eq!(salvage(&done).lines().count(), 5);
    }
}
