//! `queue`: what an operator does with a spool: look, repair, replay, erase.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command};
use esales_notify::{
    DeadLetter, Error, LogLevel, Percentiles, Receipt, SpoolFile, SpoolReport, customer_key, log_to,
};
use serde_json::{Value, json};

use crate::{of_spool, options, prometheus, send};

/// No notification has the id.
const EXIT_UNKNOWN: u8 = 3;
/// The counters contradict one another, or what is in the spool.
const EXIT_UNBALANCED: u8 = 5;

const LONG_ABOUT: &str = "\
Looks into a spool and repairs it: the file that the option spool (--spool, ESALES_SPOOL) names. It may be used while \
any number of processes put in and deliver, and must be run by the user who owns the spool. No command shows a token.";

const EXIT_CODES: &str = "\
Exit code: 0 done; 2 wrong usage or options, or no such spool; 3 no notification (dead letter) has that id, and \
nothing was changed; 5 the counters of the spool contradict one another (status); 6 the spool could not be used.";

/// What a command has to say.
struct Answer {
    text: String,
    code: u8,
}

impl Answer {
    fn of(text: String) -> Answer {
        Answer { text, code: 0 }
    }

    /// Words for a person go to stderr.
    fn unknown(words: &str) -> Answer {
        errln!("esales-notify: {words}");
        Answer {
            text: String::new(),
            code: EXIT_UNKNOWN,
        }
    }

    fn count(args: &ArgMatches, name: &str, n: u64, words: &str) -> Answer {
        Answer::of(if args.get_flag("json") {
            format!("{}\n", json!({ name: n }))
        } else {
            format!("{n} {words}\n")
        })
    }
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .action(ArgAction::SetTrue)
        .help(help)
}

/// A command that works on a spool.
fn leaf(name: &'static str, about: &'static str) -> Command {
    Command::new(name)
        .about(about)
        .after_help(EXIT_CODES)
        .arg(flag("json", "For programs: as JSON"))
        .args(options::flags().filter(|flag| flag.get_id() == "spool"))
}

fn id() -> Arg {
    Arg::new("id")
        .value_name("ID")
        .required(true)
        .help("The notification's id")
}

/// Ids, or all: one of the two must be said.
fn chosen(command: Command, all: &'static str) -> Command {
    command
        .arg(
            Arg::new("id")
                .value_name("ID")
                .num_args(1..)
                .help("Those with these ids"),
        )
        .arg(flag("all", all))
        .group(ArgGroup::new("which").args(["id", "all"]).required(true))
}

pub(crate) fn command() -> Command {
    Command::new("queue")
        .about("Look into a spool: its state, its dead letters; replay, drop, erase")
        .long_about(LONG_ABOUT)
        .after_help(EXIT_CODES)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            leaf("status", "Show the spool in numbers, its gates, and whether it is being drained")
                .arg(flag("prometheus", "In the Prometheus text exposition format").conflicts_with("json")),
        )
        .subcommand(leaf("show", "Show what is known of a notification, without its token").arg(id()))
        .subcommand(
            Command::new("dead")
                .about("Look at dead letters (refused for good by the service), put them back, drop them")
                .after_help(EXIT_CODES)
                .subcommand_required(true)
                .arg_required_else_help(true)
                .subcommand(leaf("list", "List the dead letters, oldest first"))
                .subcommand(leaf("show", "Show a dead letter, the newest with that id").arg(id()))
                .subcommand(
                    chosen(
                        leaf("retry", "Put dead letters back at the end of the queue; their age counts from now"),
                        "Every dead letter",
                    )
                    .arg(
                        Arg::new("private-key")
                            .long("private-key")
                            .value_name("SECRET")
                            .env("ESALES_PRIVATE_KEY")
                            .hide_env_values(true)
                            .help("Make the tokens of signed-in visitors anew with this key, as after a rotation (better in the environment)"),
                    ),
                )
                .subcommand(chosen(leaf("drop", "Drop dead letters; they count as dropped"), "Every dead letter")),
        )
        .subcommand(
            leaf("purge", "Erase everything of one visitor: pending notifications, dead letters, their receipts")
                .arg(
                    Arg::new("customer-key")
                        .long("customer-key")
                        .value_name("KEY")
                        .help("The visitor's customer key"),
                )
                .arg(
                    Arg::new("customer-id")
                        .long("customer-id")
                        .value_name("ID")
                        .help("A signed-in visitor's id in the shop, from which the customer key is made"),
                )
                .group(
                    ArgGroup::new("visitor")
                        .args(["customer-key", "customer-id"])
                        .required(true),
                ),
        )
}

