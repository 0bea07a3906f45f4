//! Assistant turns without reasoning, while the model thinks: some hosts refuse them.

use lingate_wire::turn::{Failure, FailureKind};

use super::KIMI_GROUPS;
use crate::kimi::is_kimi;
use crate::quirk::{Evidence, Quirk, Repair};
use crate::settings::ReasoningHistory;
use crate::state::State;

/// Leaves missing reasoning out at first, and sends a placeholder when the host insists.
///
/// Hosts that always insist say so in their spelling; the setting `reasoning_history` overrules both.
pub(crate) const REASONING_HISTORY: Quirk = Quirk {
    name: "reasoning-history",
    groups: KIMI_GROUPS,
    summary: "Kimi hosts of K2 Thinking's time answer 400 to a tool-calling turn without reasoning. Newer ones do \
              not, and a placeholder disturbs the model. So the reasoning is left out, and only after that 400 the \
              request is made again with a blank in its place.",
    scope: "Kimi models",
    evidence: &[
        Evidence {
            source: "400 `thinking is enabled but reasoning_content is missing in assistant tool call message at index N` \
                     (MoonshotAI/kimi-agent-sdk issue 169 for K2.6, agentscope-ai/QwenPaw issue 433 for K2.5)",
            date: "2026-04-23",
        },
        Evidence {
            source: "400 `The reasoning_content in the thinking mode must be passed back to the API.` (DeepSeek V4, \
                     QwenLM/qwen-code issue 3724)",
            date: "2026-04-29",
        },
        Evidence {
            source: "cc-switch 3.20 changelog: placeholders removed at Moonshot's request",
            date: "2026-08-18",
        },
    ],
    applies: is_kimi,
    on_failure: Some(|failure, state| match state.settings.reasoning_history {
        ReasoningHistory::Auto | ReasoningHistory::PlaceholderOn400 => repair(failure),
        ReasoningHistory::Omit | ReasoningHistory::Placeholder => None,
    }),
    ..Quirk::EMPTY
};

/// The same for every host that says so, whatever its provider declares: DeepSeek's models ask for it at every host.
pub(crate) fn asked_for(failure: &Failure, state: &State) -> Option<Repair> {
    match state.settings.reasoning_history {
        ReasoningHistory::PlaceholderOn400 => repair(failure),
        ReasoningHistory::Auto if state.dialect.missing_reasoning.is_none() => repair(failure),
        ReasoningHistory::Auto | ReasoningHistory::Omit | ReasoningHistory::Placeholder => None,
    }
}

fn repair(failure: &Failure) -> Option<Repair> {
    (failure.kind == FailureKind::InvalidRequest && misses_reasoning(&failure.message))
        .then_some(Repair::ReasoningPlaceholder)
}

/// Whether an error message is about missing reasoning, in any of the known wordings.
fn misses_reasoning(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    message.contains("reasoning_content")
        && [
            "is missing",
            "missing in",
            "must be passed back",
            "is required",
        ]
        .iter()
        .any(|words| message.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &str, expected: bool) {
        assert_eq!(misses_reasoning(message), expected, "{message}");
    }

    #[test]
    fn known_wordings_are_recognised() {
        check(
            "thinking is enabled but reasoning_content is missing in assistant tool call message at index 3",
            true,
        );
        check(
            "The `reasoning_content` in the thinking mode must be passed back to the API.",
            true,
        );
        check("Extra inputs are not permitted: reasoning_content", false);
        check("max_tokens is missing", false);
    }
}
