//! A defect on purpose: it proves that a crash fails the run, and that the sanitizer is there to see it.
#![no_main]
use std::hint::black_box;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if data == b"crash" {
        let copy = black_box(data.to_vec());
        // SAFETY: none. It is one byte past the end, and nothing but the sanitizer would notice.
        black_box(unsafe { copy.as_ptr().add(copy.len()).read() });
    }
});
