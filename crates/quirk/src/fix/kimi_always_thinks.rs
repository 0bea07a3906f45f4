//! Kimi models whose thinking cannot be turned off, and what a client gets that wants none.

use lingate_wire::turn::{Effort, Params, ThinkingMode};

use crate::kimi::Kimi;
use crate::quirk::{Evidence, Quirk};

/// Never asks them not to think.
pub(crate) const KIMI_ALWAYS_THINKS: Quirk = Quirk {
    name: "kimi-always-thinks",
    groups: &["moonshot", "kimi-k2", "kimi-k2-implicit", "openrouter"],
    summary: "To turn thinking off is an error where the model always thinks. A client that wants none gets what the \
              model does anyway, on K3 with the least effort (`low`).",
    scope: "Kimi K2 Thinking, K2.7 Code, the coding plan, K3 and later",
    evidence: &[
        Evidence {
            source: "MoonshotAI/Kimi-K2 issue 141 (K2.7 Code accepts `enabled` only)",
            date: "2026-11",
        },
        Evidence {
            source: "enricoros/big-AGI issue 1161 (K3 through OpenRouter: `reasoning.enabled = false` is a 400)",
            date: "2026-07-17",
        },
    ],
    applies: |target| Kimi::matches(target.model, Kimi::always_thinks),
    spelling: Some(|dialect, _| dialect.always_thinks = true),
    request: Some(|_, params, state| keep_on(params, &state.model)),
    ..Quirk::EMPTY
};

fn keep_on(params: &mut Params, model: &str) -> bool {
    let wants_none = params.thinking == Some(ThinkingMode::Disabled);
    let no_effort = params.effort == Some(Effort::None);
    if !wants_none && !no_effort {
        return false;
    }
    if wants_none {
        params.thinking = Some(ThinkingMode::Adaptive);
    }
    if no_effort {
        params.effort = None;
    }
    if Kimi::matches(model, Kimi::is_k3) {
        params.effort.get_or_insert(Effort::Low);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    type Asked = (Option<ThinkingMode>, Option<Effort>);

    const OFF: Option<ThinkingMode> = Some(ThinkingMode::Disabled);
    const ADAPTIVE: Option<ThinkingMode> = Some(ThinkingMode::Adaptive);

    #[track_caller]
    fn check(model: &str, asked: Asked, expected: Asked) {
        let mut params = Params {
            thinking: asked.0,
            effort: asked.1,
            ..Params::default()
        };
        let has_changed = keep_on(&mut params, model);
        assert_eq!((params.thinking, params.effort), expected, "{model}");
        assert_eq!(has_changed, asked != expected, "{model}");
    }

    #[test]
    fn a_wish_not_to_think_becomes_the_least_thinking() {
        check("kimi-k2.7-code", (OFF, None), (ADAPTIVE, None));
        check("kimi-k2.7-code", (None, Some(Effort::None)), (None, None));
        check("kimi-k3", (OFF, None), (ADAPTIVE, Some(Effort::Low)));
        check(
            "kimi-k3",
            (OFF, Some(Effort::Max)),
            (ADAPTIVE, Some(Effort::Max)),
        );
        check(
            "kimi-k3",
            (None, Some(Effort::None)),
            (None, Some(Effort::Low)),
        );
    }

    #[test]
    fn every_other_wish_stays() {
        check("kimi-k2.7-code", (None, None), (None, None));
        check("kimi-k3", (ADAPTIVE, None), (ADAPTIVE, None));
        check(
            "kimi-k3.1-pro",
            (ADAPTIVE, Some(Effort::Medium)),
            (ADAPTIVE, Some(Effort::Medium)),
        );
    }
}
