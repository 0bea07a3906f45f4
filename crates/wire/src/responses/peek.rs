//! What a glance at a request tells, whatever becomes of it.

use bytes::Bytes;
use bytestring::ByteString;

use crate::Peek;
use crate::json::{Doc, Kind, Resumed, SyntaxError, Value, scan_like, scan_marked};
use crate::turn::{Failure, FailureKind, SEAL_MARKS};

/// Values that are carried whole: nobody looks inside a schema.
const OPAQUE: [&str; 3] = ["parameters", "schema", "output_schema"];

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
    invalid(format!("the request body is not usable: {error}"))
}

/// Looks at a scanned request.
///
/// # Errors
/// `model` or `input` is missing or not of its type, or the reply is to be made in the background: nobody could ask for
/// it later, because no state is kept here.
pub fn peek(doc: &Doc) -> Result<Peek, Failure> {
    let root = doc.root();
    let model = model(root)?;
    input(root)?;
    let flag = |key: &str| root.get(key).and_then(Value::bool).unwrap_or(false);
    if flag("background") {
        return Err(invalid(
            "background: must be false; replies are not kept, so that nobody could ask for this one later. Use \
             `stream: true` for long ones",
        ));
    }
    let reasoning = root
        .get("reasoning")
        .filter(|reasoning| reasoning.kind() == Kind::Object);
    Ok(Peek {
        model: model.text().unwrap_or_default(),
        model_span: Some(model.span()),
        stream: flag("stream"),
        session: root
            .get("prompt_cache_key")
            .and_then(Value::text)
            .filter(|key| !key.is_empty()),
        has_tools: root
            .get("tools")
            .is_some_and(|tools| tools.items().next().is_some()),
        has_thinking: reasoning.is_some_and(|reasoning| {
            !reasoning
                .get("effort")
                .is_some_and(|effort| effort.is_str("none"))
        }),
    })
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

/// The conversation in a request; `None` where state at the provider holds all of it.
pub(super) fn input(root: Value<'_>) -> Result<Option<Value<'_>>, Failure> {
    match root.get("input") {
        Some(input) if matches!(input.kind(), Kind::Array | Kind::String | Kind::Object) => {
            Ok(Some(input))
        }
        None if STATE.iter().any(|key| is_said(root, key)) || is_said(root, "instructions") => {
            Ok(None)
        }
        Some(_) => Err(invalid("input: must be a string or an array of items")),
        None => Err(invalid(
            "input: missing; give the conversation as a string or an array of items",
        )),
    }
}

/// Members that refer to what the provider keeps.
pub(super) const STATE: [&str; 3] = ["previous_response_id", "conversation", "prompt"];

fn is_said(root: Value<'_>, key: &str) -> bool {
    root.get(key).is_some_and(|value| !value.is_null())
}

pub(super) fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::InvalidRequest, message)
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
        let body = r#"{"model":"gpt\u002d5","stream":true,"input":[],"tools":[{}],"prompt_cache_key":"s","reasoning":{"summary":"auto"}}"#;
        let peek = peeked(body).unwrap();
        assert_eq!(peek.model, "gpt-5");
        assert_eq!(
            peek.model_span.map(|span| &body[span]),
            Some(r#""gpt\u002d5""#)
        );
        assert_eq!(peek.session.unwrap(), "s");
        assert!(peek.stream && peek.has_tools && peek.has_thinking);
        let bare = peeked(
            r#"{"model":"m","input":"hi","tools":[],"reasoning":{"effort":"none"},"background":null}"#,
        )
        .unwrap();
        assert!(!bare.stream && !bare.has_tools && !bare.has_thinking && bare.session.is_none());
        assert!(peeked(r#"{"model":"m","previous_response_id":"resp_1"}"#).is_ok());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("[]", "the request body must be a JSON object"),
            (r#"{"input":[]}"#, "model: missing; name the model to use"),
            (
                r#"{"model":7,"input":[]}"#,
                "model: must be the name of a model, as a string that is not empty",
            ),
            (
                r#"{"model":"m","input":7}"#,
                "input: must be a string or an array of items",
            ),
            (
                r#"{"model":"m"}"#,
                "input: missing; give the conversation as a string or an array of items",
            ),
        ];
        for (body, message) in cases {
            assert_eq!(peeked(body).unwrap_err(), message);
        }
        assert!(peeked("{\"model\":").unwrap_err().contains("at byte 9"));
        assert!(
            peeked(r#"{"model":"m","input":"","background":true}"#)
                .unwrap_err()
                .starts_with("background: must be false")
        );
    }
}
