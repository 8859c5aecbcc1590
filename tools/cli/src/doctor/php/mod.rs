//! Checks whether PHP pages may use FFI. Each SAPI has its own ini files, so each is run with `-i`.

mod info;
mod pools;

use std::collections::BTreeMap;
use std::env;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::info::{Info, ask};
use self::pools::Pools;
use super::report::Check;

/// Time limit of `php -i` if `timeout_ms` is not available.
pub(super) const PHP_TIMEOUT: Duration = Duration::from_secs(3);
/// Advice to allow FFI, at best for one pool only.
const IN_POOL: &str = "put php_admin_value[ffi.enable] = 1 into the shop's pool, so that no other pool may use FFI, and \
                       restart it; for all pools, put ffi.enable=1 into its ini files, or opcache.preload with the \
                       binding's preload.php (ffi.preload alone is not enough)";

/// A PHP that was named with --php must be able to use the library. A PHP that was only found may not be the shop's, so
/// its faults are no failures.
pub(super) fn checks(named: &[&String], timeout: Duration) -> Vec<Check> {
    let is_named = !named.is_empty();
    let programs: Vec<PathBuf> = match is_named {
        true => named.iter().map(PathBuf::from).collect(),
        false => {
            env::var_os("PATH").map_or_else(Vec::new, |path| on_the_path(env::split_paths(&path)))
        }
    };
    let mut cli = Vec::new();
    let mut web = Vec::new();
    for program in programs {
        let (is_cli, check) = match ask(&program, timeout) {
            Ok(info) => {
                let is_cli = info.is_cli();
                (is_cli, judge(&program, &info, is_named))
            }
            Err(message) => {
                let is_cli = !is_fpm(&program);
                let found = format!("{}: {message}", program.display());
                let advice = "run it with -i to see its message";
                (is_cli, bad(name_of(is_cli), is_named, &found, advice))
            }
        };
        if is_cli {
            cli.push(check)
        } else {
            web.push(check)
        }
    }
    let nothing = match is_named {
        true => "none was named by --php",
        false => "there is none on the PATH; name one with --php",
    };
    for (checks, is_cli) in [(&mut cli, true), (&mut web, false)] {
        if checks.is_empty() {
            checks.push(Check::skipped(name_of(is_cli), nothing));
        }
    }
    cli.extend(web);
    cli
}

fn name_of(is_cli: bool) -> &'static str {
    if is_cli { "cli" } else { "web" }
}

fn is_fpm(program: &Path) -> bool {
    let name = program.file_name().and_then(|n| n.to_str());
    name.is_some_and(|n| n.starts_with("php-fpm"))
}

fn bad(name: &'static str, is_named: bool, found: &str, advice: &str) -> Check {
    match is_named {
        true => Check::failed(name, found, advice),
        false => Check::skipped(
            name,
            format!("{found}. If the shop runs on this PHP: {advice}; --php checks it"),
        ),
    }
}

/// `php` and every php-fpm on the PATH, each name once.
fn on_the_path(folders: impl Iterator<Item = PathBuf>) -> Vec<PathBuf> {
    let mut found: BTreeMap<String, PathBuf> = BTreeMap::new();
    for entry in folders
        .filter_map(|f| f.read_dir().ok())
        .flatten()
        .flatten()
    {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let version = name.strip_prefix("php-fpm");
        let is_wanted = name == "php"
            || version.is_some_and(|v| v.chars().all(|c| c.is_ascii_digit() || c == '.'));
        let can_run = || {
            let metadata = entry.path().metadata();
            metadata.is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
        };
        if is_wanted && can_run() {
            found.entry(name).or_insert_with(|| entry.path());
        }
    }
    found.into_values().collect()
}

fn judge(program: &Path, info: &Info, is_named: bool) -> Check {
    let name = name_of(info.is_cli());
    let ini = match info.get("Loaded Configuration File") {
        "" | "(none)" => "no php.ini".to_owned(),
        file => file.to_owned(),
    };
    let about = format!(
        "{} (PHP {}, {}, {ini})",
        program.display(),
        info.get("PHP Version"),
        info.get("Server API")
    );
    let pools = match info.is_cli() {
        true => Pools::default(),
        false => Pools::read(info.ini_folders()),
    };
    let check = match verdict_of_all(info, &pools) {
        Ok(message) => Check::ok(name, format!("{about}: {message}")),
        Err((message, advice)) => bad(name, is_named, &format!("{about}: {message}"), &advice),
    };
    let check = match info.is_cli() {
        true => check,
        false => check.fact("pools", pools.facts()),
    };
    check
        .fact("php", program.display().to_string())
        .fact("version", info.get("PHP Version"))
        .fact("sapi", info.get("Server API"))
        .fact("ffi_enable", info.get("ffi.enable"))
        .fact("ffi_preload", info.get("ffi.preload"))
        .fact("opcache_preload", info.get("opcache.preload"))
}

