//! Encodes a whole reply.

use super::finish::{self, Holds};
use super::stream_out::{write_detail, write_head};
use super::{CallStyle, image, reasoning, usage};
use crate::ReplyContext;
use crate::json::{Text, Writer};
use crate::turn::{Block, Image, Reply, StopReason, Thinking, ToolInput, ToolUse};

/// Encodes a reply for a client that did not ask for a stream.
#[must_use]
pub fn encode_response(reply: &Reply, context: &ReplyContext, style: CallStyle) -> Vec<u8> {
    let mut w = Writer::default();
    w.begin_object();
    write_head(context, "chat.completion", &mut w);
    w.key("choices").begin_array().begin_object();
    w.key("index").u64(0);
    w.key("message").begin_object();
    message(reply, style, &mut w);
    w.end_object();
    let reason = reply
        .stop
        .as_ref()
        .map_or(StopReason::EndTurn, |stop| stop.reason);
    let holds = |is_kind: fn(&Block) -> bool| reply.blocks.iter().any(|block| is_kind(block));
    let holds = Holds {
        refusal: holds(|block| matches!(block, Block::Refusal(_))),
        calls: holds(|block| matches!(block, Block::ToolUse(_))),
    };
    w.key("finish_reason")
        .str(style.finish(finish::encode(reason, holds)));
    w.key("logprobs").null();
    w.end_object().end_array();
    w.key("usage");
    usage::write(&reply.usage, &mut w);
    w.end_object();
    w.into_bytes()
}

/// Writes the members of the message. Blocks of one kind become one member: what a stream's deltas add up to.
fn message(reply: &Reply, style: CallStyle, w: &mut Writer) {
    let mut texts: Vec<&Text> = Vec::new();
    let mut refusals: Vec<&Text> = Vec::new();
    let mut thoughts: Vec<&Thinking> = Vec::new();
    let mut calls: Vec<&ToolUse> = Vec::new();
    let mut images: Vec<&Image> = Vec::new();
    for block in &reply.blocks {
        match &**block {
            Block::Text { text, .. } => texts.push(text),
            Block::Refusal(text) => refusals.push(text),
            Block::Thinking(thinking) => thoughts.push(thinking),
            Block::ToolUse(call) => calls.push(call),
            Block::Image(image) => images.push(image),
            // Steps the provider ran itself, and blocks of other wires, have no place in a Chat message.
            Block::ServerTool(_)
            | Block::Foreign(_)
            | Block::ToolResult(_)
            | Block::Media(_)
            | Block::Document(_)
            | Block::ToolReference { .. }
            | Block::SearchResult(_) => {}
        }
    }
    w.key("role").str("assistant");
    w.key("content");
    if texts.is_empty() {
        w.null();
    } else {
        w.text_parts(texts);
    }
    w.key("refusal");
    if refusals.is_empty() {
        w.null();
    } else {
        w.text_parts(refusals);
    }
    self::thoughts(&thoughts, w);
    if !images.is_empty() {
        image::write(0, &images, w);
    }
    match (style, calls.first()) {
        (_, None) => {}
        (CallStyle::Function, Some(first)) => {
            w.key("function_call");
            called(first, w);
        }
        (CallStyle::Tools, Some(_)) => {
            w.key("tool_calls").begin_array();
            for call in calls {
                self::call(call, w);
            }
            w.end_array();
        }
    }
}

fn thoughts(thoughts: &[&Thinking], w: &mut Writer) {
    let spoken: Vec<&Text> = thoughts
        .iter()
        .map(|thinking| &thinking.text)
        .filter(|text| !text.is_empty())
        .collect();
    if !spoken.is_empty() {
        w.key("reasoning_content").text_parts(spoken);
    }
    let seals: Vec<(&str, &str, &Text)> = thoughts
        .iter()
        .filter_map(|thinking| {
            let (kind, member) = if thinking.is_redacted {
                ("reasoning.encrypted", "data")
            } else {
                ("reasoning.text", "signature")
            };
            Some((kind, member, thinking.signature.as_ref()?))
        })
        .collect();
    if !seals.is_empty() {
        w.key(reasoning::DETAILS_MEMBER).begin_array();
        for (index, (kind, member, seal)) in (0..).zip(seals) {
            write_detail(index, kind, member, seal, w);
        }
        w.end_array();
    }
}

fn call(call: &ToolUse, w: &mut Writer) {
    w.begin_object();
    w.key("id").text(&call.id);
    let kind = match &call.input {
        ToolInput::Json(_) => "function",
        ToolInput::Freeform(_) => "custom",
    };
    w.key("type").str(kind);
    w.key(kind);
    called(call, w);
    w.end_object();
}

/// Writes what is called, and with what.
fn called(call: &ToolUse, w: &mut Writer) {
    w.begin_object();
    w.key("name").text(&call.name);
    match &call.input {
        ToolInput::Json(input) if input.is_empty() => w.key("arguments").str("{}"),
        ToolInput::Json(input) => w.key("arguments").quoted(input),
        ToolInput::Freeform(input) => w.key("input").text(input),
    };
    w.end_object();
}
