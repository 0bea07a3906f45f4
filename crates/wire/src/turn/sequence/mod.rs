//! The sequencer: whatever order an upstream's blocks arrive in, they leave one behind the other.
//!
//! It sits behind every decoder and quirk and before every encoder, and is the one place that guarantees the strictest
//! grammar of the four wires: one block open at a time, slots 0, 1, 2, ... without gaps, no block of white space
//! alone, no tool call that ends normally with arguments that are not one JSON object (unless the token limit cut them), a
//! stop reason that fits the blocks, usage before the stop, nothing behind the end.

use std::collections::VecDeque;

use bytestring::ByteString;

use super::event::{Delta, Event, Opening, Slot, Start};
use super::failure::{Failure, FailureKind};
use super::stop::{Stop, StopReason};
use super::usage::Usage;
use crate::json::{Arguments, ArgumentsState, Text, scan_reply};
use crate::stage::{End, Note, Sink, Stage};

/// Most bytes of one call's arguments. They are kept to be read as a whole; no tool takes more.
const MAX_INPUT: usize = 32 << 20;

/// What to make of a complete reply without text and calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptyReply {
    /// Pass it on as it is.
    Pass,
    /// A fault: agents stop or hang on an empty end of turn.
    Fault,
}

/// Puts blocks in sequence; see the module's text.
#[derive(Debug)]
pub struct Sequencer {
    empty_reply: EmptyReply,
    /// The block that is being passed on.
    current: Option<Block>,
    /// Blocks that opened meanwhile, in order.
    waiting: VecDeque<Block>,
    usage: Usage,
    stop: Option<Stop>,
    emitted: Emitted,
    is_done: bool,
}

/// What has been passed on.
#[derive(Debug, Default)]
struct Emitted {
    /// The reply's start, until it is passed on with the first block.
    start: Option<Start>,
    has_started: bool,
    /// The slot of the next block; as many have been opened.
    next_slot: u32,
    calls: u32,
    /// Blocks that answer the client: anything but reasoning.
    answers: u32,
    has_refusal: bool,
}

/// A block from its opening at the source to its closing downstream.
#[derive(Debug)]
struct Block {
    source: Slot,
    opening: Opening,
    /// Set once it has been opened downstream.
    out: Option<Slot>,
    /// Deltas kept back: all of them while it waits, white space at its head before it may open.
    held: Vec<Delta>,
    is_closed_at_source: bool,
    /// White space at its head is dropped instead of kept: it only separated it from a call.
    drops_leading_space: bool,
    arguments: Arguments,
    /// The arguments passed on so far.
    input: String,
    /// The token that vouches for the block has come: nothing may follow it.
    is_signed: bool,
}

impl Sequencer {
    /// A sequencer for one reply.
    #[must_use]
    pub fn new(empty_reply: EmptyReply) -> Self {
        Self {
            empty_reply,
            current: None,
            waiting: VecDeque::new(),
            usage: Usage::default(),
            stop: None,
            emitted: Emitted::default(),
            is_done: false,
        }
    }

    fn open(&mut self, source: Slot, opening: Opening, sink: &mut Sink<Event>) {
        // Quirks have had their chance to name it; no client can run a call of nothing.
        if matches!(&opening, Opening::ToolUse { name, .. } if name.is_blank()) {
            return sink.fault(Failure::new(
                FailureKind::BrokenToolCall,
                "upstream tool call has no name",
            ));
        }
        let follows_call = self
            .waiting
            .back()
            .or(self.current.as_ref())
            .map_or(self.emitted.calls > 0, Block::is_call);
        let block = Block {
            source,
            drops_leading_space: follows_call && matches!(opening, Opening::Text),
            opening,
            out: None,
            held: Vec::new(),
            is_closed_at_source: false,
            arguments: Arguments::default(),
            input: String::new(),
            is_signed: false,
        };
        if self.current.is_none() && self.waiting.is_empty() {
            self.current = Some(block);
        } else {
            self.waiting.push_back(block);
        }
        self.advance(sink);
    }

