//! The end of a model's work, where tool calls are insisted on: the call of `done` is not for the client.
//!
//! It is taken out, and the answer it brings becomes text, unless the model asks for other calls as well: then it is not
//! done. What an answer is called is the model's invention as often as the schema's.

use std::collections::HashSet;

use lingate_wire::json::Text;
use lingate_wire::stage::{End, Note, Sink, Stage};
use lingate_wire::turn::{Delta, Event, Opening, Slot};
use serde_json::Value;

use super::message::Holding;
use super::policing::{Done, Findings, Finish, PolicyStage};

/// The policy's name among the repairs that changed something.
pub(crate) const NAME: &str = "ensure_tool_call";
/// Names that say the work is done; a misnamed call of a real tool never does.
const FINAL_NAMES: [&str; 3] = ["done", "final", "final_answer"];
/// Members that hold the answer, best first, without case, spaces, `_` and `-`.
const ANSWER_KEYS: [&str; 4] = ["finalanswer", "final", "answer", "summary"];
/// Models wrap arguments they are unsure of in this member.
const WRAPPER: &str = "raw";
/// The answer's own block; decoders count from 0.
const ANSWER_SLOT: Slot = Slot(u32::MAX);
/// Most bytes of text that are kept to see whether an answer repeats it, and of an answer.
const MOST_KEPT: usize = 1024 * 1024;

/// Takes the call of `done` out of one reply.
#[derive(Debug)]
pub(crate) struct FinishStage {
    /// The client's own tools, in lower case: a call of one of them is for the client whatever its name.
    own: HashSet<String>,
    finish: Finish,
    /// Blocks that are taken out.
    taken: HashSet<Slot>,
    text: String,
    is_answered: bool,
}

impl FinishStage {
    /// A stage for one reply to a client with tools of these names. `has_answer`: the client has got text since its user
    /// spoke last.
    pub(crate) fn new(own: impl IntoIterator<Item = String>, has_answer: bool) -> Self {
        let finish = Finish {
            has_answer,
            ..Finish::default()
        };
        Self {
            own: own.into_iter().map(|name| name.to_lowercase()).collect(),
            finish,
            taken: HashSet::new(),
            text: String::new(),
            is_answered: false,
        }
    }

    fn is_final(&self, name: &Text) -> bool {
        let name = name.decode().trim().to_lowercase();
        FINAL_NAMES.contains(&name.as_str()) && !self.own.contains(&name)
    }

    fn delta(&mut self, slot: Slot, delta: Delta, sink: &mut Sink<Event>) {
        if self.taken.contains(&slot) {
            if let (Delta::Input(piece), Some(done)) = (&delta, &mut self.finish.done)
                && done.input.len() < MOST_KEPT
            {
                done.input.push_str(&piece.decode());
            }
            return;
        }
        if let Delta::Text(text) = &delta {
            self.finish.has_answer |= !text.is_blank();
            if self.text.len() < MOST_KEPT {
                self.text.push_str(&text.decode());
            }
        }
        sink.event(Event::Delta { slot, delta });
    }

    /// The reply is about to end: what the call brought is the last thing that is said.
    fn answer(&mut self, sink: &mut Sink<Event>) {
        if std::mem::replace(&mut self.is_answered, true) || self.finish.n_calls > 0 {
            return;
        }
        let done = self.finish.done.as_ref();
        let Some(answer) = done.and_then(|done| final_answer(&done.input)) else {
            return;
        };
        self.finish.has_answer = true;
        if self.text.trim_end().ends_with(answer.trim()) {
            return;
        }
        let slot = ANSWER_SLOT;
        let is_first = self.text.trim().is_empty();
        let answer = if is_first {
            answer
        } else {
            format!("\n\n{answer}")
        };
        sink.event(Event::Open {
            slot,
            block: Opening::Text,
        });
        sink.event(Event::Delta {
            slot,
            delta: Delta::Text(answer.into()),
        });
        sink.event(Event::Close { slot });
    }
}

impl Stage for FinishStage {
    type In = Event;
    type Out = Event;

