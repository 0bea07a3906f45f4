//! A strict provider of the Anthropic wire.

use serde_json::Value;

use super::{is_name, list, text, unknown_keys};
use crate::anthropic::SEAL;

const KEYS: &[&str] = &[
    "model",
    "messages",
    "system",
    "max_tokens",
    "metadata",
    "stop_sequences",
    "stream",
    "temperature",
    "top_p",
    "top_k",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "service_tier",
    "context_management",
    "cache_control",
];

pub(super) fn complaints(body: &Value, found: &mut Vec<String>) {
    unknown_keys(body, KEYS, found);
    if !body["max_tokens"].is_u64() {
        found.push("no max_tokens".to_owned());
    }
    let markers = body.to_string().matches("\"cache_control\":").count();
    if markers > 4 {
        found.push(format!(
            "{markers} cache_control markers, at most 4 are taken"
        ));
    }
    for (n, tool) in list(&body["tools"]).iter().enumerate() {
        // A tool with a type is one of the provider's own.
        let is_own = tool.get("type").is_some_and(|kind| kind != "custom");
        if !is_name(text(&tool["name"]), 128) {
            found.push(format!(
                "tool {n}: its name does not fit [A-Za-z0-9_-]{{1,128}}"
            ));
        }
        if !is_own && tool["input_schema"]["type"] != "object" {
            found.push(format!(
                "tool {n}: its input_schema is not an object schema"
            ));
        }
    }
    let messages = list(&body["messages"]);
    if messages.first().is_none_or(|first| first["role"] != "user") {
        found.push("the first message is not the user's".to_owned());
    }
    let mut open: Vec<&str> = Vec::new();
    for (n, message) in messages.iter().enumerate() {
        match text(&message["role"]) {
            "user" | "assistant" => {}
            other => found.push(format!("message {n} has the role {other:?}")),
        }
        content(n, message, found);
        let of = |kind: &str, member: &str| -> Vec<&str> {
            let blocks = list(&message["content"]).iter();
            let of_kind = blocks.filter(|block| block["type"] == kind);
            of_kind.map(|block| text(&block[member])).collect()
        };
        for answered in of("tool_result", "tool_use_id") {
            match open.iter().position(|call| *call == answered) {
                Some(at) => drop(open.remove(at)),
                None => found.push(format!(
                    "message {n} answers {answered}, which was not called right before"
                )),
            }
        }
        if !open.is_empty() {
            found.push(format!("message {n} leaves {open:?} without a result"));
        }
        open = of("tool_use", "id");
        let bad = open.iter().filter(|id| !is_name(id, 128));
        found.extend(bad.map(|id| format!("message {n}: the id {id} does not fit")));
    }
    if !open.is_empty() {
        found.push(format!("the calls {open:?} have no result"));
    }
}

fn content(n: usize, message: &Value, found: &mut Vec<String>) {
    if let Value::String(whole) = &message["content"] {
        if whole.is_empty() {
            found.push(format!("message {n} is empty"));
        }
        return;
    }
    let blocks = list(&message["content"]);
    if blocks.is_empty() {
        found.push(format!("message {n} is empty"));
    }
    for block in blocks {
        match text(&block["type"]) {
            "text" if text(&block["text"]).trim().is_empty() => {
                found.push(format!("message {n} holds an empty text"));
            }
            "thinking" if block["signature"] != SEAL => {
                found.push(format!(
                    "message {n}: the signature {} is not ours",
                    block["signature"]
                ));
            }
            "tool_use" if !block["input"].is_object() => {
                found.push(format!("message {n}: a tool_use without an input object"));
            }
            "text" | "image" | "document" | "thinking" | "redacted_thinking" | "tool_use"
            | "tool_result" => {}
            other => found.push(format!("message {n} holds a block {other:?}")),
        }
    }
}
