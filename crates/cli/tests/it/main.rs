//! The built binary, as a user meets it: own HOME, empty environment, free ports, no network.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail the test"
)]

mod commands;
mod docs;
mod harness;
mod launch;
mod serve;