    fn delta(&mut self, source: Slot, delta: Delta, sink: &mut Sink<Event>) {
        if let Some(current) = self.current.as_mut().filter(|block| block.source == source) {
            current.grow(delta, sink);
        } else if let Some(block) = self
            .waiting
            .iter_mut()
            .rev()
            .find(|block| block.source == source)
        {
            block.held.push(delta);
        } else {
            sink.note(Note::Diag("delta_behind_closed_block"));
            return;
        }
        self.advance(sink);
    }

    fn close(&mut self, source: Slot, sink: &mut Sink<Event>) {
        let block = self
            .current
            .iter_mut()
            .chain(self.waiting.iter_mut())
            .find(|block| block.source == source);
        if let Some(block) = block {
            block.is_closed_at_source = true;
            self.advance(sink);
        }
    }

    /// Passes on all that can be passed on now.
    fn advance(&mut self, sink: &mut Sink<Event>) {
        loop {
            // A block is large, and stays where it is for each of its deltas.
            if let Some(block) = &mut self.current {
                block.flush(&mut self.emitted, sink);
                if !block.may_close(!self.waiting.is_empty()) || sink.has_fault() {
                    return;
                }
                block.finish(false, sink);
                self.current = None;
                if sink.has_fault() {
                    return;
                }
            }
            match self.waiting.pop_front() {
                Some(next) => self.current = Some(next),
                None => return,
            }
        }
    }

    /// From here it is known whether a half call was cut by the token limit. One that was not is a fault at once, so that a
    /// passthrough can hold back the very event that would end it normally.
    fn stop(&mut self, stop: Stop, sink: &mut Sink<Event>) {
        if !is_cut(stop.reason) {
            let blocks = self.current.iter().chain(&self.waiting);
            let is_half = |block: &Block| {
                block.out.is_some() && block.input_state() == Some(ArgumentsState::Partial)
            };
            if blocks.into_iter().any(is_half) {
                sink.fault(broken_call("are incomplete"));
            }
        }
        self.stop = Some(stop);
    }

    fn done(&mut self, sink: &mut Sink<Event>) {
        if self.is_done {
            return;
        }
        self.is_done = true;
        let mut stop = self
            .stop
            .take()
            .unwrap_or_else(|| Stop::new(StopReason::EndTurn));
        let is_cut = is_cut(stop.reason);
        let waiting = std::mem::take(&mut self.waiting);
        for mut block in self.current.take().into_iter().chain(waiting) {
            block.flush(&mut self.emitted, sink);
            block.finish(is_cut, sink);
            if sink.has_fault() {
                return;
            }
        }
        stop.reason = self.fitting(stop.reason);
        if self.emitted.answers == 0
            && stop.reason == StopReason::EndTurn
            && self.empty_reply == EmptyReply::Fault
        {
            sink.fault(Failure::new(
                FailureKind::EmptyReply,
                if self.emitted.next_slot == 0 {
                    "the upstream's reply has no content"
                } else {
                    "the upstream's reply has reasoning and nothing else"
                },
            ));
            return;
        }
        self.emitted.start(sink);
        if !self.usage.is_empty() {
            sink.event(Event::Usage(self.usage));
        }
        sink.event(Event::Stop(stop));
        sink.event(Event::Done);
    }

    /// Calls decide between the end of a turn and tool use, whatever the upstream says.
    fn fitting(&self, reason: StopReason) -> StopReason {
        match reason {
            StopReason::EndTurn if self.emitted.has_refusal => StopReason::Refusal,
            StopReason::EndTurn | StopReason::ToolUse if self.emitted.calls > 0 => {
                StopReason::ToolUse
            }
            StopReason::ToolUse => StopReason::EndTurn,
            other => other,
        }
    }
}

impl Stage for Sequencer {
    type In = Event;
    type Out = Event;

    fn on(&mut self, event: Event, sink: &mut Sink<Event>) {
        if self.is_done {
            return;
        }
        match event {
            Event::Start(start) => {
                self.usage.update(&start.usage);
                if !self.emitted.has_started {
                    self.emitted.start = Some(start);
                }
            }
            Event::Open { slot, block } => self.open(slot, block, sink),
            Event::Delta { slot, delta } => self.delta(slot, delta, sink),
            Event::Close { slot } => self.close(slot, sink),
            Event::Usage(usage) => self.usage.update(&usage),
            Event::Stop(stop) => self.stop(stop, sink),
            Event::Done => self.done(sink),
            Event::Ping => sink.event(Event::Ping),
        }
        // Nothing follows a fault.
        self.is_done |= sink.has_fault();
    }

