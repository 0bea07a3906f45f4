//! Memory that a decoded request takes, besides the received bytes that it shares.

use super::block::{Block, MediaSource, ToolInput};
use super::node::Node;
use super::params::Params;
use super::request::{Message, Tool, Turn};

/// What two shared strings and their place in a list take, with a name made for them.
const MEMBER: usize = 128;

impl Turn {
    /// Bytes of memory, about: what it is made of, without the texts.
    #[must_use]
    pub fn size(&self) -> usize {
        let of_message = |message: &Node<Message>| {
            size_of::<Node<Message>>() + of_blocks(&message.blocks) + MEMBER * message.extra.len()
        };
        let of_tool = |tool: &Node<Tool>| {
            size_of::<Node<Tool>>()
                + match &**tool {
                    Tool::Function { extra, .. } => MEMBER * extra.len(),
                    Tool::Freeform { .. } | Tool::Hosted { .. } => 0,
                }
        };
        of_blocks(&self.system)
            + self.messages.iter().map(of_message).sum::<usize>()
            + self.tools.iter().map(of_tool).sum::<usize>()
    }
}

impl Params {
    /// The same of what stands beside the conversation.
    #[must_use]
    pub fn size(&self) -> usize {
        MEMBER * (self.extra.len() + self.stop.len())
    }
}

fn of_blocks(blocks: &[Node<Block>]) -> usize {
    let of_block = |block: &Node<Block>| {
        size_of::<Node<Block>>()
            + match &**block {
                Block::ToolUse(call) => MEMBER * call.extra.len() + of_input(&call.input),
                Block::ToolResult(result) => of_blocks(&result.content),
                Block::Document(document) => {
                    MEMBER * document.extra.len()
                        + match &document.source {
                            MediaSource::Blocks(blocks) => of_blocks(blocks),
                            _ => 0,
                        }
                }
                Block::SearchResult(result) => {
                    of_blocks(&result.content) + MEMBER * result.extra.len()
                }
                Block::Media(media) => MEMBER * media.extra.len(),
                _ => 0,
            }
    };
    blocks.iter().map(of_block).sum()
}

fn of_input(input: &ToolInput) -> usize {
    match input {
        ToolInput::Json(raw) => raw.quoted_size(),
        ToolInput::Freeform(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use crate::anthropic::{decode_request, scan_request};

    #[test]
    fn all_blocks_count_and_texts_do_not() {
        let size = |block: &str| {
            let body = format!(
                r#"{{"model":"m","messages":[{{"role":"user","content":[{block}]}}],"tools":[{{"name":"t"}}]}}"#
            );
            decode_request(&scan_request(&body.into()).unwrap())
                .unwrap()
                .turn
                .size()
        };
        let text =
            |letters: usize| format!(r#"{{"type":"text","text":"{}"}}"#, "x".repeat(letters));
        let result = |content: &str| {
            format!(r#"{{"type":"tool_result","tool_use_id":"t","content":[{content}]}}"#)
        };
        let (none, one) = (size(""), size(&text(1)));
        let block = one - none;
        assert!((100..600).contains(&block), "{block}");
        assert_eq!(size(&text(9_000)), one);
        assert_eq!(size(&[text(1), text(1)].join(",")), none + 2 * block);
        assert_eq!(size(&result(&text(1))), none + 2 * block);
        let search = r#"{"type":"search_result","source":"s","title":"t","content":[],"a":1}"#;
        assert_eq!(size(search), one + super::MEMBER);
    }
}
