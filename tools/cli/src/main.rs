//! The `esales-notify` command.
#![deny(clippy::print_stdout, clippy::print_stderr)]

#[macro_use]
mod output;

mod agent;
mod demo;
mod doctor;
mod drain;
mod health;
mod metrics;
mod notify_socket;
mod options;
mod queue;
mod sandbox;
mod secret;
mod send;
mod users;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::{Shell, generate};
use esales_notify::{Error, Status};

/// Wrong usage, options or arguments; clap exits with it too.
const EXIT_USAGE: u8 = 2;
/// Some notifications are still pending.
const EXIT_LEFT: u8 = 4;
/// The spool does not exist, or could not be read or written.
const EXIT_SPOOL: u8 = 6;

fn main() -> ExitCode {
    output::survive_file_size_limit();
    let arguments = send::with_kind(std::env::args_os().collect());
    let matches = command().get_matches_from(arguments);
    let result = match matches.subcommand() {
        Some(("send", args)) => send::run(args),
        Some(("drain", args)) => drain::run(args),
        Some(("health", args)) => health::run(args),
        Some(("queue", args)) => queue::run(args),
        Some(("doctor", args)) => doctor::run(args),
        Some(("sandbox", args)) => sandbox::run(args),
        Some(("demo", args)) => demo::run(args),
        Some(("options", args)) => options::run(args),
        Some(("completions", args)) => completions(args),
        Some(("man", args)) => man(args),
        _ => Err("no such command".to_owned()),
    };
    result.unwrap_or_else(|message| {
        errln!("esales-notify: {message}");
        ExitCode::from(EXIT_USAGE)
    })
}

/// The exit code of a command that uses a spool; the caller prints the message of wrong usage.
fn of_spool(result: Result<ExitCode, Error>) -> Result<ExitCode, String> {
    let e = match result {
        Ok(code) => return Ok(code),
        Err(e) => e,
    };
    let code = match e.status() {
        Status::SpoolFailed => EXIT_SPOOL,
        Status::QueueFull => EXIT_LEFT,
        _ => return Err(e.to_string()),
    };
    errln!("esales-notify: {e}");
    Ok(ExitCode::from(code))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn command() -> Command {
    Command::new("esales-notify")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Tells Elevate 3 (formerly Apptus eSales) what a shop's visitors do: clicks, carts, payments")
        .long_about(
            "Tells Elevate 3 (formerly Apptus eSales) what a shop's visitors do: clicks, carts, payments.\n\n\
             Examples, without a cluster:\n  \
             esales-notify demo\n  \
             esales-notify sandbox --listen 127.0.0.1:8080      (and in another terminal)\n  \
             esales-notify send add-to-cart --base-url http://127.0.0.1:8080 --market UK --ticket abc",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(send::command())
        .subcommand(drain::command())
        .subcommand(health::command())
        .subcommand(queue::command())
        .subcommand(doctor::command())
        .subcommand(sandbox::command())
        .subcommand(demo::command())
        .subcommand(options::command())
        .subcommand(
            Command::new("completions")
                .about("Print a completion script for your shell")
                .after_help("Example:\n  esales-notify completions bash > /etc/bash_completion.d/esales-notify")
                .arg(
                    Arg::new("shell")
                        .required(true)
                        .value_parser(value_parser!(Shell))
                        .help("The shell"),
                ),
        )
        .subcommand(
            // Hidden, because only the packages call it to install the manual pages.
            Command::new("man")
                .about("Write the manual pages into a folder")
                .hide(true)
                .arg(Arg::new("folder").required(true).value_parser(value_parser!(PathBuf))),
        )
}

fn completions(args: &ArgMatches) -> Result<ExitCode, String> {
    let shell = *args
        .get_one::<Shell>("shell")
        .ok_or("the shell is missing")?;
    // Written to memory first, because `generate` panics if it cannot write.
    let mut script = Vec::new();
    generate(shell, &mut command(), "esales-notify", &mut script);
    out!("{}", String::from_utf8_lossy(&script));
    Ok(output::exit_code())
}

fn man(args: &ArgMatches) -> Result<ExitCode, String> {
    let folder = args
        .get_one::<PathBuf>("folder")
        .ok_or("the folder is missing")?;
    clap_mangen::generate_to(command(), folder)
        .map_err(|e| format!("{}: {e}", folder.display()))?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    #[test]
    fn command_line_definition_is_valid() {
        super::command().debug_assert();
    }
}