pub(crate) fn run(args: &ArgMatches) -> Result<ExitCode, String> {
    type Run = fn(&SpoolFile, &ArgMatches) -> Result<Answer, Error>;
    let (run, args): (Run, _) = match args.subcommand() {
        Some(("status", args)) => (status, args),
        Some(("show", args)) => (show, args),
        Some(("purge", args)) => (purge, args),
        Some(("dead", args)) => match args.subcommand() {
            Some(("list", args)) => (dead_list, args),
            Some(("show", args)) => (dead_show, args),
            Some(("retry", args)) => (dead_retry, args),
            Some(("drop", args)) => (dead_drop, args),
            _ => return Err("no such command".to_owned()),
        },
        _ => return Err("no such command".to_owned()),
    };
    let config = options::config(args)?;
    // Such as a damaged spool that was set aside just now.
    let warn = |_, words: &str| errln!("esales-notify: {words}");
    log_to(LogLevel::Warn, Some(Box::new(warn)));
    let answer = SpoolFile::open(&config).and_then(|spool| run(&spool, args));
    let answer = match answer {
        Ok(answer) => answer,
        Err(e) => return of_spool(Err(e)),
    };
    out!("{}", answer.text);
    Ok(ExitCode::from(answer.code))
}

fn text<'a>(args: &'a ArgMatches, name: &str) -> Option<&'a str> {
    args.get_one::<String>(name).map(String::as_str)
}

fn status(spool: &SpoolFile, args: &ArgMatches) -> Result<Answer, Error> {
    let report = spool.report()?;
    let text = if args.get_flag("prometheus") {
        prometheus::page(&report)
    } else if args.get_flag("json") {
        format!("{:#}\n", report_json(&report))
    } else {
        report_text(&report)
    };
    let mut answer = Answer::of(text);
    if !report.is_balanced() {
        errln!(
            "esales-notify: the counters are wrong: accepted is not delivered + dead + expired + dropped + pending"
        );
        answer.code = EXIT_UNBALANCED;
    }
    Ok(answer)
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn unix_ms(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, millis)
}

fn report_json(report: &SpoolReport) -> Value {
    let percentiles = |p: Percentiles, of: fn(Duration) -> u64| json!({ "p50": of(p.p50), "p95": of(p.p95), "p99": of(p.p99) });
    let micros = |d: Duration| u64::try_from(d.as_micros()).unwrap_or(u64::MAX);
    let counts = &report.counts;
    json!({
        "accepted": counts.accepted,
        "delivered": counts.delivered,
        "dead": counts.dead,
        "expired": counts.expired,
        "dropped": counts.dropped,
        "pending": counts.pending,
        "is_balanced": report.is_balanced(),
        "found": { "pending": report.found.0, "dead": report.found.1 },
        "pending_bytes": report.pending_bytes,
        "oldest_age_ms": millis(report.oldest_age),
        "has_drainer": report.has_drainer,
        "destinations": report.destinations.iter().map(|(url, pending, failures, wait)| json!({
            "url": url,
            "pending": pending,
            "gate_failures": failures,
            "gate_closed_ms": millis(*wait),
        })).collect::<Vec<_>>(),
        "dead_by_status": report.dead_by_status.iter()
            .map(|(status, n)| (status.name().to_owned(), json!(n)))
            .collect::<serde_json::Map<_, _>>(),
        "delivery_age_ms": percentiles(report.delivery_age, millis),
        "attempt_latency_us": percentiles(report.attempt_latency, micros),
        "set_aside": report.set_aside.iter().map(|p| p.to_string_lossy()).collect::<Vec<_>>(),
    })
}

