//! Kimi K3's channels and calls in its text, at hosts that do not parse them, or not always.

use crate::kimi::Kimi;
use crate::quirk::{Evidence, Quirk, Target};
use crate::text::kimi_k3::KimiK3;
use crate::text::{self, Starts};

const NAME: &str = "kimi-k3-text";

/// XTML.
pub(crate) const KIMI_K3_TEXT: Quirk = Quirk {
    name: NAME,
    groups: &["kimi-k3", "open-models"],
    summary: "The model writes thoughts, text and calls as elements between `<|open|>` and `<|close|>` (XTML). They become what they \
              are while they stream; string arguments are raw text, others JSON. Not at the model's own host.",
    scope: "Kimi K3",
    evidence: &[
        Evidence {
            source: "sgl-project/sglang issue 39583: XTML in content",
            date: "2026-09-15",
        },
        Evidence {
            source: "code-yeongyu/senpi pull request 465, getsigit/sigit pull request 92: raw elements shown to users",
            date: "2026-09-13",
        },
    ],
    applies: is_k3,
    stage: Some(|state| text::stage(NAME, Box::new(KimiK3::default()), Starts::InText, state)),
    ..Quirk::EMPTY
};

/// Content begins inside thoughts.
pub(crate) const KIMI_K3_IMPLICIT_TEXT: Quirk = Quirk {
    name: "kimi-k3-implicit-text",
    groups: &["implicit-thinking"],
    summary: "As `kimi-k3-text`, for hosts whose prompt opens the thoughts and which leave them in the content: it begins inside \
              them, unless the request switches thinking off.",
    scope: "Kimi K3",
    evidence: &[Evidence {
        source: "pwilkin/llama.cpp pull request 20: the prompt ends in `<|open|>think<|sep|>`",
        date: "2026-07-28",
    }],
    applies: is_k3,
    stage: Some(|state| {
        text::stage(
            "kimi-k3-implicit-text",
            Box::new(KimiK3::default()),
            Starts::InThoughts,
            state,
        )
    }),
    ..Quirk::EMPTY
};

/// Moonshot's own hosts parse their models' calls themselves (R15).
fn is_k3(target: &Target<'_>) -> bool {
    let domains = ["moonshot.ai", "moonshot.cn", "kimi.com", "kimi.ai"];
    !target.is_at(&domains) && Kimi::matches(target.model, Kimi::is_k3)
}
