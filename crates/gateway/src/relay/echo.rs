//! One wire on both sides, and yet through the hub: what no stage changed goes out as it came.
//!
//! Compares what the decoder read with what the chain gave, and judges after every event of the upstream's stream. What
//! is not yet told (a stage holds text back, the end is not sure) waits; what differs in itself alone, such as the id of
//! a call, is written anew and the rest still copied; a block more or less, or another text, and everything from there
//! on is written anew. The encoder follows all along, so that it can take over anywhere. Pure: no IO, no clock.

use std::collections::{HashMap, VecDeque};

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use lingate_wire::json::{Kind, Text, Value, Writer, scan_reply};
use lingate_wire::turn::{Delta, Event, Opening, Slot, Stop, StopReason};
use lingate_wire::{StreamEncoder, Wire};

/// What may be done with what came since the last verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It may go out as it came.
    Same,
    /// It has to be written anew.
    Changed,
    /// More has to come first.
    Waits,
}

/// Follows one reply on both sides of the stages.
#[derive(Debug)]
pub(crate) struct Echo {
    wire: Wire,
    /// The model as the client named it.
    model: Text,
    blocks: Vec<Block>,
    by_slot: HashMap<Slot, usize>,
    /// Blocks that came out.
    n_out: usize,
    /// Deltas that were read and did not come out.
    n_ahead: usize,
    stop: Option<Stop>,
    is_done: bool,
    drops_usage: bool,
    differs: bool,
    is_lost: bool,
}

#[derive(Debug)]
struct Block {
    opening: Opening,
    /// What was read of it and did not come out.
    ahead: VecDeque<Delta>,
}

impl Echo {
    /// For one reply on `wire`, to a client that asked for `model`.
    pub(crate) fn new(wire: Wire, model: Text) -> Self {
        Self {
            wire,
            model,
            blocks: Vec::new(),
            by_slot: HashMap::new(),
            n_out: 0,
            n_ahead: 0,
            stop: None,
            is_done: false,
            drops_usage: false,
            differs: false,
            is_lost: false,
        }
    }

    /// The client did not ask for usage on its stream, and gets none.
    pub(crate) fn without_usage(mut self) -> Self {
        self.drops_usage = true;
        self
    }

    /// Nothing is copied from here on.
    pub(crate) fn give_up(&mut self) {
        self.is_lost = true;
    }

    /// The decoder has read this.
    pub(crate) fn came(&mut self, event: &Event) {
        match event {
            Event::Open { slot, block } => {
                // Events that are copied name blocks by the upstream's numbers, those of the encoder by its own.
                let is_own_number = slot.0 as usize == self.blocks.len();
                self.is_lost |= self.wire == Wire::Anthropic && !is_own_number;
                self.by_slot.insert(*slot, self.blocks.len());
                self.blocks.push(Block {
                    opening: block.clone(),
                    ahead: VecDeque::new(),
                });
            }
            Event::Delta { slot, delta } => {
                let at = self.by_slot.get(slot);
                let Some(block) = at.and_then(|at| self.blocks.get_mut(*at)) else {
                    self.is_lost = true;
                    return;
                };
                if !text_of(delta).is_some_and(Text::is_empty) {
                    block.ahead.push_back(delta.clone());
                    self.n_ahead += 1;
                }
            }
            Event::Stop(stop) => self.stop = Some(stop.clone()),
            Event::Usage(_) => self.differs |= self.drops_usage,
            Event::Start(_) | Event::Close { .. } | Event::Done | Event::Ping => {}
        }
    }

    /// The chain has given this.
    pub(crate) fn went(&mut self, event: &Event) {
        match event {
            Event::Open { slot, block } => {
                self.n_out += 1;
                match self.blocks.get(slot.0 as usize) {
                    Some(own) if own.opening == *block => {}
                    Some(own) if self.wire == Wire::Gemini && is_nameless(&own.opening, block) => {}
                    Some(own) if is_same_kind(&own.opening, block) => self.differs = true,
                    Some(_) | None => self.is_lost = true,
                }
            }
            Event::Delta { slot, delta } => self.grew(*slot, delta),
            Event::Close { slot } => {
                let block = self.blocks.get(slot.0 as usize);
                self.is_lost |= block.is_none_or(|block| !block.ahead.is_empty());
            }
            Event::Stop(stop) => {
                let own = self.stop.as_ref();
                // The hub's word for an answer in a block of its own.
                let is_refusal = stop.reason == StopReason::Refusal
                    && own.is_some_and(|own| own.reason == StopReason::EndTurn);
                // These wires have one word for an end with calls and without.
                let is_ended =
                    |stop: &Stop| matches!(stop.reason, StopReason::EndTurn | StopReason::ToolUse);
                let is_untold = matches!(self.wire, Wire::Responses | Wire::Gemini)
                    && own.is_some_and(is_ended)
                    && is_ended(stop);
                self.differs |= own != Some(stop) && !is_refusal && !is_untold;
            }
            Event::Done => self.is_done = true,
            Event::Start(_) | Event::Usage(_) | Event::Ping => {}
        }
    }

