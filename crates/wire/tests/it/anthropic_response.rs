//! Whole replies, in and out.

use lingate_wire::Wire;
use lingate_wire::anthropic::{decode_response, encode_response};
use lingate_wire::turn::{
    Block, FailureKind, Foreign, Reply, Stop, StopReason, Thinking, ToolInput, ToolUse, Usage, fold,
};
use serde_json::{Value, json};

use crate::anthropic_chain::{context, sequenced};

fn reply(body: &str) -> Reply {
    let outcome = sequenced(decode_response(&body.into()).unwrap());
    assert_eq!(outcome.fault, None);
    fold(outcome.events)
}

fn encoded(reply: &Reply) -> Value {
    serde_json::from_slice(&encode_response(reply, &context())).unwrap()
}

#[test]
fn a_reply_of_this_wire_comes_out_as_it_came_but_for_id_and_model() {
    for body in [
        include_str!("../../testdata/anthropic/everything.json"),
        include_str!("../../testdata/anthropic/llama_cpp_reply.json"),
        include_str!("../../testdata/anthropic/vllm_reply.json"),
    ] {
        let mut expected: Value = serde_json::from_str(body).unwrap();
        expected["id"] = json!("msg_0193a1b2c3d47abc8def0123456789ab");
        expected["model"] = json!("claude-asked");
        expected["stop_sequence"] = Value::Null;
        for count in ["cache_creation_input_tokens", "cache_read_input_tokens"] {
            let usage = expected["usage"].as_object_mut().unwrap();
            usage.entry(count).or_insert(json!(0));
        }
        assert_eq!(encoded(&reply(body)), expected);
    }
}

#[test]
fn inputs_keep_their_spelling() {
    let body = include_str!("../../testdata/anthropic/everything.json");
    let out = String::from_utf8(encode_response(&reply(body), &context())).unwrap();
    assert!(
        out.contains(r#""input":{"file_path": "/tmp/ü", "limit": 1.0}"#),
        "{out}"
    );
}

#[test]
fn what_is_no_reply_is_a_failure() {
    for (body, kind, message) in [
        (
            "<html>",
            FailureKind::Malformed,
            "the upstream's reply is not a message: invalid JSON at byte 0",
        ),
        (
            "{}",
            FailureKind::Malformed,
            "the upstream's reply is not a message: it has no `content` array",
        ),
        (
            r#"{"choices":[]}"#,
            FailureKind::Malformed,
            "the upstream's reply is not a message: it has no",
        ),
        (
            r#"{"type":"error","error":{"type":"overloaded_error","message":"busy"}}"#,
            FailureKind::Overloaded,
            "busy",
        ),
        (
            r#"{"error":{"message":"boom"}}"#,
            FailureKind::Server,
            "boom",
        ),
        (
            r#"{"base_resp":{"status_code":1008,"status_msg":"no balance"}}"#,
            FailureKind::Billing,
            "no balance",
        ),
    ] {
        let failure = decode_response(&body.into()).unwrap_err();
        assert_eq!(failure.kind, kind, "{body}");
        assert!(
            failure.message.starts_with(message),
            "{body}: {}",
            failure.message
        );
    }
}

#[test]
fn blocks_of_other_wires() {
    let call = |input: ToolInput| {
        Block::ToolUse(ToolUse {
            id: "a".into(),
            name: "f".into(),
            namespace: None,
            input,
            signature: None,
            cache: None,
            extra: vec![],
        })
    };
    let foreign = |wire: Wire, raw: &'static str| {
        Block::Foreign(Foreign {
            wire,
            raw: raw.into(),
        })
    };
    for (block, expected) in [
        (
            Block::Refusal("No.".into()),
            json!([{"type": "text", "text": "No."}]),
        ),
        (
            Block::Thinking(Thinking {
                text: "t".into(),
                ..Thinking::default()
            }),
            json!([{"type": "thinking", "thinking": "t", "signature": ""}]),
        ),
        (
            call(ToolInput::Json("{\"command\":\"rm".into())),
            json!([{"type": "tool_use", "id": "a", "name": "f", "input": {}}]),
        ),
        (
            call(ToolInput::Freeform("x\"".into())),
            json!([{"type": "tool_use", "id": "a", "name": "f", "input": {"input": "x\""}}]),
        ),
        (
            foreign(Wire::Anthropic, r#"{"type":"container_upload"}"#),
            json!([{"type": "container_upload"}]),
        ),
        (foreign(Wire::Responses, "{}"), json!([])),
    ] {
        let reply = Reply {
            blocks: vec![block.into()],
            stop: Some(Stop::new(StopReason::MaxTokens)),
            ..Reply::default()
        };
        assert_eq!(encoded(&reply)["content"], expected);
    }
}

#[test]
fn usage_that_was_never_told_is_estimated() {
    let reply = Reply {
        blocks: vec![Block::text("123456789".into()).into()],
        usage: Usage::default(),
        ..Reply::default()
    };
    let body = encoded(&reply);
    assert_eq!(body["usage"]["input_tokens"], 100);
    assert_eq!(body["usage"]["output_tokens"], 3);
    assert_eq!(body["stop_reason"], Value::Null);
}
