//! Together.

use lingate_wire::chat::ReasoningField;

use crate::quirk::{Evidence, Quirk};

/// Together.
pub(crate) const TOGETHER: Quirk = Quirk {
    name: "together-spelling",
    groups: &["together"],
    summary: "Together names reasoning `reasoning`.",
    evidence: &[Evidence {
        source: "docs.together.ai, Kimi K2 Thinking quickstart",
        date: "2026-11",
    }],
    spelling: Some(|dialect, _| {
        dialect.reasoning = ReasoningField::Reasoning;
        dialect.has_files = false;
        dialect.has_top_k = true;
    }),
    ..Quirk::EMPTY
};
