//! Where text, thoughts and calls go: puts events together, one open block of text or thinking at a time.

use lingate_wire::json::Text;
use lingate_wire::stage::{Note, Sink};
use lingate_wire::turn::{Delta, Event, Opening, Slot};

/// What a stretch of prose is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text for the client.
    Text,
    /// Reasoning.
    Thinking,
}

/// The events that come out, in order.
#[derive(Debug)]
pub(super) struct Output {
    quirk: &'static str,
    events: Vec<Event>,
    notes: Vec<Note>,
    /// The block of prose that is open downstream.
    block: Option<(Kind, Slot)>,
    /// Prose for it that is not an event yet.
    said: String,
    /// The upstream's slot of a block that has not been opened downstream yet.
    offered: Option<Slot>,
    next_own: u32,
}

impl Output {
    pub(super) fn new(quirk: &'static str) -> Self {
        Self {
            quirk,
            events: Vec::new(),
            notes: Vec::new(),
            block: None,
            said: String::new(),
            offered: None,
            // Decoders count from zero.
            next_own: 1 << 31,
        }
    }

    /// The open block's slot, if it is of this kind and everything for it has become events.
    pub(super) fn is_open(&self, kind: Kind) -> Option<Slot> {
        self.block
            .filter(|(open, _)| *open == kind && self.said.is_empty())
            .map(|(_, slot)| slot)
    }

    /// The upstream opens a block of prose; it opens downstream once there is something in it.
    pub(super) fn offer(&mut self, slot: Slot) {
        self.offered = Some(slot);
    }

    /// Says more prose.
    pub(super) fn say(&mut self, kind: Kind, text: &str) {
        if text.is_empty() {
            return;
        }
        self.open_block(kind);
        self.said.push_str(text);
    }

    /// Hands on a delta of an upstream's block of prose that is not prose itself, such as its signature. It is lost if a
    /// call has already ended the block.
    pub(super) fn attach(&mut self, kind: Kind, delta: Delta) {
        if self.block.is_none_or(|(open, _)| open != kind) {
            if self.offered.is_none() {
                return self.changed("signature_behind_call_dropped");
            }
            self.open_block(kind);
        }
        self.say_it();
        if let Some((_, slot)) = self.block {
            self.events.push(Event::Delta { slot, delta });
        }
    }

    /// Hands on an event of something else.
    pub(super) fn pass(&mut self, event: Event) {
        self.say_it();
        self.events.push(event);
    }

    /// Closes the open block of prose, if there is one.
    pub(super) fn close_block(&mut self) {
        self.say_it();
        if let Some((_, slot)) = self.block.take() {
            self.events.push(Event::Close { slot });
        }
    }

    /// A slot that no decoder uses. A stage before this one may be of the same kind: its slots are passed over.
    pub(super) fn own_slot(&mut self) -> Slot {
        self.next_own += 1;
        Slot(self.next_own - 1)
    }

    /// Makes sure that own slots differ from the upstream's.
    pub(super) fn seen(&mut self, slot: Slot) {
        if slot.0 >= self.next_own {
            self.next_own = slot.0.saturating_add(1);
        }
    }

    /// Something was changed, and why.
    pub(super) fn changed(&mut self, name: &'static str) {
        self.hit();
        self.diag(name);
    }

    /// Notes something odd, each kind once.
    pub(super) fn diag(&mut self, name: &'static str) {
        if !self.notes.contains(&Note::Diag(name)) {
            self.notes.push(Note::Diag(name));
        }
    }

    /// The quirk has changed something; noted once for every event that is handed over.
    pub(super) fn hit(&mut self) {
        let hit = Note::Hit(self.quirk);
        if !self.notes.contains(&hit) {
            self.notes.push(hit);
        }
    }

    /// Hands everything over.
    pub(super) fn drain(&mut self, sink: &mut Sink<Event>) {
        self.say_it();
        for event in self.events.drain(..) {
            sink.event(event);
        }
        sink.notes.append(&mut self.notes);
    }

    fn open_block(&mut self, kind: Kind) {
        if self.block.is_some_and(|(open, _)| open == kind) {
            return;
        }
        self.close_block();
        let slot = self.offered.take().unwrap_or_else(|| self.own_slot());
        self.block = Some((kind, slot));
        let block = match kind {
            Kind::Text => Opening::Text,
            Kind::Thinking => Opening::Thinking,
        };
        self.events.push(Event::Open { slot, block });
    }

    fn say_it(&mut self) {
        if self.said.is_empty() {
            return;
        }
        let Some((kind, slot)) = self.block else {
            return;
        };
        let text = Text::from(std::mem::take(&mut self.said));
        let delta = match kind {
            Kind::Text => Delta::Text(text),
            Kind::Thinking => Delta::Thinking(text),
        };
        self.events.push(Event::Delta { slot, delta });
    }
}