fn report_text(report: &SpoolReport) -> String {
    let mut out = String::new();
    let mut row = |name: &str, value: String| {
        let _ = writeln!(out, "{name:<18}{value}");
    };
    let counts = &report.counts;
    row("accepted", counts.accepted.to_string());
    row("delivered", counts.delivered.to_string());
    let by_status: Vec<String> = report
        .dead_by_status
        .iter()
        .map(|(status, n)| format!("{n} {status}"))
        .collect();
    row(
        "dead",
        match by_status.is_empty() {
            true => counts.dead.to_string(),
            false => format!("{} ({})", counts.dead, by_status.join(", ")),
        },
    );
    row("expired", counts.expired.to_string());
    row("dropped", counts.dropped.to_string());
    row(
        "pending",
        format!("{} ({} bytes)", counts.pending, report.pending_bytes),
    );
    if counts.pending > 0 {
        row("oldest waits for", span(report.oldest_age));
    }
    if report.found != (counts.pending, counts.dead) {
        let (pending, dead) = report.found;
        row("really there", format!("{pending} pending, {dead} dead"));
    }
    row(
        "drainer",
        match report.has_drainer {
            true => "some process is delivering this spool",
            false => "none: nobody is delivering this spool",
        }
        .to_owned(),
    );
    let percentiles =
        |p: Percentiles| [p.p50, p.p95, p.p99].map(|d| format!("{:.1} ms", d.as_secs_f64() * 1e3));
    if !report.attempt_latency.p99.is_zero() {
        let [p50, p95, p99] = percentiles(report.delivery_age);
        row(
            "age at delivery",
            format!("p50 {p50}, p95 {p95}, p99 {p99}"),
        );
        let [p50, p95, p99] = percentiles(report.attempt_latency);
        row("latency", format!("p50 {p50}, p95 {p95}, p99 {p99}"));
    }
    for (url, pending, failures, wait) in &report.destinations {
        let gate = match failures {
            0 => "gate open".to_owned(),
            n if wait.is_zero() => format!("gate closed after {n} failures, next try is due"),
            n => format!(
                "gate closed after {n} failures, next try in {}",
                span(*wait)
            ),
        };
        row("destination", format!("{url}: {pending} pending, {gate}"));
    }
    for path in &report.set_aside {
        row("damaged, set aside", format!(" {}", path.display()));
    }
    out
}

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

/// As a value if it is JSON, else as a string.
fn body_json(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|_| json!(body))
}

fn show(spool: &SpoolFile, args: &ArgMatches) -> Result<Answer, Error> {
    let id = text(args, "id").unwrap_or_default();
    let Some((receipt, body)) = spool.show(id)? else {
        return Ok(Answer::unknown(
            "nothing is known of that id: never accepted here, or gone for longer than receipt_retention_s",
        ));
    };
    if args.get_flag("json") {
        let mut shown = send::as_json(&receipt);
        if let Some(fields) = shown.as_object_mut() {
            fields.insert(
                "body".to_owned(),
                body.as_deref().map_or(Value::Null, body_json),
            );
        }
        return Ok(Answer::of(format!("{shown:#}\n")));
    }
    Ok(Answer::of(receipt_text(&receipt, body.as_deref())))
}

fn receipt_text(receipt: &Receipt, body: Option<&str>) -> String {
    let mut out = format!("{}: {}\n", receipt.status, receipt.status.text());
    let _ = writeln!(out, "  id        {}", receipt.id);
    if !receipt.detail.is_empty() {
        let _ = writeln!(out, "  detail    {}", receipt.detail);
    }
    if let Some(status) = receipt.http_status {
        let _ = writeln!(out, "  HTTP      {status}");
    }
    let _ = writeln!(out, "  attempts  {}", receipt.attempts);
    let _ = writeln!(out, "  age       {}", span(receipt.elapsed));
    if let Some(body) = body {
        let _ = writeln!(out, "  body      {body}");
    }
    out
}

fn letter_json(letter: &DeadLetter) -> Value {
    json!({
        "id": letter.id,
        "url": letter.url,
        "status": letter.status.code(),
        "status_name": letter.status.name(),
        "http_status": letter.http_status,
        "detail": letter.detail,
        "attempts": letter.attempts,
        "accepted_at_ms": unix_ms(letter.accepted_at),
        "died_at_ms": unix_ms(letter.died_at),
        "body": body_json(&letter.body),
    })
}

