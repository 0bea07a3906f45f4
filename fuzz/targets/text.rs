//! Fuzzes `lingate_fuzz::text`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lingate_fuzz::text::check(input));
