//! Tokens on calls and texts, for clients whose wires have no place for them there: such a token travels in hidden
//! reasoning of its own and is put back where it belongs when the client returns it.
//!
//! Gemini signs the calls and texts of a reply and wants the tokens back on them; Anthropic, Responses and Chat clients
//! keep opaque tokens of reasoning only. The token is wrapped as `call:ID:TOKEN` or `text::TOKEN` before it is sealed,
//! with the call's id as the client knows it, so that it finds its place wherever the client's wire puts reasoning.

use std::collections::HashMap;

use super::block::{Block, Thinking};
use super::event::{Delta, Event, Opening, Slot};
use super::node::Node;
use super::request::{Message, Role, Turn};
use super::seal::{Seal, SealKey, opened};
use crate::Wire;
use crate::json::Text;
use crate::stage::{End, Sink, Stage};

/// Whether replies of this upstream's wire need it for this client's.
#[must_use]
pub fn carries_signatures(client: Wire, upstream: Wire) -> bool {
    upstream == Wire::Gemini && client != Wire::Gemini
}

/// Puts tokens that came back in reasoning of their own where they belong. Those that this upstream did not make stay where
/// they are; the encoder leaves them out like any other upstream's.
pub fn restore_signatures(turn: &mut Turn, key: &SealKey) {
    for message in &mut turn.messages {
        let is_answer = message.role == Role::Assistant;
        if is_answer
            && message
                .blocks
                .iter()
                .any(|block| carried(block, key).is_some())
        {
            restore(message.edit(), key);
        }
    }
}

/// A token, and what it belongs to.
struct Carried {
    /// The call's id; `None` for the text that was said before.
    call: Option<String>,
    token: String,
}

fn carried(block: &Block, key: &SealKey) -> Option<Carried> {
    let Block::Thinking(Thinking {
        text,
        signature: Some(signature),
        ..
    }) = block
    else {
        return None;
    };
    let Seal::Own(payload) = opened(signature, key) else {
        return None;
    };
    let (kind, rest) = payload.split_once(':').filter(|_| text.is_empty())?;
    let (id, token) = rest.split_once(':')?;
    match kind {
        "call" => Some(Carried {
            call: Some(id.to_owned()),
            token: token.to_owned(),
        }),
        "text" => Some(Carried {
            call: None,
            token: token.to_owned(),
        }),
        _ => None,
    }
}

fn restore(message: &mut Message, key: &SealKey) {
    let mut blocks: Vec<Node<Block>> = Vec::with_capacity(message.blocks.len());
    let mut found = Vec::new();
    for block in message.blocks.drain(..) {
        match carried(&block, key) {
            Some(carried) => found.push((blocks.len(), carried)),
            None => blocks.push(block),
        }
    }
    for (place, carried) in found {
        let token = Some(Text::from(key.seal(&carried.token)));
        match &carried.call {
            Some(id) => {
                let is_it = |block: &&mut Node<Block>| matches!(&***block, Block::ToolUse(call) if call.id == **id);
                if let Some(block) = blocks.iter_mut().find(is_it)
                    && let Block::ToolUse(call) = block.edit()
                {
                    call.signature = token;
                }
            }
            None => {
                // Where the wire keeps the order it is the text before; where reasoning comes first, the first.
                let is_text = |block: &Node<Block>| matches!(&**block, Block::Text { .. });
                let before = blocks.iter().take(place).rposition(is_text);
                let at = before.or_else(|| blocks.iter().position(is_text));
                if let Some(block) = at.and_then(|at| blocks.get_mut(at))
                    && let Block::Text { signature, .. } = block.edit()
                {
                    *signature = token;
                }
            }
        }
    }
    message.blocks = blocks.into();
}

/// Takes the tokens off calls and texts and puts them into hidden reasoning: a call's before the call, a text's behind the
/// text. A call is kept back until it is whole; the upstreams this is for send calls whole.
///
/// Stands behind the stage that decides about call ids and before the one that seals.
#[derive(Debug, Default)]
pub struct CarryStage {
    calls: HashMap<Slot, Call>,
    /// Tokens of texts that are still open.
    texts: HashMap<Slot, Text>,
    n_carried: u32,
}

