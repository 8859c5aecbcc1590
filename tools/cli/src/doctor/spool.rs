//! The spool: whether this user can use it, and whether its notifications are delivered.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use esales_notify::{Config, Error, SpoolAdmin, SpoolReport, Status};

use super::report::Check;
use super::{engine, place};
use crate::millis;
use crate::options;
use crate::queue::{counted, span};

/// The checks, in order.
const NAMES: [&str; 8] = [
    "path",
    "permissions",
    "filesystem",
    "space",
    "contents",
    "drainer",
    "waiting",
    "dead",
];
/// Longer than the default of `gate_max_ms`.
const LONG: Duration = Duration::from_secs(300);

pub(super) fn checks(config: Option<&Config>) -> Vec<Check> {
    if let Some(config) = config
        && let Ok(Some(_)) = SpoolAdmin::engine(config)
    {
        return of_engine(config);
    }
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

/// The checks of a spool in an engine.
fn of_engine(config: &Config) -> Vec<Check> {
    let (mut checks, is_usable) = engine::checks(config);
    let contents = ["contents", "drainer", "waiting", "dead"];
    if !is_usable {
        checks.extend(contents.map(|name| Check::not_tried(name, "engine")));
        return checks;
    }
    match SpoolAdmin::open(config).and_then(|spool| spool.report()) {
        Err(e) if e.detail().contains("nothing was ever enqueued") => {
            let why = "no notification was ever enqueued";
            checks.extend(contents.map(|name| Check::skipped(name, why)));
        }
        Err(e) => {
            checks.push(Check::failed(
                "contents",
                e.detail(),
                "read the engine's log",
            ));
            let others = contents.iter().skip(1);
            checks.extend(others.map(|name| Check::not_tried(name, "contents")));
        }
        Ok(report) => {
            checks.push(self::contents(&report));
            checks.push(drainer(&report, config.get("delivery") == Some("none")));
            checks.push(waiting(&report, config));
            checks.push(dead(&report));
        }
    }
    checks
}

/// Adds the checks that can be made. Returns the reason why the others are not needed; `None`: they cannot be made.
fn look(config: &Config, checks: &mut Vec<Check>) -> Option<String> {
    let named = config.get("spool").unwrap_or_default();
    let path = match SpoolAdmin::path(config) {
        Ok(Some(path)) => path,
        Ok(None) => {
            let why =
                "spool is not set: the queue is in the memory of each process, and lost with it";
            return Some(why.to_owned());
        }
        // The options contradict each other; the check of the configuration reports that.
        Err(e) if !e.detail().starts_with("spool ") => {
            let all = NAMES.map(|name| Check::not_tried(name, "options"));
            checks.extend(all);
            return None;
        }
        Err(e) => {
            let path = Path::new(named);
            if let Some(check) = place::foreign(path, e.detail()) {
                checks.push(path_check(path, true));
                checks.push(check);
            } else {
                checks.push(Check::failed("path", e.detail(), of_refused(path)));
            }
            return None;
        }
    };
    let directory = fs::symlink_metadata(&path).ok();
    checks.push(path_check(&path, directory.is_some()));
    let parent = path.parent().unwrap_or(Path::new("/"));
    let (is_usable, check) = place::permissions(&path, parent, directory.as_ref());
    checks.push(check);
    checks.push(place::filesystem(parent));
    checks.push(place::space(parent, options::number(config, "max_bytes")));
    if directory.is_none() {
        return Some("no notification was ever enqueued".to_owned());
    }
    if !is_usable {
        return Some("this user cannot use the spool".to_owned());
    }
    let report = SpoolAdmin::open(config).and_then(|spool| spool.report());
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

fn path_check(path: &Path, exists: bool) -> Check {
    let shown = path.display().to_string();
    let found = match exists {
        true => shown.clone(),
        false => format!("{shown} (it does not exist yet: the first enqueue makes it)"),
    };
    Check::ok("path", found)
        .fact("path", shown)
        .fact("exists", exists)
}

/// Advice about a path that the library refuses.
fn of_refused(path: &Path) -> &'static str {
    if path.is_relative() {
        "name the spool by an absolute path, such as /var/lib/esales-notify/spool: a relative path means another \
         directory in every process, and may lie below the web root, where anybody can fetch it"
    } else if is_sqlite(path) {
        "a spool is a directory now, and this is the SQLite file of an older version: name another path, such as \
         /var/lib/esales-notify/spool; the pending notifications in the file stay there"
    } else {
        "an enqueue is refused there: make a folder of mode 0700 that belongs to the shop's user, and let the spool be \
         a directory inside it"
    }
}

fn is_sqlite(path: &Path) -> bool {
    const MAGIC: &[u8] = b"SQLite format 3\0";
    let mut start = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut start));
    read.is_ok() && start == MAGIC
}

