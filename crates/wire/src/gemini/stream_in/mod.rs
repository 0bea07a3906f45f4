//! Decodes an upstream's stream of responses.
//!
//! Text and thoughts are channels: a part of another kind closes the one that is open. A call comes whole in one part,
//! and its signature with it. The wire has no last word: the reply is complete once it has a `finishReason` (or the
//! prompt was blocked) and the body ends; usage may stand in any chunk, also behind that.

mod part;

use crate::json::{Kind, Value, scan_reply};
use crate::sse::Frame;
use crate::stage::{End, Note, Sink, Stage};
use crate::turn::{
    Delta, Event, Failure, FailureKind, Foreign, Loss, Slot, Start, Stop, StopReason,
};

use super::finish::{self, Finish};
use super::{error, member, usage};
use crate::Wire;
use part::Channel;

/// Arguments are passed on as they stand.
pub(super) const OPAQUE: &[&str] = &["args"];

/// The decoder of one stream.
#[derive(Debug, Default)]
pub struct StreamIn {
    has_started: bool,
    channel: Option<(Channel, Slot)>,
    next_slot: u32,
    stop: Option<Stop>,
    /// Whether a chunk could be read, and whether one could not.
    has_chunk: bool,
    has_garbage: bool,
    /// A chunk was broken: a fault, unless it was the last and cut off with the stream.
    has_broken_chunk: bool,
    is_over: bool,
}

impl Stage for StreamIn {
    type In = Frame;
    type Out = Event;

    fn on(&mut self, frame: Frame, sink: &mut Sink<Event>) {
        let data = frame.data.trim();
        // Not of this wire, but some hosts end every stream with it.
        if self.is_over || data.is_empty() || data == "[DONE]" {
            return;
        }
        if self.doubts() {
            self.is_over = true;
            return sink.fault(Failure::new(
                FailureKind::Malformed,
                "a chunk of the upstream's stream is not JSON, and what it said is lost",
            ));
        }
        match scan_reply(&frame.data, OPAQUE) {
            Ok(doc) if matches!(doc.root().kind(), Kind::Object | Kind::Array) => {
                self.document(doc.root(), sink);
            }
            _ => {
                self.has_garbage = true;
                self.has_broken_chunk |= data.starts_with(['{', '[']);
                sink.note(Note::Diag("malformed_chunk"));
            }
        }
    }

    fn stopped(&self) -> Option<&Stop> {
        self.stop.as_ref()
    }

    fn doubts(&self) -> bool {
        self.has_broken_chunk && self.stop.is_none()
    }

    /// A `finishReason` makes the reply complete even if the connection broke behind it.
    fn end(&mut self, end: End, sink: &mut Sink<Event>) {
        if self.is_over {
            return;
        }
        self.is_over = true;
        if let Some(stop) = self.stop.take() {
            self.leave_channel(sink);
            sink.event(Event::Stop(stop));
            return sink.event(Event::Done);
        }
        sink.fault(match end {
            End::Broken(failure) => failure,
            End::Clean | End::Truncated if self.has_garbage && !self.has_chunk => Failure::new(
                FailureKind::Malformed,
                "the upstream's stream is not one of Gemini responses",
            ),
            End::Clean | End::Truncated => {
                Failure::new(FailureKind::Truncated, "the upstream's stream ended early")
            }
        });
    }
}

impl StreamIn {
    /// Takes a response, or an array of them.
    pub(super) fn document(&mut self, root: Value<'_>, sink: &mut Sink<Event>) {
        if root.kind() != Kind::Array {
            return self.response(root, sink);
        }
        for item in root.items() {
            if !self.is_over {
                self.response(item, sink);
            }
        }
    }

    fn response(&mut self, root: Value<'_>, sink: &mut Sink<Event>) {
        if let Some(failure) = error::in_reply(root) {
            self.is_over = true;
            return sink.fault(failure);
        }
        let [wrapped, candidates, usage, feedback, id, model] = member::pick(
            root,
            [
                "response",
                "candidates",
                "usageMetadata",
                "promptFeedback",
                "responseId",
                "modelVersion",
            ],
        );
        // The wrapper of Google's Code Assist endpoint.
        if let Some(inner) = wrapped.filter(|inner| inner.kind() == Kind::Object) {
            return self.response(inner, sink);
        }
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
        if let Some(candidate) = candidates.and_then(first_candidate) {
            self.has_chunk = true;
            self.candidate(candidate, sink);
        }
        if let Some(report) = usage {
            self.has_chunk = true;
            let usage = usage::read(report);
            if !usage.is_empty() {
                sink.event(Event::Usage(usage));
            }
        }
        let is_blocked = |feedback: &Value<'_>| member::text(*feedback, "blockReason").is_some();
        if let Some(feedback) = feedback.filter(is_blocked) {
            self.has_chunk = true;
            self.blocked(feedback, sink);
        }
    }

    /// The prompt was not let through: that is a refusal, in the words that come with it.
    fn blocked(&mut self, feedback: Value<'_>, sink: &mut Sink<Event>) {
        if let Some(message) = member::text(feedback, "blockReasonMessage") {
            let slot = self.enter(Channel::Refusal, sink);
            sink.event(Event::Delta {
                slot,
                delta: Delta::Text(message),
            });
        }
        self.stop = Some(Stop::new(StopReason::Refusal));
    }

    fn candidate(&mut self, candidate: Value<'_>, sink: &mut Sink<Event>) {
        let [
            content,
            grounding,
            citations,
            urls,
            logprobs,
            reason,
            message,
        ] = member::pick(
            candidate,
            [
                "content",
                "groundingMetadata",
                "citationMetadata",
                "urlContextMetadata",
                "logprobsResult",
                "finishReason",
                "finishMessage",
            ],
        );
        let parts = content.and_then(|content| member::get(content, "parts"));
        for part in parts.into_iter().flat_map(Value::items) {
            self.part(part, sink);
        }
        for (name, sources) in [
            ("groundingMetadata", grounding),
            ("citationMetadata", citations),
            ("urlContextMetadata", urls),
        ] {
            if let Some(sources) = sources
                && sources.members().next().is_some()
            {
                self.cite(name, sources, sink);
            }
        }
        if logprobs.is_some() {
            lose("candidates[0].logprobsResult", sink);
        }
        let message = message.and_then(Value::str);
        let finish = reason.and_then(Value::str);
        match finish.map(|reason| finish::read(&reason, message.as_deref())) {
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

    /// Sources belong to a text; without one there is nothing they could stand on.
    fn cite(&mut self, name: &str, citation: Value<'_>, sink: &mut Sink<Event>) {
        let Some((Channel::Text, slot)) = self.channel else {
            return lose(&format!("candidates[0].{name}"), sink);
        };
        sink.event(Event::Delta {
            slot,
            delta: Delta::Citation(Foreign {
                wire: Wire::Gemini,
                raw: format!("{{\"{name}\":{}}}", citation.raw()).into(),
            }),
        });
    }
}

/// The candidate that is read: requests never ask for more than one.
fn first_candidate(candidates: Value<'_>) -> Option<Value<'_>> {
    candidates.items().find(|candidate| {
        candidate
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
