//! Decodes an upstream's stream of chunks, clean or not.
//!
//! Hosts differ in where they put reasoning, usage and errors, in how they number tool calls and in how they end;
//! all of that is absorbed here. Text, reasoning and refusals are one channel each: a switch closes the one
//! before. Calls stay open until the end, because their pieces may interleave; the sequencer behind puts them in order.

mod calls;

use crate::json::{Kind, Value, scan_reply};
use crate::repeat::Repeat;
use crate::sse::Frame;
use crate::stage::{End, Note, Sink, Stage};
use crate::turn::{
    Delta, Event, Failure, FailureKind, Loss, Opening, Slot, Start, Stop, StopReason,
};

use super::finish::{self, Finish};
use super::reasoning::{self, Details, Rank};
use super::{error, usage};
use calls::Calls;

/// Arguments that come as an object instead of a string are passed on as they stand.
const OPAQUE: [&str; 1] = ["arguments"];

/// The decoder of one stream.
#[derive(Debug, Default)]
pub struct StreamIn {
    has_started: bool,
    channel: Option<(Channel, Slot)>,
    slots: Slots,
    reasoning: Option<Rank>,
    details: Details,
    calls: Calls,
    stop: Option<Stop>,
    /// Whether a chunk could be read, and whether one could not.
    has_chunk: bool,
    has_garbage: bool,
    /// A chunk was broken: a fault, unless it was the last and cut off with the stream.
    has_broken_chunk: bool,
    is_over: bool,
    repeat: Repeat,
}

/// Hands out slots in the order blocks open.
#[derive(Debug, Default)]
pub(super) struct Slots(u32);

