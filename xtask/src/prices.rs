//! `cargo xtask prices FILE DATE`: makes `prices/table.json` anew out of a table that others keep.
//!
//! FILE is LiteLLM's `model_prices_and_context_window.json` or models.dev's `api.json`, DATE the day it is of
//! (`YYYY-MM-DD`). Kept are the models of providers whose preset names itself in `price_names`.

use std::fs;

use anyhow::{Context as _, ensure};
use lingate_price::{Names, format, read};

/// Where the table is, from the root.
const TABLE: &str = "prices/table.json";

/// Writes the table.
///
/// # Errors
/// A file that cannot be read or is no price table, or a date that is none.
pub fn write(file: &str, date: &str) -> anyhow::Result<()> {
    let is_date = date.len() == 10 && date.splitn(3, '-').all(|part| part.parse::<u16>().is_ok());
    ensure!(is_date, "`{date}` is not a date: write YYYY-MM-DD");
    let text = fs::read_to_string(file).with_context(|| file.to_owned())?;
    let table = format::write_own(&read(&text, &names(), date)?);
    fs::write(crate::root().join(TABLE), table).context(TABLE)
}

/// What others call the providers of our presets.
fn names() -> Names {
    let presets = lingate_config::presets().iter();
    let pairs = presets.flat_map(|preset| {
        let names = preset.price_names.iter();
        names.map(|name| (name.clone(), preset.name.clone()))
    });
    Names(pairs.collect())
}
