//! A strict provider of the Gemini wire, with a model that signs its calls.

use serde_json::Value;

use super::{foreign_members, is_name, list, text, unknown_keys};
use crate::gemini::SEAL;

/// Takes a signature's place in a history of other models or of clients that lose it:
/// <https://ai.google.dev/gemini-api/docs/thought-signatures>, read 2026-11.
const UNSIGNED: &str = "skip_thought_signature_validator";

const KEYS: &[&str] = &[
    "contents",
    "systemInstruction",
    "tools",
    "toolConfig",
    "safetySettings",
    "generationConfig",
    "cachedContent",
    "labels",
];

pub(super) fn complaints(body: &Value, found: &mut Vec<String>) {
    unknown_keys(body, KEYS, found);
    foreign_members(
        body,
        &["cache_control", "encrypted_content", "tool_use_id"],
        found,
    );
    let tools = list(&body["tools"]).iter();
    for tool in tools.flat_map(|tool| list(&tool["functionDeclarations"])) {
        let name = text(&tool["name"]);
        // Dots and colons are taken, too; nothing that is offered needs them.
        if !is_name(name, 64) {
            found.push(format!(
                "the function {name:?} has a name that does not fit"
            ));
        }
        for word in [
            "\"$schema\":",
            "\"additionalProperties\":",
            "\"$ref\":",
            "\"const\":",
        ] {
            if tool["parameters"].to_string().contains(word) {
                found.push(format!("the parameters of {name} hold {word}"));
            }
        }
    }
    let contents = &merged(list(&body["contents"]));
    if contents.first().is_none_or(|first| first["role"] != "user") {
        found.push("the contents do not begin with the user's".to_owned());
    }
    let is_said = |content: &Value| {
        list(&content["parts"])
            .iter()
            .any(|part| part.get("text").is_some())
    };
    // Signatures are asked for since the user last said something.
    let current = contents
        .iter()
        .rposition(|content| content["role"] == "user" && is_said(content));
    let mut open: Vec<&str> = Vec::new();
    for (n, content) in contents.iter().enumerate() {
        let parts = list(&content["parts"]);
        let names = |kind: &str| -> Vec<&str> {
            let of_kind = parts.iter().filter_map(|part| part.get(kind));
            of_kind.map(|part| text(&part["name"])).collect()
        };
        if parts.is_empty() {
            found.push(format!("content {n} is empty"));
        }
        match text(&content["role"]) {
            "user" | "model" => {}
            other => found.push(format!("content {n} has the role {other:?}")),
        }
        let mut answered = names("functionResponse");
        answered.sort_unstable();
        open.sort_unstable();
        if answered != open {
            found.push(format!(
                "content {n} answers {answered:?}, called were {open:?}"
            ));
        }
        open = names("functionCall");
        for part in parts {
            let signature = &part["thoughtSignature"];
            if !signature.is_null() && signature != SEAL && signature != UNSIGNED {
                found.push(format!(
                    "content {n}: the signature {signature} is not ours"
                ));
            }
        }
        let first_call = parts.iter().find(|part| part.get("functionCall").is_some());
        if current.is_some_and(|current| n > current)
            && first_call.is_some_and(|call| call["thoughtSignature"].is_null())
        {
            found.push(format!("content {n}: its first call has no signature"));
        }
    }
    if !open.is_empty() {
        found.push(format!("the calls {open:?} have no response"));
    }
}

/// Contents of one speaker behind each other are one to this API; Google's SDKs send a streamed answer back so.
fn merged(contents: &[Value]) -> Vec<Value> {
    let mut merged: Vec<Value> = Vec::new();
    for content in contents {
        match merged.last_mut() {
            Some(last) if last["role"] == content["role"] => {
                if let Some(parts) = last["parts"].as_array_mut() {
                    parts.extend(list(&content["parts"]).iter().cloned());
                }
            }
            _ => merged.push(content.clone()),
        }
    }
    merged
}
