//! Tool calls against their tools' schemas: arguments wait until they are complete, text does not.
//!
//! What means the right thing in the wrong type is mended; what is wrong still is reported. Arguments that are not JSON
//! are left to the sequencer, which knows whether the token limit cut them.

use std::collections::HashMap;

use lingate_wire::json::{Arguments, ArgumentsState, scan_reply};
use lingate_wire::stage::{End, Note, Sink, Stage};
use lingate_wire::turn::{Delta, Event, Loss, Opening, Slot};

use super::message::Holding;
use super::policing::{Findings, JudgedCall, PolicyStage};
use crate::exchange::policy::{Judge, Judgement};

/// The policy's name among the repairs that changed something.
pub(crate) const NAME: &str = "validate_tool_calls";
/// Longer arguments pass as they come.
const MOST_HELD: usize = 8 * 1024 * 1024;

/// Judges the calls of one reply.
pub(crate) struct CheckStage {
    judge: Judge,
    keeps_back: Holding,
    held: HashMap<Slot, Call>,
    calls: Vec<JudgedCall>,
}

/// A call whose arguments wait.
struct Call {
    name: String,
    input: String,
}

impl CheckStage {
    /// A stage for one reply. `asks_again`: calls that do not fit are not for the client yet.
    pub(crate) fn new(judge: Judge, asks_again: bool) -> Self {
        let keeps_back = if asks_again {
            Holding::Calls
        } else {
            Holding::Nothing
        };
        Self {
            judge,
            keeps_back,
            held: HashMap::new(),
            calls: Vec::new(),
        }
    }

    /// A call is complete, or as complete as it will be.
    fn release(&mut self, slot: Slot, sink: &mut Sink<Event>) {
        let Some(Call { name, input }) = self.held.remove(&slot) else {
            return;
        };
        let mut arguments = Arguments::default();
        let mut read = String::with_capacity(input.len());
        arguments.push(&input, &mut read);
        let judged = match arguments.state() {
            ArgumentsState::Empty => self.judge.judge(&name, "{}"),
            ArgumentsState::Complete => self.judge.judge(&name, &read),
            ArgumentsState::Partial | ArgumentsState::Invalid => None,
        };
        let (input, complaint, was_invalid) = match judged {
            None => return give(slot, input, sink),
            Some(Judgement::Fits) => (input, None, false),
            Some(Judgement::Mended(mended)) => {
                sink.note(Note::Hit(NAME));
                for member in left_out(&read, &mended) {
                    let path = format!("{name}.{member}");
                    sink.note(Note::Loss(Loss { path }));
                }
                (mended, None, true)
            }
            Some(Judgement::Misfits(complaint)) => (input, Some(complaint), true),
        };
        self.calls.push(JudgedCall {
            name,
            complaint,
            was_invalid,
        });
        give(slot, input, sink);
    }

    fn release_all(&mut self, sink: &mut Sink<Event>) {
        let mut slots: Vec<Slot> = self.held.keys().copied().collect();
        slots.sort_unstable();
        for slot in slots {
            self.release(slot, sink);
        }
    }
}

/// The members of a call that its mended form has not.
fn left_out(before: &str, after: &str) -> Vec<String> {
    let names = |text: &str| -> Vec<String> {
        let doc = scan_reply(&text.into(), &[]);
        doc.map_or_else(
            |_| Vec::new(),
            |doc| {
                doc.root()
                    .members()
                    .map(|(name, _)| name.into_owned())
                    .collect()
            },
        )
    };
    let kept = names(after);
    let before = names(before).into_iter();
    before.filter(|name| !kept.contains(name)).collect()
}

fn give(slot: Slot, input: String, sink: &mut Sink<Event>) {
    if !input.is_empty() {
        let delta = Delta::Input(input.into());
        sink.event(Event::Delta { slot, delta });
    }
}

impl Stage for CheckStage {
    type In = Event;
    type Out = Event;

    fn on(&mut self, event: Event, sink: &mut Sink<Event>) {
        match event {
            Event::Open { slot, block } => {
                if let Opening::ToolUse {
                    name,
                    is_freeform: false,
                    ..
                } = &block
                    && self.judge.knows(&name.decode())
                {
                    let call = Call {
                        name: name.decode().into_owned(),
                        input: String::new(),
                    };
                    self.held.insert(slot, call);
                }
                sink.event(Event::Open { slot, block });
            }
            Event::Delta {
                slot,
                delta: Delta::Input(piece),
            } => match self.held.get_mut(&slot) {
                Some(call) => {
                    call.input.push_str(&piece.decode());
                    if call.input.len() > MOST_HELD
                        && let Some(call) = self.held.remove(&slot)
                    {
                        give(slot, call.input, sink);
                    }
                }
                None => sink.event(Event::Delta {
                    slot,
                    delta: Delta::Input(piece),
                }),
            },
            Event::Close { slot } => {
                self.release(slot, sink);
                sink.event(Event::Close { slot });
            }
            Event::Stop(_) | Event::Done => {
                self.release_all(sink);
                sink.event(event);
            }
            Event::Start(_) | Event::Delta { .. } | Event::Usage(_) | Event::Ping => {
                sink.event(event)
            }
        }
    }

