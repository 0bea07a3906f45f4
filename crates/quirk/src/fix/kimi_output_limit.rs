//! Output limit of Kimi models where the client names none: the hosts' default cuts replies short.

use lingate_wire::turn::{Params, Turn};

use super::KIMI_GROUPS;
use crate::kimi::Kimi;
use crate::quirk::{Evidence, Quirk};
use crate::state::State;

/// What Moonshot's own agents ask for.
const DEFAULT_TOKENS: u64 = 32_000;

/// States a limit where the client does not.
pub(crate) const KIMI_OUTPUT_LIMIT: Quirk = Quirk {
    name: "kimi-output-limit",
    groups: KIMI_GROUPS,
    summary: "Where a request names no output limit the host takes a small one (1024 tokens), which thinking uses up. \
              32000 are asked for, or as many as the model can make. K3's own default is large and is left alone.",
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
    if params.max_tokens.is_some() {
        return false;
    }
    params.max_tokens = Some(
        state
            .settings
            .max_output
            .map_or(DEFAULT_TOKENS, |most| most.min(DEFAULT_TOKENS)),
    );
    true
}
