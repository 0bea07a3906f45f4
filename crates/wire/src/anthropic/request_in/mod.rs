//! A request as a turn and its parameters.
//!
//! Every member is taken by name; what nobody takes is kept as `extra` under its path, so that an encoder of this wire
//! can copy it and any other can say that it was lost. Members inside blocks that the hub's blocks have no place for are
//! noted with the message they belong to (`content[1].clear_at`), those of the system prompt with the parameters.

mod block;
mod param;
mod tool;

use bytestring::ByteString;

use self::block::Blocks;
use crate::Wire;
use crate::codec::{Decoded, Known};
use crate::json::{Doc, Kind, Text, Value};
use crate::turn::{Block, Failure, FailureKind, Message, Node, Params, Place, Role, Shared, Turn};

/// Members without a place of their own: name or path, and the value as received.
type Extra = Vec<(ByteString, ByteString)>;

/// Decodes a request. New kinds of blocks, tools and members are carried, not refused.
///
/// # Errors
/// An invalid request that names the member: the body's frame is wrong, such as messages that are no array.
pub fn decode_request(doc: &Doc) -> Result<Decoded, Failure> {
    decode(doc, None)
}

/// Decodes a request that was scanned like a `known` one: the same as without it, but what was taken over is shared.
///
/// # Errors
/// As [`decode_request`].
pub fn decode_request_like(known: &Known<'_>, doc: &Doc) -> Result<Decoded, Failure> {
    decode(doc, Some(known))
}

fn decode(doc: &Doc, known: Option<&Known<'_>>) -> Result<Decoded, Failure> {
    let root = doc.root();
    if root.kind() != Kind::Object {
        return Err(invalid("the body must be a JSON object"));
    }
    let mut turn = Turn {
        origin: Wire::Anthropic,
        model: Text::default(),
        system: Vec::new(),
        messages: Vec::new(),
        tools: Shared::default(),
        cache: None,
    };
    let mut params = Params::default();
    let mut asks_for_format = false;
    for (key, value) in root.members() {
        match &*key {
            "model" => {
                turn.model = value
                    .text()
                    .ok_or_else(|| invalid("model: expected a string"))?
            }
            "messages" => turn.messages = messages(value, known)?,
            "system" => turn.system = system(value, &mut params.extra)?,
            "tools" => {
                turn.tools = match known.filter(|known| known.has("tools", value)) {
                    Some(known) => known.decoded.turn.tools.clone(),
                    None => tool::decode(value)?.into(),
                }
            }
            "cache_control" => turn.cache = block::cache(value, "", &mut params.extra),
            key => {
                asks_for_format |= key == "output_format";
                param::decode(key, value, &mut params)?;
            }
        }
    }
    if asks_for_format {
        param::one_format(root)?;
    }
    Ok(Decoded { turn, params })
}

fn messages(value: Value<'_>, known: Option<&Known<'_>>) -> Result<Vec<Node<Message>>, Failure> {
    if value.kind() != Kind::Array {
        return Err(invalid("messages: expected an array of messages"));
    }
    // Counted first: a message is large, and moving all of them whenever there is no room for one more costs.
    let mut messages = Vec::with_capacity(value.items().count());
    if let Some(known) = known {
        let decoded = &known.decoded.turn.messages;
        messages.extend(known.same_items("messages", value, decoded).cloned());
    }
    for (nth, value) in value.items().enumerate().skip(messages.len()) {
        messages.push(message(nth, value)?);
    }
    Ok(messages)
}

fn message(nth: usize, value: Value<'_>) -> Result<Node<Message>, Failure> {
    let mut role = None;
    let mut blocks = None;
    let mut extra = Extra::new();
    for (key, member) in value.members() {
        match &*key {
            "role" => role = member.str().as_deref().and_then(role_named),
            "content" => {
                blocks =
                    Blocks { rest: &mut extra }.content(member, |nth| Place::root("content", nth))
            }
            key => extra.push((key.into(), member.to_raw())),
        }
    }
    let role = role.ok_or_else(|| {
        invalid(format!(
            "messages[{nth}].role: expected \"user\", \"assistant\" or \"system\""
        ))
    })?;
    let blocks = blocks.ok_or_else(|| {
        invalid(format!(
            "messages[{nth}].content: expected a string or an array of blocks"
        ))
    })?;
    let message = Message {
        role,
        blocks: blocks.into(),
        extra,
    };
    Ok(Node::received(message, Wire::Anthropic, value.to_raw()))
}

fn role_named(name: &str) -> Option<Role> {
    match name {
        "user" => Some(Role::User),
        "assistant" => Some(Role::Assistant),
        "system" => Some(Role::System),
        _ => None,
    }
}

fn system(value: Value<'_>, extra: &mut Extra) -> Result<Vec<Node<Block>>, Failure> {
    if value.is_null() {
        return Ok(Vec::new());
    }
    Blocks { rest: extra }
        .content(value, |nth| Place::root("system", nth))
        .ok_or_else(|| invalid("system: expected a string or an array of text blocks"))
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::InvalidRequest, message)
}
