//! Sets the link options of the shared library, and generates the headers of the C API into OUT_DIR. `make headers`
//! copies them to their committed places, and tests/headers.rs compares them.

use std::env;
use std::error::Error;

#[cfg(feature = "capi")]
#[path = "build/headers.rs"]
mod headers;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    // Only the shared library needs these options, which is built with the feature `guest`.
    if env::var("CARGO_CFG_TARGET_OS")? == "linux" && env::var_os("CARGO_FEATURE_GUEST").is_some() {
        // rustc sets no SONAME, and then programs that link against the library would contain the absolute build path.
        println!("cargo:rustc-link-arg=-Wl,-soname,libesales_notify.so.0");
        // The library stays loaded after dlclose, because a thread that used it may end later.
        println!("cargo:rustc-link-arg=-Wl,-z,nodelete");
    }
    #[cfg(feature = "capi")]
    headers::generate()?;
    Ok(())
}
