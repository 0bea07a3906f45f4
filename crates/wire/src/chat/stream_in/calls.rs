//! Tool calls in pieces: which piece belongs to which call, and when a call is known well enough to be opened.
//!
//! By the book every piece has an index, and the first of a call its id and name. In the field the index may be missing
//! or stand for two calls, ids and names are repeated on every piece, names come in pieces, arguments come before the
//! name, as an object, or behind a `{}` that only holds their place.

use crate::json::{Arguments, ArgumentsState, Kind, Text, Value};
use crate::stage::Sink;
use crate::turn::{Delta, Event, Opening, Slot};

use super::Slots;

/// The calls of one reply, in order of appearance.
#[derive(Debug, Default)]
pub(super) struct Calls {
    calls: Vec<Call>,
}

#[derive(Debug, Default)]
struct Call {
    index: Option<u64>,
    id: Text,
    name: String,
    is_freeform: bool,
    is_legacy: bool,
    slot: Option<Slot>,
    /// Arguments that came before the call could be opened.
    held: Vec<Text>,
    /// A `{}` came that may only hold the place of the arguments.
    has_placeholder: bool,
    arguments: Arguments,
}

/// One piece of a call.
struct Piece<'d> {
    index: Option<u64>,
    id: Text,
    name: String,
    arguments: Option<Value<'d>>,
    is_freeform: bool,
}

impl Calls {
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Whether calls came in `tool_calls`.
    pub(super) fn are_numbered(&self) -> bool {
        self.calls.iter().any(|call| !call.is_legacy)
    }

    /// Whether an entry of `tool_calls` begins a call. `is_further`: it is not the first entry of its chunk.
    pub(super) fn would_begin(&self, entry: Value<'_>, is_further: bool) -> bool {
        self.find(&Piece::of(entry), is_further).is_none()
    }

    /// Takes an entry of `tool_calls`.
    pub(super) fn take(
        &mut self,
        entry: Value<'_>,
        is_further: bool,
        slots: &mut Slots,
        sink: &mut Sink<Event>,
    ) {
        let piece = Piece::of(entry);
        let at = self
            .find(&piece, is_further)
            .unwrap_or_else(|| self.begin(&piece, false));
        self.grow(at, piece, slots, sink);
    }

    /// Takes a `function_call`, of which a reply has one at most.
    pub(super) fn take_legacy(
        &mut self,
        function: Value<'_>,
        slots: &mut Slots,
        sink: &mut Sink<Event>,
    ) {
        let piece = Piece::of(function);
        if self.calls.is_empty() {
            self.begin(&piece, true);
        }
        self.grow(0, piece, slots, sink);
    }

    /// Opens what is not open yet: something else follows.
    pub(super) fn open_all(&mut self, slots: &mut Slots, sink: &mut Sink<Event>) {
        for call in &mut self.calls {
            call.open(slots, sink);
        }
    }

    /// Ends all calls; tells whether there were any.
    pub(super) fn finish(&mut self, slots: &mut Slots, sink: &mut Sink<Event>) -> bool {
        self.open_all(slots, sink);
        for slot in self.calls.iter().filter_map(|call| call.slot) {
            sink.event(Event::Close { slot });
        }
        !self.calls.is_empty()
    }

    /// The call that a piece belongs to; `None` if it begins one.
    fn find(&self, piece: &Piece<'_>, is_further: bool) -> Option<usize> {
        let by_id = || {
            let known = self.calls.iter().rposition(|call| call.id == piece.id);
            known.filter(|_| !piece.id.is_empty())
        };
        match piece.index {
            Some(index) => match self
                .calls
                .iter()
                .enumerate()
                .rev()
                .find(|(_, call)| call.index == Some(index))
            {
                Some((at, call)) => (!call.is_followed_by(piece)).then_some(at),
                None => by_id().filter(|_| piece.name.is_empty()),
            },
            None if !piece.id.is_empty() => by_id(),
            None => {
                let last = self.calls.last()?;
                let is_new = !piece.name.is_empty()
                    && (is_further || last.arguments.state() == ArgumentsState::Complete);
                (!is_new).then_some(self.calls.len() - 1)
            }
        }
    }

    fn begin(&mut self, piece: &Piece<'_>, is_legacy: bool) -> usize {
        self.calls.push(Call {
            index: piece.index,
            is_freeform: piece.is_freeform,
            is_legacy,
            ..Call::default()
        });
        self.calls.len() - 1
    }

