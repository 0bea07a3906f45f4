//! MiniMax's calls and thoughts in its text.

use crate::model;
use crate::quirk::{Evidence, Quirk, Target};
use crate::text::minimax;
use crate::text::{self, Starts};

const NAME: &str = "minimax-text";

/// Elements with attributes.
pub(crate) const MINIMAX_TEXT: Quirk = Quirk {
    name: NAME,
    groups: &["open-models"],
    summary: "The model writes calls as `<invoke name=\"..\">` elements, sometimes without their wrapper or with other quotes, and \
              thoughts between `<think>` or `<mm:think>` tags. They become calls and thoughts while they stream. Not at the \
              model's own host, which is asked to split them.",
    scope: "MiniMax M2 and later",
    evidence: &[
        Evidence {
            source: "MiniMaxAI/MiniMax-M2, tool calling guide",
            date: "2026-11",
        },
        Evidence {
            source: "docs.vllm.ai, tool calling: `minimax_m2` parser",
            date: "2026-11",
        },
    ],
    applies: is_minimax,
    stage: Some(|state| text::stage(NAME, Box::new(minimax::format()), Starts::InText, state)),
    ..Quirk::EMPTY
};

fn is_minimax(target: &Target<'_>) -> bool {
    !target.is_at(&["minimax.io", "minimaxi.com"]) && model::minimax(target.model) >= Some((2, 0))
}
