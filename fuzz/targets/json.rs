//! Fuzzes `lingate_fuzz::json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lingate_fuzz::json::check(input));
