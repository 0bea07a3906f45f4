//! The tools a request declares.
//!
//! Anthropic's deferred tools are known to the model by name only, until a search for them leaves a reference in the
//! history; the client declares them in full all the same. Chat has no such thing, so a deferred tool is sent once the
//! history refers to it or has called it, and left out before. That also leaves out Claude Code's placeholder,
//! which is deferred, never referred to, and not to be called. Sent ones stand last, in the order they became known:
//! the list only grows at its end, and the prompt cache keeps what stood before. Where the provider itself was
//! to search (a hosted search tool, which is not carried), nothing could ever refer to them, and all are sent.

use crate::Wire;
use crate::json::Text;
use crate::turn::{Block, Node, Place, Tool, ToolChoice, Turn};

use super::Out;

/// The one member of a function's input that stands for a free-text tool's input.
pub(super) const FREEFORM_MEMBER: &str = "input";

/// A tool without which a request cannot be served here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unservable {
    /// Its name, or its type if it has none.
    pub name: Text,
    /// Whether the client runs it: then only its description is missing, which models of its own wire know by its type.
    /// Else its own provider runs it.
    pub is_run_by_client: bool,
}

/// The tool that makes a request impossible here, if one does: the request depends on tools that only their own provider
/// has, and nothing would be left to call. The model would answer as if it had searched.
#[must_use]
pub fn unservable_tools(turn: &Turn) -> Option<Unservable> {
    if turn.origin == Wire::Chat {
        return None;
    }
    let hosted = turn
        .tools
        .iter()
        .find(|tool| matches!(&***tool, Tool::Hosted { .. }))?;
    sent(turn).is_empty().then(|| Unservable {
        name: hosted.name().clone(),
        is_run_by_client: is_run_by_client(hosted),
    })
}

/// Beginnings of the types of Anthropic's tools that clients run.
const RUN_BY_CLIENT: [&str; 4] = ["bash_", "computer_", "memory_", "text_editor_"];

fn is_run_by_client(tool: &Tool) -> bool {
    matches!(tool, Tool::Hosted { kind, .. } if {
        let kind = kind.decode();
        RUN_BY_CLIENT.iter().any(|prefix| kind.starts_with(prefix))
    })
}

/// The tools to send, with their places in the client's list.
fn sent(turn: &Turn) -> Vec<(usize, &Node<Tool>)> {
    let is_carried =
        |tool: &Tool| turn.origin == Wire::Chat || !matches!(tool, Tool::Hosted { .. });
    let mut sent = Vec::with_capacity(turn.tools.len());
    let mut deferred = Vec::new();
    for (at, tool) in turn.tools.iter().enumerate() {
        if matches!(&**tool, Tool::Function { deferred: true, .. }) {
            deferred.push((at, tool));
        } else if is_carried(tool) {
            sent.push((at, tool));
        }
    }
    if deferred.is_empty() {
        return sent;
    }
    let is_search = |tool: &Node<Tool>| matches!(&**tool, Tool::Hosted { kind, .. } if kind.starts_with("tool_search"));
    if turn.tools.iter().any(is_search) {
        sent.extend(deferred);
        return sent;
    }
    let known = known_names(turn);
    let mut loaded: Vec<_> = deferred
        .into_iter()
        .filter_map(|(at, tool)| {
            Some((
                known.iter().position(|name| *name == tool.name())?,
                (at, tool),
            ))
        })
        .collect();
    loaded.sort_by_key(|(since, _)| *since);
    sent.extend(loaded.into_iter().map(|(_, tool)| tool));
    sent
}

/// How many tools a request would declare to a host without a cap.
#[must_use]
pub fn count_tools(turn: &Turn) -> usize {
    sent(turn).len()
}

