//! How long a limit lasts, in every form in which hosts say it.
//!
//! `retry-after` first, for it is meant for this very request. Then the headers on what is left, of which only those count
//! whose quota is used up. Then members of the error's body that are named for it, and last the words of the message.
//! Forms seen to 2026-11: seconds, milliseconds and seconds since 1970, RFC 3339, HTTP dates, local time, `6m0s`, the IETF
//! draft's `r=0;t=30`.

mod value;

use std::time::Duration;

use http::HeaderMap;
use jiff::Timestamp;
use lingate_wire::json::{Kind, Value, scan_reply};

use self::value::{date, number, seconds_of, span_at, value};
use super::headers::retry_after;

/// Headers on quotas, as prefixes: what is left and when it is whole again stand under the same name.
const PREFIXES: [&str; 3] = ["anthropic-ratelimit-", "x-ratelimit-", "ratelimit-"];

/// What stands before a time in a message, in lower case.
const PHRASES: [&str; 14] = [
    "try again in ",
    "try again after ",
    "retry after ",
    "retry in ",
    "reset in ",
    "resets in ",
    "reset after ",
    "refreshed in ",
    "refreshes in ",
    "refreshed at ",
    "available in ",
    "reset at ",
    "resets at ",
    "wait ",
];

/// Members of an error's body that hold the end of a limit, in lower case.
const MEMBERS: [&str; 11] = [
    "retry_after",
    "retry_after_seconds",
    "retryafter",
    "retry-after",
    "retrydelay",
    "resets_in_seconds",
    "reset_after_seconds",
    "resets_at",
    "reset_at",
    "reset_time",
    "x-ratelimit-reset",
];

/// How deep in a body such a member is looked for: `error.metadata.headers`, `[0].error.details[0]`.
const MEMBER_DEPTH: u32 = 5;

