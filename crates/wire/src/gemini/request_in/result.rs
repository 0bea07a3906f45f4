//! What a call gave: `response` is an object in which clients have habits, `parts` are media beside it.

use super::media;
use super::part::foreign;
use crate::Wire;
use crate::gemini::member;
use crate::json::{Kind, Text, Value};
use crate::turn::{Block, Node};

/// Reads the content of a `functionResponse`, and whether the call failed: what the object holds alone as `output` or
/// `result` is unwrapped, as is `content` beside the function's own name (Vercel's AI SDK 6, 2026-11); `error` alone says
/// that it failed, anything else is told as the JSON it is.
pub(super) fn read(value: Value<'_>) -> (Vec<Node<Block>>, bool) {
    let mut is_error = false;
    let mut content = Vec::new();
    if let Some(response) = member::get(value, "response") {
        let mut members = response
            .members()
            .filter(|(key, named)| !(&**key == "name" && is_name_of(value, *named)));
        let only = match (members.next(), members.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        };
        let has_name = response.members().count() > 1;
        let said = match &only {
            Some((key, value)) if has_name && &**key == "content" => Some(*value),
            Some(_) if has_name => Some(response),
            Some((key, value)) if matches!(&**key, "output" | "result") => Some(*value),
            Some((key, value)) if &**key == "error" => {
                is_error = true;
                Some(*value)
            }
            _ if response.kind() == Kind::Object && response.members().next().is_none() => None,
            _ => Some(response),
        };
        let text = said.and_then(|said| {
            said.text()
                .or_else(|| (!said.is_null()).then(|| Text::plain(said.to_raw())))
        });
        content.extend(
            text.filter(|text| !text.is_empty())
                .map(|text| Node::new(Block::text(text))),
        );
    }
    let parts = member::get(value, "parts")
        .into_iter()
        .flat_map(Value::items);
    content.extend(parts.map(|part| {
        let block = member::get(part, "inlineData")
            .and_then(|blob| media::inline(blob, part))
            .or_else(|| media::file(member::get(part, "fileData")?, part))
            .or_else(|| member::text(part, "text").map(Block::text))
            .unwrap_or_else(|| Block::Foreign(foreign(part)));
        Node::received(block, Wire::Gemini, part.to_raw())
    }));
    (content, is_error)
}

/// Whether `named` is the name of the function that responds.
fn is_name_of(response: Value<'_>, named: Value<'_>) -> bool {
    let own = member::text(response, "name");
    own.is_some() && own == named.text()
}
