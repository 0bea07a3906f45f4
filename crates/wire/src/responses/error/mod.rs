//! Failures on the Responses wire.
//!
//! Bodies are shaped as on the Chat wire, which is the same API's older half. Inside a stream a failure is an `error`
//! event or a failed response, whose `code` decides what Codex does: it compacts on `context_length_exceeded`, waits the
//! time that the message names on `rate_limit_exceeded`, gives up on `insufficient_quota` and `invalid_prompt`, and
//! tries again on everything else.

use std::borrow::Cow;

use crate::chat;
use crate::json::{Value, Writer};
use crate::turn::{Failure, FailureKind};

/// Reads an upstream's answer with an error status.
#[must_use]
pub fn decode_error(status: u16, body: &[u8]) -> Failure {
    let mut failure = chat::decode_error(status, body);
    failure.retry_after = failure.retry_after.or_else(|| wait(&failure));
    failure
}

/// Writes a failure for a client: status and body.
#[must_use]
pub fn encode_error(failure: &Failure, request_id: &str) -> (u16, Vec<u8>) {
    let failure = Failure {
        message: message(failure).into_owned(),
        ..failure.clone()
    };
    chat::encode_error(&failure, request_id)
}

/// Whether Codex acts on this failure only if a stream tells it. A status of 429 is the end for it at once, whatever
/// `retry-after` says; in a stream it waits as long as the message names, and says that a quota is used up. One of 402 it
/// tries again five times; what is wrong with a prompt it says in our words, and stops. It understands a context overflow's status (Codex 0.169, 2026-11).
#[must_use]
pub const fn is_told_in_stream(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::RateLimit | FailureKind::Billing | FailureKind::Budget | FailureKind::Loop
    )
}

/// Reads an `error` event, or the error of a failed response.
pub(super) fn in_stream(error: Option<Value<'_>>) -> Failure {
    let words = error.map_or("null", Value::raw);
    let body = format!(r#"{{"error":{words}}}"#);
    // No status came with it; the words decide, and what they leave open is the server's fault.
    let mut failure = chat::decode_error(500, body.as_bytes());
    failure.upstream_status = None;
    let code = error
        .and_then(|error| error.get("code")?.str())
        .unwrap_or_default();
    if failure.kind == FailureKind::Server {
        failure.kind = match &*code {
            "invalid_prompt"
            | "invalid_request_error"
            | "invalid_value"
            | "bio_policy"
            | "cyber_policy" => FailureKind::InvalidRequest,
            code if code.contains("image") => FailureKind::InvalidRequest,
            "server_is_overloaded" | "slow_down" => FailureKind::Overloaded,
            "usage_not_included" => FailureKind::Billing,
            _ => FailureKind::Server,
        };
    }
    if error.is_none_or(Value::is_null) {
        failure.message = "the upstream's response failed without saying why".to_owned();
    }
    failure.retry_after = failure.retry_after.or_else(|| wait(&failure));
    failure
}

/// Writes the error of a failed response.
pub(super) fn write_in_stream(failure: &Failure, w: &mut Writer) {
    w.begin_object();
    w.key("code").str(code(failure));
    w.key("message").str(&message(failure));
    w.end_object();
}

const fn code(failure: &Failure) -> &'static str {
    match failure.kind {
        FailureKind::ContextOverflow { .. } => "context_length_exceeded",
        FailureKind::RateLimit => "rate_limit_exceeded",
        FailureKind::Billing => "insufficient_quota",
        _ if matches!(failure.should_retry, Some(false)) => "invalid_prompt",
        FailureKind::InvalidRequest
        | FailureKind::Authentication
        | FailureKind::Permission
        | FailureKind::Budget
        | FailureKind::Loop
        | FailureKind::NotFound
        | FailureKind::UnknownPath
        | FailureKind::MethodNotAllowed
        | FailureKind::UnsupportedMediaType
        | FailureKind::MisdirectedRequest
        | FailureKind::Conflict
        | FailureKind::TooLarge
        | FailureKind::HeadTooLarge
        | FailureKind::UpstreamCredential => "invalid_prompt",
        FailureKind::RequestTimeout
        | FailureKind::Overloaded
        | FailureKind::Timeout
        | FailureKind::Server
        | FailureKind::Truncated
        | FailureKind::Malformed
        | FailureKind::EmptyReply
        | FailureKind::BrokenToolCall => "server_error",
    }
}

/// How long to wait is read out of the message.
fn message(failure: &Failure) -> Cow<'_, str> {
    match (failure.kind, failure.retry_after) {
        (FailureKind::RateLimit, Some(seconds)) if wait(failure) != Some(seconds) => {
            let said = failure.message.trim_end();
            let stop = if said.is_empty() || said.ends_with(['.', '!', '?']) {
                ""
            } else {
                "."
            };
            let gap = if said.is_empty() { "" } else { " " };
            Cow::Owned(format!("{said}{stop}{gap}Please try again in {seconds}s."))
        }
        _ => Cow::Borrowed(&failure.message),
    }
}

/// The time that a limit's message names, in whole seconds, rounded up.
fn wait(failure: &Failure) -> Option<u64> {
    if failure.kind != FailureKind::RateLimit {
        return None;
    }
    let lower = failure.message.to_ascii_lowercase();
    let (_, behind) = lower.split_once("try again in")?;
    let behind = behind.trim_start();
    let digits = behind
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(behind.len());
    let (number, unit) = behind.split_at_checked(digits)?;
    let number: f64 = number.trim_end_matches('.').parse().ok()?;
    let seconds = if unit.starts_with("ms") {
        number / 1000.0
    } else if unit.trim_start().starts_with('s') {
        number
    } else {
        return None;
    };
    // Waits are short: what does not fit is no wait that anybody means.
    (0.0..1e9).contains(&seconds).then(|| whole(seconds))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the caller checked the range"
)]
fn whole(seconds: f64) -> u64 {
    seconds.ceil() as u64
}

#[cfg(test)]
mod tests;
