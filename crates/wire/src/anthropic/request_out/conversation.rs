//! The system prompt and the messages.

use bytestring::ByteString;

use super::Encoder;
use super::fit::{Fit, Part, holds_seal};
use crate::Wire;
use crate::turn::Place;
use crate::turn::{Block, Message, Node, OutputFormat, Params, Role};

/// What a request for "any JSON object" becomes: this wire knows schemas only.
const JSON_INSTRUCTION: &str = "Answer with one JSON object and nothing else.";

impl Encoder<'_> {
    /// Writes `system`, if there is anything to say.
    pub(super) fn system(&mut self, system: &[Node<Block>], params: &Params) {
        let part = |fit, block| Part {
            fit,
            message: None,
            block,
        };
        let mut parts = Vec::with_capacity(system.len());
        for (nth, node) in system.iter().enumerate() {
            let place = Place::root("system", Some(nth));
            let is_fit = matches!(**node, Block::Text { .. }) || self.is_own;
            if !is_fit {
                self.losses.add(place.to_string());
            } else if let Some(fit) = self.fit(node, &place) {
                parts.push(part(fit, nth));
            }
        }
        let instruction = Block::text(JSON_INSTRUCTION.into());
        if matches!(params.format, Some(OutputFormat::JsonObject)) {
            parts.push(part(Fit::Block(&instruction), system.len()));
        }
        if parts.is_empty() {
            return;
        }
        self.json.key("system");
        match (system, parts.as_slice()) {
            ([only], [_]) if is_bare_string(only) => self.bare_string(only),
            _ => self.parts(&parts),
        }
    }

    /// Writes `messages`. Returns whether the newest assistant message calls tools and had to leave its thinking out.
    pub(super) fn messages(&mut self, messages: &[Node<Message>]) -> bool {
        self.json.key("messages").begin_array();
        let has_lost_thinking = if self.is_own {
            self.own_messages(messages)
        } else {
            self.foreign_messages(messages)
        };
        self.json.end_array();
        has_lost_thinking
    }

    /// Messages of this wire stand as they stood: the client knows the rules.
    fn own_messages(&mut self, messages: &[Node<Message>]) -> bool {
        let mut has_lost_thinking = false;
        for (nth, node) in messages.iter().enumerate() {
            let has_seal = node.blocks.iter().any(|block| holds_seal(block));
            let mut loses_thinking = false;
            match node.raw(Wire::Anthropic) {
                Some(raw) if !has_seal => {
                    self.json.raw(raw);
                }
                _ => {
                    let parts = self.fit_all(node, nth);
                    loses_thinking = lost_thinking(node, &parts);
                    self.own_message(node, nth, &parts);
                }
            }
            if node.role == Role::Assistant {
                has_lost_thinking = loses_thinking;
            }
        }
        has_lost_thinking
    }

    fn own_message(&mut self, message: &Message, nth: usize, parts: &[Part<'_>]) {
        let place = Place::root("messages", Some(nth));
        let (inner, own): (Vec<_>, Vec<_>) = message
            .extra
            .iter()
            .partition(|(key, _)| key.starts_with("content["));
        for (path, _) in inner {
            if !is_copied(message, path) {
                self.losses.add(place.member(path));
            }
        }
        // A message that lost all it had says nothing; the API refuses empty ones.
        if parts.is_empty() && !message.blocks.is_empty() {
            return;
        }
        self.json
            .begin_object()
            .key("role")
            .str(role_name(message.role))
            .key("content");
        match message.blocks.as_slice() {
            [only] if is_bare_string(only) => self.bare_string(only),
            _ => self.parts(parts),
        }
        self.json.members(own).end_object();
    }

    /// The blocks of the message at index `nth` that go out.
    pub(super) fn fit_all<'t>(&mut self, message: &'t Message, nth: usize) -> Vec<Part<'t>> {
        let place = Place::root("messages", Some(nth));
        let mut parts = Vec::with_capacity(message.blocks.len());
        for (block, node) in message.blocks.iter().enumerate() {
            let fit = self.fit(node, &place.below("content", Some(block)));
            parts.extend(fit.map(|fit| Part {
                fit,
                message: Some(nth),
                block,
            }));
        }
        parts
    }

    fn bare_string(&mut self, node: &Node<Block>) {
        if let Some(raw) = node.raw(Wire::Anthropic) {
            self.json.raw(raw);
        }
    }
}

/// A text block that was a whole content by itself, unchanged.
pub(super) fn is_bare_string(node: &Node<Block>) -> bool {
    node.raw(Wire::Anthropic)
        .is_some_and(|raw| raw.starts_with('"'))
}

pub(super) const fn role_name(role: Role) -> &'static str {
    match role {
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::System => "system",
    }
}

/// Whether a message that calls tools had thinking and has none left.
pub(super) fn lost_thinking(message: &Message, parts: &[Part<'_>]) -> bool {
    let is_thought = |block: &&Node<Block>| matches!(***block, Block::Thinking(_));
    let thoughts = message.blocks.iter().filter(is_thought).count();
    let kept = parts.iter().filter(|part| part.fit.is_thinking()).count();
    let has_call = message
        .blocks
        .iter()
        .any(|block| matches!(**block, Block::ToolUse(_)));
    has_call && thoughts > 0 && kept == 0
}

/// Whether the block that a leftover member's path points into goes out as received, and the member with it.
fn is_copied(message: &Message, path: &ByteString) -> bool {
    let index = path
        .strip_prefix("content[")
        .and_then(|rest| rest.split_once(']')?.0.parse::<usize>().ok());
    let block = index.and_then(|index| message.blocks.get(index));
    block.is_some_and(|block| block.raw(Wire::Anthropic).is_some() && !holds_seal(block))
}
