//! Sampling parameters of current Kimi models are fixed: any other value is an error.

use lingate_wire::turn::{Params, Turn};

use super::KIMI_GROUPS;
use crate::kimi::Kimi;
use crate::quirk::{Evidence, Quirk};
use crate::settings::Temperature;
use crate::state::State;

/// Members of the Chat wire beside the ones the hub knows.
const FIXED_MEMBERS: &[&str] = &["n", "presence_penalty", "frequency_penalty"];

/// Leaves them out.
pub(crate) const KIMI_SAMPLING: Quirk = Quirk {
    name: "kimi-sampling",
    groups: KIMI_GROUPS,
    summary: "`temperature`, `top_p`, `n` and the penalties are fixed, and other values than the fixed ones are an \
              error, so they are left out. A `temperature` of the configuration is sent.",
    scope: "Kimi K2.5 and later, the coding plan",
    evidence: &[
        Evidence {
            source: "platform.kimi.ai/docs/api/models-overview",
            date: "2026-11",
        },
        Evidence {
            source: "400 `invalid temperature: only 1 is allowed for this model` (countbot-ai/CountBot issue 61 for K2.5, \
                     shandianshuo/shandianshuo-releases issue 13 for the coding plan)",
            date: "2026-08-25",
        },
    ],
    applies: |target| Kimi::matches(target.model, Kimi::has_fixed_sampling),
    request: Some(leave_out),
    ..Quirk::EMPTY
};

fn leave_out(_turn: &mut Turn, params: &mut Params, state: &mut State) -> bool {
    let is_ours = matches!(state.settings.temperature, Temperature::Fixed(_));
    let n_members = params.extra.len();
    params
        .extra
        .retain(|(name, _)| !FIXED_MEMBERS.contains(&&**name));
    let mut has_changed = params.extra.len() != n_members;
    has_changed |= !is_ours && params.temperature.take().is_some();
    has_changed |= params.top_p.take().is_some();
    has_changed |= params.top_k.take().is_some();
    has_changed
}
