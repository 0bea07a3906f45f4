//! What stages changed in a reply, told for the record: where, how it read, and how it reads now.
//!
//! Stages know nothing of it. Around every stage that may change something the witness holds what came in against what
//! went out, from the moment the stage keeps something back until it keeps nothing back: if a change was noted in
//! between, that stretch is told. There is a witness only where somebody records; without one an event costs nothing.

use bytestring::ByteString;
use lingate_quirk::excerpts;
use lingate_wire::stage::{Note, Sink, Stage};
use lingate_wire::turn::{Delta, Event, Opening};
use lingate_wire::{Wire, joined_usage, raw_usage};

/// Most changes that are told of one reply.
const MOST_CHANGES: usize = 32;
/// Most bytes of a stretch that are held against each other.
const MOST_HEARD: usize = 64 * 1024;

/// One thing that a stage changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Changed {
    /// The quirk or policy.
    pub quirk: &'static str,
    /// Where the event of the upstream's stream begins from which on it was changed, in bytes from the start of the body;
    /// none in a reply that was not streamed.
    pub at: Option<u64>,
    /// How it read, around what differs.
    pub before: String,
    /// How it reads now.
    pub after: String,
}

/// The provider's account of tokens, as the data of events that hold it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Accounts {
    /// Of the reply's beginning.
    pub first: Option<ByteString>,
    /// The last one.
    pub last: Option<ByteString>,
}

/// Looks on while a reply passes the stages.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    /// Where the event begins that is being read.
    at: Option<u64>,
    /// One for each of the first stages.
    views: Vec<View>,
    /// Of those, how many are open.
    n_open: usize,
    changed: Changes,
}

/// What was changed and is to be told.
#[derive(Debug, Default)]
struct Changes {
    waiting: Vec<Changed>,
    /// Of the whole reply.
    n_found: usize,
}

/// A stretch of a reply around one stage.
#[derive(Debug, Default)]
struct View {
    is_open: bool,
    at: Option<u64>,
    before: String,
    after: String,
    quirk: Option<&'static str>,
}

impl Accounts {
    /// `data` was read as these events: if they tell of tokens, it holds an account.
    pub(crate) fn came(&mut self, data: &ByteString, events: &[Event]) {
        for event in events {
            match event {
                Event::Start(start) if !start.usage.is_empty() => self.first = Some(data.clone()),
                Event::Usage(_) => self.last = Some(data.clone()),
                _ => {}
            }
        }
    }

    /// The account as JSON text: what was said last, and what was only said before.
    pub(crate) fn told(&self, wire: Wire) -> Option<String> {
        let told = |data: &Option<ByteString>| raw_usage(wire, data.as_ref()?);
        match (told(&self.first), told(&self.last)) {
            (Some(first), Some(last)) if wire == Wire::Anthropic => {
                Some(joined_usage(&first, &last))
            }
            (first, last) => last.or(first),
        }
    }
}

impl Witness {
    /// Looks at the first `n_stages` stages.
    pub(crate) fn new(n_stages: usize) -> Self {
        Self {
            views: (0..n_stages).map(|_| View::default()).collect(),
            ..Self::default()
        }
    }

    /// The event that is read next begins there.
    pub(crate) fn reads(&mut self, at: Option<u64>) {
        self.at = at;
    }

    /// A quirk made the rest of the reply out of a failure.
    pub(crate) fn salvaged(&mut self, quirk: &'static str, generation: &str, rest: &[Event]) {
        let mut view = View {
            is_open: true,
            at: self.at,
            before: generation.to_owned(),
            after: String::new(),
            quirk: Some(quirk),
        };
        rest.iter().for_each(|event| tell(event, &mut view.after));
        view.close(&mut self.changed);
    }

    /// Whether it looks at the stage at `place`.
    pub(crate) fn looks_at(&self, place: usize) -> bool {
        place < self.views.len()
    }

    /// Whether something is kept back anywhere.
    pub(crate) fn hears(&self) -> bool {
        self.n_open > 0
    }

    /// Whether something is kept back at `place`, so that what goes past the stage is part of a stretch.
    pub(crate) fn is_hearing(&self, place: usize) -> bool {
        self.views.get(place).is_some_and(|view| view.is_open)
    }

