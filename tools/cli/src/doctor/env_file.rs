//! `--env-file`: the variables of the shop from a file, such as the one that systemd reads (`EnvironmentFile=`).
//!
//! The command starts itself again with these variables, so that the options, the proxy variables and each PHP use
//! them.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The flag, without its dashes.
pub(super) const FLAG: &str = "env-file";

/// Starts this command again with the variables of these files; a later file overrides an earlier one. Returns only
/// the message of a failure.
pub(super) fn run_with<'a>(files: impl Iterator<Item = &'a String>) -> String {
    let mut variables = Vec::new();
    for file in files {
        let read = fs::read_to_string(file).map_err(|e| e.to_string());
        match read.and_then(|text| parse(&text)) {
            Ok(more) => variables.extend(more),
            Err(message) => return format!("--{FLAG} {file}: {message}"),
        }
    }
    let program = match env::current_exe() {
        Ok(program) => program,
        Err(e) => return format!("--{FLAG}: cannot find the path of this program: {e}"),
    };
    let arguments = without_flag(env::args_os().skip(1));
    let error = Command::new(&program)
        .args(arguments)
        .envs(variables)
        .exec();
    format!("--{FLAG}: {}: {error}", program.display())
}

fn without_flag(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let flag = format!("--{FLAG}");
    let with_value = format!("{flag}=");
    let mut left = Vec::new();
    let mut is_value = false;
    for argument in arguments {
        if is_value {
            is_value = false;
        } else if argument == flag.as_str() {
            is_value = true;
        } else if !argument.as_bytes().starts_with(with_value.as_bytes()) {
            left.push(argument);
        }
    }
    left
}

/// Lines `NAME=VALUE`, with `export` before them or not. The value may be in quotes; in double quotes, a backslash
/// escapes `"`, `\\`, `$` and a backquote. Comments are separate lines that begin with `#` or `;`. Variables are not
/// expanded. An error message shows no value, because the value may be a secret.
fn parse(text: &str) -> Result<Vec<(String, String)>, String> {
    if text.starts_with('\u{feff}') {
        return Err(
            "the file begins with a byte-order mark, which systemd takes for a part of the first name: save it as UTF-8 \
             without one"
                .to_owned(),
        );
    }
    let mut variables = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let number = index + 1;
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        let name = name.trim();
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !line.contains('=') || name.is_empty() || !name.chars().all(is_name) {
            return Err(format!("line {number} is not NAME=VALUE"));
        }
        let value = unquoted(value.trim())
            .map_err(|problem| format!("line {number}: the value of {name} {problem}"))?;
        if value.contains('\0') {
            return Err(format!(
                "line {number}: the value of {name} contains a NUL character"
            ));
        }
        variables.push((name.to_owned(), value));
    }
    Ok(variables)
}

fn unquoted(text: &str) -> Result<String, &'static str> {
    const NOT_CLOSED: &str = "has a quote that is not closed on its line";
    const TRAILING: &str = "continues after its closing quote";
    if let Some(rest) = text.strip_prefix('\'') {
        let (value, after) = rest.split_once('\'').ok_or(NOT_CLOSED)?;
        return if after.is_empty() {
            Ok(value.to_owned())
        } else {
            Err(TRAILING)
        };
    }
    let Some(rest) = text.strip_prefix('"') else {
        return Ok(text.to_owned());
    };
    let mut value = String::new();
    let mut rest = rest.chars();
    loop {
        match rest.next().ok_or(NOT_CLOSED)? {
            '"' => break,
            '\\' => match rest.next().ok_or(NOT_CLOSED)? {
                c @ ('"' | '\\' | '$' | '`') => value.push(c),
                c => value.extend(['\\', c]),
            },
            c => value.push(c),
        }
    }
    if rest.as_str().is_empty() {
        Ok(value)
    } else {
        Err(TRAILING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn env_file_is_read_as_systemd_reads_it() {
        let text = "# a comment\n; another\n\n  A=1\r\nexport B = two words # and more\nC='it is \"$B\" \\'\n\
                    D=\"a \\\"b\\\" \\$B \\n\"\nE=\nF=\"\"\nA=2";
        let read = parse(text).unwrap();
        let expected = [
            ("A", "1"),
            ("B", "two words # and more"),
            ("C", "it is \"$B\" \\"),
            ("D", "a \"b\" $B \\n"),
            ("E", ""),
            ("F", ""),
            ("A", "2"),
        ];
        assert_eq!(
            read,
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }

    #[test]
    fn env_file_error_names_the_line_and_shows_no_value() {
        for (text, message) in [
            ("A=1\ns3cret", "line 2 is not NAME=VALUE"),
            (
                "\u{feff}A=s3cret",
                "the file begins with a byte-order mark, which systemd takes for a part of the first name: save it as \
                 UTF-8 without one",
            ),
            ("=s3cret", "line 1 is not NAME=VALUE"),
            ("A B=s3cret", "line 1 is not NAME=VALUE"),
            (
                "A=\"s3cret",
                "line 1: the value of A has a quote that is not closed on its line",
            ),
            (
                "A='s3cret",
                "line 1: the value of A has a quote that is not closed on its line",
            ),
            (
                "A='s3cret'more",
                "line 1: the value of A continues after its closing quote",
            ),
            (
                "A=\"s3cret\"more",
                "line 1: the value of A continues after its closing quote",
            ),
            (
                "A=s3cret\0",
                "line 1: the value of A contains a NUL character",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err(), message);
        }
    }

    #[test]
    fn env_file_flag_is_removed_when_the_command_starts_itself_again() {
        let given =
            ["doctor", "--env-file", "--json", "--env-file=b", "--strict"].map(OsString::from);
        assert_eq!(
            without_flag(given.into_iter()),
            ["doctor", "--strict"].map(OsString::from)
        );
    }
}
