//! Tasks of the workspace, as a library for the tidy tests in `tests/tidy`, which hold what no compiler checks.

use std::path::{Path, PathBuf};

pub mod bench;
pub mod docs;
pub mod fuzz;
pub mod prices;

/// The folder of the checkout.
#[must_use]
pub fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_path_buf()
}
