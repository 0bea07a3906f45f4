//! What a provider's refusal means.
//!
//! Providers that speak this wire do not all speak its errors: OpenAI's shape, plain texts and a proxy's HTML page arrive
//! too. Whatever comes, the message is the provider's own, cut to a readable length.

use bytestring::ByteString;

use crate::json::{Kind, Value, scan_reply};
use crate::overflow;
use crate::turn::{Failure, FailureKind};

/// Most bytes of a provider's message that are passed on.
const MAX_MESSAGE: usize = 500;

/// Reads the body of a reply whose status is not a success.
#[must_use]
pub fn decode_error(status: u16, body: &[u8]) -> Failure {
    let text = std::str::from_utf8(body).unwrap_or_default().trim();
    let doc = scan_reply(&ByteString::from(text), &[]).ok();
    let mut failure = match &doc {
        Some(doc) => failure_in(doc.root(), Some(status)),
        None => failure_of(text, Some(status)),
    };
    if failure.message.is_empty() {
        failure.message = format!("the upstream answered with status {status} and no message");
    }
    failure.with_status(status)
}

/// Reads an error that is not JSON.
pub(in crate::anthropic) fn failure_of(text: &str, status: Option<u16>) -> Failure {
    Failure::new(classified(status, &[], text), plain(text))
}

/// Whether an `error` member holds anything: some hosts send an empty one with every event.
pub(in crate::anthropic) fn is_said(error: Value<'_>) -> bool {
    match error.kind() {
        Kind::Null => false,
        Kind::String => error.str().is_some_and(|text| !text.trim().is_empty()),
        Kind::Object => error.members().next().is_some(),
        Kind::Bool | Kind::Number | Kind::Array => true,
    }
}

/// Reads a document that tells of an error: a whole body, or an event after status 200 (then `status` is `None`).
pub(in crate::anthropic) fn failure_in(root: Value<'_>, status: Option<u16>) -> Failure {
    // Some gateways wrap the one error into an array.
    let root = root.items().next().unwrap_or(root);
    let error = root
        .get("error")
        .or_else(|| root.get("base_resp"))
        .unwrap_or(root);
    let word = |value: Value<'_>, key: &str| match value.get(key) {
        Some(word) if word.kind() == Kind::Number => Some(word.raw().to_owned()),
        Some(word) => word.str().map(std::borrow::Cow::into_owned),
        None => None,
    };
    let text = ["message", "status_msg", "detail", "msg"]
        .into_iter()
        .find_map(|key| error.get(key).or_else(|| root.get(key)));
    let message = match text {
        Some(text) => text
            .str()
            .map_or_else(|| text.raw().to_owned(), std::borrow::Cow::into_owned),
        None => error.str().unwrap_or_default().into_owned(),
    };
    let words: Vec<String> = ["code", "type", "status_code"]
        .into_iter()
        .filter_map(|key| word(error, key))
        .collect();
    Failure::new(classified(status, &words, &message), capped(&message))
}

/// The most telling of the codes decides, then the status, then codes that only say "something failed".
fn classified(status: Option<u16>, codes: &[String], message: &str) -> FailureKind {
    if status != Some(429) {
        let code = codes.iter().map(String::as_str);
        if let Some(overflow) = code
            .chain([""])
            .find_map(|code| overflow::recognised(code, message))
        {
            return overflow;
        }
    }
    let named = |table: fn(&str) -> Option<FailureKind>| codes.iter().find_map(|code| table(code));
    let told = match named(telling) {
        // Kimi's plans say "terminated" also when they are used up for a while.
        Some(FailureKind::Permission) if is_used_up(message) => Some(FailureKind::Billing),
        told => told,
    };
    told.or_else(|| status.and_then(by_status))
        .or_else(|| named(general))
        .unwrap_or(FailureKind::Server)
}

fn is_used_up(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    message.contains("usage limit") || message.contains("quota will be refreshed")
}

fn telling(code: &str) -> Option<FailureKind> {
    Some(match code {
        "authentication_error"
        | "invalid_api_key"
        | "invalid_authentication_error"
        | "1004"
        | "2049" => FailureKind::Authentication,
        "permission_error" | "access_terminated_error" => FailureKind::Permission,
        "billing_error"
        | "insufficient_quota"
        | "exceeded_current_quota_error"
        | "1113"
        | "1008" => FailureKind::Billing,
        "not_found_error" | "model_not_found" | "resource_not_found_error" => FailureKind::NotFound,
        "conflict_error" => FailureKind::Conflict,
        "request_too_large" => FailureKind::TooLarge,
        "rate_limit_error"
        | "rate_limit_exceeded"
        | "rate_limit_reached_error"
        | "1302"
        | "1308"
        | "1310"
        | "1002" => FailureKind::RateLimit,
        "overloaded_error" | "engine_overloaded_error" | "1305" => FailureKind::Overloaded,
        "timeout_error" => FailureKind::Timeout,
        "content_filter" | "2013" => FailureKind::InvalidRequest,
        _ => return None,
    })
}

fn general(code: &str) -> Option<FailureKind> {
    match code {
        "invalid_request_error" => Some(FailureKind::InvalidRequest),
        _ => None,
    }
}

fn by_status(status: u16) -> Option<FailureKind> {
    Some(match status {
        401 => FailureKind::Authentication,
        402 => FailureKind::Billing,
        403 => FailureKind::Permission,
        404 => FailureKind::NotFound,
        405 => FailureKind::MethodNotAllowed,
        408 | 504 | 524 => FailureKind::Timeout,
        409 => FailureKind::Conflict,
        413 => FailureKind::TooLarge,
        415 => FailureKind::UnsupportedMediaType,
        421 => FailureKind::MisdirectedRequest,
        429 => FailureKind::RateLimit,
        498 | 503 | 529 => FailureKind::Overloaded,
        400..=499 => FailureKind::InvalidRequest,
        500..=599 => FailureKind::Server,
        _ => return None,
    })
}

