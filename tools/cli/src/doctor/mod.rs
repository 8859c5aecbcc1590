//! `doctor`: finds out why nothing arrives. It checks everything between the configuration and the service, and reports
//! for each part what it found and what to do.
//!
//! The library's own code reads the configuration, connects to the service and opens the spool, so the results are
//! those that a client would get. The doctor adds the explanations.

mod certificate;
mod config;
mod engine;
mod env_file;
mod network;
mod notification;
mod php;
mod place;
mod report;
mod screen;
mod spool;

use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command};
use esales_notify::{KINDS, Probe};

use crate::{options, send};
use report::Report;
use screen::Screen;

const LONG_ABOUT: &str = "\
Finds out why nothing arrives. Checks the configuration, the network (name, connection, proxy, TLS), this machine's \
clock, the spool and PHP, and reports what it found and what to do. Run it as the user of the shop, and with the \
environment of the shop or its --env-file.

It sends no notification without --send. It changes nothing, except that the library sets the mode of a spool \
that is open to other users to 0700. Each step of the network, and each PHP, takes at most --timeout-ms. No key, token \
or password is shown.";

const EXAMPLES: &str = "\
Examples:
  sudo -u www-data esales-notify doctor --env-file /etc/esales-notify.env
  esales-notify doctor --php /usr/sbin/php-fpm8.2
  esales-notify doctor --send click --market UK --ticket TICKET
  esales-notify doctor --json --strict";

const EXIT_CODES: &str = "\
Exit code: 0 no check failed; 1 with --strict, none failed and there is a warning; 2 a check failed, or wrong usage \
(then nothing is on stdout). These are the codes of a Nagios plug-in.";

pub(crate) fn command() -> Command {
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .action(ArgAction::SetTrue)
            .help(help)
    };
    let of_test = "The notification of --send";
    Command::new("doctor")
        .about("Find out why nothing arrives: check configuration, network, clock, spool, PHP")
        .long_about(LONG_ABOUT)
        .after_help(EXIT_CODES)
        .after_long_help(format!("{EXAMPLES}\n\n{EXIT_CODES}"))
        .arg(flag("json", "Print JSON, for programs"))
        .arg(flag("strict", "Exit with 1 if there is a warning"))
        .arg(
            Arg::new(env_file::FLAG)
                .long(env_file::FLAG)
                .value_name("PATH")
                .action(ArgAction::Append)
                .help("Read variables from this file first, such as the EnvironmentFile of a systemd unit; they override those of the environment"),
        )
        .arg(
            Arg::new("php")
                .long("php")
                .value_name("PATH")
                .action(ArgAction::Append)
                .help("Check the shop's PHP, such as /usr/sbin/php-fpm8.2; a PHP that is only on the PATH is shown, but its faults do not count as failures"),
        )
        .arg(
            Arg::new("send")
                .long("send")
                .value_name("KIND")
                .value_parser(PossibleValuesParser::new(KINDS.iter().map(send::kind_flag)))
                .num_args(0..=1)
                .default_missing_value("add-to-cart")
                .help("Also send one test notification of this kind (add-to-cart if none is given), which the service counts like any other"),
        )
        .args(send::fields().into_iter().map(|field| field.help_heading(of_test)))
        .args(options::flags())
}

pub(crate) fn run(args: &ArgMatches) -> Result<ExitCode, String> {
    if let Some(files) = args.get_many::<String>(env_file::FLAG) {
        return Err(env_file::run_with(files));
    }
    let mut report = Report::default();
    let (config, checks) = config::checks(args);
    report.add("configuration", checks);
    let probe = config.as_ref().and_then(|c| Probe::new(c).ok());
    report.add("network", network::checks(probe.as_ref()));
    report.add(
        "notification",
        vec![notification::check(args, probe.is_some())],
    );
    report.add("spool", spool::checks(config.as_ref()));
    let named: Vec<&String> = args.get_many("php").into_iter().flatten().collect();
    let timeout = probe.map_or(php::PHP_TIMEOUT, |p| p.timeout());
    report.add("php", php::checks(&named, timeout));
    let text = if args.get_flag("json") {
        format!("{:#}\n", report.json())
    } else {
        report.text(Screen::from_stdout())
    };
    out!("{text}");
    Ok(ExitCode::from(report.exit_code(args.get_flag("strict"))))
}
