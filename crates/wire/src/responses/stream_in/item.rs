//! One item of a reply as it comes in: what it is, and how much of it has been passed on.

use super::super::request_in::{as_foreign, generated_image};
use super::Slots;
use super::grow::{Call, Part, Reasoning, Said, Source};
use crate::json::{Kind, Text, Value};
use crate::stage::Sink;
use crate::turn::{Event, Opening, Slot};

/// An item.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) id: Option<Text>,
    pub(super) index: Option<u64>,
    what: What,
    is_done: bool,
}

#[derive(Debug, Default)]
enum What {
    #[default]
    Unknown,
    /// A message: its parts.
    Message(Vec<Part>),
    Reasoning(Reasoning),
    Call(Call),
    /// An item that is passed on whole when it is done.
    Whole,
}

/// Whether an event tells of a part of an item.
pub(super) fn is_about_item(kind: &str) -> bool {
    const GROUPS: [&str; 9] = [
        "content_part.",
        "output_text.",
        "refusal.",
        "reasoning_",
        "reasoning.",
        "function_call_arguments.",
        "custom_tool_call_input.",
        "image_generation_call.",
        "mcp_call_arguments.",
    ];
    GROUPS.iter().any(|group| kind.starts_with(group)) || kind.contains("_call.")
}

impl Item {
    pub(super) fn new(id: Option<Text>, index: Option<u64>) -> Self {
        Self {
            id,
            index,
            what: What::Unknown,
            is_done: false,
        }
    }

    pub(super) const fn is_done(&self) -> bool {
        self.is_done
    }

    /// The item begins. What it holds already counts: hosts may send it whole at once.
    pub(super) fn added(&mut self, item: Value<'_>, slots: &mut Slots, sink: &mut Sink<Event>) {
        self.know(item);
        if let What::Call(call) = &mut self.what {
            call.open(slots, sink);
        }
    }

    fn know(&mut self, item: Value<'_>) {
        if self.id.is_none() {
            self.id = item.get("id").and_then(Value::text);
        }
        let text = |key: &str| item.get(key).and_then(Value::text);
        let kind = item.get("type").and_then(Value::str).unwrap_or_default();
        match (&mut self.what, &*kind) {
            (what @ What::Unknown, "message" | "") => *what = What::Message(Vec::new()),
            (what @ What::Unknown, "reasoning") => *what = What::Reasoning(Reasoning::default()),
            (What::Unknown | What::Call(_), "function_call" | "custom_tool_call") => {
                if matches!(self.what, What::Unknown) {
                    self.what = What::Call(Call::default());
                }
                if let What::Call(call) = &mut self.what {
                    call.is_freeform = &*kind == "custom_tool_call";
                    let id = text("call_id").or_else(|| text("id"));
                    if call.id.is_empty() {
                        call.id = id.unwrap_or_default();
                    }
                    if call.name.is_empty() {
                        call.name = text("name").unwrap_or_default();
                    }
                    call.namespace = call.namespace.take().or_else(|| text("namespace"));
                }
            }
            (what @ What::Unknown, _) => *what = What::Whole,
            _ => {}
        }
    }

    /// Takes an event about a part of the item.
    pub(super) fn part(
        &mut self,
        kind: &str,
        event: Value<'_>,
        slots: &mut Slots,
        sink: &mut Sink<Event>,
    ) {
        if self.is_done {
            return;
        }
        let index = |key: &str| event.get(key).and_then(Value::u64).unwrap_or(0);
        let text = |key: &str| event.get(key).and_then(Value::text);
        match kind {
            "output_text.delta" | "refusal.delta" => {
                let part = self.message_part(index("content_index"), kind == "refusal.delta");
                if let (Some(part), Some(piece)) = (part, text("delta")) {
                    part.say(piece, slots, sink);
                }
            }
            "output_text.done" | "refusal.done" => {
                let is_refusal = kind == "refusal.done";
                let whole = text(if is_refusal { "refusal" } else { "text" });
                let part = self.message_part(index("content_index"), is_refusal);
                if let (Some(part), Some(whole)) = (part, whole) {
                    part.complete(&whole, slots, sink);
                }
            }
            "output_text.annotation.added" => {
                let part = self.message_part(index("content_index"), false);
                if let (Some(part), Some(annotation)) = (part, event.get("annotation")) {
                    part.annotate(annotation, slots, sink);
                }
            }
            "content_part.done" => {
                if let (Some(part), What::Unknown | What::Message(_)) =
                    (event.get("part"), &self.what)
                {
                    self.whole_part(index("content_index"), part, slots, sink);
                }
            }
            "reasoning_summary_text.delta" | "reasoning_summary.delta" => {
                self.think(Source::Summary, index("summary_index"), event, slots, sink);
            }
            "reasoning_text.delta" | "reasoning.delta" => {
                self.think(Source::Content, index("content_index"), event, slots, sink);
            }
            "function_call_arguments.delta" | "custom_tool_call_input.delta" => {
                let call = self.call(kind);
                if let (Some(call), Some(piece)) = (call, text("delta")) {
                    call.say(piece, slots, sink);
                }
            }
            "function_call_arguments.done" | "custom_tool_call_input.done" => {
                let call = self.call(kind);
                let whole = event.get("arguments").or_else(|| event.get("input"));
                if let (Some(call), Some(whole)) = (call, whole.and_then(input)) {
                    call.complete(&whole, slots, sink);
                }
            }
            // The item's own telling counts, or there is nothing in it.
            _ => {}
        }
    }

