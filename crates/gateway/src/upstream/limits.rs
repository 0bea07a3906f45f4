//! How long a limit lasts, in every form in which hosts say it.
//!
//! `retry-after` first, for it is meant for this very request. Then the headers on what is left, of which only those count
//! whose quota is used up. Then the words of the message. Forms seen to 2026-11: seconds, milliseconds and seconds since
//! 1970, RFC 3339, HTTP dates, `6m0s`, the IETF draft's `r=0;t=30`.

use std::time::Duration;

use http::HeaderMap;
use jiff::Timestamp;

use super::headers::retry_after;

/// Headers on quotas, as prefixes: what is left and when it is whole again stand under the same name.
const PREFIXES: [&str; 3] = ["anthropic-ratelimit-", "x-ratelimit-", "ratelimit-"];

/// What stands before a time in a message, in lower case.
const PHRASES: [&str; 10] = [
    "try again in ",
    "try again after ",
    "retry after ",
    "retry in ",
    "reset in ",
    "resets in ",
    "reset after ",
    "reset at ",
    "resets at ",
    "wait ",
];

/// How long it takes until asking again can help, if the upstream says so.
pub(crate) fn told(headers: &HeaderMap, message: &str, now: Timestamp) -> Option<Duration> {
    retry_after(headers, now)
        .map(Duration::from_secs)
        .or_else(|| plan_reset(headers, now))
        .or_else(|| quota_reset(headers, now))
        .or_else(|| in_words(message, now))
}

/// Rounded up: asking a moment too early is refused again.
pub(crate) fn whole_seconds(span: Duration) -> u64 {
    span.as_secs()
        .saturating_add(u64::from(span.subsec_nanos() > 0))
}

/// What a message says.
fn in_words(message: &str, now: Timestamp) -> Option<Duration> {
    let lower = message.to_ascii_lowercase();
    let behind = |phrase: &&str| lower.split_once(*phrase).map(|(_, behind)| behind);
    let said = PHRASES
        .iter()
        .filter_map(behind)
        .find_map(|text| date(text, now).or_else(|| span_at(text)));
    // `usage limit reached|1763740800`.
    said.or_else(|| number(lower.rsplit_once('|')?.1.trim(), now))
}

/// A subscription's limits (`anthropic-ratelimit-unified-*`) say which of them refused the request.
fn plan_reset(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let resets = ["", "-5h", "-7d", "-7d_opus"]
        .into_iter()
        .filter_map(|span| {
            let name = |what| format!("anthropic-ratelimit-unified{span}-{what}");
            let is_refused = text(&name("status")) == Some("rejected");
            is_refused.then(|| value(text(&name("reset"))?, now))?
        });
    resets.max()
}

/// The last reset of the quotas that are used up; if no header says what is left, the only reset there is.
fn quota_reset(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let (mut spent, mut unsaid) = (None, Vec::new());
    for (name, told) in headers {
        let Ok(told) = told.to_str() else {
            continue;
        };
        let name = name.as_str();
        if name == "ratelimit" || name == "x-ratelimit" {
            spent = spent.max(in_draft(told));
            continue;
        }
        let is_quota = PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        if !is_quota || !name.contains("reset") || name.contains("unified") {
            continue;
        }
        let remaining = headers.get(name.replace("reset", "remaining"));
        let left = remaining.and_then(|left| left.to_str().ok()?.trim().parse::<f64>().ok());
        match left {
            Some(left) if left <= 0.0 => spent = spent.max(value(told, now)),
            Some(_) => {}
            None => unsaid.extend(value(told, now)),
        }
    }
    match *unsaid {
        _ if spent.is_some() => spent,
        [only] => Some(only),
        _ => None,
    }
}

/// `limit=10, remaining=0, reset=30`, and `"default";r=0;t=30`.
fn in_draft(text: &str) -> Option<Duration> {
    let member = |names: [&str; 2]| {
        text.split([',', ';', ' ']).find_map(|part| {
            let (name, value) = part.trim().split_once('=')?;
            names.contains(&name).then(|| value.parse::<f64>().ok())?
        })
    };
    let left = member(["remaining", "r"])?;
    let seconds = member(["reset", "t"])?;
    (left <= 0.0).then(|| seconds_of(seconds))?
}

/// A header's value in any form.
fn value(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    number(text, now)
        .or_else(|| date(text, now))
        .or_else(|| span(text))
}

/// Seconds, or seconds or milliseconds since 1970: no quota lasts thirty years.
fn number(text: &str, now: Timestamp) -> Option<Duration> {
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

/// RFC 3339, at the start of the text.
fn date(text: &str, now: Timestamp) -> Option<Duration> {
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || "-:+.".contains(c)))
        .unwrap_or(text.len());
    let date = text.get(..end)?.trim_end_matches('.');
    let at: Timestamp = date.to_ascii_uppercase().parse().ok()?;
    seconds_of((at.as_duration().as_secs_f64() - now.as_duration().as_secs_f64()).max(0.0))
}

