//! Requests of Anthropic and Chat clients, as a Chat host is sent them.

mod content;
mod messages;
mod params;
mod same_wire;
mod thinking;
mod tools;

use bytestring::ByteString;
use serde_json::{Value, json};

use super::super::dialect::{HostMember, MaxTokens, ReasoningField, ThinkingStyle};
use super::*;
use crate::turn::{Effort, SealKey, ThinkingMode};
use crate::{anthropic, chat};

fn key() -> SealKey {
    SealKey::new("p", "p#1", "m")
}

fn encode(decoded: &Decoded, dialect: &Dialect) -> (Value, Vec<String>) {
    let upstream = UpstreamContext {
        model: "up",
        seal: &key(),
    };
    let encoded = encode_request(decoded, &upstream, dialect);
    let losses = encoded
        .losses
        .iter()
        .map(|loss| loss.path.clone())
        .collect();
    (serde_json::from_slice(&encoded.body).unwrap(), losses)
}

/// What an Anthropic client's members become.
fn from_anthropic(members: &Value, dialect: &Dialect) -> (Value, Vec<String>) {
    let mut body = json!({"model": "m", "max_tokens": 9, "messages": []});
    body.as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    let doc = anthropic::scan_request(&ByteString::from(body.to_string())).unwrap();
    encode(&anthropic::decode_request(&doc).unwrap(), dialect)
}

fn from_chat(body: &str, dialect: &Dialect) -> (Value, Vec<String>) {
    let doc = chat::scan_request(&ByteString::from(body)).unwrap();
    encode(&chat::decode_request(&doc).unwrap(), dialect)
}

/// An Anthropic conversation becomes these messages, with these losses.
#[track_caller]
fn check(messages: Value, expected: Value, losses: &[&str]) {
    check_with(&Dialect::default(), messages, expected, losses);
}

#[track_caller]
fn check_with(dialect: &Dialect, messages: Value, expected: Value, losses: &[&str]) {
    let (body, found) = from_anthropic(&json!({"messages": messages}), dialect);
    assert_eq!(body["messages"], expected);
    assert_eq!(found, losses);
}

/// Members of a request become these members, with these losses.
#[track_caller]
fn check_members(dialect: &Dialect, members: Value, expected: Value, losses: &[&str]) {
    let (body, found) = from_anthropic(&members, dialect);
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(
            body.get(key).unwrap_or(&Value::Null),
            value,
            "{key} of {members}"
        );
    }
    assert_eq!(found, losses, "{members}");
}

fn user(content: Value) -> Value {
    json!({"role": "user", "content": content})
}

fn call(id: &str) -> Value {
    json!({"type": "tool_use", "id": id, "name": "f", "input": {}})
}

fn called(ids: &[&str]) -> Value {
    let calls: Vec<Value> = ids.iter().map(|id| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}})).collect();
    json!({"role": "assistant", "tool_calls": calls})
}

fn result(id: &str, content: Value) -> Value {
    json!({"type": "tool_result", "tool_use_id": id, "content": content})
}

fn answered(id: &str, content: &str) -> Value {
    json!({"role": "tool", "tool_call_id": id, "content": content})
}
