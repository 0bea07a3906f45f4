//! Namespaces of tools, for wires that have none: a tool's name is joined with its namespace's on the way to the upstream,
//! and its calls are taken apart again on the way back.
//!
//! Everything follows from the request alone, so that the same tools have the same names in every request of a session.

use std::collections::{HashMap, HashSet};

use super::block::Block;
use super::event::{Event, Opening};
use super::node::Node;
use super::params::{Params, ToolChoice};
use super::request::{Tool, Turn};
use crate::json::Text;
use crate::stage::{End, Note, Sink, Stage};

/// The longest name that every wire takes.
const MAX_LENGTH: usize = 64;

/// The tools of a request that were declared in namespaces, with the names the upstream knows them by.
#[derive(Debug, Clone, Default)]
pub struct Namespaces {
    tools: Vec<Joined>,
    /// Names of tools without a namespace.
    plain: HashSet<String>,
    /// Where a tool stands in `tools`, by its namespace and name.
    places: HashMap<(String, String), usize>,
    /// All joined names.
    joined: HashSet<String>,
}

#[derive(Debug, Clone)]
struct Joined {
    joined: String,
    namespace: Text,
    name: Text,
}

impl Namespaces {
    /// Joins all names of a request: of its tools, of the calls in its history, of its choice. `None` if there is no
    /// namespace in it, and nothing was changed.
    pub fn flatten(turn: &mut Turn, params: &mut Params) -> Option<Self> {
        let has_tools = turn.tools.iter().any(|tool| tool.namespace().is_some());
        let mut blocks = turn.messages.iter().flat_map(|message| &message.blocks);
        if !has_tools && !blocks.any(is_namespaced_call) {
            return None;
        }
        let mut own = Self::default();
        for tool in turn.tools.iter().filter(|tool| tool.namespace().is_none()) {
            own.plain.insert(tool.name().decode().into_owned());
        }
        for tool in &mut turn.tools {
            own.tool(tool);
        }
        for message in &mut turn.messages {
            if message.blocks.iter().any(is_namespaced_call) {
                for block in &mut message.edit().blocks {
                    own.call(block);
                }
            }
        }
        if own.tools.is_empty() {
            return None;
        }
        if let Some(choice) = &mut params.tool_choice {
            own.choice(choice);
        }
        Some(own)
    }

    fn tool(&mut self, node: &mut Node<Tool>) {
        let Some(namespace) = node.namespace().cloned() else {
            return;
        };
        let joined = self.join(&namespace, &node.name().clone());
        if let Tool::Function {
            name, namespace, ..
        }
        | Tool::Freeform {
            name, namespace, ..
        } = node.edit()
        {
            *name = joined;
            *namespace = None;
        }
    }

    fn call(&mut self, block: &mut Node<Block>) {
        if !is_namespaced_call(block) {
            return;
        }
        if let Block::ToolUse(call) = block.edit()
            && let Some(namespace) = call.namespace.take()
        {
            call.name = self.join(&namespace, &call.name);
        }
    }

    fn choice(&self, choice: &mut ToolChoice) {
        let rename = |name: &mut Text| {
            if let Some(tool) = self.only(&name.decode()) {
                *name = tool.joined.as_str().into();
            }
        };
        match choice {
            ToolChoice::Tool(name) => rename(name),
            ToolChoice::Among { names, .. } => names.iter_mut().for_each(rename),
            ToolChoice::Auto | ToolChoice::Required | ToolChoice::None => {}
        }
    }

    /// The joined name of a tool: the same each time it is asked for.
    fn join(&mut self, namespace: &Text, name: &Text) -> Text {
        let key = (namespace.decode().into_owned(), name.decode().into_owned());
        let known = self
            .places
            .get(&key)
            .and_then(|place| self.tools.get(*place));
        if let Some(tool) = known {
            return tool.joined.as_str().into();
        }
        let joined = self.free(&key.0, &key.1);
        self.places.insert(key, self.tools.len());
        self.joined.insert(joined.clone());
        self.tools.push(Joined {
            joined: joined.clone(),
            namespace: namespace.clone(),
            name: name.clone(),
        });
        joined.into()
    }

