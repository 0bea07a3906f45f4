//! What holds for any stream a host may send and any history a client may send, drawn at random from dirty pieces.

use std::collections::HashSet;

use lingate_wire::chat;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::chat_chain::{read_chat, to_anthropic, to_chat, translated};

/// Pieces of a stream: what goes between `data: ` and the blank line.
const CHUNKS: &[&str] = &[
    r#"{"id":"c","choices":[{"delta":{"role":"assistant","content":""}}]}"#,
    r#"{"choices":[{"delta":{"content":"text"}}]}"#,
    r#"{"choices":[{"delta":{"content":"\n"}}]}"#,
    r#"{"choices":[{"delta":{"reasoning_content":"think"}}]}"#,
    r#"{"choices":[{"delta":{"reasoning":"think","reasoning_details":[{"type":"reasoning.text","text":"think","signature":"S"}]}}]}"#,
    r#"{"choices":[{"delta":{"reasoning_details":[{"type":"reasoning.encrypted","data":"D"}]}}]}"#,
    r#"{"choices":[{"delta":{"refusal":"no"}}]}"#,
    r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":""}}]}}]}"#,
    r#"{"choices":[{"delta":{"tool_calls":[{"index":1,"id":"b","function":{"name":"g","arguments":"{"}}]}}]}"#,
    r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":1}"}}]}}]}"#,
    r#"{"choices":[{"delta":{"tool_calls":[{"index":1,"function":{"arguments":"}"}}]}}]}"#,
    r#"{"choices":[{"delta":{"tool_calls":[{"id":"a","function":{"name":"f","arguments":{}}},{"function":{"name":"h"}}]}}]}"#,
    r#"{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"null"}}]}}]}"#,
    r#"{"choices":[{"delta":{"tool_calls":[{"index":2,"type":"custom","custom":{"name":"p","input":"free"}}]}}]}"#,
    r#"{"choices":[{"delta":{"function_call":{"name":"old","arguments":"{}"}}}]}"#,
    r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#,
    r#"{"choices":[{"delta":{},"finish_reason":"length"}]}"#,
    r#"{"choices":[{"delta":{},"finish_reason":"content_filter"}]}"#,
    r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}"#,
    r#"{"error":{"message":"boom"}}"#,
    "garbage",
    "[DONE]",
];

/// Messages of a history; the harness numbers their calls.
fn messages() -> impl Strategy<Value = Vec<Value>> {
    let call = |id: &str| json!({"type": "tool_use", "id": id, "name": "f", "input": {}});
    let result = |id: &str| json!({"type": "tool_result", "tool_use_id": id, "content": "out"});
    let text = json!({"type": "text", "text": "t"});
    let picture = json!({"type": "tool_result", "tool_use_id": "b", "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}]});
    let pool = vec![
        json!({"role": "user", "content": "hi"}),
        json!({"role": "user", "content": " "}),
        json!({"role": "user", "content": [text, result("a")]}),
        json!({"role": "user", "content": [picture, text]}),
        json!({"role": "user", "content": [result("b"), result("a"), result("b")]}),
        json!({"role": "system", "content": "note"}),
        json!({"role": "assistant", "content": [text, call("a")]}),
        json!({"role": "assistant", "content": [call("a"), call("b"), text]}),
        json!({"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}]}),
        json!({"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}, text]}),
    ];
    vec(select(pool), 0..10)
}

fn upstream_messages(messages: &[Value]) -> Vec<Value> {
    let request = json!({"model": "m", "max_tokens": 1, "system": "s", "messages": messages});
    let (body, _) = translated(&request.to_string(), &chat::Dialect::default());
    let body: Value = serde_json::from_str(&body).unwrap();
    body["messages"].as_array().unwrap().clone()
}

/// What hosts refuse: empty messages, results without their call, calls without their result.
#[track_caller]
fn check_order(messages: &[Value]) {
    let mut unanswered: HashSet<&str> = HashSet::new();
    for message in messages {
        let role = message["role"].as_str().unwrap();
        let has_content = message["content"]
            .as_str()
            .is_some_and(|text| !text.trim().is_empty())
            || message["content"].is_array();
        assert!(
            has_content || message.get("tool_calls").is_some(),
            "{message} is empty"
        );
        if role == "tool" {
            assert!(
                unanswered.remove(message["tool_call_id"].as_str().unwrap()),
                "{message} answers nothing"
            );
        } else {
            assert!(
                unanswered.is_empty(),
                "{message} stands between calls and results"
            );
        }
        let calls = message["tool_calls"].as_array();
        unanswered.extend(
            calls
                .into_iter()
                .flatten()
                .map(|call| call["id"].as_str().unwrap()),
        );
    }
    assert!(unanswered.is_empty(), "calls without results at the end");
}

proptest! {
    /// The acceptors inside the writers judge.
    #[test]
    fn every_stream_is_written_by_the_grammar(chunks in vec(select(CHUNKS), 0..12)) {
        let stream: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
        let read = read_chat(&[stream.as_bytes()]);
        to_chat(&read);
        to_anthropic(&read);
    }

    #[test]
    fn every_history_is_written_as_hosts_take_it(messages in messages()) {
        check_order(&upstream_messages(&messages));
    }

    /// As long as no call waits for its result, what is said later changes nothing of what was said before.
    #[test]
    fn appending_changes_nothing_before(messages in messages(), at in 0usize..10) {
        let (head, _) = messages.split_at(at.min(messages.len()));
        let ends_in_calls = head.last().is_some_and(|message| message["role"] == "assistant");
        let shorter = upstream_messages(head);
        let has_placeholder = shorter.last().is_some_and(|last| last["role"] == "tool") || shorter.iter().rev().take_while(|message| message["role"] == "user").count() > 0
            && shorter.iter().any(|message| message["content"] == "Error: the tool call was not answered");
        if !ends_in_calls && !has_placeholder {
            let longer = upstream_messages(&messages);
            prop_assert_eq!(&shorter[..], &longer[..shorter.len()]);
        }
    }
}
