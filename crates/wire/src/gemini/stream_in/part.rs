//! Parts of a reply as events.

use super::{StreamIn, lose};
use crate::Wire;
use crate::gemini::member;
use crate::json::{Text, Value};
use crate::stage::Sink;
use crate::turn::{Delta, Event, Foreign, Image, MediaSource, Opening, Slot};

/// What is being said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    Text,
    Thinking,
    Refusal,
}

impl StreamIn {
    /// Takes a part.
    pub(super) fn part(&mut self, part: Value<'_>, sink: &mut Sink<Event>) {
        let [text, thought, token, call] = member::pick(
            part,
            ["text", "thought", "thoughtSignature", "functionCall"],
        );
        let signature = token
            .and_then(Value::text)
            .filter(|token| !token.is_empty());
        if let Some(text) = text.and_then(Value::text) {
            let is_thought = thought.and_then(Value::bool) == Some(true);
            self.text(text, is_thought, signature, sink);
        } else if let Some(call) = call
            && let Some(name) = whole_call(call)
        {
            self.call(call, name, signature, sink);
        } else {
            self.other(part, sink);
        }
    }

    fn text(
        &mut self,
        text: Text,
        is_thought: bool,
        signature: Option<Text>,
        sink: &mut Sink<Event>,
    ) {
        let channel = if is_thought {
            Channel::Thinking
        } else {
            Channel::Text
        };
        if text.is_empty() {
            // An empty text at the end is there for its signature: it belongs to what was said before.
            return match (signature, self.channel) {
                (Some(signature), Some((_, slot))) => self.vouch(slot, signature, sink),
                (Some(data), None) => self.whole(Opening::RedactedThinking { data }, sink),
                (None, _) => {}
            };
        }
        let slot = self.enter(channel, sink);
        let delta = match channel {
            Channel::Thinking => Delta::Thinking(text),
            Channel::Text | Channel::Refusal => Delta::Text(text),
        };
        sink.event(Event::Delta { slot, delta });
        if let Some(signature) = signature {
            self.vouch(slot, signature, sink);
        }
    }

    /// A token vouches for what was said so far: what follows is another block, with a token of its own.
    fn vouch(&mut self, slot: Slot, signature: Text, sink: &mut Sink<Event>) {
        sign(slot, signature, sink);
        self.leave_channel(sink);
    }

    /// The signature comes first, so that whoever has to put it elsewhere need not wait for the arguments.
    fn call(
        &mut self,
        call: Value<'_>,
        name: Text,
        signature: Option<Text>,
        sink: &mut Sink<Event>,
    ) {
        self.leave_channel(sink);
        // No client's wire has a place for them, this one's replies neither. They go without their names, which a host may make up.
        let others = member::others(call, &["id", "name", "args", "willContinue"]);
        if !others.is_empty() {
            lose("candidates[0].content.parts.functionCall", sink);
        }
        let slot = self.next_slot();
        sink.event(Event::Open {
            slot,
            block: Opening::ToolUse {
                id: member::text(call, "id").unwrap_or_default(),
                name,
                namespace: None,
                is_freeform: false,
                extra: Vec::new(),
            },
        });
        if let Some(signature) = signature {
            sign(slot, signature, sink);
        }
        let input = member::get(call, "args").map_or("{}".into(), Value::to_raw);
        sink.event(Event::Delta {
            slot,
            delta: Delta::Input(Text::plain(input)),
        });
        sink.event(Event::Close { slot });
    }

    /// A picture, or a part that only this wire knows.
    fn other(&mut self, part: Value<'_>, sink: &mut Sink<Event>) {
        let blob = member::get(part, "inlineData");
        let text = |name: &str| blob.and_then(|blob| member::text(blob, name));
        let block = match (text("mimeType"), text("data")) {
            (Some(media_type), Some(data)) if media_type.starts_with("image/") => {
                Opening::Image(Image {
                    source: MediaSource::Base64 { media_type, data },
                    detail: None,
                    cache: None,
                })
            }
            _ if part.members().next().is_none() => return,
            _ => Opening::Foreign(Foreign {
                wire: Wire::Gemini,
                raw: part.to_raw(),
            }),
        };
        self.whole(block, sink);
    }

    fn whole(&mut self, block: Opening, sink: &mut Sink<Event>) {
        self.leave_channel(sink);
        let slot = self.next_slot();
        sink.event(Event::Open { slot, block });
        sink.event(Event::Close { slot });
    }

    pub(super) fn enter(&mut self, channel: Channel, sink: &mut Sink<Event>) -> Slot {
        if let Some((current, slot)) = self.channel
            && current == channel
        {
            return slot;
        }
        self.leave_channel(sink);
        let slot = self.next_slot();
        self.channel = Some((channel, slot));
        let block = match channel {
            Channel::Text => Opening::Text,
            Channel::Thinking => Opening::Thinking,
            Channel::Refusal => Opening::Refusal,
        };
        sink.event(Event::Open { slot, block });
        slot
    }

    pub(super) fn leave_channel(&mut self, sink: &mut Sink<Event>) {
        if let Some((_, slot)) = self.channel.take() {
            sink.event(Event::Close { slot });
        }
    }

    const fn next_slot(&mut self) -> Slot {
        self.next_slot += 1;
        Slot(self.next_slot - 1)
    }
}

/// The name of a call that came whole. Arguments in pieces come to who asked for them only, on this wire.
fn whole_call(call: Value<'_>) -> Option<Text> {
    let is_in_pieces = member::get(call, "partialArgs").is_some()
        || member::get(call, "willContinue").and_then(Value::bool) == Some(true);
    if is_in_pieces {
        return None;
    }
    // A call without a name is told as one: the sequencer says what is wrong.
    Some(member::text(call, "name").unwrap_or_default())
}

fn sign(slot: Slot, signature: Text, sink: &mut Sink<Event>) {
    sink.event(Event::Delta {
        slot,
        delta: Delta::Signature(signature),
    });
}
