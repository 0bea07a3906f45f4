//! DeepSeek, and hosts of models that insist on their reasoning in the same way (MiMo).

use lingate_wire::chat::{ReasoningField, ThinkingStyle};

use super::BLANK_REASONING;
use crate::quirk::{Evidence, Quirk};

/// DeepSeek.
pub(crate) const DEEPSEEK: Quirk = Quirk {
    name: "deepseek-spelling",
    groups: &["deepseek", "mimo"],
    summary: "DeepSeek thinks by default and answers 400 to a tool-calling turn without its reasoning, so a \
              blank stands in where there is none. It switches thinking with `thinking.type`, DeepSeek graded with \
              `reasoning_effort` `low`, `high`, `max`, and knows `json_object` only.",
    evidence: &[
        Evidence {
            source: "400 `The reasoning_content in the thinking mode must be passed back to the API.` (DeepSeek V4)",
            date: "2026-11",
        },
        Evidence {
            source: "api-docs.deepseek.com/guides/thinking_mode, thinking effort control (Kilo-Org/kilocode issue 9512); \
                     `low` since the release of 07-31 (antirez/ds4 pull 686)",
            date: "2026-08",
        },
    ],
    spelling: Some(|dialect, target| {
        dialect.reasoning = ReasoningField::ReasoningContent;
        dialect.missing_reasoning = Some(BLANK_REASONING);
        dialect.thinking = if target.model.to_ascii_lowercase().contains("mimo") {
            ThinkingStyle::Type
        } else {
            ThinkingStyle::TypeAndEffort
        };
        dialect.has_json_schema = false;
        dialect.has_parallel_tool_calls = false;
        dialect.has_files = false;
    }),
    ..Quirk::EMPTY
};