fn of_unusable(e: &Error) -> &'static str {
    let message = e.detail();
    if e.status() != Status::SpoolFailed {
        "fix the options"
    } else if message.contains("version") {
        "a newer version of the library made the spool: update this command and the library"
    } else if message.contains("busy") {
        "a process holds the spool: `fuser -v DIR/*` shows which"
    } else {
        "the disk or the spool's files are damaged: copy the directory, read the shop's log, and name a new spool; `esales-notify queue salvage DIR` enqueues the readable notifications of the old one"
    }
}

fn contents(report: &SpoolReport) -> Check {
    let c = &report.counts;
    let counters = format!(
        "{} accepted = {} delivered + {} dead + {} expired + {} dropped + {} pending",
        c.accepted, c.delivered, c.dead, c.expired, c.dropped, c.pending
    );
    let aside: Vec<String> = report
        .set_aside
        .iter()
        .map(|p| p.display().to_string())
        .collect();
    let check = if !report.is_balanced() {
        let found = match report.faults.as_slice() {
            [] => format!("{counters} does not hold"),
            faults => format!("{counters}; but {}", faults.join("; ")),
        };
        Check::failed(
            "contents",
            found,
            "the spool is damaged: make a copy with `esales-notify queue backup DIR`, check the disk, and report it",
        )
    } else if report.lost > 0 {
        Check::warning(
            "contents",
            format!(
                "{counters}; the engine has lost {} that were accepted",
                report.lost
            ),
            "the engine was restarted without its data, or a replica without the newest notifications became the primary: see \
             docs/fleet.md, and set durability = replica or disk if that must not happen again",
        )
    } else if !aside.is_empty() {
        Check::warning(
            "contents",
            format!(
                "{counters}; damaged files were set aside: {}",
                aside.join(", ")
            ),
            "each line of these files is a record that cannot be read, and everything else was kept: if there is a \
             backup, `esales-notify queue salvage DIR` enqueues what is missing, and nothing twice; then delete the \
             files, and check the disk",
        )
    } else {
        Check::ok("contents", counters)
    };
    check
        .fact("accepted", c.accepted)
        .fact("delivered", c.delivered)
        .fact("expired", c.expired)
        .fact("dropped", c.dropped)
        .fact("set_aside", aside)
        .fact("faults", report.faults.as_slice())
}

/// "1 notification waits", "2 notifications wait".
fn pending_notifications(pending: u64) -> String {
    let verb = if pending == 1 { "waits" } else { "wait" };
    format!("{} {verb}", counted(pending, "notification"))
}

