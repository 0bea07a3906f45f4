use super::*;
use crate::json::scan;

fn failure(kind: FailureKind, message: &str, retry_after: Option<u64>) -> Failure {
    Failure {
        retry_after,
        ..Failure::new(kind, message)
    }
}

fn written(failure: &Failure) -> String {
    let mut w = Writer::default();
    write_in_stream(failure, &mut w);
    String::from_utf8(w.into_bytes()).unwrap()
}

const OVERFLOW: FailureKind = FailureKind::ContextOverflow {
    tokens: None,
    maximum: None,
};

#[test]
fn codes_are_those_that_codex_acts_on() {
    for (kind, code) in [
        (OVERFLOW, "context_length_exceeded"),
        (FailureKind::RateLimit, "rate_limit_exceeded"),
        (FailureKind::Billing, "insufficient_quota"),
        (FailureKind::InvalidRequest, "invalid_prompt"),
        (FailureKind::Budget, "invalid_prompt"),
        (FailureKind::Loop, "invalid_prompt"),
        (FailureKind::Authentication, "invalid_prompt"),
        (FailureKind::UpstreamCredential, "invalid_prompt"),
        (FailureKind::NotFound, "invalid_prompt"),
        (FailureKind::Overloaded, "server_error"),
        (FailureKind::Truncated, "server_error"),
        (FailureKind::BrokenToolCall, "server_error"),
    ] {
        assert_eq!(
            written(&Failure::new(kind, "m")),
            format!(r#"{{"code":"{code}","message":"m"}}"#)
        );
    }
    let final_one = Failure {
        should_retry: Some(false),
        ..Failure::new(FailureKind::Server, "m")
    };
    assert_eq!(code(&final_one), "invalid_prompt");
}

#[test]
fn how_long_to_wait_stands_in_the_message() {
    for (said, retry_after, expected) in [
        ("Slow down", Some(7), "Slow down. Please try again in 7s."),
        ("Slow down.", Some(7), "Slow down. Please try again in 7s."),
        ("", Some(7), "Please try again in 7s."),
        ("Slow down", None, "Slow down"),
        ("Try again in 1.5s.", Some(2), "Try again in 1.5s."),
        ("try again in 200ms", Some(1), "try again in 200ms"),
        (
            "Try again in 20 seconds",
            Some(20),
            "Try again in 20 seconds",
        ),
    ] {
        let failure = failure(FailureKind::RateLimit, said, retry_after);
        assert_eq!(message(&failure), expected);
        let (status, body) = encode_error(&failure, "req_1");
        assert_eq!(status, 429);
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["error"]["message"], expected);
        assert_eq!(body["error"]["code"], "rate_limit_exceeded");
    }
    let other = failure(FailureKind::Overloaded, "busy", Some(7));
    assert_eq!(message(&other), "busy", "Codex reads it for limits only");
}

#[test]
fn what_a_stream_says_is_understood() {
    for (error, kind, wait) in [
        (
            r#"{"code":"rate_limit_exceeded","message":"Please try again in 11.054s."}"#,
            FailureKind::RateLimit,
            Some(12),
        ),
        (
            r#"{"code":"context_length_exceeded","message":"too long"}"#,
            OVERFLOW,
            None,
        ),
        (
            r#"{"code":"insufficient_quota","message":"m"}"#,
            FailureKind::Billing,
            None,
        ),
        (
            r#"{"code":"server_error","message":"m"}"#,
            FailureKind::Server,
            None,
        ),
        (
            r#"{"code":"server_is_overloaded","message":"m"}"#,
            FailureKind::Overloaded,
            None,
        ),
        (
            r#"{"code":"invalid_prompt","message":"m"}"#,
            FailureKind::InvalidRequest,
            None,
        ),
        (
            r#"{"code":"image_too_large","message":"m"}"#,
            FailureKind::InvalidRequest,
            None,
        ),
        ("null", FailureKind::Server, None),
    ] {
        let doc = scan(&error.into()).unwrap();
        let failure = in_stream(Some(doc.root()));
        assert_eq!(failure.kind, kind, "{error}");
        assert_eq!(failure.retry_after, wait, "{error}");
        assert_eq!(failure.upstream_status, None);
        assert!(!failure.message.is_empty());
    }
}

#[test]
fn bodies_are_read_like_chats() {
    let body = br#"{"error":{"message":"Rate limit reached. Please try again in 3s.","type":"tokens","code":"rate_limit_exceeded"}}"#;
    let failure = decode_error(429, body);
    assert_eq!(failure.kind, FailureKind::RateLimit);
    assert_eq!(failure.retry_after, Some(3));
    assert_eq!(failure.upstream_status, Some(429));
    assert_eq!(decode_error(404, b"<html>").kind, FailureKind::NotFound);
}

#[test]
fn limits_are_told_in_the_stream() {
    for kind in [
        FailureKind::RateLimit,
        FailureKind::Billing,
        FailureKind::Budget,
        FailureKind::Loop,
    ] {
        assert!(is_told_in_stream(kind));
    }
    for kind in [
        OVERFLOW,
        FailureKind::InvalidRequest,
        FailureKind::Authentication,
        FailureKind::Server,
    ] {
        assert!(!is_told_in_stream(kind));
    }
}
