//! Links the shared library as a guest should be linked, and keeps the committed headers equal to the source.

use std::path::Path;
use std::{env, error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=src");
    println!("cargo:rerun-if-changed=cbindgen.toml");
    println!("cargo:rerun-if-changed=cbindgen-php.toml");
    println!("cargo:rerun-if-changed=include");
    println!("cargo:rerun-if-changed=bindings/php/resources");

    if env::var("CARGO_CFG_TARGET_OS")? == "linux" {
        // rustc sets no SONAME, and then an absolute build path would be baked into whatever links against it.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libesales_notify.so.0");
        // A thread that used the library must be able to end after dlclose.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }

    let root = env::var("CARGO_MANIFEST_DIR")?;
    let root = Path::new(&root);
    let mut c = cbindgen::Config::from_file(root.join("cbindgen.toml"))?;
    c.after_includes = Some(macros());
    let php = cbindgen::Config::from_file(root.join("cbindgen-php.toml"))?;
    write(root, c, "include/esales_notify.h")?;
    write(root, php, "bindings/php/resources/esales_notify.h")
}

fn macros() -> String {
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    format!(
        "
/** The version of this header; esales_version() tells the library's. */
#define ESALES_VERSION \"{version}\"

/** Begin every esales_visitor with this: it sets struct_size and clears the rest. */
#define ESALES_VISITOR_INIT {{ (uint32_t)sizeof(esales_visitor), NULL, NULL, NULL, NULL }}
/** Begin every esales_notification with this: it sets struct_size and clears the rest. */
#define ESALES_NOTIFICATION_INIT {{ (uint32_t)sizeof(esales_notification), 0, NULL, NULL, NULL, NULL, NULL, 0, NULL }}
/** Begin every esales_line with this: it sets struct_size and clears the rest. */
#define ESALES_LINE_INIT {{ (uint32_t)sizeof(esales_line), 0, NULL, NULL, NULL, NULL }}
/** Begin every esales_stats with this: it sets struct_size and clears the rest. */
#define ESALES_STATS_INIT {{ (uint32_t)sizeof(esales_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }}
/** Begin every esales_receipt with this: it sets struct_size and clears the rest. A receipt that no call has written
    does not say that anything was delivered. */
#define ESALES_RECEIPT_INIT {{ (uint32_t)sizeof(esales_receipt), ESALES_INTERNAL, 0, 0, 0, {{ 0 }}, {{ 0 }} }}
"
    )
}

/// Writes only what changed, and only in a checkout: in a published crate the PHP binding is not there.
fn write(root: &Path, config: cbindgen::Config, path: &str) -> Result<(), Box<dyn Error>> {
    let path = root.join(path);
    if !path.parent().is_some_and(Path::exists) {
        return Ok(());
    }
    let mut header = Vec::new();
    cbindgen::generate_with_config(root, config)?.write(&mut header);
    if fs::read(&path).ok().as_deref() != Some(header.as_slice()) {
        fs::write(&path, header)?;
    }
    Ok(())
}
