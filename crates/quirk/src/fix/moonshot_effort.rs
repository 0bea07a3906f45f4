//! Effort on Moonshot's models before K3, which have a switch for thinking at most.

use lingate_wire::turn::{Effort, Params, ThinkingMode};

use crate::kimi::Kimi;
use crate::quirk::{Evidence, Quirk};

/// Reads effort as a wish to think or not, unless the client says that too.
pub(crate) const MOONSHOT_EFFORT: Quirk = Quirk {
    name: "moonshot-effort",
    groups: &["moonshot"],
    summary: "`thinking` and `reasoning_effort` together are an error, and models before K3 know no effort. It is left \
              out; alone it says whether to think at all.",
    scope: "Kimi models before K3",
    evidence: &[
        Evidence {
            source: "hermes-agent issue 32040",
            date: "2026-11",
        },
        Evidence {
            source: "platform.kimi.ai/docs/guide/use-reasoning-effort",
            date: "2026-08-02",
        },
    ],
    applies: |target| Kimi::matches(target.model, |kimi| !kimi.is_k3()),
    request: Some(|_, params, state| leave_out(params, &state.model)),
    ..Quirk::EMPTY
};

fn leave_out(params: &mut Params, model: &str) -> bool {
    let Some(effort) = params.effort.take() else {
        return false;
    };
    if Kimi::matches(model, Kimi::has_thinking_switch) {
        params.thinking.get_or_insert(match effort {
            Effort::None => ThinkingMode::Disabled,
            Effort::Minimal
            | Effort::Low
            | Effort::Medium
            | Effort::High
            | Effort::XHigh
            | Effort::Max => ThinkingMode::Enabled {
                budget_tokens: None,
            },
        });
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(
        model: &str,
        thinking: Option<ThinkingMode>,
        effort: Effort,
        expected: Option<ThinkingMode>,
    ) {
        let mut params = Params {
            thinking,
            effort: Some(effort),
            ..Params::default()
        };
        assert!(leave_out(&mut params, model), "{model}");
        assert_eq!(
            (params.thinking, params.effort),
            (expected, None),
            "{model}"
        );
    }

    #[test]
    fn effort_alone_is_a_switch() {
        let on = Some(ThinkingMode::Enabled {
            budget_tokens: None,
        });
        let off = Some(ThinkingMode::Disabled);
        let adaptive = Some(ThinkingMode::Adaptive);
        check("kimi-k2.6", None, Effort::None, off);
        check("kimi-k2.5", None, Effort::Low, on);
        check("kimi-k2.6", off, Effort::High, off);
        check("kimi-k2.6", adaptive, Effort::High, adaptive);
        check("kimi-k2.7-code", None, Effort::High, None);
        check("kimi-k2-0905-preview", None, Effort::High, None);
        assert!(!leave_out(&mut Params::default(), "kimi-k2.6"));
    }
}
