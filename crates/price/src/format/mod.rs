//! The formats in which price tables come.

mod litellm;
mod models_dev;
mod own;

use serde_json::{Map, Value};

pub use own::{read as own, write as write_own};

use crate::money::{MicroUsd, per_million};
use crate::price::{Price, Rates, Tier};
use crate::table::{Names, Table};

/// Why a price table is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ReadError {
    /// It is not JSON, or not of the shape that its first member promises.
    #[error("the price table cannot be read: {0}")]
    Malformed(String),
    /// It is JSON of another kind.
    #[error(
        "this is no price table: expected `{{\"format\": \"{}\", ...}}`, LiteLLM's `model_prices_and_context_window.json`, or models.dev's `api.json`",
        own::FORMAT
    )]
    Unknown,
    /// A price in it makes no sense.
    #[error("`{provider}/{model}`: {complaint}")]
    Price {
        /// The provider.
        provider: String,
        /// The model.
        model: String,
        /// What is wrong.
        complaint: String,
    },
    /// It prices nothing that any known provider serves.
    #[error("the price table has no price for any known provider")]
    Empty,
}

/// Reads a table in any of the formats: ours, or one of the two that list most models, `model_prices_and_context_window.json`
/// of the LiteLLM project and `api.json` of models.dev.
///
/// Of a foreign table only the providers in `names` are kept; an entry there whose price makes no sense stays unpriced, for
/// such tables list thousands. One of ours is refused for it. `version` names a foreign table.
///
/// # Errors
/// If the text is no such table, or prices nothing.
pub fn read(text: &str, names: &Names, version: &str) -> Result<Table, ReadError> {
    let value: Value =
        serde_json::from_str(text).map_err(|error| ReadError::Malformed(error.to_string()))?;
    let Value::Object(members) = value else {
        return Err(ReadError::Unknown);
    };
    let mut table = if members.contains_key("format") {
        return own::read(text);
    } else if members.values().any(litellm::is_entry) {
        litellm::table(&members, names)
    } else if members.values().any(models_dev::is_entry) {
        models_dev::table(&members, names)
    } else {
        return Err(ReadError::Unknown);
    };
    if table.is_empty() {
        return Err(ReadError::Empty);
    }
    version.clone_into(&mut table.version);
    Ok(table)
}

/// A member that is dollars per token.
fn per_token(entry: &Map<String, Value>, name: &str) -> Option<MicroUsd> {
    per_million(entry.get(name)?.as_f64()?)
}

/// Rates out of the prices that a foreign table tells, with what such tables leave out filled in: caches cost what input
/// costs, the one-hour cache what the other does.
fn rates(input: MicroUsd, output: MicroUsd, of: impl Fn(Kind) -> Option<MicroUsd>) -> Rates {
    let cache_write_5m = of(Kind::CacheWrite).unwrap_or(input);
    Rates {
        input,
        output,
        cache_read: of(Kind::CacheRead).unwrap_or(input),
        cache_write_5m,
        cache_write_1h: of(Kind::CacheWriteHour).unwrap_or(cache_write_5m),
        reasoning: of(Kind::Reasoning).filter(|rate| *rate != output),
    }
}

/// Prices that a foreign table may leave out.
#[derive(Clone, Copy)]
enum Kind {
    CacheRead,
    CacheWrite,
    CacheWriteHour,
    Reasoning,
}

