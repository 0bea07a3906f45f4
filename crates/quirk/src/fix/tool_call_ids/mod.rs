//! Tool-call ids on the way up. Clients have ids of their own, and never see these.
//!
//! An id depends on the history before it alone, so nothing is remembered, and a longer history repeats the ids of a
//! shorter one. `walk` pairs calls and results; the schemes by which ids are made are here and in `scheme`.

mod scheme;
mod walk;

use lingate_wire::Wire;
use lingate_wire::turn::{Block, Turn};

use self::scheme::Scheme;
use self::walk::Ids;
use super::KIMI_GROUPS;
use crate::kimi::is_kimi;
use crate::quirk::{Evidence, Quirk};

/// Counts the ids of calls anew, and those of their results with them: Kimi models were trained on `functions.NAME:IDX`,
/// counted over the whole conversation.
pub(crate) const TOOL_CALL_IDS: Quirk = Quirk {
    name: "tool-call-ids",
    groups: KIMI_GROUPS,
    summary: "The model was trained on ids `functions.NAME:IDX`. Others in the history it copies into its calls, \
              losing the tool's name, or it stops calling tools after a few rounds. Ids are counted anew over the \
              whole conversation; clients never see them.",
    scope: "Kimi models",
    evidence: &[
        Evidence {
            source: "MoonshotAI/K2-Vendor-Verifier and docs/tool_call_guidance.md",
            date: "2025-11-15",
        },
        Evidence {
            source: "huggingface.co/moonshotai discussion 48; openclaw pull 70030",
            date: "2026-11",
        },
    ],
    applies: is_kimi,
    request: Some(|turn, _, _| rename(turn, Scheme::functions())),
    ..Quirk::EMPTY
};

/// Makes ids short and unique.
pub(crate) const SHORT_CALL_IDS: Quirk = Quirk {
    name: "short-call-ids",
    groups: &["openai"],
    summary: "An id may have at most 40 characters, and other providers make longer ones. Those are cut, with a checksum \
              behind them; an id that stands for a second call is told apart.",
    evidence: &[Evidence {
        source: "400 `Invalid 'messages[2].tool_calls[0].id': string too long. Expected a string with maximum length 40`",
        date: "2025-09",
    }],
    matters_to_translated_only: true,
    request: Some(|turn, _, _| rename(turn, Scheme::fitted(40))),
    ..Quirk::EMPTY
};

/// Makes ids fit for the Anthropic wire, and unique.
pub(crate) const ANTHROPIC_CALL_IDS: Quirk = Quirk {
    name: "anthropic-call-ids",
    groups: &["anthropic"],
    summary: "Ids have to be letters, digits, `_` and `-`, and no two calls of a conversation may share one; hosts of Kimi \
              begin to count anew in every reply. Others are fitted, with a checksum behind them.",
    evidence: &[
        Evidence {
            source: "400 `messages.N.content: tool_use ids must be unique`; `String should match pattern \
                     '^[a-zA-Z0-9_-]+$'`",
            date: "2025-10",
        },
        Evidence {
            source: "vllm-project/vllm issue 50295, open-webui issue 28570 (ids that restart)",
            date: "2026-11",
        },
    ],
    wire: Wire::Anthropic,
    matters_to_translated_only: true,
    request: Some(|turn, _, _| turn.origin != Wire::Anthropic && rename(turn, Scheme::fitted(64))),
    ..Quirk::EMPTY
};

fn rename(turn: &mut Turn, scheme: Scheme) -> bool {
    let mut ids = Ids::new(scheme);
    let mut has_changed = false;
    for message in &mut turn.messages {
        let renamed = ids.of_message(message);
        if renamed.is_empty() {
            continue;
        }
        let blocks = &mut message.edit().blocks;
        for (at, new) in renamed {
            match blocks.get_mut(at).map(lingate_wire::turn::Node::edit) {
                Some(Block::ToolUse(call)) => call.id = new,
                Some(Block::ToolResult(result)) => result.tool_use_id = new,
                _ => {}
            }
        }
        has_changed = true;
    }
    has_changed
}