fn drainer(report: &SpoolReport, is_drained_apart: bool) -> Check {
    let pending = report.counts.pending;
    let start = "start `esales-notify drain` (there is a systemd unit), or find out why it ended";
    let check = if let Some(leader) = &report.leader {
        Check::ok("drainer", format!("{leader} delivers this spool"))
    } else if pending > 0 {
        let found = format!(
            "{}, and no process delivers",
            pending_notifications(pending)
        );
        let advice = match is_drained_apart {
            true => start.to_owned(),
            false => format!(
                "the shop's processes deliver again from the next event on; to deliver before that, {start}"
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
        Check::ok("drainer", "nothing waits, so no process needs to deliver")
    };
    check
        .fact("has_drainer", report.leader.is_some())
        .fact("leader", report.leader.as_deref())
}

fn waiting(report: &SpoolReport, config: &Config) -> Check {
    let pending = report.counts.pending;
    let age = report.oldest_age;
    let max_age = Duration::from_secs(options::number(config, "max_age_s"));
    let nearly = |n: u64, max: u64| n >= max - max / 10;
    let failing: Vec<String> = report
        .origins
        .iter()
        .filter(|origin| origin.pending > 0 && origin.gate_failures > 0)
        .map(|origin| {
            format!(
                "{} for {}: {} in a row, next try in {}",
                origin.pending,
                origin.url,
                counted(origin.gate_failures.into(), "failure"),
                span(origin.next_probe_in)
            )
        })
        .collect();
    let found = match pending {
        0 => "nothing waits".to_owned(),
        n => format!(
            "{} ({} bytes), the oldest for {}",
            pending_notifications(n),
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
            "they expire after {} (max_age_s): restore delivery at once, or raise max_age_s",
            span(max_age)
        );
        Check::failed("waiting", found, advice)
    } else if nearly(pending, options::number(config, "max_items"))
        || nearly(report.pending_bytes, options::number(config, "max_bytes"))
    {
        let advice = "the queue is nearly full (max_items, max_bytes): restore delivery, or raise the limits";
        Check::warning("waiting", found, advice)
    } else if !failing.is_empty() {
        let advice = "deliveries fail: see the network above, and the log of `esales-notify drain` or of the shop; when \
                      the cause is gone, `esales-notify queue retry --now` ends the pause";
        Check::warning("waiting", found, advice)
    } else if pending > 0 && age > LONG {
        let advice = "no delivery succeeds: see the network above, and the log of `esales-notify drain` or of the shop";
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
    let counts: Vec<String> = by_status
        .iter()
        .map(|(status, n)| format!("{n} {status}"))
        .collect();
    let check = match counts.as_slice() {
        [] => Check::ok("dead", "no dead letters"),
        _ => Check::warning("dead", counts.join(", "), of_dead(by_status)),
    };
    check.fact("by_status", facts)
}

fn of_dead(by_status: &[(Status, u64)]) -> String {
    let mut advice: Vec<&str> = by_status
        .iter()
        .map(|(status, _)| match status {
            Status::BadRequest => "ESALES_BAD_REQUEST: the shop passes no ticket, product key or order line.",
            Status::Forbidden => {
                "ESALES_FORBIDDEN: the private key was wrong or was rotated; with the right one in \
                 ESALES_PRIVATE_KEY, `esales-notify queue dead retry --all` signs them anew. Without the key it sends \
                 them again with the old tokens."
            }
            Status::Rejected => {
                "ESALES_REJECTED: a wrong address, or the v1 API is not enabled for the cluster; then `esales-notify \
                 queue dead retry --all`."
            }
            Status::MayHaveArrived => {
                "Payments that may have arrived: look each up in the service's figures. Drop those that are there; \
                 `esales-notify queue dead retry --may-count-twice ID` sends the others."
            }
            _ => "For all others, see their details.",
        })
        .collect();
    advice.dedup();
    advice.push("`esales-notify queue dead list` shows each; `queue dead drop` drops them");
    advice.join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::report::CheckState;
    use super::*;

    #[test]
    fn spool_checks_are_listed_as_skipped_when_there_is_no_configuration() {
        let checks = checks(None);
        assert_eq!(checks.len(), NAMES.len());
        assert!(checks.iter().all(|c| c.state == CheckState::Skipped));
    }

    #[test]
    fn advice_names_each_reason_of_dead_letters_once() {
        let advice = of_dead(&[
            (Status::BadRequest, 3),
            (Status::Forbidden, 1),
            (Status::Rejected, 1),
            (Status::MayHaveArrived, 1),
        ]);
        for part in [
            "passes no ticket,",
            "ESALES_PRIVATE_KEY",
            "v1 API",
            "may have arrived",
            "dead list",
        ] {
            assert_eq!(advice.matches(part).count(), 1, "{part}");
        }
    }

    #[test]
    fn drainer_check_fails_when_notifications_wait_and_no_process_delivers() {
        let report = |pending, leader: Option<&str>| {
            let mut report = SpoolReport::default();
            report.counts.pending = pending;
            report.leader = leader.map(str::to_owned);
            report
        };
        for (pending, leader, is_apart, state) in [
            (0, Some("process 7"), true, CheckState::Ok),
            (9, Some("process 7"), false, CheckState::Ok),
            (0, None, false, CheckState::Ok),
            (0, None, true, CheckState::Warning),
            (1, None, false, CheckState::Failed),
            (1, None, true, CheckState::Failed),
        ] {
            assert_eq!(drainer(&report(pending, leader), is_apart).state, state);
        }
    }

    #[test]
    fn waiting_check_warns_of_old_notifications_and_of_a_nearly_full_queue() {
        let mut config = Config::new();
        config.set("max_items", "100").unwrap();
        for (pending, age_s, state) in [
            (0, 0, CheckState::Ok),
            (89, 300, CheckState::Ok),
            (90, 0, CheckState::Warning),
            (1, 301, CheckState::Warning),
            (1, 43_200, CheckState::Warning),
            (1, 43_201, CheckState::Failed),
        ] {
            let mut report = SpoolReport::default();
            report.counts.pending = pending;
            report.oldest_age = Duration::from_secs(age_s);
            assert_eq!(waiting(&report, &config).state, state, "{pending} {age_s}");
        }
    }

    #[test]
    fn contents_check_reports_faults_and_files_that_were_set_aside() {
        let mut report = SpoolReport::default();
        assert_eq!(contents(&report).state, CheckState::Ok);
        report.set_aside = vec!["/spool/damaged-1".into()];
        let check = contents(&report);
        assert_eq!(check.state, CheckState::Warning);
        assert!(check.found.contains("/spool/damaged-1"), "{check:?}");
        report.faults = vec!["the journal counts 2, the segments hold 1".to_owned()];
        let check = contents(&report);
        assert_eq!(check.state, CheckState::Failed);
        assert!(
            check.found.contains("but the journal counts 2"),
            "{check:?}"
        );
    }
}
