//! The record as the gateway and the command line use it.
#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and measures real time"
)]

mod billing;
mod changed;
mod cost;
mod crash;
mod filters;
mod kept;
mod lists;
mod pressure;
mod reading;
mod retained;
mod runs;
mod scale;
mod search;
mod secrets;
mod sharing;
mod streams;
mod sums;
mod support;
mod torn;
