//! Values in a few words.

use serde_json::Value;

/// A value in a few words: of messages who says what, of tools their names.
pub(super) fn brief(value: &Value) -> String {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let parts = |value: &Value| match value {
        Value::Array(items) => items.iter().map(brief).collect::<Vec<_>>().join(" "),
        other => brief(other),
    };
    if let Value::String(text) = value {
        return text.clone();
    }
    let kind = text("type").unwrap_or_default();
    if let Some(role) = text("role") {
        let members = ["content", "parts", "tool_calls"];
        let said = members.iter().filter_map(|name| value.get(*name));
        let said: Vec<_> = said.filter(|value| !value.is_null()).map(parts).collect();
        return format!("{role}: {}", said.join(" "));
    }
    let call = value.get("functionCall").or_else(|| value.get("function"));
    match kind {
        "tool_use" => format!(
            "{} {}",
            text("name").unwrap_or_default(),
            compact(value.get("input"))
        ),
        "tool_result" => format!(
            "result {}",
            value.get("content").map(parts).unwrap_or_default()
        ),
        _ if call
            .is_some_and(|call| call.get("arguments").or_else(|| call.get("args")).is_some()) =>
        {
            let call = call.unwrap_or(value);
            let name = call.get("name").and_then(Value::as_str).unwrap_or_default();
            let arguments = call.get("arguments").or_else(|| call.get("args"));
            let arguments = arguments.map(|value| {
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned)
            });
            format!("{name} {}", arguments.unwrap_or_default())
        }
        _ => match text("text").or_else(|| text("thinking")) {
            Some(text) => text.to_owned(),
            None => value.to_string(),
        },
    }
}

fn compact(value: Option<&Value>) -> String {
    value.map(Value::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn messages_in_a_few_words() {
        for (value, expected) in [
            (json!("plain"), "plain"),
            (json!({"role": "user", "content": "hi"}), "user: hi"),
            (
                json!({"role": "assistant", "content": [{"type": "text", "text": "so"}, {"type": "tool_use", "name": "Bash", "input": {"a": 1}}]}),
                "assistant: so Bash {\"a\":1}",
            ),
            (
                json!({"role": "user", "content": [{"type": "tool_result", "content": "done"}]}),
                "user: result done",
            ),
            (
                json!({"role": "assistant", "content": null, "tool_calls": [{"id": "1", "type": "function", "function": {"name": "Read", "arguments": "{}"}}]}),
                "assistant: Read {}",
            ),
            (
                json!({"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"x": 1}}}]}),
                "model: f {\"x\":1}",
            ),
            (json!({"x": 1}), "{\"x\":1}"),
        ] {
            assert_eq!(brief(&value), expected);
        }
    }
}
