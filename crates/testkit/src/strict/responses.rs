//! A strict provider of the Responses wire, which stores nothing.

use std::collections::HashSet;

use serde_json::Value;

use super::{foreign_members, is_name, list, text, unknown_keys};
use crate::responses::SEAL;

const KEYS: &[&str] = &[
    "model",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "max_output_tokens",
    "temperature",
    "top_p",
    "stream",
    "stream_options",
    "store",
    "include",
    "reasoning",
    "text",
    "metadata",
    "client_metadata",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "truncation",
    "user",
    "previous_response_id",
];

/// Item types, with the start of their ids.
const ITEMS: &[(&str, &str)] = &[
    ("message", "msg"),
    ("reasoning", "rs"),
    ("function_call", "fc"),
    ("function_call_output", "fco"),
    ("custom_tool_call", "ctc"),
    // Codex numbers its own `ctco_`.
    ("custom_tool_call_output", "ct"),
];

const TOOLS: &[&str] = &["function", "custom", "namespace", "web_search"];

pub(super) fn complaints(body: &Value, found: &mut Vec<String>) {
    unknown_keys(body, KEYS, found);
    foreign_members(body, &["cache_control", "thoughtSignature"], found);
    if body["store"] != false {
        found.push("store is not false: the conversation would be kept".to_owned());
    }
    for (n, tool) in list(&body["tools"]).iter().enumerate() {
        tool_complaints(n, tool, found);
    }
    let input = match &body["input"] {
        Value::String(prompt) if !prompt.is_empty() => return,
        items => list(items),
    };
    if input.is_empty() {
        found.push("no input".to_owned());
    }
    let mut open = HashSet::new();
    for (n, item) in input.iter().enumerate() {
        let kind = item["type"].as_str().unwrap_or("message");
        let Some((_, start)) = ITEMS.iter().find(|(known, _)| *known == kind) else {
            found.push(format!("item {n} is of the type {kind:?}"));
            continue;
        };
        if item["id"].as_str().is_some_and(|id| !id.starts_with(start)) {
            found.push(format!(
                "item {n}: the id {} does not begin with {start}",
                item["id"]
            ));
        }
        let call = text(&item["call_id"]);
        match kind {
            "message" => message(n, item, found),
            "reasoning" if item["encrypted_content"] != SEAL => found.push(format!(
                "item {n}: the encrypted_content {} is not ours",
                item["encrypted_content"]
            )),
            "reasoning" => {}
            "function_call_output" | "custom_tool_call_output" => {
                if !open.remove(call) {
                    found.push(format!("item {n} answers {call}, which is not open"));
                }
                if item["output"].is_null() {
                    found.push(format!("item {n} has no output"));
                }
            }
            _ => {
                if call.is_empty() || call.len() > 64 || !open.insert(call) {
                    found.push(format!(
                        "item {n}: the call_id {call:?} is empty, long or taken"
                    ));
                }
                let arguments = serde_json::from_str::<Value>(text(&item["arguments"]));
                if kind == "function_call" && !arguments.is_ok_and(|value| value.is_object()) {
                    found.push(format!("item {n}: its arguments are not a JSON object"));
                }
            }
        }
    }
    if !open.is_empty() {
        found.push(format!("the calls {open:?} have no output"));
    }
}

fn tool_complaints(n: usize, tool: &Value, found: &mut Vec<String>) {
    let kind = text(&tool["type"]);
    if !TOOLS.contains(&kind) {
        found.push(format!("tool {n} is of the type {kind:?}"));
    }
    if kind != "web_search" && !is_name(text(&tool["name"]), 64) {
        found.push(format!(
            "tool {n}: its name does not fit [A-Za-z0-9_-]{{1,64}}"
        ));
    }
    if kind == "function" && tool["parameters"]["type"] != "object" {
        found.push(format!("tool {n}: its parameters are not an object schema"));
    }
    for (inner, tool) in list(&tool["tools"]).iter().enumerate() {
        tool_complaints(n * 1000 + inner, tool, found);
    }
}

fn message(n: usize, item: &Value, found: &mut Vec<String>) {
    let role = text(&item["role"]);
    if !["user", "assistant", "system", "developer"].contains(&role) {
        found.push(format!("item {n} has the role {role:?}"));
    }
    for part in list(&item["content"]) {
        let kind = text(&part["type"]);
        let fits = match role {
            "assistant" => matches!(kind, "output_text" | "refusal"),
            _ => matches!(kind, "input_text" | "input_image" | "input_file"),
        };
        if !fits {
            found.push(format!("item {n}: {role} holds a part {kind:?}"));
        }
    }
}
