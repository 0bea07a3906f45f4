//! Z.ai (GLM).

use lingate_wire::chat::ThinkingStyle;

use crate::quirk::{Evidence, Quirk};

/// Z.ai (GLM).
pub(crate) const ZAI: Quirk = Quirk {
    name: "zai-spelling",
    groups: &["zai"],
    summary: "Z.ai switches thinking with `thinking.type`, knows `json_object` only, and refuses cache hints.",
    evidence: &[Evidence {
        source: "docs.z.ai, chat completions",
        date: "2026-11",
    }],
    spelling: Some(|dialect, _| {
        dialect.thinking = ThinkingStyle::Type;
        dialect.has_json_schema = false;
        dialect.has_parallel_tool_calls = false;
        dialect.has_files = false;
    }),
    ..Quirk::EMPTY
};
