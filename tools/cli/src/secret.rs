//! The shop's private key, from a file, the environment or a flag. Every user of the machine can read a command line,
//! so the flag warns.

use std::fs::File;
use std::io::Read;

use clap::parser::ValueSource;
use clap::{Arg, ArgGroup, ArgMatches};
use esales_notify::MAX_KEY_INPUT;

const FLAG: &str = "private-key";
const FILE: &str = "private-key-file";
/// The byte-order mark that editors on Windows write at the beginning of a file. It is not part of the key.
const MARK: char = '\u{feff}';
/// The flags that [`args`] makes.
pub(crate) const FLAGS: [&str; 2] = [FLAG, FILE];

/// `--private-key` (and its variable) and `--private-key-file`.
pub(crate) fn args(what_for: &str) -> [Arg; 2] {
    [
        Arg::new(FLAG)
            .long(FLAG)
            .value_name("SECRET")
            .env("ESALES_PRIVATE_KEY")
            .hide_env_values(true)
            .help(format!(
                "{what_for}. Safer in a file or in the environment, because other users can read a command line"
            )),
        Arg::new(FILE)
            .long(FILE)
            .value_name("PATH")
            .help("Read the private key from this file; a line break at the end is ignored"),
    ]
}

/// The private key, if there is one. The file overrides the environment, and an empty variable counts as not set.
pub(crate) fn private_key(args: &ArgMatches) -> Result<Option<String>, String> {
    let by_flag = args.value_source(FLAG) == Some(ValueSource::CommandLine);
    let given = args.get_one::<String>(FLAG);
    if let Some(path) = args.get_one::<String>(FILE) {
        if by_flag {
            return Err(format!("--{FLAG} and --{FILE} contradict each other"));
        }
        return read(path).map(Some);
    }
    if by_flag {
        errln!(
            "esales-notify: warning: other users of this machine can read --{FLAG} on the command line; use --{FILE} or \
             ESALES_PRIVATE_KEY"
        );
    }
    Ok(given.filter(|key| by_flag || !key.is_empty()).cloned())
}

/// The ids of the flags, for an argument that requires a private key.
pub(crate) fn group(id: &'static str) -> ArgGroup {
    ArgGroup::new(id).args(FLAGS).multiple(true)
}

fn read(path: &str) -> Result<String, String> {
    let wrong = |e: &dyn std::fmt::Display| format!("--{FILE} {path}: {e}");
    // Limits the read: a device or a wrong file must not fill the memory.
    let most = (MAX_KEY_INPUT + MARK.len_utf8() + "\r\n".len()) as u64;
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(most + 1).read_to_string(&mut text))
        .map_err(|e| wrong(&e))?;
    let key = text.strip_prefix(MARK).unwrap_or(&text);
    let key = key.strip_suffix('\n').unwrap_or(key);
    let key = key.strip_suffix('\r').unwrap_or(key);
    if key.is_empty() {
        return Err(wrong(&"the file is empty"));
    }
    if key.len() > MAX_KEY_INPUT {
        return Err(wrong(&format!(
            "the file is longer than {MAX_KEY_INPUT} bytes"
        )));
    }
    Ok(key.to_owned())
}
