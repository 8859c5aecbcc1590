//! The spool: whether it can be used here, and whether what is in it gets away.

use std::fs;
use std::path::Path;
use std::time::Duration;

use esales_notify::{Config, SpoolFile, SpoolReport, Status};

use super::place;
use super::report::Check;
use crate::queue::{millis, span};

/// In their order.
const NAMES: [&str; 7] = [
    "path",
    "permissions",
    "space",
    "contents",
    "drainer",
    "waiting",
    "dead",
];
/// What waits longer than the gate's usual longest pause.
const LONG: Duration = Duration::from_secs(300);

pub(super) fn checks(config: Option<&Config>) -> Vec<Check> {
    let mut checks = Vec::new();
    let why = match config {
        None => return NAMES.map(|name| Check::not_tried(name, "options")).into(),
        Some(config) => look(config, &mut checks),
    };
    let left = NAMES.iter().skip(checks.len());
    let left: Vec<Check> = left
        .map(|name| match &why {
            Some(why) => Check::skipped(name, why),
            None => Check::not_tried(name, checks.last().map_or("path", |check| check.name)),
        })
        .collect();
    checks.extend(left);
    checks
}

/// Adds the checks that can be made, and returns why the others need not, or (`None`) cannot.
fn look(config: &Config, checks: &mut Vec<Check>) -> Option<String> {
    let path = match SpoolFile::path(config) {
        Ok(Some(path)) => path,
        Ok(None) => {
            let why = "spool is not set: a queue is in the memory of its process, and lost with it";
            return Some(why.to_owned());
        }
        // Not about the place: the options contradict one another, which the configuration's check has told.
        Err(e) if !e.detail().starts_with("spool ") => {
            let all = NAMES.map(|name| Check::not_tried(name, "options"));
            checks.extend(all);
            return None;
        }
        Err(e) => {
            let advice = "an enqueue is refused there: make a folder for the spool alone, of the shop's user, with \
                          mode 0700";
            checks.push(Check::failed("path", e.detail(), advice));
            return None;
        }
    };
    let file = fs::symlink_metadata(&path).ok();
    let shown = path.display();
    checks.push(
        Check::ok(
            "path",
            match file {
                Some(_) => shown.to_string(),
                None => format!("{shown} (there is no such file yet: the first enqueue makes it)"),
            },
        )
        .fact("path", shown.to_string())
        .fact("exists", file.is_some()),
    );
    let folder = path.parent().unwrap_or(Path::new("/"));
    let (is_ours, check) = place::permissions(&path, folder, file.as_ref());
    checks.push(check);
    checks.push(place::space(folder, number(config, "max_bytes")));
    if file.is_none() {
        return Some("nothing was ever put in".to_owned());
    }
    if !is_ours {
        return Some("the spool belongs to another user, as whom this must be run".to_owned());
    }
    let report = SpoolFile::open(config).and_then(|spool| spool.report());
    match report {
        Err(e) => {
            checks.push(Check::failed("contents", e.detail(), of_unusable(&e)));
            None
        }
        Ok(report) => {
            checks.push(contents(&report));
            checks.push(drainer(&report, config.get("delivery") == Some("none")));
            checks.push(waiting(&report, config));
            checks.push(dead(&report));
            None
        }
    }
}

fn number(config: &Config, name: &str) -> u64 {
    config.get(name).and_then(|v| v.parse().ok()).unwrap_or(0)
}

fn of_unusable(e: &esales_notify::Error) -> &'static str {
    let words = e.detail();
    if e.status() != Status::SpoolFailed {
        "mend the options"
    } else if words.contains("of version") {
        "the library or this command is older than what made the spool: update it"
    } else if words.contains("another program") {
        "the option spool names a file that is not a spool: name another one"
    } else if words.contains("busy") {
        "some process holds the spool: see who has it open (`fuser FILE`)"
    } else {
        "the next enqueue or delivery sets a damaged spool aside and begins a new one; if it cannot, move the file \
         away and keep it"
    }
}

