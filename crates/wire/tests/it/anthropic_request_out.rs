//! Requests of this wire that go out on it again.

use lingate_wire::anthropic::{decode_request, encode_request, scan_request};
use lingate_wire::turn::{Block, MediaSource, Node, SealKey};
use lingate_wire::{Decoded, UpstreamContext};
use serde_json::{Value, json};

fn own_key() -> SealKey {
    SealKey::new("provider", "account", "model")
}

/// The body and the paths of what was lost.
pub(crate) fn encoded(decoded: &Decoded, model: &str) -> (String, Vec<String>) {
    let seal = own_key();
    let encoded = encode_request(decoded, &UpstreamContext { model, seal: &seal });
    let losses = encoded
        .losses
        .iter()
        .map(|loss| loss.path.clone())
        .collect();
    (String::from_utf8(encoded.body).unwrap(), losses)
}

fn own(body: &str) -> Decoded {
    decode_request(&scan_request(&body.into()).unwrap()).unwrap()
}

#[test]
fn an_untouched_body_of_claude_code_goes_out_byte_for_byte() {
    for body in [
        include_str!("../../testdata/anthropic/claude_code_media.json"),
        include_str!("../../testdata/anthropic/claude_code_parallel.json"),
        include_str!("../../testdata/anthropic/claude_code_steps.json"),
        include_str!("../../testdata/anthropic/claude_code_structured.json"),
        include_str!("../../testdata/anthropic/claude_code_thinking.json"),
        include_str!("../../testdata/anthropic/claude_code_toolsearch.json"),
    ] {
        let body = body.trim_end();
        let (out, losses) = encoded(&own(body), "claude-opus-5-5");
        assert_eq!(out, body);
        assert_eq!(losses, [""; 0]);
    }
}

#[test]
fn what_is_odd_but_of_this_wire_survives() {
    for body in [
        r#"{"model":"m","messages":[{"role":"user","content":"a\u00e9"}],"system":"b","max_tokens":1,"thinking":{"type":"between_tools"},"novel":{"a" : 1.0}}"#,
        r#"{"model":"m","messages":[{"novel":1,"role":"user","content":[{"type":"hologram"}]}],"tools":[{"type":"bash_20250124","name":"bash"}],"tool_choice":{"type":"auto","disable_parallel_tool_use":true,"x":1},"metadata":{"user_id":"u","x":1},"max_tokens":1,"output_config":{"effort":"low","format":{"type":"json_schema","schema":{"b":1,"a":2},"x":{"y":1}},"task_budget":{"total":1}},"stop_sequences":["x"],"temperature":0.50,"cache_control":{"type":"ephemeral","ttl":"1h","scope":"s"},"stream":true}"#,
    ] {
        assert_eq!(encoded(&own(body), "m"), (body.to_owned(), vec![]));
    }
}

#[test]
fn a_touched_message_keeps_its_untouched_blocks() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":[{"text" : "a","type":"text","clear_at":1},{"type":"text","text":"b","novel":2}]}],"max_tokens":1}"#;
    let mut decoded = own(body);
    *decoded.turn.messages[0].edit().blocks[1].edit() = Block::text("c".into());
    let (out, losses) = encoded(&decoded, "m");
    assert_eq!(
        out,
        r#"{"model":"m","messages":[{"role":"user","content":[{"text" : "a","type":"text","clear_at":1},{"type":"text","text":"c"}]}],"max_tokens":1}"#
    );
    assert_eq!(losses, ["messages[0].content[1].novel"]);
}

