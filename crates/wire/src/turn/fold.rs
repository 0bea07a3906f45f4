//! A reply as a whole, and the way between it and its events.

use bytestring::ByteString;

use super::block::{Block, Foreign, Thinking, ToolInput, ToolUse};
use super::event::{Delta, Event, Opening, Slot, Start};
use super::node::Node;
use super::stop::Stop;
use super::usage::Usage;
use crate::json::Text;

/// A model's whole reply.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reply {
    /// The upstream's id of it.
    pub id: Option<Text>,
    /// The model as the upstream names it.
    pub model: Option<Text>,
    /// What it consists of, in order.
    pub blocks: Vec<Node<Block>>,
    /// Why it ends; `None` if it did not end.
    pub stop: Option<Stop>,
    /// Its token counts.
    pub usage: Usage,
}

/// Blocks of most replies: a thought or a text, and a text or a call.
const USUAL_BLOCKS: usize = 2;

/// Puts a sequenced stream together. Total: events that do not fit are passed over.
#[must_use]
pub fn fold(events: impl IntoIterator<Item = Event>) -> Reply {
    let mut reply = Reply {
        blocks: Vec::with_capacity(USUAL_BLOCKS),
        ..Reply::default()
    };
    // Sequenced, they are open one at a time.
    let mut open: Vec<(Slot, Building)> = Vec::with_capacity(1);
    for event in events {
        match event {
            Event::Start(start) => {
                reply.id = start.id;
                reply.model = start.model;
                reply.usage.update(&start.usage);
            }
            Event::Open { slot, block } => open.push((slot, Building::new(block))),
            Event::Delta { slot, delta } => {
                if let Some((_, building)) = open.iter_mut().find(|(own, _)| *own == slot) {
                    building.grow(delta);
                }
            }
            Event::Close { slot } => {
                if let Some(at) = open.iter().position(|(own, _)| *own == slot) {
                    reply.blocks.push(open.remove(at).1.finish().into());
                }
            }
            Event::Usage(usage) => reply.usage.update(&usage),
            Event::Stop(stop) => reply.stop = Some(stop),
            Event::Done | Event::Ping => {}
        }
    }
    reply
}

/// The shortest stream that folds to `reply`.
#[must_use]
pub fn replay(reply: &Reply) -> Vec<Event> {
    let mut events = vec![Event::Start(Start {
        id: reply.id.clone(),
        model: reply.model.clone(),
        usage: reply.usage,
    })];
    for (slot, block) in (0..).map(Slot).zip(&reply.blocks) {
        let (opening, deltas) = taken_apart(block);
        events.push(Event::Open {
            slot,
            block: opening,
        });
        events.extend(deltas.into_iter().map(|delta| Event::Delta { slot, delta }));
        events.push(Event::Close { slot });
    }
    if let Some(stop) = &reply.stop {
        events.push(Event::Stop(stop.clone()));
        events.push(Event::Done);
    }
    events
}

/// A block under construction.
struct Building {
    opening: Opening,
    text: Pieces,
    signature: Option<Text>,
    citations: Vec<Foreign>,
}

impl Building {
    const fn new(opening: Opening) -> Self {
        Self {
            opening,
            text: Pieces::None,
            signature: None,
            citations: Vec::new(),
        }
    }

    fn grow(&mut self, delta: Delta) {
        match delta {
            Delta::Text(text) | Delta::Thinking(text) | Delta::Input(text) => {
                self.text.push(&text);
            }
            Delta::Signature(signature) => self.signature = Some(signature),
            Delta::Citation(citation) => self.citations.push(citation),
            Delta::Foreign(_) => {}
        }
    }

    fn finish(self) -> Block {
        match self.opening {
            Opening::Text => Block::Text {
                text: self.text.into(),
                citations: joined(&self.citations),
                signature: self.signature,
                cache: None,
            },
            Opening::Thinking => Block::Thinking(Thinking {
                text: self.text.into(),
                signature: self.signature,
                is_redacted: false,
            }),
            Opening::RedactedThinking { data } => Block::Thinking(Thinking {
                text: Text::default(),
                signature: Some(data),
                is_redacted: true,
            }),
            Opening::ToolUse {
                id,
                name,
                namespace,
                is_freeform,
                extra,
            } => Block::ToolUse(ToolUse {
                id,
                name,
                namespace,
                input: if is_freeform {
                    ToolInput::Freeform(self.text.into())
                } else {
                    ToolInput::Json(Text::from(self.text).to_plain().into())
                },
                signature: self.signature,
                cache: None,
                extra,
            }),
            Opening::Refusal => Block::Refusal(self.text.into()),
            Opening::Image(image) => Block::Image(image),
            Opening::Foreign(foreign) => Block::Foreign(foreign),
        }
    }
}

/// A block's text. A whole reply has it in one piece, which is shared.
enum Pieces {
    None,
    One(Text),
    Joined(String),
}

