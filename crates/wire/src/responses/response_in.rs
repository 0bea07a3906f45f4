//! Decodes a whole reply, by the same machine that decodes streams: it is what a stream of it would end with.

use bytes::Bytes;
use bytestring::ByteString;

use super::error;
use super::stream_in::StreamIn;
use crate::json::{Kind, Value, scan_reply};
use crate::sse::{SseError, SseParser};
use crate::stage::{End, Sink, Stage};
use crate::turn::{Event, Failure, FailureKind};

/// Decodes the body of a reply with a success status.
///
/// # Errors
/// The body is an error in spite of its status, or is no response, or one that failed or is not made yet.
pub fn decode_response(body: &ByteString) -> Result<Vec<Event>, Failure> {
    let doc = match scan_reply(body, &[]) {
        Ok(doc) if doc.root().kind() == Kind::Object => doc,
        Ok(_) => return Err(malformed("the upstream's reply is not a JSON object")),
        Err(_) if is_stream(body) => return decode_stream(body),
        Err(_) => return Err(malformed("the upstream's reply is not JSON")),
    };
    let root = doc.root();
    let response = root
        .get("response")
        .filter(|inner| inner.kind() == Kind::Object)
        .unwrap_or(root);
    let error = response.get("error").filter(|error| !error.is_null());
    if error.is_some()
        && response
            .get("output")
            .is_none_or(|output| output.items().next().is_none())
    {
        return Err(error::in_stream(error));
    }
    if response.get("output").is_none_or(Value::is_null) {
        return Err(malformed(
            "the upstream's reply is no response: it has no output",
        ));
    }
    if let Some("queued" | "in_progress") = response.get("status").and_then(Value::str).as_deref() {
        return Err(malformed("the upstream's response is not made yet"));
    }
    let mut sink = Sink::new();
    StreamIn::default().finish(response, &mut sink);
    match sink.take_fault() {
        Some(failure) => Err(failure),
        None => Ok(sink.items),
    }
}

/// Whether a body that was to be whole is a stream all the same.
fn is_stream(body: &str) -> bool {
    let head = body.trim_start();
    ["event:", "data:", ":"]
        .iter()
        .any(|field| head.starts_with(field))
}

fn decode_stream(body: &ByteString) -> Result<Vec<Event>, Failure> {
    let too_large = |SseError::TooLarge { .. }| malformed("the upstream's reply is too large");
    let mut parser = SseParser::new();
    let mut frames = Vec::new();
    parser
        .push(Bytes::copy_from_slice(body.as_bytes()), &mut frames)
        .and_then(|()| parser.finish(&mut frames))
        .map_err(too_large)?;
    let mut decoder = StreamIn::default();
    let mut sink = Sink::new();
    for frame in frames {
        decoder.on(frame, &mut sink);
    }
    decoder.end(End::Clean, &mut sink);
    match sink.take_fault() {
        Some(failure) => Err(failure),
        None => Ok(sink.items),
    }
}

fn malformed(message: &str) -> Failure {
    Failure::new(FailureKind::Malformed, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::{Block, ToolInput, fold};

    /// The blocks of a reply in short.
    fn reply(body: &str) -> Result<Vec<String>, FailureKind> {
        let events = decode_response(&body.into()).map_err(|failure| failure.kind)?;
        let blocks = fold(events).blocks;
        let short = blocks.iter().map(|block| match &**block {
            Block::Text { text, .. } => format!("text {text}"),
            Block::Refusal(text) => format!("refuse {text}"),
            Block::Thinking(thinking) => format!(
                "think {} {}",
                thinking.text,
                thinking.signature.clone().unwrap_or_default()
            ),
            Block::ToolUse(call) => match &call.input {
                ToolInput::Json(input) => format!("call {} {} {input}", call.id, call.name),
                ToolInput::Freeform(input) => format!("custom {} {} {input}", call.id, call.name),
            },
            Block::Image(_) => "image".to_owned(),
            Block::Foreign(foreign) => foreign.raw.to_string(),
            other => panic!("{other:?}"),
        });
        Ok(short.collect())
    }

    fn check(output: &str, expected: &[&str]) {
        let body = format!(r#"{{"object":"response","status":"completed","output":{output}}}"#);
        assert_eq!(reply(&body).unwrap(), expected, "{output}");
    }

    #[test]
    fn every_item_becomes_its_block() {
        check(
            r#"[{"type":"reasoning","id":"rs","summary":[{"type":"summary_text","text":"a"},{"type":"summary_text","text":"b"}],"encrypted_content":"E"},{"type":"message","content":[{"type":"output_text","text":"Hi"},{"type":"refusal","refusal":"no"}]}]"#,
            &["think a\n\nb E", "text Hi", "refuse no"],
        );
        check(
            r#"[{"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"hm"}]},{"type":"reasoning","summary":[],"encrypted_content":"E"}]"#,
            &["think hm ", "think  E"],
        );
        check(
            r#"[{"type":"function_call","id":"fc","call_id":"a","name":"f","arguments":"{\"x\":1}"},{"type":"custom_tool_call","call_id":"b","name":"p","input":"*** x"},{"type":"function_call","id":"c","name":"g","arguments":{"y":2}}]"#,
            &[
                r#"call a f {"x":1}"#,
                "custom b p *** x",
                r#"call c g {"y":2}"#,
            ],
        );
        check(
            r#"[{"type":"image_generation_call","result":"aGk="},{"type":"web_search_call","id":"ws"},{"type":"message","content":"bare"}]"#,
            &[
                "image",
                r#"{"type":"web_search_call","id":"ws"}"#,
                "text bare",
            ],
        );
    }

    #[test]
    fn a_success_status_is_not_enough() {
        let cases = [
            ("\n\n", FailureKind::Malformed),
            ("<html><body>login</body></html>", FailureKind::Malformed),
            ("[]", FailureKind::Malformed),
            ("{}", FailureKind::Malformed),
            (r#"{"output":[],"status":"queued"}"#, FailureKind::Malformed),
            (
                r#"{"error":{"message":"m","code":"rate_limit_exceeded"}}"#,
                FailureKind::RateLimit,
            ),
            (
                r#"{"output":[],"status":"failed","error":{"message":"m","code":"server_error"}}"#,
                FailureKind::Server,
            ),
            (
                r#"{"output":[],"status":"cancelled"}"#,
                FailureKind::Truncated,
            ),
        ];
        for (body, kind) in cases {
            assert_eq!(reply(body).unwrap_err(), kind, "{body}");
        }
        let streamed = "data: {\"type\":\"response.completed\",\"response\":{\"output\":[{\"type\":\"message\",\"content\":\"x\"}]}}\n\n";
        assert_eq!(reply(streamed).unwrap(), ["text x"]);
    }
}
