//! The conversation: a string, or items in a row.
//!
//! Instructions and the system and developer messages at the head are the system prompt; later ones stay where they
//! stand. What the model said, thought and called in a row is one message of the hub, in its order: reasoning stands
//! before the message or call it belongs to, and stays there. Results in a row are one message, too.

use bytestring::ByteString;

use crate::Wire;
use crate::json::{Kind, Text, Value};
use crate::turn::{Block, Failure, Foreign, Message, Node, Role, ServerToolUse, Thinking, Tool};

use super::super::peek::invalid;
use super::calls;
use super::content::{self, is_loose_part};
use super::{Extra, node, others_below, tools};

/// What a request's items are on the hub.
#[derive(Default)]
pub(super) struct Conversation {
    pub(super) system: Vec<Node<Block>>,
    pub(super) messages: Vec<Node<Message>>,
    /// Tools that became known in the middle of it.
    pub(super) tools: Vec<Node<Tool>>,
    /// What items say that blocks have no place for, by its path.
    pub(super) rest: Extra,
    last: Last,
}

/// What the last message is, as far as an item may still become part of it.
#[derive(Default, PartialEq, Clone, Copy)]
enum Last {
    /// Something whole.
    #[default]
    Whole,
    /// The model's.
    Answer,
    /// Results of calls.
    Results,
    /// Parts without a message around them.
    Loose,
}

/// Reads the conversation.
pub(super) fn decode(
    instructions: Option<Value<'_>>,
    input: Option<Value<'_>>,
) -> Result<Conversation, Failure> {
    let mut conversation = Conversation::default();
    if let Some(instructions) = instructions {
        conversation.instructions(instructions)?;
    }
    match input {
        None => {}
        Some(input) if input.kind() == Kind::Array => {
            for (at, item) in input.items().enumerate() {
                conversation.item(item, at)?;
            }
        }
        Some(input) => conversation.item(input, 0)?,
    }
    Ok(conversation)
}

impl Conversation {
    fn instructions(&mut self, instructions: Value<'_>) -> Result<(), Failure> {
        match instructions.kind() {
            Kind::String => {
                let text = Block::text(instructions.text().unwrap_or_default());
                self.system.push(node(text, instructions.to_raw()));
            }
            Kind::Null => {}
            Kind::Array => {
                for (at, item) in instructions.items().enumerate() {
                    self.item(item, at)?;
                }
            }
            Kind::Object | Kind::Bool | Kind::Number => {
                return Err(invalid("instructions: must be a string"));
            }
        }
        Ok(())
    }

    fn item(&mut self, item: Value<'_>, at: usize) -> Result<(), Failure> {
        if is_loose_part(item) {
            let part = content::part(item, || format!("input[{at}]"), &mut self.rest);
            self.push(Last::Loose, Role::User, vec![part]);
            return Ok(());
        }
        if item.kind() != Kind::Object {
            return Err(invalid(format!(
                "input[{at}]: must be an item, as an object"
            )));
        }
        let kind = kind_of(item);
        let kind = kind.decode();
        match &*kind {
            "message" => self.message(item, at)?,
            "reasoning" => {
                self.rest_of_reasoning(item, at);
                self.answer(vec![node(reasoning(item), item.to_raw())]);
            }
            kind => {
                if let Some(call) = calls::call(kind, item) {
                    self.answer(vec![node(Block::ToolUse(call), item.to_raw())]);
                } else if let Some(result) = calls::result(kind, item, at, &mut self.rest) {
                    if kind == "tool_search_output" {
                        self.known_tools(item, at);
                    }
                    let result = node(Block::ToolResult(result), item.to_raw());
                    self.push(Last::Results, Role::User, vec![result]);
                } else if kind == "additional_tools" {
                    self.known_tools(item, at);
                    self.answer(vec![foreign(item)]);
                } else if let Some(name) = hosted_name(kind) {
                    let step = ServerToolUse {
                        name: Some(name.to_owned().into()),
                        block: raw(item),
                    };
                    self.answer(vec![node(Block::ServerTool(step), item.to_raw())]);
                } else {
                    // A compaction, or an item from the future: carried on this wire, a loss on any other.
                    self.answer(vec![foreign(item)]);
                }
            }
        }
        Ok(())
    }

    fn message(&mut self, item: Value<'_>, at: usize) -> Result<(), Failure> {
        const KNOWN: [&str; 5] = ["type", "role", "content", "id", "status"];
        let Some(role) = item.get("role").and_then(Value::str) else {
            return Err(invalid(format!(
                "input[{at}].role: must be one of user, assistant, system, developer"
            )));
        };
        let path = format!("input[{at}]");
        let mark = self.rest.len();
        let blocks = content::blocks(
            item.get("content"),
            &format!("{path}.content"),
            &mut self.rest,
        );
        self.rest.extend(others_below(&path, item, &KNOWN));
        match &*role {
            "assistant" => {
                let blocks = spread(blocks, item.to_raw());
                self.answer(blocks);
            }
            "system" | "developer" if self.messages.is_empty() => {
                self.system.extend(spread(blocks, item.to_raw()));
            }
            "user" | "system" | "developer" => {
                let role = if role == "user" {
                    Role::User
                } else {
                    Role::System
                };
                self.last = Last::Whole;
                let message = Message {
                    role,
                    blocks: blocks.into(),
                    extra: Extra::new(),
                };
                self.messages.push(node(message, item.to_raw()));
            }
            // A role from the future.
            _ => {
                self.rest.truncate(mark);
                self.answer(vec![foreign(item)]);
            }
        }
        Ok(())
    }

