//! Hosts that parse calls and leave the text they were parsed from: each call counts once (R11).

use bytestring::ByteString;
use lingate_wire::json::{Kind, Text, Value, scan};
use lingate_wire::turn::{Delta, Event, Slot};

/// The calls seen so far, from both sources.
#[derive(Debug, Default)]
pub(crate) struct Duplicates {
    in_text: Vec<Found>,
    structured: Vec<Structured>,
}

/// A call read out of text.
#[derive(Debug)]
struct Found {
    name: ByteString,
    arguments: String,
    is_matched: bool,
}

/// A call that came structured.
#[derive(Debug)]
struct Structured {
    slot: Slot,
    name: ByteString,
    pieces: Vec<Text>,
    /// Its events, while it may repeat a call of the text.
    kept_back: Option<Vec<Event>>,
    is_matched: bool,
}

/// What to do with an event of a structured call.
#[derive(Debug)]
pub(crate) enum Passing {
    /// Hand it on.
    Pass(Event),
    /// Nothing for now.
    Keep,
    /// Hand on these.
    Release(Vec<Event>),
    /// The call was a repetition.
    Drop,
}

impl Duplicates {
    /// A structured call opens.
    pub(crate) fn opened(&mut self, slot: Slot, name: &Text, event: Event) -> Passing {
        let name = name.to_plain();
        let may_repeat = self
            .in_text
            .iter()
            .any(|found| !found.is_matched && found.name == name);
        let (kept_back, passing) = if may_repeat {
            (Some(vec![event]), Passing::Keep)
        } else {
            (None, Passing::Pass(event))
        };
        self.structured.push(Structured {
            slot,
            name,
            pieces: Vec::new(),
            kept_back,
            is_matched: false,
        });
        passing
    }

    /// A structured call grows.
    pub(crate) fn grew(&mut self, slot: Slot, delta: Delta) -> Passing {
        let call = self
            .structured
            .iter_mut()
            .rev()
            .find(|call| call.slot == slot);
        let Some(call) = call else {
            return Passing::Pass(Event::Delta { slot, delta });
        };
        if let Delta::Input(piece) = &delta {
            call.pieces.push(piece.clone());
        }
        let event = Event::Delta { slot, delta };
        match &mut call.kept_back {
            Some(kept) => {
                kept.push(event);
                Passing::Keep
            }
            None => Passing::Pass(event),
        }
    }

    /// A structured call closes.
    pub(crate) fn closed(&mut self, slot: Slot) -> Passing {
        let event = Event::Close { slot };
        let call = self
            .structured
            .iter_mut()
            .rev()
            .find(|call| call.slot == slot);
        let Some(call) = call else {
            return Passing::Pass(event);
        };
        let Some(mut kept) = call.kept_back.take() else {
            return Passing::Pass(event);
        };
        let arguments = call.arguments();
        let repeated = self.in_text.iter_mut().find(|found| {
            !found.is_matched
                && found.name == call.name
                && means_the_same(&found.arguments, &arguments)
        });
        if let Some(found) = repeated {
            found.is_matched = true;
            call.is_matched = true;
            return Passing::Drop;
        }
        kept.push(event);
        Passing::Release(kept)
    }

    /// Whether a call of this name in the text may be a structured one once more.
    pub(crate) fn may_repeat_structured(&self, name: &str) -> bool {
        self.structured
            .iter()
            .any(|call| !call.is_matched && call.name == name)
    }

    /// Whether a call of the text is a structured one once more; each counts once.
    pub(crate) fn repeats_structured(&mut self, name: &str, arguments: &str) -> bool {
        let repeated = self.structured.iter_mut().find(|call| {
            !call.is_matched && call.name == name && means_the_same(&call.arguments(), arguments)
        });
        repeated.map(|call| call.is_matched = true).is_some()
    }

    /// What is still kept back when the reply ends.
    pub(crate) fn released(&mut self) -> Vec<Event> {
        self.structured
            .iter_mut()
            .filter_map(|call| call.kept_back.take())
            .flatten()
            .collect()
    }

    /// A call of the text went out.
    pub(crate) fn found(&mut self, name: ByteString, arguments: String) {
        self.in_text.push(Found {
            name,
            arguments,
            is_matched: false,
        });
    }
}

impl Structured {
    fn arguments(&self) -> String {
        self.pieces.iter().map(Text::to_string).collect()
    }
}

/// Whether two documents of arguments mean the same: members in any order, nothing for an empty object.
fn means_the_same(one: &str, other: &str) -> bool {
    fn read(text: &str) -> ByteString {
        match text.trim() {
            "" | "null" => ByteString::from_static("{}"),
            _ => text.into(),
        }
    }
    match (scan(&read(one)), scan(&read(other))) {
        (Ok(one), Ok(other)) => equal(one.root(), other.root()),
        _ => one == other,
    }
}

fn equal(one: Value<'_>, other: Value<'_>) -> bool {
    match (one.kind(), other.kind()) {
        (Kind::Object, Kind::Object) => {
            one.members().count() == other.members().count()
                && one
                    .members()
                    .all(|(key, value)| other.get(&key).is_some_and(|twin| equal(value, twin)))
        }
        (Kind::Array, Kind::Array) => {
            one.items().count() == other.items().count()
                && one.items().zip(other.items()).all(|(a, b)| equal(a, b))
        }
        (Kind::String, Kind::String) => one.str() == other.str(),
        (Kind::Number, Kind::Number) => one.raw() == other.raw() || one.f64() == other.f64(),
        (one_kind, other_kind) => one_kind == other_kind && one.raw() == other.raw(),
    }
}
