//! A glance at a request, for every lane. The model and whether to stream stand in the path, which the gateway reads.

use bytes::Bytes;
use bytestring::ByteString;

use super::member;
use super::token::SEAL_MARKS;
use crate::codec::Peek;
use crate::json::{Doc, Kind, Resumed, SyntaxError, Text, Value, scan_like, scan_marked};
use crate::turn::{Failure, FailureKind};

/// Members whose insides are never read here: tool inputs and schemas.
const OPAQUE: &[&str] = &[
    "args",
    "parametersJsonSchema",
    "parameters_json_schema",
    "responseJsonSchema",
    "response_json_schema",
];

/// Validates a body and indexes what is read of it.
///
/// # Errors
/// An invalid request, with the offset of the first byte that is not JSON.
pub fn scan_request(body: &ByteString) -> Result<Doc, Failure> {
    scan_marked(body, OPAQUE, SEAL_MARKS).map_err(unusable)
}

/// Scans a request's body, most of which may stand in a `known` request of this wire. `None` if it is to be scanned whole.
#[must_use]
pub fn scan_request_like(known: &Doc, body: &Bytes) -> Option<Resumed> {
    scan_like(known, body, OPAQUE, SEAL_MARKS)
}

fn unusable(error: SyntaxError) -> Failure {
    Failure::new(FailureKind::InvalidRequest, error.to_string())
}

/// Reads what routing needs; `model` and `stream` are left to the path. A `countTokens` body is read as the request it
/// is about.
///
/// # Errors
/// An invalid request that names the member: there is no `contents` array.
pub fn peek(doc: &Doc) -> Result<Peek, Failure> {
    let root = request(doc)?;
    if !member::get(root, "contents")
        .is_some_and(|contents| matches!(contents.kind(), Kind::Array | Kind::Object))
    {
        return Err(invalid(
            "contents: expected an array of contents, such as [{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]}]",
        ));
    }
    let thinking = member::get(root, "generationConfig")
        .and_then(|config| member::get(config, "thinkingConfig"));
    let is_off = |thinking: Value<'_>| {
        member::get(thinking, "thinkingBudget").and_then(Value::u64) == Some(0)
    };
    Ok(Peek {
        model: Text::default(),
        model_span: None,
        stream: false,
        session: None,
        has_tools: member::get(root, "tools")
            .is_some_and(|tools| tools.kind() == Kind::Object || tools.items().next().is_some()),
        has_thinking: thinking.is_some_and(|thinking| !is_off(thinking)),
    })
}

/// Whether the client wants to read the thoughts: without `includeThoughts` replies hold none.
#[must_use]
pub fn shows_thoughts(doc: &Doc) -> bool {
    let config = request(doc)
        .ok()
        .and_then(|root| member::get(root, "generationConfig"));
    config
        .and_then(|config| member::get(config, "thinkingConfig"))
        .and_then(|thinking| member::get(thinking, "includeThoughts"))
        .and_then(Value::bool)
        .unwrap_or(false)
}

/// The request of a body: the body itself, or what `countTokens` wraps.
pub(super) fn request(doc: &Doc) -> Result<Value<'_>, Failure> {
    let root = doc.root();
    if root.kind() != Kind::Object {
        return Err(invalid("the body must be a JSON object"));
    }
    Ok(member::get(root, "generateContentRequest")
        .filter(|inner| inner.kind() == Kind::Object)
        .unwrap_or(root))
}

pub(super) fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::InvalidRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peeked(body: &str) -> Result<Peek, String> {
        scan_request(&body.into())
            .and_then(|doc| peek(&doc))
            .map_err(|failure| failure.message)
    }

    /// Expected: tools, thinking.
    #[track_caller]
    fn check(body: &str, expected: (bool, bool)) {
        let peek = peeked(body).unwrap();
        assert_eq!((peek.has_tools, peek.has_thinking), expected, "{body}");
        assert!(peek.model.is_empty() && peek.model_span.is_none() && !peek.stream);
    }

    #[test]
    fn tools_and_thinking_are_seen() {
        check(r#"{"contents":[]}"#, (false, false));
        check(
            r#"{"contents":[],"tools":[{"googleSearch":{}}]}"#,
            (true, false),
        );
        check(
            r#"{"contents":[],"tools":[],"generation_config":{"thinking_config":{"thinking_budget":0}}}"#,
            (false, false),
        );
        check(
            r#"{"contents":[],"generationConfig":{"thinkingConfig":{"thinkingLevel":"LOW"}}}"#,
            (false, true),
        );
        check(
            r#"{"generateContentRequest":{"model":"models/m","contents":[],"tools":[{"functionDeclarations":[]}]}}"#,
            (true, false),
        );
    }

    #[test]
    fn thoughts_are_shown_when_asked_for() {
        for (body, expected) in [
            (r#"{"contents":[]}"#, false),
            (
                r#"{"generationConfig":{"thinkingConfig":{"includeThoughts":true}}}"#,
                true,
            ),
            (
                r#"{"generation_config":{"thinking_config":{"include_thoughts":false}}}"#,
                false,
            ),
        ] {
            assert_eq!(
                shows_thoughts(&scan_request(&body.into()).unwrap()),
                expected,
                "{body}"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, expected) in [
            ("[]", "the body must be a JSON object"),
            ("{}", "contents: expected an array"),
            (r#"{"contents":"hi"}"#, "contents: expected an array"),
            (r#"{"contents":[}"#, "invalid JSON at byte 13"),
        ] {
            let message = peeked(body).unwrap_err();
            assert!(message.starts_with(expected), "{body}: {message}");
        }
    }
}
