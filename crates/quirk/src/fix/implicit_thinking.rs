//! Models other than Kimi K2 whose prompt ends in `<think>`, at hosts that leave the thoughts in the content.

use crate::model;
use crate::quirk::{Evidence, Quirk};
use crate::text::think_tags::ThinkTags;
use crate::text::{self, Starts};

const NAME: &str = "implicit-thinking-text";

/// Content begins inside thoughts.
pub(crate) const IMPLICIT_THINKING: Quirk = Quirk {
    name: NAME,
    groups: &["implicit-thinking"],
    summary: "The model's prompt ends in `<think>`, so its thoughts have no opening tag; a host that does not take them out leaves \
              `thoughts</think>answer` in the content. The content begins inside the thoughts, unless the request switches thinking \
              off or the host has sent reasoning of its own. Not part of `open-models`: most hosts do take them out.",
    scope: "DeepSeek R1 and its distillations, QwQ, Qwen's thinking models and 3.5 and later, GLM 4.7 and later, MiniMax M2",
    evidence: &[
        Evidence {
            source: "vllm-project/vllm issue 31045: Qwen3-235B-A22B-Thinking-2507 without a reasoning parser",
            date: "2025-12-19",
        },
        Evidence {
            source: "Cerebras/cerebras-cloud-sdk-python issue 10: qwen-3-235b-a22b-thinking-2507 emits only `</think>`",
            date: "2025-09-19",
        },
        Evidence {
            source: "ggml-org/llama.cpp issue 11861, vllm-project/vllm issue 13125: DeepSeek R1 and its distillations",
            date: "2025-02-14",
        },
        Evidence {
            source: "ggml-org/llama.cpp issue 24671: the prompt of a Qwen 3.5 model, thoughts in content",
            date: "2026-06-16",
        },
        Evidence {
            source: "ml-explore/mlx-lm issue 877: GLM-4.7-Flash",
            date: "2026-02-11",
        },
        Evidence {
            source: "cubist38/mlx-openai-server issue 179: MiniMax M2.1 without a reasoning parser",
            date: "2026-02-02",
        },
    ],
    applies: |target| model::opens_in_thoughts(target.model),
    stage: Some(|state| text::stage(NAME, Box::new(ThinkTags), Starts::InThoughts, state)),
    ..Quirk::EMPTY
};