#[derive(Debug)]
struct Call {
    id: Text,
    token: Option<Text>,
    held: Vec<Event>,
}

impl CarryStage {
    fn carry(&mut self, kind: &str, id: &str, token: &Text, sink: &mut Sink<Event>) {
        // Decoders count slots from 0.
        let slot = Slot(u32::MAX - self.n_carried);
        self.n_carried += 1;
        let data = format!("{kind}:{id}:{}", token.decode()).into();
        sink.event(Event::Open {
            slot,
            block: Opening::RedactedThinking { data },
        });
        sink.event(Event::Close { slot });
    }

    fn release(&mut self, call: Call, sink: &mut Sink<Event>) {
        if let Some(token) = &call.token {
            self.carry("call", &call.id.decode(), token, sink);
        }
        for event in call.held {
            sink.event(event);
        }
    }
}

impl Stage for CarryStage {
    type In = Event;
    type Out = Event;

    fn on(&mut self, event: Event, sink: &mut Sink<Event>) {
        match event {
            Event::Open {
                slot,
                block: Opening::ToolUse { ref id, .. },
            } => {
                let call = Call {
                    id: id.clone(),
                    token: None,
                    held: vec![event],
                };
                self.calls.insert(slot, call);
            }
            Event::Open {
                slot,
                block: Opening::Text,
            } => {
                self.texts.insert(slot, Text::default());
                sink.event(event);
            }
            Event::Delta {
                slot,
                delta: Delta::Signature(token),
            } => {
                if let Some(call) = self.calls.get_mut(&slot) {
                    call.token = Some(token);
                } else if let Some(own) = self.texts.get_mut(&slot) {
                    *own = token;
                } else {
                    let delta = Delta::Signature(token);
                    sink.event(Event::Delta { slot, delta });
                }
            }
            Event::Delta { slot, .. } => match self.calls.get_mut(&slot) {
                Some(call) => call.held.push(event),
                None => sink.event(event),
            },
            Event::Close { slot } => {
                if let Some(mut call) = self.calls.remove(&slot) {
                    call.held.push(event);
                    return self.release(call, sink);
                }
                sink.event(event);
                if let Some(token) = self.texts.remove(&slot).filter(|token| !token.is_empty()) {
                    self.carry("text", "", &token, sink);
                }
            }
            other => sink.event(other),
        }
    }

    /// What is still open goes on as it is: whoever comes next knows what to make of half a call.
    fn end(&mut self, _end: End, sink: &mut Sink<Event>) {
        let mut slots: Vec<Slot> = self.calls.keys().copied().collect();
        slots.sort_unstable();
        for slot in slots {
            if let Some(call) = self.calls.remove(&slot) {
                self.release(call, sink);
            }
        }
    }

    fn passes(&mut self, event: &Event) -> bool {
        match event {
            Event::Open { block, .. } => !matches!(block, Opening::Text | Opening::ToolUse { .. }),
            Event::Delta { slot, delta } => {
                !matches!(delta, Delta::Signature(_)) && !self.calls.contains_key(slot)
            }
            Event::Close { slot } => {
                !self.calls.contains_key(slot) && !self.texts.contains_key(slot)
            }
            Event::Start(_) | Event::Usage(_) | Event::Stop(_) | Event::Done | Event::Ping => true,
        }
    }

