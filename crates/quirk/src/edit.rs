//! Changing blocks of a conversation without touching the nodes that stay as they are.

use lingate_wire::turn::{Block, Node, Turn};

/// Replaces the blocks for which `replacement` gives another one, inside tool results too; tells whether there were
/// any.
pub(crate) fn replace_blocks(
    turn: &mut Turn,
    replacement: &dyn Fn(&Block) -> Option<Block>,
) -> bool {
    let mut has_changed = false;
    for message in &mut turn.messages {
        if is_concerned(&message.blocks, replacement) {
            replace(&mut message.edit().blocks, replacement);
            has_changed = true;
        }
    }
    has_changed
}

fn is_concerned(blocks: &[Node<Block>], replacement: &dyn Fn(&Block) -> Option<Block>) -> bool {
    blocks.iter().any(|block| match &**block {
        Block::ToolResult(result) => is_concerned(&result.content, replacement),
        other => replacement(other).is_some(),
    })
}

fn replace(blocks: &mut [Node<Block>], replacement: &dyn Fn(&Block) -> Option<Block>) {
    for block in blocks {
        if let Some(other) = replacement(block) {
            *block = other.into();
        } else if matches!(&**block, Block::ToolResult(result) if is_concerned(&result.content, replacement))
            && let Block::ToolResult(result) = block.edit()
        {
            replace(&mut result.content, replacement);
        }
    }
}
