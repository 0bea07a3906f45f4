//! What holds for any stream a host may send and any history a client may send, drawn at random from dirty pieces.

use lingate_wire::gemini::Framing;
use lingate_wire::{Wire, bridge};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::chat_chain::{to_anthropic, to_chat};
use crate::gemini_chain::{encoded, read_gemini, to_gemini};

/// Pieces of a stream: what goes between `data: ` and the blank line.
const CHUNKS: &[&str] = &[
    r#"{"candidates":[{"content":{"parts":[{"text":"text"}]}}],"responseId":"r","modelVersion":"m"}"#,
    r#"{"candidates":[{"content":{"parts":[{"text":"\n"}]}}]}"#,
    r#"{"candidates":[{"content":{"parts":[{"text":"think","thought":true}]}}]}"#,
    r#"{"candidates":[{"content":{"parts":[{"text":"","thoughtSignature":"U2ln"}]}}]}"#,
    r#"{"candidates":[{"content":{"parts":[{"text":"x","thoughtSignature":"U2ln"}]}}]}"#,
    r#"{"candidates":[{"content":{"parts":[{"functionCall":{"id":"a","name":"f","args":{"x":1}},"thoughtSignature":"U2ln"}]}}]}"#,
    r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"}},{"functionCall":{"id":"a","name":"g","args":{}}}]}}]}"#,
    r#"{"candidates":[{"content":{"parts":[{"functionCall":{"args":{}}}]}}]}"#,
    r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":"{}"}}]}}]}"#,
    r#"{"candidates":[{"content":{"parts":[{"executableCode":{"code":"1"}},{}]}}]}"#,
    r#"{"candidates":[{"content":{},"groundingMetadata":{"webSearchQueries":["q"]}}]}"#,
    r#"{"candidates":[{"finishReason":"STOP"}]}"#,
    r#"{"candidates":[{"finishReason":"MAX_TOKENS"}]}"#,
    r#"{"candidates":[{"finishReason":"SAFETY"}]}"#,
    r#"{"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL"}]}"#,
    r#"{"promptFeedback":{"blockReason":"OTHER","blockReasonMessage":"no"}}"#,
    r#"{"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2,"thoughtsTokenCount":1}}"#,
    r#"{"error":{"code":500,"message":"boom","status":"INTERNAL"}}"#,
    r#"[{"candidates":[{"content":{"parts":[{"text":"listed"}]}}]},7]"#,
    "garbage",
];

/// Messages of a history of an Anthropic client.
fn messages() -> impl Strategy<Value = Vec<Value>> {
    let call = |id: &str| json!({"type": "tool_use", "id": id, "name": "f", "input": {}});
    let result = |id: &str| json!({"type": "tool_result", "tool_use_id": id, "content": "out"});
    let text = json!({"type": "text", "text": "t"});
    let picture = json!({"type": "tool_result", "tool_use_id": "b", "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}]});
    let thought = json!({"type": "thinking", "thinking": "hm", "signature": "s"});
    let pool = vec![
        json!({"role": "user", "content": "hi"}),
        json!({"role": "user", "content": " "}),
        json!({"role": "user", "content": [text, result("a")]}),
        json!({"role": "user", "content": [picture, text]}),
        json!({"role": "user", "content": [result("b"), result("a"), result("b")]}),
        json!({"role": "system", "content": "note"}),
        json!({"role": "assistant", "content": [text, call("a")]}),
        json!({"role": "assistant", "content": [call("a"), call("b"), text]}),
        json!({"role": "assistant", "content": [thought]}),
        json!({"role": "assistant", "content": [thought, text]}),
    ];
    vec(select(pool), 0..10)
}

fn contents(messages: &[Value]) -> Vec<Value> {
    let request = json!({"model": "m", "max_tokens": 1, "messages": messages}).to_string();
    let doc = bridge::scan_request(Wire::Anthropic, &request.into()).unwrap();
    let decoded = bridge::decode_request(Wire::Anthropic, &doc).unwrap();
    let (body, _) = encoded(&decoded, "gemini-3-flash");
    let body: Value = serde_json::from_str(&body).unwrap();
    body["contents"].as_array().unwrap().clone()
}

/// The ids of a content's parts of one kind.
fn ids(content: &Value, kind: &str) -> Vec<String> {
    let parts = content["parts"].as_array().unwrap();
    let found = parts.iter().filter_map(|part| part.get(kind));
    found.map(|inner| inner["id"].to_string()).collect()
}

/// What the API refuses: empty contents, a model that speaks first or twice, calls without their results directly behind
/// them, results without their calls, a step without a signature.
#[track_caller]
fn check_legal(contents: &[Value]) {
    let mut open: Vec<String> = Vec::new();
    for (at, content) in contents.iter().enumerate() {
        let role = content["role"].as_str().unwrap();
        assert_eq!(role, if at % 2 == 0 { "user" } else { "model" });
        let parts = content["parts"].as_array().unwrap();
        assert!(!parts.is_empty());
        assert_eq!(ids(content, "functionResponse"), open, "{content}");
        open = ids(content, "functionCall");
        let first = parts.iter().find(|part| part.get("functionCall").is_some());
        assert!(first.is_none_or(|part| part.get("thoughtSignature").is_some()));
    }
    assert!(open.is_empty(), "calls without results at the end");
}

proptest! {
    /// The acceptors inside the writers judge.
    #[test]
    fn every_stream_is_written_by_the_grammar(chunks in vec(select(CHUNKS), 0..12), shows in any::<bool>()) {
        let stream: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
        let read = read_gemini(&[stream.as_bytes()]);
        to_chat(&read);
        to_anthropic(&read);
        to_gemini(&read, Framing::Sse, shows);
        to_gemini(&read, Framing::Array, shows);
    }

    #[test]
    fn every_history_is_written_as_the_api_takes_it(messages in messages()) {
        check_legal(&contents(&messages));
    }

    /// As long as no call waits for its result, what is said later changes nothing of what was said before.
    #[test]
    fn appending_changes_nothing_before(messages in messages(), at in 0usize..10) {
        let (head, tail) = messages.split_at(at.min(messages.len()));
        let is_model = |message: &Value| message["role"] == "assistant";
        // A blank message and a thought of another upstream say nothing here and end nothing.
        let is_said = |message: &Value| match message["content"].as_array() {
            Some(blocks) => blocks.iter().any(|block| block["type"] != "thinking"),
            None => message["content"] != " ",
        };
        let is_new = match (head.last(), tail.first()) {
            (Some(last), Some(next)) => {
                is_model(next) && !is_model(last) && is_said(last) && is_said(next)
            }
            _ => true,
        };
        if is_new {
            let (shorter, longer) = (contents(head), contents(&messages));
            prop_assert_eq!(&shorter[..], &longer[..shorter.len()]);
        }
    }
}
