//! A strict provider of the Chat wire.

use std::collections::HashSet;

use serde_json::Value;

use super::{is_name, list, unknown_keys};

/// Keys of a Chat request that hosts document; several of them answer 400 to any other.
const KEYS: &[&str] = &[
    "model",
    "messages",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "stop",
    "n",
    "seed",
    "user",
    "reasoning_effort",
    "thinking",
    "response_format",
    "frequency_penalty",
    "presence_penalty",
    "prompt_cache_key",
    "logprobs",
    "top_logprobs",
    "metadata",
    "store",
    "safety_identifier",
];

pub(super) fn complaints(body: &Value, found: &mut Vec<String>) {
    unknown_keys(body, KEYS, found);
    let whole = body.to_string();
    for word in ["cache_control", "DeferredToolPlaceholder", "defer_loading"] {
        if whole.contains(&format!("\"{word}")) {
            found.push(format!("{word} is the client's business"));
        }
    }
    for (n, tool) in list(&body["tools"]).iter().enumerate() {
        found.extend(tool_complaint(tool).map(|complaint| format!("tool {n}: {complaint}")));
    }
    messages(list(&body["messages"]), found);
}

fn tool_complaint(tool: &Value) -> Option<&'static str> {
    let function = &tool["function"];
    let name = function["name"].as_str().unwrap_or_default();
    if tool["type"] != "function" {
        Some("not a function")
    } else if !is_name(name, 64) {
        Some("its name does not fit [A-Za-z0-9_-]{1,64}")
    } else if function["parameters"]["type"] != "object" {
        Some("its parameters are not an object schema")
    } else {
        None
    }
}

/// Every call is answered by the messages right after it, once, and nothing else is.
fn messages(messages: &[Value], found: &mut Vec<String>) {
    let mut seen = HashSet::new();
    let mut open: Vec<&str> = Vec::new();
    if messages.is_empty() {
        found.push("no messages".to_owned());
    }
    for (n, message) in messages.iter().enumerate() {
        let role = message["role"].as_str().unwrap_or_default();
        if role == "tool" {
            let id = message["tool_call_id"].as_str().unwrap_or_default();
            match open.iter().position(|call| *call == id) {
                Some(at) => drop(open.remove(at)),
                None => found.push(format!(
                    "message {n} answers {id}, which was not called right before"
                )),
            }
        } else if !open.is_empty() {
            found.push(format!(
                "message {n} stands between a call and the result of {open:?}"
            ));
            open.clear();
        }
        match role {
            "system" | "developer" | "user" | "tool"
                if is_empty(&message["content"]) && role != "tool" =>
            {
                found.push(format!("message {n} ({role}) is empty"));
            }
            "system" | "developer" | "user" | "tool" => {}
            "assistant" => {
                let calls = list(&message["tool_calls"]);
                if calls.is_empty() && is_empty(&message["content"]) {
                    found.push(format!("message {n} (assistant) is empty"));
                }
                for call in calls {
                    let id = call["id"].as_str().unwrap_or_default();
                    if !seen.insert(id) {
                        found.push(format!("message {n} repeats the call id {id}"));
                    }
                    let arguments = call["function"]["arguments"].as_str().unwrap_or_default();
                    if !serde_json::from_str(arguments)
                        .is_ok_and(|arguments: Value| arguments.is_object())
                    {
                        found.push(format!(
                            "message {n}: the arguments of {id} are not a JSON object: {arguments}"
                        ));
                    }
                    open.push(id);
                }
            }
            other => found.push(format!("message {n} has the role {other:?}")),
        }
    }
    if !open.is_empty() {
        found.push(format!("the calls {open:?} have no result"));
    }
}

fn is_empty(content: &Value) -> bool {
    match content {
        Value::String(text) => text.is_empty(),
        Value::Array(parts) => parts.is_empty(),
        _ => true,
    }
}
