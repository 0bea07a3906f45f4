//! Tool declarations.

use super::block::{cache, optional_text};
use super::{Extra, invalid};
use crate::Wire;
use crate::anthropic::reply_block::foreign;
use crate::json::{Kind, Value};
use crate::turn::{Failure, Node, Tool};

/// Decodes `tools`.
pub(super) fn decode(value: Value<'_>) -> Result<Vec<Node<Tool>>, Failure> {
    match value.kind() {
        Kind::Null => Ok(Vec::new()),
        Kind::Array => {
            // Counted first, for the same reason as messages.
            let mut tools = Vec::with_capacity(value.items().count());
            tools.extend(
                value
                    .items()
                    .map(|item| Node::received(tool(item), Wire::Anthropic, item.to_raw())),
            );
            Ok(tools)
        }
        Kind::Bool | Kind::Number | Kind::String | Kind::Object => {
            Err(invalid("tools: expected an array of tools"))
        }
    }
}

/// A tool of the client's own, or one known by its versioned type; a nameless one is carried as it is.
fn tool(value: Value<'_>) -> Tool {
    let (mut kind, mut name, mut description) = (None, None, None);
    let (mut input_schema, mut strict, mut deferred) = (None, None, false);
    let (mut hint, mut extra, mut rest) = (None, Extra::new(), Extra::new());
    for (key, member) in value.members() {
        match &*key {
            "type" if member.is_null() => {}
            "type" => kind = Some(member),
            "name" => name = member.text(),
            "description" => description = member.text(),
            "input_schema" if member.is_null() => {}
            "input_schema" => input_schema = Some(member.to_raw()),
            "strict" => strict = member.bool(),
            "defer_loading" => deferred = member.bool() == Some(true),
            "cache_control" => hint = cache(member, "", &mut rest),
            key => extra.push((key.into(), member.to_raw())),
        }
    }
    let is_custom = kind.is_none_or(|kind| kind.is_str("custom"));
    match name {
        Some(name) if is_custom => {
            extra.append(&mut rest);
            Tool::Function {
                namespace: None,
                name,
                description,
                input_schema,
                strict,
                deferred,
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
