//! Failures as this wire says them. Wording is protocol here: Claude Code reacts to it.

use std::borrow::Cow;

use crate::json::Writer;
use crate::turn::{Failure, FailureKind};

/// The status and body that tell a client of `failure`.
#[must_use]
pub fn encode_error(failure: &Failure, request_id: &str) -> (u16, Vec<u8>) {
    let mut json = Writer::with_capacity(160 + failure.message.len());
    json.begin_object().key("type").str("error").key("error");
    write_error(&mut json, failure);
    json.key("request_id").str(request_id).end_object();
    (shape(failure).0, json.into_bytes())
}

/// The inner `error` object, as in bodies and in `error` events.
pub(in crate::anthropic) fn write_error(json: &mut Writer, failure: &Failure) {
    json.begin_object();
    json.key("type").str(shape(failure).1);
    json.key("message").str(&message(failure));
    json.end_object();
}

/// Status and `error.type`.
fn shape(failure: &Failure) -> (u16, &'static str) {
    match failure.kind {
        FailureKind::InvalidRequest | FailureKind::ContextOverflow { .. } => {
            (400, "invalid_request_error")
        }
        FailureKind::Authentication => (401, "authentication_error"),
        // A loop, too: a 400 is tried six times by Claude Code (2.1.329), and a 403 sends its user to log in.
        FailureKind::Billing | FailureKind::Budget | FailureKind::Loop => (402, "billing_error"),
        FailureKind::Permission => (403, "permission_error"),
        FailureKind::NotFound | FailureKind::UnknownPath => (404, "not_found_error"),
        FailureKind::MethodNotAllowed => (405, "invalid_request_error"),
        FailureKind::RequestTimeout => (408, "timeout_error"),
        FailureKind::Conflict => (409, "conflict_error"),
        FailureKind::TooLarge => (413, "request_too_large"),
        FailureKind::UnsupportedMediaType => (415, "invalid_request_error"),
        FailureKind::MisdirectedRequest => (421, "invalid_request_error"),
        FailureKind::HeadTooLarge => (431, "invalid_request_error"),
        FailureKind::RateLimit => (429, "rate_limit_error"),
        FailureKind::Timeout => (504, "timeout_error"),
        FailureKind::Overloaded => (529, "overloaded_error"),
        FailureKind::Server => match failure.upstream_status {
            Some(500) => (500, "api_error"),
            _ => (502, "api_error"),
        },
        // Not 401: that would send the user to log in, which cannot help.
        FailureKind::UpstreamCredential
        | FailureKind::Truncated
        | FailureKind::Malformed
        | FailureKind::EmptyReply
        | FailureKind::BrokenToolCall => (502, "api_error"),
    }
}

/// Claude Code compacts the conversation when it reads "prompt is too long", and shows both numbers to its user.
fn message(failure: &Failure) -> Cow<'_, str> {
    const TOO_LONG: &str = "prompt is too long";
    let FailureKind::ContextOverflow { tokens, maximum } = failure.kind else {
        return Cow::Borrowed(&failure.message);
    };
    match (tokens, maximum) {
        (Some(tokens), Some(maximum)) => {
            Cow::Owned(format!("{TOO_LONG}: {tokens} tokens > {maximum} maximum"))
        }
        _ if failure.message.contains(TOO_LONG) => Cow::Borrowed(&failure.message),
        _ if failure.message.is_empty() => Cow::Borrowed(TOO_LONG),
        _ => Cow::Owned(format!("{TOO_LONG} ({})", failure.message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: FailureKind, said: &str, status: u16, error_type: &str, message: &str) {
        let (got, body) = encode_error(&Failure::new(kind, said), "req_1");
        assert_eq!(got, status);
        assert_eq!(
            String::from_utf8(body).unwrap(),
            format!(
                r#"{{"type":"error","error":{{"type":"{error_type}","message":"{message}"}},"request_id":"req_1"}}"#
            ),
        );
    }

    #[test]
    fn every_kind_has_its_status_and_type() {
        for (kind, status, error_type) in [
            (FailureKind::InvalidRequest, 400, "invalid_request_error"),
            (FailureKind::Authentication, 401, "authentication_error"),
            (FailureKind::Permission, 403, "permission_error"),
            (FailureKind::Billing, 402, "billing_error"),
            (FailureKind::Budget, 402, "billing_error"),
            (FailureKind::Loop, 402, "billing_error"),
            (FailureKind::NotFound, 404, "not_found_error"),
            (FailureKind::UnknownPath, 404, "not_found_error"),
            (FailureKind::HeadTooLarge, 431, "invalid_request_error"),
            (FailureKind::MethodNotAllowed, 405, "invalid_request_error"),
            (
                FailureKind::UnsupportedMediaType,
                415,
                "invalid_request_error",
            ),
            (
                FailureKind::MisdirectedRequest,
                421,
                "invalid_request_error",
            ),
            (FailureKind::Conflict, 409, "conflict_error"),
            (FailureKind::TooLarge, 413, "request_too_large"),
            (FailureKind::RateLimit, 429, "rate_limit_error"),
            (FailureKind::Overloaded, 529, "overloaded_error"),
            (FailureKind::RequestTimeout, 408, "timeout_error"),
            (FailureKind::Timeout, 504, "timeout_error"),
            (FailureKind::Server, 502, "api_error"),
            (FailureKind::UpstreamCredential, 502, "api_error"),
            (FailureKind::Truncated, 502, "api_error"),
            (FailureKind::Malformed, 502, "api_error"),
            (FailureKind::EmptyReply, 502, "api_error"),
            (FailureKind::BrokenToolCall, 502, "api_error"),
        ] {
            check(kind, "no \\u00e9", status, error_type, "no \\\\u00e9");
        }
        let failure = Failure::new(FailureKind::Server, "boom").with_status(500);
        assert_eq!(encode_error(&failure, "").0, 500);
    }

    #[test]
    fn an_overflow_is_worded_so_that_the_client_compacts() {
        let overflow = |tokens, maximum| FailureKind::ContextOverflow { tokens, maximum };
        for (kind, said, message) in [
            (
                overflow(Some(9), Some(8)),
                "anything",
                "prompt is too long: 9 tokens > 8 maximum",
            ),
            (
                overflow(None, Some(8)),
                "limit 8",
                "prompt is too long (limit 8)",
            ),
            (overflow(None, None), "", "prompt is too long"),
            (
                overflow(None, None),
                "the prompt is too long",
                "the prompt is too long",
            ),
        ] {
            check(kind, said, 400, "invalid_request_error", message);
        }
    }
}