    /// Decoders turn the transport's end into [`Event::Done`] or a fault; what is left is a decoder that did neither.
    fn end(&mut self, end: End, sink: &mut Sink<Event>) {
        if self.is_done {
            return;
        }
        match end {
            End::Clean if self.stop.is_some() => self.done(sink),
            End::Clean | End::Truncated => {
                sink.fault(Failure::new(
                    FailureKind::Truncated,
                    "the upstream's reply ended early",
                ));
            }
            End::Broken(failure) => sink.fault(failure),
        }
    }

    fn holding(&self) -> bool {
        !self.waiting.is_empty()
            || self
                .current
                .as_ref()
                .is_some_and(|block| !block.held.is_empty())
    }
}

impl Emitted {
    /// Begins the reply, once.
    fn start(&mut self, sink: &mut Sink<Event>) {
        if !self.has_started {
            self.has_started = true;
            sink.event(Event::Start(self.start.take().unwrap_or_default()));
        }
    }

    /// Begins a block and gives its slot.
    fn open(&mut self, opening: &Opening, sink: &mut Sink<Event>) -> Slot {
        self.start(sink);
        let slot = Slot(self.next_slot);
        self.next_slot += 1;
        match opening {
            Opening::Thinking | Opening::RedactedThinking { .. } => {}
            Opening::ToolUse { .. } => {
                self.calls += 1;
                self.answers += 1;
            }
            Opening::Refusal => {
                self.has_refusal = true;
                self.answers += 1;
            }
            Opening::Text | Opening::Image(_) | Opening::Foreign(_) => self.answers += 1,
        }
        sink.event(Event::Open {
            slot,
            block: opening.clone(),
        });
        slot
    }
}

impl Block {
    /// Takes a delta of the block that is being passed on.
    fn grow(&mut self, delta: Delta, sink: &mut Sink<Event>) {
        match self.out {
            Some(slot) => self.pass(slot, delta, sink),
            None => self.held.push(delta),
        }
    }

    /// Passes on what it holds, opening it if need be.
    fn flush(&mut self, emitted: &mut Emitted, sink: &mut Sink<Event>) {
        if self.out.is_some() || !self.has_substance() {
            return;
        }
        let slot = emitted.open(&self.opening, sink);
        self.out = Some(slot);
        for delta in std::mem::take(&mut self.held) {
            self.pass(slot, delta, sink);
        }
    }

    fn pass(&mut self, slot: Slot, delta: Delta, sink: &mut Sink<Event>) {
        if self.input.len() > MAX_INPUT {
            return sink.fault(broken_call("are larger than 32 MiB"));
        }
        if let Some(delta) = self.passed(delta) {
            sink.event(Event::Delta { slot, delta });
        }
    }

    /// Whether it has come to its end. `others_wait`: another block has opened behind it.
    fn may_close(&self, others_wait: bool) -> bool {
        match self.input_state() {
            None | Some(ArgumentsState::Empty) => self.is_closed_at_source,
            Some(ArgumentsState::Complete) => self.is_closed_at_source || others_wait,
            // Only the stop reason can tell a call cut by the token limit from a broken one.
            Some(ArgumentsState::Partial | ArgumentsState::Invalid) => false,
        }
    }

    /// Closes it downstream. `is_cut`: the token limit ended the reply, so half a call is what there is.
    fn finish(&self, is_cut: bool, sink: &mut Sink<Event>) {
        let Some(slot) = self.out else {
            if !self.held.is_empty() {
                sink.note(Note::Diag("blank_block_dropped"));
            }
            return;
        };
        match self.input_state() {
            // Cut before its arguments began, it is half a call too.
            Some(ArgumentsState::Empty) if !is_cut => sink.event(Event::Delta {
                slot,
                delta: Delta::Input(Text::from_static("{}")),
            }),
            Some(ArgumentsState::Complete) if !self.is_json() => {
                return sink.fault(broken_call("are not valid JSON"));
            }
            Some(ArgumentsState::Partial) if !is_cut => {
                return sink.fault(broken_call("are incomplete"));
            }
            Some(ArgumentsState::Invalid) if !is_cut => {
                return sink.fault(broken_call("are not a JSON object"));
            }
            Some(_) | None => {}
        }
        if self.arguments.is_repaired() {
            sink.note(Note::Diag("arguments_repaired"));
        }
        sink.event(Event::Close { slot });
    }