impl Slots {
    pub(super) const fn next(&mut self) -> Slot {
        self.0 += 1;
        Slot(self.0 - 1)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Channel {
    Text,
    Thinking,
    Refusal,
}

impl Stage for StreamIn {
    type In = Frame;
    type Out = Event;

    fn on(&mut self, frame: Frame, sink: &mut Sink<Event>) {
        if self.is_over {
            return;
        }
        if self.doubts() {
            self.is_over = true;
            return sink.fault(Failure::new(
                FailureKind::Malformed,
                "a chunk of the upstream's stream is not JSON, and what it said is lost",
            ));
        }
        if let Some(event) = self.repeat.event(&frame) {
            return sink.event(event);
        }
        let before = sink.items.len();
        self.read(&frame, sink);
        self.repeat.learn(&frame, before, sink);
        // Calls and details are gathered piece by piece, so that the same piece twice is not the same as once.
        if !self.calls.is_empty() || frame.data.contains("reasoning_details") {
            self.repeat.forget();
        }
    }

    fn stopped(&self) -> Option<&Stop> {
        self.stop.as_ref()
    }

    fn doubts(&self) -> bool {
        self.has_broken_chunk && self.stop.is_none()
    }

    fn holding(&self) -> bool {
        self.calls.are_waiting()
    }

    /// A `finish_reason` makes the reply complete even if the connection broke behind it.
    fn end(&mut self, end: End, sink: &mut Sink<Event>) {
        if self.is_over {
            return;
        }
        if self.stop.is_some() {
            return self.done(sink);
        }
        self.is_over = true;
        sink.fault(match end {
            End::Broken(failure) => failure,
            End::Clean | End::Truncated if self.has_garbage && !self.has_chunk => Failure::new(
                FailureKind::Malformed,
                "the upstream's stream is not one of chat completion chunks",
            ),
            End::Clean | End::Truncated => {
                Failure::new(FailureKind::Truncated, "the upstream's stream ended early")
            }
        });
    }
}

impl StreamIn {
    fn read(&mut self, frame: &Frame, sink: &mut Sink<Event>) {
        let data = frame.data.trim();
        if data.is_empty() {
            return;
        }
        if data == "[DONE]" {
            return self.done(sink);
        }
        let doc = scan_reply(&frame.data, &OPAQUE);
        if frame.event.as_deref() == Some("error") {
            self.is_over = true;
            return sink.fault(match doc {
                Ok(doc) => error::in_event(doc.root()),
                Err(_) => error::in_text(data),
            });
        }
        match doc {
            Ok(doc) if doc.root().kind() == Kind::Object => self.chunk(doc.root(), sink),
            _ => {
                self.has_garbage = true;
                self.has_broken_chunk |= data.starts_with('{');
                sink.note(Note::Diag("malformed_chunk"));
            }
        }
    }

    /// Takes a chunk, or a whole reply: they differ in `delta` and `message` only.
    pub(super) fn chunk(&mut self, root: Value<'_>, sink: &mut Sink<Event>) {
        self.has_chunk = true;
        let [choices, id, model, usage] = root.pick(["choices", "id", "model", "usage"]);
        let mut finish = None;
        if let Some(choice) = choices.and_then(first_choice) {
            self.start(id, model, sink);
            let [delta, message, logprobs, usage, reason] =
                choice.pick(["delta", "message", "logprobs", "usage", "finish_reason"]);
            let is_object = |body: &Value<'_>| body.kind() == Kind::Object;
            // A host may send the whole message once more behind its deltas.
            let whole = || message.filter(is_object).filter(|_| !self.has_output());
            if let Some(delta) = delta.filter(is_object).or_else(whole) {
                self.delta(delta, sink);
            }
            if logprobs.is_some_and(|logprobs| !logprobs.is_null()) {
                lose("choices[0].logprobs", sink);
            }
            self.usage(usage, sink);
            finish = reason.and_then(|reason| finish::decode(reason, choice));
        }
        self.usage(usage, sink);
        if let Some(failure) = error::in_reply(root) {
            self.is_over = true;
            return sink.fault(failure);
        }
        if finish.is_some() && usage.is_none_or(Value::is_null) {
            // A host may count in a member of its own, `x_NAME.usage`, in the chunk that has the finish reason.
            let own = root.members().find_map(|(name, own)| {
                let is_own = name.starts_with("x_");
                is_own.then_some(own).and_then(|own| own.get("usage"))
            });
            self.usage(own, sink);
        }
        match finish {
            None => {}
            Some(Finish::Stop(stop)) => self.stop = Some(stop),
            Some(Finish::Unknown(stop)) => {
                sink.note(Note::Diag("unknown_finish_reason"));
                self.stop = Some(stop);
            }
            Some(Finish::Failed(failure)) => {
                self.is_over = true;
                sink.fault(failure);
            }
        }
    }

    /// Ends the reply: everything that is open closes, then the stop, then the end.
    pub(super) fn done(&mut self, sink: &mut Sink<Event>) {
        self.is_over = true;
        self.leave_channel(sink);
        self.unspoken_details(sink);
        let has_calls = self.calls.finish(&mut self.slots, sink);
        let mut stop = self.stop.take().unwrap_or_else(|| {
            sink.note(Note::Diag("no_finish_reason"));
            Stop::new(StopReason::EndTurn)
        });
        if has_calls && stop.reason == StopReason::StopSequence {
            // A stop sequence met behind a call ends the turn for the call's sake.
            stop = Stop::new(StopReason::ToolUse);
        }
        sink.event(Event::Stop(stop));
        sink.event(Event::Done);
    }

    const fn has_output(&self) -> bool {
        self.slots.0 > 0
    }

    fn start(&mut self, id: Option<Value<'_>>, model: Option<Value<'_>>, sink: &mut Sink<Event>) {
        if !self.has_started {
            self.has_started = true;
            let text = |value: Option<Value<'_>>| {
                value.and_then(Value::text).filter(|text| !text.is_empty())
            };
            sink.event(Event::Start(Start {
                id: text(id),
                model: text(model),
                ..Start::default()
            }));
        }
    }

    fn usage(&self, report: Option<Value<'_>>, sink: &mut Sink<Event>) {
        let Some(report) = report else { return };
        let usage = usage::decode(report);
        if !usage.is_empty() {
            sink.event(Event::Usage(usage));
        }
    }

    fn delta(&mut self, delta: Value<'_>, sink: &mut Sink<Event>) {
        self.thinking(delta, sink);
        let [
            content,
            refusal,
            annotations,
            audio,
            images,
            calls,
            legacy_call,
        ] = delta.pick([
            "content",
            "refusal",
            "annotations",
            "audio",
            "images",
            "tool_calls",
            "function_call",
        ]);
        if let Some(content) = content {
            self.content(content, sink);
        }
        if let Some(refusal) = refusal {
            self.say(Channel::Refusal, refusal, sink);
        }
        for (key, value) in [
            ("annotations", annotations),
            ("audio", audio),
            ("images", images),
        ] {
            if value.is_some_and(|value| {
                value.items().next().is_some() || value.members().next().is_some()
            }) {
                lose(&format!("choices[0].{key}"), sink);
            }
        }
        let mut has_calls = false;
        for call in calls.into_iter().flat_map(Value::items) {
            self.call(call, has_calls, sink);
            has_calls = true;
        }
        // Some hosts send every call twice, in the old member as well.
        if !has_calls
            && let Some(call) = legacy_call.filter(|call| call.kind() == Kind::Object)
            && !self.calls.are_numbered()
        {
            self.legacy_call(call, sink);
        }
    }

    /// A source that is trusted less is not listened to again once a better one has spoken: it says the same.
    fn thinking(&mut self, delta: Value<'_>, sink: &mut Sink<Event>) {
        let members = delta.pick(reasoning::MEMBERS);
        let [.., details] = members;
        self.details.take(details);
        let Some((rank, texts)) = reasoning::text(members) else {
            return;
        };
        if self.reasoning.is_some_and(|best| best < rank) {
            return;
        }
        self.reasoning = Some(rank);
        for text in texts {
            let slot = self.enter(Channel::Thinking, sink);
            sink.event(Event::Delta {
                slot,
                delta: Delta::Thinking(text),
            });
        }
    }

    /// Content is a string, or a list of parts.
    fn content(&mut self, content: Value<'_>, sink: &mut Sink<Event>) {
        if content.kind() == Kind::String {
            return self.say(Channel::Text, content, sink);
        }
        for part in content.items() {
            let kind = part.get("type").and_then(Value::str).unwrap_or_default();
            match &*kind {
                "thinking" | "reasoning" => self.thinking_part(part, sink),
                "refusal" => self.say_some(Channel::Refusal, part.get("refusal"), sink),
                _ if part.get("text").is_some() => {
                    self.say_some(Channel::Text, part.get("text"), sink)
                }
                _ if part.kind() == Kind::String => self.say(Channel::Text, part, sink),
                _ => lose("choices[0].content", sink),
            }
        }
    }

    /// A part whose reasoning is a string, or again a list of text parts.
    fn thinking_part(&mut self, part: Value<'_>, sink: &mut Sink<Event>) {
        let thinking = part.get("thinking").or_else(|| part.get("text"));
        self.say_some(Channel::Thinking, thinking, sink);
        for inner in thinking.into_iter().flat_map(Value::items) {
            self.say_some(Channel::Thinking, inner.get("text"), sink);
        }
    }

    fn say_some(&mut self, channel: Channel, text: Option<Value<'_>>, sink: &mut Sink<Event>) {
        if let Some(text) = text {
            self.say(channel, text, sink);
        }
    }

    fn say(&mut self, channel: Channel, text: Value<'_>, sink: &mut Sink<Event>) {
        let Some(text) = text.text().filter(|text| !text.is_empty()) else {
            return;
        };
        let slot = self.enter(channel, sink);
        let delta = match channel {
            Channel::Text | Channel::Refusal => Delta::Text(text),
            Channel::Thinking => Delta::Thinking(text),
        };
        sink.event(Event::Delta { slot, delta });
    }

    fn enter(&mut self, channel: Channel, sink: &mut Sink<Event>) -> Slot {
        if let Some((current, slot)) = self.channel
            && current == channel
        {
            return slot;
        }
        self.leave_channel(sink);
        self.calls.open_all(&mut self.slots, sink);
        let slot = self.slots.next();
        self.channel = Some((channel, slot));
        let block = match channel {
            Channel::Text => Opening::Text,
            Channel::Thinking => Opening::Thinking,
            Channel::Refusal => Opening::Refusal,
        };
        sink.event(Event::Open { slot, block });
        slot
    }

    /// Closes the open channel. What `reasoning_details` hold beyond text becomes the token of the reasoning they came with.
    fn leave_channel(&mut self, sink: &mut Sink<Event>) {
        let Some((channel, slot)) = self.channel.take() else {
            return;
        };
        if channel == Channel::Thinking
            && let Some(details) = self.details.finish()
        {
            sink.event(Event::Delta {
                slot,
                delta: Delta::Signature(details),
            });
        }
        sink.event(Event::Close { slot });
    }

    /// Details that came without any readable reasoning, or behind it, are reasoning the host hides.
    fn unspoken_details(&mut self, sink: &mut Sink<Event>) {
        if let Some(data) = self.details.finish() {
            let slot = self.slots.next();
            sink.event(Event::Open {
                slot,
                block: Opening::RedactedThinking { data },
            });
            sink.event(Event::Close { slot });
        }
    }

    fn call(&mut self, entry: Value<'_>, is_further: bool, sink: &mut Sink<Event>) {
        let is_new = self.calls.would_begin(entry, is_further);
        if is_new {
            self.leave_channel(sink);
        }
        self.calls.take(entry, is_further, &mut self.slots, sink);
    }

    fn legacy_call(&mut self, function: Value<'_>, sink: &mut Sink<Event>) {
        if self.calls.is_empty() {
            self.leave_channel(sink);
        }
        self.calls.take_legacy(function, &mut self.slots, sink);
    }
}

/// The choice that is read: requests never ask for more than one.
fn first_choice(choices: Value<'_>) -> Option<Value<'_>> {
    choices.items().find(|choice| {
        choice
            .get("index")
            .and_then(Value::u64)
            .is_none_or(|index| index == 0)
    })
}

fn lose(path: &str, sink: &mut Sink<Event>) {
    let loss = Note::Loss(Loss {
        path: path.to_owned(),
    });
    if !sink.notes.contains(&loss) {
        sink.note(loss);
    }
}

#[cfg(test)]
mod tests;