/// Cuts the list down to `most`: tools that the history or the choice names stay, and of the others the first. What is
/// left keeps its order, so that the list is the same from one request of a session to the next.
fn keep_most_useful(
    sent: &mut Vec<(usize, &Node<Tool>)>,
    most: usize,
    turn: &Turn,
    choice: Option<&ToolChoice>,
) {
    if sent.len() <= most {
        return;
    }
    let known = known_names(turn);
    let is_needed = |tool: &Tool| {
        let name = tool.name();
        known.contains(&name)
            || match choice {
                Some(ToolChoice::Tool(chosen)) => chosen == name,
                Some(ToolChoice::Among { names, .. }) => names.contains(name),
                Some(ToolChoice::Auto | ToolChoice::Required | ToolChoice::None) | None => false,
            }
    };
    let n_needed = sent.iter().filter(|(_, tool)| is_needed(tool)).count();
    let mut room = most.saturating_sub(n_needed);
    sent.retain(|(_, tool)| {
        is_needed(tool) || {
            let has_room = room > 0;
            room = room.saturating_sub(1);
            has_room
        }
    });
    sent.truncate(most);
}

/// Names the history refers to or calls, in the order of their first mention.
fn known_names(turn: &Turn) -> Vec<&Text> {
    let mut names: Vec<&Text> = Vec::new();
    let mut know = |name| {
        if !names.contains(&name) {
            names.push(name);
        }
    };
    for block in turn.messages.iter().flat_map(|message| &message.blocks) {
        match &**block {
            Block::ToolUse(call) => know(&call.name),
            Block::ToolReference { name } => know(name),
            Block::ToolResult(result) => {
                for inner in &result.content {
                    if let Block::ToolReference { name } = &**inner {
                        know(name);
                    }
                }
            }
            Block::Text { .. }
            | Block::Thinking(_)
            | Block::Image(_)
            | Block::Media(_)
            | Block::Document(_)
            | Block::SearchResult(_)
            | Block::ServerTool(_)
            | Block::Refusal(_)
            | Block::Foreign(_) => {}
        }
    }
    names
}

