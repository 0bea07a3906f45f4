//! Empty text: Moonshot refuses it as a block and as a message.
//!
//! What is translated to the Chat wire has none of either; what a Chat client sent goes out as it was received.

use lingate_wire::Wire;
use lingate_wire::turn::{Block, Message, Params, Role, Turn};

use super::KIMI_GROUPS;
use crate::kimi::is_kimi;
use crate::quirk::{Evidence, Quirk};
use crate::state::State;

/// Leaves out text blocks and messages that say nothing.
pub(crate) const EMPTY_CONTENT: Quirk = Quirk {
    name: "empty-content",
    groups: KIMI_GROUPS,
    summary: "Empty text is an error, as a block beside a tool call (`text content is empty`) and as a message \
              (`message at position N with role 'assistant' must not be empty`). Both are left out.",
    scope: "Kimi models, for Chat clients",
    evidence: &[Evidence {
        source: "400 messages of api.moonshot.ai; `content must not be empty` in platform.kimi.ai/docs/api/chat",
        date: "2026-11",
    }],
    applies: is_kimi,
    request: Some(rewrite),
    ..Quirk::EMPTY
};

fn rewrite(turn: &mut Turn, _params: &mut Params, _state: &mut State) -> bool {
    let mut has_changed = false;
    for message in &mut turn.messages {
        if message.raw(Wire::Chat).is_some() && says_nothing_somewhere(message) {
            // Written anew, it comes without them.
            message.edit();
            has_changed = true;
        }
    }
    has_changed
}

fn says_nothing_somewhere(message: &Message) -> bool {
    let mut blocks = message.blocks.iter();
    let has_blank =
        blocks.any(|block| matches!(&**block, Block::Text { text, .. } if text.is_blank()));
    let has_content = match message.role {
        // Thinking alone is no content to Moonshot.
        Role::Assistant => {
            (message.blocks.iter()).any(|block| !matches!(**block, Block::Thinking(_)))
        }
        Role::User | Role::System => !message.blocks.is_empty(),
    };
    has_blank || !has_content
}
