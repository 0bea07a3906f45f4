//! How a choice becomes one that a host knows.

use lingate_wire::json::Text;
use lingate_wire::turn::{
    Block, Effort, Message, Node, Params, Role, ThinkingMode, Tool, ToolChoice, Turn,
};

use crate::state::State;

/// What a host knows beside `auto`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) none: bool,
    pub(super) required: bool,
    pub(super) named: bool,
}

impl Known {
    pub(super) const NOTHING: Self = Self {
        none: false,
        required: false,
        named: false,
    };
}

/// Puts a choice that the host knows in the place of one it does not; tells whether it had to.
pub(super) fn settle(
    turn: &mut Turn,
    params: &mut Params,
    state: &mut State,
    known: Known,
) -> bool {
    if turn.tools.is_empty() {
        return false;
    }
    let has_narrowed = allow_only(turn, params);
    match params.tool_choice.clone() {
        Some(ToolChoice::None) if !known.none => {
            turn.tools.clear();
            params.tool_choice = None;
            true
        }
        Some(ToolChoice::Required) if !known.required => {
            require(turn, params, state, known, None);
            true
        }
        Some(ToolChoice::Tool(name)) if !known.named => {
            if turn.tools.iter().any(|tool| *tool.name() == name) {
                turn.tools.retain(|tool| *tool.name() == name);
                require(turn, params, state, known, Some(&name));
            } else {
                // A choice of nothing is none.
                state.losses.push("tool_choice".to_owned());
                params.tool_choice = None;
            }
            true
        }
        Some(
            ToolChoice::None
            | ToolChoice::Required
            | ToolChoice::Tool(_)
            | ToolChoice::Auto
            | ToolChoice::Among { .. },
        )
        | None => has_narrowed,
    }
}

/// Declares only the tools that may be called, where a choice names some of them; tells whether one does.
pub(super) fn allow_only(turn: &mut Turn, params: &mut Params) -> bool {
    let Some(ToolChoice::Among { names, is_required }) = &params.tool_choice else {
        return false;
    };
    let is_allowed = |tool: &Node<Tool>| names.contains(tool.name());
    let choice = match (&**names, is_required) {
        // Whether a host knows this is another question.
        ([name], true) => ToolChoice::Tool(name.clone()),
        (_, true) => ToolChoice::Required,
        (_, false) => ToolChoice::Auto,
    };
    if turn.tools.iter().any(is_allowed) {
        turn.tools.retain(is_allowed);
        params.tool_choice = Some(choice);
    } else {
        // None of them is declared, so nothing may be called.
        params.tool_choice = Some(ToolChoice::None);
    }
    true
}

/// Turns thinking off where a call is forced; tells whether it was not off.
pub(super) fn stop_thinking(turn: &Turn, params: &mut Params) -> bool {
    let is_forced = matches!(
        params.tool_choice,
        Some(
            ToolChoice::Required
                | ToolChoice::Tool(_)
                | ToolChoice::Among {
                    is_required: true,
                    ..
                }
        )
    );
    let is_off = params.thinking == Some(ThinkingMode::Disabled) && params.effort.is_none();
    if !is_forced || turn.tools.is_empty() || is_off {
        return false;
    }
    params.thinking = Some(ThinkingMode::Disabled);
    if params.effort != Some(Effort::None) {
        params.effort = None;
    }
    true
}

/// Asks for a call: with the choice where the host knows one, else in words.
fn require(
    turn: &mut Turn,
    params: &mut Params,
    state: &mut State,
    known: Known,
    name: Option<&Text>,
) {
    if known.required {
        params.tool_choice = Some(ToolChoice::Required);
        return;
    }
    params.tool_choice = None;
    state.losses.push("tool_choice".to_owned());
    let words = match name {
        Some(name) => format!("Answer this by calling the tool `{name}`."),
        None => "Answer this by calling one of the tools.".to_owned(),
    };
    turn.messages.push(Node::new(Message {
        role: Role::User,
        blocks: vec![Node::new(Block::text(words.into()))].into(),
        extra: Vec::new(),
    }));
}
