//! The command line of `queue`.

use std::path::PathBuf;

use crate::secret;
use clap::{Arg, ArgAction, ArgGroup, Command, value_parser};

use crate::options;

const LONG_ABOUT: &str = "\
Inspects and repairs a spool: the directory or the engine in the option spool (--spool, ESALES_SPOOL). Other processes may \
enqueue and deliver meanwhile. Run it as the owner of the spool, or as root. No command shows a token.";

const EXIT_CODES: &str = "\
Exit code: 0 done; 2 wrong usage or options, such as a relative path; 3 no notification has the id, and nothing was \
changed; 4 something is left, because the queue is full (salvage) or payments may have arrived (dead retry, salvage); \
5 the counters of the spool contradict each other (status); 6 the spool does not exist or cannot be used.";

const EXAMPLES: &str = "\
Examples, with ESALES_SPOOL in the environment:
  esales-notify queue status
  esales-notify queue list --limit 20
  esales-notify queue retry --now
  esales-notify queue dead list
  esales-notify queue dead retry --all
  esales-notify queue purge --customer-id 4711
  esales-notify queue backup /var/backups/spool";

const BACKUP: &str = "\
Copies the spool into a new directory, while the spool is in use. The copy is consistent, and is a spool itself. To \
restore it, stop every process that uses the spool and replace the spool's directory with the copy, or enqueue the \
notifications of the copy with `queue salvage`.";

const SALVAGE: &str = "\
Enqueues the pending notifications of another spool: a backup, a copy, or a damaged spool that was moved away. A \
notification that the spool already has as pending, as a dead letter or in a receipt is skipped, so a second run enqueues \
nothing twice. The age of the notifications counts from now. The other spool is not changed.";

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .action(ArgAction::SetTrue)
        .help(help)
}

/// The options for the place of the spool and the access to it.
const SPOOL_OPTIONS: [&str; 6] = [
    "spool",
    "spool_password",
    "spool_password_file",
    "spool_fallback",
    "allow_volatile",
    "ca_file",
];

/// A command that uses a spool.
fn leaf(name: &'static str, about: &'static str) -> Command {
    Command::new(name)
        .about(about)
        .after_help(EXIT_CODES)
        .arg(flag("json", "Print JSON, for programs"))
        .args(client_options(&SPOOL_OPTIONS))
}

/// The flag of a command that may enqueue payments.
fn may_count_twice() -> Arg {
    flag(
        "may-count-twice",
        "Also enqueue payments that may have arrived; if one did arrive, the service counts it twice",
    )
}

fn client_options(names: &[&str]) -> impl Iterator<Item = Arg> {
    options::flags().filter(|flag| names.contains(&flag.get_id().as_str()))
}

fn id() -> Arg {
    Arg::new("id")
        .value_name("ID")
        .required(true)
        .help("Id of the notification")
}

/// Ids, or all: one of the two is required.
fn chosen(command: Command, all: &'static str) -> Command {
    command
        .arg(
            Arg::new("id")
                .value_name("ID")
                .num_args(1..)
                .help("Ids of the dead letters"),
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
        "Inspect and repair a spool: status, list, retry, drop, purge, backup, salvage",
    )
    .long_about(LONG_ABOUT)
    .after_help(format!("{EXAMPLES}\n\n{EXIT_CODES}"))
    .subcommand(
        leaf(
            "status",
            "Show the counters, the origins that are backing off, and which process delivers",
        )
        .arg(flag("prometheus", "Print the Prometheus text format").conflicts_with("json")),
    )
    .subcommand(list())
    .subcommand(
        leaf(
            "show",
            "Show a notification and its receipt, without its token",
        )
        .arg(id())
        .args(client_options(&["receipt_retention_s"])),
    )
    .subcommand(
        leaf(
            "retry",
            "Try one delivery at once for every origin that is backing off",
        )
        .arg(flag("now", "Do not wait until the pause ends").required(true)),
    )
    .subcommand(dead())
    .subcommand(purge())
    .subcommand(
        leaf(
            "backup",
            "Copy the spool into a new directory, while it is in use",
        )
        .long_about(BACKUP)
        .arg(path("The new directory")),
    )
    .subcommand(
        leaf(
            "salvage",
            "Enqueue the notifications of a damaged, copied or backed-up spool",
        )
        .long_about(SALVAGE)
        .arg(path("Directory of the other spool"))
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
                .help("Greatest number of notifications"),
        )
        .arg(
            Arg::new("after")
                .long("after")
                .value_name("CURSOR")
                .help("Continue an earlier list, which printed this cursor"),
        )
}

fn dead() -> Command {
    group(
        "dead",
        "List, retry or drop dead letters: notifications that the service refused for good, and payments that may have arrived",
    )
    .subcommand(leaf("list", "List the dead letters, oldest first"))
    .subcommand(leaf("show", "Show a dead letter; if several have the id, the newest").arg(id()))
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
            "Renew the tokens of visitors and payments with this key, for example after a rotation",
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
        "Erase all data of one visitor: pending notifications, dead letters, copies on the disk",
    )
    .arg(
        Arg::new("customer-key")
            .long("customer-key")
            .value_name("KEY")
            .help("Customer key of the visitor"),
    )
    .arg(
        Arg::new("customer-id")
            .long("customer-id")
            .value_name("ID")
            .help("Id of a signed-in visitor in the shop, from which the customer key is made"),
    )
    .group(
        ArgGroup::new("visitor")
            .args(["customer-key", "customer-id"])
            .required(true),
    )
}