fn contents(report: &SpoolReport) -> Check {
    let c = &report.counts;
    let found = format!(
        "{} accepted = {} delivered + {} dead + {} expired + {} dropped + {} pending",
        c.accepted, c.delivered, c.dead, c.expired, c.dropped, c.pending
    );
    let aside: Vec<String> = report
        .set_aside
        .iter()
        .map(|p| p.display().to_string())
        .collect();
    let check = if !report.is_balanced() {
        let (pending, dead) = report.found;
        let found = format!("{found} does not hold; really there: {pending} pending, {dead} dead");
        Check::failed(
            "contents",
            found,
            "the spool is damaged: keep a copy, and report it",
        )
    } else if !aside.is_empty() {
        Check::warning(
            "contents",
            format!(
                "{found}; damaged spools were set aside: {}",
                aside.join(", ")
            ),
            "what could be read was taken over; delete them when you do not need them, and check the disk",
        )
    } else {
        Check::ok("contents", found)
    };
    check
        .fact("accepted", c.accepted)
        .fact("delivered", c.delivered)
        .fact("expired", c.expired)
        .fact("dropped", c.dropped)
        .fact("set_aside", aside)
}

fn waiting_words(pending: u64) -> String {
    match pending {
        1 => "1 notification waits".to_owned(),
        n => format!("{n} notifications wait"),
    }
}

fn drainer(report: &SpoolReport, is_drained_apart: bool) -> Check {
    let pending = report.counts.pending;
    let start = "start `esales-notify drain` (there is a systemd unit), or look why it ended";
    let check = if report.has_drainer {
        Check::ok("drainer", "some process is delivering this spool")
    } else if pending > 0 {
        let found = format!("{}, and no process delivers", waiting_words(pending));
        let advice = match is_drained_apart {
            true => start.to_owned(),
            false => format!(
                "the shop's processes begin again at the next event; so as not to wait for it, {start}"
            ),
        };
        Check::failed("drainer", found, advice)
    } else if is_drained_apart {
        Check::warning(
            "drainer",
            "nothing waits, but delivery is none, and no process delivers",
            start,
        )
    } else {
        Check::ok("drainer", "nothing waits, so none is needed")
    };
    check.fact("has_drainer", report.has_drainer)
}

fn waiting(report: &SpoolReport, config: &Config) -> Check {
    let pending = report.counts.pending;
    let age = report.oldest_age;
    let max_age = Duration::from_secs(number(config, "max_age_s"));
    let nearly = |n: u64, max: u64| n >= max - max / 10;
    let failing: Vec<String> = report
        .destinations
        .iter()
        .filter(|(_, n, failures, _)| *n > 0 && *failures > 0)
        .map(|(url, n, failures, wait)| {
            format!(
                "{n} for {url}: {failures} failures in a row, next try in {}",
                span(*wait)
            )
        })
        .collect();
    let found = match pending {
        0 => "nothing waits".to_owned(),
        n => format!(
            "{} ({} bytes), the oldest for {}",
            waiting_words(n),
            report.pending_bytes,
            span(age)
        ),
    };
    let found = match failing.as_slice() {
        [] => found,
        _ => format!("{found}; {}", failing.join("; ")),
    };
    let check = if pending > 0 && age > max_age / 2 {
        let advice = format!(
            "they expire after {} (max_age_s): see to the delivery at once, or raise max_age_s",
            span(max_age)
        );
        Check::failed("waiting", found, advice)
    } else if nearly(pending, number(config, "max_items"))
        || nearly(report.pending_bytes, number(config, "max_bytes"))
    {
        let advice =
            "the queue is nearly full (max_items, max_bytes): see to the delivery, or raise them";
        Check::warning("waiting", found, advice)
    } else if !failing.is_empty() || (pending > 0 && age > LONG) {
        let advice = "deliveries fail or stand still: see the network above, and what `esales-notify drain` or the \
                      shop's log says";
        Check::warning("waiting", found, advice)
    } else {
        Check::ok("waiting", found)
    };
    check
        .fact("pending", pending)
        .fact("pending_bytes", report.pending_bytes)
        .fact("oldest_age_ms", millis(age))
}

