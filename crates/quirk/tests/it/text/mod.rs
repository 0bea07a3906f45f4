//! Calls and thoughts in text: what a reply's deltas become, however they are cut.

mod chain;
mod families;
mod families_elements;
mod families_json;
mod family_properties;
mod kimi_k2;
mod kimi_k2_prose;
mod messages;
mod opened_by_the_prompt;
mod properties;
mod qwen3_coder;
mod structured;

use bytestring::ByteString;
use lingate_quirk::{EventStage, Selection, State};
use lingate_wire::anthropic;
use lingate_wire::stage::{Note, Sink};
use lingate_wire::turn::{
    Delta, EmptyReply, Event, FailureKind, Opening, Sequencer, Slot, Stop, StopReason,
};
use serde_json::{Value, json};

use crate::translate::Upstream;

/// A piece of a reply: which channel it came in, and the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece<'t> {
    Content(&'t str),
    Reasoning(&'t str),
}

/// What became of a reply.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Outcome {
    /// `text`, `thinking` or `tool`, with its text or name, and for a call its arguments.
    pub blocks: Vec<Vec<String>>,
    /// Why it ended, in Anthropic's words.
    pub stop: Option<&'static str>,
    /// What broke it.
    pub failure: Option<FailureKind>,
    pub message: String,
    pub diags: Vec<&'static str>,
    pub hits: Vec<&'static str>,
}

/// A reply's circumstances: an upstream, tools, and whether they may be called.
#[derive(Clone)]
pub(crate) struct Setting {
    upstream: Upstream,
    tools: Value,
    tool_choice: Option<&'static str>,
    thinking: Option<&'static str>,
}

impl Setting {
    /// An upstream that is asked with these tools: `{NAME: SCHEMA}`.
    pub(crate) fn new(upstream: Upstream, tools: &Value) -> Self {
        let declare = |(name, schema): (&String, &Value)| {
            let mut schema = schema.clone();
            schema["type"] = json!("object");
            json!({ "name": name, "input_schema": schema })
        };
        Self {
            upstream,
            tools: tools.as_object().unwrap().iter().map(declare).collect(),
            tool_choice: None,
            thinking: None,
        }
    }

    /// Tools are declared and must not be called.
    pub(crate) fn without_calls(mut self) -> Self {
        self.tool_choice = Some("none");
        self
    }

    /// The client says whether to think.
    pub(crate) fn thinking(mut self, kind: &'static str) -> Self {
        self.thinking = Some(kind);
        self
    }

    /// The stages of one reply.
    pub(crate) fn stages(&self) -> Stages {
        let (selection, state) = self.prepared();
        Stages { selection, state }
    }

    fn prepared(&self) -> (Selection, State) {
        let mut request = json!({
            "model": "m",
            "max_tokens": 4096,
            "messages": [{ "role": "user", "content": "Go on." }],
            "tools": self.tools,
        });
        if let Some(choice) = self.tool_choice {
            request["tool_choice"] = json!({ "type": choice });
        }
        if let Some(thinking) = self.thinking {
            request["thinking"] = json!({ "type": thinking });
        }
        let doc = anthropic::scan_request(&ByteString::from(request.to_string())).unwrap();
        let mut decoded = anthropic::decode_request(&doc).unwrap();
        let selection = self.upstream.selection();
        let mut state = self.upstream.state();
        selection.apply(&mut decoded.turn, &mut decoded.params, &mut state);
        (selection, state)
    }
}

/// Makes the stages of replies to one request.
pub(crate) struct Stages {
    selection: Selection,
    state: State,
}

impl Stages {
    /// Fresh stages for one reply.
    pub(crate) fn make(&self) -> Vec<EventStage> {
        self.selection.stages(&self.state)
    }

