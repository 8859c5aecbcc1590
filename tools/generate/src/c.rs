//! The headers of the C API, by cbindgen.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use esales_notify::{Group, Status};

use crate::kind;

/// A marker in cbindgen's output, which the constants and the initialisers replace.
const CONSTANTS: &str = "\n/* constants */\n";

/// `include/esales_notify.h`.
pub(crate) fn header(root: &Path) -> Result<String, Box<dyn Error>> {
    let mut config = cbindgen::Config::from_file(root.join("cbindgen.toml"))?;
    config.after_includes = Some(CONSTANTS.to_owned());
    let header = written(root, config)?;
    let constants = [constants()?, initialisers(&header)?].concat();
    Ok(header.replace(CONSTANTS, &constants))
}

/// The header for PHP's FFI.
pub(crate) fn header_for_php(root: &Path) -> Result<String, Box<dyn Error>> {
    let config = cbindgen::Config::from_file(root.join("cbindgen-php.toml"))?;
    written(root, config)
}

fn written(root: &Path, config: cbindgen::Config) -> Result<String, Box<dyn Error>> {
    let mut header = Vec::new();
    cbindgen::generate_with_config(root, config)?.write(&mut header);
    Ok(String::from_utf8(header)?)
}

/// The macros of the version, the codes and the kinds.
fn constants() -> Result<String, std::fmt::Error> {
    let version = env!("CARGO_PKG_VERSION");
    let mut out = format!(
        "\n/** The version of this header. esales_version() returns the version of the library. */\n#define ESALES_VERSION \"{version}\"\n\n"
    );
    for group in Group::ALL {
        writeln!(out, "/* {} */\n", group.text())?;
        for status in Status::ALL {
            if status.group() == *group {
                constant(&mut out, status.name(), status.code(), status.text())?;
            }
        }
    }
    out.push_str("/* The kinds of notification. */\n\n");
    for row in kind::KINDS {
        constant(&mut out, row.constant, row.kind as i32, row.doc)?;
    }
    Ok(out)
}

fn constant(out: &mut String, name: &str, number: i32, text: &str) -> std::fmt::Result {
    writeln!(out, "/**\n * {text}\n */\n#define {name} {number}\n")
}

/// The initialiser macro of each struct that begins with `struct_size`.
fn initialisers(header: &str) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    for found in header.split("typedef struct ").skip(1) {
        let Some((name, rest)) = found.split_once(" {\n") else {
            continue;
        };
        let body = rest.split_once("\n} ").map_or("", |(body, _)| body);
        let members: Vec<&str> = body.lines().filter(|line| line.ends_with(';')).collect();
        if !members
            .first()
            .is_some_and(|m| m.ends_with(" struct_size;"))
        {
            continue;
        }
        let mut values = vec![format!("(uint32_t)sizeof({name})")];
        for member in members.iter().skip(1) {
            let value = match *member {
                "  int32_t status;" => "ESALES_INTERNAL",
                array if array.ends_with("];") => "{ 0 }",
                pointer if pointer.contains('*') => "NULL",
                _ => "0",
            };
            values.push(value.to_owned());
        }
        let unwritten = match values.iter().any(|value| value == "ESALES_INTERNAL") {
            true => " Its status is\n    ESALES_INTERNAL until a call writes it.",
            false => "",
        };
        let upper = name.to_ascii_uppercase();
        let values = values.join(", ");
        writeln!(
            out,
            "/** Initialises an {name}: sets struct_size and clears the other members.{unwritten} */\n#define {upper}_INIT {{ {values} }}"
        )?;
    }
    Ok(out)
}
