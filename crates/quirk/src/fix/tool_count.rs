//! Most tools that a request may declare.

use lingate_wire::chat;

use crate::quirk::{Evidence, Quirk};

/// What every host that says so takes.
const MOST: usize = 128;

/// Has the encoder leave out what is too much.
pub(crate) const TOOL_COUNT: Quirk = Quirk {
    name: "tool-count",
    groups: &["openai", "moonshot", "groq", "deepseek", "zai"],
    summary: "A request with more than 128 tools is refused. Tools that the conversation has called or found, and those \
              that the request chooses, stay; of the others the first ones, in the client's order. Which are left out is \
              told as a loss.",
    evidence: &[
        Evidence {
            source: "400 `Invalid 'tools': array too long. Expected an array with maximum length 128` (OpenAI)",
            date: "2025-08",
        },
        Evidence {
            source: "MoonshotAI/Kimi-K2 issue 90",
            date: "2026-11",
        },
        Evidence {
            source: "api-docs.deepseek.com, docs.z.ai, console.groq.com, chat completions: at most 128 functions",
            date: "2026-11",
        },
    ],
    matters_to_translated_only: true,
    request: Some(|turn, _, state| {
        state.dialect.max_tools = Some(MOST);
        chat::count_tools(turn) > MOST
    }),
    ..Quirk::EMPTY
};
