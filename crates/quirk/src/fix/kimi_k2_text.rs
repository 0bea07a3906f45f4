//! Kimi K2's calls and thoughts in its text, at hosts that do not parse them, or not always.

use crate::kimi::Kimi;
use crate::quirk::{Evidence, Quirk, Target};
use crate::text::kimi_k2::KimiK2;
use crate::text::{self, Starts};

/// Content begins inside thoughts.
pub(crate) const KIMI_K2_IMPLICIT_TEXT: Quirk = Quirk {
    name: "kimi-k2-implicit-text",
    groups: &["kimi-k2-implicit"],
    summary: "As `kimi-k2-text`, for hosts whose prompt ends in `<think>` and which leave the thoughts in the content: it \
              begins inside them, unless the request switches thinking off.",
    scope: "Kimi models before K3",
    evidence: &[
        Evidence {
            source: "vLLM with --tool-call-parser and without --reasoning-parser: `thoughts</think>answer` in content",
            date: "2026-11",
        },
        Evidence {
            source: "the chat template of moonshotai/Kimi-K2-Thinking, which ends in `<think>`",
            date: "2025-11",
        },
    ],
    applies: is_k2,
    stage: Some(|state| {
        text::stage(
            "kimi-k2-implicit-text",
            Box::new(KimiK2::default()),
            Starts::InThoughts,
            state,
        )
    }),
    ..Quirk::EMPTY
};

/// Thoughts in the content begin with a tag.
pub(crate) const KIMI_K2_TEXT: Quirk = Quirk {
    name: "kimi-k2-text",
    groups: &["kimi-k2"],
    summary: "The model's calls stand in content or reasoning as raw tokens, with or without their section, ends and \
              names; so do `<think>` tags, filler (`(no content)`) and stray tokens. They become calls and thoughts while \
              they stream, or go. Not at the model's own host, and without tools nothing is read as a call.",
    scope: "Kimi models before K3",
    evidence: &[
        Evidence {
            source: "vllm-project/vllm pull requests 28543, 32216 and 38579: special tokens in content, calls in reasoning",
            date: "2026-03-30",
        },
        Evidence {
            source: "huggingface.co/moonshotai/Kimi-K2-Instruct discussion 48: `tool_calls: []` with the call in the text, \
                     under an id copied from the history",
            date: "2025-11",
        },
        Evidence {
            source: "MoonshotAI/Kimi-K2 docs/tool_call_guidance.md: the format, and parsing it by hand",
            date: "2025-11",
        },
        Evidence {
            source: "abcpro1/kimi-proxy README: calls without a section that end in another beginning; `(no content)`",
            date: "2025-12",
        },
    ],
    applies: is_k2,
    stage: Some(|state| {
        text::stage(
            "kimi-k2-text",
            Box::new(KimiK2::default()),
            Starts::InText,
            state,
        )
    }),
    ..Quirk::EMPTY
};

/// Moonshot's own hosts parse their models' calls themselves (R15).
fn is_k2(target: &Target<'_>) -> bool {
    let domains = ["moonshot.ai", "moonshot.cn", "kimi.com", "kimi.ai"];
    !target.is_at(&domains) && Kimi::matches(target.model, |kimi| !kimi.is_k3())
}
