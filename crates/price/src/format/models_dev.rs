//! `api.json` of models.dev: providers with their models, prices as dollars per million tokens.

use serde_json::{Map, Value};

use super::{Kind, price, rates};
use crate::money::{MicroUsd, per_million};
use crate::price::{Price, Rates, Tier};
use crate::table::{Names, Table};

/// Whether a member of the file looks like one of this format's.
pub(super) fn is_entry(value: &Value) -> bool {
    value.get("models").is_some_and(Value::is_object)
}

pub(super) fn table(members: &Map<String, Value>, names: &Names) -> Table {
    let mut table = Table::default();
    for (provider, value) in members {
        let models = value.get("models").and_then(Value::as_object);
        for (model, value) in models.into_iter().flatten() {
            let Some(price) = entry(value) else { continue };
            for own in names.of(provider) {
                table.insert(own, model, price.clone());
            }
        }
    }
    table
}

fn entry(value: &Value) -> Option<Price> {
    let cost = value.get("cost")?.as_object()?;
    let over = cost.get("context_over_200k").and_then(Value::as_object);
    let tier = over.and_then(told).map(|rates| Tier {
        above: 200_000,
        rates,
    });
    Some(price(told(cost)?, tier.into_iter().collect()))
}

fn told(cost: &Map<String, Value>) -> Option<Rates> {
    let of = |name: &str| -> Option<MicroUsd> { per_million(cost.get(name)?.as_f64()? / 1e6) };
    let (input, output) = (of("input")?, of("output")?);
    Some(rates(input, output, |kind| match kind {
        Kind::CacheRead => of("cache_read"),
        Kind::CacheWrite => of("cache_write"),
        Kind::CacheWriteHour => None,
        Kind::Reasoning => of("reasoning"),
    }))
}
