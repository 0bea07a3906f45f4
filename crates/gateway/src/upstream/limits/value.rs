//! A moment or a span of time, in the forms in which hosts write one.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

/// Length of `2026-11-21 20:00:00`.
const LOCAL_TIME: usize = 19;

/// A header's value in any form.
pub(super) fn value(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    number(text, now)
        .or_else(|| date(text, now))
        .or_else(|| span(text))
}

/// Seconds, or seconds or milliseconds since 1970: no quota lasts thirty years.
pub(super) fn number(text: &str, now: Timestamp) -> Option<Duration> {
    let number: f64 = text.parse().ok()?;
    let now = now.as_duration().as_secs_f64();
    if number >= 1e12 {
        seconds_of((number / 1000.0 - now).max(0.0))
    } else if number >= 1e9 {
        seconds_of((number - now).max(0.0))
    } else {
        seconds_of(number)
    }
}

/// RFC 3339 or a local time, at the start of the text.
pub(super) fn date(text: &str, now: Timestamp) -> Option<Duration> {
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || "-:+.".contains(c)))
        .unwrap_or(text.len());
    let word = text.get(..end)?.trim_end_matches('.').to_ascii_uppercase();
    let at = word.parse().ok().or_else(|| local_time(text, now))?;
    Some(until(at, now))
}

/// `2026-11-21 20:00:00`, without a zone: in UTC or in China, where the hosts are that write so; whichever comes first, for
/// asking too early is only refused again.
fn local_time(text: &str, now: Timestamp) -> Option<Timestamp> {
    let local: DateTime = text.get(..LOCAL_TIME)?.parse().ok()?;
    let zones = [8, 0].map(|hours| TimeZone::fixed(Offset::constant(hours)));
    let read = |zone| Some(local.to_zoned(zone).ok()?.timestamp());
    zones.into_iter().filter_map(read).find(|at| *at > now)
}

fn until(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or_default()
}

/// A span that is all of the text: `6m0s`.
fn span(text: &str) -> Option<Duration> {
    let (span, rest) = spans(text);
    span.filter(|_| rest.is_empty())
}

/// A span at the start of a text: `20 seconds`, `about 1 hour 5 minutes`.
pub(super) fn span_at(text: &str) -> Option<Duration> {
    let vague = ["about ", "approximately ", "~"];
    let text = text.trim_start();
    let behind = vague.iter().find_map(|word| text.strip_prefix(word));
    spans(behind.unwrap_or(text)).0
}

fn spans(text: &str) -> (Option<Duration>, &str) {
    let (mut total, mut rest) = (None::<f64>, text.trim_start());
    loop {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, behind) = rest.split_at(digits);
        let Ok(number) = number.parse::<f64>() else {
            break;
        };
        let unit_text = behind.trim_start();
        let letters = unit_text
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(unit_text.len());
        let (unit, behind) = unit_text.split_at(letters);
        let Some(seconds) = unit_of(unit) else {
            break;
        };
        total = Some(total.unwrap_or(0.0) + number * seconds);
        rest = behind.trim_start();
    }
    (total.and_then(seconds_of), rest)
}

fn unit_of(unit: &str) -> Option<f64> {
    match unit {
        "ms" | "millisecond" | "milliseconds" => Some(0.001),
        "s" | "sec" | "secs" | "second" | "seconds" => Some(1.0),
        "m" | "min" | "mins" | "minute" | "minutes" => Some(60.0),
        "h" | "hr" | "hrs" | "hour" | "hours" => Some(3600.0),
        "d" | "day" | "days" => Some(86_400.0),
        _ => None,
    }
}

pub(super) fn seconds_of(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}
