//! The client's names, given back.

use lingate_wire::stage::{End, Sink, Stage};
use lingate_wire::turn::{Event, Opening};

use super::Renamed;

/// Gives every call in a reply the name by which the client knows the tool. It comes behind the stages that read calls out
/// of text, because those know the names that were sent.
#[derive(Debug)]
pub(crate) struct Restore {
    renamed: Renamed,
}

impl Restore {
    /// For one reply.
    pub(crate) const fn new(renamed: Renamed) -> Self {
        Self { renamed }
    }
}

impl Stage for Restore {
    type In = Event;
    type Out = Event;

    fn on(&mut self, mut event: Event, sink: &mut Sink<Event>) {
        if let Event::Open {
            block: Opening::ToolUse { name, .. },
            ..
        } = &mut event
            && let Some(original) = self.renamed.original(name)
        {
            *name = original.clone();
        }
        sink.event(event);
    }

    fn end(&mut self, _end: End, _sink: &mut Sink<Event>) {}

    fn passes(&mut self, event: &Event) -> bool {
        !event.opens_call()
    }
}
