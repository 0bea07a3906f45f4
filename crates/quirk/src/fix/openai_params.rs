//! OpenAI's thinking models: which sampling parameters and efforts they take.

use lingate_wire::Wire;
use lingate_wire::turn::{Effort, Params, ThinkingMode, Turn};

use crate::model::OpenAi;
use crate::quirk::{Evidence, Quirk};
use crate::settings::Temperature;
use crate::state::State;

/// Members of the Chat wire, beside those the hub knows, that belong to sampling.
const SAMPLING_MEMBERS: &[&str] = &[
    "presence_penalty",
    "frequency_penalty",
    "logprobs",
    "top_logprobs",
    "logit_bias",
];

/// Leaves out what is an error while the model thinks.
pub(crate) const OPENAI_SAMPLING: Quirk = Quirk {
    name: "openai-sampling",
    groups: &["openai"],
    summary: "Models that think refuse `temperature`, `top_p`, penalties, log probabilities and `stop`; from GPT-5.1 on \
              they take the sampling parameters with effort `none`. What is refused is left out. A `temperature` of the \
              configuration is sent.",
    scope: "o1, o3, o4, GPT-5 and later, but for the chat variants",
    evidence: &[
        Evidence {
            source: "400 `Unsupported parameter: 'temperature' is not supported with this model.` \
                     (openai/openai-python issue 2104)",
            date: "2025-02",
        },
        Evidence {
            source: "platform.openai.com, latest model guide: parameter compatibility of GPT-5.1 (vercel/ai pull 10940)",
            date: "2025-12-07",
        },
    ],
    applies: |target| {
        matches!(
            OpenAi::of(target.model),
            Some(OpenAi::O | OpenAi::Gpt(_) | OpenAi::Pro(_))
        )
    },
    matters_to_translated_only: true,
    request: Some(leave_out),
    ..Quirk::EMPTY
};

fn leave_out(turn: &mut Turn, params: &mut Params, state: &mut State) -> bool {
    let mut has_changed = !params.stop.is_empty();
    if has_changed {
        params.stop.clear();
        let member = match turn.origin {
            Wire::Anthropic => "stop_sequences",
            Wire::Chat | Wire::Responses | Wire::Gemini => "stop",
        };
        state.losses.push(member.to_owned());
    }
    let is_off =
        params.effort == Some(Effort::None) || params.thinking == Some(ThinkingMode::Disabled);
    let takes_sampling =
        matches!(OpenAi::of(&state.model), Some(OpenAi::Gpt(version)) if version >= (5, 1));
    if is_off && takes_sampling {
        return has_changed;
    }
    let is_ours = matches!(state.settings.temperature, Temperature::Fixed(_));
    has_changed |= !is_ours && params.temperature.take().is_some();
    has_changed |= params.top_p.take().is_some();
    let n_members = params.extra.len();
    params
        .extra
        .retain(|(name, _)| !SAMPLING_MEMBERS.contains(&&**name));
    has_changed | (params.extra.len() != n_members)
}

/// Asks for an effort that the model has.
pub(crate) const OPENAI_EFFORT: Quirk = Quirk {
    name: "openai-effort",
    groups: &["openai"],
    summary: "Each generation has efforts of its own, and refuses the others. The nearest one that the model has is \
              asked for; models that do not think are asked for none.",
    scope: "models whose name tells their generation",
    evidence: &[
        Evidence {
            source: "400 `Unsupported value: 'minimal' is not supported with the 'gpt-5.1' model. Supported values are: \
                     'none', 'low', 'medium', and 'high'.` (anomalyco/opencode issue 4451)",
            date: "2025-11-18",
        },
        Evidence {
            source: "OpenAI API reference, reasoning_effort by model (anomalyco/opencode issue 36141: `max` from GPT-5.6 on)",
            date: "2026-11-10",
        },
    ],
    applies: |target| OpenAi::of(target.model).is_some(),
    matters_to_translated_only: true,
    request: Some(|_, params, state| clamp(params, &state.model)),
    ..Quirk::EMPTY
};

fn clamp(params: &mut Params, model: &str) -> bool {
    let Some(model) = OpenAi::of(model) else {
        return false;
    };
    let before = (params.thinking, params.effort);
    let least = match model {
        OpenAi::Plain => {
            params.thinking = None;
            params.effort = None;
            return before != (None, None);
        }
        OpenAi::O => Effort::Low,
        OpenAi::Pro(_) => Effort::High,
        OpenAi::Gpt(version) if version >= (5, 1) => Effort::None,
        OpenAi::Gpt(_) => Effort::Minimal,
    };
    let most = match model {
        OpenAi::Plain | OpenAi::O => Effort::High,
        OpenAi::Pro((5, 0)) => Effort::High,
        OpenAi::Gpt(version) if version >= (5, 6) => Effort::Max,
        OpenAi::Gpt(version) | OpenAi::Pro(version) if version >= (5, 2) => Effort::XHigh,
        OpenAi::Gpt(_) | OpenAi::Pro(_) => Effort::High,
    };
    if params.thinking == Some(ThinkingMode::Disabled) && least > Effort::None {
        // It cannot be turned off; the least comes nearest.
        params.thinking = None;
        params.effort = Some(least);
    }
    params.effort = params.effort.map(|effort| {
        let effort = effort.clamp(least, most);
        // What `minimal` was became `none`, but for the wish to think at all.
        if effort == Effort::Minimal && least == Effort::None {
            Effort::Low
        } else {
            effort
        }
    });
    (params.thinking, params.effort) != before
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(model: &str, asked: Effort, expected: Option<Effort>) {
        let mut params = Params {
            effort: Some(asked),
            ..Params::default()
        };
        assert_eq!(
            clamp(&mut params, model),
            expected != Some(asked),
            "{model}"
        );
        assert_eq!(params.effort, expected, "{model} {asked:?}");
    }

    #[test]
    fn efforts_become_ones_the_model_has() {
        use Effort::{High, Low, Max, Medium, Minimal, None as Not, XHigh};
        for (model, asked, expected) in [
            ("o3", Minimal, Low),
            ("o3", Medium, Medium),
            ("o4-mini", Max, High),
            ("gpt-5", Not, Minimal),
            ("gpt-5", Minimal, Minimal),
            ("gpt-5-mini", XHigh, High),
            ("gpt-5.1", Minimal, Low),
            ("gpt-5.1", Not, Not),
            ("gpt-5.1", XHigh, High),
            ("gpt-5.4", Max, XHigh),
            ("gpt-5.6-sol", Max, Max),
            ("gpt-6", Max, Max),
            ("gpt-5-pro", Low, High),
            ("gpt-5.2-pro", XHigh, XHigh),
        ] {
            check(model, asked, Some(expected));
        }
        check("gpt-4.1", High, None);
        check("gpt-oss-120b", Minimal, Some(Minimal));
    }

    #[test]
    fn thinking_that_cannot_be_turned_off_becomes_the_least() {
        for (model, thinking, effort) in [
            ("o3", None, Some(Effort::Low)),
            ("gpt-5", None, Some(Effort::Minimal)),
            ("gpt-5.6", Some(ThinkingMode::Disabled), None),
            ("gpt-4o", None, None),
        ] {
            let mut params = Params {
                thinking: Some(ThinkingMode::Disabled),
                ..Params::default()
            };
            clamp(&mut params, model);
            assert_eq!(
                (params.thinking, params.effort),
                (thinking, effort),
                "{model}"
            );
        }
    }
}
