//! The `lingate` command.
//!
//! Thin: what a configuration means is in `lingate-config`, what the gateway does in `lingate-gateway`. Here are the
//! command line, the background gateway of `run`, and how clients are pointed at it.

mod args;
mod background;
mod cassette;
mod child;
mod client;
mod commands;
mod configuration;
mod failure;
mod log_fields;
mod log_lines;
mod log_mask;
mod log_time;
mod logs;
mod mock;
mod output;
mod port_owner;
mod recording;
#[cfg(test)]
mod scratch;
mod service_manager;
mod signals;
mod verify;

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;

/// An exchange takes some eighty allocations, several of them of kilobytes, and many exchanges are under way at once: more than
/// the system's allocator keeps at hand. C libraries stay with the system's.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let cli = args::Cli::parse();
    match commands::run(cli) {
        Ok(code) => code,
        Err(failure) => {
            output::say(&format!("error: {failure}"));
            failure.code()
        }
    }
}
