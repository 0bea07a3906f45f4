//! Claude models behind Anthropic's own wire, for clients of other wires: sampling and thinking as each generation takes
//! them. A client of this wire knows its models, and is taken at its word.

use bytestring::ByteString;
use lingate_wire::Wire;
use lingate_wire::turn::{Effort, Params, ThinkingMode, Turn};

use crate::model::Claude;
use crate::quirk::{Evidence, Quirk, Target};
use crate::settings::Temperature;
use crate::state::State;

fn is_claude(target: &Target<'_>) -> bool {
    Claude::of(target.model).is_some()
}

/// Leaves out what the model refuses.
pub(crate) const CLAUDE_SAMPLING: Quirk = Quirk {
    name: "claude-sampling",
    groups: &["anthropic"],
    summary: "Models after 4.6 refuse `temperature` other than 1, `top_p` below 0.99 and `top_k`; earlier ones refuse them \
              while they think, and `temperature` together with `top_p` always. What is refused is left out. A \
              `temperature` of the configuration is sent.",
    scope: "Claude models, for clients of other wires",
    evidence: &[
        Evidence {
            source: "400 `temperature is deprecated for this model.` (UKGovernmentBEIS/inspect_ai issue 3721)",
            date: "2026-04-20",
        },
        Evidence {
            source: "400 `temperature and top_p cannot both be specified for this model`, `temperature may only be set to \
                     1 when thinking is enabled`",
            date: "2026-08-09",
        },
    ],
    wire: Wire::Anthropic,
    applies: is_claude,
    matters_to_translated_only: true,
    request: Some(leave_out),
    ..Quirk::EMPTY
};

fn leave_out(turn: &mut Turn, params: &mut Params, state: &mut State) -> bool {
    let Some(claude) = Claude::of(&state.model).filter(|_| turn.origin != Wire::Anthropic) else {
        return false;
    };
    let is_ours = matches!(state.settings.temperature, Temperature::Fixed(_));
    let thinks = params.thinking.is_some_and(ThinkingMode::is_on)
        || params.effort.is_some_and(|effort| effort != Effort::None);
    let is_fixed = claude.is_adaptive_only() || thinks;
    let least_top_p = if claude.is_adaptive_only() {
        0.99
    } else {
        0.95
    };
    let mut has_changed = false;
    if is_fixed {
        has_changed |= params.top_k.take().is_some();
        has_changed |= !is_ours && take_unless(&mut params.temperature, |value| value == 1.0);
        has_changed |= take_unless(&mut params.top_p, |value| value >= least_top_p);
    }
    if params.temperature.is_some() && claude.version >= (4, 1) {
        has_changed |= params.top_p.take().is_some();
    }
    has_changed
}

fn take_unless(number: &mut Option<ByteString>, is_taken: impl Fn(f64) -> bool) -> bool {
    let is_refused = number
        .as_ref()
        .is_some_and(|number| !number.parse().is_ok_and(&is_taken));
    is_refused && number.take().is_some()
}

/// Asks for thinking in the way of the model's generation.
pub(crate) const CLAUDE_THINKING: Quirk = Quirk {
    name: "claude-thinking",
    groups: &["anthropic"],
    summary: "Models after 4.6 think adaptively, graded by effort, and refuse a budget; those before 4.6 know budgets \
              only. The one is turned into the other. Where thinking cannot be turned off, the least effort is asked \
              for instead.",
    scope: "Claude models, for clients of other wires",
    evidence: &[
        Evidence {
            source: "400 `\"thinking.type.enabled\" is not supported for this model. Use \"thinking.type.adaptive\" and \
                     \"output_config.effort\"` (OpenHands/software-agent-sdk pull 3427)",
            date: "2026-05-29",
        },
        Evidence {
            source: "platform.claude.com/docs, adaptive thinking and effort, models overview",
            date: "2026-11",
        },
    ],
    wire: Wire::Anthropic,
    applies: is_claude,
    matters_to_translated_only: true,
    request: Some(|turn, params, state| {
        let is_foreign = turn.origin != Wire::Anthropic;
        Claude::of(&state.model).is_some_and(|claude| is_foreign && think(params, claude))
    }),
    ..Quirk::EMPTY
};

