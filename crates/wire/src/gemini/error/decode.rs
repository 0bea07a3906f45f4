//! Failures as upstreams say them.

use super::status;
use crate::chat;
use crate::gemini::member;
use crate::json::{Kind, Value, scan_reply};
use crate::overflow;
use crate::turn::{Failure, FailureKind};

/// Longest message that is kept, in characters.
const MAX_MESSAGE: usize = 2000;

/// Reads an upstream's answer with an error status: an `error` object, bare or in an array of one. What is of another
/// shape (a proxy's page, another wire's error) is read as hosts of any wire send it.
#[must_use]
pub fn decode_error(status: u16, body: &[u8]) -> Failure {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let Ok(doc) = scan_reply(&text.into(), &[]) else {
        return chat::decode_error(status, body);
    };
    let own = error(doc.root()).and_then(of_error);
    own.map_or_else(
        || chat::decode_error(status, object(doc.root()).raw().as_bytes()),
        |failure| failure.with_status(status),
    )
}

/// Finds the error in a response that came with a success status; `None` if it holds none.
pub(in crate::gemini) fn in_reply(root: Value<'_>) -> Option<Failure> {
    let error = error(root)?;
    Some(of_error(error).unwrap_or_else(|| {
        let code = member::get(error, "code").and_then(Value::u64);
        let status = code
            .and_then(|code| u16::try_from(code).ok())
            .filter(|code| (400..600).contains(code))
            .unwrap_or(502);
        chat::decode_error(status, root.raw().as_bytes())
    }))
}

/// An error may stand in a list, as a stream without `alt=sse` is one.
fn object(root: Value<'_>) -> Value<'_> {
    match root.kind() {
        Kind::Array => root.items().next().unwrap_or(root),
        _ => root,
    }
}

fn error(root: Value<'_>) -> Option<Value<'_>> {
    member::get(object(root), "error").filter(|error| error.kind() == Kind::Object)
}

/// Reads an `error` object with a word of `google.rpc`.
fn of_error(error: Value<'_>) -> Option<Failure> {
    let word = member::get(error, "status")?.str()?;
    let base = status::kind(&word)?;
    let said = member::get(error, "message").and_then(Value::str);
    let message = match said {
        Some(said) if !said.trim().is_empty() => capped(&said),
        _ => format!("the upstream answered {word} without a message"),
    };
    let details = Details::of(error);
    let kind = overflow::recognised("", &message)
        .or_else(|| of_words(base, &message, &details))
        .unwrap_or(base);
    let mut failure = Failure::new(kind, message);
    failure.retry_after = details.retry_after;
    if kind == FailureKind::Billing {
        failure.retry_after = None;
        failure.should_retry = Some(false);
    }
    Some(failure)
}

/// What the API says under a general word: its credentials and its quotas have no word of their own.
fn of_words(base: FailureKind, message: &str, details: &Details) -> Option<FailureKind> {
    let message = message.to_ascii_lowercase();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| message.contains(phrase));
    match base {
        FailureKind::InvalidRequest | FailureKind::Permission
            if details.is_key_refused
                || says(&["api key not valid", "api key expired", "api key not found"]) =>
        {
            Some(FailureKind::Authentication)
        }
        FailureKind::InvalidRequest | FailureKind::Permission
            if says(&["billing", "free tier is not available"]) =>
        {
            Some(FailureKind::Billing)
        }
        FailureKind::InvalidRequest if says(&["request payload size exceeds"]) => {
            Some(FailureKind::TooLarge)
        }
        FailureKind::RateLimit
            if details.is_quota_of_day
                || says(&["limit: 0", "prepayment credits", "insufficient credit"]) =>
        {
            Some(FailureKind::Billing)
        }
        FailureKind::Server if says(&["overloaded", "high demand"]) => {
            Some(FailureKind::Overloaded)
        }
        _ => None,
    }
}

/// What `details` add, in the types of `google.rpc`.
#[derive(Debug, Default)]
struct Details {
    retry_after: Option<u64>,
    is_quota_of_day: bool,
    is_key_refused: bool,
}

impl Details {
    fn of(error: Value<'_>) -> Self {
        let mut details = Self::default();
        for detail in member::get(error, "details")
            .into_iter()
            .flat_map(Value::items)
        {
            let kind = detail.get("@type").and_then(Value::str).unwrap_or_default();
            match kind.rsplit('.').next().unwrap_or_default() {
                "RetryInfo" => {
                    details.retry_after = member::get(detail, "retryDelay")
                        .and_then(Value::str)
                        .and_then(|delay| seconds(&delay));
                }
                "QuotaFailure" => {
                    let violations = member::get(detail, "violations");
                    let mut ids = violations
                        .into_iter()
                        .flat_map(Value::items)
                        .filter_map(|violation| member::get(violation, "quotaId")?.str());
                    details.is_quota_of_day |=
                        ids.any(|id| id.contains("PerDay") || id.contains("Daily"));
                }
                "ErrorInfo" => {
                    details.is_key_refused |= member::get(detail, "reason").is_some_and(|reason| {
                        reason.is_str("API_KEY_INVALID") || reason.is_str("API_KEY_EXPIRED")
                    });
                }
                _ => {}
            }
        }
        details
    }
}

/// A duration such as `34.07s`, in whole seconds and not too few.
fn seconds(delay: &str) -> Option<u64> {
    let number: f64 = delay.strip_suffix('s')?.parse().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range is checked first"
    )]
    (0.0..1e9).contains(&number).then(|| number.ceil() as u64)
}

