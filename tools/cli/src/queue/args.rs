//! The command line of `queue`.

use std::path::PathBuf;

use crate::secret;
use clap::{Arg, ArgAction, ArgGroup, Command, value_parser};

use crate::options;

const LONG_ABOUT: &str = "\
Looks into a spool and repairs it: the directory or the engine that the option spool (--spool, ESALES_SPOOL) names. Any number of \
processes may enqueue and deliver meanwhile. Run it as the user who owns the spool, or as root. No command shows a \
token.";

const EXIT_CODES: &str = "\
Exit code: 0 done; 2 wrong usage or options, such as a relative path; 3 no notification (dead letter) has that id, and nothing was changed; \
4 something is left: the queue is full (salvage), or payments that may have arrived (dead retry, salvage); 5 the counters of the spool contradict one another (status); 6 \
there is no such spool, or it could not be used.";

const BACKUP: &str = "\
Makes a consistent copy of the spool in a new directory, while the spool is in use. The copy is a spool itself: to \
restore it, stop every process that uses the spool, and put the copy in the spool's place; or enqueue what is in it \
with `queue salvage`.";

const SALVAGE: &str = "\
Enqueues the pending notifications of another spool: a backup, a copy, or a damaged spool that was moved away. Whatever \
the spool knows already (it is pending, is a dead letter, or has a receipt) is left out, so nothing is enqueued twice, \
also by a second run. The age of what is enqueued counts from now. The other spool is not changed.";

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .action(ArgAction::SetTrue)
        .help(help)
}

/// The options that say where the spool is and how it is reached.
const SPOOL_OPTIONS: [&str; 6] = [
    "spool",
    "spool_password",
    "spool_password_file",
    "spool_fallback",
    "allow_volatile",
    "ca_file",
];

/// A command that works on a spool.
fn leaf(name: &'static str, about: &'static str) -> Command {
    Command::new(name)
        .about(about)
        .after_help(EXIT_CODES)
        .arg(flag("json", "For programs: as JSON"))
        .args(client_options(&SPOOL_OPTIONS))
}

/// For a command that enqueues what may be a payment.
fn may_count_twice() -> Arg {
    flag(
        "may-count-twice",
        "Also enqueue payments that may have arrived: the service counts those that did arrive twice",
    )
}

fn client_options(names: &[&str]) -> impl Iterator<Item = Arg> {
    options::flags().filter(|flag| names.contains(&flag.get_id().as_str()))
}

fn id() -> Arg {
    Arg::new("id")
        .value_name("ID")
        .required(true)
        .help("The notification's id")
}

/// Ids, or all: one of the two is required.
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

fn path(help: &'static str) -> Arg {
    Arg::new("path")
        .value_name("DIR")
        .required(true)
        .value_parser(value_parser!(PathBuf))
        .help(help)
}

fn group(name: &'static str, about: &'static str) -> Command {
    Command::new(name)
        .about(about)
        .after_help(EXIT_CODES)
        .subcommand_required(true)
        .arg_required_else_help(true)
}

pub(crate) fn command() -> Command {
    group(
        "queue",
        "Look into a spool: its state, its notifications; retry, drop, erase, back up, salvage",
    )
    .long_about(LONG_ABOUT)
    .subcommand(
        leaf(
            "status",
            "Show the counters, the gates, and which process delivers the spool",
        )
        .arg(flag("prometheus", "In the Prometheus text exposition format").conflicts_with("json")),
    )
    .subcommand(list())
    .subcommand(
        leaf(
            "show",
            "Show what is known of a notification, without its token",
        )
        .arg(id())
        .args(client_options(&["receipt_retention_s"])),
    )
    .subcommand(
        leaf(
            "retry",
            "Try one delivery at once where deliveries are backing off",
        )
        .arg(flag("now", "Do not wait for the end of the pause").required(true)),
    )
    .subcommand(dead())
    .subcommand(purge())
    .subcommand(
        leaf(
            "backup",
            "Copy the spool into a new directory, while it is in use",
        )
        .long_about(BACKUP)
        .arg(path("The directory to make")),
    )
    .subcommand(
        leaf(
            "salvage",
            "Enqueue what can be read of a damaged, copied or backed-up spool",
        )
        .long_about(SALVAGE)
        .arg(path("The other spool's directory"))
        .arg(flag("dead", "Also enqueue its dead letters"))
        .arg(may_count_twice())
        .args(client_options(&[
            "durability",
            "max_items",
            "max_bytes",
            "overflow",
            "receipt_retention_s",
        ])),
    )
}

fn list() -> Command {
    leaf("list", "List the pending notifications, oldest first")
        .arg(
            Arg::new("limit")
                .long("limit")
                .value_name("N")
                .value_parser(value_parser!(u64).range(1..=100_000))
                .default_value("100")
                .help("At most this many"),
        )
        .arg(Arg::new("after").long("after").value_name("CURSOR").help(
            "Continue behind the last notification of an earlier list, which printed this cursor",
        ))
}

fn dead() -> Command {
    group(
        "dead",
        "List dead letters (refused for good by the service, or payments that may have arrived), retry them, drop them",
    )
    .subcommand(leaf("list", "List the dead letters, oldest first"))
    .subcommand(leaf("show", "Show a dead letter, the newest with that id").arg(id()))
    .subcommand(
        chosen(
            leaf(
                "retry",
                "Enqueue dead letters again, at the end of the queue; their age counts from now",
            ),
            "Every dead letter",
        )
        .arg(may_count_twice())
        .args(secret::args(
            "Make the tokens of visitors and of payments anew with this key, as after a rotation",
        )),
    )
    .subcommand(chosen(
        leaf("drop", "Drop dead letters; they count as dropped"),
        "Every dead letter",
    ))
}

fn purge() -> Command {
    leaf(
        "purge",
        "Erase everything of one visitor: pending notifications, dead letters, copies on the disk",
    )
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
    )
}
