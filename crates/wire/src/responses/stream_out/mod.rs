//! Encodes a reply as a stream of events.
//!
//! Every block is an item of its own, added, grown and done, with ids that derive from the exchange and the item's place.
//! Every event is numbered, `output_item.done` has the whole item and the last event the whole reply: Codex takes items
//! from the former and usage from the latter. There is no `[DONE]`. A stream that breaks ends in `response.failed`.

mod follow;
mod item;
mod response;

use super::error;
use super::usage;
use crate::json::Writer;
use crate::sse::{write_comment, write_json};
use crate::turn::{Delta, Event, Failure, Opening, Slot, Stop, StopReason, Usage};
use crate::{ReplyContext, StreamEncoder};
use follow::Followed;
use item::{Item, Kind, Status};

/// The encoder of one stream.
#[derive(Debug)]
pub struct StreamOut {
    context: ReplyContext,
    /// What ids are made of: the exchange's id without its dashes.
    seed: String,
    next_number: u64,
    has_begun: bool,
    is_over: bool,
    open: Option<(Slot, Item)>,
    /// A call that took free text and may have been cut: only what follows tells.
    pending: Option<Item>,
    n_items: u64,
    /// The finished items, as the contents of a JSON array.
    output: String,
    has_refusal: bool,
    usage: Usage,
    end: Ending,
    followed: Followed,
}

/// How the reply ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Completed,
    Incomplete(&'static str),
}

impl StreamOut {
    /// An encoder for one exchange.
    #[must_use]
    pub fn new(context: ReplyContext) -> Self {
        let seed = context
            .exchange
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        Self {
            context,
            seed,
            next_number: 0,
            has_begun: false,
            is_over: false,
            open: None,
            pending: None,
            n_items: 0,
            output: String::new(),
            has_refusal: false,
            usage: Usage::default(),
            end: Ending::Completed,
            followed: Followed::default(),
        }
    }

    /// The reply as it is at the end, for a client that did not ask for a stream.
    pub(super) fn into_response(mut self) -> Vec<u8> {
        if let Some(item) = self.pending.take() {
            self.done(&item, Status::Completed, &mut Vec::new());
        }
        let mut w = Writer::with_capacity(512 + self.output.len());
        self.final_response(&mut w);
        w.into_bytes()
    }

    /// Writes an event: its name, type and number, then what `members` adds.
    fn event(&mut self, name: &str, out: &mut Vec<u8>, members: impl FnOnce(&mut Writer)) {
        let number = self.next_number;
        self.next_number += 1;
        write_json(out, Some(name), |w| {
            w.begin_object().key("type").str(name);
            w.key("sequence_number").u64(number);
            members(w);
            w.end_object();
        });
    }

    /// Goes on with the numbers of what was copied.
    fn resume(&mut self) {
        self.next_number = self.followed.take_number().unwrap_or(self.next_number);
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if !self.has_begun {
            self.has_begun = true;
            self.progress("response.created", out);
            self.progress("response.in_progress", out);
        }
    }

    fn progress(&mut self, name: &str, out: &mut Vec<u8>) {
        let response = self.response_json("in_progress", |w| {
            w.key("error").null();
            w.key("incomplete_details").null();
        });
        self.event(name, out, |w| {
            w.key("response").raw(&response);
        });
    }

    fn opened(&mut self, slot: Slot, block: &Opening, out: &mut Vec<u8>) {
        let Some(mut item) = Item::of(block, &self.seed, self.n_items) else {
            return;
        };
        self.has_refusal |= matches!(item.kind, Kind::Refusal);
        if let Some((id, index)) = self.followed.take_item() {
            (item.id, item.index) = (id.decode().into_owned(), index);
        } else {
            self.event("response.output_item.added", out, |w| {
                w.key("output_index").u64(item.index);
                w.key("item");
                item.write(Status::InProgress, w);
            });
        }
        self.n_items = self.n_items.max(item.index) + 1;
        if matches!(item.kind, Kind::Text | Kind::Refusal) {
            self.part("response.content_part.added", &item, false, out);
        }
        self.open = Some((slot, item));
    }

