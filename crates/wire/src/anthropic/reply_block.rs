//! A content block of a reply, as it opens a stream's block or stands whole in a message.

use crate::Wire;
use crate::json::{Text, Value};
use crate::turn::{Delta, Foreign, Opening};

/// How the block opens, and what it holds already.
pub(super) fn read(block: Value<'_>) -> (Opening, Vec<Delta>) {
    let kind = block.get("type").and_then(Value::str).unwrap_or_default();
    let text = |key: &str| block.get(key).and_then(Value::text);
    let filled = |key: &str| text(key).filter(|text| !text.is_empty());
    match &*kind {
        "text" => {
            let mut deltas: Vec<Delta> = filled("text").map(Delta::Text).into_iter().collect();
            let citations = block.get("citations").into_iter().flat_map(Value::items);
            deltas.extend(citations.map(|citation| Delta::Citation(foreign(citation))));
            (Opening::Text, deltas)
        }
        "thinking" => {
            let mut deltas: Vec<Delta> = filled("thinking")
                .map(Delta::Thinking)
                .into_iter()
                .collect();
            deltas.extend(filled("signature").map(Delta::Signature));
            (Opening::Thinking, deltas)
        }
        "redacted_thinking" => {
            let data = text("data").unwrap_or_default();
            (Opening::RedactedThinking { data }, Vec::new())
        }
        "tool_use" => {
            let opening = Opening::ToolUse {
                id: text("id").unwrap_or_default(),
                name: text("name").unwrap_or_default(),
                namespace: None,
                is_freeform: false,
                extra: block
                    .members()
                    .filter(|(key, _)| !matches!(&**key, "type" | "id" | "name" | "input"))
                    .map(|(key, value)| (key.into_owned().into(), value.to_raw()))
                    .collect(),
            };
            let input = block
                .get("input")
                .filter(|input| !input.is_null() && !is_empty_object(*input));
            let input = input.map(|input| Delta::Input(Text::plain(input.to_raw())));
            (opening, input.into_iter().collect())
        }
        _ => (Opening::Foreign(foreign(block)), Vec::new()),
    }
}

/// Something only this wire knows.
pub(super) fn foreign(value: Value<'_>) -> Foreign {
    Foreign {
        wire: Wire::Anthropic,
        raw: value.to_raw(),
    }
}

/// `{}`, which in a block that opens stands for "the input is still to come".
pub(super) fn is_empty_object(value: Value<'_>) -> bool {
    let inner = value
        .raw()
        .strip_prefix('{')
        .and_then(|raw| raw.strip_suffix('}'));
    inner.is_some_and(|inner| inner.trim().is_empty())
}
