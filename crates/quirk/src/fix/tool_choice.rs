//! Forced tool calls: what a host does not know degrades to the nearest it knows.

use lingate_wire::turn::{Params, ToolChoice, Turn};

use crate::kimi::Kimi;
use crate::quirk::{Evidence, Quirk};
use crate::state::State;

/// Moonshot: `required` on K3 only, a named tool nowhere.
pub(crate) const MOONSHOT_TOOL_CHOICE: Quirk = Quirk {
    name: "moonshot-tool-choice",
    groups: &["moonshot"],
    summary: "K3 knows `auto`, `none` and `required`, earlier models only the first two, and a named tool is an error \
              while the model thinks. A choice that is not known becomes the nearest one that is.",
    evidence: &[
        Evidence {
            source: "platform.kimi.ai/docs/api/models-overview, tool_choice",
            date: "2026-11",
        },
        Evidence {
            source: "400 `tool_choice 'specified' is incompatible with thinking enabled` (enricoros/big-AGI issue 1161)",
            date: "2026-07-17",
        },
    ],
    request: Some(|_: &mut Turn, params: &mut Params, state: &mut State| {
        let forced = if Kimi::matches(&state.model, Kimi::is_k3) {
            ToolChoice::Required
        } else {
            ToolChoice::Auto
        };
        degrade(params, &forced)
    }),
    ..Quirk::EMPTY
};

/// GLM: `auto` only.
pub(crate) const TOOL_CHOICE_AUTO_ONLY: Quirk = Quirk {
    name: "tool-choice-auto-only",
    groups: &["zai"],
    summary: "The host knows `auto` only; a forced choice becomes `auto`.",
    evidence: &[Evidence {
        source: "docs.z.ai, chat completions, tool_choice",
        date: "2026-11",
    }],
    request: Some(|_: &mut Turn, params: &mut Params, _: &mut State| {
        degrade(params, &ToolChoice::Auto)
    }),
    ..Quirk::EMPTY
};

/// Puts `instead` in the place of a forced call.
fn degrade(params: &mut Params, instead: &ToolChoice) -> bool {
    match &params.tool_choice {
        Some(
            forced @ (ToolChoice::Required
            | ToolChoice::Tool(_)
            | ToolChoice::Among {
                is_required: true, ..
            }),
        ) if forced != instead => {
            params.tool_choice = Some(instead.clone());
            true
        }
        Some(
            ToolChoice::Auto
            | ToolChoice::None
            | ToolChoice::Required
            | ToolChoice::Tool(_)
            | ToolChoice::Among { .. },
        )
        | None => false,
    }
}
