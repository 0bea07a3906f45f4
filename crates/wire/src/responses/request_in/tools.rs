//! Tool declarations, flat as this wire has them and nested as Chat has them.
//!
//! The tools of a namespace are tools of their own that know their namespace. The first of them holds the bytes of the
//! whole namespace, the others none.

use bytestring::ByteString;

use crate::Wire;
use crate::json::{Kind, Text, Value};
use crate::turn::{CacheHint, Foreign, Node, Tool};

use super::{Extra, others, others_below};

/// Members of a namespace that have no place in its tools stand in the first tool's `extra` under this prefix.
pub(in crate::responses) const NAMESPACE_PREFIX: &str = "namespace.";

/// The tools of a list, which stands at `path`. What free-text tools say beyond the hub goes to `rest`.
pub(super) fn decode(tools: Option<Value<'_>>, path: &str, rest: &mut Extra) -> Vec<Node<Tool>> {
    let mut decoded = Vec::new();
    for (nth, tool) in tools.into_iter().flat_map(Value::items).enumerate() {
        if tool.get("type").is_some_and(|kind| kind.is_str("custom")) {
            const KNOWN: [&str; 4] = ["name", "description", "format", "custom"];
            let path = format!("{path}[{nth}]");
            let inner = tool
                .get("custom")
                .filter(|inner| inner.kind() == Kind::Object);
            rest.extend(others_below(&path, tool, &[&["type"], &KNOWN[..]].concat()));
            rest.extend(inner.into_iter().flat_map(|inner| {
                others_below(&format!("{path}.custom"), inner, &KNOWN).collect::<Extra>()
            }));
        }
        if tool
            .get("type")
            .is_some_and(|kind| kind.is_str("namespace"))
        {
            namespace(tool, &mut decoded);
        } else {
            decoded.push(Node::received(
                of_tool(tool, None),
                Wire::Responses,
                tool.to_raw(),
            ));
        }
    }
    decoded
}

fn namespace(tool: Value<'_>, decoded: &mut Vec<Node<Tool>>) {
    let name = tool.get("name").and_then(Value::text);
    let mut raw = tool.to_raw();
    let mut about = others(tool, &["type", "name", "tools"]);
    let is_empty = tool
        .get("tools")
        .is_none_or(|tools| tools.items().next().is_none());
    if is_empty {
        decoded.push(Node::received(of_tool(tool, None), Wire::Responses, raw));
        return;
    }
    for inner in tool.get("tools").into_iter().flat_map(Value::items) {
        let mut tool = of_tool(inner, name.as_ref());
        if let Tool::Function { extra, .. } = &mut tool {
            let named = |(key, raw): (ByteString, ByteString)| {
                (format!("{NAMESPACE_PREFIX}{key}").into(), raw)
            };
            extra.extend(std::mem::take(&mut about).into_iter().map(named));
        }
        decoded.push(Node::received(
            tool,
            Wire::Responses,
            std::mem::take(&mut raw),
        ));
    }
}

fn of_tool(tool: Value<'_>, namespace: Option<&Text>) -> Tool {
    let text = |holder: Value<'_>, key: &str| holder.get(key).and_then(Value::text);
    let kind = text(tool, "type");
    let nested = |key: &str| tool.get(key).filter(|holder| holder.kind() == Kind::Object);
    let kind_word = kind.as_ref().map(Text::decode);
    match kind_word.as_deref() {
        Some("function") => of_function(nested("function").unwrap_or(tool), namespace),
        None if tool.get("name").is_some() || nested("function").is_some() => {
            of_function(nested("function").unwrap_or(tool), namespace)
        }
        Some("custom") => {
            let custom = nested("custom").unwrap_or(tool);
            Tool::Freeform {
                name: text(custom, "name").unwrap_or_default(),
                namespace: namespace.cloned(),
                description: text(custom, "description"),
                format: custom
                    .get("format")
                    .filter(|format| !format.is_null())
                    .map(Value::to_raw),
            }
        }
        _ => Tool::Hosted {
            name: text(tool, "name"),
            declaration: Foreign {
                wire: Wire::Responses,
                raw: tool.to_raw(),
            },
            kind: kind.unwrap_or(Text::from_static("unknown")),
        },
    }
}

fn of_function(function: Value<'_>, namespace: Option<&Text>) -> Tool {
    const KNOWN: [&str; 7] = [
        "type",
        "name",
        "description",
        "parameters",
        "strict",
        "defer_loading",
        "prompt_cache_breakpoint",
    ];
    Tool::Function {
        name: function
            .get("name")
            .and_then(Value::text)
            .unwrap_or_default(),
        namespace: namespace.cloned(),
        description: function.get("description").and_then(Value::text),
        input_schema: function
            .get("parameters")
            .filter(|schema| !schema.is_null())
            .map(Value::to_raw),
        strict: function.get("strict").and_then(Value::bool),
        deferred: function
            .get("defer_loading")
            .and_then(Value::bool)
            .unwrap_or(false),
        cache: function
            .get("prompt_cache_breakpoint")
            .filter(|hint| !hint.is_null())
            .map(|_| CacheHint::Default),
        extra: others(function, &KNOWN),
    }
}