    fn part(&mut self, name: &str, item: &Item, is_done: bool, out: &mut Vec<u8>) {
        self.of_item(name, item, out, |w| {
            w.key("part");
            item.write_part(is_done, w);
        });
    }

    /// Writes an event about an item, with the index of the part it is about.
    fn of_item(
        &mut self,
        name: &str,
        item: &Item,
        out: &mut Vec<u8>,
        members: impl FnOnce(&mut Writer),
    ) {
        if self.followed.has_told(name) {
            return;
        }
        self.event(name, out, |w| {
            w.key("item_id").str(&item.id);
            w.key("output_index").u64(item.index);
            match item.kind {
                Kind::Text | Kind::Refusal => {
                    w.key("content_index").u64(0);
                }
                Kind::Reasoning => {
                    w.key("summary_index").u64(0);
                }
                Kind::Call { .. } | Kind::Image(_) | Kind::Received(_) => {}
            }
            members(w);
        });
    }

    fn grown(&mut self, slot: Slot, delta: &Delta, out: &mut Vec<u8>) {
        let Some((open, mut item)) = self.open.take() else {
            return;
        };
        if open == slot {
            self.grow(&mut item, delta, out);
        }
        self.open = Some((open, item));
    }

    fn grow(&mut self, item: &mut Item, delta: &Delta, out: &mut Vec<u8>) {
        let is_first = item.json.is_empty();
        let n_annotations = item.annotations.len();
        if !item.grow(delta) {
            if let Some(annotation) = item.annotations.get(n_annotations) {
                self.of_item("response.output_text.annotation.added", item, out, |w| {
                    w.key("annotation_index").u64(n_annotations as u64);
                    w.key("annotation").raw(annotation);
                });
            }
            return;
        }
        let name = match item.kind {
            Kind::Text => "response.output_text.delta",
            Kind::Refusal => "response.refusal.delta",
            Kind::Reasoning => "response.reasoning_summary_text.delta",
            Kind::Call {
                is_freeform: false, ..
            } => "response.function_call_arguments.delta",
            Kind::Call {
                is_freeform: true, ..
            } => "response.custom_tool_call_input.delta",
            Kind::Image(_) | Kind::Received(_) => return,
        };
        if matches!(item.kind, Kind::Reasoning) && is_first {
            self.part("response.reasoning_summary_part.added", item, false, out);
        }
        let (Delta::Text(piece) | Delta::Thinking(piece) | Delta::Input(piece)) = delta else {
            return;
        };
        self.of_item(name, item, out, |w| {
            w.key("delta").text(piece);
            if matches!(item.kind, Kind::Text) {
                w.key("logprobs").begin_array().end_array();
            }
        });
    }

    /// Ends what grew. A call that took free text is kept until what follows tells whether it was cut.
    fn closed(&mut self, slot: Slot, out: &mut Vec<u8>) {
        let Some((_, mut item)) = self.open.take_if(|(open, _)| *open == slot) else {
            return;
        };
        item.finish();
        match &item.kind {
            Kind::Call {
                is_freeform: true, ..
            } => self.pending = Some(item),
            _ => {
                let status = if item.is_whole() {
                    Status::Completed
                } else {
                    Status::Incomplete
                };
                self.done(&item, status, out);
            }
        }
    }

    fn done(&mut self, item: &Item, status: Status, out: &mut Vec<u8>) {
        match &item.kind {
            Kind::Text => {
                self.of_item("response.output_text.done", item, out, |w| {
                    w.key("text");
                    item.write_text(w);
                    w.key("logprobs").begin_array().end_array();
                });
                self.part("response.content_part.done", item, true, out);
            }
            Kind::Refusal => {
                self.of_item("response.refusal.done", item, out, |w| {
                    w.key("refusal");
                    item.write_text(w);
                });
                self.part("response.content_part.done", item, true, out);
            }
            Kind::Reasoning if item.json.is_empty() => {}
            Kind::Reasoning => {
                self.of_item("response.reasoning_summary_text.done", item, out, |w| {
                    w.key("text");
                    item.write_text(w);
                });
                self.part("response.reasoning_summary_part.done", item, true, out);
            }
            Kind::Call {
                name,
                is_freeform: false,
                ..
            } => self.of_item("response.function_call_arguments.done", item, out, |w| {
                w.key("arguments").str(item.arguments());
                w.key("name").text(name);
            }),
            Kind::Call { .. } => {
                self.of_item("response.custom_tool_call_input.done", item, out, |w| {
                    w.key("input").str(&item.input);
                });
            }
            Kind::Image(_) | Kind::Received(_) => {}
        }
        let mut w = Writer::default();
        item.write(status, &mut w);
        let json = String::from_utf8(w.into_bytes()).unwrap_or_default();
        self.event("response.output_item.done", out, |w| {
            w.key("output_index").u64(item.index);
            w.key("item").raw(&json);
        });
        if !self.output.is_empty() {
            self.output.push(',');
        }
        self.output.push_str(&json);
    }

