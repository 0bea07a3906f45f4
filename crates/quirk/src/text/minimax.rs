//! MiniMax M2 and M3: calls as elements, thoughts between tags of either spelling.

use super::invoke::{Invoke, Markup};
use super::mark::{Mark, Role};

const BEGIN: &str = "<minimax:tool_call>";
const END: &str = "</minimax:tool_call>";
const INVOKE: &str = "<invoke name=";
const INVOKE_END: &str = "</invoke>";
const PARAMETER: &str = "<parameter name=";
const PARAMETER_END: &str = "</parameter>";

const MARKUP: Markup = Markup {
    prose: &[
        Mark::new(BEGIN, Role::Call),
        Mark::new(INVOKE, Role::Call),
        Mark::new(END, Role::Stray),
        Mark::new("<think>", Role::ThinkOpen),
        Mark::new("</think>", Role::ThinkClose),
        Mark::new("<mm:think>", Role::ThinkOpen),
        Mark::new("</mm:think>", Role::ThinkClose),
    ],
    invoke: INVOKE,
    invoke_end: INVOKE_END,
    parameter: PARAMETER,
    in_wrapper: &[INVOKE, END],
    in_invoke: &[PARAMETER, INVOKE_END, END],
    in_value: &[PARAMETER_END],
    at_end: &[INVOKE_END],
    is_whole_if_bare: false,
};

/// The format of MiniMax's models.
pub(crate) fn format() -> Invoke {
    Invoke::new(&MARKUP)
}
