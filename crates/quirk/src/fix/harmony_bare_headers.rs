//! gpt-oss: headers of channels and calls whose tokens a host has left out, or put into the prompt.

use std::sync::Arc;

use crate::fix::harmony_text::is_gpt_oss;
use crate::quirk::{Evidence, Quirk};
use crate::text::bare_headers::BareHeaders;

const NAME: &str = "harmony-bare-headers";

/// The tokens put back; what they mean is read by `harmony-text`.
pub(crate) const HARMONY_BARE_HEADERS: Quirk = Quirk {
    name: NAME,
    groups: &["harmony", "open-models"],
    summary: "A host that drops special tokens leaves the words of the headers in the text: `analysisThe user..`, `assistantfinal`, \
              `assistantcommentary to=functions.NAME json{..}`; or the first token was part of the prompt. The tokens are put \
              back where the words cannot be prose: at the head of a reply, and behind such a head.",
    scope: "gpt-oss models",
    evidence: &[
        Evidence {
            source: "sgl-project/sglang issue 9139 and pull request 9190: `analysisUser asks 'hi'...assistantfinalHello!`",
            date: "2025-08-14",
        },
        Evidence {
            source: "thinking-machines-lab/tinker-cookbook issue 239: `analysisNeed to answer in 20 words` in content",
            date: "2025-12-26",
        },
        Evidence {
            source: "openai/harmony, docs/format.md: a recipient may stand in front of the channel",
            date: "2025-08",
        },
    ],
    applies: is_gpt_oss,
    stage: Some(|state| Box::new(BareHeaders::new(NAME, Arc::clone(&state.asked)))),
    ..Quirk::EMPTY
};
