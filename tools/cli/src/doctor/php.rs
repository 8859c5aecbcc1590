//! PHP: whether its pages may use FFI. Each SAPI reads files of its own, so each is asked itself (`php -i`).

use std::collections::BTreeMap;
use std::env;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use super::report::Check;

/// How long one PHP may take to describe itself where `timeout_ms` is not to be had.
pub(super) const PHP_TIMEOUT: Duration = Duration::from_secs(3);
/// The binding needs it.
const OLDEST: (u32, u32) = (7, 4);
/// The functions that the binding calls, as in its Internal/Functions.php.
const NEEDED: &[&str] = &[
    "array_keys",
    "array_slice",
    "count",
    "current",
    "dirname",
    "explode",
    "extension_loaded",
    "file_get_contents",
    "fwrite",
    "get_class",
    "get_object_vars",
    "getenv",
    "gettype",
    "implode",
    "in_array",
    "ini_get",
    "is_bool",
    "is_callable",
    "is_file",
    "is_float",
    "is_int",
    "is_object",
    "is_string",
    "key",
    "ltrim",
    "preg_match",
    "preg_replace",
    "realpath",
    "strlen",
    "strpos",
];

/// A PHP that was named must be able to use the library; one that was merely found may belong to something else.
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
                let advice = "run it with -i, and see what it says";
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
        false => "none is on the PATH; name one with --php",
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
        false => Check::warning(name, found, advice),
    }
}

/// `php` and every php-fpm, each name once, as a shell would find it.
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

/// What `php -i` says.
#[derive(Debug)]
struct Info {
    settings: BTreeMap<String, String>,
    /// What it complained of when it started.
    fatal: Option<String>,
}

impl Info {
    /// Lines of the form "name => value"; of an ini setting, "name => local => master".
    fn parse(text: &str) -> Option<Info> {
        let wanted = |name: &str| {
            name.starts_with("ffi.")
                || name.starts_with("opcache.")
                || [
                    "PHP Version",
                    "Server API",
                    "Loaded Configuration File",
                    "disable_functions",
                    "disable_classes",
                ]
                .contains(&name)
        };
        let all = text.lines().filter_map(|line| {
            let (name, rest) = line.split_once(" => ")?;
            let value = rest.split(" => ").next()?.trim();
            let value = if value == "no value" { "" } else { value };
            wanted(name).then(|| (name.to_owned(), value.to_owned()))
        });
        let settings: BTreeMap<String, String> = all.collect();
        settings.contains_key("Server API").then_some(Info {
            settings,
            fatal: None,
        })
    }

    fn get(&self, name: &str) -> &str {
        self.settings.get(name).map_or("", String::as_str)
    }

    fn is_on(&self, name: &str) -> bool {
        ["1", "on", "true", "yes"].contains(&self.get(name).to_ascii_lowercase().as_str())
    }

    /// What the binding needs and php.ini disables.
    fn disabled(&self) -> Option<String> {
        let listed = |setting, needed: &str| {
            let mut names = self.get(setting).split([',', ' ']);
            names.any(|name| name.eq_ignore_ascii_case(needed))
        };
        let functions = NEEDED
            .iter()
            .filter(|name| listed("disable_functions", name))
            .map(|name| format!("{name}()"));
        let class = listed("disable_classes", "FFI").then(|| "the class FFI".to_owned());
        let disabled: Vec<String> = functions.chain(class).collect();
        (!disabled.is_empty()).then(|| disabled.join(", "))
    }

    fn is_cli(&self) -> bool {
        self.get("Server API") == "Command Line Interface"
    }

    fn is_too_old(&self) -> bool {
        let mut parts = self
            .get("PHP Version")
            .split('.')
            .map(|p| p.parse::<u32>().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) < OLDEST
    }
}