    /// Judges what came since the last verdict, now that all of it went through. `is_read_behind`: the decoder has
    /// not told all it read, or the reply is about to end, and how is not settled before its last word.
    pub(crate) fn verdict(&mut self, is_read_behind: bool) -> Verdict {
        if self.is_lost {
            return Verdict::Changed;
        }
        let is_behind = self.n_ahead > 0 || self.n_out < self.blocks.len();
        if (is_read_behind || is_behind) && !self.is_done {
            return Verdict::Waits;
        }
        let differs = std::mem::take(&mut self.differs) || is_behind;
        // The last events of this wire tell everything once more.
        self.is_lost |= differs && self.wire == Wire::Responses;
        if differs {
            Verdict::Changed
        } else {
            Verdict::Same
        }
    }

    /// A whole reply as it came, if it may go out so.
    pub(crate) fn unchanged(&mut self, reply: &Bytes) -> Option<Bytes> {
        if self.verdict(false) != Verdict::Same {
            return None;
        }
        let named = self.named_json(reply)?;
        (!self.differs).then_some(named)
    }

    fn grew(&mut self, slot: Slot, delta: &Delta) {
        let Some(block) = self.blocks.get_mut(slot.0 as usize) else {
            self.is_lost = true;
            return;
        };
        if block.ahead.front() == Some(delta) {
            block.ahead.pop_front();
            self.n_ahead -= 1;
            return;
        }
        if let Some(text) = text_of(delta) {
            let is_input = matches!(delta, Delta::Input(_));
            // The sequencer spells out an input that was left empty. On the Anthropic wire everybody reads it so.
            let is_untold = block.ahead.is_empty() && is_input && text.decode() == "{}";
            if is_untold && self.wire == Wire::Anthropic {
                return;
            }
            match taken(&mut block.ahead, delta, &text.decode()) {
                Some(n_taken) => self.n_ahead -= n_taken,
                None if is_untold => self.differs = true,
                None => self.is_lost = true,
            }
            return;
        }
        // Another token in the place of the upstream's, or one where it gave none.
        self.differs = true;
        let front = block.ahead.front();
        if front.is_some_and(|own| std::mem::discriminant(own) == std::mem::discriminant(delta)) {
            block.ahead.pop_front();
            self.n_ahead -= 1;
        }
    }

    /// An event of the stream under the name that the client asked for; `None` if that cannot be done.
    pub(crate) fn named(&mut self, event: Bytes) -> Option<Bytes> {
        let has_model = match self.wire {
            Wire::Anthropic => memchr::memmem::find(&event, b"message_start").is_some(),
            Wire::Chat | Wire::Responses | Wire::Gemini => true,
        };
        if !has_model {
            return Some(event);
        }
        let Some(data) = data_span(&event) else {
            return Some(event);
        };
        let payload = event.slice(data.clone());
        if payload.trim_ascii() == b"[DONE]" {
            return Some(event);
        }
        let named = self.named_json(&payload)?;
        if named == payload {
            return Some(event);
        }
        let mut out = BytesMut::with_capacity(event.len() + self.model.wire_len());
        out.extend_from_slice(event.get(..data.start)?);
        out.extend_from_slice(&named);
        out.extend_from_slice(event.get(data.end..)?);
        Some(out.freeze())
    }

    /// The same for a document: a whole reply, or the data of an event. What a client could not read is not the same.
    pub(crate) fn named_json(&mut self, json: &Bytes) -> Option<Bytes> {
        let text = ByteString::try_from(json.clone()).ok()?;
        let doc = scan_reply(&text, &[]).ok()?;
        let root = doc.root();
        if self.wire == Wire::Chat && has_odd_call(root) {
            self.differs = true;
        }
        let model = match self.wire {
            Wire::Anthropic => root.get("message").unwrap_or(root).get("model"),
            Wire::Responses => root.get("response").unwrap_or(root).get("model"),
            Wire::Chat => root.get("model"),
            Wire::Gemini => root.get("modelVersion"),
        };
        let Some(model) = model.filter(|model| model.text().is_some_and(|own| own != self.model))
        else {
            return Some(json.clone());
        };
        let span = Value::span(model);
        let mut writer = Writer::append_to(json.get(..span.start)?.to_vec());
        writer.text(&self.model);
        let mut out = writer.into_bytes();
        out.extend_from_slice(json.get(span.end..)?);
        Some(out.into())
    }
}