impl Out<'_> {
    /// Writes `tools`, `tool_choice` and `parallel_tool_calls`. Without tools none of them: hosts refuse a choice of nothing.
    pub(super) fn tools(&mut self) {
        let turn = &self.decoded.turn;
        let mut sent = sent(turn);
        if let Some(most) = self.dialect.max_tools {
            keep_most_useful(
                &mut sent,
                most,
                turn,
                self.decoded.params.tool_choice.as_ref(),
            );
        }
        if sent.len() < turn.tools.len() {
            for at in 0..turn.tools.len() {
                if !sent.iter().any(|(kept, _)| *kept == at) {
                    self.losses.add(format!("tools[{at}]"));
                }
            }
        }
        if sent.is_empty() {
            if self
                .decoded
                .params
                .tool_choice
                .as_ref()
                .is_some_and(|choice| *choice != ToolChoice::None)
            {
                self.losses.add("tool_choice");
            }
            return;
        }
        self.w.key("tools").begin_array();
        for (at, tool) in &sent {
            self.tool(*at, tool);
        }
        self.w.end_array();
        self.tool_choice(&sent);
    }

    fn tool(&mut self, at: usize, tool: &Node<Tool>) {
        if let Some(raw) = tool.raw(Wire::Chat) {
            self.w.raw(raw);
            return;
        }
        let path = Place::root("tools", Some(at));
        match &**tool {
            Tool::Function {
                name,
                namespace: _,
                description,
                input_schema,
                strict,
                deferred: _,
                cache,
                extra,
            } => {
                let schema = input_schema
                    .as_deref()
                    .unwrap_or(r#"{"type":"object","properties":{}}"#);
                self.begin_function(name, description.as_ref(), schema);
                match strict {
                    Some(strict) if self.dialect.has_strict || self.is_same_wire() => {
                        self.w.key("strict").bool(*strict);
                    }
                    Some(_) => self.losses.add(format!("{path}.strict")),
                    None => {}
                }
                self.w.end_object();
                if self.is_same_wire() {
                    self.w.members(extra);
                } else {
                    self.losses.add_members(path, extra);
                }
                if cache.is_some() {
                    // Hosts that take hints take them on content only.
                    self.losses.add(format!("{path}.cache_control"));
                }
                self.w.end_object();
            }
            Tool::Freeform {
                name,
                namespace: _,
                description,
                format,
            } if self.is_same_wire() => {
                self.w
                    .begin_object()
                    .key("type")
                    .str("custom")
                    .key("custom")
                    .begin_object();
                self.w.key("name").text(name);
                if let Some(description) = description {
                    self.w.key("description").text(description);
                }
                if let Some(format) = format {
                    self.w.key("format").raw(format);
                }
                self.w.end_object().end_object();
            }
            Tool::Freeform {
                name,
                namespace: _,
                description,
                format,
            } => {
                let schema = format!(
                    r#"{{"type":"object","properties":{{"{FREEFORM_MEMBER}":{{"type":"string"}}}},"required":["{FREEFORM_MEMBER}"],"additionalProperties":false}}"#
                );
                self.begin_function(name, description.as_ref(), &schema);
                self.w.end_object().end_object();
                if format.is_some() {
                    self.losses.add(format!("{path}.format"));
                }
            }
            Tool::Hosted { declaration, .. } => {
                self.w.raw(&declaration.raw);
            }
        }
    }

    fn begin_function(&mut self, name: &Text, description: Option<&Text>, schema: &str) {
        self.w
            .frame(r#"{"type":"function","function":{"name":"#)
            .text(name);
        if let Some(description) = description {
            self.w.key("description").text(description);
        }
        self.w.key("parameters").raw(schema);
    }

    fn tool_choice(&mut self, sent: &[(usize, &Node<Tool>)]) {
        match &self.decoded.params.tool_choice {
            None => {}
            Some(ToolChoice::Auto) => {
                self.w.key("tool_choice").str("auto");
            }
            Some(ToolChoice::Required) => {
                self.w.key("tool_choice").str("required");
            }
            Some(ToolChoice::None) => {
                self.w.key("tool_choice").str("none");
            }
            Some(ToolChoice::Among { names, is_required }) if self.is_same_wire() => {
                self.allowed_tools(sent, names, *is_required);
            }
            Some(ToolChoice::Among { names, is_required }) => match &**names {
                [name] if *is_required => self.named(sent, name),
                _ => {
                    // Few hosts know `allowed_tools`.
                    self.losses.add("tool_choice.tools");
                    let mode = if *is_required { "required" } else { "auto" };
                    self.w.key("tool_choice").str(mode);
                }
            },
            Some(ToolChoice::Tool(name)) => self.named(sent, name),
        }
        match self.decoded.params.parallel_tool_calls {
            Some(is_allowed) if self.dialect.has_parallel_tool_calls => {
                // Several calls are the default; saying so is a member more that a strict host may refuse.
                if !is_allowed || self.is_same_wire() {
                    self.w.key("parallel_tool_calls").bool(is_allowed);
                }
            }
            Some(false) if !self.is_same_wire() => {
                self.losses.add("tool_choice.disable_parallel_tool_use")
            }
            Some(_) if self.is_same_wire() => self.losses.add("parallel_tool_calls"),
            Some(_) | None => {}
        }
    }

    /// The choice of one tool; a choice of a tool that was not declared is none.
    fn named(&mut self, sent: &[(usize, &Node<Tool>)], name: &Text) {
        let Some((_, tool)) = sent.iter().find(|(_, tool)| tool.name() == name) else {
            return self.losses.add("tool_choice");
        };
        self.w.key("tool_choice");
        self.chosen(tool);
    }

    fn allowed_tools(&mut self, sent: &[(usize, &Node<Tool>)], names: &[Text], is_required: bool) {
        self.w
            .key("tool_choice")
            .begin_object()
            .key("type")
            .str("allowed_tools")
            .key("allowed_tools")
            .begin_object();
        self.w
            .key("mode")
            .str(if is_required { "required" } else { "auto" });
        self.w.key("tools").begin_array();
        for (_, tool) in sent {
            if names.contains(tool.name()) {
                self.chosen(tool);
            }
        }
        for (nth, name) in names.iter().enumerate() {
            if !sent.iter().any(|(_, tool)| tool.name() == name) {
                self.losses
                    .add(format!("tool_choice.allowed_tools.tools[{nth}]"));
            }
        }
        self.w.end_array().end_object().end_object();
    }

    /// A reference to a tool in a choice.
    fn chosen(&mut self, tool: &Tool) {
        let kind = if self.is_same_wire() && matches!(tool, Tool::Freeform { .. }) {
            "custom"
        } else {
            "function"
        };
        self.w.begin_object().key("type").str(kind);
        self.w
            .key(kind)
            .begin_object()
            .key("name")
            .text(tool.name())
            .end_object()
            .end_object();
    }
}
