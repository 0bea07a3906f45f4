//! Tool declarations.

use super::block::{cache, optional_text, others};
use super::{Extra, invalid};
use crate::Wire;
use crate::anthropic::reply_block::foreign;
use crate::json::{Kind, Value};
use crate::turn::{Failure, Node, Tool};

/// Decodes `tools`.
pub(super) fn decode(value: Value<'_>) -> Result<Vec<Node<Tool>>, Failure> {
    match value.kind() {
        Kind::Null => Ok(Vec::new()),
        Kind::Array => Ok(value
            .items()
            .map(|item| Node::received(tool(item), Wire::Anthropic, item.to_raw()))
            .collect()),
        Kind::Bool | Kind::Number | Kind::String | Kind::Object => {
            Err(invalid("tools: expected an array of tools"))
        }
    }
}

/// A tool of the client's own, or one known by its versioned type; a nameless one is carried as it is.
fn tool(value: Value<'_>) -> Tool {
    let kind = value.get("type").filter(|kind| !kind.is_null());
    let is_custom = kind.is_none_or(|kind| kind.is_str("custom"));
    let name = optional_text(value.get("name"));
    match name {
        Some(name) if is_custom => {
            let mut extra = others(
                value,
                &[
                    "type",
                    "name",
                    "description",
                    "input_schema",
                    "strict",
                    "defer_loading",
                    "cache_control",
                ],
            );
            let mut rest = Extra::new();
            let hint = value
                .get("cache_control")
                .and_then(|hint| cache(hint, "", &mut rest));
            extra.append(&mut rest);
            Tool::Function {
                namespace: None,
                name,
                description: optional_text(value.get("description")),
                input_schema: value
                    .get("input_schema")
                    .filter(|schema| !schema.is_null())
                    .map(Value::to_raw),
                strict: value.get("strict").and_then(Value::bool),
                deferred: value
                    .get("defer_loading")
                    .and_then(Value::bool)
                    .unwrap_or(false),
                cache: hint,
                extra,
            }
        }
        name => Tool::Hosted {
            kind: optional_text(kind).unwrap_or_else(|| "custom".into()),
            name,
            declaration: foreign(value),
        },
    }
}
