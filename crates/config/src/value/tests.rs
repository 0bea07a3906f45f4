//! What each text means, and what it must not be.

use super::{duration, hash, money, size};

/// `None` stands for an error.
#[track_caller]
fn check<T: PartialEq + std::fmt::Debug>(
    parse: impl Fn(&str) -> Result<T, super::FormatError>,
    cases: &[(&str, Option<T>)],
) {
    for (text, expected) in cases {
        assert_eq!(parse(text).ok().as_ref(), expected.as_ref(), "{text}");
    }
}

#[test]
fn durations() {
    let milliseconds = |text: &str| duration::parse(text).map(|duration| duration.as_millis());
    check(
        milliseconds,
        &[
            ("250ms", Some(250)),
            ("3s", Some(3_000)),
            ("5m", Some(300_000)),
            ("5 m", Some(300_000)),
            ("2h", Some(7_200_000)),
            ("1d", Some(86_400_000)),
            ("0s", Some(0)),
            ("", None),
            ("3", None),
            ("s", None),
            ("-3s", None),
            ("+3s", None),
            ("1.5s", None),
            ("3 seconds", None),
            ("99999999999999999999s", None),
            ("18446744073709551615d", None),
        ],
    );
    check(
        duration::parse_limit,
        &[("none", Some(None)), ("off", None)],
    );
}

#[test]
fn sizes() {
    check(
        size::parse,
        &[
            ("32MiB", Some(32 << 20)),
            ("5GiB", Some(5 << 30)),
            ("1 KiB", Some(1024)),
            ("2kB", Some(2_000)),
            ("3MB", Some(3_000_000)),
            ("100", Some(100)),
            ("7B", Some(7)),
            ("", None),
            ("MiB", None),
            ("1.5GiB", None),
            ("1mb", None),
            ("99999999TiB", None),
        ],
    );
}

#[test]
fn money() {
    let price = |text: &str| money::parse_price(text).map(|money| money.0);
    check(
        price,
        &[
            ("0.60", Some(600_000)),
            ("2.5", Some(2_500_000)),
            ("15", Some(15_000_000)),
            ("0.000001", Some(1)),
            ("0", Some(0)),
            ("0.0000001", None),
            (".5", None),
            ("5.", None),
            ("-1", None),
            ("0,60", None),
            ("1e3", None),
            ("99999999999999999", None),
        ],
    );
    let budget = |text: &str| money::parse_budget(text).map(|money| money.to_string());
    let shown = |text: &str| Some(text.to_owned());
    check(
        budget,
        &[
            ("20 USD", shown("20.00 USD")),
            ("0.125USD", shown("0.125 USD")),
            ("20", None),
            ("20 EUR", None),
            ("$20", None),
        ],
    );
}

#[test]
fn hashes() {
    let first = |text: &str| hash::parse(text).map(|hash| (hash.0[0], hash.0[31]));
    let digits = "0a".repeat(31);
    check(
        first,
        &[
            (&format!("sha256:{digits}fF"), Some((10, 255))),
            (&format!("sha256:{digits}"), None),
            (&format!("sha256:{digits}fFf"), None),
            (&format!("sha256:{digits}0g"), None),
            (&format!("sha512:{digits}ff"), None),
            ("", None),
        ],
    );
}
