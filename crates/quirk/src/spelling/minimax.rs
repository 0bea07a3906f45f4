//! MiniMax.

use lingate_wire::chat::ReasoningField;

use crate::quirk::{Evidence, Quirk};

/// MiniMax.
pub(crate) const MINIMAX: Quirk = Quirk {
    name: "minimax-spelling",
    groups: &["minimax"],
    summary: "MiniMax wants the assistant's message back whole, reasoning in `reasoning_details`.",
    evidence: &[Evidence {
        source: "platform.minimax.io, M2 tool use and interleaved thinking",
        date: "2026-11",
    }],
    spelling: Some(|dialect, _| {
        dialect.reasoning = ReasoningField::ReasoningDetails;
        dialect.has_json_schema = false;
        dialect.has_files = false;
    }),
    ..Quirk::EMPTY
};