/// A span that is all of the text: `6m0s`.
fn span(text: &str) -> Option<Duration> {
    let (span, rest) = spans(text);
    span.filter(|_| rest.is_empty())
}

/// A span at the start of a text: `20 seconds`, `1 hour 5 minutes`.
fn span_at(text: &str) -> Option<Duration> {
    spans(text).0
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

fn seconds_of(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    /// 2026-11-21 12:00:00 UTC.
    const NOW: i64 = 1_795_262_400;

    #[track_caller]
    fn check(headers: &[(&'static str, &str)], message: &str, seconds: Option<f64>) {
        let map: HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                let value = HeaderValue::from_str(value).unwrap();
                (HeaderName::from_static(name), value)
            })
            .collect();
        let now = Timestamp::from_second(NOW).unwrap();
        let told = told(&map, message, now).map(|told| told.as_secs_f64());
        assert_eq!(told, seconds, "{headers:?} {message}");
    }

    #[test]
    fn headers() {
        check(&[], "", None);
        check(&[("retry-after", "7")], "", Some(7.0));
        check(&[("retry-after-ms", "1500")], "", Some(2.0));
        check(
            &[("retry-after", "Sat, 21 Nov 2026 12:00:30 GMT")],
            "",
            Some(30.0),
        );
        check(
            &[
                ("anthropic-ratelimit-unified-status", "rejected"),
                ("anthropic-ratelimit-unified-reset", "1795266000"),
            ],
            "",
            Some(3600.0),
        );
        check(
            &[
                ("anthropic-ratelimit-unified-5h-status", "allowed"),
                ("anthropic-ratelimit-unified-5h-reset", "1795266000"),
                ("anthropic-ratelimit-unified-7d-status", "rejected"),
                ("anthropic-ratelimit-unified-7d-reset", "1795348800"),
            ],
            "",
            Some(86_400.0),
        );
        check(
            &[
                ("anthropic-ratelimit-requests-remaining", "3"),
                ("anthropic-ratelimit-requests-reset", "2026-11-21T12:30:00Z"),
                ("anthropic-ratelimit-tokens-remaining", "0"),
                ("anthropic-ratelimit-tokens-reset", "2026-11-21T12:00:20Z"),
            ],
            "",
            Some(20.0),
        );
        check(
            &[
                ("x-ratelimit-remaining-requests", "0"),
                ("x-ratelimit-reset-requests", "6m0s"),
                ("x-ratelimit-remaining-tokens", "9"),
                ("x-ratelimit-reset-tokens", "20ms"),
            ],
            "",
            Some(360.0),
        );
        check(&[("x-ratelimit-reset", "1795262410000")], "", Some(10.0));
        check(&[("x-ratelimit-reset", "1795262410")], "", Some(10.0));
        check(&[("ratelimit-reset", "45")], "", Some(45.0));
        check(
            &[("ratelimit", "limit=10, remaining=0, reset=30")],
            "",
            Some(30.0),
        );
        check(&[("ratelimit", "\"default\";r=0;t=12")], "", Some(12.0));
        check(&[("ratelimit", "\"default\";r=5;t=12")], "", None);
        check(
            &[
                ("x-ratelimit-remaining-tokens", "9"),
                ("x-ratelimit-reset-tokens", "1s"),
            ],
            "",
            None,
        );
        check(&[("x-ratelimit-reset", "soon")], "", None);
    }

    #[test]
    fn seconds_are_whole_and_not_too_few() {
        let check = |millis, seconds| {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), seconds);
        };
        check(0, 0);
        check(1, 1);
        check(1000, 1);
        check(1001, 2);
    }

    #[test]
    fn words() {
        let check = |message, seconds| check(&[], message, seconds);
        check(
            "Rate limit reached. Please try again in 20s. Visit ..",
            Some(20.0),
        );
        check("Please try again in 6m0s.", Some(360.0));
        check("Please try again in 1.5s", Some(1.5));
        check("max RPM: 3, please try again after 1 seconds", Some(1.0));
        check("Please retry after 30 seconds", Some(30.0));
        check("Please retry in 34.07s.", Some(34.07));
        check("Your limit resets in 1 hour 5 minutes", Some(3900.0));
        check("limit will reset at 2026-11-21T14:00:00Z.", Some(7200.0));
        check("Claude usage limit reached|1795266000", Some(3600.0));
        check("please try again later", None);
        check("wait for it", None);
        check("the request was too long", None);
    }
}
