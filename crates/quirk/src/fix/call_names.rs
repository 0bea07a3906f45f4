//! Names of structured calls that no client could run: `functions.Read:0`, `15`, `call_59ad...` (R3, R16).

use std::sync::Arc;

use lingate_wire::json::Text;
use lingate_wire::stage::{End, Note, Sink, Stage};
use lingate_wire::turn::{Delta, Event, Opening, Slot};

use crate::kimi;
use crate::quirk::{Evidence, Quirk};
use crate::text::Asked;
use crate::text::names::{self, Name};

use super::KIMI_GROUPS;

const NAME: &str = "kimi-call-names";

/// Calls are named by what they mean.
pub(crate) const KIMI_CALL_NAMES: Quirk = Quirk {
    name: NAME,
    groups: KIMI_GROUPS,
    summary: "A structured call may be named by its id (`functions.Read:0`), by a number or by an id copied from the \
              history. The declared tool that is meant takes its place: the one in the id, or else the only one that \
              accepts the arguments. Where several would, the name stays.",
    scope: "Kimi models",
    evidence: &[
        Evidence {
            source: "abcpro1/kimi-proxy, tests of repaired tool names: `15`, `\"15\"`",
            date: "2025-12",
        },
        Evidence {
            source: "vllm/entrypoints tests of the Kimi K2 parser: a bare `0` as the name",
            date: "2026-02",
        },
        Evidence {
            source: "tailcallhq/forgecode issue 1141: calls with empty names",
            date: "2025-07-19",
        },
    ],
    applies: kimi::is_kimi,
    stage: Some(|state| {
        Box::new(CallNames {
            asked: Arc::clone(&state.asked),
            unnamed: Vec::new(),
        })
    }),
    ..Quirk::EMPTY
};

/// Most bytes of arguments kept back to find out which tool is meant.
const MOST_KEPT: usize = 1024 * 1024;

#[derive(Debug)]
struct CallNames {
    asked: Arc<Asked>,
    unnamed: Vec<Unnamed>,
}

/// A call that its arguments will name.
#[derive(Debug)]
struct Unnamed {
    slot: Slot,
    events: Vec<Event>,
    arguments: String,
}

impl CallNames {
    /// The name to use instead, or that the arguments have to tell; `None` leaves it as it is.
    fn judged(&self, name: &str) -> Option<Name> {
        if self.asked.declares(name) {
            return None;
        }
        match names::resolve(name, &self.asked) {
            Name::Known(meant) if meant == name => None,
            Name::Known(meant) => Some(Name::Known(meant)),
            Name::BySchema => names::is_foreign(names::bare(name)).then_some(Name::BySchema),
        }
    }

    fn opened(&mut self, slot: Slot, mut block: Opening, sink: &mut Sink<Event>) {
        if let Opening::ToolUse { name, .. } = &mut block {
            match self.judged(&name.decode()) {
                None => {}
                Some(Name::Known(meant)) => {
                    *name = Text::from(meant);
                    sink.note(Note::Hit(NAME));
                }
                Some(Name::BySchema) => {
                    self.unnamed.push(Unnamed {
                        slot,
                        events: vec![Event::Open { slot, block }],
                        arguments: String::new(),
                    });
                    return;
                }
            }
        }
        sink.event(Event::Open { slot, block });
    }

    /// Hands a call on, under the name that its arguments tell.
    fn release(&self, mut call: Unnamed, sink: &mut Sink<Event>) {
        if let Some(meant) = self.asked.accepting(&call.arguments)
            && let Some(Event::Open {
                block: Opening::ToolUse { name, .. },
                ..
            }) = call.events.first_mut()
        {
            *name = Text::from(meant);
            sink.note(Note::Hit(NAME));
        }
        for event in call.events {
            sink.event(event);
        }
    }

    fn take(&mut self, slot: Slot) -> Option<Unnamed> {
        let at = self.unnamed.iter().position(|call| call.slot == slot)?;
        Some(self.unnamed.remove(at))
    }
}

impl Stage for CallNames {
    type In = Event;
    type Out = Event;

    fn on(&mut self, event: Event, sink: &mut Sink<Event>) {
        match event {
            Event::Open { slot, block } => self.opened(slot, block, sink),
            Event::Delta { slot, delta } => {
                let Some(call) = self.unnamed.iter_mut().find(|call| call.slot == slot) else {
                    return sink.event(Event::Delta { slot, delta });
                };
                if let Delta::Input(piece) = &delta {
                    call.arguments.push_str(&piece.decode());
                }
                call.events.push(Event::Delta { slot, delta });
                if call.arguments.len() > MOST_KEPT
                    && let Some(call) = self.take(slot)
                {
                    self.release(call, sink);
                }
            }
            Event::Close { slot } => {
                if let Some(call) = self.take(slot) {
                    self.release(call, sink);
                }
                sink.event(Event::Close { slot });
            }
            Event::Stop(_) => {
                for call in std::mem::take(&mut self.unnamed) {
                    self.release(call, sink);
                }
                sink.event(event);
            }
            Event::Start(_) | Event::Usage(_) | Event::Done | Event::Ping => sink.event(event),
        }
    }

    fn end(&mut self, _end: End, _sink: &mut Sink<Event>) {}

    fn passes(&mut self, event: &Event) -> bool {
        self.unnamed.is_empty() && !matches!(event, Event::Open { .. })
    }

    fn holding(&self) -> bool {
        !self.unnamed.is_empty()
    }
}
