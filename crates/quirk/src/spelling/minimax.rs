//! MiniMax.

use lingate_wire::chat::{HostMember, ReasoningField, ThinkingStyle};

use crate::model::minimax;
use crate::quirk::{Evidence, Quirk};

/// MiniMax.
pub(crate) const MINIMAX: Quirk = Quirk {
    name: "minimax-spelling",
    groups: &["minimax"],
    summary: "MiniMax wants the assistant's message back whole, reasoning in `reasoning_details`; without \
              `reasoning_split` thoughts come as tags inside the text. M3 switches thinking with `thinking.type` \
              `adaptive` or `disabled`; M2 always thinks.",
    evidence: &[
        Evidence {
            source: "platform.minimax.io, M2 tool use and interleaved thinking",
            date: "2026-11",
        },
        Evidence {
            source: "java.agentscope.io, MiniMax compatibility notes (thinking of M3, reasoning_split)",
            date: "2026-11",
        },
    ],
    spelling: Some(|dialect, target| {
        dialect.reasoning = ReasoningField::ReasoningDetails;
        dialect.members = &[HostMember {
            name: "reasoning_split",
            raw: "true",
            for_streamed_tools: false,
        }];
        if minimax(target.model) >= Some((3, 0)) {
            dialect.thinking = ThinkingStyle::Type;
            dialect.thinking_on = "adaptive";
        }
        dialect.has_json_schema = false;
        dialect.has_files = false;
    }),
    ..Quirk::EMPTY
};