impl Pieces {
    fn push(&mut self, piece: &Text) {
        match self {
            Self::None => *self = Self::One(piece.unescaped()),
            Self::One(first) => {
                let mut joined = first.decode().into_owned();
                joined.push_str(&piece.decode());
                *self = Self::Joined(joined);
            }
            Self::Joined(joined) => joined.push_str(&piece.decode()),
        }
    }
}

impl From<Pieces> for Text {
    fn from(pieces: Pieces) -> Self {
        match pieces {
            Pieces::None => Self::default(),
            Pieces::One(text) => text,
            Pieces::Joined(text) => text.into(),
        }
    }
}

/// Citations arrive one a delta and stand in a block as an array.
fn joined(citations: &[Foreign]) -> Option<Foreign> {
    let wire = citations.first()?.wire;
    let items: Vec<&str> = citations.iter().map(|citation| &*citation.raw).collect();
    Some(Foreign {
        wire,
        raw: format!("[{}]", items.join(",")).into(),
    })
}

fn taken_apart(block: &Block) -> (Opening, Vec<Delta>) {
    match block {
        Block::Text {
            text,
            citations,
            signature,
            ..
        } => {
            let mut deltas = text_delta(text, Delta::Text);
            for citation in citations.iter().flat_map(taken_apart_citations) {
                deltas.push(Delta::Citation(citation));
            }
            deltas.extend(signature.clone().map(Delta::Signature));
            (Opening::Text, deltas)
        }
        Block::Thinking(thinking) if thinking.is_redacted => (
            Opening::RedactedThinking {
                data: thinking.signature.clone().unwrap_or_default(),
            },
            Vec::new(),
        ),
        Block::Thinking(thinking) => {
            let mut deltas = text_delta(&thinking.text, Delta::Thinking);
            deltas.extend(thinking.signature.clone().map(Delta::Signature));
            (Opening::Thinking, deltas)
        }
        Block::ToolUse(call) => {
            let (is_freeform, input) = match &call.input {
                ToolInput::Json(raw) => (false, Text::plain(ByteString::clone(raw))),
                ToolInput::Freeform(text) => (true, text.clone()),
            };
            let mut deltas = text_delta(&input, Delta::Input);
            deltas.extend(call.signature.clone().map(Delta::Signature));
            let opening = Opening::ToolUse {
                id: call.id.clone(),
                name: call.name.clone(),
                namespace: call.namespace.clone(),
                is_freeform,
                extra: call.extra.clone(),
            };
            (opening, deltas)
        }
        Block::Image(image) => (Opening::Image(image.clone()), Vec::new()),
        Block::Refusal(text) => (Opening::Refusal, text_delta(text, Delta::Text)),
        Block::ServerTool(step) => (Opening::Foreign(step.block.clone()), Vec::new()),
        Block::Foreign(foreign) => (Opening::Foreign(foreign.clone()), Vec::new()),
        // Blocks that only requests have: a reply never holds one.
        Block::ToolResult(_)
        | Block::Media(_)
        | Block::Document(_)
        | Block::ToolReference { .. }
        | Block::SearchResult(_) => (Opening::Text, Vec::new()),
    }
}

fn text_delta(text: &Text, delta: fn(Text) -> Delta) -> Vec<Delta> {
    if text.is_empty() {
        Vec::new()
    } else {
        vec![delta(text.clone())]
    }
}

fn taken_apart_citations(array: &Foreign) -> Vec<Foreign> {
    crate::json::scan_reply(&array.raw, &[]).map_or_else(
        |_| Vec::new(),
        |doc| {
            doc.root()
                .items()
                .map(|item| Foreign {
                    wire: array.wire,
                    raw: item.to_raw(),
                })
                .collect()
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::scan;

    /// Pieces as a document spells them, and the text that they are put together to.
    #[track_caller]
    fn check(pieces: &[&str], expected: &str) {
        let slot = Slot(0);
        let deltas = pieces.iter().map(|piece| {
            let doc = scan(&format!("\"{piece}\"").into()).unwrap();
            let delta = Delta::Text(doc.root().text().unwrap());
            Event::Delta { slot, delta }
        });
        let block = Opening::Text;
        let opened = std::iter::once(Event::Open { slot, block });
        let reply = fold(opened.chain(deltas).chain([Event::Close { slot }]));
        let Block::Text { text, .. } = &*reply.blocks[0] else {
            panic!("a text");
        };
        assert_eq!(text.as_kept(), expected, "no escapes are kept");
    }

    #[test]
    fn texts_are_put_together_in_characters() {
        check(&[], "");
        check(&["Hi"], "Hi");
        check(&[r"a\n\u00e9\/"], "a\né/");
        check(&["", "x"], "x");
        check(&["é", r"\u00e9", "\\\"", "."], "éé\".");
    }
}
