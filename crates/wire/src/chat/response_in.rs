//! Decodes a whole reply, by the same machine that decodes streams: a message is one large delta.

use bytestring::ByteString;

use super::error;
use super::stream_in::StreamIn;
use crate::json::{Kind, Value, scan_reply};
use crate::sse::{SseError, SseParser};
use crate::stage::{End, Sink, Stage};
use crate::turn::{Event, Failure, FailureKind};

/// Events of a reply that is a text: start, text, usage, end.
const USUAL_EVENTS: usize = 8;

/// Decodes the body of a reply with a success status.
///
/// # Errors
/// The body is an error in spite of its status, is not a chat completion, or has no choice.
pub fn decode_response(body: &ByteString) -> Result<Vec<Event>, Failure> {
    let doc = match scan_reply(body, &["arguments"]) {
        Ok(doc) if doc.root().kind() == Kind::Object => doc,
        Ok(_) => return Err(malformed("the upstream's reply is not a JSON object")),
        Err(_) if error::is_html(body) => {
            return Err(malformed(
                "the upstream answered with an HTML page instead of a reply",
            ));
        }
        Err(_) if body.trim_start().starts_with("data:") => return streamed(body),
        Err(error) => {
            return Err(malformed(&format!(
                "the upstream's reply is not JSON: {error}"
            )));
        }
    };
    let root = doc.root();
    let choices = root.get("choices");
    // An error beside choices is found with them.
    if choices.is_none_or(|choices| choices.items().next().is_none()) {
        return Err(error::in_reply(root).unwrap_or_else(|| no_choices(choices)));
    }
    let mut machine = StreamIn::default();
    let mut sink = Sink::with_capacity(USUAL_EVENTS);
    machine.chunk(root, &mut sink);
    if !sink.has_fault() {
        machine.done(&mut sink);
    }
    match sink.take_fault() {
        Some(failure) => Err(failure),
        None => Ok(sink.items),
    }
}

fn no_choices(choices: Option<Value<'_>>) -> Failure {
    match choices {
        Some(_) => Failure::new(
            FailureKind::EmptyReply,
            "the upstream's reply has no choices",
        ),
        None => malformed("the upstream's reply is not a chat completion: it has no `choices`"),
    }
}

/// Some hosts stream although they were not asked to.
fn streamed(body: &ByteString) -> Result<Vec<Event>, Failure> {
    let unreadable = |error: SseError| malformed(&error.to_string());
    let mut parser = SseParser::new();
    let mut frames = Vec::new();
    parser
        .push(body.clone().into_bytes(), &mut frames)
        .map_err(unreadable)?;
    parser.finish(&mut frames).map_err(unreadable)?;
    let mut machine = StreamIn::default();
    let mut sink = Sink::new();
    for frame in frames {
        machine.on(frame, &mut sink);
    }
    if !sink.has_fault() {
        machine.end(End::Clean, &mut sink);
    }
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
    use crate::turn::{Block, Reply, ToolInput, fold};

    fn reply(body: &str) -> Result<Reply, (FailureKind, String)> {
        decode_response(&body.into())
            .map(fold)
            .map_err(|failure| (failure.kind, failure.message))
    }

    /// Blocks as words: `text Hi`, `think hm`, `call f {"x":1}`, `refuse no`.
    fn check(message: &str, blocks: &[&str]) {
        let body = format!(
            r#"{{"id":"c","model":"m","choices":[{{"index":0,"message":{message},"finish_reason":"stop"}}]}}"#
        );
        let reply = reply(&body).unwrap();
        let found: Vec<String> = reply
            .blocks
            .iter()
            .map(|block| match &**block {
                Block::Text { text, .. } => format!("text {text}"),
                Block::Thinking(thinking) if thinking.is_redacted => {
                    format!("hidden {}", thinking.signature.as_ref().unwrap())
                }
                Block::Thinking(thinking) => format!("think {}", thinking.text),
                Block::Refusal(text) => format!("refuse {text}"),
                Block::ToolUse(call) => match &call.input {
                    ToolInput::Json(input) => format!("call {} {} {input}", call.id, call.name),
                    ToolInput::Freeform(input) => {
                        format!("custom {} {} {input}", call.id, call.name)
                    }
                },
                other => format!("{other:?}"),
            })
            .collect();
        assert_eq!(found, blocks, "{message}");
        assert_eq!(reply.id.unwrap(), "c");
    }

    #[test]
    fn every_shape_of_message() {
        check(
            r#"{"role":"assistant","content":"Hi","tool_calls":null,"function_call":null,"refusal":null}"#,
            &["text Hi"],
        );
        check(r#"{"content":null,"reasoning":"hm"}"#, &["think hm"]);
        check(
            r#"{"content":"Hi","reasoning_content":"hm","reasoning":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm"}]}"#,
            &["think hm", "text Hi"],
        );
        check(
            r#"{"content":"","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},{"id":"b","function":{"name":"g","arguments":{"y": 2}}}]}"#,
            &[r#"call a f {"x":1}"#, r#"call b g {"y": 2}"#],
        );
        check(
            r#"{"content":"","tool_calls":[{"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}},{"id":"a","function":{"name":"f","arguments":"{\"x\":2}"}}]}"#,
            &[r#"call a f {"x":1}"#, r#"call a f {"x":2}"#],
        );
        check(
            r#"{"content":null,"function_call":{"name":"f","arguments":"{}"}}"#,
            &["call  f {}"],
        );
        check(
            r#"{"content":null,"tool_calls":[{"id":"a","type":"custom","custom":{"name":"p","input":"*** x"}}]}"#,
            &["custom a p *** x"],
        );
        check(r#"{"content":null,"refusal":"no"}"#, &["refuse no"]);
        check(
            r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"Hi"},{"text":"!"}]}"#,
            &["think hm", "text Hi!"],
        );
        check(
            r#"{"content":"Hi","reasoning_details":[{"type":"reasoning.encrypted","data":"D"}]}"#,
            &[
                "text Hi",
                r#"hidden [{"type":"reasoning.encrypted","data":"D"}]"#,
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
            (r#"{"choices":[]}"#, FailureKind::EmptyReply),
            (
                r#"{"error":{"message":"m","type":"engine_overloaded_error"}}"#,
                FailureKind::Overloaded,
            ),
            (
                r#"{"choices":null,"base_resp":{"status_code":1008,"status_msg":"m"}}"#,
                FailureKind::Billing,
            ),
            (
                r#"{"choices":[{"message":{"content":"x"},"finish_reason":"error"}]}"#,
                FailureKind::Server,
            ),
        ];
        for (body, kind) in cases {
            assert_eq!(reply(body).unwrap_err().0, kind, "{body}");
        }
        let streamed = "data: {\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
        assert!(reply(streamed).is_ok(), "a stream that nobody asked for");
        assert!(
            reply("\n\n \n{\"choices\":[{\"message\":{\"content\":\"x\"}}]}").is_ok(),
            "keep-alive lines before the body"
        );
    }
}
