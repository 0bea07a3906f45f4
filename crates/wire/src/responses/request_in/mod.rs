//! Decodes the requests of Responses clients.
//!
//! Fails only where a body is not of the wire's shape; what it does not know it keeps, to be copied on this wire and to be a
//! loss on any other. Nodes remember their bytes, except where a seal of ours is among them: it must not reach an upstream.
//!
//! One item may become several blocks, and several items one message. Where an item is more than one node, the first holds
//! the bytes of all of it and the others none, so that an encoder of this wire copies the item once. Ids and states of
//! items name what a provider made earlier; they say nothing to another and are kept in those bytes alone.

mod calls;
mod content;
mod items;
mod params;
mod tools;

use bytestring::ByteString;

use crate::json::{Doc, Kind, Value};
use crate::turn::{Failure, Node, Turn};
use crate::{Decoded, Wire};

use super::peek::{input, invalid, model};
pub(super) use calls::{as_foreign, generated_image};
pub(super) use tools::NAMESPACE_PREFIX;

/// Members that have a place of their own in the hub.
const TURN_MEMBERS: [&str; 4] = ["model", "input", "instructions", "tools"];

/// Decodes a scanned request.
///
/// # Errors
/// `model` or `input` is missing or not of its type, or an item is no item.
pub fn decode_request(doc: &Doc) -> Result<Decoded, Failure> {
    let root = doc.root();
    let model = model(root)?.text().unwrap_or_default();
    if root
        .get("tools")
        .is_some_and(|tools| !matches!(tools.kind(), Kind::Array | Kind::Null))
    {
        return Err(invalid("tools: must be an array"));
    }
    let conversation = items::decode(root.get("instructions"), input(root)?)?;
    let mut params = params::decode(root, &TURN_MEMBERS)?;
    let mut tools = tools::decode(root.get("tools"), "tools", &mut params.extra);
    tools.extend(conversation.tools);
    params.extra.extend(conversation.rest);
    Ok(Decoded {
        turn: Turn {
            origin: Wire::Responses,
            model,
            system: conversation.system,
            messages: conversation.messages,
            tools: tools.into(),
            cache: None,
        },
        params,
    })
}

/// Members of an object that `known` does not name, as received; absent ones are often spelled `null`.
fn others(object: Value<'_>, known: &[&str]) -> Vec<(ByteString, ByteString)> {
    object
        .members()
        .filter(|(key, value)| !known.contains(&&**key) && !value.is_null())
        .map(|(key, value)| (key.as_ref().into(), value.to_raw()))
        .collect()
}

/// Members without a place of their own: name or path, and the value as received.
type Extra = Vec<(ByteString, ByteString)>;

/// The same by their path, in the object at `path`.
fn others_below(
    path: &str,
    object: Value<'_>,
    known: &[&str],
) -> impl Iterator<Item = (ByteString, ByteString)> {
    let left = others(object, known).into_iter();
    left.map(move |(key, raw)| (format!("{path}.{key}").into(), raw))
}

/// Makes a node of what was decoded from `raw`: without its bytes if they hold a seal of ours.
fn node<T>(value: T, raw: ByteString) -> Node<T> {
    if memchr::memmem::find(raw.as_bytes(), crate::turn::SEAL_PREFIX.as_bytes()).is_some() {
        Node::new(value)
    } else {
        Node::received(value, Wire::Responses, raw)
    }
}

#[cfg(test)]
mod tests;
