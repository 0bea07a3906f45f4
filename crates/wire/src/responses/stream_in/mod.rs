//! Decodes an upstream's stream of events, clean or not.
//!
//! By the book everything comes three times: in deltas, when an item is done, and in the finished response. In the field
//! any of the three may be all there is. What comes first counts, and later tellings only add what was missing; an
//! event's type is read from its data, its name only where the data has none. A stream is complete when its response is.

mod grow;
mod item;
mod items;

use bytestring::ByteString;

use super::{error, usage};
use crate::json::{Kind, Value, scan_reply};
use crate::sse::Frame;
use crate::stage::{End, Note, Sink, Stage};
use crate::turn::{Event, Failure, FailureKind, Slot, Start, Stop, StopReason};
use item::Item;
use items::Items;

/// The decoder of one stream.
#[derive(Debug, Default)]
pub struct StreamIn {
    has_started: bool,
    has_event: bool,
    has_garbage: bool,
    /// An event was broken: a fault, unless it was the last and cut off with the stream.
    has_broken_event: bool,
    is_over: bool,
    items: Items,
    slots: Slots,
    stop: Option<Stop>,
}

/// Hands out slots in the order blocks open.
#[derive(Debug, Default)]
pub(super) struct Slots(u32);

impl Slots {
    const fn next(&mut self) -> Slot {
        self.0 += 1;
        Slot(self.0 - 1)
    }
}

impl Stage for StreamIn {
    type In = Frame;
    type Out = Event;

    fn on(&mut self, frame: Frame, sink: &mut Sink<Event>) {
        let data = frame.data.trim();
        if self.is_over || data.is_empty() || data == "[DONE]" {
            return;
        }
        if self.doubts() {
            self.is_over = true;
            return sink.fault(Failure::new(
                FailureKind::Malformed,
                "an event of the upstream's stream is not JSON, and what it said is lost",
            ));
        }
        match scan_reply(&frame.data, &[]) {
            Ok(doc) if doc.root().kind() == Kind::Object => {
                self.event(doc.root(), frame.event.as_ref(), sink);
            }
            _ => {
                self.has_garbage = true;
                self.has_broken_event |= data.starts_with('{');
                sink.note(Note::Diag("malformed_event"));
            }
        }
    }

    fn stopped(&self) -> Option<&Stop> {
        self.stop.as_ref()
    }

    fn doubts(&self) -> bool {
        self.has_broken_event && self.stop.is_none()
    }

    fn end(&mut self, end: End, sink: &mut Sink<Event>) {
        if self.is_over {
            return;
        }
        self.is_over = true;
        sink.fault(match end {
            End::Broken(failure) => failure,
            End::Clean | End::Truncated if self.has_garbage && !self.has_event => Failure::new(
                FailureKind::Malformed,
                "the upstream's stream is not one of response events",
            ),
            End::Clean | End::Truncated => {
                Failure::new(FailureKind::Truncated, "the upstream's stream ended early")
            }
        });
    }
}

impl StreamIn {
    fn event(&mut self, event: Value<'_>, name: Option<&ByteString>, sink: &mut Sink<Event>) {
        let told = event.get("type").and_then(Value::str);
        let kind = told.as_deref().or(name.map(|name| &**name)).unwrap_or("");
        match kind.strip_prefix("response.").unwrap_or(kind) {
            "created" | "in_progress" | "queued" => {
                self.has_event = true;
                let is_first = !self.has_started;
                self.start(event.get("response"), sink);
                if !is_first {
                    sink.event(Event::Ping);
                }
            }
            "completed" | "incomplete" | "failed" | "cancelled" | "done" => {
                match event.get("response") {
                    Some(response) => self.finish(response, sink),
                    None => self.fail(error::in_stream(event.get("error")), sink),
                }
            }
            "error" => {
                let body = event
                    .get("error")
                    .filter(|error| error.kind() == Kind::Object);
                self.fail(error::in_stream(Some(body.unwrap_or(event))), sink);
            }
            "output_item.added" => {
                if let Some(item) = event.get("item") {
                    self.on_item(event, sink, |own, slots, sink| own.added(item, slots, sink));
                }
            }
            "output_item.done" => {
                if let Some(item) = event.get("item") {
                    self.on_item(event, sink, |own, slots, sink| own.done(item, slots, sink));
                }
            }
            // Some hosts send the bare error object.
            "" if event.get("error").is_some_and(|error| !error.is_null()) => {
                self.fail(error::in_stream(event.get("error")), sink);
            }
            part => {
                if item::is_about_item(part) {
                    self.on_item(event, sink, |own, slots, sink| {
                        own.part(part, event, slots, sink);
                    });
                } else {
                    self.has_event |= told.is_some();
                    sink.note(Note::Diag("unknown_event"));
                }
            }
        }
    }

