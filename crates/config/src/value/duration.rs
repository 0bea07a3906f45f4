//! `250ms`, `30s`, `5m`, `2h`, and `none` where a limit may be lifted.

use std::time::Duration;

use lingate_price::whole;

use super::{FormatError, text_value};

pub(super) const FORMAT: &str = "lingate-duration";
pub(super) const LIMIT_FORMAT: &str = "lingate-duration-or-none";

/// A time limit, or none.
pub(crate) type Limit = Option<Duration>;

text_value!(
    DurationText(Duration),
    FORMAT,
    parse,
    "A duration: a whole number and ms, s, m, h or d.",
    "30s"
);
text_value!(
    LimitText(Limit),
    LIMIT_FORMAT,
    parse_limit,
    "A duration, or `none` for no limit.",
    "120s"
);

/// The units by suffix; `ms` before `s` and `m`, of which it would also be read as one.
const UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1000),
    ("m", 60 * 1000),
    ("h", 60 * 60 * 1000),
    ("d", 24 * 60 * 60 * 1000),
];

pub(super) fn parse(text: &str) -> Result<Duration, FormatError> {
    let error = || {
        FormatError::new(
            "is not a duration",
            "write a whole number and its unit: `250ms`, `30s`, `5m`, `2h`",
        )
    };
    let (number, unit) = UNITS
        .iter()
        .find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?.trim_end(), unit)))
        .ok_or_else(error)?;
    let milliseconds = whole(number).and_then(|number| number.checked_mul(*unit));
    milliseconds.map(Duration::from_millis).ok_or_else(error)
}

pub(super) fn parse_limit(text: &str) -> Result<Limit, FormatError> {
    if text == "none" {
        Ok(None)
    } else {
        parse(text).map(Some)
    }
}
