//! `sandbox`: runs the stand-in for the service in the foreground.

use std::net::SocketAddr;
use std::process::{self, ExitCode};
use std::time::Duration;
use std::{fs, io, thread};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use esales_notify_sandbox::{
    Answer, Line, Options, Received, Sandbox, TlsIdentity, Visitor, kind_text,
};
use serde_json::json;

use crate::output::printable;
use crate::secret;

const ANSWERS: &str = "\
Examples:
  esales-notify sandbox
  esales-notify sandbox --listen 127.0.0.1:0 --private-key-file FILE
  esales-notify sandbox --tls --ca-file ca.pem
  esales-notify sandbox --answers \"503:retry-after=1, hang, 204\"

Answers, separated by commas, one for each notification; after the last one the sandbox answers normally again:
  normal          the normal answer; with :wait=MS after a delay
  204, 503, ...   this status
  hang            no answer
  close, reset    the connection is closed (or reset) after the request
  drip            one byte of the answer each second; drip-body: only the body is slow
  endless         a body without end; endless-head: header lines without end
  garbage         bytes that are not HTTP
An answer may be followed by :wait=MS, :retry-after=TEXT, :body=TEXT, :location=URL, :every=MS
(drip), :then=close, :times=N, :times=forever, and :percent=N: the other notifications
get the normal answer. Put a text
with commas or colons into double quotes.";

/// Greatest number of lines of one order that are printed.
const SHOWN_LINES: usize = 5;

pub(crate) fn command() -> Command {
    Command::new("sandbox")
        .about("Run a local stand-in for the service and show what it receives")
        .long_about(
            "Runs a local stand-in for the service and shows what it receives. Nothing leaves this machine. Ctrl-C stops it.\n\n\
             It answers as the vendor documents: 204; 400 if a ticket, a product key or the lines of an order are missing; \
             403 if the token of a signed-in visitor or of a payment is invalid.\n\n\
             Set base_url (ESALES_BASE_URL) of a shop to its URL. Open the same URL in a browser to see what arrives and to \
             make the next answers fail. /sandbox/received returns the received requests as JSON: the newest 10,000, or \
             fewer if they take more than 64 MiB.",
        )
        .after_long_help(ANSWERS)
        .arg(
            Arg::new("listen")
                .long("listen")
                .value_name("ADDRESS")
                .default_value("127.0.0.1:8080")
                .value_parser(value_parser!(SocketAddr))
                .help("Address and port; port 0 chooses a free one"),
        )
        .args(secret::args("Private key with which tokens are validated; without it, signed-in visitors and secure payments get 403"))
        .arg(
            Arg::new("tls")
                .long("tls")
                .value_name("CERTIFICATE")
                .num_args(0..=1)
                .default_missing_value("valid")
                .value_parser(|text: &str| text.parse::<TlsIdentity>().map_err(|e| e.to_string()))
                .help("Use TLS with a certificate that is made at start: valid, expiring, wrong-host, expired, self-signed, unknown-ca, authority"),
        )
        .arg(
            Arg::new("ca-file")
                .long("ca-file")
                .value_name("PATH")
                .requires("tls")
                .help("Write the certificate authority into this file, for the option ca_file"),
        )
        .arg(
            Arg::new("answers")
                .long("answers")
                .value_name("LIST")
                .value_parser(|text: &str| Answer::parse_list(text).map_err(|e| e.to_string()))
                .help("Answers for the first notifications, such as \"503:retry-after=1, hang, 204\" (see --help)"),
        )
        .arg(
            Arg::new("allow-host")
                .long("allow-host")
                .value_name("NAME")
                .action(ArgAction::Append)
                .help("Also accept this host name, such as a container's; localhost and IP addresses are always accepted"),
        )
        .arg(
            Arg::new("until-stdin-closes")
                .long("until-stdin-closes")
                .action(ArgAction::SetTrue)
                .help("End when standard input ends, so that the sandbox ends with the program that started it"),
        )
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Print only one line of JSON with base_url and ca_file, for programs"),
        )
}

