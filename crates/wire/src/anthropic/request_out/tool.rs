//! Tool declarations.

use super::Encoder;
use crate::Wire;
use crate::json::Text;
use crate::turn::Place;
use crate::turn::{Node, Tool};

/// The schema of a tool whose client gave none: this API asks for one.
const ANY_OBJECT: &str = r#"{"type":"object"}"#;

/// The schema of a tool that takes free text.
const FREE_TEXT: &str =
    r#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}"#;

impl Encoder<'_> {
    /// Writes `tools`, if there are any.
    pub(super) fn tools(&mut self, tools: &[Node<Tool>]) {
        if tools.is_empty() {
            return;
        }
        self.json.key("tools").begin_array();
        for (nth, node) in tools.iter().enumerate() {
            match node.raw(Wire::Anthropic) {
                Some(raw) => {
                    self.json.raw(raw);
                }
                None => self.tool(node, &Place::root("tools", Some(nth))),
            }
        }
        self.json.end_array();
    }

    fn tool(&mut self, tool: &Tool, place: &Place<'_>) {
        match tool {
            Tool::Function {
                name,
                namespace: _,
                description,
                input_schema,
                strict,
                deferred,
                cache,
                extra,
            } => {
                self.declare(
                    name,
                    description.as_ref(),
                    input_schema.as_deref().unwrap_or(ANY_OBJECT),
                );
                if let Some(strict) = strict {
                    self.json.key("strict").bool(*strict);
                }
                if *deferred {
                    self.json.key("defer_loading").bool(true);
                }
                if self.is_own {
                    self.json.members(extra);
                } else {
                    self.losses.add_members(place, extra);
                }
                self.cache_control(*cache);
                self.json.end_object();
            }
            Tool::Freeform {
                name,
                namespace: _,
                description,
                format,
            } => {
                if format.is_some() {
                    self.losses.add(place.member("format"));
                }
                self.declare(name, description.as_ref(), FREE_TEXT);
                self.json.end_object();
            }
            Tool::Hosted { declaration, .. } if declaration.wire == Wire::Anthropic => {
                self.json.raw(&declaration.raw);
            }
            Tool::Hosted { .. } => self.losses.add(place.to_string()),
        }
    }

    /// Leaves the object open.
    fn declare(&mut self, name: &Text, description: Option<&Text>, schema: &str) {
        self.json.begin_object().key("name").text(name);
        if let Some(description) = description {
            self.json.key("description").text(description);
        }
        self.json.key("input_schema").raw(schema);
    }
}
