//! Hosts that take a smaller range of temperatures than clients of other wires ask for.

use lingate_wire::turn::Params;

use crate::quirk::{Evidence, Quirk};
use crate::settings::Temperature;
use crate::state::State;

/// Z.ai: from 0 to 1.
pub(crate) const ZAI_TEMPERATURE: Quirk = Quirk {
    name: "zai-temperature",
    groups: &["zai"],
    summary: "The temperature goes from 0 to 1; clients of other wires go up to 2. It is brought into the range.",
    evidence: &[Evidence {
        source: "docs.z.ai, chat completions, temperature",
        date: "2026-11",
    }],
    matters_to_translated_only: true,
    request: Some(|_, params, state| clamp(params, state, 0.0)),
    ..Quirk::EMPTY
};

/// MiniMax: above 0, up to 1.
pub(crate) const MINIMAX_TEMPERATURE: Quirk = Quirk {
    name: "minimax-temperature",
    groups: &["minimax"],
    summary: "The temperature has to be above 0 and at most 1; clients ask for 0 where they want the same answer twice. \
              It is brought into the range, 0 to 0.01.",
    evidence: &[Evidence {
        source: "platform.minimax.io, OpenAI compatible API: `temperature` in (0.0, 1.0], other values return an error",
        date: "2026-04",
    }],
    matters_to_translated_only: true,
    request: Some(|_, params, state| clamp(params, state, 0.01)),
    ..Quirk::EMPTY
};

fn clamp(params: &mut Params, state: &State, least: f64) -> bool {
    // A number of the configuration is meant as it is.
    if state.settings.temperature != Temperature::Client {
        return false;
    }
    let asked: Option<f64> = (params.temperature.as_ref()).and_then(|number| number.parse().ok());
    match asked {
        Some(asked) if !(least..=1.0).contains(&asked) => {
            params.temperature = Some(asked.clamp(least, 1.0).to_string().into());
            true
        }
        Some(_) | None => false,
    }
}
