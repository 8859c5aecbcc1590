//! `demo`: sends notifications to a sandbox on this machine and shows the results of both sides.

use std::process::{Command as Process, ExitCode};

use clap::{Arg, ArgAction, ArgMatches, Command};
use esales_notify::{
    Client, Config, Kind, Line, Notification, OPTIONS, Status, Visitor, customer_key,
    customer_token,
};
use esales_notify_sandbox::{Answer, Options, Received, Sandbox, kind_text};

const PRIVATE_KEY: &str = "demo-private-key";
/// The customer key in the vendor's example.
const CUSTOMER_KEY: &str = "d9528030-509c-4e0f-b585-7168f1e9feca";
const SESSION_KEY: &str = "b106299c-eac0-4f6f-96d2-93e57c255784";
const TICKET: &str = "Oy9keW5hbWljLXBhZ2VzL3N0YXJ0L2VzYWxlcy1zdGFydC0xOyM7cHJvZHVjdF9rZXk7UF8xMjUzODMtMDAxNF9VSzsjOztOT05FOk5PTkU7NjE7";

pub(crate) fn command() -> Command {
    Command::new("demo")
        .about("Start a sandbox, send notifications to it, and show what each side saw")
        .after_help("Example:\n  esales-notify demo")
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
                .help("Report that this language is not installed, and how to install it"),
        )
}

/// One row of the table.
struct Row {
    from: String,
    sent: &'static str,
    kind: Kind,
    /// The actual and the expected outcome.
    result: String,
    expected: Status,
    /// The id in the caller's receipt.
    id: String,
    detail: String,
}

impl Row {
    /// Whether the caller got the right outcome, and whether the sandbox received what the caller's receipt reports.
    fn is_right(&self, received: &[Received]) -> bool {
        let kind = self.kind.spec();
        let is_it = |r: &Received| {
            let is_of_kind = r.kind.is_some_and(|found| found.spec().name == kind.name);
            is_of_kind && (!kind.has_id || id_of(r) == Some(self.id.as_str()))
        };
        let has_arrived = !received.is_empty() && received.iter().all(is_it);
        has_arrived && self.result == self.expected.name()
    }
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
        failed |= !row.is_right(&received);
        table.push((row, received));
    };
    for program in given(args, "run")? {
        show(run_program(program, &sandbox.base_url())?);
    }
    for event in EVENTS {
        show(event.send(&sandbox)?);
    }
    print(&table);
    for (name, how) in given(args, "missing")? {
        outln!("{name} is not installed here, so its example did not run. To get it: {how}");
    }
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
    // Clears the caller's cluster and proxy: the demo sends nothing to other machines.
    for option in OPTIONS {
        process.env_remove(option.environment_variable());
    }
    let output = process
        .env("ESALES_BASE_URL", base_url)
        .output()
        .map_err(|e| format!("{name}: {e}"))?;
    let line = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() || line.is_empty() {
        let message = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "the {name} example failed ({}): {line}\n{message}",
            output.status
        ));
    }
    Ok(Row {
        from: name.to_owned(),
        sent: "the vendor's example",
        kind: Kind::AddToCart,
        result: line.split(' ').next().unwrap_or_default().to_owned(),
        expected: Status::Delivered,
        id: line.split(' ').next_back().unwrap_or_default().to_owned(),
        detail: String::new(),
    })
}

/// A notification of the demo, which the command sends with the library.
struct Event {
    sent: &'static str,
    kind: Kind,
    /// The private key that signs the visitor's token and the payment; `None`: an anonymous visitor.
    private_key: Option<&'static str>,
    /// The script of the sandbox; empty: the normal answer.
    answers: &'static str,
    expected: Status,
}

const fn event(sent: &'static str, kind: Kind) -> Event {
    Event {
        sent,
        kind,
        private_key: None,
        answers: "",
        expected: Status::Delivered,
    }
}

