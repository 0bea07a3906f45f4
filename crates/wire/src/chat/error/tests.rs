use bytestring::ByteString;

use super::*;

/// A status and body, and the kind and message they must give.
fn check(status: u16, body: &str, kind: FailureKind, message: &str) {
    let failure = decode_error(status, body.as_bytes());
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (kind, message),
        "{body}"
    );
    assert_eq!(failure.upstream_status, Some(status));
    assert_eq!(
        failure.should_retry,
        (kind == FailureKind::Billing).then_some(false)
    );
}

const fn overflow(tokens: u64, maximum: u64) -> FailureKind {
    FailureKind::ContextOverflow {
        tokens: Some(tokens),
        maximum: Some(maximum),
    }
}

#[test]
fn what_the_model_wrote_is_kept() {
    let generation = |text: &str| {
        let body = format!(
            r#"{{"error":{{"message":"m","code":"tool_use_failed","failed_generation":{text}}}}}"#
        );
        decode_error(400, body.as_bytes()).generation
    };
    assert_eq!(generation(r#""<f>\n""#).as_deref(), Some("<f>\n"));
    for nothing in [r#"" ""#, "null", "{}"] {
        assert_eq!(generation(nothing), None, "{nothing}");
    }
}

#[test]
fn every_shape_of_body() {
    check(
        400,
        r#"{"error":{"message":"bad","type":"invalid_request_error","param":null,"code":null}}"#,
        FailureKind::InvalidRequest,
        "bad",
    );
    check(
        400,
        r#"{"error":"bad"}"#,
        FailureKind::InvalidRequest,
        "bad",
    );
    check(
        400,
        r#"{"message":"bad","code":400}"#,
        FailureKind::InvalidRequest,
        "bad",
    );
    check(
        400,
        r#"{"object":"error","message":"bad","type":"BadRequestError","code":400}"#,
        FailureKind::InvalidRequest,
        "bad",
    );
    check(
        404,
        r#"{"detail":"Not Found"}"#,
        FailureKind::NotFound,
        "Not Found",
    );
    check(
        422,
        r#"{"detail":[{"loc":["body",0,"model"],"msg":"Field required","type":"missing"}]}"#,
        FailureKind::InvalidRequest,
        "body.0.model: Field required",
    );
    check(
        400,
        r#"[{"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT"}}]"#,
        FailureKind::InvalidRequest,
        "bad",
    );
    check(
        502,
        r#"{"error":{"message":"Provider returned error","code":502,"metadata":{"raw":"{\"error\":{\"message\":\"inner\"}}"}}}"#,
        FailureKind::Server,
        "Provider returned error: inner",
    );
    check(
        502,
        r#"{"error":{"message":"Provider returned error","metadata":{"raw":"plain inner"}}}"#,
        FailureKind::Server,
        "Provider returned error: plain inner",
    );
    check(
        500,
        "Internal Server Error",
        FailureKind::Server,
        "Internal Server Error",
    );
    check(
        503,
        "",
        FailureKind::Overloaded,
        "the upstream answered 503 without a readable body",
    );
    check(
        403,
        "<html><head><title>403 Forbidden</title></head></html>",
        FailureKind::Permission,
        "the upstream answered 403 with an HTML page: 403 Forbidden",
    );
    check(
        502,
        "<!DOCTYPE html><p>x",
        FailureKind::Server,
        "the upstream answered 502 with an HTML page",
    );
    check(
        400,
        r#"{"odd":1}"#,
        FailureKind::InvalidRequest,
        r#"the upstream answered 400: {"odd":1}"#,
    );
    check(400, "\"text\"", FailureKind::InvalidRequest, "\"text\"");
}

#[test]
fn long_and_broken_bodies_are_cut() {
    let failure = decode_error(400, "é".repeat(600).as_bytes());
    assert_eq!(failure.message, format!("{}...", "é".repeat(500)));
    assert_eq!(decode_error(400, b"bad \xff\xfe").message, "bad");
}

#[test]
fn every_provider_says_it_differently() {
    use FailureKind::{
        Authentication, Billing, BrokenToolCall, NotFound, Overloaded, Permission, RateLimit,
        Timeout,
    };
    let coded = |code: &str| format!(r#"{{"error":{{"code":{code},"message":"m"}}}}"#);
    let typed = |kind: &str| format!(r#"{{"error":{{"type":"{kind}","message":"m"}}}}"#);
    let cases = [
        (429, typed("insufficient_quota"), Billing),
        (429, typed("exceeded_current_quota_error"), Billing),
        (429, typed("rate_limit_reached_error"), RateLimit),
        (429, typed("engine_overloaded_error"), Overloaded),
        (401, typed("invalid_authentication_error"), Authentication),
        (404, typed("resource_not_found_error"), NotFound),
        (403, typed("access_terminated_error"), Permission),
        (400, coded(r#""tool_use_failed""#), BrokenToolCall),
        (400, coded(r#""Arrearage""#), Billing),
        (402, coded("402"), Billing),
        (429, coded(r#""1113""#), Billing),
        (429, coded(r#""1302""#), RateLimit),
        (429, coded("1305"), Overloaded),
        (429, coded(r#""1308""#), Billing),
        (429, coded(r#""1310""#), Billing),
        (404, coded(r#""model_not_found""#), NotFound),
        (498, coded("null"), Overloaded),
        (504, coded("null"), Timeout),
        (529, coded("null"), Overloaded),
    ];
    for (status, body, kind) in cases {
        check(status, &body, kind, "m");
    }
}

#[test]
fn a_plan_that_is_used_up_is_not_a_missing_permission() {
    let body = |message: &str| {
        format!(r#"{{"error":{{"type":"access_terminated_error","message":"{message}"}}}}"#)
    };
    for message in [
        "You've reached your weekly (7-day) usage limit",
        "You've reached your usage limit for this billing cycle. Your quota will be refreshed in the next cycle.",
    ] {
        check(403, &body(message), FailureKind::Billing, message);
    }
    let message = "This plan is currently only available for coding agents";
    check(403, &body(message), FailureKind::Permission, message);
}

#[test]
fn a_full_context_window_is_recognised() {
    let cases = [
        (
            r#"{"error":{"code":400,"message":"request (9010 tokens) exceeds the available context size (8192 tokens), try increasing it","type":"exceed_context_size_error","n_prompt_tokens":9010,"n_ctx":8192}}"#,
            overflow(9010, 8192),
        ),
        (
            r#"{"error":{"message":"This model's maximum context length is 4096 tokens. However, you requested 9058 tokens (9010 in the messages, 48 in the completion). Please reduce the length of the messages or completion.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
            overflow(9058, 4096),
        ),
        (
            r#"{"error":{"message":"too much","code":"context_length_exceeded"}}"#,
            FailureKind::ContextOverflow {
                tokens: None,
                maximum: None,
            },
        ),
    ];
    for (body, kind) in cases {
        assert_eq!(decode_error(400, body.as_bytes()).kind, kind, "{body}");
    }
}

#[test]
fn errors_behind_a_success_status() {
    let found = |body: &str| {
        let doc = scan_reply(&ByteString::from(body), &[]).unwrap();
        in_reply(doc.root()).map(|failure| (failure.kind, failure.message))
    };
    let expected = |kind, message: &str| Some((kind, message.to_owned()));
    assert_eq!(
        found(r#"{"error":{"code":502,"message":"Provider disconnected"},"choices":[]}"#),
        expected(FailureKind::Server, "Provider disconnected")
    );
    assert_eq!(
        found(r#"{"error":{"code":429,"message":"slow down"}}"#),
        expected(FailureKind::RateLimit, "slow down")
    );
    assert_eq!(
        found(r#"{"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}}"#),
        expected(FailureKind::Billing, "insufficient balance")
    );
    assert_eq!(
        found(r#"{"base_resp":{"status_code":1002,"status_msg":"rate"}}"#),
        expected(FailureKind::RateLimit, "rate")
    );
    assert_eq!(
        found(r#"{"detail":"boom"}"#),
        expected(FailureKind::Server, "boom")
    );
    assert_eq!(
        found(r#"{"base_resp":{"status_code":0,"status_msg":""},"choices":[]}"#),
        None
    );
    for nothing in ["null", "\"\"", "{}", "[]", "false"] {
        let body = format!(r#"{{"error":{nothing},"choices":[]}}"#);
        assert_eq!(found(&body), None, "{body}");
    }
}

#[test]
fn clients_are_given_status_type_and_code() {
    let cases = [
        (
            FailureKind::InvalidRequest,
            400,
            "invalid_request_error",
            "null",
        ),
        (
            overflow(2, 1),
            400,
            "invalid_request_error",
            r#""context_length_exceeded""#,
        ),
        (
            FailureKind::Billing,
            429,
            "insufficient_quota",
            r#""insufficient_quota""#,
        ),
        (
            FailureKind::Budget,
            402,
            "billing_error",
            r#""budget_exceeded""#,
        ),
        (FailureKind::Loop, 402, "billing_error", r#""loop_stopped""#),
        (
            FailureKind::NotFound,
            404,
            "invalid_request_error",
            r#""model_not_found""#,
        ),
        (
            FailureKind::UnknownPath,
            404,
            "invalid_request_error",
            r#""unknown_url""#,
        ),
        (
            FailureKind::HeadTooLarge,
            431,
            "invalid_request_error",
            "null",
        ),
        (FailureKind::Overloaded, 503, "overloaded_error", "null"),
        (FailureKind::UpstreamCredential, 502, "server_error", "null"),
        (FailureKind::Server, 502, "server_error", "null"),
    ];
    for (kind, status, word, code) in cases {
        let (found, body) = encode_error(&Failure::new(kind, "m \"q\""), "r1");
        assert_eq!(found, status);
        let expected = format!(
            r#"{{"error":{{"message":"m \"q\"","type":"{word}","param":null,"code":{code}}},"request_id":"r1"}}"#
        );
        assert_eq!(String::from_utf8(body).unwrap(), expected);
    }
    assert_eq!(
        encode_error(
            &Failure::new(FailureKind::Server, "m").with_status(500),
            "r"
        )
        .0,
        500
    );
}
