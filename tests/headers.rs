//! The committed headers are equal to the generated ones.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::{env, fs};

#[test]
fn committed_headers_equal_the_generated_ones() {
    for path in [
        "include/esales_notify.h",
        "bindings/php/resources/esales_notify.h",
    ] {
        let generated = fs::read_to_string(Path::new(env!("OUT_DIR")).join(path)).unwrap();
        let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        if env::var_os("ESALES_NOTIFY_WRITE_HEADERS").is_some() {
            fs::write(&committed, &generated).unwrap();
        }
        let is_same = fs::read_to_string(&committed).unwrap() == generated;
        assert!(
            is_same,
            "{path} differs from the source: run `make headers`"
        );
    }
}
