//! A whole reply as a message.

use super::{stop, usage};
use crate::Wire;
use crate::codec::ReplyContext;
use crate::json::{Kind, Text, Writer, scan_reply};
use crate::turn::{Block, Foreign, Reply, ToolInput};

/// Writes the body of a reply that is not streamed.
#[must_use]
pub fn encode_response(reply: &Reply, context: &ReplyContext) -> Vec<u8> {
    let mut json = Writer::with_capacity(1024);
    json.frame(r#"{"id":"#).str(&message_id(context));
    json.frame(r#""type":"message","role":"assistant","model":"#);
    json.text(&context.model).frame(r#""content":["#);
    let mut content_bytes = 0;
    for block in &reply.blocks {
        content_bytes += write_block(&mut json, block);
    }
    json.end_array();
    stop::write(&mut json, reply.stop.as_ref());
    json.key("usage");
    usage::write(
        &mut json,
        &reply.usage,
        context.input_estimate,
        estimated_tokens(content_bytes),
    );
    json.end_object();
    json.into_bytes()
}

/// The message's id: derived, so that a record replays to the same bytes.
pub(super) fn message_id(context: &ReplyContext) -> String {
    let mut id = String::with_capacity("msg_".len() + context.exchange.len());
    id.push_str("msg_");
    // Most of it comes in a few long pieces.
    id.extend(context.exchange.split(|c: char| !c.is_ascii_alphanumeric()));
    id
}

/// What stands for a picture of the model's: this wire has pictures in requests only.
pub(super) const IMAGE_NOTE: &str = "[image left out: this API cannot carry pictures in replies]";

/// Output tokens where the upstream never tells them: about four bytes each.
pub(super) const fn estimated_tokens(bytes: u64) -> u64 {
    bytes.div_ceil(4)
}

/// Writes a block and returns its size for the estimate; blocks that replies of this wire cannot hold are left out.
fn write_block(json: &mut Writer, block: &Block) -> u64 {
    let size = match block {
        Block::Text {
            text, citations, ..
        } => {
            json.begin_object()
                .key("type")
                .str("text")
                .key("text")
                .text(text);
            if let Some(citations) = citations
                .as_ref()
                .filter(|citations| citations.wire == Wire::Anthropic)
            {
                json.key("citations").raw(&citations.raw);
            }
            json.end_object();
            text.wire_len()
        }
        Block::Refusal(text) => {
            json.begin_object()
                .key("type")
                .str("text")
                .key("text")
                .text(text)
                .end_object();
            text.wire_len()
        }
        Block::Thinking(thinking) => {
            let token = thinking.signature.clone().unwrap_or_default();
            json.begin_object();
            if thinking.is_redacted {
                json.key("type")
                    .str("redacted_thinking")
                    .key("data")
                    .text(&token);
            } else {
                json.key("type")
                    .str("thinking")
                    .key("thinking")
                    .text(&thinking.text);
                json.key("signature").text(&token);
            }
            json.end_object();
            thinking.text.wire_len()
        }
        Block::ToolUse(call) => {
            json.begin_object().key("type").str("tool_use");
            json.key("id")
                .text(&call.id)
                .key("name")
                .text(&call.name)
                .key("input");
            let size = write_input(json, &call.input);
            json.members(&call.extra).end_object();
            size
        }
        Block::ServerTool(step) => return write_foreign(json, &step.block),
        Block::Foreign(foreign) => return write_foreign(json, foreign),
        Block::Image(_) => {
            let note = Text::from_static(IMAGE_NOTE);
            json.begin_object().key("type").str("text");
            json.key("text").text(&note).end_object();
            note.wire_len()
        }
        Block::ToolResult(_)
        | Block::Media(_)
        | Block::Document(_)
        | Block::ToolReference { .. }
        | Block::SearchResult(_) => 0,
    };
    size as u64
}

fn write_foreign(json: &mut Writer, foreign: &Foreign) -> u64 {
    if foreign.wire == Wire::Anthropic {
        json.raw(&foreign.raw);
        foreign.raw.len() as u64
    } else {
        0
    }
}

/// The token limit can cut a call: half an object would break the whole message, and a completed one could run.
fn write_input(json: &mut Writer, input: &ToolInput) -> usize {
    match input {
        ToolInput::Json(raw)
            if scan_reply(raw, &[]).is_ok_and(|doc| doc.root().kind() == Kind::Object) =>
        {
            json.raw(raw);
            raw.len()
        }
        ToolInput::Json(raw) => {
            json.raw("{}");
            raw.len()
        }
        ToolInput::Freeform(text) => {
            json.begin_object().key("input").text(text).end_object();
            text.wire_len()
        }
    }
}
