//! vLLM and SGLang.

use lingate_wire::chat::{ReasoningField, ThinkingStyle};

use crate::quirk::{Evidence, Quirk};

/// vLLM and SGLang.
pub(crate) const VLLM: Quirk = Quirk {
    name: "vllm-spelling",
    groups: &["vllm"],
    summary: "vLLM and SGLang hand switches to the model's prompt template with `chat_template_kwargs`; newer \
              vLLM names reasoning `reasoning`.",
    evidence: &[Evidence {
        source: "vLLM documentation, reasoning outputs",
        date: "2026-11",
    }],
    spelling: Some(|dialect, _| {
        dialect.reasoning = ReasoningField::Reasoning;
        dialect.thinking = ThinkingStyle::TemplateKwargs;
        dialect.has_files = false;
        dialect.has_top_k = true;
    }),
    ..Quirk::EMPTY
};