    fn holding(&self) -> bool {
        !self.calls.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::{EmptyReply, SealStage, Sequencer, Stop, StopReason, fold};

    fn key() -> SealKey {
        SealKey::new("p", "a", "m")
    }

    fn open(slot: u32, block: Opening) -> Event {
        Event::Open {
            slot: Slot(slot),
            block,
        }
    }

    fn delta(slot: u32, delta: Delta) -> Event {
        Event::Delta {
            slot: Slot(slot),
            delta,
        }
    }

    fn call(id: &str) -> Opening {
        Opening::ToolUse {
            id: id.into(),
            name: "f".into(),
            namespace: None,
            is_freeform: false,
            extra: Vec::new(),
        }
    }

    /// What the client is given: the reply's blocks behind all stages.
    fn given(events: Vec<Event>) -> Vec<Node<Block>> {
        let mut stages: [Box<dyn Stage<In = Event, Out = Event>>; 3] = [
            Box::new(CarryStage::default()),
            Box::new(SealStage::new(key())),
            Box::new(Sequencer::new(EmptyReply::Fault)),
        ];
        let mut events = events;
        for stage in &mut stages {
            let mut sink = Sink::new();
            for event in events {
                stage.on(event, &mut sink);
            }
            assert!(!sink.has_fault());
            events = sink.items;
        }
        fold(events).blocks
    }

    fn reply() -> Vec<Event> {
        vec![
            open(0, Opening::Text),
            delta(0, Delta::Text("Hi".into())),
            delta(0, Delta::Signature("T0".into())),
            Event::Close { slot: Slot(0) },
            open(1, call("a")),
            delta(1, Delta::Input("{}".into())),
            delta(1, Delta::Signature("T:1".into())),
            Event::Close { slot: Slot(1) },
            open(2, call("b")),
            delta(2, Delta::Input("{}".into())),
            Event::Close { slot: Slot(2) },
            Event::Stop(Stop::new(StopReason::ToolUse)),
            Event::Done,
        ]
    }

    fn turn(blocks: Vec<Node<Block>>) -> Turn {
        let message = Message {
            role: Role::Assistant,
            blocks: blocks.into(),
            extra: Vec::new(),
        };
        Turn {
            origin: Wire::Anthropic,
            model: "m".into(),
            system: Vec::new(),
            messages: vec![message.into()],
            tools: Vec::new().into(),
            cache: None,
        }
    }

    fn tokens(turn: &Turn, key: &SealKey) -> Vec<String> {
        let token = |signature: &Option<Text>| match signature {
            Some(signature) => match opened(signature, key) {
                Seal::Own(token) => token,
                other => panic!("{other:?}"),
            },
            None => "-".to_owned(),
        };
        turn.messages[0]
            .blocks
            .iter()
            .map(|block| match &**block {
                Block::Text { signature, .. } => format!("text {}", token(signature)),
                Block::ToolUse(call) => format!("{} {}", call.id, token(&call.signature)),
                Block::Thinking(_) => "hidden".to_owned(),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn a_token_stands_beside_what_it_belongs_to() {
        let blocks = given(reply());
        let kinds: Vec<&str> = blocks
            .iter()
            .map(|block| match &**block {
                Block::Text { signature, .. } => {
                    assert!(signature.is_none());
                    "text"
                }
                Block::Thinking(thinking) if thinking.is_redacted => "hidden",
                Block::ToolUse(call) => {
                    assert!(call.signature.is_none());
                    "call"
                }
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(kinds, ["text", "hidden", "hidden", "call", "call"]);
    }

    #[test]
    fn it_comes_back_to_its_own_upstream_only() {
        let mut own = turn(given(reply()));
        restore_signatures(&mut own, &key());
        assert_eq!(tokens(&own, &key()), ["text T0", "a T:1", "b -"]);

        let elsewhere = SealKey::new("p", "a", "other");
        let mut other = turn(given(reply()));
        restore_signatures(&mut other, &elsewhere);
        assert_eq!(other.messages[0].blocks.len(), 5, "left to the encoder");
    }

    #[test]
    fn order_does_not_matter() {
        let mut blocks = given(reply());
        blocks.sort_by_key(|block| !matches!(**block, Block::Thinking(_)));
        let mut turn = turn(blocks);
        restore_signatures(&mut turn, &key());
        assert_eq!(tokens(&turn, &key()), ["text T0", "a T:1", "b -"]);
    }

    #[test]
    fn only_where_the_clients_wire_has_no_place_for_it() {
        for client in Wire::ALL {
            for upstream in Wire::ALL {
                let expected = upstream == Wire::Gemini && client != Wire::Gemini;
                assert_eq!(carries_signatures(client, upstream), expected);
            }
        }
    }
}
