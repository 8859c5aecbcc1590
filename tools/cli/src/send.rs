//! `send`: one notification from flags or environment.

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use esales_notify::{
    Client, Config, Receipt, Status, Visitor, customer_key, customer_token, new_key,
};
use serde_json::json;

use crate::{EXIT_USAGE, options, secret};

const EXIT_CODES: &str = "\
Exit code: 0 delivered; 2 wrong usage, arguments or options; 3 refused for good by the service (400, 403, ...); \
4 not delivered, may succeed later with the same --id (5xx, 429, network); 70 a defect of this program.";

/// Who put what in the cart, by flag or environment.
pub(crate) fn fields() -> Vec<Arg> {
    let field = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name(value)
            .env(variable(name))
            .hide_env_values(true)
            .help(help)
    };
    let mut fields = vec![
        field(
            "ticket",
            "TICKET",
            "The ticket that the service gave with the product",
        ),
        field(
            "customer-key",
            "KEY",
            "Who the visitor is; a new UUID (an anonymous visitor) if left out",
        ),
        field("session-key", "KEY", "The visit; a new UUID if left out"),
        field("token", "TOKEN", "Token of a signed-in visitor"),
        field(
            "customer-id",
            "ID",
            "A signed-in visitor's id in the shop: makes --customer-key and --token",
        ),
        field("id", "ID", "Names this one event; a new UUID if left out"),
    ];
    fields.extend(secret::args("The shop's private key, for --customer-id"));
    fields
}

/// The environment variable of a field.
fn variable(field: &str) -> String {
    format!("ESALES_{}", field.replace('-', "_").to_ascii_uppercase())
}

pub(crate) fn command() -> Command {
    Command::new("send")
        .about("Send one add-to-cart notification and print its receipt")
        .after_help(EXIT_CODES)
        .args(fields())
        .group(secret::group("any-private-key"))
        .mut_arg("ticket", |ticket| ticket.required(true))
        .mut_arg("customer-id", |id| {
            id.conflicts_with_all(["customer-key", "token"])
                .requires("any-private-key")
        })
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Print the receipt as JSON"),
        )
        .args(options::flags())
}

/// Sends what the fields say; with the receipt, whatever the outcome, come the customer key and the session key.
pub(crate) fn notify(
    args: &ArgMatches,
    config: &Config,
) -> Result<(Receipt, String, String), String> {
    let given = |name: &str| args.get_one::<String>(name).map(String::as_str);
    let words = |e: esales_notify::Error| e.to_string();
    let client = Client::new(config).map_err(words)?;
    let session_key =
        given("session-key").map_or_else(|| new_key().map_err(words), |k| Ok(k.to_owned()))?;
    let private_key = match given("customer-id") {
        Some(_) => secret::private_key(args)?,
        None => None,
    };
    let (key, token) = match (given("customer-id"), &private_key) {
        (Some(customer_id), Some(private_key)) => {
            let key = customer_key(customer_id).map_err(words)?;
            let token = customer_token(private_key, &key).map_err(words)?;
            (key, Some(token))
        }
        (Some(_), None) => return Err("customer-id needs private-key".to_owned()),
        (None, _) => {
            let key = given("customer-key")
                .map_or_else(|| new_key().map_err(words), |k| Ok(k.to_owned()))?;
            (key, given("token").map(str::to_owned))
        }
    };
    let visitor = Visitor {
        market: None,
        customer_key: &key,
        session_key: &session_key,
        token: token.as_deref(),
    };
    let ticket = given("ticket").unwrap_or_default();
    let receipt = match client.notify_add_to_cart(&visitor, ticket, given("id")) {
        Ok(receipt) => receipt,
        Err(error) => error.receipt().cloned().ok_or_else(|| error.to_string())?,
    };
    Ok((receipt, key, session_key))
}

pub(crate) fn run(args: &ArgMatches) -> Result<ExitCode, String> {
    let config = options::config(args)?;
    if config.get("on_failure") == Some("queue") && config.get("spool").is_none() {
        return Err(
            "on_failure=queue needs a spool: this command ends before a queue in its memory could be delivered. \
             Name the file with --spool or ESALES_SPOOL"
                .to_owned(),
        );
    }
    let (receipt, customer_key, session_key) = notify(args, &config)?;
    if args.get_flag("json") {
        outln!("{}", as_json(Some("add_to_cart"), &receipt));
    } else {
        print(&receipt, &customer_key, &session_key);
    }
    Ok(ExitCode::from(exit_code(receipt.status)))
}

fn print(receipt: &Receipt, customer_key: &str, session_key: &str) {
    outln!("{}: {}", receipt.status, receipt.detail);
    outln!("  {}", receipt.status.text());
    outln!("  id            {}", receipt.id);
    outln!("  customer key  {customer_key}");
    outln!("  session key   {session_key}");
    outln!("  attempts      {}", receipt.attempts);
    outln!(
        "  elapsed       {:.1} ms",
        receipt.elapsed.as_secs_f64() * 1000.0
    );
}

/// `kind`: its name, if it is known.
pub(crate) fn as_json(kind: Option<&str>, receipt: &Receipt) -> serde_json::Value {
    json!({
        "kind": kind,
        "status": receipt.status.code(),
        "status_name": receipt.status.name(),
        "http_status": receipt.http_status,
        "attempts": receipt.attempts,
        "elapsed_us": u64::try_from(receipt.elapsed.as_micros()).unwrap_or(u64::MAX),
        "id": receipt.id,
        "detail": receipt.detail,
    })
}

fn exit_code(status: Status) -> u8 {
    match status {
        s if s.is_success() => 0,
        Status::Internal => 70,
        s if s.is_retryable() => 4,
        Status::TicketMissing | Status::Forbidden | Status::Rejected => 3,
        _ => EXIT_USAGE,
    }
}