/// Encodes an assistant message whose thinking is signed like this, thinking with a budget, and checks what is left.
#[track_caller]
fn check_signature(signature: &str, kind: &str, expected: Value, losses: &[&str], is_on: bool) {
    let thought = match kind {
        "thinking" => json!({"type": "thinking", "thinking": "t", "signature": signature}),
        kind => json!({"type": kind, "data": signature}),
    };
    let call = json!({"type": "tool_use", "id": "a", "name": "f", "input": {}});
    let body = json!({"model": "m", "max_tokens": 9, "thinking": {"type": "enabled", "budget_tokens": 2048}, "messages": [
        {"role": "assistant", "content": [thought, call]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a"}]}]});
    let (out, lost) = encoded(&own(&body.to_string()), "m");
    let out: Value = serde_json::from_str(&out).unwrap();
    let mut content = out["messages"][0]["content"].as_array().unwrap().clone();
    assert_eq!(content.pop(), Some(call));
    assert_eq!(Value::Array(content), expected);
    assert_eq!(lost, losses);
    assert_eq!(
        out["thinking"]["type"],
        if is_on { "enabled" } else { "disabled" }
    );
}

#[test]
fn thinking_goes_back_only_where_it_came_from() {
    let thinking =
        |signature: &str| json!([{"type": "thinking", "thinking": "t", "signature": signature}]);
    let elsewhere = SealKey::new("other", "account", "model").seal("s");
    let lost = ["messages[0].content[0]", "thinking"];
    check_signature("EqQB", "thinking", thinking("EqQB"), &[], true);
    check_signature(
        &own_key().seal("EqQB"),
        "thinking",
        thinking("EqQB"),
        &[],
        true,
    );
    check_signature(
        &own_key().seal(""),
        "thinking",
        json!([{"type": "thinking", "thinking": "t"}]),
        &[],
        true,
    );
    check_signature(&elsewhere, "thinking", json!([]), &lost, false);
    let redacted = |data: &str| json!([{"type": "redacted_thinking", "data": data}]);
    check_signature("Zm9v", "redacted_thinking", redacted("Zm9v"), &[], true);
    check_signature(
        &own_key().seal("Zm9v"),
        "redacted_thinking",
        redacted("Zm9v"),
        &[],
        true,
    );
    check_signature(&elsewhere, "redacted_thinking", json!([]), &lost, false);
}

#[test]
fn a_message_of_foreign_thinking_alone_is_left_out() {
    let sealed = SealKey::new("other", "account", "model").seal("s");
    let body = json!({"model": "m", "messages": [
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "t", "signature": sealed}]},
        {"role": "user", "content": "hi"}]});
    let (out, losses) = encoded(&own(&body.to_string()), "m");
    assert!(
        out.contains(r#""messages":[{"role":"user","content":"hi"}]"#),
        "{out}"
    );
    assert_eq!(losses, ["messages[0].content[0]"]);
}

/// Forgets every received spelling, so that everything is written from its value.
fn touch(decoded: &mut Decoded) {
    for message in &mut decoded.turn.messages {
        touch_blocks(&mut message.edit().blocks);
    }
    touch_blocks(&mut decoded.turn.system);
    for tool in &mut decoded.turn.tools {
        tool.edit();
    }
}

fn touch_blocks(blocks: &mut [Node<Block>]) {
    for block in blocks {
        match block.edit() {
            Block::ToolResult(result) => touch_blocks(&mut result.content),
            Block::SearchResult(found) => touch_blocks(&mut found.content),
            Block::Document(document) => {
                if let MediaSource::Blocks(blocks) = &mut document.source {
                    touch_blocks(blocks);
                }
            }
            _ => {}
        }
    }
}

/// A string content and one text block are the same, and so are no error and `is_error: false`.
fn normal(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(normal),
        Value::Object(members) => {
            if members.get("is_error") == Some(&json!(false)) {
                members.remove("is_error");
            }
            for key in ["content", "system"] {
                if let Some(Value::String(text)) = members.get(key) {
                    let block = json!([{"type": "text", "text": text}]);
                    members.insert(key.to_owned(), block);
                }
            }
            members.values_mut().for_each(normal);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn what_is_written_from_values_means_the_same() {
    let every_block = json!({"model": "claude-opus-5-5", "max_tokens": 1, "system": "s", "messages": [
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "t", "signature": "s"},
            {"type": "redacted_thinking", "data": "d"},
            {"type": "server_tool_use", "id": "a", "name": "web_search", "input": {}},
            {"type": "text", "text": "t", "citations": [{"type": "c"}]},
            {"type": "tool_use", "id": "a", "name": "f", "input": {"a": [1]}, "caller": {"type": "direct"},
                "cache_control": {"type": "ephemeral", "ttl": "1h"}}]},
        {"role": "user", "output_config": {"effort": "low"}, "content": [
            {"type": "tool_result", "tool_use_id": "a", "is_error": true, "cache_control": {"type": "ephemeral"}, "content": [
                {"type": "tool_reference", "tool_name": "f"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}]},
            {"type": "image", "source": {"type": "file", "file_id": "f"}},
            {"type": "document", "source": {"type": "url", "url": "u"}, "title": "t", "context": "c", "citations": {"enabled": true}},
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "d"}},
            {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "x"}]}},
            {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "x"}], "citations": {"enabled": true}},
            {"type": "hologram"}]}]})
    .to_string();
    for body in [
        every_block.as_str(),
        include_str!("../../testdata/anthropic/claude_code_media.json"),
        include_str!("../../testdata/anthropic/claude_code_steps.json"),
        include_str!("../../testdata/anthropic/claude_code_thinking.json"),
        include_str!("../../testdata/anthropic/claude_code_toolsearch.json"),
    ] {
        let mut decoded = own(body);
        touch(&mut decoded);
        let (out, losses) = encoded(&decoded, "claude-opus-5-5");
        let mut expected: Value = serde_json::from_str(body).unwrap();
        let mut out: Value = serde_json::from_str(&out).unwrap();
        normal(&mut expected);
        normal(&mut out);
        assert_eq!(out, expected);
        assert_eq!(losses, [""; 0]);
    }
}
