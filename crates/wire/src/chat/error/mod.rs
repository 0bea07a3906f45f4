//! Failures on the Chat wire: the many shapes hosts send them in, and the one shape clients are given.
//!
//! [`decode_error`] reads any body and invents nothing: what it cannot read it describes. Inside a reply that began well,
//! [`in_reply`] finds the error objects that hosts put into a stream or behind a status of 200.

mod kind;
mod message;

pub(super) use message::is_html;

use crate::json::{Kind, Value, Writer, scan_reply};
use crate::turn::{Failure, FailureKind};

/// Reads an upstream's answer with an error status.
#[must_use]
pub fn decode_error(status: u16, body: &[u8]) -> Failure {
    let text = message::readable(body);
    let failure = match scan_reply(&text.into(), &[]) {
        Ok(doc) if matches!(doc.root().kind(), Kind::Object | Kind::Array) => {
            of_json(Some(status), doc.root())
        }
        _ => {
            let message = message::of_text(status, text);
            Failure::new(kind::of(Some(status), "", "", &message), message)
        }
    };
    with_advice(failure.with_status(status))
}

/// Finds the error in a chunk or reply that came with a success status; `None` if it holds none.
pub(super) fn in_reply(root: Value<'_>) -> Option<Failure> {
    let (mut is_error, mut is_answer, mut is_detailed) = (false, false, false);
    for (key, value) in root.members() {
        match &*key {
            "error" => is_error |= is_said(value),
            "base_resp" => {
                let code = value.get("status_code");
                is_error |= code.is_some_and(|code| code.raw() != "0");
            }
            "object" | "type" => is_error |= value.is_str("error"),
            "choices" => is_answer |= !value.is_null(),
            "detail" | "errors" => is_detailed |= is_said(value),
            _ => {}
        }
    }
    (is_error || is_detailed && !is_answer).then(|| with_advice(of_json(None, root)))
}

/// Whether a member holds anything: some hosts send an empty `error` with every chunk.
fn is_said(value: Value<'_>) -> bool {
    match value.kind() {
        Kind::Null => false,
        Kind::Bool => value.bool() == Some(true),
        Kind::Number => true,
        Kind::String => value.str().is_some_and(|text| !text.trim().is_empty()),
        Kind::Array => value.items().next().is_some(),
        Kind::Object => value.members().next().is_some(),
    }
}

/// Reads the data of an event that is named as an error.
pub(super) fn in_event(root: Value<'_>) -> Failure {
    with_advice(of_json(None, root))
}

/// Reads the same where it is not JSON.
pub(super) fn in_text(text: &str) -> Failure {
    let message = message::capped(text);
    with_advice(Failure::new(kind::of(None, "", "", &message), message))
}

/// Reads a JSON body that is known to be an error.
fn of_json(status: Option<u16>, root: Value<'_>) -> Failure {
    let root = match root.kind() {
        // Gemini's compatible endpoint wraps its error in an array of one.
        Kind::Array => root.items().next().unwrap_or(root),
        Kind::Null | Kind::Bool | Kind::Number | Kind::String | Kind::Object => root,
    };
    let error = root
        .get("error")
        .filter(|error| error.kind() == Kind::Object)
        .unwrap_or(root);
    let message =
        message::of_json(root, error).unwrap_or_else(|| message::unreadable(status, root.raw()));
    let word = |key: &str| error.get(key).map(kind::word).unwrap_or_default();
    if let Some(base) = root.get("base_resp") {
        let code = base.get("status_code").map(kind::word).unwrap_or_default();
        return Failure::new(kind::of_base_resp(&code, &message), message);
    }
    let (code, kind) = (word("code"), word("type"));
    // Inside a reply the object's own code stands in for the status (`502`).
    let status = status.or_else(|| code.parse().ok().filter(|code| (400..600).contains(code)));
    let mut kind = kind::of(status, &code, &kind, &message);
    if let FailureKind::ContextOverflow { tokens, maximum } = &mut kind {
        let told = |key: &str| error.get(key).and_then(Value::u64);
        *tokens = told("n_prompt_tokens").or(*tokens);
        *maximum = told("n_ctx").or(*maximum);
    }
    let generation = error.get("failed_generation").and_then(Value::str);
    Failure {
        generation: generation
            .filter(|text| !text.trim().is_empty())
            .map(|text| text.into()),
        ..Failure::new(kind, message)
    }
}

