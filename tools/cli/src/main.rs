//! The `esales-notify` command.
#![deny(clippy::print_stdout, clippy::print_stderr)]

#[macro_use]
mod output;

mod demo;
mod doctor;
mod drain;
mod notify_socket;
mod options;
mod prometheus;
mod queue;
mod sandbox;
mod secret;
mod send;
mod typed;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::{Shell, generate};

/// Wrong usage, options or arguments; clap exits with it too.
const EXIT_USAGE: u8 = 2;
/// The spool could not be read or written.
const EXIT_SPOOL: u8 = 6;

fn main() -> ExitCode {
    let matches = command().get_matches();
    let result = match matches.subcommand() {
        Some(("send", args)) => send::run(args),
        Some(("drain", args)) => drain::run(args),
        Some(("queue", args)) => queue::run(args),
        Some(("doctor", args)) => doctor::run(args),
        Some(("sandbox", args)) => sandbox::run(args),
        Some(("demo", args)) => demo::run(args),
        Some(("options", args)) => options::run(args),
        Some(("completions", args)) => completions(args),
        Some(("man", args)) => man(args),
        _ => Err("no such command".to_owned()),
    };
    result.unwrap_or_else(|words| {
        errln!("esales-notify: {words}");
        ExitCode::from(EXIT_USAGE)
    })
}

/// What a command that works on a spool exits with; the words of wrong usage are the caller's to print.
fn of_spool(result: Result<ExitCode, esales_notify::Error>) -> Result<ExitCode, String> {
    match result {
        Ok(code) => Ok(code),
        Err(e) if e.status() == esales_notify::Status::SpoolFailed => {
            errln!("esales-notify: {e}");
            Ok(ExitCode::from(EXIT_SPOOL))
        }
        Err(e) => Err(e.to_string()),
    }
}

fn command() -> Command {
    Command::new("esales-notify")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Tells Elevate 3 (formerly Apptus eSales) that a visitor added a product to the cart")
        .long_about(
            "Tells Elevate 3 (formerly Apptus eSales) that a visitor added a product to the cart.\n\n\
             To look around without a cluster:\n  \
             esales-notify demo\n  \
             esales-notify sandbox --listen 127.0.0.1:8080      (and in another terminal)\n  \
             esales-notify send --base-url http://127.0.0.1:8080 --market UK --ticket abc",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(send::command())
        .subcommand(drain::command())
        .subcommand(queue::command())
        .subcommand(doctor::command())
        .subcommand(sandbox::command())
        .subcommand(demo::command())
        .subcommand(options::command())
        .subcommand(
            Command::new("completions")
                .about("Print a completion script for your shell")
                .arg(
                    Arg::new("shell")
                        .required(true)
                        .value_parser(value_parser!(Shell))
                        .help("The shell, as in: esales-notify completions bash > /etc/bash_completion.d/esales-notify"),
                ),
        )
        .subcommand(
            // For packages, which is why it is hidden: whoever has the command installed has the pages.
            Command::new("man")
                .about("Write the manual pages into a folder")
                .hide(true)
                .arg(Arg::new("folder").required(true).value_parser(value_parser!(PathBuf))),
        )
}

fn completions(args: &ArgMatches) -> Result<ExitCode, String> {
    let shell = *args.get_one::<Shell>("shell").ok_or("which shell?")?;
    // Not straight to standard output: `generate` panics when it cannot write.
    let mut script = Vec::new();
    generate(shell, &mut command(), "esales-notify", &mut script);
    out!("{}", String::from_utf8_lossy(&script));
    Ok(output::exit_code())
}

fn man(args: &ArgMatches) -> Result<ExitCode, String> {
    let folder = args
        .get_one::<PathBuf>("folder")
        .ok_or("into which folder?")?;
    clap_mangen::generate_to(command(), folder)
        .map_err(|e| format!("{}: {e}", folder.display()))?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