fn capped(text: &str) -> String {
    match text.char_indices().nth(MAX_MESSAGE) {
        Some((at, _)) => format!("{}...", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `details`: what stands in the array.
    #[track_caller]
    fn check(code: u16, word: &str, message: &str, details: &str, expected: FailureKind) {
        let object = format!(
            r#"{{"error":{{"code":{code},"message":"{message}","status":"{word}","details":[{details}]}}}}"#
        );
        for body in [object.clone(), format!("[{object}\n]")] {
            let failure = decode_error(code, body.as_bytes());
            assert_eq!(failure.kind, expected, "{body}");
            assert_eq!(failure.message, message);
            assert_eq!(failure.upstream_status, Some(code));
        }
    }

    #[test]
    fn words_and_messages_decide() {
        use FailureKind as F;
        let quota = |id: &str| {
            format!(
                r#"{{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{{"quotaId":"{id}"}}]}}"#
            )
        };
        let key =
            r#"{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}"#;
        check(
            400,
            "INVALID_ARGUMENT",
            "Invalid value",
            "",
            F::InvalidRequest,
        );
        check(
            400,
            "INVALID_ARGUMENT",
            "API key not valid.",
            key,
            F::Authentication,
        );
        check(400, "INVALID_ARGUMENT", "bad", key, F::Authentication);
        check(429, "UNKNOWN", "slow down", "", F::RateLimit);
        check(401, "UNKNOWN", "who?", "", F::Authentication);
        check(
            400,
            "FAILED_PRECONDITION",
            "Enable billing on your project",
            "",
            F::Billing,
        );
        check(401, "UNAUTHENTICATED", "no", "", F::Authentication);
        check(403, "PERMISSION_DENIED", "no", "", F::Permission);
        check(404, "NOT_FOUND", "models/x is not found", "", F::NotFound);
        check(
            429,
            "RESOURCE_EXHAUSTED",
            "Resource exhausted",
            "",
            F::RateLimit,
        );
        check(
            429,
            "RESOURCE_EXHAUSTED",
            "q",
            &quota("RequestsPerMinute"),
            F::RateLimit,
        );
        check(
            429,
            "RESOURCE_EXHAUSTED",
            "q",
            &quota("RequestsPerDay"),
            F::Billing,
        );
        check(
            429,
            "RESOURCE_EXHAUSTED",
            "free_tier, limit: 0",
            "",
            F::Billing,
        );
        check(500, "INTERNAL", "An internal error", "", F::Server);
        check(
            503,
            "UNAVAILABLE",
            "The model is overloaded.",
            "",
            F::Overloaded,
        );
        check(504, "DEADLINE_EXCEEDED", "late", "", F::Timeout);
        check(
            400,
            "INVALID_ARGUMENT",
            "The input token count (1196265) exceeds the maximum number of tokens allowed (1048576).",
            "",
            F::ContextOverflow {
                tokens: Some(1_196_265),
                maximum: Some(1_048_576),
            },
        );
    }

    #[test]
    fn the_delay_is_rounded_up() {
        for (delay, expected) in [
            ("34.074824224s", Some(35)),
            ("7s", Some(7)),
            ("0s", Some(0)),
            ("-1s", None),
            ("soon", None),
        ] {
            let body = format!(
                r#"{{"error":{{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED","details":[{{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"{delay}"}}]}}}}"#
            );
            assert_eq!(
                decode_error(429, body.as_bytes()).retry_after,
                expected,
                "{delay}"
            );
        }
    }

    #[test]
    fn other_shapes_are_read_as_any_host_sends_them() {
        for (status, body, kind) in [
            (
                502,
                "<html><title>Bad gateway</title></html>",
                FailureKind::Server,
            ),
            (
                401,
                r#"{"error":{"message":"no key"}}"#,
                FailureKind::Authentication,
            ),
            (429, "", FailureKind::RateLimit),
            (
                400,
                r#"{"error":{"code":400,"message":"m","status":"NEW_WORD"}}"#,
                FailureKind::InvalidRequest,
            ),
        ] {
            assert_eq!(decode_error(status, body.as_bytes()).kind, kind, "{body}");
        }
    }
}