    /// Calls `act` with the item an event is about.
    fn on_item(
        &mut self,
        event: Value<'_>,
        sink: &mut Sink<Event>,
        act: impl FnOnce(&mut Item, &mut Slots, &mut Sink<Event>),
    ) {
        self.has_event = true;
        self.start(None, sink);
        let id = event
            .get("item_id")
            .or_else(|| event.get("item")?.get("id"))
            .and_then(Value::text)
            .filter(|id| !id.is_empty());
        let index = event.get("output_index").and_then(Value::u64);
        let at = self.items.find(id.as_ref(), index);
        self.items.with(at, |item| act(item, &mut self.slots, sink));
    }

    fn start(&mut self, response: Option<Value<'_>>, sink: &mut Sink<Event>) {
        if !self.has_started {
            self.has_started = true;
            let text = |key: &str| {
                response?
                    .get(key)
                    .and_then(Value::text)
                    .filter(|text| !text.is_empty())
            };
            sink.event(Event::Start(Start {
                id: text("id"),
                model: text("model"),
                ..Start::default()
            }));
        }
    }

    fn fail(&mut self, failure: Failure, sink: &mut Sink<Event>) {
        self.is_over = true;
        sink.fault(failure);
    }

    /// Takes a response that is complete, or that is all there is of one.
    pub(super) fn finish(&mut self, response: Value<'_>, sink: &mut Sink<Event>) {
        let status = response.get("status").and_then(Value::str);
        let error = response.get("error").filter(|error| !error.is_null());
        match status.as_deref() {
            Some("failed") => return self.fail(error::in_stream(error), sink),
            Some("cancelled") => {
                let failure =
                    Failure::new(FailureKind::Truncated, "the upstream broke its answer off");
                return self.fail(failure, sink);
            }
            _ if error.is_some() => return self.fail(error::in_stream(error), sink),
            _ => {}
        }
        self.start(Some(response), sink);
        let output = response.get("output").into_iter().flat_map(Value::items);
        // Ids are surer than places, which hosts count differently.
        let mut by_id = self.items.oldest_by_id();
        for (index, item) in (0..).zip(output) {
            let id = item.get("id").and_then(Value::text);
            let known = id.as_ref().and_then(|id| by_id.get(&*id.decode()).copied());
            let at = known.unwrap_or_else(|| self.items.find(id.as_ref(), Some(index)));
            if let Some(id) = &id {
                by_id.entry(id.decode().into_owned()).or_insert(at);
            }
            self.items
                .with(at, |own| own.done(item, &mut self.slots, sink));
        }
        let is_cut = status.as_deref() == Some("incomplete");
        if !is_cut && self.items.iter().any(Item::is_half_a_text) {
            let failure = Failure::new(
                FailureKind::BrokenToolCall,
                "upstream tool call arguments are incomplete",
            );
            return self.fail(failure, sink);
        }
        for item in self.items.iter_mut() {
            item.close(sink);
        }
        let usage = response.get("usage").map(usage::decode).unwrap_or_default();
        if !usage.is_empty() {
            sink.event(Event::Usage(usage));
        }
        let reason = response
            .get("incomplete_details")
            .and_then(|details| details.get("reason")?.str());
        let stop = Stop::new(match (status.as_deref(), reason.as_deref()) {
            (_, Some("content_filter")) => StopReason::Refusal,
            (_, Some(_)) | (Some("incomplete"), None) => StopReason::MaxTokens,
            (_, None) => StopReason::EndTurn,
        });
        self.stop = Some(stop.clone());
        self.is_over = true;
        sink.event(Event::Stop(stop));
        sink.event(Event::Done);
    }
}

#[cfg(test)]
mod tests;
