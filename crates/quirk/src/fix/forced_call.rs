//! Models that cannot be forced to call a tool while they think, found out by asking.
//!
//! Aggregators serve them beside others under one address. Any host may say so, whatever its provider declares.

use lingate_wire::turn::{Failure, FailureKind};

use crate::quirk::{Evidence, Quirk, Repair};
use crate::settings::Thinking;
use crate::state::State;

/// Asks for no thinking where a call is forced.
pub(crate) const FORCED_CALL_RETRY: Quirk = Quirk {
    name: "forced-call-retry",
    groups: &["openrouter", "together", "fireworks", "kimi-k2"],
    summary: "Some models refuse a forced tool call while they think, and an aggregator does not say which. After that \
              refusal the request is made again with thinking off. Any host that says so gets it.",
    evidence: &[
        Evidence {
            source: "400 `Thinking mode does not support this tool_choice` (DeepSeek models at other hosts, \
                     can1357/oh-my-pi issue 7315)",
            date: "2026-08-01",
        },
        Evidence {
            source: "400 `The tool_choice parameter does not support being set to required or object in thinking mode` \
                     (Qwen at Alibaba)",
            date: "2026-08-08",
        },
    ],
    on_failure: Some(asked_for),
    ..Quirk::EMPTY
};

/// No thinking, where the refusal says that the choice of a tool and thinking do not go together. The choice is what the
/// client needs: without thinking it is really enforced.
pub(crate) fn asked_for(failure: &Failure, state: &State) -> Option<Repair> {
    (failure.kind == FailureKind::InvalidRequest
        && state.settings.thinking != Thinking::Off
        && is_about_both(&failure.message))
    .then_some(Repair::NoThinking)
}

fn is_about_both(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    let names = |words: &[&str]| words.iter().any(|words| message.contains(words));
    names(&["tool_choice", "tool choice"])
        && names(&["thinking", "reasoning"])
        && names(&[
            "not support",
            "incompatible",
            "may not be enabled",
            "cannot be used",
            "only support",
        ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_wordings_are_recognised() {
        for (message, expected) in [
            ("Thinking mode does not support this tool_choice", true),
            (
                "tool_choice 'specified' is incompatible with thinking enabled",
                true,
            ),
            (
                "<400> InternalError.Algo.InvalidParameter: The tool_choice parameter does not support being set to \
                 required or object in thinking mode",
                true,
            ),
            (
                "Thinking may not be enabled when tool_choice forces tool use.",
                true,
            ),
            ("tool_choice: unknown tool", false),
            ("thinking is not supported by this model", false),
        ] {
            assert_eq!(is_about_both(message), expected, "{message}");
        }
    }
}
