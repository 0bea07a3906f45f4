//! A glance at a request, for every lane.

use bytes::Bytes;
use bytestring::ByteString;

use super::opaque;
use crate::codec::Peek;
use crate::json::{Doc, Kind, Resumed, SyntaxError, Text, Value, scan_like, scan_marked};
use crate::turn::{Failure, FailureKind, SEAL_MARKS};

/// Validates a body and indexes what is read of it.
///
/// # Errors
/// An invalid request, with the offset of the first byte that is not JSON.
pub fn scan_request(body: &ByteString) -> Result<Doc, Failure> {
    scan_marked(body, opaque::MEMBERS, SEAL_MARKS).map_err(unusable)
}

/// Scans a request's body, most of which may stand in a `known` request of this wire. `None` if it is to be scanned whole.
#[must_use]
pub fn scan_request_like(known: &Doc, body: &Bytes) -> Option<Resumed> {
    scan_like(known, body, opaque::MEMBERS, SEAL_MARKS)
}

fn unusable(error: SyntaxError) -> Failure {
    Failure::new(FailureKind::InvalidRequest, error.to_string())
}

/// Reads what routing needs.
///
/// # Errors
/// An invalid request that names the member: `model` is not a string, or `messages` not an array.
pub fn peek(doc: &Doc) -> Result<Peek, Failure> {
    let root = doc.root();
    if root.kind() != Kind::Object {
        return Err(invalid("the body must be a JSON object"));
    }
    let [model_value, messages, stream, metadata, tools, thinking] = root.pick([
        "model", "messages", "stream", "metadata", "tools", "thinking",
    ]);
    let model = model_value.and_then(Value::text).ok_or_else(|| {
        invalid("model: expected the name of a model as a string, such as \"claude-sonnet-4-5\"")
    })?;
    if !messages.is_some_and(|messages| messages.kind() == Kind::Array) {
        return Err(invalid("messages: expected an array of messages"));
    }
    Ok(Peek {
        model,
        model_span: model_value.map(Value::span),
        stream: stream.and_then(Value::bool).unwrap_or(false),
        session: metadata.and_then(|metadata| session(metadata.get("user_id")?)),
        has_tools: tools.is_some_and(|tools| tools.items().next().is_some()),
        has_thinking: thinking
            .and_then(|thinking| thinking.get("type"))
            .is_some_and(|kind| !kind.is_str("disabled")),
    })
}

/// Claude Code's session in `metadata.user_id`: a JSON text with `session_id`, or as older builds spell it
/// `user_.._account_.._session_UUID`.
fn session(user_id: Value<'_>) -> Option<Text> {
    let user_id = user_id.text()?.to_plain();
    let session = match crate::json::scan(&user_id) {
        Ok(inner) => inner.root().get("session_id")?.str()?.into_owned(),
        Err(_) => user_id.rsplit_once("_session_")?.1.to_owned(),
    };
    (!session.is_empty()).then(|| session.into())
}

fn invalid(message: &str) -> Failure {
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

    #[test]
    fn a_claude_code_body() {
        let body = r#"{"model":"claude-opus-5-5","messages":[],"tools":[{"name":"a","input_schema":{"x":1,"x":2}}],"metadata":{"user_id":"{\"device_id\":\"d\",\"session_id\":\"60af73c0\"}"},"thinking":{"type":"adaptive"},"stream":true}"#;
        let peek = peeked(body).unwrap();
        assert_eq!(peek.model, "claude-opus-5-5");
        assert_eq!(
            &body[peek.model_span.clone().unwrap()],
            "\"claude-opus-5-5\""
        );
        assert_eq!(peek.session, Some("60af73c0".into()));
        assert!(peek.stream && peek.has_tools && peek.has_thinking);
    }

    #[test]
    fn sessions_of_every_build() {
        #[track_caller]
        fn check(user_id: &str, expected: Option<&str>) {
            let body =
                format!(r#"{{"model":"m","messages":[],"metadata":{{"user_id":{user_id}}}}}"#);
            assert_eq!(
                peeked(&body).unwrap().session,
                expected.map(Text::from),
                "{user_id}"
            );
        }
        check(r#""{\"session_id\":\"s-1\"}""#, Some("s-1"));
        check(r#""user_abc_account__session_7b1f""#, Some("7b1f"));
        check(r#""{\"session_id\":\"\"}""#, None);
        check(r#""somebody""#, None);
        check("null", None);
    }

    #[test]
    fn thinking_that_is_off_and_empty_tools_do_not_count() {
        let peek = peeked(r#"{"model":"m","messages":[],"tools":[],"thinking":{"type":"disabled"},"stream":false}"#).unwrap();
        assert!(!peek.stream && !peek.has_tools && !peek.has_thinking);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, expected) in [
            ("[]", "the body must be a JSON object"),
            (r#"{"messages":[]}"#, "model: expected the name of a model"),
            (
                r#"{"model":7,"messages":[]}"#,
                "model: expected the name of a model",
            ),
            (r#"{"model":"m"}"#, "messages: expected an array"),
            (
                r#"{"model":"m","messages":"hi"}"#,
                "messages: expected an array",
            ),
            (r#"{"model":"m","messages":[}"#, "invalid JSON at byte 25"),
        ] {
            let message = peeked(body).unwrap_err();
            assert!(message.starts_with(expected), "{body}: {message}");
        }
    }
}
