//! Fuzzes `lingate_fuzz::request`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lingate_fuzz::request::check(input));
