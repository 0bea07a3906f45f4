//! The tools a request declares, and whether one must be called.
//!
//! Deferred tools, which a model knows by name until a search loads them, are sent once the history refers to them and
//! left out before; where their own provider was to search, all are sent. Sent ones stand last, so that the list
//! only grows at its end.

use super::part::{FREEFORM_MEMBER, raw};
use super::{Out, names, schema};
use crate::Wire;
use crate::chat::Unservable;
use crate::json::Text;
use crate::turn::{Block, Foreign, Node, Tool, ToolChoice, Turn};

/// Beginnings of the types of Anthropic's tools that clients run.
const RUN_BY_CLIENT: [&str; 4] = ["bash_", "computer_", "memory_", "text_editor_"];

/// The tool that makes a request impossible here, if one does: the request depends on tools that only their own provider
/// has, and nothing would be left to call.
#[must_use]
pub fn unservable_tools(turn: &Turn) -> Option<Unservable> {
    if turn.origin == Wire::Gemini {
        return None;
    }
    let hosted = turn
        .tools
        .iter()
        .find(|tool| matches!(&***tool, Tool::Hosted { .. }))?;
    let is_run_by_client = matches!(&**hosted, Tool::Hosted { kind, .. } if {
        let kind = kind.decode();
        RUN_BY_CLIENT.iter().any(|prefix| kind.starts_with(prefix))
    });
    sent(turn).is_empty().then(|| Unservable {
        name: hosted.name().clone(),
        is_run_by_client,
    })
}

/// The tools to send, with their places in the client's list.
fn sent(turn: &Turn) -> Vec<(usize, &Node<Tool>)> {
    let is_carried = |tool: &Tool| match tool {
        Tool::Hosted { declaration, .. } => declaration.wire == Wire::Gemini,
        Tool::Function { .. } | Tool::Freeform { .. } => true,
    };
    let carried = turn.tools.iter().enumerate();
    let (deferred, mut sent): (Vec<_>, Vec<_>) = carried
        .filter(|(_, tool)| is_carried(tool))
        .partition(|(_, tool)| matches!(&***tool, Tool::Function { deferred: true, .. }));
    let is_search = |tool: &Node<Tool>| matches!(&**tool, Tool::Hosted { kind, .. } if kind.starts_with("tool_search"));
    if turn.tools.iter().any(is_search) {
        sent.extend(deferred);
        return sent;
    }
    let known = if deferred.is_empty() {
        Vec::new()
    } else {
        known_names(turn)
    };
    let mut loaded: Vec<_> = deferred
        .into_iter()
        .filter_map(|(at, tool)| {
            let since = known.iter().position(|name| *name == tool.name())?;
            Some((since, (at, tool)))
        })
        .collect();
    loaded.sort_by_key(|(since, _)| *since);
    sent.extend(loaded.into_iter().map(|(_, tool)| tool));
    sent
}

/// Names the history refers to or calls, in the order of their first mention.
fn known_names<'t>(turn: &'t Turn) -> Vec<&'t Text> {
    let mut names: Vec<&'t Text> = Vec::new();
    let mut know = |block: &'t Node<Block>| {
        let name = match &**block {
            Block::ToolUse(call) => &call.name,
            Block::ToolReference { name } => name,
            _ => return,
        };
        if !names.contains(&name) {
            names.push(name);
        }
    };
    for block in turn.messages.iter().flat_map(|message| &message.blocks) {
        know(block);
        if let Block::ToolResult(result) = &**block {
            result.content.iter().for_each(&mut know);
        }
    }
    names
}