    fn message_part(&mut self, index: u64, is_refusal: bool) -> Option<&mut Part> {
        if matches!(self.what, What::Unknown) {
            self.what = What::Message(Vec::new());
        }
        let What::Message(parts) = &mut self.what else {
            return None;
        };
        let at = parts
            .iter()
            .position(|part| part.index == index && part.is_refusal == is_refusal)
            .unwrap_or_else(|| {
                parts.push(Part {
                    index,
                    slot: None,
                    is_refusal,
                    said: Said::default(),
                    n_annotations: 0,
                });
                parts.len() - 1
            });
        parts.get_mut(at)
    }

    fn whole_part(
        &mut self,
        index: u64,
        part: Value<'_>,
        slots: &mut Slots,
        sink: &mut Sink<Event>,
    ) {
        let is_refusal = part.get("refusal").is_some();
        let whole = part
            .get(if is_refusal { "refusal" } else { "text" })
            .and_then(Value::text);
        let Some(own) = self.message_part(index, is_refusal) else {
            return;
        };
        if let Some(whole) = whole {
            own.complete(&whole, slots, sink);
        }
        let annotations = part.get("annotations").into_iter().flat_map(Value::items);
        for annotation in annotations.skip(own.n_annotations).collect::<Vec<_>>() {
            own.annotate(annotation, slots, sink);
        }
    }

    fn think(
        &mut self,
        source: Source,
        index: u64,
        event: Value<'_>,
        slots: &mut Slots,
        sink: &mut Sink<Event>,
    ) {
        if matches!(self.what, What::Unknown) {
            self.what = What::Reasoning(Reasoning::default());
        }
        if let (What::Reasoning(reasoning), Some(piece)) =
            (&mut self.what, event.get("delta").and_then(Value::text))
        {
            reasoning.say(source, index, &piece, slots, sink);
        }
    }

    fn call(&mut self, kind: &str) -> Option<&mut Call> {
        if matches!(self.what, What::Unknown) {
            self.what = What::Call(Call {
                is_freeform: kind.starts_with("custom"),
                ..Call::default()
            });
        }
        match &mut self.what {
            What::Call(call) => Some(call),
            _ => None,
        }
    }

    /// The item is done: adds what was missing, and closes it.
    pub(super) fn done(&mut self, item: Value<'_>, slots: &mut Slots, sink: &mut Sink<Event>) {
        if self.is_done {
            return;
        }
        self.know(item);
        match &mut self.what {
            What::Message(_) => {
                let content = item.get("content");
                let bare = content.and_then(Value::text);
                if let Some(text) = bare
                    && let Some(part) = self.message_part(0, false)
                {
                    part.complete(&text, slots, sink);
                }
                let parts = content.into_iter().flat_map(Value::items);
                for (index, part) in (0..).zip(parts.collect::<Vec<_>>()) {
                    self.whole_part(index, part, slots, sink);
                }
            }
            What::Reasoning(reasoning) => reasoning.complete(item, slots, sink),
            What::Call(call) => {
                let whole = item.get("arguments").or_else(|| item.get("input"));
                if let Some(whole) = whole.and_then(input) {
                    call.complete(&whole, slots, sink);
                }
                call.open(slots, sink);
            }
            What::Unknown | What::Whole => {
                let block = match generated_image(item) {
                    Some(image) => Opening::Image(image),
                    None => Opening::Foreign(as_foreign(item)),
                };
                let slot = slots.next();
                sink.event(Event::Open { slot, block });
                sink.event(Event::Close { slot });
            }
        }
        self.close(sink);
    }

    /// Whether it is a call with free text of which only pieces came: they may be half of it.
    pub(super) fn is_half_a_text(&self) -> bool {
        matches!(&self.what, What::Call(call) if call.is_freeform && !call.is_whole && !call.said.is_empty())
    }

    /// Closes the item's blocks.
    pub(super) fn close(&mut self, sink: &mut Sink<Event>) {
        if std::mem::replace(&mut self.is_done, true) {
            return;
        }
        let slots: Vec<Slot> = match &self.what {
            What::Message(parts) => parts.iter().filter_map(|part| part.slot).collect(),
            What::Reasoning(Reasoning { slot, .. }) | What::Call(Call { slot, .. }) => {
                slot.iter().copied().collect()
            }
            What::Unknown | What::Whole => Vec::new(),
        };
        for slot in slots {
            sink.event(Event::Close { slot });
        }
    }
}

/// Arguments are a string by the book, an object in the field.
fn input(value: Value<'_>) -> Option<Text> {
    match value.kind() {
        Kind::String => value.text(),
        Kind::Object => Some(Text::plain(value.to_raw())),
        Kind::Null | Kind::Bool | Kind::Number | Kind::Array => None,
    }
}
