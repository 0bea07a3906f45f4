//! `model_prices_and_context_window.json` of the LiteLLM project: models by name, prices as dollars per token.
//!
//! Names carry the provider before a slash for most (`moonshot/kimi-k3`), and none for some. Prices above a size of the
//! request are members of their own, `input_cost_per_token_above_200k_tokens`; those of batches and of dearer or cheaper
//! service tiers are not read.

use serde_json::{Map, Value};

use super::{Kind, per_token, price, rates};
use crate::price::{Price, Rates, Tier};
use crate::table::{Names, Table};

/// Modes of models that agents speak to.
const MODES: [&str; 3] = ["chat", "responses", "completion"];

/// Whether a member of the file looks like one of this format's.
pub(super) fn is_entry(value: &Value) -> bool {
    value.get("litellm_provider").is_some()
}

pub(super) fn table(members: &Map<String, Value>, names: &Names) -> Table {
    let mut table = Table::default();
    for (name, value) in members {
        let Some((provider, price)) = entry(value) else {
            continue;
        };
        let model = name
            .strip_prefix(provider)
            .and_then(|rest| rest.strip_prefix('/'));
        // Several providers of one host share its prefix: `vertex_ai/...` of `vertex_ai-anthropic_models`.
        let host = provider.split('-').next().unwrap_or(provider);
        let of_host = name
            .strip_prefix(host)
            .and_then(|rest| rest.strip_prefix('/'));
        let model = model.or(of_host).unwrap_or(name);
        for own in names.of(provider) {
            table.insert(own, model, price.clone());
        }
    }
    table
}

fn entry(value: &Value) -> Option<(&str, Price)> {
    let entry = value.as_object()?;
    let provider = entry.get("litellm_provider")?.as_str()?;
    let mode = entry.get("mode")?.as_str()?;
    if !MODES.contains(&mode) {
        return None;
    }
    let tiers = entry.keys().filter_map(|name| {
        let size = name.strip_prefix("input_cost_per_token_above_")?;
        let size = size.strip_suffix("k_tokens")?;
        let above = crate::money::whole(size)?.checked_mul(1_000)?;
        let rates = with_suffix(entry, &format!("_above_{size}k_tokens"))?;
        Some(Tier { above, rates })
    });
    let tiers = tiers.collect();
    Some((provider, price(with_suffix(entry, "")?, tiers)))
}

fn with_suffix(entry: &Map<String, Value>, suffix: &str) -> Option<Rates> {
    let told = |name: &str| per_token(entry, &format!("{name}{suffix}"));
    let (input, output) = (
        told("input_cost_per_token")?,
        told("output_cost_per_token")?,
    );
    Some(rates(input, output, |kind| {
        told(match kind {
            Kind::CacheRead => "cache_read_input_token_cost",
            Kind::CacheWrite => "cache_creation_input_token_cost",
            Kind::CacheWriteHour => "cache_creation_input_token_cost_above_1hr",
            Kind::Reasoning => "output_cost_per_reasoning_token",
        })
    }))
}