    /// A name that fits every wire and is nobody else's.
    fn free(&self, namespace: &str, name: &str) -> String {
        let is_fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let joined = format!("{namespace}__{name}");
        let fit: String = joined
            .chars()
            .map(|c| if is_fit(c) { c } else { '_' })
            .collect();
        let is_free = |name: &str| !self.plain.contains(name) && !self.joined.contains(name);
        if fit.len() <= MAX_LENGTH && is_free(&fit) {
            return fit;
        }
        // Cut, or somebody else's: told apart by a hash of what it stands for.
        let mut salt = 0_u32;
        loop {
            let hash = crc32fast::hash(format!("{namespace}\0{name}\0{salt}").as_bytes());
            let head: String = fit.chars().take(MAX_LENGTH - 9).collect();
            let hashed = format!("{head}_{hash:08x}");
            if is_free(&hashed) {
                return hashed;
            }
            salt += 1;
        }
    }

    /// The tool that goes by this name inside its namespace, if there is no other of the name.
    fn only(&self, name: &str) -> Option<&Joined> {
        let mut found = self.tools.iter().filter(|tool| tool.name == *name);
        let first = found.next()?;
        (found.next().is_none() && !self.plain.contains(name)).then_some(first)
    }

    /// The tool that the upstream calls by this name. Models leave the namespace out where they think it is clear.
    fn called(&self, name: &str) -> Option<&Joined> {
        let exact = self.tools.iter().find(|tool| tool.joined == name);
        exact.or_else(|| self.only(name))
    }
}

fn is_namespaced_call(block: &Node<Block>) -> bool {
    matches!(&**block, Block::ToolUse(call) if call.namespace.is_some())
}

/// Takes the names of calls apart again.
#[derive(Debug)]
pub struct NamespaceStage {
    namespaces: Namespaces,
}

impl NamespaceStage {
    /// A stage for the reply to the request that `namespaces` were flattened in.
    #[must_use]
    pub const fn new(namespaces: Namespaces) -> Self {
        Self { namespaces }
    }
}

impl Stage for NamespaceStage {
    type In = Event;
    type Out = Event;

    fn on(&mut self, mut event: Event, sink: &mut Sink<Event>) {
        if let Event::Open {
            block:
                Opening::ToolUse {
                    name,
                    namespace: own @ None,
                    ..
                },
            ..
        } = &mut event
            && let Some(tool) = self.namespaces.called(&name.decode())
        {
            if tool.joined != name.decode() {
                sink.note(Note::Diag("namespace_left_out"));
            }
            *own = Some(tool.namespace.clone());
            *name = tool.name.clone();
        }
        sink.event(event);
    }

    fn end(&mut self, _end: End, _sink: &mut Sink<Event>) {}

