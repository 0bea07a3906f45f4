//! A request as a turn and its parameters.
//!
//! Members are taken by name in either spelling; what nobody takes is kept as `extra` under its path. The model and
//! whether to stream are not in the body: [`crate::bridge::PathFacts`] puts them in.

mod calls;
mod content;
mod media;
mod param;
mod part;
mod result;
mod schema;
mod tool;

use self::calls::Calls;
use super::member::{self, Extra};
use super::peek::{invalid, request};
use crate::Wire;
use crate::codec::Decoded;
use crate::json::{Doc, Kind, Text, Value};
use crate::turn::{Block, Failure, Message, Node, Params, Shared, Turn};

/// Decodes a request, or the request that a `countTokens` body is about. New kinds of parts, tools and members are
/// carried, not refused.
///
/// # Errors
/// An invalid request that names the member: the body's frame is wrong, it asks for several candidates, or a member could not be
/// told from another (`member::distinct`).
pub fn decode_request(doc: &Doc) -> Result<Decoded, Failure> {
    let root = request(doc)?;
    member::distinct(root, "")?;
    let mut turn = Turn {
        origin: Wire::Gemini,
        model: Text::default(),
        system: Vec::new(),
        messages: Vec::new(),
        tools: Shared::default(),
        cache: None,
    };
    let mut params = Params::default();
    let mut has_contents = false;
    for (key, value) in root.members().filter(|(_, value)| !value.is_null()) {
        match &*member::camel(&key) {
            "contents" => {
                has_contents = true;
                turn.messages = messages(value)?;
            }
            "systemInstruction" => turn.system = system(value, &mut params.extra)?,
            "tools" => turn.tools = tool::decode(value)?.into(),
            "model" => turn.model = model(value).unwrap_or_default(),
            key => param::decode(key, value, &mut params)?,
        }
    }
    if !has_contents {
        return Err(invalid("contents: expected an array of contents"));
    }
    Ok(Decoded { turn, params })
}

/// `models/NAME`, as bodies name a model.
fn model(value: Value<'_>) -> Option<Text> {
    let name = value.text()?.to_plain();
    let bare = name.strip_prefix("models/").unwrap_or(&name);
    Some(Text::plain(name.slice_ref(bare)))
}

fn messages(value: Value<'_>) -> Result<Vec<Node<Message>>, Failure> {
    let mut calls = Calls::default();
    match value.kind() {
        Kind::Object => Ok(vec![content::decode(0, value, &mut calls)?]),
        Kind::Array => value
            .items()
            .enumerate()
            .map(|(nth, value)| content::decode(nth, value, &mut calls))
            .collect(),
        Kind::Null | Kind::Bool | Kind::Number | Kind::String => {
            Err(invalid("contents: expected an array of contents"))
        }
    }
}

/// A content, a list of parts, or a string.
fn system(value: Value<'_>, extra: &mut Extra) -> Result<Vec<Node<Block>>, Failure> {
    let received = |text: Text, value: Value<'_>| {
        Node::received(Block::text(text), Wire::Gemini, value.to_raw())
    };
    let parts: Vec<Value<'_>> = match value.kind() {
        Kind::String => {
            return Ok(value
                .text()
                .map(Block::text)
                .map(Node::new)
                .into_iter()
                .collect());
        }
        Kind::Array => value.items().collect(),
        Kind::Object => match member::get(value, "parts") {
            Some(parts) => {
                beside_parts(value, extra)?;
                match parts.kind() {
                    Kind::Array => parts.items().collect(),
                    _ => vec![parts],
                }
            }
            None => vec![value],
        },
        Kind::Null | Kind::Bool | Kind::Number => {
            return Err(invalid(
                "systemInstruction: expected a content such as {\"parts\":[{\"text\":\"...\"}]}",
            ));
        }
    };
    let mut blocks = Vec::with_capacity(parts.len());
    for (nth, part) in parts.into_iter().enumerate() {
        match part.text().or_else(|| member::text(part, "text")) {
            Some(text) => {
                let rest = member::others(part, &["text"]).into_iter();
                extra.extend(rest.map(|(key, raw)| {
                    (format!("systemInstruction.parts[{nth}].{key}").into(), raw)
                }));
                blocks.push(received(text, part));
            }
            None => extra.push((
                format!("systemInstruction.parts[{nth}]").into(),
                part.to_raw(),
            )),
        }
    }
    Ok(blocks)
}

/// Keeps what a system instruction says besides its parts; its role says nothing.
fn beside_parts(value: Value<'_>, extra: &mut Extra) -> Result<(), Failure> {
    member::distinct(value, "systemInstruction.")?;
    for (key, raw) in member::others(value, &["parts"]) {
        if !(key == "role" && raw == "\"user\"") {
            extra.push((format!("systemInstruction.{key}").into(), raw));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
