//! Decodes the requests of Chat clients, old and new.
//!
//! Fails only where a body is not of the wire's shape; what it does not know it keeps, to be copied on this wire and to be a
//! loss on any other. Nodes remember their bytes, except where a seal of ours is among them: it must not reach an upstream.

mod content;
mod messages;
mod params;
mod tools;

use bytestring::ByteString;

use crate::json::{Doc, Kind, Value};
use crate::turn::{Failure, Turn};
use crate::{Decoded, Wire};

use super::peek::{invalid, messages as messages_of, model};
pub(crate) use params::is_told;
pub(super) use params::thinking_of;

/// Members that have a place of their own in the hub.
const TURN_MEMBERS: [&str; 4] = ["model", "messages", "tools", "functions"];

/// Decodes a scanned request.
///
/// # Errors
/// `model` or `messages` is missing or not of its type, a message is no message, or more than one choice is asked for.
pub fn decode_request(doc: &Doc) -> Result<Decoded, Failure> {
    let root = doc.root();
    let model = model(root)?.text().unwrap_or_default();
    if root
        .get("n")
        .is_some_and(|n| !n.is_null() && n.u64() != Some(1))
    {
        return Err(invalid("n: must be 1; ask again for another choice"));
    }
    let mut rest = Vec::new();
    let (system, messages) = messages::decode(messages_of(root)?, &mut rest)?;
    for key in ["tools", "functions"] {
        if root
            .get(key)
            .is_some_and(|tools| !matches!(tools.kind(), Kind::Array | Kind::Null))
        {
            return Err(invalid(format!("{key}: must be an array")));
        }
    }
    for (at, function) in (root.get("functions").into_iter().flat_map(Value::items)).enumerate() {
        let [name, description] = function.pick(["name", "description"]);
        let is_text = |member: Option<Value<'_>>| member.is_some_and(|own| own.text().is_some());
        if !is_text(name) {
            return Err(invalid(format!("functions[{at}].name: must be a string")));
        }
        if !description.is_none_or(Value::is_null) && !is_text(description) {
            return Err(invalid(format!(
                "functions[{at}].description: must be a string"
            )));
        }
    }
    let tools = tools::decode(root, &mut rest);
    let (mut params, cache) = params::decode(root, &TURN_MEMBERS)?;
    params.extra.append(&mut rest);
    Ok(Decoded {
        turn: Turn {
            origin: Wire::Chat,
            model,
            system,
            messages,
            tools: tools.into(),
            cache,
        },
        params,
    })
}

/// Members without a place of their own: name or path, and the value as received.
type Extra = Vec<(ByteString, ByteString)>;

/// Members of an object that `known` does not name, as received.
fn others(object: Value<'_>, known: &[&str]) -> Extra {
    object
        .members()
        .filter(|(key, _)| !known.contains(&&**key))
        .map(|(key, value)| (key.as_ref().into(), value.to_raw()))
        .collect()
}

/// The same by their path, which `path` begins; `null` says nothing.
fn others_below(path: &str, object: Value<'_>, known: &[&str]) -> Extra {
    let left = others(object, known).into_iter();
    left.filter(|(_, raw)| *raw != "null")
        .map(|(key, raw)| (format!("{path}{key}").into(), raw))
        .collect()
}

#[cfg(test)]
mod tests;
