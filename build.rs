//! The link options of the shared library, which is built with the feature `guest`.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_GUEST").is_some() {
        // rustc sets no SONAME, and then programs that link against the library would contain the absolute build path.
        println!("cargo:rustc-link-arg=-Wl,-soname,libesales_notify.so.0");
        // The library stays loaded after dlclose, because a thread that used it may end later.
        println!("cargo:rustc-link-arg=-Wl,-z,nodelete");
    }
}
