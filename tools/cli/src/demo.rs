//! `demo`: the whole job before your eyes, on this machine alone.

use std::process::{Command as Process, ExitCode};

use clap::{Arg, ArgAction, ArgMatches, Command};
use esales_notify::{Client, Config, OPTIONS, Visitor, customer_key, customer_token};
use esales_notify_sandbox::{Answer, Options, Received, Sandbox};

const PRIVATE_KEY: &str = "demo-private-key";
/// The vendor's example.
const CUSTOMER_KEY: &str = "d9528030-509c-4e0f-b585-7168f1e9feca";
const SESSION_KEY: &str = "b106299c-eac0-4f6f-96d2-93e57c255784";
const TICKET: &str = "Oy9keW5hbWljLXBhZ2VzL3N0YXJ0L2VzYWxlcy1zdGFydC0xOyM7cHJvZHVjdF9rZXk7UF8xMjUzODMtMDAxNF9VSzsjOztOT05FOk5PTkU7NjE7";

pub(crate) fn command() -> Command {
    Command::new("demo")
        .about("Start a sandbox, send notifications to it, and show what each side saw")
        .arg(
            Arg::new("run")
                .long("run")
                .value_name("NAME=COMMAND")
                .action(ArgAction::Append)
                .help("Also run this program, with ESALES_BASE_URL set; it prints a status name and an id"),
        )
        .arg(
            Arg::new("missing")
                .long("missing")
                .value_name("NAME=HOW")
                .action(ArgAction::Append)
                .help("Say that this language is not installed, and how to get it"),
        )
}

/// One line of the table.
struct Row {
    from: String,
    sent: &'static str,
    result: String,
    /// The id that the caller was told.
    id: String,
    words: String,
}

pub(crate) fn run(args: &ArgMatches) -> Result<ExitCode, String> {
    let sandbox = Sandbox::start(Options {
        private_key: Some(PRIVATE_KEY.to_owned()),
        ..Options::default()
    })
    .map_err(|e| e.to_string())?;
    outln!(
        "A sandbox stands in for the service at {}. Nothing leaves this machine.\n",
        sandbox.base_url()
    );

    let mut failed = false;
    let mut table = Vec::new();
    let mut show = |row: Row| {
        let received = sandbox.received();
        sandbox.clear();
        // What the caller was told must be what the other side saw.
        failed |= received
            .last()
            .is_none_or(|r| id_of(r) != Some(row.id.as_str()));
        table.push((row, received));
    };
    for program in given(args, "run")? {
        show(run_program(program, &sandbox.base_url())?);
    }
    for row in our_own(&sandbox) {
        show(row?);
    }
    print(&table);
    for (name, how) in given(args, "missing")? {
        outln!("{name} is not installed here, so its example did not run. To get it: {how}");
    }
    let expected = ["ESALES_BAD_REQUEST", "ESALES_FORBIDDEN"];
    failed |= table.iter().any(|(row, _)| {
        row.result != "ESALES_DELIVERED" && !expected.contains(&row.result.as_str())
    });
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn given<'a>(args: &'a ArgMatches, name: &str) -> Result<Vec<(&'a str, &'a str)>, String> {
    let pairs = args.get_many::<String>(name).into_iter().flatten();
    pairs
        .map(|pair| {
            pair.split_once('=')
                .ok_or_else(|| format!("--{name} takes NAME=TEXT: {pair}"))
        })
        .collect()
}

fn run_program((name, command): (&str, &str), base_url: &str) -> Result<Row, String> {
    let mut process = Process::new("sh");
    process.args(["-c", command]);
    // The caller's own cluster or proxy has no place here: nothing is to leave this machine.
    for option in OPTIONS {
        process.env_remove(option.environment_variable());
    }
    let output = process
        .env("ESALES_BASE_URL", base_url)
        .output()
        .map_err(|e| format!("{name}: {e}"))?;
    let line = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() || line.is_empty() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "the {name} example failed ({}): {line}\n{words}",
            output.status
        ));
    }
    Ok(Row {
        from: name.to_owned(),
        sent: "the vendor's example",
        result: line.split(' ').next().unwrap_or_default().to_owned(),
        id: line.split(' ').next_back().unwrap_or_default().to_owned(),
        words: String::new(),
    })
}

/// What the command sends itself, through the same library; made one after the other.
fn our_own(sandbox: &Sandbox) -> impl Iterator<Item = Result<Row, String>> + use<'_> {
    let example = Visitor::anonymous(CUSTOMER_KEY, SESSION_KEY).in_market("UK");
    [
        ("the vendor's example", None, None),
        ("signed in, right token", Some(PRIVATE_KEY), None),
        ("(told to be busy twice)", None, Some("503, 503, 204")),
        (
            "(told to answer 400)",
            None,
            Some("400:body=\"Ticket is missing.\""),
        ),
        ("signed in, rotated key", Some("old-private-key"), None),
    ]
    .into_iter()
    .map(move |(sent, signed_with, script)| {
        let words = |e: esales_notify::Error| e.to_string();
        let mut config = Config::new();
        config.set("base_url", &sandbox.base_url()).map_err(words)?;
        let client = Client::new(&config).map_err(words)?;
        if let Some(script) = script {
            sandbox.script(Answer::parse_list(script).map_err(|e| e.to_string())?);
        }
        let key = customer_key("customer-4711").map_err(words)?;
        let token = signed_with
            .map(|k| customer_token(k, &key))
            .transpose()
            .map_err(words)?;
        let visitor = match &token {
            Some(token) => Visitor::signed_in(&key, SESSION_KEY, token).in_market("UK"),
            None => example,
        };
        let receipt = match client.notify_add_to_cart(&visitor, TICKET, None) {
            Ok(receipt) => receipt,
            Err(error) => error.receipt().cloned().ok_or_else(|| error.to_string())?,
        };
        Ok(Row {
            from: "this command".to_owned(),
            sent,
            result: receipt.status.name().to_owned(),
            id: receipt.id,
            words: receipt.detail,
        })
    })
}

fn id_of(received: &Received) -> Option<&str> {
    received.notification.as_ref()?.id.as_deref()
}

fn print(table: &[(Row, Vec<Received>)]) {
    let widths = (14, 26, 36, 15);
    let line = |a: &str, b: &str, c: &str, d: &str, e: &str| {
        outln!(
            "{a:<0$} {b:<1$} {c:<2$} {d:<3$} {e}",
            widths.0,
            widths.1,
            widths.2,
            widths.3
        );
    };
    line(
        "FROM",
        "SENT",
        "THE SANDBOX RECEIVED (ID)",
        "AND ANSWERED",
        "THE CALLER GOT",
    );
    for (row, received) in table {
        let answers: Vec<String> = received
            .iter()
            .map(|r| r.status.map_or_else(|| r.answer.clone(), |s| s.to_string()))
            .collect();
        // Every attempt carries the same id.
        let id = received.first().and_then(id_of).unwrap_or("nothing");
        line(&row.from, row.sent, id, &answers.join(", "), &row.result);
        if !row.words.is_empty() && row.result != "ESALES_DELIVERED" {
            outln!("{:<15}{}", "", row.words);
        }
    }
    if let Some(first) = table.iter().flat_map(|(_, received)| received).next() {
        outln!("\nThe first of them, as it arrived:\n{}\n", first.body);
    }
}