/// Whether a call of a Chat reply has a name or arguments that are no strings: we read them, clients need not.
fn has_odd_call(root: Value<'_>) -> bool {
    let choices = root.get("choices").into_iter().flat_map(Value::items);
    let messages =
        choices.filter_map(|choice| choice.get("delta").or_else(|| choice.get("message")));
    let calls = messages.filter_map(|message| message.get("tool_calls"));
    let functions = calls
        .flat_map(Value::items)
        .filter_map(|call| call.get("function"));
    let is_odd = |value: Value<'_>| !matches!(value.kind(), Kind::String | Kind::Null);
    functions
        .flat_map(|function| [function.get("name"), function.get("arguments")])
        .flatten()
        .any(is_odd)
}

/// Takes what makes up `text` off the deltas that are of the same kind; gives how many are used up. `None` if the text is
/// another.
fn taken(ahead: &mut VecDeque<Delta>, kind: &Delta, text: &str) -> Option<usize> {
    let (mut rest, mut n_taken) = (text, 0);
    while !rest.is_empty() {
        let front = ahead.front_mut()?;
        if std::mem::discriminant(front) != std::mem::discriminant(kind) {
            return None;
        }
        let own = text_of(front)?.decode().into_owned();
        if let Some(behind) = rest.strip_prefix(own.as_str()) {
            rest = behind;
            ahead.pop_front();
            n_taken += 1;
        } else {
            let behind = Text::from(own.strip_prefix(rest)?.to_owned());
            *front = match front {
                Delta::Thinking(_) => Delta::Thinking(behind),
                Delta::Input(_) => Delta::Input(behind),
                _ => Delta::Text(behind),
            };
            rest = "";
        }
    }
    Some(n_taken)
}

fn text_of(delta: &Delta) -> Option<&Text> {
    match delta {
        Delta::Text(text) | Delta::Thinking(text) | Delta::Input(text) => Some(text),
        Delta::Signature(_) | Delta::Citation(_) | Delta::Foreign(_) => None,
    }
}

/// Whether one can stand for the other without another block being where it was not.
fn is_same_kind(a: &Opening, b: &Opening) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

/// Whether a call came without an id, as most do on the Gemini wire, and is otherwise the same.
fn is_nameless(own: &Opening, told: &Opening) -> bool {
    match (own, told) {
        (Opening::ToolUse { id, .. }, Opening::ToolUse { id: minted, .. }) if id.is_empty() => {
            let mut named = own.clone();
            if let Opening::ToolUse { id, .. } = &mut named {
                *id = minted.clone();
            }
            named == *told
        }
        _ => false,
    }
}

/// Where the data of an event is, if it has one line of it.
fn data_span(event: &[u8]) -> Option<std::ops::Range<usize>> {
    let mut start = 0;
    let mut found = None;
    for line in event.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
        let bare = line.trim_ascii_end();
        if let Some(data) = bare.strip_prefix(b"data:") {
            if found.is_some() {
                return None;
            }
            found = Some(start + bare.len() - data.len()..start + bare.len());
        }
        start += line.len();
    }
    found
}

/// A stream's bytes and events, in the order in which they go out.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    /// What came since the last verdict.
    raw: BytesMut,
    judged: Vec<Piece>,
    /// Events of the judged pieces.
    n_events: usize,
    /// Nothing of the upstream's bytes is to be seen.
    is_given_up: bool,
}

#[derive(Debug)]
struct Piece {
    /// What it came as.
    raw: Bytes,
    /// Whether it goes out so.
    is_same: bool,
    n_events: usize,
}

impl Pieces {
    /// Takes bytes as they are to go out if they may.
    pub(crate) fn came(&mut self, raw: &[u8]) {
        self.raw.extend_from_slice(raw);
    }

    /// Settles what came since the last verdict; `n_events` were read in all and not yet written.
    pub(crate) fn judged(&mut self, verdict: Verdict, n_events: usize) {
        if verdict == Verdict::Waits {
            return;
        }
        let raw = self.raw.split().freeze();
        self.judged.push(Piece {
            raw,
            is_same: verdict == Verdict::Same,
            n_events: n_events.saturating_sub(self.n_events),
        });
        self.n_events = n_events;
    }

    /// Whether anything may go out.
    pub(crate) fn is_empty(&self) -> bool {
        self.judged.is_empty()
    }

