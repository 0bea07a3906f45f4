//! DeepSeek's calls in its text.

use crate::quirk::{Evidence, Quirk, Target};
use crate::text::deepseek::DeepSeek;
use crate::text::{self, Starts};

const NAME: &str = "deepseek-text";

/// Tokens with JSON, and elements.
pub(crate) const DEEPSEEK_TEXT: Quirk = Quirk {
    name: NAME,
    groups: &["open-models"],
    summary: "The model writes calls between tokens with full-width bars (V3, R1 and V3.1, with JSON) or as `DSML` elements (V3.2, V4). \
              They become calls while they stream; an element without its wrapper does so once it is complete, if it \
              names a declared tool. Not at the model's own host.",
    scope: "DeepSeek models",
    evidence: &[
        Evidence {
            source: "docs.vllm.ai, tool calling: `deepseek_v3`, `deepseek_v31` and `deepseek_v32` parsers",
            date: "2026-11",
        },
        Evidence {
            source: "deepseek-ai/DeepSeek-V3.2, encoding of calls (DSML)",
            date: "2026-11",
        },
        Evidence {
            source: "vllm-project/vllm issue 48931: `DSML` in content where the wrapper's start is missing",
            date: "2026-08-13",
        },
        Evidence {
            source: "sgl-project/sglang issue 40236: bare and unterminated `DSML` in content",
            date: "2026-09-18",
        },
    ],
    applies: is_deepseek,
    stage: Some(|state| text::stage(NAME, Box::new(DeepSeek::default()), Starts::InText, state)),
    ..Quirk::EMPTY
};

fn is_deepseek(target: &Target<'_>) -> bool {
    !target.is_at(&["deepseek.com"]) && target.model.to_ascii_lowercase().contains("deepseek")
}