    fn grow(&mut self, at: usize, piece: Piece<'_>, slots: &mut Slots, sink: &mut Sink<Event>) {
        let Some(call) = self.calls.get_mut(at) else {
            return;
        };
        call.take_names(&piece);
        let arguments = piece
            .arguments
            .and_then(arguments)
            .filter(|text| !text.is_empty());
        let has_arguments = arguments.is_some();
        if let Some(arguments) = arguments {
            call.take_arguments(arguments);
        }
        // Blocks open in the order calls appeared in, and not before the name is whole: the arguments say that it is.
        if call.slot.is_some() || has_arguments && !call.name.is_empty() {
            for call in self.calls.iter_mut().take(at + 1) {
                call.open(slots, sink);
            }
            if let Some(call) = self.calls.get_mut(at) {
                call.pass_on(sink);
            }
        }
    }
}

impl Call {
    /// Whether a piece with this call's index is another call's first: it has a new id, and nothing is missing here.
    fn is_followed_by(&self, piece: &Piece<'_>) -> bool {
        let has_new_id = !piece.id.is_empty() && !self.id.is_empty() && piece.id != self.id;
        has_new_id
            && match self.arguments.state() {
                ArgumentsState::Complete => true,
                ArgumentsState::Empty => !piece.name.is_empty() && !self.name.is_empty(),
                ArgumentsState::Partial | ArgumentsState::Invalid => false,
            }
    }

    /// Id and name may be repeated, and the name may come in pieces or grow from piece to piece.
    fn take_names(&mut self, piece: &Piece<'_>) {
        if self.slot.is_some() {
            return;
        }
        if self.id.is_empty() {
            self.id = piece.id.clone();
        }
        if piece.name.starts_with(&self.name) {
            self.name.clone_from(&piece.name);
        } else {
            self.name.push_str(&piece.name);
        }
    }

    fn take_arguments(&mut self, piece: Text) {
        let plain = piece.to_plain();
        if self.arguments.state() == ArgumentsState::Empty
            && !self.has_placeholder
            && plain.trim() == "{}"
        {
            self.has_placeholder = true;
            return;
        }
        if std::mem::take(&mut self.has_placeholder) && !plain.trim_start().starts_with('{') {
            self.held.push(Text::from_static("{}"));
            self.follow("{}");
        }
        self.follow(&plain);
        self.held.push(piece);
    }

    fn follow(&mut self, piece: &str) {
        let mut passed = String::new();
        self.arguments.push(piece, &mut passed);
    }

    fn open(&mut self, slots: &mut Slots, sink: &mut Sink<Event>) {
        if self.slot.is_some() {
            return;
        }
        let slot = slots.next();
        self.slot = Some(slot);
        sink.event(Event::Open {
            slot,
            block: Opening::ToolUse {
                id: self.id.clone(),
                name: self.name.as_str().into(),
                namespace: None,
                is_freeform: self.is_freeform,
                extra: Vec::new(),
            },
        });
        self.pass_on(sink);
    }

    fn pass_on(&mut self, sink: &mut Sink<Event>) {
        let Some(slot) = self.slot else { return };
        for piece in self.held.drain(..) {
            sink.event(Event::Delta {
                slot,
                delta: Delta::Input(piece),
            });
        }
    }
}

impl<'d> Piece<'d> {
    fn of(entry: Value<'d>) -> Self {
        let custom = entry
            .get("custom")
            .filter(|custom| custom.kind() == Kind::Object);
        let function = entry
            .get("function")
            .filter(|function| function.kind() == Kind::Object);
        let body = custom.or(function).unwrap_or(entry);
        Self {
            index: entry.get("index").and_then(Value::u64),
            id: entry.get("id").map(word).unwrap_or_default(),
            name: body
                .get("name")
                .map(|name| word(name).to_string())
                .unwrap_or_default(),
            arguments: body.get(if custom.is_some() {
                "input"
            } else {
                "arguments"
            }),
            is_freeform: custom.is_some(),
        }
    }
}

/// A name or id; some hosts send numbers.
fn word(value: Value<'_>) -> Text {
    match value.kind() {
        Kind::Number => Text::plain(value.to_raw()),
        Kind::String | Kind::Null | Kind::Bool | Kind::Array | Kind::Object => {
            value.text().unwrap_or_default()
        }
    }
}

/// Arguments are a string of JSON by the book, an object in the field.
fn arguments(value: Value<'_>) -> Option<Text> {
    match value.kind() {
        Kind::String => value.text(),
        Kind::Object => Some(Text::plain(value.to_raw())),
        Kind::Null | Kind::Bool | Kind::Number | Kind::Array => None,
    }
}
