//! What a request's tools need on an upstream's wire that has less to say about them than the client's.

use super::event::Event;
use super::freeform::{Freeform, FreeformStage};
use super::namespace::{NamespaceStage, Namespaces};
use super::params::Params;
use super::request::{Tool, Turn};
use crate::Wire;
use crate::stage::Stage;

/// A stage of events.
pub type EventStage = Box<dyn Stage<In = Event, Out = Event>>;

/// What a host has beside functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToolSupport {
    /// Tools declared in namespaces.
    pub has_namespaces: bool,
    /// Tools that take free text.
    pub has_freeform: bool,
}

impl ToolSupport {
    /// What hosts of a wire have, for a request that came in on `origin`.
    #[must_use]
    pub fn of(origin: Wire, upstream: Wire) -> Self {
        Self {
            has_namespaces: upstream == Wire::Responses,
            // Chat has such tools in its standard, and only its own clients can know that the host has them too.
            has_freeform: upstream == Wire::Responses
                || upstream == Wire::Chat && origin == Wire::Chat,
        }
    }
}

/// Rewrites a request's tools, calls and choice as far as hosts of the upstream's wire have no namespaces or no free text.
/// Returns the stages that take it back in the reply, in their order.
///
/// Comes before anything that looks at tools' names, and its stages behind anything that repairs calls.
pub fn fit_tools(turn: &mut Turn, params: &mut Params, upstream: Wire) -> Vec<EventStage> {
    let support = ToolSupport::of(turn.origin, upstream);
    fit_tools_to(turn, params, support)
}

/// The same for a host that is known to have less, or more, than its wire's others.
pub fn fit_tools_to(turn: &mut Turn, params: &mut Params, support: ToolSupport) -> Vec<EventStage> {
    let mut stages: Vec<EventStage> = Vec::new();
    let namespaces = if support.has_namespaces {
        None
    } else {
        Namespaces::flatten(turn, params)
    };
    if !support.has_freeform
        && let Some(freeform) = Freeform::wrap(turn)
    {
        stages.push(Box::new(FreeformStage::new(freeform)));
    }
    // Behind the other: that one knows tools by the names the upstream uses.
    if let Some(namespaces) = namespaces {
        stages.push(Box::new(NamespaceStage::new(namespaces)));
    }
    stages
}

/// Beginnings of the types of tools that clients run themselves, though only models of their own wire know them.
const RUN_BY_CLIENT: [&str; 7] = [
    "apply_patch",
    "bash_",
    "computer",
    "local_shell",
    "memory_",
    "shell",
    "text_editor_",
];

/// A tool of the client's wire that this upstream's does not have, if nothing else would be left to call: the model would
/// answer as if it had used it. And whether the client runs it. `None` if the request can be served.
#[must_use]
pub fn only_foreign_tool(turn: &Turn, upstream: Wire) -> Option<(&Tool, bool)> {
    let foreign_kind = |tool: &Tool| match tool {
        Tool::Hosted {
            kind, declaration, ..
        } if declaration.wire != upstream => Some(kind.decode().into_owned()),
        Tool::Hosted { .. } | Tool::Function { .. } | Tool::Freeform { .. } => None,
    };
    let first = turn.tools.first()?;
    if turn.tools.iter().any(|tool| foreign_kind(tool).is_none()) {
        return None;
    }
    let kind = foreign_kind(first)?;
    let is_run_by_client = RUN_BY_CLIENT.iter().any(|begin| kind.starts_with(begin));
    Some((first, is_run_by_client))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::responses::{decode_request, scan_request};

    fn decoded(tools: &str) -> (Turn, Params) {
        let body = format!(r#"{{"model":"m","input":"hi","tools":{tools}}}"#);
        let decoded = scan_request(&body.as_str().into())
            .and_then(|doc| decode_request(&doc))
            .unwrap();
        (decoded.turn, decoded.params)
    }

    #[test]
    fn tools_are_fitted_where_the_wire_has_less() {
        let tools = r#"[{"type":"custom","name":"a"},{"type":"namespace","name":"n","tools":[{"type":"custom","name":"b"}]}]"#;
        for (upstream, n_stages) in [
            (Wire::Anthropic, 2),
            (Wire::Chat, 2),
            (Wire::Gemini, 2),
            (Wire::Responses, 0),
        ] {
            let (mut turn, mut params) = decoded(tools);
            let stages = fit_tools(&mut turn, &mut params, upstream);
            assert_eq!(stages.len(), n_stages, "{upstream}");
            let names: Vec<String> = turn
                .tools
                .iter()
                .map(|tool| tool.name().to_string())
                .collect();
            let joined = if n_stages == 0 { "b" } else { "n__b" };
            assert_eq!(names, ["a", joined]);
        }
        // A host of the client's own wire that knows functions only.
        let (mut turn, mut params) = decoded(tools);
        let functions_only = ToolSupport {
            has_namespaces: false,
            has_freeform: false,
        };
        assert_eq!(
            fit_tools_to(&mut turn, &mut params, functions_only).len(),
            2
        );
        let are_functions = turn
            .tools
            .iter()
            .all(|tool| matches!(&**tool, Tool::Function { .. }));
        assert!(are_functions);
        let (mut turn, mut params) = decoded(r#"[{"type":"function","name":"a"}]"#);
        assert!(fit_tools(&mut turn, &mut params, Wire::Chat).is_empty());
    }

    #[test]
    fn a_request_of_foreign_tools_alone_is_named() {
        let check = |tools: &str, upstream, expected: Option<(&str, bool)>| {
            let (turn, _) = decoded(tools);
            let found = only_foreign_tool(&turn, upstream)
                .map(|(tool, is_run_by_client)| (tool.name().to_string(), is_run_by_client));
            let expected = expected.map(|(name, is_run)| (name.to_owned(), is_run));
            assert_eq!(found, expected);
        };
        let search = r#"[{"type":"web_search"}]"#;
        check(search, Wire::Anthropic, Some(("web_search", false)));
        check(
            r#"[{"type":"local_shell"},{"type":"web_search"}]"#,
            Wire::Anthropic,
            Some(("local_shell", true)),
        );
        check(search, Wire::Responses, None);
        check("[]", Wire::Anthropic, None);
        check(
            r#"[{"type":"web_search"},{"type":"function","name":"f"}]"#,
            Wire::Anthropic,
            None,
        );
    }
}
