//! gpt-oss: headers of channels and calls in its text.

use crate::quirk::{Evidence, Quirk, Target};
use crate::text::harmony::Harmony;
use crate::text::{self, Starts};

const NAME: &str = "harmony-text";

/// Harmony.
pub(crate) const HARMONY_TEXT: Quirk = Quirk {
    name: NAME,
    groups: &["harmony", "open-models"],
    summary: "The model's messages come with their headers (`<|channel|>analysis<|message|>`). They become thoughts, text and calls \
              while they stream; commentary without a recipient is text.",
    scope: "gpt-oss models",
    evidence: &[
        Evidence {
            source: "openai/harmony, docs/format.md: channels, recipients, stop tokens",
            date: "2025-08",
        },
        Evidence {
            source: "kekzl/imp pull request 768, scouzi1966/maclocal-api issue 121: channels in content",
            date: "2026-06-23",
        },
        Evidence {
            source: "NVIDIA/TensorRT-LLM issue 9256: headers in the content of a final answer",
            date: "2025-11-26",
        },
        Evidence {
            source: "ggml-org/llama.cpp pull request 15158: `to=functions.shelljson`, the name and `json` in one word",
            date: "2025-08-07",
        },
    ],
    applies: is_gpt_oss,
    stage: Some(|state| text::stage(NAME, Box::new(Harmony::default()), Starts::InText, state)),
    ..Quirk::EMPTY
};

pub(super) fn is_gpt_oss(target: &Target<'_>) -> bool {
    target.model.to_ascii_lowercase().contains("gpt-oss")
}
