//! The built binary, as a user meets it: own HOME, empty environment, free ports, no network.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail the test, and measure real time"
)]

mod canaries;
mod commands;
mod diff;
mod docs;
mod doctor;
mod drain;
mod explain;
mod export;
mod full_disk;
mod functions;
mod harness;
mod import;
mod keys;
mod kills;
mod launch;
mod load;
mod logs;
mod million;
mod mock;
mod provider;
mod reload;
mod replay;
mod serve;
mod show;
mod stalled;
mod statusline;
mod switch;
mod terminal;
mod verify;
mod verify_runs;
