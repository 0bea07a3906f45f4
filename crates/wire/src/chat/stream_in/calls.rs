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
    /// Its pieces came under different ids, so that a new id says nothing.
    ids_change: bool,
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

    /// Whether a call has begun that cannot be opened yet.
    pub(super) fn are_waiting(&self) -> bool {
        self.calls.iter().any(|call| call.slot.is_none())
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
        for call in &mut self.calls {
            call.keep_placeholder(sink);
        }
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
                Some((at, call)) => (!call.is_followed_by(piece, is_further)).then_some(at),
                None => by_id().filter(|_| piece.name.is_empty()),
            },
            None if !piece.id.is_empty() => by_id().filter(|at| {
                !self
                    .calls
                    .get(*at)
                    .is_some_and(|call| call.shares_id(piece, is_further))
            }),
            None => {
                let last = self.calls.last()?;
                let is_new =
                    is_further && !piece.name.is_empty() || last.is_followed_by(piece, is_further);
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
    /// Whether a piece with this call's id is another call all the same: hosts that number from 0 in every answer, or not
    /// at all, list two whole calls under one id.
    fn shares_id(&self, piece: &Piece<'_>, is_further: bool) -> bool {
        self.arguments.state() == ArgumentsState::Complete
            && is_further
            && !piece.name.is_empty()
            && piece.begins_arguments()
    }

    /// Whether a piece that could be this call's is another call's first: nothing is missing here, and the piece begins
    /// something. A call too many would be run, so that id, name and place in the chunk must speak for it.
    fn is_followed_by(&self, piece: &Piece<'_>, is_further: bool) -> bool {
        if !piece.id.is_empty() && piece.id == self.id {
            return false;
        }
        let has_new_id = self.has_other_id(piece) && !self.ids_change;
        let is_named = !piece.name.is_empty() && !self.name.is_empty();
        let has_new_name = is_named && piece.name != self.name;
        match self.arguments.state() {
            ArgumentsState::Complete => {
                has_new_id || has_new_name || is_named && (is_further || piece.begins_arguments())
            }
            // The placeholder is all that a call without arguments has.
            ArgumentsState::Empty if self.has_placeholder => {
                is_named && (has_new_id || has_new_name || is_further || piece.is_placeholder())
            }
            // Names come in pieces, and ids change: only two signs together tell.
            ArgumentsState::Empty => {
                has_new_name && (has_new_id || is_further) || is_named && has_new_id && is_further
            }
            ArgumentsState::Partial | ArgumentsState::Invalid => false,
        }
    }

    fn has_other_id(&self, piece: &Piece<'_>) -> bool {
        !piece.id.is_empty() && !self.id.is_empty() && piece.id != self.id
    }

    /// Id and name may be repeated, and the name may come in pieces or grow from piece to piece.
    fn take_names(&mut self, piece: &Piece<'_>) {
        self.ids_change |= self.has_other_id(piece);
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

    /// Nothing came behind a `{}`, so that it was all the arguments.
    fn keep_placeholder(&mut self, sink: &mut Sink<Event>) {
        if self.has_placeholder && self.arguments.state() == ArgumentsState::Empty {
            self.held.push(Text::from_static("{}"));
            self.pass_on(sink);
        }
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

    /// Whether it brings the beginning of a JSON object.
    fn begins_arguments(&self) -> bool {
        self.arguments
            .and_then(arguments)
            .is_some_and(|text| text.to_plain().trim_start().starts_with('{'))
    }

    /// Whether it brings `{}` and nothing else.
    fn is_placeholder(&self) -> bool {
        self.arguments
            .and_then(arguments)
            .is_some_and(|text| text.to_plain().trim() == "{}")
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