    fn on(&mut self, event: Event, sink: &mut Sink<Event>) {
        match event {
            Event::Open {
                slot,
                block: Opening::ToolUse { name, .. },
            } if self.is_final(&name) => {
                self.taken.insert(slot);
                self.finish.done = Some(Done {
                    name: name.decode().trim().to_owned(),
                    input: String::new(),
                });
                sink.note(Note::Hit(NAME));
            }
            Event::Open { slot, block } => {
                self.finish.n_calls += u32::from(matches!(block, Opening::ToolUse { .. }));
                sink.event(Event::Open { slot, block });
            }
            Event::Delta { slot, delta } => self.delta(slot, delta, sink),
            Event::Close { slot } if self.taken.contains(&slot) => {}
            Event::Stop(_) | Event::Done => {
                self.answer(sink);
                sink.event(event);
            }
            Event::Start(_) | Event::Close { .. } | Event::Usage(_) | Event::Ping => {
                sink.event(event)
            }
        }
    }

    fn end(&mut self, _end: End, _sink: &mut Sink<Event>) {}
}

impl PolicyStage for FinishStage {
    fn keeps_back(&self) -> Holding {
        Holding::End
    }

    fn report(&self, findings: &mut Findings) {
        findings.finish = Some(self.finish.clone());
    }
}

/// The answer in the arguments of the call, however the model spelled them.
fn final_answer(input: &str) -> Option<String> {
    // Cut by the token limit, the answer is what there is of it.
    let parsed = ["", "\"}", "}"]
        .iter()
        .find_map(|end| serde_json::from_str::<Value>(&format!("{input}{end}")).ok())?;
    answer_in(&parsed).filter(|answer| !answer.trim().is_empty())
}

fn answer_in(value: &Value) -> Option<String> {
    let Value::Object(members) = value else {
        return value.as_str().map(str::to_owned);
    };
    let named = |wanted: &str| {
        let is_it = |key: &str| plain(key) == wanted;
        let mut found = members.iter().filter(|(key, _)| is_it(key));
        found.find_map(|(_, value)| value.as_str().map(str::to_owned))
    };
    ANSWER_KEYS.into_iter().find_map(named).or_else(|| {
        let wrapped = members.get(WRAPPER)?;
        match wrapped {
            Value::Object(_) => answer_in(wrapped),
            Value::String(text) => answer_in(&serde_json::from_str(text).ok()?),
            _ => None,
        }
    })
}