fn dead_list(spool: &SpoolFile, args: &ArgMatches) -> Result<Answer, Error> {
    let letters = spool.dead_letters()?;
    if args.get_flag("json") {
        let rows: Vec<Value> = letters.iter().map(letter_json).collect();
        return Ok(Answer::of(format!("{:#}\n", Value::from(rows))));
    }
    let mut out = String::new();
    for letter in &letters {
        let _ = writeln!(
            out,
            "{:<36}  {:<21}  {:<12}  {}",
            letter.id,
            letter.status.name(),
            ago(letter.died_at),
            letter.detail
        );
    }
    if letters.is_empty() {
        out.push_str("no dead letters\n");
    }
    Ok(Answer::of(out))
}

fn dead_show(spool: &SpoolFile, args: &ArgMatches) -> Result<Answer, Error> {
    let id = text(args, "id").unwrap_or_default();
    let letters = spool.dead_letters()?;
    let Some(letter) = letters.iter().rfind(|l| l.id == id) else {
        return Ok(Answer::unknown(&format!(
            "no dead letter has the id {}",
            id.escape_debug()
        )));
    };
    if args.get_flag("json") {
        return Ok(Answer::of(format!("{:#}\n", letter_json(letter))));
    }
    let mut out = format!("{}: {}\n", letter.status, letter.status.text());
    let _ = writeln!(out, "  id        {}", letter.id);
    let _ = writeln!(out, "  detail    {}", letter.detail);
    if let Some(status) = letter.http_status {
        let _ = writeln!(out, "  HTTP      {status}");
    }
    let _ = writeln!(out, "  attempts  {}", letter.attempts);
    let _ = writeln!(out, "  accepted  {}", ago(letter.accepted_at));
    let _ = writeln!(out, "  died      {}", ago(letter.died_at));
    let _ = writeln!(out, "  to        {}", letter.url);
    let _ = writeln!(out, "  body      {}", letter.body);
    Ok(Answer::of(out))
}

/// The ids that were asked for, `None` for all; or, as the error, the words about one that is not there.
fn wanted(
    spool: &SpoolFile,
    args: &ArgMatches,
) -> Result<Result<Option<Vec<String>>, String>, Error> {
    if args.get_flag("all") {
        return Ok(Ok(None));
    }
    let ids: Vec<String> = args
        .get_many::<String>("id")
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    let letters = spool.dead_letters()?;
    let unknown = ids.iter().find(|id| letters.iter().all(|l| l.id != **id));
    Ok(match unknown {
        Some(id) => Err(format!(
            "no dead letter has the id {}; nothing was changed",
            id.escape_debug()
        )),
        None => Ok(Some(ids)),
    })
}

fn dead_retry(spool: &SpoolFile, args: &ArgMatches) -> Result<Answer, Error> {
    // As with the options: an empty variable counts as not set.
    let by_flag = args.value_source("private-key") == Some(clap::parser::ValueSource::CommandLine);
    let private_key = text(args, "private-key").filter(|key| by_flag || !key.is_empty());
    let ids = match wanted(spool, args)? {
        Ok(ids) => ids,
        Err(words) => return Ok(Answer::unknown(&words)),
    };
    let n = spool.retry_dead(ids.as_deref(), private_key)?;
    Ok(Answer::count(args, "retried", n, "put back into the queue"))
}

fn dead_drop(spool: &SpoolFile, args: &ArgMatches) -> Result<Answer, Error> {
    let ids = match wanted(spool, args)? {
        Ok(ids) => ids,
        Err(words) => return Ok(Answer::unknown(&words)),
    };
    let n = spool.drop_dead(ids.as_deref())?;
    Ok(Answer::count(args, "dropped", n, "dropped"))
}

fn purge(spool: &SpoolFile, args: &ArgMatches) -> Result<Answer, Error> {
    let key = match text(args, "customer-id") {
        Some(id) => customer_key(id)?,
        None => text(args, "customer-key").unwrap_or_default().to_owned(),
    };
    let n = spool.purge(&key)?;
    Ok(Answer::count(args, "purged", n, "erased"))
}
