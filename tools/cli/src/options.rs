//! `options`: prints the option table. Also makes the flags of the client options.

use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use esales_notify::{Config, OPTIONS, OptionSpec};
use serde_json::json;

use crate::output;

/// The value of an option that is a number; its default if it is not set.
pub(crate) fn number(config: &Config, name: &str) -> u64 {
    config.get(name).and_then(|v| v.parse().ok()).unwrap_or(0)
}

pub(crate) fn command() -> Command {
    Command::new("options")
        .about("Print the option table: name, range, default, environment variable, meaning")
        .after_help("Examples:\n  esales-notify options\n  esales-notify options --json")
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Print JSON"),
        )
}

pub(crate) fn run(args: &ArgMatches) -> Result<ExitCode, String> {
    if args.get_flag("json") {
        let rows: Vec<_> = OPTIONS.iter().map(as_json).collect();
        outln!("{:#}", serde_json::Value::from(rows));
    } else {
        for option in OPTIONS {
            let default = option
                .default
                .map_or("unset".to_owned(), |d| format!("default {d}"));
            outln!(
                "{} ({}; {default}; {})",
                option.name,
                option.range(),
                option.environment_variable()
            );
            outln!("    {}", option.doc);
        }
    }
    Ok(output::exit_code())
}

fn as_json(option: &OptionSpec) -> serde_json::Value {
    json!({
        "name": option.name,
        "range": option.range(),
        "default": option.default,
        "environment_variable": option.environment_variable(),
        "doc": option.doc,
    })
}

/// A flag for every option: `timeout_ms` is `--timeout-ms`, or `ESALES_TIMEOUT_MS` in the environment.
pub(crate) fn flags() -> impl Iterator<Item = Arg> {
    OPTIONS.iter().map(|option| {
        let mut help = option.doc.to_owned();
        if let Some(default) = option.default {
            help += &format!(" [default: {default}]");
        }
        Arg::new(option.name)
            .long(option.name.replace('_', "-"))
            .env(option.environment_variable())
            .hide_env_values(true)
            .value_name("VALUE")
            .help(help)
            .help_heading("Options of the client")
    })
}

/// The configuration from the flags and the environment.
pub(crate) fn config(args: &ArgMatches) -> Result<Config, String> {
    let mut config = Config::new();
    for (name, value) in given(args) {
        config.set(name, value).map_err(|e| e.to_string())?;
    }
    Ok(config)
}

/// The options that the flags and the environment set. An empty variable counts as not set. --base-url overrides
/// ESALES_CLUSTER_ID, and --cluster-id overrides ESALES_BASE_URL.
pub(crate) fn given(args: &ArgMatches) -> impl Iterator<Item = (&'static str, &str)> {
    let by_flag = |name: &str| {
        let is_there = args.try_contains_id(name).is_ok();
        is_there && args.value_source(name) == Some(ValueSource::CommandLine)
    };
    OPTIONS.iter().filter_map(move |option| {
        // Some commands have only some of the flags.
        let value = args.try_get_one::<String>(option.name).ok()??;
        let is_overridden = match option.name {
            "cluster_id" => by_flag("base_url"),
            "base_url" => by_flag("cluster_id"),
            _ => false,
        };
        let counts = by_flag(option.name) || !(value.is_empty() || is_overridden);
        counts.then_some((option.name, value.as_str()))
    })
}
