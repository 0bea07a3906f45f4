//! Qwen3-Coder's calls in its text, and the same markup of models that are taught to write it.

use crate::model::{QwenCalls, qwen_calls};
use crate::quirk::{Evidence, Quirk};
use crate::text::qwen3_coder::Qwen3Coder;
use crate::text::{self, Starts};

const NAME: &str = "qwen3-coder-text";

/// Calls as elements, typed by the tool's schema.
pub(crate) const QWEN3_CODER_TEXT: Quirk = Quirk {
    name: NAME,
    groups: &["qwen3-coder", "open-models"],
    summary: "The model writes a call as `<function=NAME>` with a `<parameter=KEY>` for each argument. It becomes a call \
              while it streams; values are what the tool's schema wants them to be.",
    scope: "Qwen3-Coder, Qwen 3.5 and later, and Qwen models whose names do not tell",
    evidence: &[
        Evidence {
            source: "QwenLM/Qwen3-Coder, qwen3coder_tool_parser.py: the format, and what may be missing of it",
            date: "2026-11",
        },
        Evidence {
            source: "junjihashimoto/louter, `tool_format = \"xml\"` for small local models",
            date: "2025-12",
        },
    ],
    applies: |target| {
        matches!(
            qwen_calls(target.model),
            Some(QwenCalls::Elements | QwenCalls::Either)
        )
    },
    stage: Some(|state| text::stage(NAME, Box::new(Qwen3Coder::default()), Starts::InText, state)),
    ..Quirk::EMPTY
};
