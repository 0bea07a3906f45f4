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
            source: "sglang issue 39583: XTML in content",
            date: "2026-08",
        },
        Evidence {
            source: "senpi issue 465, sigit issue 92: raw elements shown to users",
            date: "2026-09",
        },
    ],
    applies: is_k3,
    stage: Some(|state| text::stage(NAME, Box::new(KimiK3::default()), Starts::InText, state)),
    ..Quirk::EMPTY
};

/// Moonshot's own hosts parse their models' calls themselves (R15).
fn is_k3(target: &Target<'_>) -> bool {
    let domains = ["moonshot.ai", "moonshot.cn", "kimi.com", "kimi.ai"];
    !target.is_at(&domains) && Kimi::matches(target.model, Kimi::is_k3)
}
