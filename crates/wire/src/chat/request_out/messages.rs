//! The order of messages: what a Chat host accepts, made of what an Anthropic-shaped conversation holds.
//!
//! Results directly follow the message whose calls they answer, one `tool` message each, before anything the user says in
//! the same turn; every call has one result. An answer that came back in several messages is one. Nothing is merged over
//! turns: a message that grew when the next one came would not be the same prefix any more.

use std::borrow::Cow;
use std::collections::HashSet;

use bytestring::ByteString;

use crate::Wire;
use crate::json::Text;
use crate::turn::{Block, Message, Node, OutputFormat, Place, Role, ToolResult, Unanswered};

use super::Out;
use super::content::Part;
use super::results::Orphan;

/// Claude Code's attribution block begins so. It changes with every session and names no instruction.
const ATTRIBUTION: &str = "x-anthropic-billing-header:";

/// A user message that waits until all results of the calls before it are there.
struct Waiting(Vec<Part>);

/// The walk through the conversation.
#[derive(Default)]
struct Walk {
    /// Calls of the last assistant message that have no result yet.
    unanswered: Unanswered,
    waiting: Vec<Waiting>,
}

impl Out<'_> {
    /// Writes the leading system prompt.
    pub(super) fn system(&mut self) {
        let turn = &self.decoded.turn;
        if self.copies_system() {
            // Blocks behind the first of a received message have an empty origin: the first one's holds them.
            for raw in turn
                .system
                .iter()
                .filter_map(|block| block.raw(Wire::Chat))
                .filter(|raw| !raw.is_empty())
            {
                self.w.raw(raw);
            }
            return;
        }
        let mut parts = Vec::new();
        for (at, block) in turn.system.iter().enumerate() {
            let path = Place::root("system", Some(at));
            if is_attribution(block) {
                self.losses.add(&path);
            } else {
                self.part(block, &path, &mut parts);
            }
        }
        parts.extend(self.schema_instruction().map(Part::text));
        self.message("system", parts);
    }

    /// Whether the system prompt goes out as it was received.
    pub(super) fn copies_system(&self) -> bool {
        let mut system = self.decoded.turn.system.iter();
        system.all(|block| block.raw(Wire::Chat).is_some()) && self.schema_instruction().is_none()
    }

    /// Hosts without `json_schema` are told in words.
    fn schema_instruction(&self) -> Option<Text> {
        match &self.decoded.params.format {
            Some(OutputFormat::JsonSchema { schema, .. }) if !self.dialect.has_json_schema => Some(
                format!("Reply with one JSON object that follows this JSON Schema, and with nothing else:\n{schema}").into(),
            ),
            Some(_) | None => None,
        }
    }

    /// Writes the conversation.
    pub(super) fn conversation(&mut self) {
        let mut walk = Walk::default();
        let mut rest = self.decoded.turn.messages.as_slice();
        let mut at = 0;
        while let Some((message, later)) = rest.split_first() {
            let path = Place::root("messages", Some(at));
            let mut n = 1;
            match (message.raw(Wire::Chat), message.role) {
                (Some(raw), _) => {
                    self.w.raw(raw);
                }
                (None, Role::User) => self.user(message, &path, &mut walk),
                (None, Role::Assistant) => {
                    self.settle(&mut walk);
                    n += self.continuations(message, later);
                    let answer = rest.get(..n).unwrap_or_default();
                    self.assistant(answer, at, &mut walk.unanswered);
                }
                (None, Role::System) => self.reminder(message, &path, &mut walk),
            }
            let is_written = message.raw(Wire::Chat).is_none() && !self.is_same_wire();
            let (written, later) = rest.split_at_checked(n).unwrap_or_default();
            for (message, at) in written.iter().zip(at..).filter(|_| is_written) {
                self.losses
                    .add_members(Place::root("messages", Some(at)), &message.extra);
            }
            rest = later;
            at += n;
        }
        self.settle(&mut walk);
    }

    /// How many messages go on with the model's answer. Clients of the Gemini wire send an answer back in the pieces it
    /// came in; hosts take the calls of one answer in one message, with their results behind it.
    fn continuations(&self, first: &Message, later: &[Node<Message>]) -> usize {
        let is_answer = |message: &&Node<Message>| {
            message.role == Role::Assistant && message.raw(Wire::Chat).is_none()
        };
        if self.is_same_wire() || !later.first().as_ref().is_some_and(is_answer) {
            return 0;
        }
        // What calls with the same id again is an answer of its own.
        let mut ids: HashSet<Cow<'_, str>> = call_ids(first).collect();
        let mut n = 0;
        for message in later.iter().take_while(is_answer) {
            if !call_ids(message).all(|id| ids.insert(id)) {
                break;
            }
            n += 1;
        }
        n
    }

    /// Instructions in the middle of a conversation stay where they are: at the top they would change the whole prefix.
    /// Hosts take no system message there, so that they become a user's message, marked as what they are.
    fn reminder(&mut self, message: &Message, path: &Place<'_>, walk: &mut Walk) {
        let mut parts = Vec::new();
        for (at, block) in message.blocks.iter().enumerate() {
            let path = path.below("content", Some(at));
            if is_attribution(block) {
                self.losses.add(&path);
            } else {
                self.part(block, &path, &mut parts);
            }
        }
        if self.is_same_wire() {
            return self.own_message("system", parts, message, path);
        }
        if let Some(first) = parts.first_mut() {
            first.wrap_front(Text::from_static("<system-reminder>\n"));
        }
        if let Some(last) = parts.last_mut() {
            last.wrap_back(Text::from_static("\n</system-reminder>"));
        }
        if walk.unanswered.is_empty() {
            self.message("user", parts);
        } else {
            walk.waiting.push(Waiting(parts));
        }
    }

    fn user(&mut self, message: &Message, path: &Place<'_>, walk: &mut Walk) {
        let mut attached = Vec::new();
        let mut said = Vec::new();
        for (at, block) in message.blocks.iter().enumerate() {
            let path = path.below("content", Some(at));
            let Block::ToolResult(result) = &**block else {
                self.part(block, &path, &mut said);
                continue;
            };
            if self.is_same_wire() {
                self.received_result(block, result, &path, &mut attached);
            } else if walk.unanswered.take(&result.tool_use_id).is_some() {
                self.result(result, &path, &mut attached);
            } else {
                self.orphan(&Orphan(result), &path, &mut said);
            }
        }
        let attached = if attached.is_empty() {
            said
        } else {
            attached.append(&mut said);
            attached
        };
        if walk.unanswered.is_empty() {
            self.release(walk);
            if self.is_same_wire() {
                self.own_message("user", attached, message, path);
            } else {
                self.message("user", attached);
            }
        } else if !attached.is_empty() {
            walk.waiting.push(Waiting(attached));
        }
    }

    /// Writes a message of this wire that a stage changed, with its own members; those of its parts are lost, where they
    /// were written anew.
    fn own_message(&mut self, role: &str, parts: Vec<Part>, message: &Message, path: &Place<'_>) {
        self.lose_rest_of_parts(message, path);
        if parts.is_empty() {
            return;
        }
        self.w.frame(r#"{"role":"#).str(role);
        self.content(parts, "\n\n");
        self.w.members(own_members(message)).end_object();
    }

    /// Notes what parts said that were not copied.
    pub(super) fn lose_rest_of_parts(&mut self, message: &Message, path: &Place<'_>) {
        let is_copied = |block: &Node<Block>| {
            matches!(&**block, Block::ToolResult(_)) && block.raw(Wire::Chat).is_some()
        };
        for (key, _) in &message.extra {
            let inner = key.strip_prefix("content[");
            let at = inner.map(|rest| rest.split(']').next().and_then(|at| at.parse().ok()));
            let block = |at: Option<usize>| message.blocks.get(at?);
            if at.is_some_and(|at| !block(at).is_some_and(is_copied)) {
                self.losses.add(path.member(key));
            }
        }
    }

    /// A result from this wire: as received, unless a stage changed it.
    fn received_result(
        &mut self,
        block: &Node<Block>,
        result: &ToolResult,
        path: &Place<'_>,
        attached: &mut Vec<Part>,
    ) {
        match block.raw(Wire::Chat) {
            Some(raw) => {
                self.w.raw(raw);
            }
            None => self.result(result, path, attached),
        }
    }

    /// Before the model speaks again every call has its result. One that never came is said to have failed: hosts refuse
    /// a call without.
    fn settle(&mut self, walk: &mut Walk) {
        for id in walk.unanswered.drain() {
            self.missing_result(&id);
        }
        self.release(walk);
    }

    fn release(&mut self, walk: &mut Walk) {
        for Waiting(parts) in walk.waiting.drain(..) {
            self.message("user", parts);
        }
    }
}

/// What a message says besides its content, without what its parts do.
pub(super) fn own_members(message: &Message) -> impl Iterator<Item = &(ByteString, ByteString)> {
    let extra = message.extra.iter();
    extra.filter(|(key, _)| !key.starts_with("content["))
}

fn call_ids(message: &Message) -> impl Iterator<Item = Cow<'_, str>> {
    message.blocks.iter().filter_map(|block| match &**block {
        Block::ToolUse(call) => Some(call.id.decode()),
        _ => None,
    })
}

fn is_attribution(block: &Block) -> bool {
    matches!(block, Block::Text { text, .. } if text.starts_with(ATTRIBUTION))
}
