//! `32MiB`, `5GiB`, `1048576`.

use lingate_price::whole;

use super::{FormatError, text_value};

pub(super) const FORMAT: &str = "lingate-size";

text_value!(
    SizeText(u64),
    FORMAT,
    parse,
    "A size: a whole number and B, kB, KiB, MB, MiB, GB or GiB.",
    "32MiB"
);

const UNITS: [(&str, u64); 9] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
];

pub(super) fn parse(text: &str) -> Result<u64, FormatError> {
    let (number, unit) = UNITS
        .iter()
        .find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?.trim_end(), *unit)))
        .unwrap_or((text, 1));
    whole(number)
        .and_then(|number| number.checked_mul(unit))
        .ok_or_else(|| {
            FormatError::new(
                "is not a size",
                "write a whole number and its unit: `512KiB`, `32MiB`, `5GiB`",
            )
        })
}
