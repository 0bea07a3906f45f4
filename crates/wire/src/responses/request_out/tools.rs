//! The tools a request declares.

use crate::Wire;
use crate::json::{Text, scan_reply};
use crate::turn::{Node, Tool, ToolChoice};

use super::super::request_in::NAMESPACE_PREFIX;
use super::Out;
use super::whole::{is_brought, received};

/// The schema of a tool whose client gave none.
const ANY_OBJECT: &str = r#"{"type":"object","properties":{}}"#;

impl Out<'_> {
    /// Writes `tools` and what goes with them, unless there are none: hosts refuse a choice of nothing.
    pub(super) fn tools(&mut self) {
        let tools = &self.decoded.turn.tools;
        let is_carried = |tool: &Node<Tool>| match &**tool {
            Tool::Hosted { declaration, .. } => declaration.wire == Wire::Responses,
            Tool::Function { .. } | Tool::Freeform { .. } => !is_brought(tool),
        };
        for (at, tool) in tools.iter().enumerate() {
            if !is_carried(tool) && !is_brought(tool) {
                self.losses.add(format!("tools[{at}]"));
            }
        }
        let is_any_known = tools
            .iter()
            .any(|tool| is_carried(tool) || is_brought(tool));
        if tools.iter().any(is_carried) {
            self.w.key("tools").begin_array();
            let mut at = 0;
            while let Some(tool) = tools.get(at) {
                at += match received(tools, at) {
                    Some((raw, count)) => {
                        self.w.raw(raw);
                        count
                    }
                    None if !is_carried(tool) => 1,
                    None => self.declared(tools, at),
                };
            }
            self.w.end_array();
        }
        if is_any_known {
            self.choice();
        } else if self
            .decoded
            .params
            .tool_choice
            .as_ref()
            .is_some_and(|choice| *choice != ToolChoice::None)
        {
            self.losses.add("tool_choice");
        }
    }

    /// Writes the tool at `at`, or the namespace that begins there. Returns how many tools that are.
    fn declared(&mut self, tools: &[Node<Tool>], at: usize) -> usize {
        let Some(namespace) = tools.get(at).and_then(|tool| tool.namespace()) else {
            if let Some(tool) = tools.get(at) {
                self.tool(tool, &format!("tools[{at}]"));
            }
            return 1;
        };
        let rest = tools.iter().skip(at);
        let members: Vec<&Node<Tool>> = rest
            .take_while(|tool| tool.namespace() == Some(namespace))
            .collect();
        self.w.begin_object().key("type").str("namespace");
        self.w.key("name").text(namespace);
        if let Some(Tool::Function { extra, .. }) = members.first().map(|tool| &***tool) {
            for (key, raw) in extra {
                if let Some(key) = key.strip_prefix(NAMESPACE_PREFIX) {
                    self.w.member(key).raw(raw);
                }
            }
        }
        self.w.key("tools").begin_array();
        for (nth, tool) in members.iter().enumerate() {
            self.tool(tool, &format!("tools[{}]", at + nth));
        }
        self.w.end_array().end_object();
        members.len()
    }

    fn tool(&mut self, tool: &Tool, path: &str) {
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
                self.w.begin_object().key("type").str("function");
                self.w.key("name").text(name);
                if let Some(description) = description {
                    self.w.key("description").text(description);
                }
                // Left out it would mean strict, and few clients' schemas are made for that.
                self.w.key("strict").bool(strict.unwrap_or(false));
                self.w
                    .key("parameters")
                    .raw(input_schema.as_deref().unwrap_or(ANY_OBJECT));
                if *deferred && self.is_same_wire() {
                    self.w.key("defer_loading").bool(true);
                }
                for member @ (key, raw) in extra {
                    if !self.is_same_wire() {
                        self.losses.add_members(path, [member]);
                    } else if !key.starts_with(NAMESPACE_PREFIX) {
                        self.w.member(key).raw(raw);
                    }
                }
                if cache.is_some() {
                    // Hosts take hints on content only.
                    self.losses.add(format!("{path}.cache_control"));
                }
                self.w.end_object();
            }
            Tool::Freeform {
                name,
                namespace: _,
                description,
                format,
            } => {
                self.w.begin_object().key("type").str("custom");
                self.w.key("name").text(name);
                if let Some(description) = description {
                    self.w.key("description").text(description);
                }
                if let Some(format) = format {
                    self.w.key("format").raw(&flat(format));
                }
                self.w.end_object();
            }
            Tool::Hosted { declaration, .. } => {
                self.w.raw(&declaration.raw);
            }
        }
    }

    fn choice(&mut self) {
        match &self.decoded.params.tool_choice {
            None => {}
            Some(ToolChoice::Auto) => {
                self.w.key("tool_choice").str("auto");
            }
            Some(ToolChoice::Required) => {
                self.w.key("tool_choice").str("required");
            }
            Some(ToolChoice::None) => {
                self.w.key("tool_choice").str("none");
            }
            Some(ToolChoice::Tool(name)) => match self.kind_of(name) {
                Some(kind) => {
                    self.w.key("tool_choice");
                    self.chosen(kind, name);
                }
                None => self.losses.add("tool_choice"),
            },
            Some(ToolChoice::Among { names, is_required }) => {
                self.w.key("tool_choice").begin_object();
                self.w.key("type").str("allowed_tools");
                let mode = if *is_required { "required" } else { "auto" };
                self.w.key("mode").str(mode);
                self.w.key("tools").begin_array();
                for (nth, name) in names.iter().enumerate() {
                    match self.kind_of(name) {
                        Some(kind) => self.chosen(kind, name),
                        None => self.losses.add(format!("tool_choice.tools[{nth}]")),
                    }
                }
                self.w.end_array().end_object();
            }
        }
        if let Some(is_allowed) = self.decoded.params.parallel_tool_calls {
            self.w.key("parallel_tool_calls").bool(is_allowed);
        }
    }

    /// How a choice names a tool; `None` if it was not declared.
    fn kind_of(&self, name: &Text) -> Option<&'static str> {
        let mut tools = self.decoded.turn.tools.iter();
        tools.find_map(|tool| match &**tool {
            Tool::Function { name: own, .. } if own == name => Some("function"),
            Tool::Freeform { name: own, .. } if own == name => Some("custom"),
            Tool::Function { .. } | Tool::Freeform { .. } | Tool::Hosted { .. } => None,
        })
    }

    fn chosen(&mut self, kind: &str, name: &Text) {
        self.w.begin_object().key("type").str(kind);
        self.w.key("name").text(name).end_object();
    }
}

/// A grammar is flat here, and one level down on the Chat wire.
fn flat(format: &bytestring::ByteString) -> bytestring::ByteString {
    let nested = scan_reply(format, &[]).ok().and_then(|doc| {
        let grammar = doc.root().get("grammar")?;
        let inner = grammar.raw().strip_prefix('{')?;
        Some(format!(r#"{{"type":"grammar",{inner}"#).into())
    });
    nested.unwrap_or_else(|| format.clone())
}
