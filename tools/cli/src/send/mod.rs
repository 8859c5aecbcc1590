//! `send`: sends one notification of any kind, from flags or the environment.

mod line;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command};
use esales_notify::{
    Client, Config, FIELDS, Field, Group, KINDS, Kind, KindSpec, Line, Need, Notification, Receipt,
    Status, Visitor, customer_key, customer_token, new_key,
};
use serde_json::json;

use crate::{EXIT_USAGE, options, secret};
use line::{OrderLine, in_terms_of_the_command};

/// A payment that may have arrived: a script must not send it again.
const EXIT_MAY_HAVE_ARRIVED: u8 = 5;

const EXIT_CODES: &str = "\
Exit code: 0 delivered or queued; 2 wrong usage, arguments or options; 3 refused for good by the service (400, 403, ...); \
4 not delivered, may succeed later with the same --id (5xx, 429, network); 5 a payment that may have arrived, which the \
service may count twice if it is sent again; 70 a defect of this program.";

const EXAMPLES: &str = "\
Examples, with ESALES_CLUSTER_ID and ESALES_MARKET in the environment:
  esales-notify send click --ticket TICKET
  esales-notify send add-to-cart --ticket TICKET --customer-key KEY --session-key KEY
  esales-notify send non-esales-click --product-key P1
  esales-notify send payment --line product=P1,quantity=2,price=199.50
  esales-notify send secure-payment --private-key-file FILE \\
      --line product=P1,variant=V1,quantity=2,price=199.50,cost=120 \\
      --line product=P2,quantity=1,price=45
  esales-notify send end --customer-key KEY --session-key KEY";

/// The flag for one line of an order.
const LINE: &str = "line";
const LINE_HELP: &str = "\
A line of the order, such as product=P1,variant=V1,quantity=2,price=199.50; repeat the flag for each line. product or \
variant is required; price is the selling price of one item";
const COST_HELP: &str = ". Optional: cost=120, the cost of one item for the shop";

/// The client options that --help of a kind shows. The other options are accepted too.
const SHOWN_OPTIONS: [&str; 4] = ["cluster_id", "base_url", "market", "timeout_ms"];

/// Inserts the most common kind if `send` is followed by a flag instead of a kind.
pub(crate) fn with_kind(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let is = |at: usize, name: &str| arguments.get(at).is_some_and(|a| a == name);
    let has_flag = arguments
        .get(2)
        .and_then(|flag| flag.to_str())
        .is_some_and(|flag| flag.starts_with('-') && !matches!(flag, "-h" | "--help"));
    if is(1, "send") && has_flag {
        arguments.insert(2, kind_flag(Kind::AddToCart.spec()).into());
    }
    arguments
}

/// The name of a kind on the command line, for example `add-to-cart`.
pub(crate) fn kind_flag(kind: &KindSpec) -> String {
    kind.name.replace('_', "-")
}

/// The kind with this name on the command line.
pub(crate) fn kind_of(flag: &str) -> Option<Kind> {
    let row = KINDS.iter().find(|row| kind_flag(row) == flag)?;
    Some(row.kind)
}

fn flag(name: &str, value: &'static str, help: impl Into<String>) -> Arg {
    Arg::new(name.to_owned())
        .long(name.to_owned())
        .value_name(value)
        .env(variable(name))
        .hide_env_values(true)
        .help(help.into())
}

/// The environment variable of a field.
fn variable(field: &str) -> String {
    format!("ESALES_{}", field.replace('-', "_").to_ascii_uppercase())
}

/// The name of a field on the command line, such as `product-key`.
fn field_flag(field: Field) -> String {
    field.spec().name.replace('_', "-")
}

/// The flag of a field. The private key has other flags, because tokens of visitors need it too.
fn field_arg(field: Field, may_have_cost: bool) -> Option<Arg> {
    match field {
        Field::PrivateKey => None,
        Field::Lines => Some(
            Arg::new(LINE)
                .long(LINE)
                .value_name("PARTS")
                .action(ArgAction::Append)
                .value_parser(OrderLine::parse)
                .help(match may_have_cost {
                    true => format!("{LINE_HELP}{COST_HELP}"),
                    false => LINE_HELP.to_owned(),
                }),
        ),
        _ => {
            // The documentation of the library has the names of fields; the help has the flags.
            let mut help = field.spec().doc.trim_end_matches('.').to_owned();
            for row in FIELDS {
                let long = format!("--{}", field_flag(row.field));
                help = help.replace(&format!("`{}`", row.name), &long);
            }
            let name = field_flag(field);
            let value = if name.ends_with("-key") {
                "KEY"
            } else {
                "TEXT"
            };
            Some(flag(&name, value, help))
        }
    }
}

/// The flags of the visitor.
fn visitor_flags() -> [Arg; 5] {
    [
        flag(
            "customer-key",
            "KEY",
            "Key of the visitor [default: a new UUID, for an anonymous visitor]",
        ),
        flag(
            "session-key",
            "KEY",
            "Key of the session (visit) [default: a new UUID]",
        ),
        flag("token", "TOKEN", "Token of a signed-in visitor"),
        flag(
            "customer-id",
            "ID",
            "Id of a signed-in visitor in the shop, from which --customer-key and --token are made",
        ),
        flag(
            "id",
            "ID",
            "Id of this one event in receipts and in the queue; clicks and carts also send it to the service \
             [default: a new UUID]",
        ),
    ]
}

