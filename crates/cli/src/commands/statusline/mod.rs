//! `lingate statusline`: one line for Claude Code's status line, about the session that it is shown in.
//!
//! Claude Code starts the command after every turn, hands it a JSON object on standard input and shows its first line. So
//! it is quick (files are read, and a gateway on this machine is asked for at most a twentieth of a second), it never
//! fails, and where there is nothing to tell it says why.

mod gateway;
mod line;
mod look;
mod told;

use std::io::{self, IsTerminal as _, Read as _};

use lingate_config::{Environment, SystemEnvironment};

use crate::args::Statusline;
use crate::failure::Failure;
use crate::output;
use told::Told;

/// Claude Code sends a few hundred bytes.
const MOST_INPUT: u64 = 1 << 20;

/// Prints the line.
pub(crate) fn run(args: &Statusline, environment: &SystemEnvironment) -> Result<(), Failure> {
    let told = Told::read(&input());
    let view = look::look(args, &told, environment);
    if args.format.json {
        return output::json_lines([&view]);
    }
    let is_plain = environment
        .var("NO_COLOR")
        .is_some_and(|value| !value.is_empty());
    output::line(&line::line(&view, !is_plain))
}

/// What stands on standard input; nothing where a person types, or what cannot be read.
fn input() -> Vec<u8> {
    let stdin = io::stdin();
    let mut bytes = Vec::new();
    if stdin.is_terminal() {
        return bytes;
    }
    // What was read before a failure is looked at all the same.
    let _ = stdin.lock().take(MOST_INPUT).read_to_end(&mut bytes);
    bytes
}