fn ask(program: &Path, timeout: Duration) -> Result<Info, String> {
    let mut child = Command::new(program)
        .arg("-i")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| e.to_string())?;
    let described = read(child.stdout.take());
    let complained = read(child.stderr.take());
    let text = described.recv_timeout(timeout);
    // It has ended, or is to end now.
    let _ = child.kill();
    let _ = child.wait();
    let text = text.map_err(|_| format!("no answer to -i within {} ms", timeout.as_millis()))?;
    let message = complained.recv_timeout(timeout).unwrap_or_default();
    let short = |line: &str| line.chars().take(200).collect::<String>();
    let Some(mut info) = Info::parse(&text) else {
        let mut lines = text.lines().chain(message.lines());
        let first = lines.find(|line| !line.trim().is_empty());
        let first = short(first.unwrap_or("it says nothing"));
        return Err(format!("it does not describe itself with -i: {first}"));
    };
    // Such as of a preload script that fails.
    let fatal = message.lines().find(|line| line.contains("Fatal error"));
    info.fatal = fatal.map(short);
    Ok(info)
}

/// All that comes, when it has ended.
fn read(from: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            // What came before an error is worth as much.
            let _ = from.read_to_end(&mut bytes);
        }
        // Nobody waits any more if it took too long.
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
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
    let check = match verdict(info) {
        Ok(message) => Check::ok(name, format!("{about}: {message}")),
        Err((message, advice)) => bad(name, is_named, &format!("{about}: {message}"), &advice),
    };
    check
        .fact("php", program.display().to_string())
        .fact("version", info.get("PHP Version"))
        .fact("sapi", info.get("Server API"))
        .fact("ffi_enable", info.get("ffi.enable"))
        .fact("ffi_preload", info.get("ffi.preload"))
        .fact("opcache_preload", info.get("opcache.preload"))
}

/// What is good about it; or what is not, and what to do.
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
        let advice = "take it off disable_functions (disable_classes) in its ini files or its pool, and restart it";
        return no(
            &format!("the binding needs what is disabled: {disabled}"),
            advice,
        );
    }
    if info.is_on("ffi.enable") {
        return Ok("ffi.enable=1, all code may use FFI".to_owned());
    }
    if info.get("ffi.enable") != "preload" {
        return no(
            "FFI is switched off (ffi.enable)",
            "put ffi.enable=1, or ffi.enable=preload with opcache.preload, into its ini files, and restart it",
        );
    }
    if info.is_cli() {
        return Ok("ffi.enable=preload, which on the command line is enough".to_owned());
    }
    let preload = info.get("opcache.preload");
    if preload.is_empty() {
        return no(
            "ffi.enable=preload, and opcache.preload is not set: pages may not use FFI",
            "put ffi.enable=1 into its ini files, or opcache.preload with the binding's preload.php, and restart it; \
             ffi.preload alone is not enough",
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
    fn php_settings_ignore_other_output() {
        let text = "Server API => FPM/FastCGI\nESALES_PRIVATE_KEY => secret\nffi.preload => no value => no value\n";
        let info = Info::parse(text).unwrap();
        assert!(!format!("{info:?}").contains("secret"));
        assert_eq!(info.get("ffi.preload"), "");
        assert!(Info::parse("hello").is_none());
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

    #[test]
    fn php_check_needs_the_functions_that_the_binding_calls() {
        let binding = include_str!("../../../../bindings/php/src/Internal/Functions.php");
        let list = binding.split("NEEDED = [").nth(1).unwrap();
        let list = list.split(']').next().unwrap();
        let names: Vec<&str> = list.split('\'').skip(1).step_by(2).collect();
        assert_eq!(names, NEEDED);
    }

    #[test]
    fn php_check_fails_when_php_has_no_ffi() {
        for (version, is_too_old) in [
            ("7.3.33", true),
            ("7.4.0", false),
            ("8.0", false),
            ("", true),
        ] {
            let text = format!("Server API => x\nPHP Version => {version}\n");
            assert_eq!(Info::parse(&text).unwrap().is_too_old(), is_too_old);
        }
    }
}
