//! What an item is made of, as it grows: parts of a message, reasoning, a call. Each knows what it has passed on, so that
//! later tellings of the same only add what was missing.

use super::Slots;
use crate::Wire;
use crate::json::{Text, Value};
use crate::stage::{Note, Sink};
use crate::turn::{Delta, Event, Foreign, Opening, Slot};

/// A part of a message.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) index: u64,
    pub(super) slot: Option<Slot>,
    pub(super) is_refusal: bool,
    pub(super) said: Said,
    pub(super) n_annotations: usize,
}

/// Reasoning: summaries if there are any, else the reasoning itself, one text with a blank line between its parts.
#[derive(Debug, Default)]
pub(super) struct Reasoning {
    pub(super) slot: Option<Slot>,
    /// Which of the two is told, and the last part of it.
    pub(super) source: Option<(Source, u64)>,
    pub(super) said: Said,
    pub(super) has_token: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Summary,
    Content,
}

#[derive(Debug, Default)]
pub(super) struct Call {
    pub(super) slot: Option<Slot>,
    pub(super) id: Text,
    pub(super) name: Text,
    pub(super) namespace: Option<Text>,
    pub(super) is_freeform: bool,
    /// The upstream told all of its input once more, or at once: nothing else says where free text ends.
    pub(super) is_whole: bool,
    /// What came before the call could be opened, and all that came.
    pub(super) held: Vec<Text>,
    pub(super) said: Said,
}

impl Part {
    pub(super) fn open(&mut self, slots: &mut Slots, sink: &mut Sink<Event>) -> Slot {
        *self.slot.get_or_insert_with(|| {
            let slot = slots.next();
            let block = if self.is_refusal {
                Opening::Refusal
            } else {
                Opening::Text
            };
            sink.event(Event::Open { slot, block });
            slot
        })
    }

    pub(super) fn say(&mut self, piece: Text, slots: &mut Slots, sink: &mut Sink<Event>) {
        if piece.is_empty() {
            return;
        }
        self.said.push(&piece);
        let slot = self.open(slots, sink);
        sink.event(Event::Delta {
            slot,
            delta: Delta::Text(piece),
        });
    }

    pub(super) fn complete(&mut self, whole: &Text, slots: &mut Slots, sink: &mut Sink<Event>) {
        if let Some(rest) = self.said.missing(whole, sink) {
            self.say(rest, slots, sink);
        }
    }

    pub(super) fn annotate(
        &mut self,
        annotation: Value<'_>,
        slots: &mut Slots,
        sink: &mut Sink<Event>,
    ) {
        self.n_annotations += 1;
        let slot = self.open(slots, sink);
        sink.event(Event::Delta {
            slot,
            delta: Delta::Citation(Foreign {
                wire: Wire::Responses,
                raw: annotation.to_raw(),
            }),
        });
    }
}

impl Reasoning {
    pub(super) fn say(
        &mut self,
        source: Source,
        index: u64,
        piece: &Text,
        slots: &mut Slots,
        sink: &mut Sink<Event>,
    ) {
        // The other source says the same, or more than anybody asked for.
        if piece.is_empty() || self.source.is_some_and(|(own, _)| own != source) {
            return;
        }
        let slot = *self.slot.get_or_insert_with(|| {
            let slot = slots.next();
            sink.event(Event::Open {
                slot,
                block: Opening::Thinking,
            });
            slot
        });
        let is_next = self.source.is_some_and(|(_, last)| last != index);
        self.source = Some((source, index));
        let gap = is_next.then(|| Text::from_static("\n\n"));
        for text in gap.into_iter().chain([piece.clone()]) {
            self.said.push(&text);
            sink.event(Event::Delta {
                slot,
                delta: Delta::Thinking(text),
            });
        }
    }

    pub(super) fn complete(&mut self, item: Value<'_>, slots: &mut Slots, sink: &mut Sink<Event>) {
        for (source, key) in [(Source::Summary, "summary"), (Source::Content, "content")] {
            let parts = item.get(key).into_iter().flat_map(Value::items);
            let texts: Vec<Text> = parts
                .filter_map(|part| part.text().or_else(|| part.get("text")?.text()))
                .filter(|text| !text.is_empty())
                .collect();
            if texts.is_empty() || self.source.is_some_and(|(own, _)| own != source) {
                continue;
            }
            let whole = texts
                .iter()
                .map(Text::decode)
                .collect::<Vec<_>>()
                .join("\n\n");
            let last = self.source.map_or(0, |(_, last)| last);
            if let Some(rest) = self.said.missing(&whole.into(), sink) {
                self.say(source, last, &rest, slots, sink);
            }
        }
        let token = item
            .get("encrypted_content")
            .and_then(Value::text)
            .filter(|token| !token.is_empty());
        let Some(token) = token.filter(|_| !self.has_token) else {
            return;
        };
        self.has_token = true;
        match self.slot {
            Some(slot) => sink.event(Event::Delta {
                slot,
                delta: Delta::Signature(token),
            }),
            None => {
                let slot = slots.next();
                self.slot = Some(slot);
                sink.event(Event::Open {
                    slot,
                    block: Opening::RedactedThinking { data: token },
                });
            }
        }
    }
}

impl Call {
    /// Opens the call as soon as its name is known.
    pub(super) fn open(&mut self, slots: &mut Slots, sink: &mut Sink<Event>) {
        if self.slot.is_some() || self.name.is_empty() {
            return;
        }
        let slot = slots.next();
        self.slot = Some(slot);
        sink.event(Event::Open {
            slot,
            block: Opening::ToolUse {
                id: self.id.clone(),
                name: self.name.clone(),
                namespace: self.namespace.clone(),
                is_freeform: self.is_freeform,
                extra: Vec::new(),
            },
        });
        for piece in self.held.drain(..) {
            sink.event(Event::Delta {
                slot,
                delta: Delta::Input(piece),
            });
        }
    }

    pub(super) fn say(&mut self, piece: Text, slots: &mut Slots, sink: &mut Sink<Event>) {
        if piece.is_empty() {
            return;
        }
        self.said.push(&piece);
        self.open(slots, sink);
        match self.slot {
            Some(slot) => sink.event(Event::Delta {
                slot,
                delta: Delta::Input(piece),
            }),
            None => self.held.push(piece),
        }
    }

    pub(super) fn complete(&mut self, whole: &Text, slots: &mut Slots, sink: &mut Sink<Event>) {
        self.is_whole = true;
        if let Some(rest) = self.said.missing(whole, sink) {
            self.say(rest, slots, sink);
        }
    }
}

/// What has been passed on of a text that is told more than once.
#[derive(Debug, Default)]
pub(super) struct Said {
    text: String,
    /// A later telling was another. That is noted once.
    differs: bool,
}

impl Said {
    pub(super) const fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    fn push(&mut self, piece: &Text) {
        self.text.push_str(&piece.decode());
    }

    /// What a later telling adds to what was said. Nothing if it says something else: what was passed on cannot be taken
    /// back, and nobody knows which of the two was meant.
    fn missing(&mut self, whole: &Text, sink: &mut Sink<Event>) -> Option<Text> {
        if self.text.is_empty() {
            return (!whole.is_empty()).then(|| whole.clone());
        }
        let plain = whole.to_plain();
        let Some(rest) = plain.strip_prefix(self.text.as_str()) else {
            if !std::mem::replace(&mut self.differs, true) {
                sink.note(Note::Diag("told_differently"));
            }
            return None;
        };
        (!rest.is_empty()).then(|| Text::plain(plain.slice_ref(rest)))
    }
}
