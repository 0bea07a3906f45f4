//! What the model said and called, as items.

use crate::json::Text;
use crate::turn::{Block, Node, ToolInput, ToolUse};

use super::Out;

/// A part of what the model said.
pub(super) enum Spoken {
    Text(Text),
    Refusal(Text),
}

impl Out<'_> {
    /// Takes a text or refusal.
    pub(super) fn spoken(&mut self, block: &Node<Block>, path: &str, texts: &mut Vec<Spoken>) {
        match &**block {
            Block::Text {
                text,
                citations,
                signature,
                cache,
            } => {
                if citations.is_some() {
                    self.losses.add(format!("{path}.citations"));
                }
                if signature.is_some() {
                    self.losses.add(format!("{path}.signature"));
                }
                if cache.is_some() {
                    // The model's own parts take no hints.
                    self.losses.add(format!("{path}.cache_control"));
                }
                if !text.is_blank() {
                    texts.push(Spoken::Text(text.clone()));
                }
            }
            Block::Refusal(text) => texts.push(Spoken::Refusal(text.clone())),
            _ => self.losses.add(path),
        }
    }

    /// Writes what was said as one message.
    pub(super) fn answer(&mut self, texts: &mut Vec<Spoken>) {
        if texts.is_empty() {
            return;
        }
        self.w.begin_object().key("type").str("message");
        self.w.key("role").str("assistant");
        self.w.key("content").begin_array();
        for spoken in texts.drain(..) {
            match spoken {
                Spoken::Text(text) => {
                    self.w.begin_object().key("type").str("output_text");
                    self.w.key("text").text(&text);
                    self.w.key("annotations").begin_array().end_array();
                }
                Spoken::Refusal(text) => {
                    self.w.begin_object().key("type").str("refusal");
                    self.w.key("refusal").text(&text);
                }
            }
            self.w.end_object();
        }
        self.w.end_array().end_object();
    }

    /// Writes a call.
    pub(super) fn call(&mut self, call: &ToolUse, path: &str) {
        if call.cache.is_some() {
            self.losses.add(format!("{path}.cache_control"));
        }
        if call.signature.is_some() {
            self.losses.add(format!("{path}.signature"));
        }
        let kind = match &call.input {
            ToolInput::Json(_) => "function_call",
            ToolInput::Freeform(_) => "custom_tool_call",
        };
        self.w.begin_object().key("type").str(kind);
        self.w.key("call_id").text(&call.id);
        self.w.key("name").text(&call.name);
        if let Some(namespace) = &call.namespace {
            self.w.key("namespace").text(namespace);
        }
        match &call.input {
            ToolInput::Json(arguments) => {
                self.w.key("arguments");
                if arguments.trim().is_empty() {
                    self.w.str("{}");
                } else {
                    self.w.quoted(arguments);
                }
            }
            ToolInput::Freeform(input) => {
                self.w.key("input").text(input);
            }
        }
        if self.is_same_wire() {
            self.w.members(&call.extra);
        } else {
            self.losses.add_members(path, &call.extra);
        }
        self.w.end_object();
    }
}