/// The result for each pool if a pool overrides a setting, otherwise the result for the ini files.
fn verdict_of_all(info: &Info, pools: &Pools) -> Result<String, (String, String)> {
    let unread = match pools.unread.as_slice() {
        [] => String::new(),
        files => format!("; this user cannot read {}", files.join(", ")),
    };
    if pools.all.iter().all(|pool| pool.settings.is_empty()) {
        return verdict(info)
            .map(|message| message + &unread)
            .map_err(|(message, advice)| (message + &unread, advice));
    }
    let of_pools: Vec<_> = pools
        .all
        .iter()
        .map(|pool| (&pool.name, verdict(&info.of_pool(pool))))
        .collect();
    let messages: Vec<String> = of_pools
        .iter()
        .map(|(name, verdict)| match verdict {
            Ok(message) | Err((message, _)) => format!("pool {name}: {message}"),
        })
        .collect();
    let message = messages.join("; ") + &unread;
    let is_ok = of_pools.iter().any(|(_, verdict)| verdict.is_ok());
    let advice = of_pools.into_iter().find_map(|(_, verdict)| verdict.err());
    match advice {
        Some((_, advice)) if !is_ok => Err((message, advice)),
        _ => Ok(message),
    }
}

/// `Ok`: the setting that allows FFI. `Err`: the fault, and what to do.
fn verdict(info: &Info) -> Result<String, (String, String)> {
    let no = |message: &str, advice: &str| Err((message.to_owned(), advice.to_owned()));
    if info.is_too_old() {
        return no("too old for FFI", "the binding needs PHP 7.4 or newer");
    }
    if !info.settings.contains_key("ffi.enable") {
        return no(
            "the extension FFI is not loaded",
            "install it (Debian: phpenmod ffi; official Docker images: docker-php-ext-install ffi)",
        );
    }
    if let Some(fatal) = &info.fatal {
        return no(fatal, "fix that first: its pages will not start either");
    }
    if let Some(disabled) = info.disabled() {
        let advice = "remove them from disable_functions (disable_classes) in its ini files or its pool, and restart it";
        return no(
            &format!("functions or classes that the binding needs are disabled: {disabled}"),
            advice,
        );
    }
    if info.is_on("ffi.enable") {
        return Ok("ffi.enable=1, all code may use FFI".to_owned());
    }
    if info.get("ffi.enable") != "preload" {
        let advice = match info.is_cli() {
            true => "put ffi.enable=1 into its ini files",
            false => IN_POOL,
        };
        return no("FFI is switched off (ffi.enable)", advice);
    }
    if info.is_cli() {
        return Ok("ffi.enable=preload, which on the command line is enough".to_owned());
    }
    let preload = info.get("opcache.preload");
    if preload.is_empty() {
        return no(
            "ffi.enable=preload, and opcache.preload is not set: pages may not use FFI",
            IN_POOL,
        );
    }
    if !Path::new(preload).is_file() {
        let message = format!("opcache.preload names no file: {preload}");
        return no(&message, "name the binding's preload.php, and restart it");
    }
    if !info.is_on("opcache.enable") {
        return no(
            "opcache.preload has no effect without opcache.enable=1",
            "set opcache.enable=1, and restart it",
        );
    }
    Ok(format!(
        "ffi.enable=preload with opcache.preload={preload}, which must load the binding's preload.php"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(sapi: &str, settings: &[(&str, &str)]) -> Info {
        let mut text = format!("phpinfo()\nPHP Version => 8.2.1\nServer API => {sapi}\n");
        for (name, value) in settings {
            text += &format!("{name} => {value} => {value}\n");
        }
        Info::parse(&text).unwrap()
    }

    #[test]
    fn php_check_judges_every_ffi_setting() {
        let cli = "Command Line Interface";
        let fpm = "FPM/FastCGI";
        let file = std::env::current_exe().unwrap();
        let file = file.to_str().unwrap();
        for (sapi, settings, message) in [
            (cli, &[][..], Err("not loaded")),
            (cli, &[("ffi.enable", "preload")], Ok("is enough")),
            (cli, &[("ffi.enable", "0")], Err("switched off")),
            (cli, &[("ffi.enable", "Off")], Err("switched off")),
            (fpm, &[("ffi.enable", "1")], Ok("all code")),
            (
                fpm,
                &[
                    ("ffi.enable", "1"),
                    ("disable_functions", "exec,system,putenv"),
                ],
                Ok("all code"),
            ),
            (
                fpm,
                &[
                    ("ffi.enable", "1"),
                    ("disable_functions", "exec, getenv,ini_get"),
                ],
                Err("disabled: getenv(), ini_get()"),
            ),
            (
                cli,
                &[("ffi.enable", "1"), ("disable_classes", "FFI")],
                Err("the class FFI"),
            ),
            (fpm, &[("ffi.enable", "On")], Ok("all code")),
            (fpm, &[("ffi.enable", "preload")], Err("not set")),
            (
                fpm,
                &[("ffi.enable", "preload"), ("ffi.preload", file)],
                Err("not set"),
            ),
            (
                fpm,
                &[("ffi.enable", "preload"), ("opcache.preload", "/no/such")],
                Err("names no file"),
            ),
            (
                fpm,
                &[("ffi.enable", "preload"), ("opcache.preload", file)],
                Err("opcache.enable"),
            ),
            (
                fpm,
                &[
                    ("ffi.enable", "preload"),
                    ("opcache.preload", file),
                    ("opcache.enable", "On"),
                ],
                Ok("must load"),
            ),
        ] {
            let verdict = verdict(&info(sapi, settings));
            match (&verdict, message) {
                (Ok(found), Ok(message)) | (Err((found, _)), Err(message)) => {
                    assert!(found.contains(message), "{settings:?}: {found}");
                }
                _ => panic!("{settings:?}: {verdict:?}"),
            }
        }
    }
}
