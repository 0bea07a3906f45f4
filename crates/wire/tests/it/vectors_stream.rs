//! The stream vectors: a Chat host's chunks against an Anthropic client's events, and the other way round.

use serde_json::{Value, json};

use crate::chat_chain::{data, lines, read_anthropic, read_chat, to_anthropic, to_chat};

/// A host's stream out of chunks.
pub(crate) fn chat_stream(chunks: &[Value]) -> String {
    let mut text: String = chunks
        .iter()
        .map(|chunk| format!("data: {chunk}\n\n"))
        .collect();
    text.push_str("data: [DONE]\n\n");
    text
}

#[test]
fn chunks_become_events() {
    for vector in lines("vectors/stream.jsonl") {
        let stream = chat_stream(vector["chunks"].as_array().unwrap());
        let found = data(&to_anthropic(&read_chat(&[stream.as_bytes()])));
        assert_eq!(
            anthropic_shape(found),
            anthropic_shape(vector["events"].as_array().unwrap().clone()),
            "{} {}",
            vector["id"],
            vector["note"]
        );
    }
}

#[test]
fn events_become_chunks() {
    for vector in lines("vectors/rev.jsonl") {
        let events = vector["events"].as_array().unwrap();
        let stream: String = events
            .iter()
            .map(|event| {
                format!(
                    "event: {}\ndata: {event}\n\n",
                    event["type"].as_str().unwrap()
                )
            })
            .collect();
        let found = data(&to_chat(&read_anthropic(&stream)));
        assert_eq!(
            chat_shape(found),
            chat_shape(vector["chat"].as_array().unwrap().clone()),
            "{} {}",
            vector["id"],
            vector["note"]
        );
    }
}

/// Every vector's stream survives the way to a Chat client too.
#[test]
fn chunks_become_chunks() {
    for vector in lines("vectors/stream.jsonl") {
        let stream = chat_stream(vector["chunks"].as_array().unwrap());
        let first = read_chat(&[stream.as_bytes()]);
        let is_fault = first.fault.is_some();
        let written = to_chat(&first);
        let second = read_chat(&[written.as_bytes()]);
        assert_eq!(second.fault.is_some(), is_fault, "{}", vector["id"]);
        // What a Chat client was sent is what an Anthropic client would have been sent, but for the places of reasoning.
        let texts = |written: &str, kind: &str| -> String {
            data(written)
                .iter()
                .filter_map(|event| event["delta"][kind].as_str().map(str::to_owned))
                .collect()
        };
        for kind in ["text", "partial_json", "thinking"] {
            assert_eq!(
                texts(&to_anthropic(&second), kind),
                texts(&to_anthropic(&first), kind),
                "{}",
                vector["id"]
            );
        }
    }
}

/// Joins adjacent deltas of a block; takes out ids, signatures, the estimate at the start and pings.
fn anthropic_shape(events: Vec<Value>) -> Vec<Value> {
    let mut shape: Vec<Value> = Vec::new();
    for mut event in events {
        match event["type"].as_str().unwrap() {
            "ping" => continue,
            "message_start" => {
                event = json!({"type": "message_start", "content": event["message"]["content"], "stop": event["message"]["stop_reason"]})
            }
            "content_block_start" => {
                if let Some(id) = event["content_block"].get_mut("id") {
                    *id = json!("ID");
                }
            }
            "content_block_delta" => {
                if event["delta"]["type"] == "signature_delta" {
                    event["delta"]["signature"] = json!("SIG");
                }
                let member = ["text", "thinking", "partial_json"]
                    .into_iter()
                    .find(|key| event["delta"].get(key).is_some());
                if let (Some(member), Some(last)) = (member, shape.last_mut())
                    && last["index"] == event["index"]
                    && last["delta"].get(member).is_some()
                {
                    let joined = format!(
                        "{}{}",
                        last["delta"][member].as_str().unwrap(),
                        event["delta"][member].as_str().unwrap()
                    );
                    last["delta"][member] = json!(joined);
                    continue;
                }
            }
            "error" => {
                event = json!({"type": "error", "error": {"type": event["error"]["type"], "message": event["error"]["message"]}})
            }
            "message_delta" => {
                event["delta"]
                    .as_object_mut()
                    .unwrap()
                    .remove("stop_details");
                event["delta"].as_object_mut().unwrap().remove("container");
                event["usage"]
                    .as_object_mut()
                    .unwrap()
                    .retain(|_, value| !value.is_null());
            }
            _ => {}
        }
        shape.push(event);
    }
    shape
}

/// Joins adjacent deltas of one member; takes out what our exchange decides, and chunks that carry a seal.
fn chat_shape(chunks: Vec<Value>) -> Vec<Value> {
    let mut shape: Vec<Value> = Vec::new();
    for mut chunk in chunks {
        for key in ["id", "model", "created"] {
            chunk.as_object_mut().unwrap().remove(key);
        }
        let delta = &chunk["choices"][0]["delta"];
        if delta.get("reasoning_details").is_some() {
            continue;
        }
        let member = ["content", "reasoning_content"]
            .into_iter()
            .find(|key| delta.get(key).is_some() && delta.get("role").is_none());
        if let (Some(member), Some(last)) = (member, shape.last_mut())
            && last["choices"][0]["delta"].get("role").is_none()
            && let Some(before) = last["choices"][0]["delta"].get(member)
        {
            let joined = format!(
                "{}{}",
                before.as_str().unwrap(),
                delta[member].as_str().unwrap()
            );
            last["choices"][0]["delta"][member] = json!(joined);
            continue;
        }
        shape.push(chunk);
    }
    shape
}
