//! OpenRouter.

use lingate_wire::chat::{CacheSpelling, ReasoningField, ThinkingStyle};

use crate::quirk::{Evidence, Quirk};

/// OpenRouter.
pub(crate) const OPENROUTER: Quirk = Quirk {
    name: "openrouter-spelling",
    groups: &["openrouter"],
    summary: "OpenRouter asks for thinking with a `reasoning` object, wants `reasoning_details` back \
              unmodified, and keeps `cache_control` for the providers that read it.",
    evidence: &[Evidence {
        source: "openrouter.ai documentation: reasoning tokens, prompt caching",
        date: "2026-11",
    }],
    spelling: Some(|dialect, _| {
        dialect.reasoning = ReasoningField::ReasoningDetails;
        dialect.thinking = ThinkingStyle::Reasoning;
        dialect.cache = CacheSpelling::CacheControl;
        dialect.has_top_k = true;
    }),
    ..Quirk::EMPTY
};
