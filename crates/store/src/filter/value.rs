//! Values of a filter: numbers with their units, times, patterns.

use jiff::{SignedDuration, Timestamp};

/// What is wrong with a value.
#[derive(Debug)]
pub(super) struct Bad(pub String);

/// `5`, `>5`, `>=5`, `<5`, `<=5` or `5..9`, where `unit` says what range of numbers a value is.
pub(super) fn range(
    given: &str,
    unit: impl Fn(&str) -> Result<(i64, i64), Bad>,
) -> Result<(Option<i64>, Option<i64>), Bad> {
    if let Some(bound) = given.strip_prefix(">=") {
        return Ok((Some(unit(bound)?.0), None));
    }
    if let Some(bound) = given.strip_prefix("<=") {
        return Ok((None, Some(unit(bound)?.1)));
    }
    if let Some(bound) = given.strip_prefix('>') {
        return Ok((Some(unit(bound)?.1.saturating_add(1)), None));
    }
    if let Some(bound) = given.strip_prefix('<') {
        return Ok((None, Some(unit(bound)?.0.saturating_sub(1))));
    }
    let (least, most) = match given.split_once("..") {
        Some((from, to)) => (unit(from)?.0, unit(to)?.1),
        None => unit(given)?,
    };
    if least > most {
        return Err(Bad(
            "nothing lies between these; put the smaller number first".to_owned(),
        ));
    }
    Ok((Some(least), Some(most)))
}

/// `404`, or `5xx` for all of them.
pub(super) fn status(given: &str) -> Result<(i64, i64), Bad> {
    let bad = || Bad("a status is a number such as 404, or a class such as 5xx".to_owned());
    if let Some(class) = given.strip_suffix("xx") {
        let class: i64 = class.parse().map_err(|_| bad())?;
        return if (1..=5).contains(&class) {
            Ok((class * 100, class * 100 + 99))
        } else {
            Err(bad())
        };
    }
    match given.parse() {
        Ok(status @ 100..=599) => Ok((status, status)),
        _ => Err(bad()),
    }
}

/// Dollars to millionths, exactly.
pub(super) fn dollars(given: &str) -> Result<i64, Bad> {
    let bare = given.strip_prefix('$').unwrap_or(given);
    decimal(bare, 6)
        .ok_or_else(|| Bad("a cost is in dollars, such as 0.10, down to a millionth".to_owned()))
}

/// `200ms`, `1.5s`, `2m` or `1h` to milliseconds.
pub(super) fn milliseconds(given: &str) -> Result<i64, Bad> {
    let bad =
        || Bad("a duration is a number with a unit, such as 200ms, 1.5s, 2m or 1h".to_owned());
    let digits = given.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = given.get(digits.len()..).unwrap_or_default();
    let factor = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        _ => return Err(bad()),
    };
    // Thousandths of the unit first, so that 1.5 stays exact.
    let thousandths = decimal(digits, 3).ok_or_else(bad)?;
    thousandths
        .checked_mul(factor)
        .map(|product| product / 1000)
        .ok_or_else(bad)
}

/// `500`, `10k` or `2M`.
pub(super) fn count(given: &str) -> Result<i64, Bad> {
    let (digits, factor) = match given.strip_suffix(['k', 'K', 'M']) {
        Some(digits) if given.ends_with('M') => (digits, 1_000_000),
        Some(digits) => (digits, 1000),
        None => (given, 1),
    };
    digits
        .parse::<u32>()
        .map(|number| i64::from(number) * factor)
        .map_err(|_| Bad("a count is a number such as 500, 10k or 2M".to_owned()))
}

/// `2h` ago, a date or a time (RFC 3339).
pub(super) fn time(given: &str, now: Timestamp) -> Result<Timestamp, Bad> {
    let bad = || {
        Bad(format!(
            "`{given}` is no time; use 30m, 2h, 7d, a date such as 2026-11-21 or a time such as 2026-11-21T12:00:00Z"
        ))
    };
    if let Some(days) = given.strip_suffix(['d', 'w']) {
        let length = if given.ends_with('w') { 7 * 24 } else { 24 };
        let days: u16 = days.parse().map_err(|_| bad())?;
        let ago = SignedDuration::from_hours(i64::from(days) * length);
        return now.checked_sub(ago).map_err(|_| bad());
    }
    if let Ok(milliseconds) = milliseconds(given) {
        return now
            .checked_sub(SignedDuration::from_millis(milliseconds))
            .map_err(|_| bad());
    }
    given
        .parse()
        .or_else(|_| format!("{given}T00:00:00Z").parse())
        .map_err(|_| bad())
}

/// Whether `text` is `glob`, where `*` is anything.
pub(super) fn glob(glob: &str, text: &str) -> bool {
    let mut pieces = glob.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let Some(last) = pieces.next_back() else {
        return rest.is_empty();
    };
    for piece in pieces {
        match rest.split_once(piece) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// A number without sign, times ten to the power of `places`; `None` if it has more places than that.
fn decimal(given: &str, places: usize) -> Option<i64> {
    let (whole, fraction) = given.split_once('.').unwrap_or((given, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() && fraction.is_empty()
        || fraction.len() > places
        || !is_number(whole)
        || !is_number(fraction)
    {
        return None;
    }
    format!("{whole}{fraction:0<places$}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, text: &str, expected: bool) {
        assert_eq!(glob(pattern, text), expected, "{pattern} on {text}");
    }

    #[test]
    fn stars_are_anything() {
        check("kimi*", "kimi-k2", true);
        check("*k2", "kimi-k2", true);
        check("k*-*2", "kimi-k2", true);
        check("*", "", true);
        check("a*a", "a", false);
        check("a*b*c", "acb", false);
        check("kimi", "kimi-k2", false);
        check("**x**", "axb", true);
    }

    #[test]
    fn decimals_are_exact() {
        assert_eq!(decimal("0.1", 6), Some(100_000));
        assert_eq!(decimal(".5", 3), Some(500));
        assert_eq!(decimal("7", 0), Some(7));
        for bad in [
            "",
            ".",
            "1.2.3",
            "-1",
            "1e3",
            "0.0000001",
            "99999999999999999999",
        ] {
            assert_eq!(decimal(bad, 6), None, "{bad}");
        }
    }
}