fn dead(report: &SpoolReport) -> Check {
    let by_status = &report.dead_by_status;
    let facts: serde_json::Map<String, serde_json::Value> = by_status
        .iter()
        .map(|(status, n)| (status.name().to_owned(), (*n).into()))
        .collect();
    let words: Vec<String> = by_status
        .iter()
        .map(|(status, n)| format!("{n} {status}"))
        .collect();
    let check = match words.as_slice() {
        [] => Check::ok("dead", "no dead letters"),
        _ => Check::warning("dead", words.join(", "), of_dead(by_status)),
    };
    check.fact("by_status", facts)
}

fn of_dead(by_status: &[(Status, u64)]) -> String {
    let mut advice: Vec<&str> = by_status
        .iter()
        .map(|(status, _)| match status {
            Status::TicketMissing => "ESALES_TICKET_MISSING: the shop passes no ticket.",
            Status::Forbidden => {
                "ESALES_FORBIDDEN: the private key was wrong or was rotated; with the right one in \
                 ESALES_PRIVATE_KEY, `esales-notify queue dead retry --all` signs them anew."
            }
            Status::Rejected => {
                "ESALES_REJECTED: a wrong address, or the v1 API is not enabled for the cluster; then `esales-notify \
                 queue dead retry --all`."
            }
            _ => "Others: read their details.",
        })
        .collect();
    advice.dedup();
    advice.push("`esales-notify queue dead list` shows each; `queue dead drop` lets them go");
    advice.join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::report::State;
    use super::*;

    #[test]
    fn skipped_checks_keep_the_list_whole() {
        let checks = checks(None);
        assert_eq!(checks.len(), NAMES.len());
        assert!(checks.iter().all(|c| c.state == State::Skipped));
    }

    #[test]
    fn each_reason_of_a_dead_letter_has_its_advice_once() {
        let advice = of_dead(&[
            (Status::TicketMissing, 3),
            (Status::Forbidden, 1),
            (Status::Rejected, 1),
        ]);
        for words in [
            "passes no ticket",
            "ESALES_PRIVATE_KEY",
            "v1 API",
            "dead list",
        ] {
            assert_eq!(advice.matches(words).count(), 1, "{words}");
        }
    }

    #[test]
    fn a_spool_that_nobody_drains_is_as_bad_as_what_waits() {
        let report = |pending, has_drainer| {
            let mut report = SpoolReport::default();
            report.counts.pending = pending;
            report.has_drainer = has_drainer;
            report
        };
        for (pending, has_drainer, is_apart, state) in [
            (0, true, true, State::Ok),
            (9, true, false, State::Ok),
            (0, false, false, State::Ok),
            (0, false, true, State::Warning),
            (1, false, false, State::Failed),
            (1, false, true, State::Failed),
        ] {
            assert_eq!(
                drainer(&report(pending, has_drainer), is_apart).state,
                state
            );
        }
    }

    #[test]
    fn what_waits_too_long_or_fills_the_queue_is_told() {
        let mut config = Config::new();
        config.set("max_items", "100").unwrap();
        for (pending, age_s, state) in [
            (0, 0, State::Ok),
            (89, 300, State::Ok),
            (90, 0, State::Warning),
            (1, 301, State::Warning),
            (1, 43_200, State::Warning),
            (1, 43_201, State::Failed),
        ] {
            let mut report = SpoolReport::default();
            report.counts.pending = pending;
            report.oldest_age = Duration::from_secs(age_s);
            assert_eq!(waiting(&report, &config).state, state, "{pending} {age_s}");
        }
    }
}
