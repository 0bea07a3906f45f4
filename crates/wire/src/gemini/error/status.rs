//! The words of `google.rpc.Code`, and what they mean here.

use crate::turn::FailureKind;

/// The kind of failure that a status means, before anything else is looked at.
pub(super) fn kind(status: &str) -> Option<FailureKind> {
    Some(match status {
        "INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE" | "UNIMPLEMENTED" => {
            FailureKind::InvalidRequest
        }
        "UNAUTHENTICATED" => FailureKind::Authentication,
        "PERMISSION_DENIED" => FailureKind::Permission,
        "NOT_FOUND" => FailureKind::NotFound,
        "ABORTED" | "ALREADY_EXISTS" => FailureKind::Conflict,
        "RESOURCE_EXHAUSTED" => FailureKind::RateLimit,
        "UNAVAILABLE" => FailureKind::Overloaded,
        "DEADLINE_EXCEEDED" => FailureKind::Timeout,
        "INTERNAL" | "DATA_LOSS" | "CANCELLED" => FailureKind::Server,
        // `UNKNOWN` says nothing: the HTTP status tells more.
        _ => return None,
    })
}

/// The HTTP status and the word for a failure.
pub(super) fn of(kind: FailureKind, upstream: Option<u16>) -> (u16, &'static str) {
    match kind {
        FailureKind::InvalidRequest | FailureKind::ContextOverflow { .. } => {
            (400, "INVALID_ARGUMENT")
        }
        FailureKind::Authentication => (401, "UNAUTHENTICATED"),
        // What the API answers without billing. As a limit it would be tried again and again.
        FailureKind::Billing
        | FailureKind::Budget
        | FailureKind::Loop
        | FailureKind::Permission => (403, "PERMISSION_DENIED"),
        FailureKind::NotFound | FailureKind::UnknownPath => (404, "NOT_FOUND"),
        FailureKind::MethodNotAllowed => (405, "UNIMPLEMENTED"),
        FailureKind::RequestTimeout => (408, "DEADLINE_EXCEEDED"),
        FailureKind::Conflict => (409, "ABORTED"),
        FailureKind::TooLarge => (413, "INVALID_ARGUMENT"),
        FailureKind::UnsupportedMediaType => (415, "INVALID_ARGUMENT"),
        FailureKind::MisdirectedRequest => (421, "FAILED_PRECONDITION"),
        FailureKind::HeadTooLarge => (431, "INVALID_ARGUMENT"),
        FailureKind::RateLimit => (429, "RESOURCE_EXHAUSTED"),
        FailureKind::Overloaded => (503, "UNAVAILABLE"),
        FailureKind::Timeout => (504, "DEADLINE_EXCEEDED"),
        FailureKind::Server if upstream == Some(500) => (500, "INTERNAL"),
        FailureKind::Server
        | FailureKind::UpstreamCredential
        | FailureKind::Truncated
        | FailureKind::Malformed
        | FailureKind::EmptyReply
        | FailureKind::BrokenToolCall => (502, "INTERNAL"),
    }
}
