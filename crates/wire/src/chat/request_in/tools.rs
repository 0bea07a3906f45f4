//! Tool declarations, of today and of the time when they were called functions.

use crate::Wire;
use crate::json::{Kind, Text, Value};
use crate::turn::{Foreign, Node, Tool};

use super::content::cache_hint;
use super::{Extra, others, others_below};

/// The tools of a request. What free-text tools say beyond the hub goes to `rest`, by its path.
pub(super) fn decode(root: Value<'_>, rest: &mut Extra) -> Vec<Node<Tool>> {
    let items = |key: &str| root.get(key).into_iter().flat_map(Value::items);
    for (nth, tool) in items("tools").enumerate() {
        if let Some(custom) = tool.get("custom").filter(|own| own.kind() == Kind::Object) {
            let path = format!("tools[{nth}].");
            rest.extend(others_below(&path, tool, &["type", "custom"]));
            const KNOWN: [&str; 3] = ["name", "description", "format"];
            rest.extend(others_below(&format!("{path}custom."), custom, &KNOWN));
        }
    }
    let declared =
        items("tools").map(|tool| Node::received(of_tool(tool), Wire::Chat, tool.to_raw()));
    // A legacy function goes out as a tool: few hosts know the old member any more.
    let legacy = items("functions").map(|function| Node::new(of_function(function, function)));
    declared.chain(legacy).collect()
}

fn of_tool(tool: Value<'_>) -> Tool {
    let text = |holder: Value<'_>, key: &str| holder.get(key).and_then(Value::text);
    let object = |key: &str| tool.get(key).filter(|holder| holder.kind() == Kind::Object);
    if let Some(function) = object("function") {
        return of_function(function, tool);
    }
    if let Some(custom) = object("custom") {
        return Tool::Freeform {
            name: text(custom, "name").unwrap_or_default(),
            namespace: None,
            description: text(custom, "description"),
            format: custom.get("format").map(Value::to_raw),
        };
    }
    Tool::Hosted {
        kind: text(tool, "type").unwrap_or(Text::from_static("unknown")),
        name: text(tool, "name"),
        declaration: Foreign {
            wire: Wire::Chat,
            raw: tool.to_raw(),
        },
    }
}

/// `holder` is the tool around the function, or the function itself.
fn of_function(function: Value<'_>, holder: Value<'_>) -> Tool {
    let is_wrapped = holder.get("function").is_some();
    let mut extra = others(
        function,
        &[
            "name",
            "description",
            "parameters",
            "strict",
            "cache_control",
        ],
    );
    if is_wrapped {
        extra.extend(others(holder, &["type", "function", "cache_control"]));
    }
    Tool::Function {
        name: function
            .get("name")
            .and_then(Value::text)
            .unwrap_or_default(),
        namespace: None,
        description: function.get("description").and_then(Value::text),
        input_schema: function
            .get("parameters")
            .filter(|schema| !schema.is_null())
            .map(Value::to_raw),
        strict: function.get("strict").and_then(Value::bool),
        deferred: false,
        cache: cache_hint(holder),
        extra,
    }
}
