//! gpt-oss: structured calls whose names carry parts of a header, such as `Bash<|channel|>commentary`.

use std::sync::Arc;

use lingate_wire::json::Text;
use lingate_wire::stage::{End, Note, Sink, Stage};
use lingate_wire::turn::{Event, Opening};

use crate::fix::harmony_text::is_gpt_oss;
use crate::quirk::{Evidence, Quirk};
use crate::text::Asked;
use crate::text::names::{self, Name};

const NAME: &str = "harmony-call-names";

/// Names without the header around them.
pub(crate) const HARMONY_CALL_NAMES: Quirk = Quirk {
    name: NAME,
    groups: &[
        "harmony",
        "open-models",
        "groq",
        "openrouter",
        "together",
        "fireworks",
    ],
    summary: "A structured call may be named with parts of its header: `functions.Bash`, `Bash<|channel|>commentary`. The \
              name alone stays.",
    scope: "gpt-oss models",
    evidence: &[
        Evidence {
            source: "vllm-project/vllm issue 32587 and pull request 32633: tokens of the header in the names of tools",
            date: "2026-01",
        },
        Evidence {
            source: "openai/harmony, docs/format.md: recipients are `functions.NAME`",
            date: "2025-08",
        },
    ],
    applies: is_gpt_oss,
    stage: Some(|state| {
        Box::new(CallNames {
            asked: Arc::clone(&state.asked),
        })
    }),
    ..Quirk::EMPTY
};

#[derive(Debug)]
struct CallNames {
    asked: Arc<Asked>,
}

impl CallNames {
    /// The name that is meant; `None` leaves it as it is.
    fn meant(&self, name: &str) -> Option<String> {
        if self.asked.declares(name) {
            return None;
        }
        match names::spoken(name, &self.asked)? {
            Name::Known(meant) => (meant != name).then_some(meant),
            Name::BySchema => None,
        }
    }
}

impl Stage for CallNames {
    type In = Event;
    type Out = Event;

    fn on(&mut self, mut event: Event, sink: &mut Sink<Event>) {
        if let Event::Open {
            block: Opening::ToolUse { name, .. },
            ..
        } = &mut event
            && let Some(meant) = self.meant(&name.decode())
        {
            *name = Text::from(meant);
            sink.note(Note::Hit(NAME));
        }
        sink.event(event);
    }

    fn end(&mut self, _end: End, _sink: &mut Sink<Event>) {}

    fn passes(&mut self, event: &Event) -> bool {
        !event.opens_call()
    }
}