    fn rest_of_reasoning(&mut self, item: Value<'_>, at: usize) {
        const KNOWN: [&str; 6] = [
            "type",
            "id",
            "status",
            "summary",
            "content",
            "encrypted_content",
        ];
        let path = format!("input[{at}]");
        self.rest.extend(others_below(&path, item, &KNOWN));
        for list in ["summary", "content"] {
            let parts = item.get(list).into_iter().flat_map(Value::items);
            for (nth, part) in parts.enumerate() {
                let path = format!("{path}.{list}[{nth}]");
                self.rest
                    .extend(others_below(&path, part, &["type", "text"]));
            }
        }
    }

    fn answer(&mut self, blocks: Vec<Node<Block>>) {
        self.push(Last::Answer, Role::Assistant, blocks);
    }

    fn push(&mut self, kind: Last, role: Role, mut blocks: Vec<Node<Block>>) {
        match self.messages.last_mut() {
            Some(message) if self.last == kind => message.edit().blocks.append(&mut blocks),
            _ => self.messages.push(Node::new(Message {
                role,
                blocks: blocks.into(),
                extra: Vec::new(),
            })),
        }
        self.last = kind;
    }

    /// Declares tools that an item brings. Its own bytes bring them on this wire.
    fn known_tools(&mut self, item: Value<'_>, at: usize) {
        let path = format!("input[{at}].tools");
        let declared = tools::decode(item.get("tools"), &path, &mut self.rest);
        self.tools.extend(
            declared
                .into_iter()
                .map(|tool| Node::received(tool.into_inner(), Wire::Responses, ByteString::new())),
        );
    }
}

/// The item's type, or what it can only be where it says none.
fn kind_of(item: Value<'_>) -> Text {
    if let Some(kind) = item.get("type").and_then(Value::text) {
        return kind;
    }
    let has = |key: &str| item.get(key).is_some_and(|value| !value.is_null());
    Text::from_static(match () {
        () if has("role") => "message",
        () if has("output") => "function_call_output",
        () if has("arguments") => "function_call",
        () if has("input") && has("call_id") => "custom_tool_call",
        () if has("summary") || has("encrypted_content") => "reasoning",
        () if has("id") => "item_reference",
        () => "message",
    })
}

/// Gives the first of an item's nodes the bytes of all of it. An item without content is one block without text.
fn spread(blocks: Vec<Node<Block>>, raw: ByteString) -> Vec<Node<Block>> {
    let mut blocks = blocks;
    if blocks.is_empty() {
        blocks.push(Node::new(Block::text(Text::default())));
    }
    let bytes = std::iter::once(raw).chain(std::iter::repeat(ByteString::new()));
    blocks
        .into_iter()
        .zip(bytes)
        .map(|(block, raw)| Node::received(block.into_inner(), Wire::Responses, raw))
        .collect()
}

/// Summaries and raw reasoning are one text, its parts a blank line apart.
fn reasoning(item: Value<'_>) -> Block {
    let texts = |key: &str| -> Vec<Text> {
        let parts = item.get(key).into_iter().flat_map(Value::items);
        parts
            .filter_map(|part| part.text().or_else(|| part.get("text")?.text()))
            .filter(|text| !text.is_empty())
            .collect()
    };
    let mut parts = texts("summary");
    if parts.is_empty() {
        parts = texts("content");
    }
    let text = match <[Text; 1]>::try_from(parts) {
        Ok([text]) => text,
        Err(parts) => {
            let parts: Vec<_> = parts.iter().map(Text::decode).collect();
            parts.join("\n\n").into()
        }
    };
    let signature = item
        .get("encrypted_content")
        .and_then(Value::text)
        .filter(|token| !token.is_empty());
    Block::Thinking(Thinking {
        is_redacted: text.is_empty() && signature.is_some(),
        text,
        signature,
    })
}

/// The name of a tool that the provider ran itself, by the type of the item that tells of it.
fn hosted_name(kind: &str) -> Option<&str> {
    const OTHERS: [&str; 5] = [
        "mcp_list_tools",
        "mcp_approval_request",
        "mcp_approval_response",
        "program",
        "program_output",
    ];
    kind.strip_suffix("_call")
        .or_else(|| OTHERS.contains(&kind).then_some(kind))
}

fn raw(item: Value<'_>) -> Foreign {
    Foreign {
        wire: Wire::Responses,
        raw: item.to_raw(),
    }
}

fn foreign(item: Value<'_>) -> Node<Block> {
    Node::received(Block::Foreign(raw(item)), Wire::Responses, item.to_raw())
}
