//! Output limits that suit Kimi models: the hosts' default cuts replies short, a coding agent's wish fills the window.

use lingate_wire::turn::{Params, Turn};

use super::KIMI_GROUPS;
use crate::kimi::Kimi;
use crate::quirk::{Evidence, Quirk};
use crate::state::State;

/// What Moonshot's own agents ask for.
const USUAL_TOKENS: u64 = 32_000;

/// States a limit where the client does not, and lowers one that leaves no room for the conversation.
pub(crate) const KIMI_OUTPUT_LIMIT: Quirk = Quirk {
    name: "kimi-output-limit",
    groups: KIMI_GROUPS,
    summary: "Where a request names no output limit the host takes a small one (1024 tokens), which thinking uses up. \
              And the limit counts against the window together with the input, so that the 128000 Claude Code asks \
              for make an error of every conversation beyond half of it. 32000 are asked for instead, unless \
              `max_output` says how many the model can make. K3's default and window are large.",
    scope: "Kimi models before K3",
    evidence: &[Evidence {
        source: "platform.kimi.ai/docs/api/chat, max_completion_tokens",
        date: "2026-11",
    }],
    applies: |target| Kimi::matches(target.model, |kimi| !kimi.is_k3()),
    request: Some(state_limit),
    ..Quirk::EMPTY
};

fn state_limit(_turn: &mut Turn, params: &mut Params, state: &mut State) -> bool {
    let wanted = match (params.max_tokens, state.settings.max_output) {
        // Within the model's limit already: settings come before quirks.
        (Some(_), Some(_)) => return false,
        (Some(asked), None) => asked.min(USUAL_TOKENS),
        (None, most) => most.map_or(USUAL_TOKENS, |most| most.min(USUAL_TOKENS)),
    };
    params.max_tokens.replace(wanted) != Some(wanted)
}
