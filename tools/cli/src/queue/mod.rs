//! `queue`: reports, lists, retries, erases, backs up and salvages the notifications of a spool.

mod actions;
mod args;
mod json;
mod text;

use std::process::ExitCode;

use clap::ArgMatches;
use esales_notify::{Error, LogLevel, SpoolAdmin, log_to};

pub(crate) use args::command;
pub(crate) use text::{counted, span};

use crate::{millis, of_spool, options, secret};

/// The output of a command, and its exit code.
struct Answer {
    /// Printed on stdout.
    text: String,
    /// Printed on stderr, for a person.
    warnings: Vec<String>,
    code: u8,
}

impl Answer {
    fn new(text: String) -> Answer {
        Answer {
            text,
            warnings: Vec::new(),
            code: 0,
        }
    }

    fn warn(mut self, message: impl Into<String>) -> Answer {
        self.warnings.push(message.into());
        self
    }

    fn code(mut self, code: u8) -> Answer {
        self.code = code;
        self
    }
}

pub(crate) fn run(args: &ArgMatches) -> Result<ExitCode, String> {
    type Action = fn(&SpoolAdmin, &ArgMatches) -> Result<Answer, Error>;
    let (action, args): (Action, _) = match args.subcommand() {
        Some(("status", args)) => (actions::status, args),
        Some(("show", args)) => (actions::show, args),
        Some(("list", args)) => (actions::list, args),
        Some(("retry", args)) => (actions::retry_now, args),
        Some(("purge", args)) => (actions::purge, args),
        Some(("backup", args)) => (actions::backup, args),
        Some(("salvage", args)) => (actions::salvage, args),
        Some(("dead", args)) => match args.subcommand() {
            Some(("list", args)) => (actions::dead_list, args),
            Some(("show", args)) => (actions::dead_show, args),
            Some(("retry", args)) => {
                let key = secret::private_key(args)?;
                return act(args, |spool| {
                    actions::dead_retry(spool, args, key.as_deref())
                });
            }
            Some(("drop", args)) => (actions::dead_drop, args),
            _ => return Err("no such command".to_owned()),
        },
        _ => return Err("no such command".to_owned()),
    };
    act(args, |spool| action(spool, args))
}

/// Opens the spool, acts on it, and prints the answer.
fn act(
    args: &ArgMatches,
    action: impl FnOnce(&SpoolAdmin) -> Result<Answer, Error>,
) -> Result<ExitCode, String> {
    let config = options::config(args)?;
    let warn = |_, message: &str| errln!("esales-notify: {message}");
    log_to(LogLevel::Warn, Some(Box::new(warn)));
    let answer = match SpoolAdmin::open(&config).and_then(|spool| action(&spool)) {
        Ok(answer) => answer,
        Err(e) => return of_spool(Err(e)),
    };
    for warning in &answer.warnings {
        errln!("esales-notify: {warning}");
    }
    out!("{}", answer.text);
    Ok(ExitCode::from(answer.code))
}
