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
        for kept in thoughts {
            restore(&mut blocks, kept);
        }
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
        blocks,
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

/// Puts a thought that travelled in a token back to where it stood. A client that kept the words too has them as thoughts
/// without a token: then the token is put on those.
fn restore(blocks: &mut Vec<Node<Block>>, kept: Kept) {
    let Kept { thinking, leads } = kept;
    if let Some(run) = spoken(blocks, &thinking.text) {
        blocks.splice(run, [Node::new(Block::Thinking(thinking))]);
        return;
    }
    let mut at = blocks.len();
    if leads {
        let is_text = |block: &Node<Block>| matches!(**block, Block::Text { .. });
        at -= blocks.iter().rev().take_while(|block| is_text(block)).count();
    }
    blocks.insert(at, Node::new(Block::Thinking(thinking)));
}

/// A run of unsigned thoughts that together say `text`.
fn spoken(blocks: &[Node<Block>], text: &Text) -> Option<std::ops::Range<usize>> {
    let text = text.decode();
    if text.is_empty() {
        return None;
    }
    (0..blocks.len()).find_map(|from| {
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