    fn end(&mut self, _end: End, sink: &mut Sink<Event>) {
        self.release_all(sink);
    }

    fn holding(&self) -> bool {
        !self.held.is_empty()
    }
}

impl PolicyStage for CheckStage {
    fn keeps_back(&self) -> Holding {
        self.keeps_back
    }

    fn report(&self, findings: &mut Findings) {
        findings.calls.clone_from(&self.calls);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use lingate_wire::Wire;
    use lingate_wire::turn::{
        Block, EmptyReply, Node, Sequencer, Stop, StopReason, Tool, Turn, fold,
    };

    use super::*;

    const SCHEMA: &str =
        r#"{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}"#;

    fn judge() -> Judge {
        let tool = |name: &str, schema: Option<&'static str>| {
            Node::new(Tool::Function {
                name: name.into(),
                namespace: None,
                description: None,
                input_schema: schema.map(Into::into),
                strict: None,
                deferred: false,
                cache: None,
                extra: Vec::new(),
            })
        };
        let turn = Turn {
            origin: Wire::Chat,
            model: "m".into(),
            system: Vec::new(),
            messages: Vec::new(),
            tools: vec![tool("Read", Some(SCHEMA)), tool("Free", None)].into(),
            cache: None,
        };
        Judge::new(Arc::default(), &turn)
    }

    /// Interleaves the calls' arguments in pieces of `size`; gives what comes out and what was noticed.
    fn run(calls: &[(&str, &str)], stop: StopReason, size: usize) -> (Vec<String>, Vec<bool>) {
        let mut stage = CheckStage::new(judge(), false);
        let mut sink = Sink::new();
        for (slot, (name, _)) in (0..).map(Slot).zip(calls) {
            let block = Opening::ToolUse {
                id: format!("call_{}", slot.0).into(),
                name: (*name).into(),
                namespace: None,
                is_freeform: false,
                extra: Vec::new(),
            };
            stage.on(Event::Open { slot, block }, &mut sink);
        }
        let longest = calls.iter().map(|(_, input)| input.len()).max().unwrap();
        for at in (0..longest).step_by(size) {
            for (slot, (_, input)) in (0..).map(Slot).zip(calls) {
                if let Some(piece) = input.get(at..input.len().min(at + size)) {
                    let delta = Delta::Input(piece.into());
                    stage.on(Event::Delta { slot, delta }, &mut sink);
                }
            }
        }
        for event in [Event::Stop(Stop::new(stop)), Event::Done] {
            stage.on(event, &mut sink);
        }
        assert!(!stage.holding());
        let mut sequencer = Sequencer::new(EmptyReply::Pass);
        let mut out = Sink::new();
        for event in sink.items {
            sequencer.on(event, &mut out);
        }
        let reply = fold(out.items);
        let inputs = reply.blocks.iter().map(|block| match &**block {
            Block::ToolUse(call) => format!("{:?}", call.input),
            other => format!("{other:?}"),
        });
        let mut findings = Findings::default();
        stage.report(&mut findings);
        let was_invalid = findings.calls.iter().map(|call| call.was_invalid);
        (inputs.collect(), was_invalid.collect())
    }

    #[test]
    fn calls_are_mended_however_they_are_cut() {
        use StopReason::{MaxTokens, ToolUse};
        type Case<'a> = (
            &'a [(&'a str, &'a str)],
            StopReason,
            &'a [&'a str],
            &'a [bool],
        );
        let cases: &[Case<'_>] = &[
            (
                &[("Read", r#"{ "n" : 1 }"#)],
                ToolUse,
                &[r#"{ "n" : 1 }"#],
                &[false],
            ),
            (
                &[("Read", r#"{"n":"1"}"#)],
                ToolUse,
                &[r#"{"n":1}"#],
                &[true],
            ),
            (
                &[("Read", r#"{"m":"1"}"#)],
                ToolUse,
                &[r#"{"m":"1"}"#],
                &[true],
            ),
            (&[("Read", "")], ToolUse, &["{}"], &[true]),
            (&[("Free", r#"{"n":"1"}"#)], ToolUse, &[r#"{"n":"1"}"#], &[]),
            (
                &[("Other", r#"{"n":"1"}"#)],
                ToolUse,
                &[r#"{"n":"1"}"#],
                &[],
            ),
            (&[("Read", r#"{"n":"1"#)], MaxTokens, &[r#"{"n":"1"#], &[]),
            (
                &[
                    ("Read", r#"{"n":"1"}"#),
                    ("Free", "{}"),
                    ("Read", r#"{"n":2}"#),
                ],
                ToolUse,
                &[r#"{"n":1}"#, "{}", r#"{"n":2}"#],
                &[true, false],
            ),
        ];
        for (calls, stop, inputs, was_invalid) in cases {
            for size in [1, 2, 3, 5, 7, 11, 64] {
                let expected: Vec<String> = inputs
                    .iter()
                    .map(|input| format!("Json({input:?})"))
                    .collect();
                let got = run(calls, *stop, size);
                assert_eq!(got, (expected, was_invalid.to_vec()), "{calls:?} by {size}");
            }
        }
    }
}
