//! The built binary, as a user meets it: own HOME, empty environment, free ports, no network.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail the test, and measure real time"
)]

mod commands;
mod docs;
mod doctor;
mod drain;
mod explain;
mod harness;
mod import;
mod keys;
mod launch;
mod logs;
mod reload;
mod serve;
mod switch;
mod verify;
mod verify_runs;