/// A price whose tiers are in order.
fn price(rates: Rates, mut tiers: Vec<Tier>) -> Price {
    tiers.sort_by_key(|tier| tier.above);
    tiers.dedup_by_key(|tier| tier.above);
    Price { rates, tiers }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let pairs = [("moonshot", "m"), ("moonshotai", "m"), ("openai", "o")];
        Names(pairs.map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec())
    }

    fn check(text: &str, expected: &Result<&str, &str>) {
        let shown = read(text, &names(), "file").map(|table| {
            let lines = table.iter().map(|(provider, model, price)| {
                let all = std::iter::once((0, price.rates))
                    .chain(price.tiers.iter().map(|tier| (tier.above, tier.rates)));
                let rates: Vec<String> = all
                    .map(|(above, rates)| {
                        let listed = [
                            Some(rates.input),
                            Some(rates.output),
                            Some(rates.cache_read),
                            Some(rates.cache_write_5m),
                            Some(rates.cache_write_1h),
                            rates.reasoning,
                        ];
                        let listed =
                            listed.map(|rate| rate.map_or_else(String::new, MicroUsd::decimal));
                        format!(">{above} {}", listed.join(" ").trim_end())
                    })
                    .collect();
                format!("{provider}/{model} {}", rates.join(" "))
            });
            lines.collect::<Vec<_>>().join("\n")
        });
        let shown = shown.map_err(|error| error.to_string());
        match (&shown, expected) {
            (Ok(shown), Ok(expected)) => assert_eq!(shown, expected, "{text}"),
            (Err(shown), Err(expected)) => assert!(shown.contains(expected), "{text}: {shown}"),
            _ => panic!("{text}: {shown:?}"),
        }
    }

    #[test]
    fn every_format_is_read() {
        for (text, expected) in [
            (
                r#"{"format":"lingate-prices/1","as_of":"2026-11-21","providers":{"m":{
                    "k":{"input":"0.95","output":"4","cache_read":"0.16"},
                    "t":{"input":"1","output":"2","cache_write":"1.25","cache_write_1h":"2","above":{"200000":{"input":"2","output":"3"}}}}}}"#,
                Ok("m/k >0 0.95 4.00 0.16 0.95 0.95\n\
                    m/t >0 1.00 2.00 1.00 1.25 2.00 >200000 2.00 3.00 2.00 2.00 2.00"),
            ),
            (
                r#"{"sample_spec":{"mode":"chat","litellm_provider":"one of ...","input_cost_per_token":0.0},
                    "moonshot/kimi-k3":{"litellm_provider":"moonshot","mode":"chat","input_cost_per_token":3e-06,"output_cost_per_token":1.5e-05,
                        "cache_read_input_token_cost":3e-07,"cache_creation_input_token_cost_above_1hr":6e-06},
                    "gpt":{"litellm_provider":"openai","mode":"responses","input_cost_per_token":2e-07,"output_cost_per_token":1.2e-06,
                        "input_cost_per_token_above_272k_tokens":4e-07,"output_cost_per_token_above_272k_tokens":1.8e-06,
                        "input_cost_per_token_above_272k_tokens_flex":1e-07},
                    "dall":{"litellm_provider":"openai","mode":"image_generation","input_cost_per_token":1e-06,"output_cost_per_token":1e-06},
                    "broken":{"litellm_provider":"openai","mode":"chat","input_cost_per_token":-1,"output_cost_per_token":1e-06},
                    "other":{"litellm_provider":"nobody","mode":"chat","input_cost_per_token":1e-06,"output_cost_per_token":1e-06}}"#,
                Ok("m/kimi-k3 >0 3.00 15.00 0.30 3.00 6.00\n\
                    o/gpt >0 0.20 1.20 0.20 0.20 0.20 >272000 0.40 1.80 0.40 0.40 0.40"),
            ),
            (
                r#"{"moonshotai":{"id":"moonshotai","models":{
                        "kimi-k3":{"id":"kimi-k3","cost":{"input":3,"output":15,"cache_read":0.3,"context_over_200k":{"input":6,"output":22.5}}},
                        "free":{"id":"free"}}},
                    "else":{"id":"else","models":{"x":{"cost":{"input":1,"output":1}}}}}"#,
                Ok("m/kimi-k3 >0 3.00 15.00 0.30 3.00 3.00 >200000 6.00 22.50 6.00 6.00 6.00"),
            ),
        ] {
            check(text, &expected);
        }
    }

    #[test]
    fn what_is_no_table_is_refused() {
        for (text, expected) in [
            ("{", Err("cannot be read: EOF")),
            (r#"{{"a":1}"#, Err("cannot be read: key must be a string")),
            ("[]", Err("this is no price table")),
            (r#"{"a":1}"#, Err("this is no price table")),
            (r#"{"format":"lingate-prices/9"}"#, Err("lingate-prices/9")),
            (
                r#"{"format":"lingate-prices/1","as_of":"2026-11-21","providers":{"m":{"k":{"input":"-1","output":"4"}}}}"#,
                Err("`m/k`: `-1` is not a price"),
            ),
            (
                r#"{"format":"lingate-prices/1","as_of":"2026-11-21","providers":{"m":{"k":{"input":"1","output":"4","outptu":"1"}}}}"#,
                Err("unknown field `outptu`"),
            ),
            (
                r#"{"format":"lingate-prices/1","as_of":"2026-11-21","providers":{}}"#,
                Err("no price for any known provider"),
            ),
            (
                r#"{"x":{"litellm_provider":"nobody","mode":"chat","input_cost_per_token":1e-06,"output_cost_per_token":1e-06}}"#,
                Err("no price for any known provider"),
            ),
        ] {
            check(text, &expected);
        }
    }
}
