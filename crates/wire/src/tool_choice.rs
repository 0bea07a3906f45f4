//! `tool_choice` as the Chat and Responses wires have it, flat or nested.

use bytestring::ByteString;

use crate::json::{Kind, Text, Value};
use crate::turn::ToolChoice;

/// A choice among some tools; `None` if it is not understood.
pub(crate) fn among(choice: Value<'_>) -> Option<ToolChoice> {
    let [mode, tools] = choice.pick(["mode", "tools"]);
    let is_required = match mode {
        None => false,
        Some(mode) if mode.is_str("auto") => false,
        Some(mode) if mode.is_str("required") => true,
        Some(_) => return None,
    };
    let tools = tools.filter(|tools| tools.kind() == Kind::Array)?;
    let names = tools.items().map(name);
    Some(ToolChoice::Among {
        names: names.collect::<Option<_>>()?,
        is_required,
    })
}

/// The name of the tool that is chosen.
pub(crate) fn name(tool: Value<'_>) -> Option<Text> {
    let [function, custom] = tool.pick(["function", "custom"]);
    function.or(custom).unwrap_or(tool).get("name")?.text()
}

/// What an object that is understood says beyond the choice, by its path: no host is known to read it, so that no encoder
/// writes it.
pub(crate) fn rest(choice: Value<'_>) -> Vec<(ByteString, ByteString)> {
    let mut found = Vec::new();
    collect(choice, "tool_choice", &mut found);
    found
}

fn collect(object: Value<'_>, path: &str, found: &mut Vec<(ByteString, ByteString)>) {
    const TYPES: [&str; 4] = ["function", "custom", "allowed_tools", "tool"];
    for (key, value) in object.members() {
        let is_read = match &*key {
            "type" => TYPES.iter().any(|known| value.is_str(known)),
            "name" | "mode" => value.kind() == Kind::String,
            "tools" => value.kind() == Kind::Array,
            key if TYPES.contains(&key) => value.kind() == Kind::Object,
            _ => false,
        };
        let path = format!("{path}.{key}");
        if !is_read {
            found.push((path.into(), value.to_raw()));
            continue;
        }
        for (nth, tool) in value.items().enumerate() {
            collect(tool, &format!("{path}[{nth}]"), found);
        }
        collect(value, &path, found);
    }
}