    /// Hands an event to the stage at `place`, and looks on.
    pub(crate) fn pass(
        &mut self,
        place: usize,
        stage: &mut dyn Stage<In = Event, Out = Event>,
        event: Event,
        sink: &mut Sink<Event>,
    ) {
        let Some(view) = self.views.get_mut(place) else {
            return stage.on(event, sink);
        };
        // Its texts are shared.
        let heard = is_heard(&event).then(|| event.clone());
        let (n_items, n_notes) = (sink.items.len(), sink.notes.len());
        stage.on(event, sink);
        let is_holding = stage.holding();
        let notes = sink.notes.get(n_notes..).unwrap_or_default();
        view.quirk = notes.iter().fold(view.quirk, |known, note| match note {
            Note::Hit(name) => known.or(Some(name)),
            _ => known,
        });
        if !is_holding && !view.is_open && view.quirk.is_none() {
            return;
        }
        if !view.is_open {
            view.is_open = true;
            self.n_open += 1;
            view.at = self.at;
        }
        heard.iter().for_each(|event| tell(event, &mut view.before));
        let items = sink.items.get(n_items..).unwrap_or_default();
        items.iter().for_each(|event| tell(event, &mut view.after));
        if !is_holding {
            view.close(&mut self.changed);
            self.n_open -= 1;
        }
    }

    /// Moves what was changed since it was asked last.
    pub(crate) fn tell(&mut self, to: &mut Vec<Changed>) {
        // Asked after every piece, and there is nearly never anything.
        if !self.changed.waiting.is_empty() {
            to.append(&mut self.changed.waiting);
        }
    }

    /// The reply is over: nothing more follows on what was kept back.
    pub(crate) fn finish(&mut self) {
        for view in &mut self.views {
            view.close(&mut self.changed);
        }
        self.n_open = 0;
    }
}

impl View {
    fn close(&mut self, changed: &mut Changes) {
        if let Some(quirk) = self.quirk.take()
            && changed.n_found < MOST_CHANGES
        {
            let (before, after) = excerpts(&self.before, &self.after);
            changed.n_found += 1;
            changed.waiting.push(Changed {
                quirk,
                at: self.at,
                before,
                after,
            });
        }
        self.is_open = false;
        self.before.clear();
        self.after.clear();
    }
}

/// A reply as a person reads it.
pub(crate) fn told(reply: &[Event]) -> String {
    let mut text = String::new();
    reply.iter().for_each(|event| tell(event, &mut text));
    text
}

/// Whether a person would see it.
fn is_heard(event: &Event) -> bool {
    matches!(
        event,
        Event::Open { .. } | Event::Delta { .. } | Event::Stop(_)
    )
}

/// Writes an event as a person reads it: texts as they are, calls by their names.
fn tell(event: &Event, out: &mut String) {
    if out.len() >= MOST_HEARD {
        return;
    }
    match event {
        Event::Open { block, .. } => match block {
            Opening::Text if out.is_empty() => {}
            Opening::Text => begin(out, "[text] "),
            Opening::Thinking => begin(out, "[thinking] "),
            Opening::ToolUse { name, .. } => {
                begin(out, "[call ");
                out.push_str(&name.decode());
                out.push_str("] ");
            }
            _ => {}
        },
        Event::Delta {
            delta: Delta::Text(text) | Delta::Thinking(text) | Delta::Input(text),
            ..
        } => out.push_str(&text.decode()),
        Event::Stop(stop) => {
            begin(out, "[stop ");
            out.push_str(stop.reason.name());
            out.push(']');
        }
        _ => {}
    }
}

/// Begins a line.
fn begin(out: &mut String, word: &str) {
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(word);
}

#[cfg(test)]
mod tests {
    use lingate_wire::stage::End;
    use lingate_wire::turn::{Slot, Stop, StopReason};

    use super::*;

    /// Reads `<x>` as a call of `X` with what follows up to `;`, wherever it is cut.
    #[derive(Default)]
    struct Calls {
        held: String,
    }

    impl Stage for Calls {
        type In = Event;
        type Out = Event;

