//! Reads the output of `php -i`.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use super::pools::Pool;

/// A class that the binding needs.
const OLDEST: (u32, u32) = (7, 4);
/// The functions that the binding calls, as in its Internal/Functions.php.
const NEEDED: &[&str] = &[
    "array_keys",
    "array_slice",
    "bin2hex",
    "chr",
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
    "hash",
    "hash_hmac",
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
    "ord",
    "preg_match",
    "preg_replace",
    "random_bytes",
    "realpath",
    "str_split",
    "strlen",
    "strpos",
    "strtoupper",
    "substr",
    "vsprintf",
];

/// The output of `php -i`.
#[derive(Debug)]
pub(super) struct Info {
    pub(super) settings: BTreeMap<String, String>,
    /// The message of its start, if it has an error.
    pub(super) fatal: Option<String>,
}

impl Info {
    /// Lines of the form "name => value", or "name => local => master" for an ini setting.
    pub(super) fn parse(text: &str) -> Option<Info> {
        let wanted = |name: &str| {
            name.starts_with("ffi.")
                || name.starts_with("opcache.")
                || [
                    "PHP Version",
                    "Server API",
                    "Configuration File (php.ini) Path",
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

    pub(super) fn get(&self, name: &str) -> &str {
        self.settings.get(name).map_or("", String::as_str)
    }

    pub(super) fn is_on(&self, name: &str) -> bool {
        ["1", "on", "true", "yes"].contains(&self.get(name).to_ascii_lowercase().as_str())
    }

    /// The functions and classes that the binding needs and that php.ini disables.
    pub(super) fn disabled(&self) -> Option<String> {
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

    /// The same PHP with the settings of a pool. Functions that the pool disables are added to those of php.ini.
    pub(super) fn of_pool(&self, pool: &Pool) -> Info {
        let mut settings = self.settings.clone();
        for (name, value) in &pool.settings {
            let before = self.get(name);
            let value = match name.starts_with("disable_") && !before.is_empty() {
                true => format!("{before},{value}"),
                false => value.clone(),
            };
            settings.insert(name.clone(), value);
        }
        Info {
            settings,
            fatal: self.fatal.clone(),
        }
    }

    /// The folders of the ini files: the configuration of php-fpm is in one of them, or above it.
    pub(super) fn ini_folders(&self) -> impl Iterator<Item = &Path> {
        let file = Path::new(self.get("Loaded Configuration File")).parent();
        let folder = Path::new(self.get("Configuration File (php.ini) Path"));
        file.into_iter()
            .chain([folder])
            .filter(|folder| folder.is_absolute())
    }

    pub(super) fn is_cli(&self) -> bool {
        self.get("Server API") == "Command Line Interface"
    }

    pub(super) fn is_too_old(&self) -> bool {
        let mut parts = self
            .get("PHP Version")
            .split('.')
            .map(|p| p.parse::<u32>().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) < OLDEST
    }
}

/// Runs `php -i` for at most `timeout`. The error is a message.
pub(super) fn ask(program: &Path, timeout: Duration) -> Result<Info, String> {
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
    // PHP has ended, or is killed now.
    let _ = child.kill();
    let _ = child.wait();
    let text = text.map_err(|_| format!("no answer to -i within {} ms", timeout.as_millis()))?;
    let message = complained.recv_timeout(timeout).unwrap_or_default();
    let short = |line: &str| line.chars().take(200).collect::<String>();
    let Some(mut info) = Info::parse(&text) else {
        let mut lines = text.lines().chain(message.lines());
        let first = lines.find(|line| !line.trim().is_empty());
        let first = short(first.unwrap_or("it prints nothing with -i"));
        return Err(format!("its output with -i is not that of PHP: {first}"));
    };
    // For example, the message of a preload script that fails.
    let fatal = message.lines().find(|line| line.contains("Fatal error"));
    info.fatal = fatal.map(short);
    Ok(info)
}

/// Sends all output when PHP has ended.
fn read(from: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            // Output before a read error is used too.
            let _ = from.read_to_end(&mut bytes);
        }
        // The receiver is gone if it took too long.
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn php_settings_ignore_other_output() {
        let text = "Server API => FPM/FastCGI\nESALES_PRIVATE_KEY => secret\nffi.preload => no value => no value\n";
        let info = Info::parse(text).unwrap();
        assert!(!format!("{info:?}").contains("secret"));
        assert_eq!(info.get("ffi.preload"), "");
        assert!(Info::parse("hello").is_none());
    }

    #[test]
    fn php_check_needs_the_functions_that_the_binding_calls() {
        let binding = include_str!("../../../../../bindings/php/src/Internal/Functions.php");
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
