//! Room for an encoded request, so that its body is allocated once.

use super::block::Block;
use super::node::Node;
use super::request::Turn;

/// Bytes that a request's body will have about: what came in plus a wire's own words.
pub(crate) fn room(turn: &Turn) -> usize {
    let of_messages = turn
        .messages
        .iter()
        .map(|message| message.blocks.iter().map(of_block).sum::<usize>() + 64);
    of_messages.sum::<usize>()
        + turn.system.iter().map(of_block).sum::<usize>()
        + (turn.tools.len() << 11)
        + 1024
}

fn of_block(block: &Node<Block>) -> usize {
    96 + match &**block {
        Block::Text { text, .. } => text.wire_len(),
        Block::Thinking(thinking) => thinking.text.wire_len(),
        Block::ToolResult(result) => result.content.iter().map(of_block).sum(),
        Block::ToolUse(_)
        | Block::Image(_)
        | Block::Media(_)
        | Block::Document(_)
        | Block::ToolReference { .. }
        | Block::SearchResult(_)
        | Block::ServerTool(_)
        | Block::Refusal(_)
        | Block::Foreign(_) => 256,
    }
}
