#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| esales_notify::fuzz::segment(data));
