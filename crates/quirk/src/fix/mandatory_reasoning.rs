//! Models that refuse to be told not to think, found out by asking.
//!
//! An aggregator serves both kinds under one address, and which kind a model is changes; its answer tells. Any host may
//! say so, whatever its provider declares.

use lingate_wire::turn::{Failure, FailureKind};

use crate::quirk::{Evidence, Quirk, Repair};
use crate::settings::Thinking;
use crate::state::State;

/// Asks for thinking where there is no way without.
pub(crate) const MANDATORY_REASONING: Quirk = Quirk {
    name: "mandatory-reasoning",
    groups: &["openrouter", "together", "fireworks"],
    summary: "Some models refuse to be told not to think, and an aggregator does not say which. After that refusal the \
              request is made again with thinking on, and the next ones at once. Any host that says so gets it.",
    evidence: &[Evidence {
        source: "400 `Reasoning is mandatory for this endpoint and cannot be disabled.` (OpenRouter)",
        date: "2026-07",
    }],
    on_failure: Some(asked_for),
    ..Quirk::EMPTY
};

/// Thinking, where the refusal says that there is no way without.
pub(crate) fn asked_for(failure: &Failure, state: &State) -> Option<Repair> {
    (failure.kind == FailureKind::InvalidRequest
        && state.settings.thinking != Thinking::On
        && is_mandatory(&failure.message))
    .then_some(Repair::Thinking)
}

/// OpenRouter: `Reasoning is mandatory for this endpoint and cannot be disabled.`
fn is_mandatory(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["reasoning", "thinking"]
        .iter()
        .any(|word| message.contains(word))
        && ["is mandatory", "cannot be disabled", "can not be disabled"]
            .iter()
            .any(|words| message.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_wordings_are_recognised() {
        for (message, expected) in [
            (
                "Reasoning is mandatory for this endpoint and cannot be disabled.",
                true,
            ),
            ("thinking cannot be disabled for this model", true),
            ("max_tokens is mandatory", false),
            ("reasoning is not supported", false),
        ] {
            assert_eq!(is_mandatory(message), expected, "{message}");
        }
    }
}