    fn settle(&mut self, next: &Event, out: &mut Vec<u8>) {
        let is_cut = matches!(next, Event::Stop(stop) if is_cut(stop));
        // Counts come before the stop and tell nothing.
        if matches!(next, Event::Usage(_) | Event::Ping) {
            return;
        }
        if let Some(item) = self.pending.take() {
            let status = if is_cut {
                Status::Incomplete
            } else {
                Status::Completed
            };
            self.done(&item, status, out);
        }
    }

    fn stop(&mut self, stop: &Stop) {
        self.end = match stop.reason {
            StopReason::MaxTokens | StopReason::ContextWindow => {
                Ending::Incomplete("max_output_tokens")
            }
            StopReason::Refusal if !self.has_refusal => Ending::Incomplete("content_filter"),
            StopReason::Refusal
            | StopReason::EndTurn
            | StopReason::StopSequence
            | StopReason::ToolUse
            | StopReason::PauseTurn
            | StopReason::Compaction => Ending::Completed,
        };
    }
}

const fn is_cut(stop: &Stop) -> bool {
    matches!(
        stop.reason,
        StopReason::MaxTokens | StopReason::ContextWindow
    )
}

impl StreamEncoder for StreamOut {
    fn open(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
    }

    fn keep_alive(&mut self, out: &mut Vec<u8>) {
        write_comment(out, "keep-alive");
    }

    /// Codex counts events only. Saying once more that the reply is under way changes nothing.
    fn nudge(&mut self, out: &mut Vec<u8>) {
        if self.has_begun && !self.is_over {
            self.progress("response.in_progress", out);
        } else {
            self.keep_alive(out);
        }
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.is_over {
            return;
        }
        self.settle(event, out);
        match event {
            Event::Start(start) => {
                self.usage.update(&start.usage);
                self.begin(out);
            }
            Event::Open { slot, block } => {
                self.begin(out);
                self.opened(*slot, block, out);
            }
            Event::Delta { slot, delta } => self.grown(*slot, delta, out),
            Event::Close { slot } => self.closed(*slot, out),
            Event::Usage(usage) => self.usage.update(usage),
            Event::Stop(stop) => self.stop(stop),
            Event::Done => {
                self.begin(out);
                self.is_over = true;
                let name = match self.end {
                    Ending::Completed => "response.completed",
                    Ending::Incomplete(_) => "response.incomplete",
                };
                let mut w = Writer::with_capacity(512 + self.output.len());
                self.final_response(&mut w);
                let response = String::from_utf8(w.into_bytes()).unwrap_or_default();
                StreamOut::event(self, name, out, |w| {
                    w.key("response").raw(&response);
                });
            }
            Event::Ping => self.keep_alive(out),
        }
    }

    fn follows(&mut self, event: &[u8], is_copied: bool) {
        self.has_begun |= self.followed.frames(event, is_copied);
        if !is_copied {
            self.resume();
        }
    }

    /// What came before counts for nothing: a reply that failed has no output.
    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        if self.is_over {
            return;
        }
        self.resume();
        self.begin(out);
        self.is_over = true;
        let response = self.response_json("failed", |w| {
            w.key("error");
            error::write_in_stream(failure, w);
            w.key("incomplete_details").null();
        });
        StreamOut::event(self, "response.failed", out, |w| {
            w.key("response").raw(&response);
        });
    }
}

#[cfg(test)]
mod tests;
