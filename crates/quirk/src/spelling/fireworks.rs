//! Fireworks.

use lingate_wire::chat::{ReasoningField, ThinkingStyle};

use crate::quirk::{Evidence, Quirk};

/// Fireworks.
pub(crate) const FIREWORKS: Quirk = Quirk {
    name: "fireworks-spelling",
    groups: &["fireworks"],
    summary: "Fireworks names reasoning `reasoning_content` and asks for it with `reasoning_effort`.",
    evidence: &[Evidence {
        source: "docs.fireworks.ai, reasoning",
        date: "2026-11",
    }],
    spelling: Some(|dialect, _| {
        dialect.reasoning = ReasoningField::ReasoningContent;
        dialect.thinking = ThinkingStyle::Effort;
        dialect.has_files = false;
        dialect.has_top_k = true;
    }),
    ..Quirk::EMPTY
};
