//! OpenAI's own Chat endpoint.

use lingate_wire::chat::{MaxTokens, ReasoningField, ThinkingStyle};

use crate::quirk::{Evidence, Quirk};

/// OpenAI's own Chat endpoint.
pub(crate) const OPENAI: Quirk = Quirk {
    name: "openai-spelling",
    groups: &["openai"],
    summary: "OpenAI takes the output limit as `max_completion_tokens` alone, effort as `reasoning_effort`, \
              and no reasoning in the history.",
    evidence: &[Evidence {
        source: "types of the official SDKs (openai-python 3.52, openai-node 6.49)",
        date: "2026-11",
    }],
    spelling: Some(|dialect, _| {
        dialect.max_tokens = MaxTokens::MaxCompletionTokens;
        dialect.reasoning = ReasoningField::None;
        dialect.thinking = ThinkingStyle::Effort;
        dialect.has_cache_key = true;
        dialect.has_strict = true;
    }),
    ..Quirk::EMPTY
};