pub(crate) fn run(args: &ArgMatches) -> Result<ExitCode, String> {
    let defaults = Options::default();
    let sandbox = Sandbox::start(Options {
        listen: *args.get_one("listen").unwrap_or(&defaults.listen),
        tls: args.get_one::<TlsIdentity>("tls").copied(),
        private_key: secret::private_key(args)?,
        allow_hosts: args
            .get_many::<String>("allow-host")
            .map(|names| names.cloned().collect())
            .unwrap_or_default(),
        ..defaults
    })
    .map_err(|e| e.to_string())?;
    if let Some(answers) = args.get_one::<Vec<Answer>>("answers") {
        sandbox.script(answers.clone());
    }
    let ca_file = args.get_one::<String>("ca-file");
    if let (Some(path), Some(pem)) = (ca_file, sandbox.ca_pem()) {
        fs::write(path, pem).map_err(|e| format!("--ca-file {path}: {e}"))?;
    }
    if args.get_flag("until-stdin-closes") {
        thread::spawn(end_with_stdin);
    }
    if args.get_flag("json") {
        outln!(
            "{}",
            json!({ "base_url": sandbox.base_url(), "ca_file": ca_file })
        );
        loop {
            thread::park();
        }
    }
    outln!("listening on {}", sandbox.base_url());
    outln!(
        "set ESALES_BASE_URL={} in your shop; Ctrl-C stops",
        sandbox.base_url()
    );
    outln!(
        "open {}/ in a browser to watch what arrives",
        sandbox.base_url()
    );
    follow(&sandbox)
}

/// Ends the program at the end of standard input. The process that started the sandbox has the other end, which the
/// system closes when that process ends, even by kill -9.
fn end_with_stdin() {
    // The bytes are ignored, and an error counts as the end.
    let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
    process::exit(0);
}

/// Prints a line for each notification as it arrives.
fn follow(sandbox: &Sandbox) -> ! {
    let mut shown: u64 = 0;
    loop {
        let next = usize::try_from(shown + 1).unwrap_or(usize::MAX);
        if !sandbox.wait_received(next, Duration::from_secs(1)) {
            // The control interface cleared the records: the count starts again.
            shown = shown.min(sandbox.stats().received);
            continue;
        }
        let since = shown;
        for received in sandbox.received().into_iter().filter(|r| r.seq > since) {
            shown = received.seq;
            print(&received);
        }
    }
}

/// Prints one notification. Tokens are secrets, so only their beginning is shown.
fn print(received: &Received) {
    let visitor = match received.visitor {
        Some(Visitor::SignedIn) => "signed in",
        Some(Visitor::Anonymous) => "anonymous",
        None => "-",
    };
    let kind = received.kind.map_or("-".to_owned(), kind_text);
    let repetition = match (received.retry, received.duplicate) {
        (true, _) => " (retry)",
        (_, true) => " (duplicate)",
        _ => "",
    };
    outln!(
        "{} {} -> {}  {visitor}, {kind}{repetition}",
        received.method,
        printable(&received.path_without_tokens()),
        printable(&received.answer)
    );
    outln!("    {}", printable(&received.body_without_tokens()));
    let lines = received
        .notification
        .as_ref()
        .and_then(|n| n.lines.as_ref());
    for line in lines.into_iter().flatten().take(SHOWN_LINES) {
        outln!("    line: {}", printable(&line_text(line)));
    }
    if let Some(more) = lines
        .map(|lines| lines.len().saturating_sub(SHOWN_LINES))
        .filter(|more| *more > 0)
    {
        outln!("    and {more} more lines");
    }
    for warning in &received.warnings {
        outln!("    warning: {}", printable(warning));
    }
    if received.status.is_none_or(|status| status >= 300) && !received.answer_text.is_empty() {
        outln!("    answered: {}", printable(&received.answer_text));
    }
}

/// One line of an order, such as `2 of P1 (V3) at 199.50, cost 80`.
fn line_text(line: &Line) -> String {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "?".to_owned());
    let key = match (&line.product_key, &line.variant_key) {
        (Some(product), Some(variant)) => format!("{product} ({variant})"),
        (Some(key), None) | (None, Some(key)) => key.clone(),
        (None, None) => "?".to_owned(),
    };
    let cost = line
        .cost
        .as_ref()
        .map_or_else(String::new, |cost| format!(", cost {cost}"));
    format!(
        "{} of {key} at {}{cost}",
        or_none(&line.quantity),
        or_none(&line.selling_price)
    )
}
