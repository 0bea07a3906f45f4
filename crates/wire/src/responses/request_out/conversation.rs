//! The system prompt and the order of items.
//!
//! Hosts refuse a result whose call is not there, and a call without a result. A conversation from another wire is
//! brought into that order: a result that answers nothing becomes the user's words, and a call that was never answered is
//! said to have failed before the model speaks again.

use crate::Wire;
use crate::json::Text;
use crate::turn::{Block, Message, Node, Role, Unanswered};

use super::Out;
use super::whole::{is_brought, received};

/// Claude Code's attribution block begins so. It changes with every session and names no instruction.
const ATTRIBUTION: &str = "x-anthropic-billing-header:";

impl Out<'_> {
    /// Writes `instructions`: what of the system prompt is no item of this wire.
    pub(super) fn instructions(&mut self) {
        let system = &self.decoded.turn.system;
        let mut texts: Vec<&Text> = Vec::new();
        let joiner = Text::from_static("\n\n");
        let mut at = 0;
        while let Some(block) = system.get(at) {
            if let Some((raw, count)) = received(system, at)
                && !raw.starts_with('"')
            {
                at += count;
                continue;
            }
            match &**block {
                Block::Text { text, .. } if text.starts_with(ATTRIBUTION) => {
                    self.losses.add(format!("system[{at}]"));
                }
                Block::Text {
                    text,
                    citations,
                    cache,
                    ..
                } => {
                    if citations.is_some() {
                        self.losses.add(format!("system[{at}].citations"));
                    }
                    if cache.is_some() {
                        self.losses.add(format!("system[{at}].cache_control"));
                    }
                    if !text.is_blank() {
                        if !texts.is_empty() {
                            texts.push(&joiner);
                        }
                        texts.push(text);
                    }
                }
                _ => self.losses.add(format!("system[{at}]")),
            }
            at += 1;
        }
        if !texts.is_empty() {
            self.w.key("instructions").text_parts(texts);
        }
    }

    /// Writes the items of the system prompt.
    pub(super) fn system_items(&mut self) {
        let system = &self.decoded.turn.system;
        let mut at = 0;
        while at < system.len() {
            match received(system, at) {
                Some((raw, count)) => {
                    if !raw.starts_with('"') {
                        self.w.raw(raw);
                    }
                    at += count;
                }
                None => at += 1,
            }
        }
    }

    /// Writes the conversation.
    pub(super) fn conversation(&mut self) {
        let mut unanswered = Unanswered::default();
        let mut speaker = Role::User;
        for (at, message) in self.decoded.turn.messages.iter().enumerate() {
            let path = format!("messages[{at}]");
            if let Some(raw) = message.raw(Wire::Responses) {
                self.w.raw(raw);
                continue;
            }
            match message.role {
                Role::User => self.user(message, &path, &mut unanswered),
                Role::System => self.said("system", &message.blocks, &path),
                Role::Assistant => {
                    // What comes in several messages is one answer: its results follow the last of them.
                    if speaker != Role::Assistant || calls_again(message, &mut unanswered) {
                        self.settle(&mut unanswered);
                    }
                    self.assistant(message, &path, &mut unanswered);
                }
            }
            speaker = message.role;
            if !self.is_same_wire() {
                self.losses.add_members(&path, &message.extra);
            }
        }
        self.settle(&mut unanswered);
    }

    fn user(&mut self, message: &Message, path: &str, unanswered: &mut Unanswered) {
        let mut parts = Vec::new();
        let mut words = Vec::new();
        for (at, block) in message.blocks.iter().enumerate() {
            let path = format!("{path}.content[{at}]");
            let Block::ToolResult(result) = &**block else {
                self.part(block, &path, &mut words);
                continue;
            };
            if let Some(raw) = block.raw(Wire::Responses) {
                self.w.raw(raw);
                continue;
            }
            if unanswered.take(&result.tool_use_id).is_some() || self.is_same_wire() {
                self.result(result, &path);
            } else {
                self.orphan(result, &path, &mut parts);
            }
        }
        parts.append(&mut words);
        self.message("user", &parts);
    }

    /// Writes a message that is not the model's.
    fn said(&mut self, role: &str, blocks: &[Node<Block>], path: &str) {
        let mut parts = Vec::new();
        for (at, block) in blocks.iter().enumerate() {
            let path = format!("{path}.content[{at}]");
            let is_attribution =
                matches!(&**block, Block::Text { text, .. } if text.starts_with(ATTRIBUTION));
            if is_attribution {
                self.losses.add(path);
            } else {
                self.part(block, &path, &mut parts);
            }
        }
        self.message(role, &parts);
    }

    fn assistant(&mut self, message: &Message, path: &str, unanswered: &mut Unanswered) {
        let blocks = &message.blocks;
        let mut texts = Vec::new();
        let mut at = 0;
        while let Some(block) = blocks.get(at) {
            let place = format!("{path}.content[{at}]");
            if let Some((raw, count)) = received(blocks, at) {
                self.answer(&mut texts);
                self.w.raw(raw);
                at += count;
                continue;
            }
            at += 1;
            match &**block {
                Block::Text { .. } | Block::Refusal(_) => self.spoken(block, &place, &mut texts),
                Block::Thinking(thinking) => {
                    self.answer(&mut texts);
                    self.thinking(thinking, &place);
                }
                Block::ToolUse(call) => {
                    self.answer(&mut texts);
                    self.call(call, &place);
                    // A client of this wire pairs calls and results itself.
                    if !self.is_same_wire() {
                        unanswered.push(call.id.clone());
                    }
                }
                Block::ServerTool(step) if step.block.wire == Wire::Responses => {
                    self.answer(&mut texts);
                    self.w.raw(&step.block.raw);
                }
                Block::Foreign(foreign) if foreign.wire == Wire::Responses => {
                    self.answer(&mut texts);
                    if !is_brought(block) {
                        self.w.raw(&foreign.raw);
                    }
                }
                Block::ServerTool(_)
                | Block::Foreign(_)
                | Block::Image(_)
                | Block::Media(_)
                | Block::Document(_)
                | Block::ToolResult(_)
                | Block::ToolReference { .. }
                | Block::SearchResult(_) => self.losses.add(place),
            }
        }
        self.answer(&mut texts);
    }

    /// Before the model speaks again, and at the end, every call has its result.
    fn settle(&mut self, unanswered: &mut Unanswered) {
        for id in unanswered.drain() {
            self.missing_result(&id);
        }
    }
}

/// Whether a message calls with an id that still waits for its result: then it is an answer of its own.
fn calls_again(message: &Message, unanswered: &mut Unanswered) -> bool {
    message.blocks.iter().any(|block| match &**block {
        Block::ToolUse(call) => unanswered.holds(&call.id),
        _ => false,
    })
}
