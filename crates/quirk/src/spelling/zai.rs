//! Z.ai (GLM).

use lingate_wire::chat::{HostMember, ThinkingStyle};

use crate::model::glm;
use crate::quirk::{Evidence, Quirk};

/// Z.ai (GLM).
pub(crate) const ZAI: Quirk = Quirk {
    name: "zai-spelling",
    groups: &["zai"],
    summary: "Z.ai switches thinking with `thinking.type`, knows `json_object` only, and refuses cache hints. From GLM-4.7 \
              on it forgets the thoughts of earlier turns unless told `clear_thinking: false`. Arguments of calls come \
              in pieces only with `tool_stream`.",
    evidence: &[
        Evidence {
            source: "docs.z.ai, chat completions",
            date: "2026-11",
        },
        Evidence {
            source: "docs.z.ai/guides, thinking mode (preserved thinking) and tool streaming",
            date: "2026-11",
        },
    ],
    spelling: Some(|dialect, target| {
        dialect.thinking = ThinkingStyle::Type;
        if glm(target.model) >= Some((4, 7)) {
            dialect.thinking_member = Some(("clear_thinking", "false"));
        }
        if glm(target.model) >= Some((4, 6)) {
            dialect.members = &[HostMember {
                name: "tool_stream",
                raw: "true",
                for_streamed_tools: true,
            }];
        }
        dialect.has_json_schema = false;
        dialect.has_parallel_tool_calls = false;
        dialect.has_files = false;
    }),
    ..Quirk::EMPTY
};
