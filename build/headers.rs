//! The headers of the C API, by cbindgen. Part of the build script.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, error::Error, fs};

// The two tables need no other module. The library is compiled from the same rows as the header.
#[allow(dead_code, unused_imports)]
#[path = "../src/notification/kind.rs"]
mod kind;
#[allow(dead_code)]
#[path = "../src/outcome/status.rs"]
mod status;

/// A marker in cbindgen's output, which the constants and the initialisers replace.
const CONSTANTS: &str = "\n/* constants */\n";

/// Writes both headers into OUT_DIR.
pub(crate) fn generate() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=src");
    println!("cargo:rerun-if-changed=cbindgen.toml");
    println!("cargo:rerun-if-changed=cbindgen-php.toml");
    println!("cargo:rerun-if-changed=Cargo.toml");
    let root = env::var("CARGO_MANIFEST_DIR")?;
    let root = Path::new(&root);
    let mut c = cbindgen::Config::from_file(root.join("cbindgen.toml"))?;
    c.after_includes = Some(CONSTANTS.to_owned());
    let php = cbindgen::Config::from_file(root.join("cbindgen-php.toml"))?;
    write(root, c, "include/esales_notify.h")?;
    write(root, php, "bindings/php/resources/esales_notify.h")
}

/// The macros of the version, the codes and the kinds.
fn constants() -> Result<String, std::fmt::Error> {
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let mut out = format!(
        "\n/** The version of this header. esales_version() returns the version of the library. */\n#define ESALES_VERSION \"{version}\"\n\n"
    );
    for group in status::Group::ALL {
        writeln!(out, "/* {} */\n", group.text())?;
        for status in status::Status::ALL {
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

/// Writes the header to OUT_DIR, under the path at which it is committed.
fn write(root: &Path, config: cbindgen::Config, path: &str) -> Result<(), Box<dyn Error>> {
    let mut header = Vec::new();
    cbindgen::generate_with_config(root, config)?.write(&mut header);
    let header = String::from_utf8(header)?;
    let header = header.replace(CONSTANTS, &[constants()?, initialisers(&header)?].concat());
    let path = Path::new(&env::var("OUT_DIR")?).join(path);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, header)?;
    Ok(())
}
