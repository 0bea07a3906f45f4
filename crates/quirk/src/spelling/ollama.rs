//! Ollama.

use lingate_wire::chat::{ReasoningField, ThinkingStyle};

use crate::quirk::{Evidence, Quirk};

/// Ollama.
pub(crate) const OLLAMA: Quirk = Quirk {
    name: "ollama-spelling",
    groups: &["ollama"],
    summary: "Ollama's Chat endpoint names reasoning `reasoning`, asks for it with `reasoning_effort`, and \
              takes pictures only inline.",
    evidence: &[Evidence {
        source: "Ollama documentation, OpenAI compatibility",
        date: "2026-11",
    }],
    spelling: Some(|dialect, _| {
        dialect.reasoning = ReasoningField::Reasoning;
        dialect.thinking = ThinkingStyle::Effort;
        dialect.has_image_urls = false;
        dialect.has_parallel_tool_calls = false;
        dialect.has_files = false;
    }),
    ..Quirk::EMPTY
};