fn think(params: &mut Params, claude: Claude) -> bool {
    let before = (params.thinking, params.effort);
    let is_off = params.thinking == Some(ThinkingMode::Disabled)
        || params.thinking.is_none() && params.effort == Some(Effort::None);
    if is_off {
        if claude.always_thinks() {
            params.thinking = None;
            params.effort = Some(Effort::Low);
        }
    } else if claude.version >= (4, 6) {
        if let Some(ThinkingMode::Enabled { budget_tokens }) = params.thinking
            && claude.is_adaptive_only()
        {
            params.thinking = Some(ThinkingMode::Adaptive);
            params.effort = params.effort.or(budget_tokens.map(effort_of));
        }
        if params.effort == Some(Effort::XHigh) && !claude.is_adaptive_only() {
            params.effort = Some(Effort::High);
        }
    } else {
        let is_asked = params.thinking.is_some() || params.effort.is_some();
        let can_think = claude.version >= (3, 7);
        let budget = match params.thinking {
            Some(ThinkingMode::Enabled { budget_tokens }) => budget_tokens,
            Some(ThinkingMode::Adaptive | ThinkingMode::Disabled) | None => None,
        };
        let budget_tokens = budget.or(params.effort.map(budget_of));
        params.effort = None;
        if !can_think {
            params.thinking = None;
        } else if is_asked {
            params.thinking = Some(ThinkingMode::Enabled { budget_tokens });
            if let (Some(budget), Some(most)) = (budget_tokens, params.max_tokens)
                && budget >= most
            {
                // The budget has to leave room for the answer.
                params.thinking = (most > 2 * LEAST_BUDGET).then_some(ThinkingMode::Enabled {
                    budget_tokens: Some(most / 2),
                });
            }
        }
    }
    (params.thinking, params.effort) != before
}

/// The least that a budget may be.
const LEAST_BUDGET: u64 = 1024;

const fn effort_of(budget: u64) -> Effort {
    match budget {
        0..4096 => Effort::Low,
        4096..16384 => Effort::Medium,
        _ => Effort::High,
    }
}

const fn budget_of(effort: Effort) -> u64 {
    match effort {
        Effort::None | Effort::Minimal | Effort::Low => 2048,
        Effort::Medium => 8192,
        Effort::High => 16384,
        Effort::XHigh | Effort::Max => 31999,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Asked = (Option<ThinkingMode>, Option<Effort>);

    const OFF: Option<ThinkingMode> = Some(ThinkingMode::Disabled);
    const ADAPTIVE: Option<ThinkingMode> = Some(ThinkingMode::Adaptive);

    const fn budget(tokens: u64) -> Option<ThinkingMode> {
        Some(ThinkingMode::Enabled {
            budget_tokens: Some(tokens),
        })
    }

    #[track_caller]
    fn check(model: &str, max_tokens: u64, asked: Asked, expected: Asked) {
        let mut params = Params {
            thinking: asked.0,
            effort: asked.1,
            max_tokens: Some(max_tokens),
            ..Params::default()
        };
        let has_changed = think(&mut params, Claude::of(model).unwrap());
        assert_eq!(
            (params.thinking, params.effort),
            expected,
            "{model} {asked:?}"
        );
        assert_eq!(has_changed, asked != expected, "{model} {asked:?}");
    }

    #[test]
    fn each_generation_is_asked_in_its_own_way() {
        use Effort::{High, Low, Max, Medium, XHigh};
        let none = (None, None);
        for (model, asked, expected) in [
            (
                "claude-opus-4-8",
                (budget(8000), None),
                (ADAPTIVE, Some(Medium)),
            ),
            (
                "claude-sonnet-5-5",
                (budget(8000), Some(Max)),
                (ADAPTIVE, Some(Max)),
            ),
            (
                "claude-sonnet-5-5",
                (None, Some(XHigh)),
                (None, Some(XHigh)),
            ),
            ("claude-sonnet-5-5", (OFF, None), (OFF, None)),
            ("claude-opus-5-5", (OFF, None), (None, Some(Low))),
            (
                "claude-fable-5-1",
                (None, Some(Effort::None)),
                (None, Some(Low)),
            ),
            (
                "claude-sonnet-4-6",
                (budget(8000), None),
                (budget(8000), None),
            ),
            ("claude-sonnet-4-6", (None, Some(XHigh)), (None, Some(High))),
            (
                "claude-sonnet-4-5",
                (None, Some(Medium)),
                (budget(8192), None),
            ),
            (
                "claude-haiku-4-5",
                (ADAPTIVE, Some(Low)),
                (budget(2048), None),
            ),
            ("claude-3-5-sonnet-20241022", (None, Some(High)), none),
            ("claude-haiku-4-5", none, none),
        ] {
            check(model, 32_000, asked, expected);
        }
    }

    #[test]
    fn a_budget_leaves_room_for_the_answer() {
        let asked = (None, Some(Effort::High));
        check("claude-haiku-4-5", 10_000, asked, (budget(5_000), None));
        check("claude-haiku-4-5", 2_000, asked, (None, None));
    }
}
