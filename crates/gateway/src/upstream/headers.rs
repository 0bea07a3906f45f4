//! Which headers cross the gateway, in either direction and lane.

use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, EXPECT,
    FORWARDED, HOST, ORIGIN, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, RETRY_AFTER, SET_COOKIE, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE, USER_AGENT,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::auth::CREDENTIALS;

/// Who asks when no client does: probes, exchanges of credentials. A client's own name is never worn, and it never wears
/// ours.
pub(crate) const OWN_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("lingate/", env!("CARGO_PKG_VERSION")));

const BETA: HeaderName = HeaderName::from_static("anthropic-beta");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Headers that speak of one connection only (RFC 9110, 7.6.1), and framing, which is always our own.
static HOP_BY_HOP: [HeaderName; 12] = [
    CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HOST,
    CONTENT_LENGTH,
    // Was answered before the body came.
    EXPECT,
];

/// The client's headers as a passthrough request carries them.
pub(crate) fn forwarded_request(client: &HeaderMap) -> HeaderMap {
    let named = connection_named(client);
    let mut headers = HeaderMap::with_capacity(client.len());
    for (name, value) in client {
        let text = name.as_str();
        let is_left_out = HOP_BY_HOP.contains(name)
            || CREDENTIALS.contains(name)
            || [COOKIE, ORIGIN, FORWARDED, ACCEPT_ENCODING].contains(name)
            || text.starts_with("x-forwarded-")
            || text.starts_with("x-lingate-")
            || named.iter().any(|own| own == text);
        if !is_left_out {
            headers.append(name.clone(), value.clone());
        }
    }
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers
}

/// The headers of a translated request: the client's own user agent, and nothing else of its.
pub(crate) fn translated_request(client: &HeaderMap, is_stream: bool) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(
        http::header::ACCEPT,
        HeaderValue::from_static(if is_stream {
            "text/event-stream"
        } else {
            "application/json"
        }),
    );
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if let Some(agent) = client.get(USER_AGENT) {
        headers.insert(USER_AGENT, agent.clone());
    }
    headers
}

/// Leaves out the betas that a host does not take, which it would answer with 400: `known` are those it takes, without
/// their dates.
pub(crate) fn keep_betas(headers: &mut HeaderMap, known: &[String]) {
    let is_known = |beta: &&str| {
        known.iter().any(|stem| {
            let rest = beta.strip_prefix(stem.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        })
    };
    let all = headers.get_all(BETA).iter();
    let kept: Vec<&str> = all
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(is_known)
        .collect();
    let kept = HeaderValue::try_from(kept.join(","));
    headers.remove(BETA);
    if let Ok(kept) = kept
        && !kept.is_empty()
    {
        headers.insert(BETA, kept);
    }
}

/// The upstream's headers as a passthrough answer carries them.
pub(crate) fn forwarded_answer(upstream: &HeaderMap) -> HeaderMap {
    let named = connection_named(upstream);
    let mut headers = HeaderMap::with_capacity(upstream.len());
    for (name, value) in upstream {
        let text = name.as_str();
        let is_left_out = HOP_BY_HOP.contains(name)
            || *name == SET_COOKIE
            || *name == CONTENT_ENCODING
            || matches!(text, "alt-svc" | "strict-transport-security")
            || text.starts_with("access-control-")
            || text.starts_with("x-lingate-")
            || named.iter().any(|own| own == text);
        if !is_left_out {
            headers.append(name.clone(), value.clone());
        }
    }
    headers
}

/// What a translated answer keeps of the upstream's headers: limits and ids.
pub(crate) fn translated_answer(
    upstream: &HeaderMap,
    now: impl FnOnce() -> jiff::Timestamp,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut has_end = false;
    for (name, value) in upstream {
        let text = name.as_str();
        has_end |= text.starts_with("retry-after");
        if text.starts_with("anthropic-ratelimit-")
            || text.starts_with("x-ratelimit-")
            || matches!(text, "x-trace-id" | "x-request-id" | "request-id")
        {
            headers.append(name.clone(), value.clone());
        }
    }
    if has_end && let Some(seconds) = retry_after(upstream, now()) {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    headers
}

/// Whole seconds, rounded up, until the upstream wants to be asked again: `retry-after-ms`, or `retry-after` as
/// seconds (also fractional) or as a date.
pub(crate) fn retry_after(upstream: &HeaderMap, now: jiff::Timestamp) -> Option<u64> {
    let text = |name: &str| upstream.get(name)?.to_str().ok().map(str::trim);
    if let Some(ms) = text("retry-after-ms").and_then(|ms| ms.parse::<f64>().ok()) {
        return whole_seconds(ms / 1000.0);
    }
    let value = text("retry-after")?;
    if let Ok(seconds) = value.parse::<f64>() {
        return whole_seconds(seconds);
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(value)
        .ok()?;
    u64::try_from(date.as_second() - now.as_second()).ok()
}

fn whole_seconds(seconds: f64) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range is checked"
    )]
    (0.0..1e9).contains(&seconds).then(|| seconds.ceil() as u64)
}

/// Headers that `Connection` names speak of that connection only.
fn connection_named(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        headers
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn a_passthrough_request_keeps_what_speaks_to_the_provider() {
        let sent = forwarded_request(&map(&[
            ("anthropic-version", "2023-06-01"),
            ("anthropic-beta", "a,b"),
            ("x-claude-code-session-id", "s"),
            ("user-agent", "claude-cli/2"),
            ("x-api-key", "secret"),
            ("authorization", "Bearer secret"),
            ("x-goog-api-key", "secret"),
            ("x-lingate-key", "secret"),
            ("cookie", "c=1"),
            ("origin", "http://localhost"),
            ("forwarded", "for=1"),
            ("x-forwarded-for", "1"),
            ("connection", "keep-alive, x-private"),
            ("x-private", "1"),
            ("host", "localhost"),
            ("content-length", "3"),
            ("accept-encoding", "gzip"),
        ]));
        let names: Vec<&str> = sent.keys().map(HeaderName::as_str).collect();
        assert_eq!(
            names,
            [
                "anthropic-version",
                "anthropic-beta",
                "x-claude-code-session-id",
                "user-agent",
                "accept-encoding"
            ]
        );
        assert_eq!(sent["accept-encoding"], "identity");
    }

    #[test]
    fn a_passthrough_answer_keeps_all_but_hops_cookies_and_site_policy() {
        let kept = forwarded_answer(&map(&[
            ("content-type", "text/event-stream"),
            ("request-id", "req_1"),
            ("set-cookie", "a=b"),
            ("access-control-allow-origin", "*"),
            ("alt-svc", "h3"),
            ("strict-transport-security", "x"),
            ("transfer-encoding", "chunked"),
            ("x-should-retry", "true"),
        ]));
        let names: Vec<&str> = kept.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["content-type", "request-id", "x-should-retry"]);
    }

    #[test]
    fn retry_after_in_every_spelling_is_whole_seconds() {
        let now: jiff::Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        let cases = [
            ("retry-after", "7", Some(7)),
            ("retry-after", "0.2", Some(1)),
            ("retry-after", "Sat, 21 Nov 2026 10:00:30 GMT", Some(30)),
            ("retry-after", "Sat, 21 Nov 2026 09:00:00 GMT", None),
            ("retry-after-ms", "1500", Some(2)),
            ("retry-after", "soon", None),
            ("retry-after", "-1", None),
        ];
        for (name, value, seconds) in cases {
            assert_eq!(
                retry_after(&map(&[(name, value)]), now),
                seconds,
                "{name}: {value}"
            );
        }
    }
}