    fn is_call(&self) -> bool {
        matches!(self.opening, Opening::ToolUse { .. })
    }

    /// How far the JSON input has come; `None` for blocks without one.
    fn input_state(&self) -> Option<ArgumentsState> {
        matches!(
            self.opening,
            Opening::ToolUse {
                is_freeform: false,
                ..
            }
        )
        .then(|| self.arguments.state())
    }

    /// Whether there is something to open the block for: white space alone never opens one.
    fn has_substance(&mut self) -> bool {
        match self.opening {
            Opening::Text | Opening::Refusal | Opening::Thinking => {
                let is_substance = |delta: &Delta| match delta {
                    Delta::Text(text) | Delta::Thinking(text) => !text.is_blank(),
                    Delta::Input(_)
                    | Delta::Signature(_)
                    | Delta::Citation(_)
                    | Delta::Foreign(_) => true,
                };
                let first = self.held.iter().position(is_substance);
                if let Some(first) = first
                    && self.drops_leading_space
                {
                    self.held.drain(..first);
                    if let Some(Delta::Text(text)) = self.held.first_mut() {
                        let plain = text.to_plain();
                        let trimmed = plain.slice_ref(plain.trim_start());
                        *text = Text::plain(trimmed);
                    }
                }
                first.is_some()
            }
            Opening::RedactedThinking { .. }
            | Opening::ToolUse { .. }
            | Opening::Image(_)
            | Opening::Foreign(_) => true,
        }
    }

    /// A delta as it may be passed on: of the block's own kind. What an upstream said under the wrong name is still said.
    fn passed(&mut self, delta: Delta) -> Option<Delta> {
        let delta = match (&self.opening, delta) {
            (Opening::Text | Opening::Refusal, Delta::Thinking(text)) => Delta::Text(text),
            (Opening::Thinking, Delta::Text(text)) => Delta::Thinking(text),
            (Opening::ToolUse { .. }, Delta::Text(_) | Delta::Thinking(_) | Delta::Citation(_))
            | (Opening::Text, Delta::Input(_))
            | (Opening::Refusal | Opening::Thinking, Delta::Input(_) | Delta::Citation(_))
            | (
                Opening::RedactedThinking { .. } | Opening::Image(_),
                Delta::Text(_) | Delta::Thinking(_) | Delta::Input(_) | Delta::Citation(_),
            ) => return None,
            (_, delta) => delta,
        };
        let is_behind_token = self.is_signed && matches!(self.opening, Opening::Thinking);
        match delta {
            _ if is_behind_token => None,
            Delta::Signature(signature) => {
                self.is_signed = true;
                Some(Delta::Signature(signature))
            }
            Delta::Input(text) if self.input_state().is_some() => {
                let from = self.input.len();
                let piece = text.to_plain();
                self.arguments.push(&piece, &mut self.input);
                let passed = self.input.get(from..).unwrap_or_default();
                if passed.is_empty() {
                    None
                } else if passed == &*piece {
                    Some(Delta::Input(text))
                } else {
                    Some(Delta::Input(passed.into()))
                }
            }
            Delta::Text(text) if text.is_empty() => None,
            Delta::Thinking(text) if text.is_empty() => None,
            other => Some(other),
        }
    }

    /// Brackets were followed on the way; this reads the finished object as a client's parser will.
    fn is_json(&self) -> bool {
        scan_reply(&ByteString::from(self.input.as_str()), &[]).is_ok()
    }
}

/// Whether the reply was cut by a limit, so that half a call is what there is.
const fn is_cut(reason: StopReason) -> bool {
    matches!(reason, StopReason::MaxTokens | StopReason::ContextWindow)
}

fn broken_call(what: &str) -> Failure {
    Failure::new(
        FailureKind::BrokenToolCall,
        format!("upstream tool call arguments {what}"),
    )
}

#[cfg(test)]
mod tests;
