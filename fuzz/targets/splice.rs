//! Fuzzes `lingate_fuzz::splice`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lingate_fuzz::splice::check(input));