/// The flags of all kinds, for a command that takes the kind as a value.
pub(crate) fn fields() -> Vec<Arg> {
    let own = FIELDS.iter().filter_map(|row| field_arg(row.field, true));
    let key = secret::args("The shop's private key, for --customer-id and for a secure-payment");
    own.chain(visitor_flags()).chain(key).collect()
}

pub(crate) fn command() -> Command {
    Command::new("send")
        .about("Send one notification and print its receipt")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommand_value_name("KIND")
        .subcommand_help_heading("Kinds")
        .after_help(format!(
            "{EXAMPLES}\n\n`esales-notify send KIND --help` lists the flags of a kind. The default KIND is add-to-cart.\n\n{EXIT_CODES}"
        ))
        .subcommands(KINDS.iter().map(of_kind))
}

/// The Examples block of a kind: its lines of the Examples block of `send`.
fn example(kind: &str) -> String {
    let command = format!("  esales-notify send {kind} ");
    let mut lines = EXAMPLES
        .lines()
        .skip_while(|line| !line.starts_with(&command));
    let mut out =
        "Example, with ESALES_CLUSTER_ID and ESALES_MARKET in the environment:".to_owned();
    for line in lines.by_ref() {
        out += &format!("\n{line}");
        if !line.ends_with('\\') {
            break;
        }
    }
    out
}

fn of_kind(row: &'static KindSpec) -> Command {
    let needs = |field| row.kind.need(field) == Some(Need::Required);
    let needs_key = needs(Field::PrivateKey);
    let example = example(&kind_flag(row));
    let mut command = Command::new(kind_flag(row))
        .about(row.doc)
        .after_help(format!(
            "{example}\n\nEvery client option is a flag too, such as --max-attempts: `esales-notify options` lists \
             them.\n\n{EXIT_CODES}"
        ));
    let mut one_of = Vec::new();
    for (field, need) in row.fields {
        let Some(arg) = field_arg(*field, needs_key) else {
            continue;
        };
        if *need == Need::OneOf {
            one_of.push(arg.get_id().clone());
        }
        command = command.arg(arg.required(*need == Need::Required));
    }
    if !one_of.is_empty() {
        let group = ArgGroup::new("one-of").args(one_of);
        command = command.group(group.multiple(true).required(true));
    }
    let what_for = match needs_key {
        true => "The shop's private key, which signs the payment and the visitor of --customer-id",
        false => "The shop's private key, for --customer-id",
    };
    command
        .args(visitor_flags())
        .args(secret::args(what_for))
        .group(secret::group("any-private-key").required(needs_key))
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
        // -h and --help are the same here, and short.
        .disable_help_flag(true)
        .arg(
            Arg::new("help")
                .short('h')
                .long("help")
                .action(ArgAction::HelpShort)
                .help("Print help"),
        )
        .args(options::flags().map(|option| {
            let is_shown = SHOWN_OPTIONS.contains(&option.get_id().as_str());
            option.hide_short_help(!is_shown)
        }))
}

/// The flags and environment variables of the notification.
struct Given<'a> {
    args: &'a ArgMatches,
    kind: Kind,
}

impl<'a> Given<'a> {
    fn text(&self, name: &str) -> Option<&'a str> {
        self.args
            .try_get_one::<String>(name)
            .ok()?
            .map(String::as_str)
    }

    fn is_by_flag(&self, name: &str) -> bool {
        let is_there = self.args.try_contains_id(name).is_ok();
        is_there && self.args.value_source(name) == Some(ValueSource::CommandLine)
    }

    /// The value of a field. A variable for a field that the kind does not have is ignored, because it is for other
    /// kinds; a flag for such a field is refused by the library.
    fn field(&self, field: Field) -> Option<&'a str> {
        let name = field_flag(field);
        let counts = self.kind.need(field).is_some() || self.is_by_flag(&name);
        self.text(&name).filter(|_| counts)
    }

    fn lines(&self) -> Vec<Line<'a>> {
        let lines = self.args.try_get_many::<OrderLine>(LINE);
        let lines = lines.ok().flatten().into_iter().flatten();
        lines.map(OrderLine::as_line).collect()
    }

    /// The private key, if the visitor or the payment is to be signed with it.
    fn private_key(&self) -> Result<Option<String>, String> {
        let signs_payment = self.kind.need(Field::PrivateKey).is_some();
        if signs_payment || self.text("customer-id").is_some() {
            return secret::private_key(self.args);
        }
        match secret::FLAGS.iter().find(|flag| self.is_by_flag(flag)) {
            Some(flag) => Err(format!(
                "--{flag} does not belong to {}: it is for --customer-id, and for a secure-payment",
                kind_flag(self.kind.spec())
            )),
            None => Ok(None),
        }
    }
}