/// A visit from its first click to its end, then some failures.
const EVENTS: [Event; 8] = [
    event("a click", Kind::Click),
    event("an add to cart", Kind::AddToCart),
    Event {
        private_key: Some(PRIVATE_KEY),
        ..event("a payment of two lines", Kind::SecurePayment)
    },
    Event {
        private_key: Some(PRIVATE_KEY),
        ..event("the end of the visit", Kind::End)
    },
    Event {
        answers: "503, 503, 204",
        ..event("a click, service busy", Kind::Click)
    },
    Event {
        private_key: Some(PRIVATE_KEY),
        answers: "500",
        expected: Status::MayHaveArrived,
        ..event("a payment, answered 500", Kind::SecurePayment)
    },
    Event {
        answers: "400:body=\"Ticket is missing.\"",
        expected: Status::BadRequest,
        ..event("a click, answered 400", Kind::Click)
    },
    Event {
        private_key: Some("old-private-key"),
        expected: Status::Forbidden,
        ..event("a click, old private key", Kind::Click)
    },
];

impl Event {
    fn send(&self, sandbox: &Sandbox) -> Result<Row, String> {
        let message = |e: esales_notify::Error| e.to_string();
        let mut config = Config::new();
        config
            .set("base_url", &sandbox.base_url())
            .map_err(message)?;
        let client = Client::new(&config).map_err(message)?;
        sandbox.script(Answer::parse_list(self.answers).map_err(|e| e.to_string())?);
        let key = customer_key("customer-4711").map_err(message)?;
        let token = self.private_key.map(|k| customer_token(k, &key));
        let token = token.transpose().map_err(message)?;
        let visitor = match &token {
            Some(token) => Visitor::signed_in(&key, SESSION_KEY, token),
            None => Visitor::anonymous(CUSTOMER_KEY, SESSION_KEY),
        };
        let lines = [
            Line::new("P_125383", 2, "199.50").with_variant("P_125383-0014_UK"),
            Line::new("P_125390", 1, "45"),
        ];
        let notification = match (self.kind, self.private_key) {
            (Kind::SecurePayment, Some(key)) => Notification::secure_payment(&lines, key),
            (Kind::End, _) => Notification::end(),
            (Kind::Click, _) => Notification::click(TICKET),
            _ => Notification::add_to_cart(TICKET),
        };
        let receipt = match client.notify(&visitor.in_market("UK"), &notification) {
            Ok(receipt) => receipt,
            Err(error) => error.receipt().cloned().ok_or_else(|| error.to_string())?,
        };
        Ok(Row {
            from: "this command".to_owned(),
            sent: self.sent,
            kind: notification.kind,
            result: receipt.status.name().to_owned(),
            expected: self.expected,
            id: receipt.id,
            detail: receipt.detail,
        })
    }
}

fn id_of(received: &Received) -> Option<&str> {
    received.notification.as_ref()?.id.as_deref()
}

fn print(table: &[(Row, Vec<Received>)]) {
    let widths = (13, 25, 37, 14);
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
        "THE ID THAT THE SANDBOX RECEIVED",
        "AND ANSWERED",
        "THE CALLER GOT",
    );
    for (row, received) in table {
        let answers: Vec<String> = received
            .iter()
            .map(|r| r.status.map_or_else(|| r.answer.clone(), |s| s.to_string()))
            .collect();
        // Every attempt carries the same id.
        let id = match received.first() {
            Some(_) if !row.kind.spec().has_id => "this kind has none",
            first => first.and_then(id_of).unwrap_or("nothing"),
        };
        line(&row.from, row.sent, id, &answers.join(", "), &row.result);
        if row.result != Status::Delivered.name() && !row.detail.is_empty() {
            outln!("{:<14}{}", "", row.detail);
        }
    }
    let of_kind = |kind: Kind| table.iter().find(|(row, _)| row.kind == kind);
    for (kind, how) in [
        (Kind::Click, ""),
        (Kind::SecurePayment, ", its tokens cut short"),
    ] {
        let Some(received) = of_kind(kind).and_then(|(_, received)| received.first()) else {
            continue;
        };
        outln!(
            "\nThe first {}, as it arrived{how}:\nPOST {}\n{}",
            received.kind.map_or_else(String::new, kind_text),
            received.path_without_tokens(),
            received.body_without_tokens()
        );
    }
    outln!("");
}