/// How long it takes until asking again can help, if the upstream says so in its answer: headers, body, and the message that
/// was read out of the body.
pub(crate) fn told(
    headers: &HeaderMap,
    body: &[u8],
    message: &str,
    now: Timestamp,
) -> Option<Duration> {
    retry_after(headers, now)
        .filter(|seconds| *seconds > 0)
        .map(Duration::from_secs)
        .or_else(|| plan_reset(headers, now))
        .or_else(|| window_reset(headers, now))
        .or_else(|| quota_reset(headers, now))
        .or_else(|| in_body(body, now))
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

/// A member of the body.
fn in_body(body: &[u8], now: Timestamp) -> Option<Duration> {
    let text = std::str::from_utf8(body).ok()?;
    let doc = scan_reply(&text.into(), &[]).ok()?;
    member(doc.root(), MEMBER_DEPTH, now)
}

fn member(at: Value<'_>, depth: u32, now: Timestamp) -> Option<Duration> {
    let depth = depth.checked_sub(1)?;
    match at.kind() {
        Kind::Object => {
            let own = at.members().find_map(|(name, told)| {
                let name = name.to_ascii_lowercase();
                let text = told.str().unwrap_or_else(|| told.raw().into());
                let is_meant = MEMBERS.contains(&&*name);
                is_meant.then(|| value(&text, now))?
            });
            own.or_else(|| {
                at.members()
                    .find_map(|(_, inner)| member(inner, depth, now))
            })
        }
        Kind::Array => at.items().find_map(|inner| member(inner, depth, now)),
        Kind::Null | Kind::Bool | Kind::Number | Kind::String => None,
    }
}

/// A subscription's limits (`anthropic-ratelimit-unified-*`) say which of them refused the request.
fn plan_reset(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let refusals = headers.iter().filter_map(|(name, status)| {
        let limit = name.as_str().strip_suffix("-status")?;
        let is_refusal = limit.starts_with("anthropic-ratelimit-unified") && status == "rejected";
        let reset = headers.get(is_refusal.then(|| format!("{limit}-reset"))?)?;
        value(reset.to_str().ok()?, now)
    });
    refusals.max()
}

/// The windows of a plan whose use is told in percent (`x-codex-primary-used-percent`).
fn window_reset(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let spent = headers.iter().filter_map(|(name, used)| {
        let window = name.as_str().strip_suffix("-used-percent")?;
        let used: f64 = used.to_str().ok()?.trim().parse().ok()?;
        let names = ["-reset-after-seconds", "-reset-at"].map(|what| format!("{window}{what}"));
        let reset = names.iter().find_map(|name| headers.get(name))?;
        (used >= 100.0).then(|| value(reset.to_str().ok()?, now))?
    });
    spent.max()
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

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    /// 2026-11-21 12:00:00 UTC.
    const NOW: i64 = 1_795_262_400;

    #[track_caller]
    fn check(headers: &[(&'static str, &str)], message: &str, seconds: Option<f64>) {
        check_body(headers, "", message, seconds);
    }

    #[track_caller]
    fn check_body(
        headers: &[(&'static str, &str)],
        body: &str,
        message: &str,
        seconds: Option<f64>,
    ) {
        let map: HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                let value = HeaderValue::from_str(value).unwrap();
                (HeaderName::from_static(name), value)
            })
            .collect();
        let now = Timestamp::from_second(NOW).unwrap();
        let told = told(&map, body.as_bytes(), message, now).map(|told| told.as_secs_f64());
        assert_eq!(told, seconds, "{headers:?} {body} {message}");
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
        check(&[("retry-after", "0")], "try again in 5s", Some(5.0));
        check(
            &[
                ("anthropic-ratelimit-unified-7d_sonnet-status", "rejected"),
                ("anthropic-ratelimit-unified-7d_sonnet-reset", "1795262460"),
            ],
            "",
            Some(60.0),
        );
        check(
            &[
                ("x-codex-primary-used-percent", "100.0"),
                ("x-codex-primary-reset-after-seconds", "9000"),
                ("x-codex-secondary-used-percent", "41.5"),
                ("x-codex-secondary-reset-after-seconds", "500000"),
            ],
            "",
            Some(9000.0),
        );
        check(
            &[
                ("x-ratelimit-remaining-requests-day", "0"),
                ("x-ratelimit-reset-requests-day", "33011.5"),
                ("x-ratelimit-remaining-tokens-minute", "500"),
                ("x-ratelimit-reset-tokens-minute", "11.4"),
            ],
            "",
            Some(33_011.5),
        );
    }

    #[test]
    fn bodies() {
        let check = |body, seconds| check_body(&[], body, "no words", seconds);
        check(
            r#"{"error":{"type":"usage_limit_reached","plan_type":"plus","resets_in_seconds":7200}}"#,
            Some(7200.0),
        );
        check(r#"{"error":{"resets_at":1795262460}}"#, Some(60.0));
        check(
            r#"{"error":{"code":429,"metadata":{"headers":{"X-RateLimit-Remaining":"0","X-RateLimit-Reset":"1795262410000"}}}}"#,
            Some(10.0),
        );
        check(
            r#"[{"error":{"details":[{"@type":"t"},{"retryDelay":"34.5s"}]}}]"#,
            Some(34.5),
        );
        check(r#"{"detail":"slow down","retry_after":3}"#, Some(3.0));
        check(r#"{"a":{"b":{"c":{"d":{"e":{"retry_after":3}}}}}}"#, None);
        check(r#"{"error":{"message":"no","retry_after":null}}"#, None);
        check("retry_after: 3", None);
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
        check("Quota will be refreshed in about 2 hours", Some(7200.0));
        check("Rate limit exceeded, available in ~30s", Some(30.0));
        // The clock of Beijing, unless that would be over.
        check("Your limit will reset at 2026-11-21 20:30:00", Some(1800.0));
        check("Your limit will reset at 2026-11-21 12:30:00", Some(1800.0));
        check("Your limit will reset at 2026-11-20 12:30:00", None);
        check("please try again later", None);
        check("wait for it", None);
        check("the request was too long", None);
    }
}