fn plain(key: &str) -> String {
    key.chars()
        .filter(|letter| !matches!(letter, ' ' | '_' | '-'))
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use lingate_wire::turn::{Block, EmptyReply, Sequencer, Stop, StopReason, fold};

    use super::*;

    /// Runs a reply through the stage and the sequencer, its deltas in pieces of `size` characters.
    fn run(
        blocks: &[(&str, &str)],
        stop: StopReason,
        size: usize,
    ) -> (Vec<String>, StopReason, Finish) {
        let mut stage = FinishStage::new(["Read".to_owned(), "Final".to_owned()], false);
        let mut sequencer = Sequencer::new(EmptyReply::Pass);
        let mut sink = Sink::new();
        for (slot, (kind, content)) in (0..).map(Slot).zip(blocks) {
            let block = match *kind {
                "text" => Opening::Text,
                "thinking" => Opening::Thinking,
                name => Opening::ToolUse {
                    id: "call_1".into(),
                    name: name.into(),
                    namespace: None,
                    is_freeform: false,
                    extra: Vec::new(),
                },
            };
            let delta = |piece: String| match *kind {
                "text" => Delta::Text(piece.into()),
                "thinking" => Delta::Thinking(piece.into()),
                _ => Delta::Input(piece.into()),
            };
            stage.on(Event::Open { slot, block }, &mut sink);
            let letters: Vec<char> = content.chars().collect();
            for piece in letters.chunks(size) {
                let delta = delta(piece.iter().collect());
                stage.on(Event::Delta { slot, delta }, &mut sink);
            }
            stage.on(Event::Close { slot }, &mut sink);
        }
        stage.on(Event::Stop(Stop::new(stop)), &mut sink);
        stage.on(Event::Done, &mut sink);
        let mut out = Sink::new();
        for event in sink.items {
            sequencer.on(event, &mut out);
        }
        assert!(out.take_fault().is_none());
        let reply = fold(out.items);
        let shown = reply.blocks.iter().map(|block| match &**block {
            Block::Text { text, .. } => text.to_string(),
            Block::Thinking(thinking) => format!("({})", thinking.text),
            Block::ToolUse(call) => call.name.to_string(),
            other => format!("{other:?}"),
        });
        (shown.collect(), reply.stop.unwrap().reason, stage.finish)
    }

    #[test]
    fn done_is_taken_out_and_its_answer_is_said() {
        use StopReason::{EndTurn, MaxTokens, ToolUse};
        type Case<'a> = (
            &'a [(&'a str, &'a str)],
            StopReason,
            &'a [&'a str],
            StopReason,
        );
        let cases: &[Case<'_>] = &[
            (
                &[("done", r#"{"final_answer":"All."}"#)],
                ToolUse,
                &["All."],
                EndTurn,
            ),
            (
                &[("Done", r#"{"Final Answer":"All."}"#)],
                ToolUse,
                &["All."],
                EndTurn,
            ),
            (
                &[("final_answer", r#"{"final-answer":"All."}"#)],
                ToolUse,
                &["All."],
                EndTurn,
            ),
            (
                &[("done", r#"{"summary":"S","answer":"A"}"#)],
                ToolUse,
                &["A"],
                EndTurn,
            ),
            (
                &[("done", r#"{"raw":{"summary":"S"}}"#)],
                ToolUse,
                &["S"],
                EndTurn,
            ),
            (
                &[("done", r#"{"raw":"{\"final\":\"F\"}"}"#)],
                ToolUse,
                &["F"],
                EndTurn,
            ),
            (&[("done", r#"{"result":"S"}"#)], ToolUse, &[], EndTurn),
            (
                &[("done", r#"{"final_answer":"Half an ans"#)],
                MaxTokens,
                &["Half an ans"],
                MaxTokens,
            ),
            (
                &[("text", "Said."), ("done", r#"{"final_answer":"All."}"#)],
                ToolUse,
                &["Said.", "\n\nAll."],
                EndTurn,
            ),
            (
                &[
                    ("text", "It is All."),
                    ("done", r#"{"final_answer":"All."}"#),
                ],
                ToolUse,
                &["It is All."],
                EndTurn,
            ),
            (
                &[("thinking", "Hm."), ("done", r#"{"final_answer":"All."}"#)],
                ToolUse,
                &["(Hm.)", "All."],
                EndTurn,
            ),
            (
                &[("done", r#"{"final_answer":"All."}"#), ("Read", "{}")],
                ToolUse,
                &["Read"],
                ToolUse,
            ),
            (
                &[("Read", "{}"), ("done", "{}")],
                ToolUse,
                &["Read"],
                ToolUse,
            ),
            // A client's own tool, and names that only look like an end.
            (
                &[("Final", r#"{"answer":"All."}"#)],
                ToolUse,
                &["Final"],
                ToolUse,
            ),
            (&[("64", "{}")], ToolUse, &["64"], ToolUse),
            (&[("call_1", "{}")], ToolUse, &["call_1"], ToolUse),
        ];
        for (blocks, stop, expected, reason) in cases {
            for size in [1, 2, 3, 5, 7, 11, 64] {
                let (shown, got, _) = run(blocks, *stop, size);
                let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
                assert_eq!((&shown[..], got), (*expected, *reason), "{blocks:?}");
            }
        }
    }

    #[test]
    fn what_is_reported() {
        type Case<'a> = (&'a [(&'a str, &'a str)], u32, bool, bool);
        let cases: [Case<'_>; 5] = [
            (&[("text", "Hi.")], 0, false, true),
            (&[("thinking", "Hm.")], 0, false, false),
            (&[("done", "{}")], 0, true, false),
            (&[("done", r#"{"final_answer":" "}"#)], 0, true, false),
            (
                &[("done", r#"{"final_answer":"A"}"#), ("Read", "{}")],
                1,
                true,
                false,
            ),
        ];
        for (blocks, n_calls, is_done, has_answer) in cases {
            let (_, _, finish) = run(blocks, StopReason::EndTurn, 3);
            let got = (finish.n_calls, finish.done.is_some(), finish.has_answer);
            assert_eq!(got, (n_calls, is_done, has_answer), "{blocks:?}");
        }
    }
}
