//! Moonshot's own endpoints, the coding plan's Chat endpoint included.

use lingate_wire::chat::{MaxTokens, ReasoningField, ThinkingStyle};

use crate::kimi::Kimi;
use crate::quirk::{Evidence, Quirk};

/// Moonshot.
pub(crate) const MOONSHOT: Quirk = Quirk {
    name: "moonshot-spelling",
    groups: &["moonshot"],
    summary: "Moonshot takes the output limit as `max_completion_tokens`, a `prompt_cache_key`, reasoning as \
              `reasoning_content`, and pictures only inline. Thinking is switched with `thinking.type` on K2.5 \
              and K2.6, graded with `reasoning_effort` `low`, `high`, `max` on K3, and not asked for on models \
              that always think or never do. `json_schema` output exists from K3 on.",
    evidence: &[
        Evidence {
            source: "platform.kimi.ai/docs/api/chat and /docs/api/models-overview",
            date: "2026-11",
        },
        Evidence {
            source: "github.com/enricoros/big-AGI/issues/1161 (K3 probed: strict json_schema works, effort graded)",
            date: "2026-07-17",
        },
    ],
    spelling: Some(|dialect, target| {
        let is = |is_meant| Kimi::matches(target.model, is_meant);
        dialect.max_tokens = MaxTokens::MaxCompletionTokens;
        dialect.reasoning = ReasoningField::ReasoningContent;
        dialect.thinking = if is(Kimi::is_k3) {
            ThinkingStyle::EffortLowHighMax
        } else if is(Kimi::has_thinking_switch) {
            ThinkingStyle::Type
        } else {
            ThinkingStyle::None
        };
        dialect.has_cache_key = true;
        dialect.has_image_urls = false;
        dialect.has_json_schema = is(Kimi::is_k3);
        dialect.has_parallel_tool_calls = false;
        dialect.has_strict = false;
        dialect.has_files = false;
    }),
    ..Quirk::EMPTY
};
