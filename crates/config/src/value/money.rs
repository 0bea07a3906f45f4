//! Money as integers: decimal text to millionths of a US dollar, exactly or not at all.

use std::fmt;

use super::duration::whole;
use super::{FormatError, text_value};

pub(super) const PRICE_FORMAT: &str = "lingate-price";
pub(super) const BUDGET_FORMAT: &str = "lingate-budget";

/// Millionths of a US dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct MicroUsd(
    /// The amount in millionths.
    pub u64,
);

text_value!(
    PriceText(MicroUsd),
    PRICE_FORMAT,
    parse_price,
    "US dollars per million tokens, as a decimal.",
    "0.60"
);
text_value!(
    BudgetText(MicroUsd),
    BUDGET_FORMAT,
    parse_budget,
    "An amount of US dollars.",
    "20 USD"
);

pub(super) fn parse_price(text: &str) -> Result<MicroUsd, FormatError> {
    decimal(text).ok_or_else(|| {
        FormatError::new(
            "is not a price",
            "write US dollars per million tokens with at most 6 decimals: `0.60`",
        )
    })
}

pub(super) fn parse_budget(text: &str) -> Result<MicroUsd, FormatError> {
    let amount = text.strip_suffix("USD").map(str::trim_end);
    amount.and_then(decimal).ok_or_else(|| {
        FormatError::new(
            "is not a budget",
            "write an amount and its currency: `20 USD`, `0.50 USD`",
        )
    })
}

fn decimal(text: &str) -> Option<MicroUsd> {
    let (units, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let places = u32::try_from(fraction.len())
        .ok()
        .filter(|places| *places <= 6)?;
    let millionths = whole(fraction)?.checked_mul(10_u64.pow(6 - places))?;
    let total = whole(units)?
        .checked_mul(1_000_000)?
        .checked_add(millionths)?;
    Some(MicroUsd(total))
}

impl fmt::Display for MicroUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (units, millionths) = (self.0 / 1_000_000, self.0 % 1_000_000);
        let fraction = format!("{millionths:06}");
        let fraction = fraction.trim_end_matches('0');
        write!(f, "{units}.{fraction:0<2} USD")
    }
}
