//! Llama's calls in its text.

use crate::quirk::{Evidence, Quirk, Target};
use crate::text::llama::Llama;
use crate::text::{self, Starts};

const NAME: &str = "llama-text";

/// An element around JSON.
pub(crate) const LLAMA_TEXT: Quirk = Quirk {
    name: NAME,
    groups: &["open-models"],
    summary: "The model writes a call as `<function=NAME>` around its arguments in JSON, sometimes without the `>`. It \
              becomes a call while it streams.",
    scope: "Llama models",
    evidence: &[
        Evidence {
            source: "llama.com, prompt formats of Llama 3.1: user-defined custom tool calling",
            date: "2024-07",
        },
        Evidence {
            source: "langchain-ai/langchain pull request 31440: `<function=brave_search>{..}</function>` as Groq's \
                     `failed_generation` of Llama 3.1",
            date: "2025-05-30",
        },
        Evidence {
            source: "tashfeenahmed/freellmapi pull request 291: `<function=read={..}</function>` of Llama 3.3",
            date: "2026-06-11",
        },
    ],
    applies: is_llama,
    stage: Some(|state| text::stage(NAME, Box::new(Llama::default()), Starts::InText, state)),
    ..Quirk::EMPTY
};

fn is_llama(target: &Target<'_>) -> bool {
    let name = target.model.to_ascii_lowercase();
    name.contains("llama") && !name.contains("deepseek") && !name.contains("hermes")
}
