//! Fuzzes `lingate_fuzz::stream`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lingate_fuzz::stream::check(input));
