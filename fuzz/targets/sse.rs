//! Fuzzes `lingate_fuzz::sse`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lingate_fuzz::sse::check(input));
