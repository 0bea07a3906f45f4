//! `docs/generated`: pages that are written from the code, so that they cannot say anything else.
//!
//! Five are rendered here from the crates. The page of the command line is what the program prints, so a test of its
//! crate, which has the program at hand, owns it; `cargo xtask docs` runs that test.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};

mod metrics;
mod providers;
mod wires;

/// Every file of `docs/generated`.
pub const NAMES: [&str; 6] = [
    "cli.md",
    "config.md",
    "metrics.md",
    "providers.md",
    "quirks.md",
    "wires.md",
];

/// A page that is rendered here.
pub struct Page {
    /// Its file in `docs/generated`.
    pub name: &'static str,
    /// What it should say.
    pub text: String,
}

impl Page {
    /// Where it stands.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        crate::root().join("docs/generated").join(self.name)
    }

    /// Whether the file says what it should.
    #[must_use]
    pub fn is_current(&self) -> bool {
        fs::read_to_string(self.path()).is_ok_and(|written| written == self.text)
    }
}

/// The pages that are rendered here: all but the command line's.
///
/// # Errors
/// If the presets do not make a configuration, or the metrics cannot be read.
pub fn pages() -> anyhow::Result<[Page; 5]> {
    let page = |name, text| Page { name, text };
    Ok([
        page("config.md", lingate_config::Config::reference()),
        page(
            "metrics.md",
            metrics::render(&lingate_gateway::metrics_reference())?,
        ),
        page("providers.md", providers::render()?),
        page("quirks.md", lingate_quirk::markdown()),
        page("wires.md", wires::render()?),
    ])
}

/// Writes every page anew.
///
/// # Errors
/// If a page cannot be rendered or written.
pub fn write() -> anyhow::Result<()> {
    for page in pages()? {
        let path = page.path();
        fs::write(&path, &page.text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    command_line(true)
}

/// Compares every page with its file.
///
/// # Errors
/// Names the pages that are out of date.
pub fn check() -> anyhow::Result<()> {
    let stale: Vec<&str> = pages()?
        .iter()
        .filter(|page| !page.is_current())
        .map(|page| page.name)
        .collect();
    if !stale.is_empty() {
        bail!(
            "docs/generated is out of date: {}; `cargo xtask docs` writes it anew",
            stale.join(", ")
        );
    }
    command_line(false)
}

/// Runs the test that owns `cli.md`.
fn command_line(update: bool) -> anyhow::Result<()> {
    const UPDATE: &str = "LINGATE_UPDATE_DOCS";
    let mut test = Command::new("cargo");
    test.args([
        "test",
        "--quiet",
        "--package",
        "lingate",
        "--test",
        "it",
        "docs::",
    ]);
    test.current_dir(crate::root()).env_remove(UPDATE);
    if update {
        test.env(UPDATE, "1");
    }
    let status = test.status().context("cannot run cargo")?;
    if !status.success() {
        bail!("docs/generated/cli.md: crates/cli/tests/it/docs.rs did not pass, see above");
    }
    Ok(())
}
