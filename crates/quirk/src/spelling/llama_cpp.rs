//! llama.cpp's server.

use lingate_wire::chat::ThinkingStyle;

use crate::quirk::{Evidence, Quirk};

/// llama.cpp's server.
pub(crate) const LLAMA_CPP: Quirk = Quirk {
    name: "llama-cpp-spelling",
    groups: &["llama-cpp"],
    summary: "llama.cpp hands switches to the model's prompt template with `chat_template_kwargs`.",
    evidence: &[Evidence {
        source: "llama.cpp, tools/server/README.md",
        date: "2026-11",
    }],
    spelling: Some(|dialect, _| {
        dialect.thinking = ThinkingStyle::TemplateKwargs;
        dialect.has_files = false;
        dialect.has_top_k = true;
    }),
    ..Quirk::EMPTY
};
