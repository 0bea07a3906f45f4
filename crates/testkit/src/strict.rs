//! What the strictest providers of the Chat wire would refuse in a request.

use std::collections::HashSet;

use serde_json::Value;

use crate::Received;

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

/// Everything a strict provider would complain about; an empty list is a sound Chat request.
pub fn complaints(request: &Received) -> Vec<String> {
    let Ok(body) = serde_json::from_slice::<Value>(&request.body) else {
        return vec!["the body is not JSON".to_owned()];
    };
    let mut found = Vec::new();
    if let Some(keys) = body.as_object() {
        found.extend(
            keys.keys()
                .filter(|key| !KEYS.contains(&key.as_str()))
                .map(|key| format!("unknown key {key}")),
        );
    }
    for word in [
        "cache_control",
        "x-anthropic-billing-header",
        "DeferredToolPlaceholder",
        "defer_loading",
    ] {
        if request.text().contains(&format!("\"{word}")) {
            found.push(format!("{word} is the client's business"));
        }
    }
    for (n, tool) in list(&body["tools"]).iter().enumerate() {
        found.extend(tool_complaint(tool).map(|complaint| format!("tool {n}: {complaint}")));
    }
    messages(list(&body["messages"]), &mut found);
    found
}

fn tool_complaint(tool: &Value) -> Option<&'static str> {
    let function = &tool["function"];
    let name = function["name"].as_str().unwrap_or_default();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if tool["type"] != "function" {
        Some("not a function")
    } else if name.is_empty() || name.len() > 64 || !name.bytes().all(fits) {
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

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
