//! GLM's calls in its text.

use crate::model;
use crate::quirk::{Evidence, Quirk, Target};
use crate::text::glm::Glm;
use crate::text::{self, Starts};

const NAME: &str = "glm-text";

/// Names, keys and values as elements.
pub(crate) const GLM_TEXT: Quirk = Quirk {
    name: NAME,
    groups: &["glm", "open-models"],
    summary: "The model writes a call as `<tool_call>NAME` with `<arg_key>` and `<arg_value>` elements, in 4.5 and 4.6 one a line. It \
              becomes a call while it streams; values are what the tool's schema wants them to be. Not at the model's own \
              host.",
    scope: "GLM 4.5 and later",
    evidence: &[
        Evidence {
            source: "zai-org/GLM-4.5, chat template and tool calls; GLM 4.7 without newlines",
            date: "2026-11",
        },
        Evidence {
            source: "docs.vllm.ai, tool calling: `glm45` and `glm47` parsers",
            date: "2026-11",
        },
    ],
    applies: is_glm,
    stage: Some(|state| text::stage(NAME, Box::new(Glm::default()), Starts::InText, state)),
    ..Quirk::EMPTY
};

fn is_glm(target: &Target<'_>) -> bool {
    !target.is_at(&["z.ai", "bigmodel.cn"]) && model::glm(target.model) >= Some((4, 5))
}
