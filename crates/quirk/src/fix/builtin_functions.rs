//! Moonshot's own tools: functions whose name begins with `$`.

use lingate_wire::Wire;
use lingate_wire::json::Writer;
use lingate_wire::turn::{Foreign, Params, Tool, Turn};

use crate::quirk::{Evidence, Quirk};
use crate::state::State;

/// Declares them the way Moonshot wants them declared.
pub(crate) const BUILTIN_FUNCTIONS: Quirk = Quirk {
    name: "builtin-functions",
    groups: &["moonshot"],
    summary: "A tool such as `$web_search` runs at Moonshot and must be declared as `builtin_function`, by its \
              name alone.",
    scope: "every model, for tools whose name begins with `$`",
    evidence: &[Evidence {
        source: "MoonshotAI/kimi-cli; platform.kimi.ai/docs, web search",
        date: "2026-11",
    }],
    request: Some(declare),
    ..Quirk::EMPTY
};

fn declare(turn: &mut Turn, _params: &mut Params, _state: &mut State) -> bool {
    let named = |tool: &Tool| match tool {
        Tool::Function { name, .. } if name.starts_with("$") => Some(name.clone()),
        _ => None,
    };
    // Looked for first: the list is shared with others of the session, and copied when it changes.
    if !turn.tools.iter().any(|tool| named(tool).is_some()) {
        return false;
    }
    let mut has_changed = false;
    for tool in &mut turn.tools {
        let Some(name) = named(tool) else {
            continue;
        };
        let mut writer = Writer::default();
        writer.begin_object().key("type").str("builtin_function");
        writer
            .key("function")
            .begin_object()
            .key("name")
            .text(&name);
        writer.end_object().end_object();
        let Ok(raw) = String::from_utf8(writer.into_bytes()) else {
            continue;
        };
        *tool.edit() = Tool::Hosted {
            kind: "builtin_function".into(),
            name: Some(name),
            declaration: Foreign {
                wire: Wire::Chat,
                raw: raw.into(),
            },
        };
        has_changed = true;
    }
    has_changed
}