/// Money does not come back by asking again.
fn with_advice(mut failure: Failure) -> Failure {
    if failure.kind == FailureKind::Billing {
        failure.should_retry = Some(false);
    }
    failure
}

/// Writes a failure for a Chat client: status and body.
#[must_use]
pub fn encode_error(failure: &Failure, request_id: &str) -> (u16, Vec<u8>) {
    let mut w = Writer::default();
    w.begin_object();
    write_error(failure, &mut w);
    w.key("request_id").str(request_id);
    w.end_object();
    (status(failure), w.into_bytes())
}

/// Writes the `error` member: also what ends a stream that broke.
pub(super) fn write_error(failure: &Failure, w: &mut Writer) {
    let (kind, code) = words(failure.kind);
    w.key("error").begin_object();
    w.key("message").str(&failure.message);
    w.key("type").str(kind);
    w.key("param").null();
    w.key("code");
    match code {
        Some(code) => w.str(code),
        None => w.null(),
    };
    w.end_object();
}

fn status(failure: &Failure) -> u16 {
    match failure.kind {
        FailureKind::InvalidRequest | FailureKind::ContextOverflow { .. } => 400,
        FailureKind::Authentication => 401,
        // Not 429: agents on the AI SDK try that again for minutes, whatever `x-should-retry` says (opencode, 2026-11).
        FailureKind::Budget | FailureKind::Loop => 402,
        FailureKind::Permission => 403,
        FailureKind::NotFound | FailureKind::UnknownPath => 404,
        FailureKind::MethodNotAllowed => 405,
        FailureKind::RequestTimeout => 408,
        FailureKind::Conflict => 409,
        FailureKind::TooLarge => 413,
        FailureKind::UnsupportedMediaType => 415,
        FailureKind::MisdirectedRequest => 421,
        FailureKind::HeadTooLarge => 431,
        FailureKind::Billing | FailureKind::RateLimit => 429,
        FailureKind::Overloaded => 503,
        FailureKind::Timeout => 504,
        FailureKind::Server => failure
            .upstream_status
            .filter(|status| (500..600).contains(status))
            .unwrap_or(502),
        FailureKind::UpstreamCredential
        | FailureKind::Truncated
        | FailureKind::Malformed
        | FailureKind::EmptyReply
        | FailureKind::BrokenToolCall => 502,
    }
}

/// `type` and `code`, in the words that official SDKs and agents look for.
const fn words(kind: FailureKind) -> (&'static str, Option<&'static str>) {
    match kind {
        FailureKind::ContextOverflow { .. } => {
            ("invalid_request_error", Some("context_length_exceeded"))
        }
        FailureKind::Authentication => ("invalid_request_error", Some("invalid_api_key")),
        FailureKind::NotFound => ("invalid_request_error", Some("model_not_found")),
        FailureKind::UnknownPath => ("invalid_request_error", Some("unknown_url")),
        FailureKind::InvalidRequest
        | FailureKind::MethodNotAllowed
        | FailureKind::UnsupportedMediaType
        | FailureKind::MisdirectedRequest
        | FailureKind::Conflict
        | FailureKind::TooLarge
        | FailureKind::HeadTooLarge => ("invalid_request_error", None),
        FailureKind::Permission => ("permission_error", None),
        FailureKind::Billing => ("insufficient_quota", Some("insufficient_quota")),
        // Another code than a provider's, for which clients have words of their own that hide the message.
        FailureKind::Budget => ("billing_error", Some("budget_exceeded")),
        FailureKind::Loop => ("billing_error", Some("loop_stopped")),
        FailureKind::RateLimit => ("rate_limit_error", Some("rate_limit_exceeded")),
        FailureKind::Overloaded => ("overloaded_error", None),
        FailureKind::RequestTimeout | FailureKind::Timeout => ("timeout_error", None),
        FailureKind::Server
        | FailureKind::UpstreamCredential
        | FailureKind::Truncated
        | FailureKind::Malformed
        | FailureKind::EmptyReply
        | FailureKind::BrokenToolCall => ("server_error", None),
    }
}

#[cfg(test)]
mod tests;
