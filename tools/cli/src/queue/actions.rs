//! The commands of `queue`.

use std::path::{Path, PathBuf};

use clap::ArgMatches;
use esales_notify::{DeadLetter, Error, SpoolAdmin, SpoolReport, Status, customer_key};
use serde_json::json;

use super::text::counted;
use super::{Answer, json as as_json, text as as_text};
use crate::{EXIT_LEFT, metrics};

/// No notification has the id.
const EXIT_UNKNOWN: u8 = 3;
/// The counters contradict one another, or the spool's contents.
const EXIT_UNBALANCED: u8 = 5;

fn text<'a>(args: &'a ArgMatches, name: &str) -> Option<&'a str> {
    args.get_one::<String>(name).map(String::as_str)
}

fn path(args: &ArgMatches) -> &Path {
    let path = args.get_one::<PathBuf>("path").map(PathBuf::as_path);
    path.unwrap_or(Path::new(""))
}

fn is_json(args: &ArgMatches) -> bool {
    args.get_flag("json")
}

fn unknown(message: String) -> Answer {
    Answer::new(String::new()).warn(message).code(EXIT_UNKNOWN)
}

/// The answer with a number: under its name in JSON, and in a sentence as text.
fn number(args: &ArgMatches, name: &str, n: u64, sentence: &str) -> Answer {
    Answer::new(match is_json(args) {
        true => format!("{}\n", json!({ name: n })),
        false => format!("{sentence}\n"),
    })
}

pub(super) fn status(spool: &SpoolAdmin, args: &ArgMatches) -> Result<Answer, Error> {
    Ok(report_answer(&spool.report()?, &spool.name(), args))
}

fn report_answer(report: &SpoolReport, spool: &str, args: &ArgMatches) -> Answer {
    let answer = Answer::new(if args.get_flag("prometheus") {
        metrics::page(report, spool, None)
    } else if is_json(args) {
        as_json::page(&as_json::report(report))
    } else {
        as_text::report(report)
    });
    if report.is_balanced() {
        return answer;
    }
    let message = match report.faults.first() {
        Some(fault) => format!("the counters are wrong: {fault}"),
        None => {
            "the counters are wrong: accepted is not delivered + dead + expired + dropped + pending"
                .to_owned()
        }
    };
    answer.warn(message).code(EXIT_UNBALANCED)
}

pub(super) fn list(spool: &SpoolAdmin, args: &ArgMatches) -> Result<Answer, Error> {
    let limit = args.get_one::<u64>("limit").copied().unwrap_or(100);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let (page, next) = spool.pending(text(args, "after"), limit)?;
    if is_json(args) {
        let shown = as_json::pending(&page, next.as_deref());
        return Ok(Answer::new(as_json::page(&shown)));
    }
    let answer = Answer::new(as_text::pending(&page));
    Ok(match next {
        Some(cursor) => answer.warn(format!("there are more: continue with --after {cursor}")),
        None => answer,
    })
}

pub(super) fn show(spool: &SpoolAdmin, args: &ArgMatches) -> Result<Answer, Error> {
    let id = text(args, "id").unwrap_or_default();
    let Some(shown) = spool.show(id)? else {
        return Ok(unknown(format!(
            "{}: the id {} is unknown: the spool never accepted it, or it left the spool more than \
            receipt_retention_s ago",
            Status::UnknownId,
            id.escape_debug()
        )));
    };
    Ok(Answer::new(match is_json(args) {
        true => as_json::page(&as_json::shown(&shown)),
        false => as_text::shown(&shown),
    }))
}

pub(super) fn retry_now(spool: &SpoolAdmin, args: &ArgMatches) -> Result<Answer, Error> {
    let n = spool.probe_now()?;
    let sentence = match n {
        0 => "deliveries are not backing off".to_owned(),
        n => format!("one delivery is tried at once for {}", counted(n, "origin")),
    };
    Ok(number(args, "probes", n, &sentence))
}

pub(super) fn purge(spool: &SpoolAdmin, args: &ArgMatches) -> Result<Answer, Error> {
    let key = match text(args, "customer-id") {
        Some(id) => customer_key(id)?,
        None => text(args, "customer-key").unwrap_or_default().to_owned(),
    };
    let n = spool.purge(&key)?;
    Ok(number(args, "purged", n, &format!("{n} erased")))
}

pub(super) fn backup(spool: &SpoolAdmin, args: &ArgMatches) -> Result<Answer, Error> {
    let n = spool.backup(path(args))?;
    let copied = counted(n, "pending notification");
    let sentence = format!("{copied} copied to {}", path(args).display());
    Ok(number(args, "pending", n, &sentence))
}

pub(super) fn salvage(spool: &SpoolAdmin, args: &ArgMatches) -> Result<Answer, Error> {
    let may_count_twice = args.get_flag("may-count-twice");
    let report = spool.salvage(path(args), args.get_flag("dead"), may_count_twice)?;
    let answer = Answer::new(match is_json(args) {
        true => as_json::page(&as_json::salvage(&report)),
        false => as_text::salvage(&report),
    });
    Ok(with_payments_left(answer, report.may_have_arrived_left))
}

