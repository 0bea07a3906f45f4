//! What a glance at a request tells, whatever becomes of it.

use bytes::Bytes;
use bytestring::ByteString;

use crate::Peek;
use crate::json::{Doc, Kind, Resumed, SyntaxError, Value, scan_like, scan_marked};
use crate::turn::{Failure, FailureKind, SEAL_MARKS};

/// Values that are carried whole: nobody looks inside a schema or inside arguments given as an object.
const OPAQUE: [&str; 4] = ["parameters", "schema", "input_schema", "arguments"];

/// Scans a request's body.
///
/// # Errors
/// The body is not acceptable JSON; the failure says at which byte.
pub fn scan_request(body: &ByteString) -> Result<Doc, Failure> {
    scan_marked(body, &OPAQUE, SEAL_MARKS).map_err(unusable)
}

/// Scans a request's body, most of which may stand in a `known` request of this wire. `None` if it is to be scanned whole.
#[must_use]
pub fn scan_request_like(known: &Doc, body: &Bytes) -> Option<Resumed> {
    scan_like(known, body, &OPAQUE, SEAL_MARKS)
}

fn unusable(error: SyntaxError) -> Failure {
    Failure::new(
        FailureKind::InvalidRequest,
        format!("the request body is not usable: {error}"),
    )
}

/// Looks at a scanned request.
///
/// # Errors
/// `model` or `messages` is missing or not of its type.
pub fn peek(doc: &Doc) -> Result<Peek, Failure> {
    let root = doc.root();
    let model = model(root)?;
    messages(root)?;
    Ok(Peek {
        model: model.text().unwrap_or_default(),
        model_span: Some(model.span()),
        stream: root.get("stream").and_then(Value::bool).unwrap_or(false),
        session: root
            .get("prompt_cache_key")
            .and_then(Value::text)
            .filter(|key| !key.is_empty()),
        has_tools: ["tools", "functions"].into_iter().any(|key| {
            root.get(key)
                .is_some_and(|tools| tools.items().next().is_some())
        }),
        has_thinking: has_thinking(root),
    })
}

/// Whether a client asked for the usage chunk at the end of its stream (`stream_options.include_usage`).
#[must_use]
pub fn asks_for_usage(doc: &Doc) -> bool {
    doc.root()
        .get("stream_options")
        .and_then(|options| options.get("include_usage"))
        .and_then(Value::bool)
        .unwrap_or(false)
}

/// The model's name in a request.
pub(super) fn model(root: Value<'_>) -> Result<Value<'_>, Failure> {
    if root.kind() != Kind::Object {
        return Err(invalid("the request body must be a JSON object"));
    }
    match root.get("model") {
        Some(model) if model.text().is_some_and(|name| !name.is_empty()) => Ok(model),
        Some(_) => Err(invalid(
            "model: must be the name of a model, as a string that is not empty",
        )),
        None => Err(invalid("model: missing; name the model to use")),
    }
}

/// The conversation in a request.
pub(super) fn messages(root: Value<'_>) -> Result<Value<'_>, Failure> {
    match root.get("messages") {
        Some(messages) if messages.kind() == Kind::Array => Ok(messages),
        Some(_) => Err(invalid("messages: must be an array of messages")),
        None => Err(invalid(
            "messages: missing; give the conversation as an array of messages",
        )),
    }
}

pub(super) fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::InvalidRequest, message)
}

fn has_thinking(root: Value<'_>) -> bool {
    let effort = root
        .get("reasoning_effort")
        .and_then(Value::str)
        .is_some_and(|effort| effort != "none");
    let kind = root
        .get("thinking")
        .and_then(|thinking| thinking.get("type"))
        .and_then(Value::str)
        .is_some_and(|kind| kind != "disabled");
    let reasoning = root.get("reasoning").is_some_and(|reasoning| {
        reasoning.kind() == Kind::Object
            && reasoning.get("enabled").and_then(Value::bool) != Some(false)
            && !reasoning
                .get("effort")
                .is_some_and(|effort| effort.is_str("none"))
    });
    effort || kind || reasoning
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peeked(body: &str) -> Result<Peek, String> {
        let body = ByteString::from(body);
        scan_request(&body)
            .and_then(|doc| peek(&doc))
            .map_err(|failure| failure.message)
    }

    #[test]
    fn a_glance() {
        let body = r#"{"model":"kimi\u002dk2","stream":true,"messages":[],"tools":[{}],"prompt_cache_key":"s","reasoning_effort":"low"}"#;
        let peek = peeked(body).unwrap();
        assert_eq!(peek.model, "kimi-k2");
        assert_eq!(
            peek.model_span.map(|span| &body[span]),
            Some(r#""kimi\u002dk2""#)
        );
        assert_eq!(peek.session.unwrap(), "s");
        assert!(peek.stream && peek.has_tools && peek.has_thinking);
        let bare = peeked(r#"{"model":"m","messages":[],"tools":[],"reasoning_effort":null,"thinking":{"type":"disabled"}}"#).unwrap();
        assert!(!bare.stream && !bare.has_tools && !bare.has_thinking && bare.session.is_none());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("[]", "the request body must be a JSON object"),
            (
                r#"{"messages":[]}"#,
                "model: missing; name the model to use",
            ),
            (
                r#"{"model":7,"messages":[]}"#,
                "model: must be the name of a model, as a string that is not empty",
            ),
            (
                r#"{"model":"m"}"#,
                "messages: missing; give the conversation as an array of messages",
            ),
            (
                r#"{"model":"m","messages":{}}"#,
                "messages: must be an array of messages",
            ),
        ];
        for (body, message) in cases {
            assert_eq!(peeked(body).unwrap_err(), message);
        }
        assert!(peeked("{\"model\":").unwrap_err().contains("at byte 9"));
    }

    #[test]
    fn usage_is_asked_for_explicitly() {
        let asks = |body: &str| asks_for_usage(&scan_request(&ByteString::from(body)).unwrap());
        assert!(asks(r#"{"stream_options":{"include_usage":true}}"#));
        assert!(!asks(r#"{"stream_options":{"include_usage":false}}"#));
        assert!(!asks(r#"{"stream_options":null}"#));
        assert!(!asks("{}"));
    }
}
