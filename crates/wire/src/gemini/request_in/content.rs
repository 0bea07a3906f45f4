//! A content as a message.

use super::calls::Calls;
use super::part::{Carrier, Reader};
use crate::Wire;
use crate::gemini::member::{self, Extra};
use crate::gemini::peek::invalid;
use crate::gemini::token::Kept;
use crate::json::{Kind, Text, Value};
use crate::turn::{Block, Failure, Message, Node, Role, Thinking};

/// Decodes the content at index `nth`. It stays copyable unless one of its parts holds a token of ours.
pub(super) fn decode(
    nth: usize,
    value: Value<'_>,
    calls: &mut Calls,
) -> Result<Node<Message>, Failure> {
    let mut extra: Extra = member::others(value, &["role", "parts"]);
    let role = role(nth, value)?;
    let parts: Vec<Value<'_>> = match member::get(value, "parts") {
        None => Vec::new(),
        Some(parts) => match parts.kind() {
            Kind::Array => parts.items().collect(),
            Kind::Object => vec![parts],
            Kind::Null | Kind::Bool | Kind::Number | Kind::String => {
                return Err(invalid(format!(
                    "contents[{nth}].parts: expected an array of parts"
                )));
            }
        },
    };
    let mut blocks: Vec<Node<Block>> = Vec::with_capacity(parts.len());
    let mut has_ours = false;
    for (at, part) in parts.into_iter().enumerate() {
        let mut reader = Reader {
            calls,
            rest: &mut extra,
            path: format!("parts[{at}]"),
        };
        let Carrier {
            block,
            thoughts,
            is_ours,
        } = reader.part(part);
        has_ours |= is_ours;
        restore(&mut blocks, thoughts);
        blocks.extend(block.map(|block| {
            if is_ours {
                Node::new(block)
            } else {
                Node::received(block, Wire::Gemini, part.to_raw())
            }
        }));
    }
    let message = Message {
        role,
        blocks: blocks.into(),
        extra,
    };
    Ok(if has_ours {
        Node::new(message)
    } else {
        Node::received(message, Wire::Gemini, value.to_raw())
    })
}

fn role(nth: usize, value: Value<'_>) -> Result<Role, Failure> {
    let Some(role) = member::get(value, "role") else {
        return Ok(Role::User);
    };
    match role.str().as_deref() {
        Some("" | "user" | "function" | "tool") => Ok(Role::User),
        Some("model" | "assistant") => Ok(Role::Assistant),
        Some("system" | "developer") => Ok(Role::System),
        _ => Err(invalid(format!(
            "contents[{nth}].role: expected \"user\" or \"model\""
        ))),
    }
}

/// Puts thoughts that travelled in a token back to where they stood: behind the last call, before the text that follows
/// it or at the end. A client that kept the words too has them as thoughts without a token: then the token is put on those.
fn restore(blocks: &mut Vec<Node<Block>>, thoughts: Vec<Kept>) {
    let is_call = |block: &Node<Block>| matches!(**block, Block::ToolUse(_));
    let is_text = |block: &Node<Block>| matches!(**block, Block::Text { .. });
    let mut from = blocks.iter().rposition(is_call).map_or(0, |at| at + 1);
    for Kept { thinking, leads } in thoughts {
        let run = spoken(blocks, from, &thinking.text).unwrap_or_else(|| {
            let text = blocks.iter().skip(from).position(is_text);
            let at = text.filter(|_| leads).map_or(blocks.len(), |at| from + at);
            at..at
        });
        from = run.start + 1;
        blocks.splice(run, [Node::new(Block::Thinking(thinking))]);
    }
}

/// A run of unsigned thoughts behind `from` that together say `text`.
fn spoken(blocks: &[Node<Block>], from: usize, text: &Text) -> Option<std::ops::Range<usize>> {
    let text = text.decode();
    if text.is_empty() {
        return None;
    }
    (from..blocks.len()).find_map(|from| {
        let mut rest: &str = &text;
        for (at, block) in blocks.iter().enumerate().skip(from) {
            let Block::Thinking(Thinking {
                text,
                signature: None,
                ..
            }) = &**block
            else {
                return None;
            };
            rest = rest.strip_prefix(&*text.decode())?;
            if rest.is_empty() {
                return Some(from..at + 1);
            }
        }
        None
    })
}