/// A body that is not JSON: an HTML page is worth its title, anything else its beginning.
fn plain(text: &str) -> String {
    if !text.starts_with('<') {
        return capped(text);
    }
    let title = text
        .split_once("<title>")
        .and_then(|(_, behind)| behind.split_once("</title>"))
        .map_or("", |(title, _)| title.trim());
    if title.is_empty() {
        "the upstream answered with a page of HTML".to_owned()
    } else {
        format!(
            "the upstream answered with a page of HTML: {}",
            capped(title)
        )
    }
}

fn capped(message: &str) -> String {
    let message = message.trim();
    if message.len() <= MAX_MESSAGE {
        return message.to_owned();
    }
    let end = message.floor_char_boundary(MAX_MESSAGE);
    format!("{}...", message.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, body: &str, kind: FailureKind, message: &str) {
        let failure = decode_error(status, body.as_bytes());
        assert_eq!(
            (failure.kind, failure.message.as_str()),
            (kind, message),
            "{status} {body}"
        );
        assert_eq!(failure.upstream_status, Some(status));
    }

    #[test]
    fn shapes_of_bodies() {
        use FailureKind::{InvalidRequest, NotFound, Overloaded, Permission, RateLimit, Server};
        for (status, body, kind, message) in [
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"m: no"},"request_id":"r"}"#,
                InvalidRequest,
                "m: no",
            ),
            (
                404,
                r#"{"error":{"message":"nope","type":"invalid_request_error","code":"model_not_found"}}"#,
                NotFound,
                "nope",
            ),
            (500, r#"{"error":"broken"}"#, Server, "broken"),
            (403, r#"{"message":"go away"}"#, Permission, "go away"),
            (404, r#"{"detail":"Not Found"}"#, NotFound, "Not Found"),
            (
                422,
                r#"{"detail":[{"loc":["body"],"msg":"bad"}]}"#,
                InvalidRequest,
                r#"[{"loc":["body"],"msg":"bad"}]"#,
            ),
            (
                429,
                r#"[{"error":{"code":429,"message":"slow down","status":"RESOURCE_EXHAUSTED"}}]"#,
                RateLimit,
                "slow down",
            ),
            (
                200,
                r#"{"base_resp":{"status_code":1002,"status_msg":"rate limit"}}"#,
                RateLimit,
                "rate limit",
            ),
            (
                529,
                r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
                Overloaded,
                "Overloaded",
            ),
            (
                503,
                "upstream connect error",
                Overloaded,
                "upstream connect error",
            ),
            (
                502,
                "<html><head><title>502 Bad Gateway</title></head></html>",
                Server,
                "the upstream answered with a page of HTML: 502 Bad Gateway",
            ),
            (
                403,
                "<!doctype html><p>",
                Permission,
                "the upstream answered with a page of HTML",
            ),
            (
                500,
                "",
                Server,
                "the upstream answered with status 500 and no message",
            ),
            (
                500,
                "{}",
                Server,
                "the upstream answered with status 500 and no message",
            ),
        ] {
            check(status, body, kind, message);
        }
    }

    #[test]
    fn codes_tell_more_than_statuses() {
        for (status, code, kind) in [
            (429, "exceeded_current_quota_error", FailureKind::Billing),
            (429, "insufficient_quota", FailureKind::Billing),
            (429, "1113", FailureKind::Billing),
            (429, "1305", FailureKind::Overloaded),
            (429, "engine_overloaded_error", FailureKind::Overloaded),
            (400, "overloaded_error", FailureKind::Overloaded),
            (500, "invalid_request_error", FailureKind::Server),
            (401, "something", FailureKind::Authentication),
            (200, "invalid_request_error", FailureKind::InvalidRequest),
            (200, "something", FailureKind::Server),
        ] {
            check(
                status,
                &format!(r#"{{"error":{{"type":"{code}","message":"m"}}}}"#),
                kind,
                "m",
            );
        }
    }

    #[test]
    fn a_plan_that_is_used_up_is_not_a_missing_permission() {
        let body = |message: &str| {
            format!(r#"{{"error":{{"type":"access_terminated_error","message":"{message}"}}}}"#)
        };
        for (message, kind) in [
            (
                "You've reached your weekly (7-day) usage limit",
                FailureKind::Billing,
            ),
            (
                "This plan is for coding agents only",
                FailureKind::Permission,
            ),
        ] {
            check(403, &body(message), kind, message);
        }
    }

    #[test]
    fn context_overflow_is_recognised_but_not_in_rate_limits() {
        let message = "prompt is too long: 9 tokens > 8 maximum";
        let body =
            format!(r#"{{"error":{{"type":"invalid_request_error","message":"{message}"}}}}"#);
        let overflow = FailureKind::ContextOverflow {
            tokens: Some(9),
            maximum: Some(8),
        };
        check(400, &body, overflow, message);
        check(429, &body, FailureKind::RateLimit, message);
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let failure = decode_error(500, "ü".repeat(400).as_bytes());
        assert!(failure.message.len() <= MAX_MESSAGE + 3 && failure.message.ends_with("ü..."));
    }

    #[test]
    fn a_body_that_is_no_text_gives_no_message_of_its_own() {
        let failure = decode_error(502, b"\xff\xfe\x00");
        assert_eq!(
            failure.message,
            "the upstream answered with status 502 and no message"
        );
    }
}