        fn on(&mut self, event: Event, sink: &mut Sink<Event>) {
            let Event::Delta {
                slot,
                delta: Delta::Text(text),
            } = &event
            else {
                return sink.event(event);
            };
            self.held.push_str(&text.decode());
            let held = std::mem::take(&mut self.held);
            let say = |text: &str| Event::Delta {
                slot: *slot,
                delta: Delta::Text(text.into()),
            };
            let Some(at) = held.find('<') else {
                return sink.event(say(&held));
            };
            let (front, call) = held.split_at(at);
            if !front.is_empty() {
                sink.event(say(front));
            }
            let Some(end) = call.find(';') else {
                self.held = call.to_owned();
                return;
            };
            let (call, rest) = call.split_at(end + 1);
            if let Some(input) = call.strip_prefix("<x>") {
                sink.note(Note::Hit("x"));
                let block = Opening::ToolUse {
                    id: "".into(),
                    name: "X".into(),
                    namespace: None,
                    is_freeform: false,
                    extra: Vec::new(),
                };
                let slot = Slot(9);
                sink.event(Event::Open { slot, block });
                let delta = Delta::Input(input.trim_end_matches(';').into());
                sink.event(Event::Delta { slot, delta });
            } else {
                sink.event(say(call));
            }
            if !rest.is_empty() {
                sink.event(say(rest));
            }
        }

        fn end(&mut self, _end: End, _sink: &mut Sink<Event>) {}

        fn holding(&self) -> bool {
            !self.held.is_empty()
        }

        fn passes(&mut self, event: &Event) -> bool {
            let Event::Delta {
                delta: Delta::Text(text),
                ..
            } = event
            else {
                return true;
            };
            self.held.is_empty() && !text.decode().contains('<')
        }
    }

    /// The changes of a text that comes in these pieces, each at its number.
    fn changes(pieces: &[&str]) -> Vec<Changed> {
        let mut witness = Witness::new(1);
        let mut stage = Calls::default();
        let mut sink = Sink::new();
        let mut pass = |witness: &mut Witness, event: Event| {
            // As the chain does.
            if witness.is_hearing(0) || !stage.passes(&event) {
                witness.pass(0, &mut stage, event, &mut sink);
            }
        };
        let mut changes = Vec::new();
        for (at, piece) in (0..).zip(pieces) {
            witness.reads(Some(at));
            let event = Event::Delta {
                slot: Slot(0),
                delta: Delta::Text((*piece).into()),
            };
            pass(&mut witness, event);
            witness.tell(&mut changes);
        }
        let stop = Event::Stop(Stop::new(StopReason::EndTurn));
        pass(&mut witness, stop);
        witness.finish();
        witness.tell(&mut changes);
        changes
    }

    #[track_caller]
    fn check(pieces: &[&str], expected: &[(u64, &str, &str)]) {
        let changes = changes(pieces);
        let got: Vec<(u64, &str, &str)> = changes
            .iter()
            .map(|own| (own.at.unwrap(), own.before.as_str(), own.after.as_str()))
            .collect();
        assert_eq!(got, expected, "{pieces:?}");
    }

    #[test]
    fn what_was_changed_is_told_where_it_began() {
        check(&["a", "b"], &[]);
        check(&["a", "<x>1;", "b"], &[(1, "<x>1;", "[call X] 1")]);
        check(&["a", "<x", ">1", ";", "b"], &[(1, "<x>1;", "[call X] 1")]);
        // What surrounds it in the same event is told, because it is the same on both sides.
        check(
            &["front <x>1; back"],
            &[(0, "front <x>1; back", "front \n[call X] 1 back")],
        );
        // Kept back, and no call after all.
        check(&["a <", "y>1;", "b"], &[]);
        check(
            &["<x>1;", "and", "<x>2;"],
            &[(0, "<x>1;", "[call X] 1"), (2, "<x>2;", "[call X] 2")],
        );
        // Cut off: nothing was changed.
        check(&["<x>1"], &[]);
    }

    #[test]
    fn a_reply_full_of_changes_stays_small() {
        let pieces = ["<x>1;"; MOST_CHANGES + 5];
        assert_eq!(changes(&pieces).len(), MOST_CHANGES);
        let large = "y".repeat(2 * MOST_HEARD);
        let [change] = &changes(&["<x>", &large, &large, ";"])[..] else {
            panic!("one change");
        };
        assert!(change.before.len() < 600 && change.after.len() < 600);
    }
}