/// Sends the notification. Returns the receipt of any outcome, the customer key and the session key.
pub(crate) fn notify(
    kind: Kind,
    args: &ArgMatches,
    config: &Config,
) -> Result<(Receipt, String, String), String> {
    let given = Given { args, kind };
    let message = |e: esales_notify::Error| e.to_string();
    let client = Client::new(config).map_err(message)?;
    let new_or = |key: Option<&str>| key.map_or_else(new_key, |key| Ok(key.to_owned()));
    let session_key = new_or(given.text("session-key")).map_err(message)?;
    let private_key = given.private_key()?;
    let (key, token) = match (given.text("customer-id"), &private_key) {
        (Some(customer_id), Some(private_key)) => {
            let key = customer_key(customer_id).map_err(message)?;
            let token = customer_token(private_key, &key).map_err(message)?;
            (key, Some(token))
        }
        (Some(_), None) => return Err("customer-id needs private-key".to_owned()),
        (None, _) => {
            let key = new_or(given.text("customer-key")).map_err(message)?;
            (key, given.text("token").map(str::to_owned))
        }
    };
    let mut visitor = Visitor::anonymous(&key, &session_key);
    visitor.token = token.as_deref();
    let lines = given.lines();
    let mut notification = Notification::new(kind);
    notification.id = given.text("id");
    for row in FIELDS.iter().filter(|row| row.json.is_some()) {
        notification.set_text(row.field, given.field(row.field));
    }
    notification.lines = &lines;
    if kind.need(Field::PrivateKey).is_some() {
        notification.private_key = private_key.as_deref();
    }
    let mut receipt = match client.notify(&visitor, &notification) {
        Ok(receipt) => receipt,
        Err(error) => error.receipt().cloned().ok_or_else(|| error.to_string())?,
    };
    if receipt.status == Status::InvalidArgument {
        receipt.detail = in_terms_of_the_command(&receipt.detail);
    }
    Ok((receipt, key, session_key))
}

pub(crate) fn run(args: &ArgMatches) -> Result<ExitCode, String> {
    let (name, args) = args.subcommand().ok_or("the kind is missing")?;
    let kind = kind_of(name).ok_or("no such kind")?;
    let config = options::config(args)?;
    if config.get("on_failure") == Some("queue") && config.get("spool").is_none() {
        return Err(
            "on_failure=queue requires a spool, because this command ends before a queue in memory could be delivered. \
             Name the directory with --spool or ESALES_SPOOL"
                .to_owned(),
        );
    }
    let (receipt, customer_key, session_key) = notify(kind, args, &config)?;
    let kind = kind.spec().name;
    if args.get_flag("json") {
        outln!("{}", as_json(Some(kind), &receipt));
    } else {
        print(kind, &receipt, &customer_key, &session_key);
    }
    Ok(ExitCode::from(exit_code(&receipt)))
}

fn print(kind: &str, receipt: &Receipt, customer_key: &str, session_key: &str) {
    outln!("{}: {}", receipt.status, receipt.detail);
    outln!("  {}", receipt.status.text());
    outln!("  kind          {kind}");
    outln!("  id            {}", receipt.id);
    outln!("  customer key  {customer_key}");
    outln!("  session key   {session_key}");
    outln!("  attempts      {}", receipt.attempts);
    outln!(
        "  elapsed       {:.1} ms",
        receipt.elapsed.as_secs_f64() * 1000.0
    );
}

/// `kind` is the name of the kind, if it is known.
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

fn exit_code(receipt: &Receipt) -> u8 {
    match receipt.status.group() {
        Group::Success => 0,
        Group::Final if receipt.status == Status::MayHaveArrived => EXIT_MAY_HAVE_ARRIVED,
        Group::Final => 3,
        Group::Retryable => 4,
        Group::Defect => 70,
        _ => EXIT_USAGE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn send_kind_defaults_to_add_to_cart_when_the_first_argument_is_a_flag() {
        let made = |line: &str| {
            let arguments = line.split(' ').map(OsString::from).collect();
            with_kind(arguments).join(std::ffi::OsStr::new(" "))
        };
        assert_eq!(made("x send --ticket t"), "x send add-to-cart --ticket t");
        for same in [
            "x",
            "x send",
            "x send -h",
            "x send --help",
            "x send end --id 1",
            "x queue --json",
        ] {
            assert_eq!(made(same), same);
        }
    }

    #[test]
    fn send_has_a_command_with_the_flags_of_each_kind() {
        for row in KINDS {
            let mut command = of_kind(row);
            command.build();
            let has = |flag: &str| command.get_arguments().any(|a| a.get_long() == Some(flag));
            for field in FIELDS {
                let flag = match field.field {
                    Field::Lines => LINE.to_owned(),
                    // The key signs visitors too, so it has its own flags.
                    Field::PrivateKey => continue,
                    _ => field_flag(field.field),
                };
                assert_eq!(
                    has(&flag),
                    row.kind.need(field.field).is_some(),
                    "{} {flag}",
                    row.name
                );
            }
            assert_eq!(kind_of(&kind_flag(row)), Some(row.kind));
        }
    }
}
