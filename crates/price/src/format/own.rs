//! Our own format.
//!
//! ```json
//! {"format": "lingate-prices/1", "as_of": "2026-11-21", "providers": {
//!   "moonshot": {"kimi-k3": {"input": "3", "output": "15", "cache_read": "0.30", "above": {"200000": {...}}}}
//! }}
//! ```
//!
//! Prices are US dollars per million tokens, decimals in quotes. What is left out costs what input costs; `cache_write_1h`
//! what `cache_write` does.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;

use super::{Kind, ReadError, price, rates};
use crate::money::MicroUsd;
use crate::price::{Price, Rates, Tier};
use crate::table::Table;

/// What the member `format` holds.
pub(super) const FORMAT: &str = "lingate-prices/1";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    #[serde(default)]
    as_of: String,
    #[serde(default)]
    providers: BTreeMap<String, BTreeMap<String, Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    input: String,
    output: String,
    cache_read: Option<String>,
    cache_write: Option<String>,
    cache_write_1h: Option<String>,
    reasoning: Option<String>,
    #[serde(default)]
    above: BTreeMap<String, Entry>,
}

/// Reads a table in our format. Every entry has to be right.
///
/// # Errors
/// If it is not of this format, a price makes no sense, or there is none.
pub fn read(text: &str) -> Result<Table, ReadError> {
    let malformed = |error: String| ReadError::Malformed(error);
    let file: File = serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
    if file.format != FORMAT {
        let complaint = format!(
            "its format is `{}`, this program reads `{FORMAT}`",
            file.format
        );
        return Err(malformed(complaint));
    }
    let mut table = Table {
        version: file.as_of,
        ..Table::default()
    };
    for (provider, models) in file.providers {
        for (model, entry) in models {
            let price = entry.price().map_err(|complaint| ReadError::Price {
                provider: provider.clone(),
                model: model.clone(),
                complaint,
            })?;
            table.insert(&provider, &model, price);
        }
    }
    if table.is_empty() {
        return Err(ReadError::Empty);
    }
    Ok(table)
}

impl Entry {
    fn price(&self) -> Result<Price, String> {
        let tiers = self.above.iter().map(|(above, entry)| {
            if !entry.above.is_empty() {
                return Err("`above` inside `above`".to_owned());
            }
            let above = crate::money::whole(above)
                .ok_or_else(|| format!("`{above}` is not a number of tokens"))?;
            let rates = entry.rates()?;
            Ok(Tier { above, rates })
        });
        let tiers = tiers.collect::<Result<Vec<_>, String>>()?;
        Ok(price(self.rates()?, tiers))
    }

    fn rates(&self) -> Result<Rates, String> {
        let told = |text: &Option<String>| text.as_deref().map(usd).transpose();
        let (read, write) = (told(&self.cache_read)?, told(&self.cache_write)?);
        let (hour, reasoning) = (told(&self.cache_write_1h)?, told(&self.reasoning)?);
        Ok(rates(
            usd(&self.input)?,
            usd(&self.output)?,
            |kind| match kind {
                Kind::CacheRead => read,
                Kind::CacheWrite => write,
                Kind::CacheWriteHour => hour,
                Kind::Reasoning => reasoning,
            },
        ))
    }
}

fn usd(text: &str) -> Result<MicroUsd, String> {
    MicroUsd::parse(text).ok_or_else(|| {
        format!("`{text}` is not a price: write US dollars per million tokens, like \"0.60\"")
    })
}

/// Writes a table in our format, a model a line, so that a change of prices reads well.
#[must_use]
pub fn write(table: &Table) -> String {
    let mut text = format!(
        "{{\"format\": \"{FORMAT}\", \"as_of\": {}, \"providers\": {{\n",
        quoted(&table.version)
    );
    for (at, (provider, models)) in table.providers.iter().enumerate() {
        let comma = if at > 0 { ",\n" } else { "" };
        let _ = writeln!(text, "{comma}{}: {{", quoted(provider));
        for (at, (model, price)) in models.iter().enumerate() {
            let comma = if at > 0 { ",\n" } else { "" };
            let _ = write!(
                text,
                "{comma} {}: {{{}",
                quoted(model),
                members(&price.rates)
            );
            let tiers = price
                .tiers
                .iter()
                .map(|tier| format!("\"{}\": {{{}}}", tier.above, members(&tier.rates)));
            let tiers: Vec<String> = tiers.collect();
            if !tiers.is_empty() {
                let _ = write!(text, ", \"above\": {{{}}}", tiers.join(", "));
            }
            text.push('}');
        }
        text.push_str("\n}");
    }
    text.push_str("\n}}\n");
    text
}

fn members(rates: &Rates) -> String {
    let write = rates.cache_write_5m;
    let listed = [
        ("input", Some(rates.input)),
        ("output", Some(rates.output)),
        ("cache_read", unless(rates.cache_read, rates.input)),
        ("cache_write", unless(write, rates.input)),
        ("cache_write_1h", unless(rates.cache_write_1h, write)),
        ("reasoning", rates.reasoning),
    ];
    let members = listed.iter().filter_map(|(name, rate)| {
        let rate = (*rate)?.decimal();
        Some(format!("\"{name}\": \"{rate}\""))
    });
    members.collect::<Vec<_>>().join(", ")
}

fn unless(rate: MicroUsd, default: MicroUsd) -> Option<MicroUsd> {
    (rate != default).then_some(rate)
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
