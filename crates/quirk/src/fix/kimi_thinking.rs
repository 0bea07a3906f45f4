//! Thinking on Kimi models: a switch on some, always on on others, never `thinking` and `reasoning_effort` together.

use lingate_wire::turn::{Effort, Params, ThinkingMode};

use crate::kimi::Kimi;
use crate::quirk::{Evidence, Quirk};

/// Asks for thinking only in ways the model accepts.
pub(crate) const KIMI_THINKING: Quirk = Quirk {
    name: "kimi-thinking",
    groups: &["moonshot"],
    summary: "`thinking` and `reasoning_effort` together are an error. K2.5 and K2.6 have a switch and no effort. \
              K2.7 Code and the coding plan always think and refuse `disabled`. K3 always thinks and is graded with \
              `low`, `high` and `max`; a client that wants no thinking gets `low`.",
    scope: "Kimi K2.5 and later, K2 Thinking, the coding plan",
    evidence: &[
        Evidence {
            source: "MoonshotAI/Kimi-K2 issue 141 (K2.7 Code); hermes-agent issue 32040 (both parameters)",
            date: "2026-11",
        },
        Evidence {
            source: "platform.kimi.ai/docs/guide/use-reasoning-effort",
            date: "2026-08-02",
        },
    ],
    applies: |target| {
        Kimi::matches(target.model, |kimi| {
            kimi.has_thinking_switch() || kimi.always_thinks()
        })
    },
    request: Some(|_, params, state| shape(params, &state.model)),
    ..Quirk::EMPTY
};

fn shape(params: &mut Params, model: &str) -> bool {
    let before = (params.thinking, params.effort);
    if Kimi::matches(model, Kimi::is_k3) {
        graded(params);
    } else if Kimi::matches(model, Kimi::always_thinks) {
        always_on(params);
    } else {
        switched(params);
    }
    before != (params.thinking, params.effort)
}

/// K3: effort only. Where the client says nothing, so do we: the model's default is its best.
fn graded(params: &mut Params) {
    let wants_none = params.thinking == Some(ThinkingMode::Disabled);
    if params.effort == Some(Effort::None) || (wants_none && params.effort.is_none()) {
        params.effort = Some(Effort::Low);
    }
    if wants_none {
        params.thinking = Some(ThinkingMode::Adaptive);
    }
}

/// K2 Thinking, K2.7 Code: nothing to choose.
fn always_on(params: &mut Params) {
    params.effort = None;
    if params.thinking == Some(ThinkingMode::Disabled) {
        params.thinking = Some(ThinkingMode::Adaptive);
    }
}

/// K2.5, K2.6: effort tells at most whether to think at all.
fn switched(params: &mut Params) {
    let Some(effort) = params.effort.take() else {
        return;
    };
    params.thinking = params.thinking.or(Some(match effort {
        Effort::None => ThinkingMode::Disabled,
        Effort::Minimal
        | Effort::Low
        | Effort::Medium
        | Effort::High
        | Effort::XHigh
        | Effort::Max => ThinkingMode::Enabled {
            budget_tokens: None,
        },
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON: Option<ThinkingMode> = Some(ThinkingMode::Enabled {
        budget_tokens: None,
    });
    const OFF: Option<ThinkingMode> = Some(ThinkingMode::Disabled);
    const ADAPTIVE: Option<ThinkingMode> = Some(ThinkingMode::Adaptive);

    #[track_caller]
    fn check(
        model: &str,
        asked: (Option<ThinkingMode>, Option<Effort>),
        expected: (Option<ThinkingMode>, Option<Effort>),
    ) {
        let mut params = Params {
            thinking: asked.0,
            effort: asked.1,
            ..Params::default()
        };
        let has_changed = shape(&mut params, model);
        assert_eq!((params.thinking, params.effort), expected, "{model}");
        assert_eq!(has_changed, asked != expected, "{model}");
    }

    #[test]
    fn every_model_is_asked_in_its_own_way() {
        check("kimi-k2.6", (ON, None), (ON, None));
        check("kimi-k2.6", (OFF, None), (OFF, None));
        check(
            "kimi-k2.6",
            (ADAPTIVE, Some(Effort::High)),
            (ADAPTIVE, None),
        );
        check("kimi-k2.6", (None, Some(Effort::None)), (OFF, None));
        check("kimi-k2.5", (None, Some(Effort::Low)), (ON, None));
        check("kimi-k2.7-code", (OFF, None), (ADAPTIVE, None));
        check("kimi-k2.7-code", (None, None), (None, None));
        check(
            "kimi-for-coding",
            (OFF, Some(Effort::Low)),
            (ADAPTIVE, None),
        );
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
        check(
            "kimi-k3.1-pro",
            (ADAPTIVE, Some(Effort::Medium)),
            (ADAPTIVE, Some(Effort::Medium)),
        );
        check("kimi-k3", (ADAPTIVE, None), (ADAPTIVE, None));
    }
}
