//! `cargo xtask bench`: builds the gateway as it is released, and measures it with the tool in `bench/`.

use std::process::Command;

use anyhow::{Context as _, ensure};

/// Builds and measures; `options` are those of the tool.
///
/// # Errors
/// A build that fails, a machine with one core, an exchange that goes wrong.
pub fn run(options: &[&str]) -> anyhow::Result<()> {
    // The tool looks for the gateway beside itself.
    cargo(&["build", "--release", "--package", "lingate"])?;
    let run = ["run", "--release", "--package", "lingate-bench", "--"];
    cargo(&[&run, options].concat())
}

fn cargo(arguments: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new("cargo");
    command.args(arguments).current_dir(crate::root());
    let status = command.status().with_context(|| format!("{command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}