    /// Everything goes out anew, also what has been judged.
    pub(crate) fn give_up(&mut self, n_events: usize) {
        self.is_given_up = true;
        self.judged.clear();
        self.n_events = 0;
        self.judged(Verdict::Changed, n_events);
    }

    /// Writes what has been judged.
    pub(crate) fn write(
        &mut self,
        events: &mut Vec<Event>,
        encoder: &mut dyn StreamEncoder,
        out: &mut Vec<u8>,
    ) {
        let mut events = events.drain(..self.n_events.min(events.len()));
        let mut anew = Vec::new();
        for piece in self.judged.drain(..) {
            if !self.is_given_up {
                encoder.follows(&piece.raw, piece.is_same);
            }
            anew.clear();
            for event in events.by_ref().take(piece.n_events) {
                encoder.event(&event, &mut anew);
            }
            if piece.is_same {
                out.extend_from_slice(&piece.raw);
            } else {
                out.extend_from_slice(&anew);
            }
        }
        drop(events);
        self.n_events = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(slot: u32, block: Opening) -> Event {
        let slot = Slot(slot);
        Event::Open { slot, block }
    }

    fn call(slot: u32, id: &str) -> Event {
        let block = Opening::ToolUse {
            id: id.into(),
            name: "f".into(),
            namespace: None,
            is_freeform: false,
            extra: Vec::new(),
        };
        open(slot, block)
    }

    fn delta(slot: u32, delta: Delta) -> Event {
        let slot = Slot(slot);
        Event::Delta { slot, delta }
    }

    fn text(slot: u32, text: &str) -> Event {
        delta(slot, Delta::Text(text.into()))
    }

    fn input(slot: u32, text: &str) -> Event {
        delta(slot, Delta::Input(text.into()))
    }

    fn signature(slot: u32, text: &str) -> Event {
        delta(slot, Delta::Signature(text.into()))
    }

    fn close(slot: u32) -> Event {
        Event::Close { slot: Slot(slot) }
    }

    fn stop(reason: StopReason) -> Event {
        Event::Stop(Stop::new(reason))
    }

    /// Frames of a reply: what was read, what came out, and the verdict.
    #[track_caller]
    fn check(wire: Wire, frames: &[(&[Event], &[Event], Verdict)]) {
        let mut echo = Echo::new(wire, "m".into());
        for (n, (came, went, due)) in frames.iter().enumerate() {
            came.iter().for_each(|event| echo.came(event));
            went.iter().for_each(|event| echo.went(event));
            let is_ending = came.iter().any(|event| matches!(event, Event::Stop(_)));
            assert_eq!(echo.verdict(is_ending), *due, "frame {n}");
        }
    }

    use Verdict::{Changed, Same, Waits};
    use Wire::{Anthropic, Chat};

    #[test]
    fn an_idle_chain_is_copied_and_its_end_waits_for_the_last_word() {
        check(
            Anthropic,
            &[
                (&[Event::Start(Default::default())], &[], Same),
                (&[Event::Ping], &[Event::Ping], Same),
                (&[open(0, Opening::Text)], &[], Waits),
                (
                    &[text(0, "a")],
                    &[open(0, Opening::Text), text(0, "a")],
                    Same,
                ),
                (&[text(0, "")], &[], Same),
                (&[close(0)], &[close(0)], Same),
                (&[stop(StopReason::EndTurn)], &[], Waits),
                (
                    &[Event::Done],
                    &[stop(StopReason::EndTurn), Event::Done],
                    Same,
                ),
            ],
        );
    }

    #[test]
    fn what_is_held_back_waits_and_goes_out_as_it_came() {
        let opened = [open(0, Opening::Text)];
        check(
            Anthropic,
            &[
                (&opened, &opened, Same),
                (&[text(0, "a <")], &[text(0, "a ")], Waits),
                (&[text(0, "b")], &[], Waits),
                (&[text(0, "c")], &[text(0, "<b"), text(0, "c")], Same),
                (&[text(0, "d"), text(0, "e")], &[text(0, "de")], Same),
            ],
        );
    }

    #[test]
    fn another_text_or_block_is_written_anew_from_there_on() {
        let opened = [open(0, Opening::Text)];
        check(
            Anthropic,
            &[
                (&opened, &opened, Same),
                (&[text(0, "a<call>")], &[text(0, "a")], Waits),
                (&[text(0, "f")], &[close(0), call(1, "x")], Changed),
                (&[text(0, "g")], &[input(1, "g")], Changed),
            ],
        );
        check(Chat, &[(&opened, &[open(0, Opening::Thinking)], Changed)]);
        check(Chat, &[(&opened, &[call(0, "x")], Changed)]);
        let thought = [open(0, Opening::Thinking)];
        check(
            Chat,
            &[(&thought, &thought, Same), (&[], &[text(0, "a")], Changed)],
        );
        // The upstream's numbers are not ours.
        check(Anthropic, &[(&[call(1, "x")], &[call(0, "x")], Changed)]);
        check(Chat, &[(&[call(1, "x")], &[call(0, "x")], Same)]);
    }

    #[test]
    fn a_token_of_ours_is_written_anew_and_the_rest_copied() {
        check(
            Anthropic,
            &[
                (&[call(0, "functions.f:0")], &[call(0, "toolu_1")], Changed),
                (&[input(0, "{")], &[input(0, "{")], Same),
                (&[input(0, "}")], &[input(0, "}")], Same),
            ],
        );
        let thought = [open(0, Opening::Thinking)];
        check(
            Anthropic,
            &[
                (&thought, &thought, Same),
                (&[signature(0, "s")], &[], Waits),
                (&[close(0)], &[signature(0, "lg1"), close(0)], Changed),
                (&[Event::Ping], &[Event::Ping], Same),
            ],
        );
        check(
            Chat,
            &[
                (&thought, &thought, Same),
                (&[], &[signature(0, "lg1")], Changed),
            ],
        );
    }

    #[test]
    fn ends_that_do_not_fit_are_written_anew() {
        for (wire, came, went, due) in [
            (Chat, StopReason::EndTurn, StopReason::ToolUse, Changed),
            (Chat, StopReason::ToolUse, StopReason::ToolUse, Same),
            (Chat, StopReason::EndTurn, StopReason::Refusal, Same),
        ] {
            check(
                wire,
                &[
                    (&[call(0, "x")], &[call(0, "x")], Same),
                    (&[stop(came)], &[], Waits),
                    (&[Event::Done], &[stop(went), Event::Done], due),
                ],
            );
        }
        // An input that was left empty is spelled out; on the Chat wire it has to be.
        for (wire, due) in [(Anthropic, Same), (Chat, Changed)] {
            let called = [call(0, "x")];
            check(
                wire,
                &[
                    (&called, &called, Same),
                    (&[close(0)], &[input(0, "{}"), close(0)], due),
                ],
            );
        }
        // A blank block never came out.
        check(
            Chat,
            &[
                (&[open(0, Opening::Text), text(0, " ")], &[], Waits),
                (&[Event::Done], &[Event::Done], Changed),
            ],
        );
    }

    #[test]
    fn usage_that_only_we_asked_for_is_not_copied() {
        let usage = Event::Usage(Default::default());
        let mut echo = Echo::new(Chat, "m".into()).without_usage();
        echo.came(&usage);
        let verdicts = (echo.verdict(false), echo.verdict(false));
        assert_eq!(verdicts, (Changed, Same));
    }

    #[test]
    fn copies_name_the_model_that_was_asked_for() {
        let start = r#"{"type":"message_start","message":{"model": "up","id":"i"}}"#;
        let asked = r#"{"type":"message_start","message":{"model": "as\"ked","id":"i"}}"#;
        for (wire, came, due) in [
            (
                Anthropic,
                format!("event: message_start\ndata: {start}\n\n"),
                format!("event: message_start\ndata: {asked}\n\n"),
            ),
            (
                Anthropic,
                "data: {\"model\":\"up\"}\n\n".to_owned(),
                "data: {\"model\":\"up\"}\n\n".to_owned(),
            ),
            (
                Chat,
                ": c\r\ndata:{\"model\":\"up\",\"a\":1.50} \r\n\r\n".to_owned(),
                ": c\r\ndata:{\"model\":\"as\\\"ked\",\"a\":1.50} \r\n\r\n".to_owned(),
            ),
            (
                Chat,
                "data: {\"id\":1}\n\n".to_owned(),
                "data: {\"id\":1}\n\n".to_owned(),
            ),
            (
                Chat,
                "data: [DONE]\n\n".to_owned(),
                "data: [DONE]\n\n".to_owned(),
            ),
            (Chat, ": ping\n\n".to_owned(), ": ping\n\n".to_owned()),
        ] {
            let mut echo = Echo::new(wire, "as\"ked".into());
            assert_eq!(echo.named(came.into()), Some(Bytes::from(due)));
        }
        let mut echo = Echo::new(Chat, "m".into());
        assert_eq!(echo.named(Bytes::from_static(b"data: {\"model\n\n")), None);
    }
}
