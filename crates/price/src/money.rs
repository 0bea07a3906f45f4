//! Money as integers: decimal text to millionths of a US dollar, exactly or not at all.

use std::fmt;

/// Millionths of a US dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct MicroUsd(
    /// The amount in millionths.
    pub u64,
);

impl MicroUsd {
    /// The sum, at most the largest amount there is.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Dollars as a decimal of at most six places: `0.60`, `20`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (units, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let places = u32::try_from(fraction.len())
            .ok()
            .filter(|places| *places <= 6)?;
        let millionths = whole(fraction)?.checked_mul(10_u64.pow(6 - places))?;
        let total = whole(units)?
            .checked_mul(1_000_000)?
            .checked_add(millionths)?;
        Some(Self(total))
    }

    /// Dollars as a decimal without a unit, at least two places: `0.60`, `20.00`.
    #[must_use]
    pub fn decimal(self) -> String {
        let (units, millionths) = (self.0 / 1_000_000, self.0 % 1_000_000);
        let fraction = format!("{millionths:06}");
        let fraction = fraction.trim_end_matches('0');
        format!("{units}.{fraction:0<2}")
    }
}

impl fmt::Display for MicroUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} USD", self.decimal())
    }
}

/// A whole number written with digits alone: no sign, no space.
#[must_use]
pub fn whole(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// A price per million tokens out of one per token, both in dollars, as tables elsewhere write them (`1.6e-07`). Rounded to a
/// millionth of a dollar per million tokens, which undoes what binary fractions did to the decimal. `None` if it is
/// negative, not a number, or more than a dollar for a token, which no model costs.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and 10^12 after the check"
)]
pub fn per_million(per_token: f64) -> Option<MicroUsd> {
    let is_sane = per_token.is_finite() && (0.0..=1.0).contains(&per_token);
    is_sane.then(|| MicroUsd((per_token * 1e12).round() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        for (text, expected) in [
            ("0.60", Some(600_000)),
            ("20", Some(20_000_000)),
            ("0.000001", Some(1)),
            ("0.0000001", None),
            ("-1", None),
            ("1e3", None),
            ("", None),
            (".5", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(
                MicroUsd::parse(text).map(|money| money.0),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn shown_as_people_write_it() {
        for (micro, expected) in [
            (0, "0.00 USD"),
            (1, "0.000001 USD"),
            (600_000, "0.60 USD"),
            (12_345_678, "12.345678 USD"),
        ] {
            assert_eq!(MicroUsd(micro).to_string(), expected);
        }
    }

    #[test]
    fn prices_per_token_lose_nothing_to_binary_fractions() {
        for (per_token, expected) in [
            (1.6e-07, Some(160_000)),
            (9.500_000_000_01e-07, Some(950_000)),
            (0.0, Some(0)),
            (-1e-9, None),
            (f64::NAN, None),
            (3.0, None),
        ] {
            assert_eq!(
                per_million(per_token).map(|price| price.0),
                expected,
                "{per_token}"
            );
        }
    }
}
