//! Steps that another provider ran itself, told in words: no other wire has them, and the model must know what it knew.

use crate::json::{Kind, Text, Value, scan_reply};
use crate::turn::ServerToolUse;

use super::content::Part;

/// Members that say nothing to a reader.
const SILENT: &[&str] = &[
    "type",
    "id",
    "tool_use_id",
    "caller",
    "citations",
    "cache_control",
    "media_type",
    "encrypted_content",
    "encrypted_index",
    "encrypted_stdout",
];

/// The step as a part of the message it stands in.
pub(super) fn told(step: &ServerToolUse) -> Option<Part> {
    let doc = scan_reply(&step.block.raw, &[]).ok()?;
    let block = doc.root();
    let text = match &step.name {
        Some(name) => {
            let input = block.get("input").map_or("{}", Value::raw);
            format!("[Server tool `{}` was called with {input}]", name.decode())
        }
        None => {
            let mut lines = vec!["[Result of the server tool]".to_owned()];
            if let Some(content) = block.get("content") {
                read("", content, &mut lines);
            }
            lines.join("\n")
        }
    };
    Some(Part::text(Text::from(text)))
}

/// Appends what a person would read in a result, a line a value.
fn read(name: &str, value: Value<'_>, lines: &mut Vec<String>) {
    match value.kind() {
        Kind::String => {
            let text = value.str().unwrap_or_default();
            if !text.trim().is_empty() {
                lines.push(text.into_owned());
            }
        }
        Kind::Number | Kind::Bool => lines.push(format!("{name}: {}", value.raw())),
        Kind::Null => {}
        Kind::Array => value.items().for_each(|item| read(name, item, lines)),
        // Pictures and files are no words.
        Kind::Object if value.get("type").is_some_and(|kind| kind.is_str("base64")) => {}
        Kind::Object => {
            for (name, member) in value.members() {
                if !SILENT.contains(&&*name) {
                    read(&name, member, lines);
                }
            }
        }
    }
}
