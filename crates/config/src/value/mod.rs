//! Values that TOML writes as text: durations, sizes, money, addresses. Each knows its grammar once, as a named
//! schema format, so that a wrong one is reported with every other problem of the file.

mod address;
mod duration;
mod hash;
mod money;
mod size;
#[cfg(test)]
mod tests;

pub use address::DEFAULT_LISTEN;
pub use hash::KeyHash;

pub(crate) use address::parse_listen;
pub(crate) use duration::{DurationText, LimitText};
pub(crate) use hash::KeyHashText;
pub(crate) use money::{BudgetText, PriceText};
pub(crate) use size::SizeText;

use crate::url::BaseUrl;

/// Why a text is not of a format.
pub(crate) struct FormatError {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// Whether the message may be preceded by the value as written.
    pub(crate) shows_value: bool,
}

impl FormatError {
    fn new(message: &str, hint: &str) -> Self {
        Self {
            message: message.to_owned(),
            hint: Some(hint.to_owned()),
            shows_value: true,
        }
    }
}

/// Whether `text` is of the named format; formats that are not ours are not looked at.
pub(crate) fn check_format(format: &str, text: &str) -> Result<(), FormatError> {
    match format {
        duration::FORMAT => duration::parse(text).map(drop),
        duration::LIMIT_FORMAT => duration::parse_limit(text).map(drop),
        size::FORMAT => size::parse(text).map(drop),
        money::PRICE_FORMAT => money::parse_price(text).map(drop),
        money::BUDGET_FORMAT => money::parse_budget(text).map(drop),
        hash::FORMAT => hash::parse(text).map(drop),
        address::FORMAT => parse_listen(text).map(drop),
        crate::url::FORMAT => BaseUrl::parse(text).map(drop).map_err(|error| FormatError {
            message: error.to_string(),
            hint: error.hint(),
            shows_value: !error.holds_secret(),
        }),
        _ => Ok(()),
    }
}

/// Implements `Deserialize` and `JsonSchema` for a newtype over a parsed text.
macro_rules! text_value {
    ($name:ident($inner:ty), $format:expr, $parse:path, $description:literal, $example:literal) => {
        #[doc = $description]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) struct $name(pub(crate) $inner);

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                let value = $parse(&text).map_err(|error| serde::de::Error::custom(error.message))?;
                Ok(Self(value))
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "format": $format,
                    "description": $description,
                    "examples": [$example],
                })
            }
        }
    };
}
use text_value;
