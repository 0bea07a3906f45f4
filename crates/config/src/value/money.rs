//! Prices and budgets as they are written in the file.

use lingate_price::MicroUsd;

use super::{FormatError, text_value};

pub(super) const PRICE_FORMAT: &str = "lingate-price";
pub(super) const BUDGET_FORMAT: &str = "lingate-budget";

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
    MicroUsd::parse(text).ok_or_else(|| {
        FormatError::new(
            "is not a price",
            "write US dollars per million tokens with at most 6 decimals: `0.60`",
        )
    })
}

pub(super) fn parse_budget(text: &str) -> Result<MicroUsd, FormatError> {
    let amount = text.strip_suffix("USD").map(str::trim_end);
    amount.and_then(MicroUsd::parse).ok_or_else(|| {
        FormatError::new(
            "is not a budget in US dollars",
            "write an amount with at most 6 decimals and `USD`: `20 USD`, `0.50 USD`; prices are in dollars, so no other \
             currency is known",
        )
    })
}
