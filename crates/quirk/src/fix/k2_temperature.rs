//! The first K2 models are meant to run at 0.6 of the temperature that clients of other models ask for.

use lingate_wire::Wire;
use lingate_wire::turn::{Params, Turn};

use super::KIMI_GROUPS;
use crate::kimi::Kimi;
use crate::quirk::{Evidence, Quirk};
use crate::settings::Temperature;
use crate::state::State;

/// What Moonshot multiplies an Anthropic client's temperature with, and what the model wants where nobody says.
const SCALE: f64 = 0.6;

/// Scales the temperature of Anthropic clients and states it where the client does not.
pub(crate) const K2_TEMPERATURE: Quirk = Quirk {
    name: "k2-temperature",
    groups: KIMI_GROUPS,
    summary: "K2 Instruct wants 0.6 where other models want 1. Moonshot's own Anthropic endpoint multiplies the \
              client's temperature with 0.6; the same is done here for Anthropic clients, and 0.6 is stated where no \
              temperature is asked for. Chat clients are taken at their word.",
    scope: "Kimi K2 Instruct (0711, 0905, turbo)",
    evidence: &[Evidence {
        source: "MoonshotAI/Kimi-K2 README, model usage",
        date: "2025-09",
    }],
    applies: |target| Kimi::matches(target.model, Kimi::is_k2_instruct),
    request: Some(scale),
    ..Quirk::EMPTY
};

fn scale(turn: &mut Turn, params: &mut Params, state: &mut State) -> bool {
    if state.settings.temperature != Temperature::Client {
        return false;
    }
    let asked: Option<f64> = params
        .temperature
        .as_ref()
        .and_then(|number| number.parse().ok());
    let wanted = match (asked, turn.origin) {
        (Some(asked), Wire::Anthropic) => asked * SCALE,
        (Some(_), Wire::Chat | Wire::Responses | Wire::Gemini) => return false,
        (None, _) => SCALE,
    };
    // Four digits hide what binary fractions add.
    let rounded = (wanted * 10_000.0).round() / 10_000.0;
    params.temperature = Some(rounded.to_string().into());
    true
}
