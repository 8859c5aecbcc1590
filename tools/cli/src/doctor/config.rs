//! The options and the variables that set them.

use std::env;
use std::path::Path;

use clap::ArgMatches;
use esales_notify::{Config, OPTIONS, Probe};

use super::report::Check;
use crate::{options, send};

/// The path of the library, for the bindings.
const LIBRARY: &str = "ESALES_NOTIFY_LIBRARY";
/// Variables with this prefix belong to the bindings and to tests.
const OURS: &str = "ESALES_NOTIFY_";

/// The configuration; `None` if a value was refused, so that the checks that need it are skipped.
pub(super) fn checks(args: &ArgMatches) -> (Option<Config>, Vec<Check>) {
    let mut config = Config::new();
    let mut refused = Vec::new();
    let given: Vec<_> = options::given(args).collect();
    for (name, value) in &given {
        if let Err(e) = config.set(name, value) {
            refused.push(e.detail().to_owned());
        }
    }
    let check = if refused.is_empty() {
        options_check(&config, &given)
    } else {
        Check::failed(
            "options",
            refused.join("; "),
            "fix these values; `esales-notify options` prints the ranges",
        )
    };
    let config = refused.is_empty().then_some(config);
    (config, vec![check, variables_check()])
}

fn options_check(config: &Config, given: &[(&str, &str)]) -> Check {
    let probe = match Probe::new(config) {
        Ok(probe) => probe,
        Err(e) => {
            let advice = "fix the options; `esales-notify options` explains each";
            return Check::failed("options", e.detail(), advice);
        }
    };
    let named: Vec<String> = given
        .iter()
        .map(|(name, value)| shown(name, value))
        .collect();
    let is_given = |name| given.iter().any(|(n, _)| *n == name);
    let mut found = format!(
        "{}; all other options have their defaults. Notifications go to {}",
        named.join(", "),
        probe.origin()
    );
    if !is_given("market") {
        found += ". market is not set, so every visitor must name one";
    }
    let mut odd: Vec<String> = Vec::new();
    if !(probe.is_https() || probe.is_loopback()) {
        odd.push(
            "visitor data crosses the network unencrypted (http://): use https:// if you can"
                .to_owned(),
        );
    }
    if is_given("ca_file") && !probe.is_https() {
        odd.push("ca_file has no effect on http://".to_owned());
    }
    if is_given("no_proxy") && !probe.has_proxy() {
        odd.push("no_proxy has no effect without a proxy".to_owned());
    }
    let (entries, is_variable) = probe.no_proxy_without_effect();
    if !entries.is_empty() {
        let whose = if is_variable {
            "the variable"
        } else {
            "the option"
        };
        odd.push(format!(
            "{whose} no_proxy has entries that match no host: {}. Write a name without a port, which covers all names \
             below it, or an address or network; `esales-notify options` explains the forms",
            entries.join(", ")
        ));
    }
    let check = match odd.as_slice() {
        [] => Check::ok("options", found),
        _ => Check::warning("options", found, odd.join("; ")),
    };
    check.fact("origin", probe.origin())
}

/// An option as text. A proxy's address is not shown, because it may contain a password.
fn shown(name: &str, value: &str) -> String {
    match name {
        "proxy" if value.is_empty() => "proxy none".to_owned(),
        "proxy" => "proxy (its address is below)".to_owned(),
        "spool_password" => "spool_password (not shown)".to_owned(),
        _ => format!("{name} {value}"),
    }
}

fn variables_check() -> Check {
    let mut names: Vec<String> = env::vars_os()
        .map(|(name, _)| name.to_string_lossy().into_owned())
        .filter(|name| name.starts_with("ESALES_"))
        .collect();
    names.sort();
    let library = env::var_os(LIBRARY).filter(|path| !path.is_empty());
    let unknown = unknown(&names);
    let list: Vec<&str> = unknown.iter().map(|(name, _)| name.as_str()).collect();
    let (mut odd, mut advice) = (Vec::new(), Vec::new());
    if !list.is_empty() {
        odd.push(format!("no option has this name: {}", list.join(", ")));
        advice.extend(unknown.iter().map(|(name, nearest)| match nearest {
            Some(nearest) => format!("{name}: did you mean {nearest}?"),
            None => format!("{name}: nothing reads it"),
        }));
    }
    if let Some(path) = library.filter(|path| !Path::new(path).is_file()) {
        odd.push(format!(
            "{LIBRARY} names no file: {}",
            path.to_string_lossy()
        ));
        advice.push(format!(
            "{LIBRARY}: the bindings cannot load the library: fix the path, or unset the variable"
        ));
    }
    let check = match (odd.as_slice(), names.len()) {
        ([], 0) => Check::ok("variables", "no ESALES_ variable is set"),
        ([], n) => Check::ok(
            "variables",
            format!("each of the {n} ESALES_ variables is known"),
        ),
        _ => Check::warning("variables", odd.join("; "), advice.join(" ")),
    };
    check.fact("unknown", list)
}

/// The variables that no program reads, each with the most similar known variable.
fn unknown(names: &[String]) -> Vec<(String, Option<String>)> {
    let mut known: Vec<String> = OPTIONS.iter().map(|o| o.environment_variable()).collect();
    known.extend(
        send::fields()
            .iter()
            .filter_map(|field| Some(field.get_env()?.to_str()?.to_owned())),
    );
    names
        .iter()
        .filter(|name| !(known.contains(name) || name.starts_with(OURS)))
        .map(|name| {
            let rest = name.trim_start_matches("ESALES_");
            let nearest = Config::nearest(rest)
                .map(|option| format!("ESALES_{}", option.to_ascii_uppercase()));
            (name.clone(), nearest)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn config_check_warns_of_variables_without_effect() {
        let names = [
            "ESALES_TIMEOUT_MS",
            "ESALES_TIMEOUT",
            "ESALES_COLOUR_OF_TRUCKS",
            "ESALES_PRIVATE_KEY",
            "ESALES_TICKET",
            "ESALES_NOTIFY_LIBRARY",
            "ESALES_timeout_ms",
        ]
        .map(str::to_owned);
        assert_eq!(
            unknown(&names),
            [
                (
                    "ESALES_TIMEOUT".to_owned(),
                    Some("ESALES_TIMEOUT_MS".to_owned())
                ),
                ("ESALES_COLOUR_OF_TRUCKS".to_owned(), None),
                (
                    "ESALES_timeout_ms".to_owned(),
                    Some("ESALES_TIMEOUT_MS".to_owned())
                ),
            ]
        );
    }

    #[test]
    fn config_check_shows_no_password() {
        assert_eq!(
            shown("spool_password", "geheim"),
            "spool_password (not shown)"
        );
        assert!(!shown("proxy", "http://u:secret@p:1").contains("secret"));
        assert_eq!(shown("market", "UK"), "market UK");
    }
}