impl Out<'_> {
    /// Writes `tools` and `toolConfig`.
    pub(super) fn tools(&mut self) {
        let decoded = self.decoded;
        let turn = &decoded.turn;
        let sent = sent(turn);
        for at in 0..turn.tools.len() {
            if !sent.iter().any(|(kept, _)| *kept == at) {
                self.losses.add(format!("tools[{at}]"));
            }
        }
        let (hosted, functions): (Vec<_>, Vec<_>) = sent
            .iter()
            .partition(|(_, tool)| matches!(&***tool, Tool::Hosted { .. }));
        if !sent.is_empty() {
            self.w.key("tools").begin_array();
            if !functions.is_empty() {
                self.w
                    .begin_object()
                    .key("functionDeclarations")
                    .begin_array();
                for (at, tool) in &functions {
                    self.function(*at, tool);
                }
                self.w.end_array().end_object();
            }
            for (_, tool) in hosted {
                if let Tool::Hosted {
                    declaration: Foreign { raw, .. },
                    ..
                } = &**tool
                {
                    self.w.raw(raw);
                }
            }
            self.w.end_array();
        }
        self.tool_config(!functions.is_empty());
    }

    fn function(&mut self, at: usize, tool: &Node<Tool>) {
        if let Some(raw) = raw(tool) {
            self.w.raw(raw);
            return;
        }
        let path = format!("tools[{at}]");
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
                self.declare(name, description.as_ref());
                if let Some(schema) = input_schema {
                    self.w.key("parametersJsonSchema");
                    let lost = schema::write(schema, &mut self.w);
                    for keyword in lost {
                        self.losses.add(format!("{path}.input_schema.{keyword}"));
                    }
                }
                if self.is_own() {
                    self.w.members(extra);
                } else {
                    self.losses.add_members(&path, extra);
                }
                if strict.is_some() {
                    self.losses.add(format!("{path}.strict"));
                }
                if cache.is_some() {
                    self.losses.add(format!("{path}.cache_control"));
                }
                self.w.end_object();
            }
            Tool::Freeform {
                name,
                namespace: _,
                description,
                format,
            } => {
                self.declare(name, description.as_ref());
                let schema = format!(
                    r#"{{"type":"object","properties":{{"{FREEFORM_MEMBER}":{{"type":"string"}}}},"required":["{FREEFORM_MEMBER}"]}}"#
                );
                self.w.key("parametersJsonSchema").raw(&schema).end_object();
                if format.is_some() {
                    self.losses.add(format!("{path}.format"));
                }
            }
            Tool::Hosted { .. } => {}
        }
    }

    /// Leaves the object open.
    fn declare(&mut self, name: &Text, description: Option<&Text>) {
        self.w.begin_object();
        self.w.key("name").str(&names::fit(&name.decode()));
        if let Some(description) = description {
            self.w.key("description").text(description);
        }
    }

    /// Writes `toolConfig`. Without functions there is nothing to choose from.
    fn tool_config(&mut self, has_functions: bool) {
        let decoded = self.decoded;
        let params = &decoded.params;
        if params.parallel_tool_calls == Some(false) {
            self.losses.add(match decoded.turn.origin {
                Wire::Anthropic => "tool_choice.disable_parallel_tool_use",
                _ => "parallel_tool_calls",
            });
        }
        let choice = params.tool_choice.as_ref();
        if !has_functions && !self.is_own() {
            if choice.is_some_and(|choice| *choice != ToolChoice::None) {
                self.losses.add("tool_choice");
            }
            return;
        }
        let has_calling = choice.is_some() || self.has_below("toolConfig.functionCallingConfig.");
        if !has_calling && !self.has_below("toolConfig.") {
            return;
        }
        self.w.key("toolConfig").begin_object();
        if has_calling {
            self.w.key("functionCallingConfig").begin_object();
            if let Some(choice) = choice {
                self.choice(choice);
            }
            self.below("toolConfig.functionCallingConfig.", &[]);
            self.w.end_object();
        }
        self.below("toolConfig.", &["functionCallingConfig."]);
        self.w.end_object();
    }

    fn choice(&mut self, choice: &ToolChoice) {
        let (mode, names): (&str, &[Text]) = match choice {
            ToolChoice::Auto => ("AUTO", &[]),
            ToolChoice::Required => ("ANY", &[]),
            ToolChoice::None => ("NONE", &[]),
            ToolChoice::Tool(name) => ("ANY", std::slice::from_ref(name)),
            ToolChoice::Among { names, is_required } => {
                (if *is_required { "ANY" } else { "VALIDATED" }, names)
            }
        };
        let keeps_mode = self.has_below("toolConfig.functionCallingConfig.mode");
        if !keeps_mode {
            self.w.key("mode").str(mode);
        }
        if !names.is_empty() {
            self.w.key("allowedFunctionNames").begin_array();
            for name in names {
                self.w.str(&names::fit(&name.decode()));
            }
            self.w.end_array();
        }
    }
}
