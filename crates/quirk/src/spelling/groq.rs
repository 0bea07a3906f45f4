//! Groq.

use lingate_wire::chat::{MaxTokens, ReasoningField};

use crate::quirk::{Evidence, Quirk};

/// Groq.
pub(crate) const GROQ: Quirk = Quirk {
    name: "groq-spelling",
    groups: &["groq"],
    summary: "Groq takes the output limit as `max_completion_tokens` and names reasoning `reasoning`.",
    evidence: &[Evidence {
        source: "Groq API reference, chat completions",
        date: "2026-11",
    }],
    spelling: Some(|dialect, _| {
        dialect.max_tokens = MaxTokens::MaxCompletionTokens;
        dialect.reasoning = ReasoningField::Reasoning;
        dialect.has_files = false;
    }),
    ..Quirk::EMPTY
};