/// The answer, with advice about payments that may have arrived.
fn with_payments_left(answer: Answer, left: u64) -> Answer {
    if left == 0 {
        return answer;
    }
    let payments = counted(left, "payment");
    answer
        .warn(format!(
            "{payments} skipped: they may have arrived, and the service counts a repeated payment twice. Check \
            the service's figures: if they did not arrive, add --may-count-twice; if they did, drop them with `queue dead drop`"
        ))
        .code(EXIT_LEFT)
}

pub(super) fn dead_list(spool: &SpoolAdmin, args: &ArgMatches) -> Result<Answer, Error> {
    let letters = spool.dead_letters()?;
    Ok(Answer::new(match is_json(args) {
        true => as_json::page(&as_json::dead_letters(&letters)),
        false => as_text::dead_letters(&letters),
    }))
}

pub(super) fn dead_show(spool: &SpoolAdmin, args: &ArgMatches) -> Result<Answer, Error> {
    let id = text(args, "id").unwrap_or_default();
    let letters = spool.dead_letters()?;
    let Some(letter) = letters.iter().rfind(|l| l.id == id) else {
        return Ok(unknown(format!(
            "no dead letter has the id {}",
            id.escape_debug()
        )));
    };
    Ok(Answer::new(match is_json(args) {
        true => as_json::page(&as_json::dead_letter(letter)),
        false => as_text::dead_letter(letter),
    }))
}

/// The dead letters in the arguments.
enum Chosen {
    /// Their ids; `None`: all.
    Ids(Option<Vec<String>>, Vec<DeadLetter>),
    /// No dead letter has this id.
    Unknown(String),
}

fn chosen(spool: &SpoolAdmin, args: &ArgMatches) -> Result<Chosen, Error> {
    let mut letters = spool.dead_letters()?;
    if args.get_flag("all") {
        return Ok(Chosen::Ids(None, letters));
    }
    let ids: Vec<String> = args
        .get_many::<String>("id")
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    let unknown = ids.iter().find(|id| letters.iter().all(|l| l.id != **id));
    if let Some(id) = unknown {
        return Ok(Chosen::Unknown(id.clone()));
    }
    letters.retain(|letter| ids.contains(&letter.id));
    Ok(Chosen::Ids(Some(ids), letters))
}

fn unknown_dead_letter(id: &str) -> Answer {
    unknown(format!(
        "no dead letter has the id {}; nothing was changed",
        id.escape_debug()
    ))
}

pub(super) fn dead_retry(
    spool: &SpoolAdmin,
    args: &ArgMatches,
    private_key: Option<&str>,
) -> Result<Answer, Error> {
    let (ids, letters) = match chosen(spool, args)? {
        Chosen::Ids(ids, letters) => (ids, letters),
        Chosen::Unknown(id) => return Ok(unknown_dead_letter(&id)),
    };
    let may_count_twice = args.get_flag("may-count-twice");
    let report = spool.retry_dead(ids.as_deref(), private_key, may_count_twice)?;
    let answer = Answer::new(match is_json(args) {
        true => format!(
            "{}\n",
            json!({ "retried": report.retried, "left": report.left })
        ),
        false => format!("{} enqueued again\n", report.retried),
    });
    let answer = with_payments_left(answer, report.left);
    let refused = letters
        .iter()
        .filter(|letter| letter.is_signed && letter.status == Status::Forbidden)
        .count();
    Ok(match (private_key, refused) {
        (None, 1..) => answer.warn(format!(
            "{refused} of them died with ESALES_FORBIDDEN and are sent again with the old token: after a \
            rotation of the private key, set ESALES_PRIVATE_KEY to the new key, and they are signed again"
        )),
        _ => answer,
    })
}

pub(super) fn dead_drop(spool: &SpoolAdmin, args: &ArgMatches) -> Result<Answer, Error> {
    let ids = match chosen(spool, args)? {
        Chosen::Ids(ids, _) => ids,
        Chosen::Unknown(id) => return Ok(unknown_dead_letter(&id)),
    };
    let n = spool.drop_dead(ids.as_deref())?;
    Ok(number(args, "dropped", n, &format!("{n} dropped")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(report: &SpoolReport, form: &[&str]) -> Answer {
        let line = ["queue", "status"].iter().chain(form);
        let matches = super::super::command().get_matches_from(line);
        report_answer(
            report,
            "/spool",
            matches.subcommand_matches("status").unwrap(),
        )
    }

    #[test]
    fn queue_status_exits_5_when_counters_are_wrong_or_faults_exist() {
        let mut unbalanced = SpoolReport::default();
        unbalanced.counts.delivered = 1;
        let mut faulty = SpoolReport::default();
        faulty.faults = vec!["a segment is missing".to_owned()];
        for form in [&[][..], &["--json"], &["--prometheus"]] {
            assert_eq!(answer(&SpoolReport::default(), form).code, 0);
            for (report, message) in [(&unbalanced, "accepted is not"), (&faulty, "a segment")] {
                let answer = answer(report, form);
                assert_eq!(answer.code, EXIT_UNBALANCED);
                assert!(answer.warnings.iter().any(|w| w.contains(message)));
                assert!(!answer.text.is_empty());
            }
        }
        assert!(
            answer(&faulty, &["--prometheus"])
                .text
                .contains("esales_queue_balanced{spool=\"/spool\"} 0.0\n")
        );
    }
}
