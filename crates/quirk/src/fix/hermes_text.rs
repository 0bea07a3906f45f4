//! Calls of Hermes, Qwen 2.5 and Qwen 3 in their text.

use crate::model::{QwenCalls, qwen_calls};
use crate::quirk::{Evidence, Quirk, Target};
use crate::text::hermes::Hermes;
use crate::text::{self, Starts};

const NAME: &str = "hermes-text";

/// JSON between tags.
pub(crate) const HERMES_TEXT: Quirk = Quirk {
    name: NAME,
    groups: &["hermes", "open-models"],
    summary: "The model writes a call as a JSON object between `<tool_call>` tags. It becomes a call while it streams, also where the \
              closing tag is missing, the arguments are a string, or a string holds the tag; what is no JSON stays text.",
    scope: "Hermes, QwQ and Qwen models, but for those that are known to write `<function=NAME>` (`qwen3-coder`)",
    evidence: &[
        Evidence {
            source: "docs.vllm.ai, tool calling: `hermes` parser for Hermes 2 Pro and Qwen 2.5",
            date: "2026-11",
        },
        Evidence {
            source: "QwenLM/Qwen3, chat template and its tool calls",
            date: "2026-11",
        },
    ],
    applies: is_hermes,
    stage: Some(|state| text::stage(NAME, Box::new(Hermes::default()), Starts::InText, state)),
    ..Quirk::EMPTY
};

fn is_hermes(target: &Target<'_>) -> bool {
    let name = target.model.to_ascii_lowercase();
    let is_of_family = ["hermes", "qwen", "qwq"]
        .iter()
        .any(|family| name.contains(family));
    is_of_family
        && !name.contains("deepseek")
        && qwen_calls(target.model) != Some(QwenCalls::Elements)
}
