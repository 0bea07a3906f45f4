//! Results of calls.

use super::Out;
use super::part::{Part, raw};
use crate::json::Text;
use crate::turn::{Block, Node, ToolResult};

impl Out<'_> {
    /// A result as a part. Its texts are one string; media stand beside them in newer models' responses and behind the
    /// responses for older ones.
    pub(super) fn result<'t>(
        &mut self,
        node: &'t Node<Block>,
        result: &'t ToolResult,
        path: &str,
        parts: &mut Vec<Part<'t>>,
    ) {
        if let Some(raw) = raw(node) {
            return parts.push(Part::Raw {
                raw,
                call: None,
                answers: Some(&result.tool_use_id),
            });
        }
        if result.cache.is_some() {
            self.losses.add(format!("{path}.cache_control"));
        }
        let mut inner = Vec::new();
        for (at, block) in result.content.iter().enumerate() {
            self.said(block, &format!("{path}.content[{at}]"), &mut inner);
        }
        let mut text: Vec<Text> = Vec::new();
        let mut media = Vec::new();
        for part in inner {
            match part {
                Part::Text { pieces, .. } => {
                    if !text.is_empty() {
                        text.push(Text::from_static("\n"));
                    }
                    text.extend(pieces);
                }
                other => media.push(other),
            }
        }
        parts.push(Part::Response {
            id: &result.tool_use_id,
            name: self.called(&result.tool_use_id),
            text,
            is_error: result.is_error,
            media,
        });
    }

    /// The name of the call that a result answers.
    fn called(&self, id: &Text) -> Text {
        // From another wire it is put in when results are put in order.
        if !self.is_own() {
            return Text::default();
        }
        let blocks = self
            .decoded
            .turn
            .messages
            .iter()
            .flat_map(|message| &message.blocks);
        let mut names = blocks.filter_map(|block| match &**block {
            Block::ToolUse(call) if call.id == *id => Some(call.name.clone()),
            _ => None,
        });
        names.next().unwrap_or_default()
    }
}
