//! Failures as this wire says them.

use std::borrow::Cow;

use super::status;
use crate::json::Writer;
use crate::turn::{Failure, FailureKind};

/// What an overflow is recognised by.
pub(crate) const OVERFLOW: &str = "exceeds the maximum number of tokens allowed";

/// The status and body that tell a client of `failure`.
#[must_use]
pub fn encode_error(failure: &Failure, request_id: &str) -> (u16, Vec<u8>) {
    let mut json = Writer::with_capacity(200 + failure.message.len());
    json.begin_object();
    write_error(failure, request_id, &mut json);
    json.end_object();
    (
        status::of(failure.kind, failure.upstream_status).0,
        json.into_bytes(),
    )
}

/// Writes the `error` member: also what ends a stream that broke.
pub(in crate::gemini) fn write_error(failure: &Failure, request_id: &str, json: &mut Writer) {
    let (code, word) = status::of(failure.kind, failure.upstream_status);
    json.key("error").begin_object();
    json.key("code").u64(u64::from(code));
    json.key("message").str(&message(failure));
    json.key("status").str(word);
    json.key("details").begin_array();
    if let Some(seconds) = failure.retry_after.filter(|_| can_wait(failure.kind)) {
        json.begin_object();
        json.key("@type")
            .str("type.googleapis.com/google.rpc.RetryInfo");
        json.key("retryDelay")
            .str(&format!("{seconds}s"))
            .end_object();
    }
    if !request_id.is_empty() {
        json.begin_object();
        json.key("@type")
            .str("type.googleapis.com/google.rpc.RequestInfo");
        json.key("requestId").str(request_id).end_object();
    }
    json.end_array().end_object();
}

const fn can_wait(kind: FailureKind) -> bool {
    matches!(kind, FailureKind::RateLimit | FailureKind::Overloaded)
}

/// Clients read the delay in the message too, and an overflow by its wording.
fn message(failure: &Failure) -> Cow<'_, str> {
    let said = &failure.message;
    match (failure.kind, failure.retry_after) {
        (
            FailureKind::ContextOverflow {
                tokens: Some(tokens),
                maximum: Some(maximum),
            },
            _,
        ) => Cow::Owned(format!(
            "The input token count ({tokens}) {OVERFLOW} ({maximum})."
        )),
        (FailureKind::ContextOverflow { .. }, _) if said.contains(OVERFLOW) => Cow::Borrowed(said),
        (FailureKind::ContextOverflow { .. }, _) if said.is_empty() => {
            Cow::Owned(format!("The input token count {OVERFLOW}."))
        }
        (FailureKind::ContextOverflow { .. }, _) => {
            Cow::Owned(format!("The input token count {OVERFLOW}. ({said})"))
        }
        (FailureKind::RateLimit, Some(seconds)) if !said.contains("retry in") => {
            Cow::Owned(format!("{said} Please retry in {seconds}s."))
        }
        _ => Cow::Borrowed(said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(failure: &Failure) -> (u16, serde_json::Value) {
        let (status, body) = encode_error(failure, "r1");
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[test]
    fn every_kind_has_its_code_and_word() {
        for (kind, code, word) in [
            (FailureKind::InvalidRequest, 400, "INVALID_ARGUMENT"),
            (FailureKind::Authentication, 401, "UNAUTHENTICATED"),
            (FailureKind::Permission, 403, "PERMISSION_DENIED"),
            (FailureKind::Billing, 403, "PERMISSION_DENIED"),
            (FailureKind::Budget, 403, "PERMISSION_DENIED"),
            (FailureKind::Loop, 403, "PERMISSION_DENIED"),
            (FailureKind::NotFound, 404, "NOT_FOUND"),
            (FailureKind::UnknownPath, 404, "NOT_FOUND"),
            (FailureKind::MethodNotAllowed, 405, "UNIMPLEMENTED"),
            (FailureKind::RequestTimeout, 408, "DEADLINE_EXCEEDED"),
            (FailureKind::Conflict, 409, "ABORTED"),
            (FailureKind::TooLarge, 413, "INVALID_ARGUMENT"),
            (FailureKind::UnsupportedMediaType, 415, "INVALID_ARGUMENT"),
            (FailureKind::MisdirectedRequest, 421, "FAILED_PRECONDITION"),
            (FailureKind::HeadTooLarge, 431, "INVALID_ARGUMENT"),
            (FailureKind::RateLimit, 429, "RESOURCE_EXHAUSTED"),
            (FailureKind::Overloaded, 503, "UNAVAILABLE"),
            (FailureKind::Timeout, 504, "DEADLINE_EXCEEDED"),
            (FailureKind::Server, 502, "INTERNAL"),
            (FailureKind::UpstreamCredential, 502, "INTERNAL"),
            (FailureKind::Truncated, 502, "INTERNAL"),
            (FailureKind::Malformed, 502, "INTERNAL"),
            (FailureKind::EmptyReply, 502, "INTERNAL"),
            (FailureKind::BrokenToolCall, 502, "INTERNAL"),
        ] {
            let (status, body) = encoded(&Failure::new(kind, "said"));
            assert_eq!(status, code, "{kind:?}");
            assert_eq!(body["error"]["code"], code, "{kind:?}");
            assert_eq!(body["error"]["status"], word, "{kind:?}");
            assert_eq!(body["error"]["message"], "said", "{kind:?}");
        }
        let own = Failure::new(FailureKind::Server, "x").with_status(500);
        assert_eq!(encoded(&own).0, 500);
    }

    #[test]
    fn a_limit_says_when_to_try_again() {
        let mut failure = Failure::new(FailureKind::RateLimit, "slow down.");
        failure.retry_after = Some(7);
        let (_, body) = encoded(&failure);
        assert_eq!(body["error"]["message"], "slow down. Please retry in 7s.");
        assert_eq!(
            body["error"]["details"][0],
            serde_json::json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"})
        );
        assert_eq!(body["error"]["details"][1]["requestId"], "r1");
    }

    #[test]
    fn an_overflow_is_worded_as_the_api_words_it() {
        let overflow = |tokens, maximum| FailureKind::ContextOverflow { tokens, maximum };
        for (kind, said, expected) in [
            (
                overflow(Some(9), Some(8)),
                "prompt is too long",
                "The input token count (9) exceeds the maximum number of tokens allowed (8).",
            ),
            (
                overflow(None, None),
                "too long",
                "The input token count exceeds the maximum number of tokens allowed. (too long)",
            ),
            (
                overflow(None, None),
                "",
                "The input token count exceeds the maximum number of tokens allowed.",
            ),
        ] {
            let (status, body) = encoded(&Failure::new(kind, said));
            assert_eq!(status, 400);
            assert_eq!(body["error"]["message"], expected);
        }
    }
}
