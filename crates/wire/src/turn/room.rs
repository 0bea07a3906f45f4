//! Room for an encoded request, so that its body is allocated once.

use super::block::{Block, ToolInput};
use super::node::Node;
use super::request::{Tool, Turn};
use crate::json::Text;

/// Bytes that a request's body will have about: what came in plus a wire's own words.
pub(crate) fn room(turn: &Turn) -> usize {
    let of_messages = turn
        .messages
        .iter()
        .map(|message| message.blocks.iter().map(of_block).sum::<usize>() + 64);
    of_messages.sum::<usize>()
        + turn.system.iter().map(of_block).sum::<usize>()
        + turn.tools.iter().map(|tool| of_tool(tool)).sum::<usize>()
        + 1024
}

fn of_block(block: &Node<Block>) -> usize {
    96 + match &**block {
        Block::Text { text, .. } => text.wire_len(),
        Block::Thinking(thinking) => thinking.text.wire_len(),
        Block::ToolResult(result) => result.content.iter().map(of_block).sum(),
        Block::ToolUse(call) => 160 + of_input(&call.input),
        Block::Image(_)
        | Block::Media(_)
        | Block::Document(_)
        | Block::ToolReference { .. }
        | Block::SearchResult(_)
        | Block::ServerTool(_)
        | Block::Refusal(_)
        | Block::Foreign(_) => 256,
    }
}

/// Some wires carry arguments as a string in the document: of every five bytes about one needs an escape.
fn of_input(input: &ToolInput) -> usize {
    let length = match input {
        ToolInput::Json(raw) => raw.len(),
        ToolInput::Freeform(text) => text.wire_len(),
    };
    length + length / 4
}

fn of_tool(tool: &Tool) -> usize {
    match tool {
        Tool::Function {
            description,
            input_schema,
            ..
        } => {
            let description = description.as_ref().map_or(0, Text::wire_len);
            256 + description + input_schema.as_ref().map_or(0, |schema| schema.len())
        }
        Tool::Freeform { .. } | Tool::Hosted { .. } => 2048,
    }
}
