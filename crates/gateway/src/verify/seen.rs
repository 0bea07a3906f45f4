//! One reply, as somebody got to see it: the provider's client without a gateway, or ours.

use std::collections::HashSet;
use std::sync::Arc;

use lingate_wire::turn::{Delta, Event, Failure, Opening, Slot, StopReason, Turn};

use super::marks::leaked;
use crate::exchange::policy::{Judge, Judgement, Schemas};

/// A reply and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// Why it ended, in the Chat wire's words; `None` if it never said.
    pub finish: Option<&'static str>,
    /// Its text.
    pub text: String,
    /// Whether the model thought where it can be seen.
    pub has_thinking: bool,
    /// Its tool calls.
    pub calls: Vec<SeenCall>,
    /// Special tokens of models in its text and thinking.
    pub leaked: Vec<String>,
    /// What broke it.
    pub fault: Option<String>,
}

/// A tool call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenCall {
    /// The tool's name.
    pub name: String,
    /// Its arguments, as they came.
    pub arguments: String,
    /// Why it cannot be run as it is.
    pub complaint: Option<String>,
}

impl Seen {
    /// Whether it wants tools to be run.
    #[must_use]
    pub fn triggers(&self) -> bool {
        self.fault.is_none() && self.finish == Some("tool_calls")
    }

    /// Whether every call parses and fits the tool's schema; `None` for a reply that wants no tools to be run.
    #[must_use]
    pub fn is_valid(&self) -> Option<bool> {
        let is_right = |call: &SeenCall| call.complaint.is_none();
        self.triggers()
            .then(|| !self.calls.is_empty() && self.calls.iter().all(is_right))
    }

    /// Whether there is neither text nor a call in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fault.is_none() && self.calls.is_empty() && self.text.trim().is_empty()
    }
}

/// The tools of one request, and what they say to a call.
pub(super) struct Tools {
    judge: Judge,
    names: HashSet<String>,
}

impl Tools {
    pub(super) fn of(turn: &Turn, schemas: &Arc<Schemas>) -> Self {
        Self {
            judge: Judge::new(Arc::clone(schemas), turn),
            names: turn
                .tools
                .iter()
                .map(|tool| tool.name().to_string())
                .collect(),
        }
    }

    /// What is wrong with a call, by the measure of the verifiers: it parses, names a tool and fits its schema as it came.
    fn complaint(&self, call: &SeenCall) -> Option<String> {
        if !self.names.contains(&call.name) {
            return Some(format!("no tool is called `{}`", call.name));
        }
        if let Err(error) = serde_json::from_str::<serde_json::Value>(&call.arguments) {
            return Some(format!("the arguments are no JSON: {error}"));
        }
        match self.judge.judge(&call.name, &call.arguments) {
            Some(Judgement::Fits) | None => None,
            Some(Judgement::Mended(_)) => {
                Some("the arguments fit the schema only after a change of types".to_owned())
            }
            Some(Judgement::Misfits(complaint)) => Some(complaint),
        }
    }
}

/// Puts a [`Seen`] together out of events, in any order of blocks: what a provider sends is not sequenced yet.
#[derive(Debug, Default)]
pub(super) struct Seer {
    finish: Option<StopReason>,
    text: String,
    thinking: String,
    calls: Vec<(Slot, SeenCall)>,
}

impl Seer {
    pub(super) fn take(&mut self, events: &mut Vec<Event>) {
        for event in events.drain(..) {
            match event {
                Event::Open {
                    slot,
                    block: Opening::ToolUse { name, .. },
                } => {
                    let call = SeenCall {
                        name: name.to_string(),
                        arguments: String::new(),
                        complaint: None,
                    };
                    self.calls.push((slot, call));
                }
                Event::Delta { slot, delta } => self.grow(slot, &delta),
                Event::Stop(stop) => self.finish = Some(stop.reason),
                Event::Start(_)
                | Event::Open { .. }
                | Event::Close { .. }
                | Event::Usage(_)
                | Event::Done
                | Event::Ping => {}
            }
        }
    }

    fn grow(&mut self, slot: Slot, delta: &Delta) {
        match delta {
            Delta::Text(text) => self.text.push_str(&text.decode()),
            Delta::Thinking(text) => self.thinking.push_str(&text.decode()),
            Delta::Input(text) => {
                let call = self.calls.iter_mut().find(|(of, _)| *of == slot);
                if let Some((_, call)) = call {
                    call.arguments.push_str(&text.decode());
                }
            }
            Delta::Signature(_) | Delta::Citation(_) | Delta::Foreign(_) => {}
        }
    }

    /// The whole of it, judged.
    pub(super) fn seen(self, tools: &Tools, fault: Option<&Failure>) -> Seen {
        let mut calls: Vec<SeenCall> = self.calls.into_iter().map(|(_, call)| call).collect();
        for call in &mut calls {
            call.complaint = tools.complaint(call);
        }
        let all_said = [self.text.as_str(), &self.thinking].join("\n");
        Seen {
            finish: self.finish.map(finish_reason),
            text: self.text,
            has_thinking: !self.thinking.is_empty(),
            calls,
            leaked: leaked(&all_said),
            fault: fault.map(|failure| failure.message.clone()),
        }
    }
}

const fn finish_reason(reason: StopReason) -> &'static str {
    match reason {
        StopReason::EndTurn | StopReason::StopSequence => "stop",
        StopReason::ToolUse => "tool_calls",
        StopReason::MaxTokens | StopReason::ContextWindow => "length",
        StopReason::Refusal => "content_filter",
        StopReason::PauseTurn => "pause",
        StopReason::Compaction => "compaction",
    }
}