    fn passes(&mut self, event: &Event) -> bool {
        !event.opens_call()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::responses::{decode_request, scan_request};
    use crate::turn::Slot;

    fn flattened(body: &str) -> (Turn, Params, Option<Namespaces>) {
        let mut decoded = scan_request(&body.into())
            .and_then(|doc| decode_request(&doc))
            .unwrap();
        let namespaces = Namespaces::flatten(&mut decoded.turn, &mut decoded.params);
        (decoded.turn, decoded.params, namespaces)
    }

    fn request(tools: &str) -> String {
        format!(r#"{{"model":"m","input":"hi","tools":{tools}}}"#)
    }

    /// The names that the upstream is sent.
    fn sent(tools: &str) -> Vec<String> {
        let (turn, ..) = flattened(&request(tools));
        assert!(turn.tools.iter().all(|tool| tool.namespace().is_none()));
        turn.tools
            .iter()
            .map(|tool| tool.name().to_string())
            .collect()
    }

    /// What the client is told of a call by this name.
    fn called(tools: &str, name: &str) -> (Option<String>, String) {
        let (.., namespaces) = flattened(&request(tools));
        let mut stage = NamespaceStage::new(namespaces.unwrap());
        let mut sink = Sink::new();
        let open = Event::Open {
            slot: Slot(0),
            block: Opening::ToolUse {
                id: "a".into(),
                name: name.into(),
                namespace: None,
                is_freeform: false,
                extra: Vec::new(),
            },
        };
        stage.on(open, &mut sink);
        match sink.items.remove(0) {
            Event::Open {
                block: Opening::ToolUse {
                    name, namespace, ..
                },
                ..
            } => (namespace.map(|text| text.to_string()), name.to_string()),
            other => panic!("{other:?}"),
        }
    }

    const TOOLS: &str = r#"[{"type":"function","name":"exec"},{"type":"namespace","name":"agents.v1","tools":[{"type":"function","name":"spawn"},{"type":"custom","name":"exec"}]}]"#;

    #[test]
    fn names_are_joined_and_taken_apart() {
        assert_eq!(sent(TOOLS), ["exec", "agents_v1__spawn", "agents_v1__exec"]);
        let of = |name| called(TOOLS, name);
        let agents = Some("agents.v1".to_owned());
        assert_eq!(of("agents_v1__spawn"), (agents.clone(), "spawn".into()));
        assert_eq!(of("agents_v1__exec"), (agents.clone(), "exec".into()));
        assert_eq!(of("exec"), (None, "exec".into()), "the plain tool");
        assert_eq!(of("spawn"), (agents, "spawn".into()), "clear without it");
        assert_eq!(of("other"), (None, "other".into()));
    }

    #[test]
    fn names_fit_and_are_nobody_elses() {
        let long = "n".repeat(40);
        let tools = format!(
            r#"[{{"type":"function","name":"a__b"}},{{"type":"namespace","name":"a","tools":[{{"type":"function","name":"b"}}]}},{{"type":"namespace","name":"{long}","tools":[{{"type":"function","name":"{long}x"}},{{"type":"function","name":"{long}y"}}]}},{{"type":"namespace","name":"é","tools":[{{"type":"function","name":"b"}}]}},{{"type":"namespace","name":"ü","tools":[{{"type":"function","name":"b"}}]}}]"#
        );
        let names = sent(&tools);
        assert_eq!(names, sent(&tools), "the same each time");
        let distinct: HashSet<&String> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "{names:?}");
        for name in &names {
            assert!(
                (1..=64).contains(&name.len())
                    && name
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'),
                "{name}"
            );
        }
        for (name, namespace) in names
            .iter()
            .zip([None, Some("a"), Some(&*long), Some(&*long)])
        {
            assert_eq!(called(&tools, name).0.as_deref(), namespace, "{name}");
        }
    }

    #[test]
    fn history_and_choice_follow() {
        let (turn, params, _) = flattened(
            r#"{"model":"m","input":[{"type":"function_call","call_id":"1","namespace":"ns","name":"go","arguments":"{}"},{"type":"function_call","call_id":"2","namespace":"gone","name":"go","arguments":"{}"}],"tools":[{"type":"namespace","name":"ns","tools":[{"type":"function","name":"go"},{"type":"function","name":"stay"}]}],"tool_choice":{"type":"function","name":"stay"}}"#,
        );
        let names: Vec<String> = turn.messages[0]
            .blocks
            .iter()
            .map(|block| match &**block {
                Block::ToolUse(call) => {
                    assert!(call.namespace.is_none());
                    assert!(block.raw(crate::Wire::Responses).is_none());
                    call.name.to_string()
                }
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(names, ["ns__go", "gone__go"]);
        assert_eq!(
            params.tool_choice,
            Some(ToolChoice::Tool("ns__stay".into()))
        );
        let (turn, _, none) = flattened(&request(r#"[{"type":"function","name":"exec"}]"#));
        assert!(none.is_none());
        assert!(turn.tools[0].raw(crate::Wire::Responses).is_some());
    }
}