    /// Runs a reply through the stages alone: every block as they hand it on, broken arguments included.
    pub(crate) fn run(&self, pieces: &[Piece<'_>], finish: &str) -> Outcome {
        self.run_events(events(pieces, finish), false)
    }

    /// The same, through the sequencer as well.
    pub(crate) fn run_sequenced(&self, pieces: &[Piece<'_>], finish: &str) -> Outcome {
        self.run_events(events(pieces, finish), true)
    }

    /// Runs any events.
    pub(crate) fn run_events(&self, events: Vec<Event>, is_sequenced: bool) -> Outcome {
        let mut stages = self.make();
        if is_sequenced {
            stages.push(Box::new(Sequencer::new(EmptyReply::Pass)));
        }
        let mut outcome = Outcome::default();
        let mut open: Vec<(Slot, usize)> = Vec::new();
        let mut sink = Sink::new();
        for event in events {
            sink.event(event);
            if !through(&mut stages, &mut sink, &mut outcome, &mut open) {
                break;
            }
        }
        outcome
    }
}

/// Runs what the sink holds through all stages; whether the reply goes on.
fn through(
    stages: &mut [EventStage],
    sink: &mut Sink<Event>,
    outcome: &mut Outcome,
    open: &mut Vec<(Slot, usize)>,
) -> bool {
    for stage in stages {
        let mut next = Sink::new();
        for event in sink.items.drain(..) {
            if stage.passes(&event) {
                next.event(event);
            } else {
                stage.on(event, &mut next);
            }
        }
        next.notes.splice(0..0, sink.notes.drain(..));
        if let Some(failure) = sink.take_fault() {
            next.fault(failure);
        }
        *sink = next;
    }
    for note in sink.notes.drain(..) {
        match note {
            Note::Diag(name) => outcome.diags.push(name),
            Note::Hit(name) => outcome.hits.push(name),
            Note::Loss(_) => {}
        }
    }
    for event in sink.items.drain(..) {
        outcome.take(event, open);
    }
    if let Some(failure) = sink.take_fault() {
        outcome.failure = Some(failure.kind);
        outcome.message = failure.message;
    }
    outcome.failure.is_none()
}

impl Outcome {
    fn take(&mut self, event: Event, open: &mut Vec<(Slot, usize)>) {
        match event {
            Event::Open { slot, block } => {
                let block = match block {
                    Opening::Text => vec!["text".to_owned(), String::new()],
                    Opening::Thinking => vec!["thinking".to_owned(), String::new()],
                    Opening::ToolUse { name, .. } => {
                        vec!["tool".to_owned(), name.to_string(), String::new()]
                    }
                    other => vec![format!("{other:?}"), String::new()],
                };
                assert!(
                    open.iter().all(|(known, _)| *known != slot),
                    "{slot:?} opened twice"
                );
                open.push((slot, self.blocks.len()));
                self.blocks.push(block);
            }
            Event::Delta { slot, delta } => {
                let (_, at) = open.iter().find(|(known, _)| *known == slot).unwrap();
                let (Delta::Text(text) | Delta::Thinking(text) | Delta::Input(text)) = delta else {
                    return;
                };
                self.blocks[*at]
                    .last_mut()
                    .unwrap()
                    .push_str(&text.decode());
            }
            Event::Close { slot } => {
                let known = open.iter().position(|(known, _)| *known == slot).unwrap();
                open.remove(known);
            }
            Event::Stop(stop) => {
                self.stop = Some(match stop.reason {
                    StopReason::EndTurn => "end_turn",
                    StopReason::MaxTokens => "max_tokens",
                    StopReason::ToolUse => "tool_use",
                    StopReason::Refusal => "refusal",
                    StopReason::StopSequence => "stop_sequence",
                    other => panic!("{other:?}"),
                });
            }
            Event::Done => assert!(open.is_empty(), "left open: {open:?}"),
            Event::Start(_) | Event::Usage(_) | Event::Ping => {}
        }
    }
}

/// The events of a decoder for these deltas: a block for every stretch of one channel.
pub(crate) fn events(pieces: &[Piece<'_>], finish: &str) -> Vec<Event> {
    let mut events = vec![Event::Start(Default::default())];
    let mut open: Option<(bool, Slot)> = None;
    let mut next = 0;
    for piece in pieces {
        let (is_content, text) = match piece {
            Piece::Content(text) => (true, *text),
            Piece::Reasoning(text) => (false, *text),
        };
        if text.is_empty() {
            continue;
        }
        let slot = match open {
            Some((is_same, slot)) if is_same == is_content => slot,
            _ => {
                if let Some((_, slot)) = open {
                    events.push(Event::Close { slot });
                }
                let slot = Slot(next);
                next += 1;
                let block = if is_content {
                    Opening::Text
                } else {
                    Opening::Thinking
                };
                events.push(Event::Open { slot, block });
                open = Some((is_content, slot));
                slot
            }
        };
        let delta = if is_content {
            Delta::Text(text.into())
        } else {
            Delta::Thinking(text.into())
        };
        events.push(Event::Delta { slot, delta });
    }
    if let Some((_, slot)) = open {
        events.push(Event::Close { slot });
    }
    events.push(Event::Stop(Stop::new(match finish {
        "stop" => StopReason::EndTurn,
        "tool_calls" => StopReason::ToolUse,
        "length" => StopReason::MaxTokens,
        "content_filter" => StopReason::Refusal,
        other => panic!("{other}"),
    })));
    events.push(Event::Done);
    events
}

/// Runs a reply whole, cut at every position, and in pieces of several sizes: `check` sees every outcome and how it was cut.
#[track_caller]
pub(crate) fn every_cut(
    pieces: &[Piece<'_>],
    mut run: impl FnMut(&[Piece<'_>]) -> Outcome,
) -> Outcome {
    let whole = run(pieces);
    let mut check = |cut: Vec<Piece<'_>>, how: &str| {
        let outcome = run(&cut);
        assert_eq!(outcome.sorted(), whole.sorted(), "cut {how}: {pieces:?}");
    };
    for (at, piece) in pieces.iter().enumerate() {
        for (position, _) in piece.text().char_indices().skip(1) {
            let (before, behind) = piece.text().split_at(position);
            let mut cut = pieces.to_vec();
            cut.splice(at..=at, [piece.with(before), piece.with(behind)]);
            check(cut, &format!("in piece {at} at {position}"));
        }
    }
    for size in [1, 2, 3, 5, 7, 11, 64] {
        check(in_pieces(pieces, size), &format!("in pieces of {size}"));
    }
    whole
}

/// The same text in pieces of some characters each.
pub(crate) fn in_pieces<'t>(pieces: &[Piece<'t>], size: usize) -> Vec<Piece<'t>> {
    let mut cut = Vec::new();
    for piece in pieces {
        let mut rest = piece.text();
        while !rest.is_empty() {
            let end = rest
                .char_indices()
                .nth(size)
                .map_or(rest.len(), |(at, _)| at);
            let (head, tail) = rest.split_at(end);
            cut.push(piece.with(head));
            rest = tail;
        }
    }
    cut
}

impl<'t> Piece<'t> {
    pub(crate) fn text(&self) -> &'t str {
        match self {
            Self::Content(text) | Self::Reasoning(text) => text,
        }
    }

    fn with(&self, text: &'t str) -> Self {
        match self {
            Self::Content(_) => Self::Content(text),
            Self::Reasoning(_) => Self::Reasoning(text),
        }
    }
}

impl Outcome {
    /// Notes may come in another order, once or twice.
    fn sorted(&self) -> Self {
        let mut sorted = self.clone();
        for names in [&mut sorted.diags, &mut sorted.hits] {
            names.sort_unstable();
            names.dedup();
        }
        sorted
    }
}
