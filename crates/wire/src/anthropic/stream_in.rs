//! A stream's events as steps of a reply.

use super::{error, opaque, reply_block, stop, usage};
use crate::Wire;
use crate::json::{Text, Value, Writer, scan_reply};
use crate::repeat::Repeat;
use crate::sse::Frame;
use crate::stage::{End, Note, Sink, Stage};
use crate::turn::{Delta, Event, Failure, FailureKind, Foreign, Opening, Slot, Start};

/// Reads a provider's stream.
///
/// Lenient where official clients are not: event names are not needed, unknown events and deltas for blocks that never
/// opened are passed over, and a stream whose stop reason came is complete without its last event.
#[derive(Debug, Default)]
pub struct StreamIn {
    open: Vec<OpenBlock>,
    has_event: bool,
    has_malformed: bool,
    /// An event was broken: a fault, unless it was the last and cut off with the stream.
    has_broken_event: bool,
    has_stop: bool,
    is_done: bool,
    repeat: Repeat,
}

#[derive(Debug)]
struct OpenBlock {
    slot: Slot,
    input: OpenInput,
}

/// Where a block's input comes from.
#[derive(Debug)]
enum OpenInput {
    /// From deltas, or there is none.
    Deltas,
    /// It came whole when the block opened, and counts unless deltas follow.
    Whole(Text),
    /// A server tool's call is kept back until it is whole: the hub knows such a block only as one piece.
    ServerTool { opening: Foreign, input: String },
}

impl StreamIn {
    /// A reader for one reply.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the reply; blocks that never stopped are complete, for what was kept of them must not be lost.
    fn done(&mut self, sink: &mut Sink<Event>) {
        while let Some(slot) = self.open.first().map(|block| block.slot) {
            self.close(slot, sink);
        }
        self.is_done = true;
        sink.event(Event::Done);
    }

    fn start(message: Value<'_>, sink: &mut Sink<Event>) {
        sink.event(Event::Start(Start {
            id: message.get("id").and_then(Value::text),
            model: message.get("model").and_then(Value::text),
            usage: message.get("usage").map(usage::read).unwrap_or_default(),
        }));
    }

    fn open(&mut self, slot: Slot, block: Value<'_>, sink: &mut Sink<Event>) {
        let (opening, mut deltas) = reply_block::read(block);
        let input = match opening {
            Opening::Foreign(opening) if is_server_call(block) => OpenInput::ServerTool {
                opening,
                input: String::new(),
            },
            opening => {
                sink.event(Event::Open {
                    slot,
                    block: opening,
                });
                match deltas.pop_if(|delta| matches!(delta, Delta::Input(_))) {
                    Some(Delta::Input(whole)) => OpenInput::Whole(whole),
                    _ => OpenInput::Deltas,
                }
            }
        };
        self.open.push(OpenBlock { slot, input });
        for delta in deltas {
            sink.event(Event::Delta { slot, delta });
        }
    }

    fn delta(&mut self, slot: Slot, value: Value<'_>, sink: &mut Sink<Event>) {
        let kind = value.get("type").and_then(Value::str).unwrap_or_default();
        let text = |key: &str| value.get(key).and_then(Value::text).unwrap_or_default();
        let delta = match &*kind {
            "text_delta" => Delta::Text(text("text")),
            "thinking_delta" => Delta::Thinking(text("thinking")),
            "signature_delta" => Delta::Signature(text("signature")),
            "input_json_delta" => match self.input(slot, text("partial_json")) {
                Some(input) => Delta::Input(input),
                None => return,
            },
            "citations_delta" => match value.get("citation") {
                Some(citation) => Delta::Citation(reply_block::foreign(citation)),
                None => return,
            },
            _ => Delta::Foreign(reply_block::foreign(value)),
        };
        sink.event(Event::Delta { slot, delta });
    }

    /// A piece of input to pass on, unless it is kept back or says nothing.
    fn input(&mut self, slot: Slot, piece: Text) -> Option<Text> {
        if piece.is_empty() {
            return None;
        }
        let block = self.open.iter_mut().find(|block| block.slot == slot);
        match block.map(|block| &mut block.input) {
            Some(OpenInput::ServerTool { input, .. }) => {
                input.push_str(&piece.decode());
                None
            }
            Some(whole @ OpenInput::Whole(_)) => {
                *whole = OpenInput::Deltas;
                Some(piece)
            }
            Some(OpenInput::Deltas) | None => Some(piece),
        }
    }

    fn close(&mut self, slot: Slot, sink: &mut Sink<Event>) {
        if let Some(at) = self.open.iter().position(|block| block.slot == slot) {
            match self.open.remove(at).input {
                OpenInput::Deltas => {}
                OpenInput::Whole(input) => sink.event(Event::Delta {
                    slot,
                    delta: Delta::Input(input),
                }),
                OpenInput::ServerTool { opening, input } => sink.event(Event::Open {
                    slot,
                    block: Opening::Foreign(with_input(opening, &input)),
                }),
            }
        }
        sink.event(Event::Close { slot });
    }

    fn message_delta(&mut self, event: Value<'_>, sink: &mut Sink<Event>) {
        let usage = event.get("usage").map(usage::read).unwrap_or_default();
        if !usage.is_empty() {
            sink.event(Event::Usage(usage));
        }
        if let Some(stop) = event.get("delta").and_then(stop::read) {
            self.has_stop = true;
            sink.event(Event::Stop(stop));
        }
    }

    fn read(&mut self, frame: &Frame, sink: &mut Sink<Event>) {
        if self.doubts() {
            self.is_done = true;
            return sink.fault(Failure::new(
                FailureKind::Malformed,
                "an event of the upstream's stream is not JSON, and what it said is lost",
            ));
        }
        if frame.data.trim() == "[DONE]" {
            // The other wire's end mark, which some hosts append here too.
            if self.has_stop {
                self.done(sink);
            }
            return;
        }
        let Ok(doc) = scan_reply(&frame.data, opaque::MEMBERS) else {
            if frame.event.as_deref() == Some("error") {
                self.is_done = true;
                return sink.fault(error::failure_of(frame.data.trim(), None));
            }
            self.has_malformed = true;
            self.has_broken_event |= frame.data.trim_start().starts_with('{');
            sink.note(Note::Diag("malformed_chunk"));
            return;
        };
        let event = doc.root();
        let name = event.get("type").and_then(Value::str);
        let name = name
            .as_deref()
            .or(frame.event.as_deref())
            .unwrap_or_default();
        let slot = || {
            event
                .get("index")
                .and_then(Value::u64)
                .and_then(|index| u32::try_from(index).ok())
                .map(Slot)
        };
        self.has_event = true;
        match name {
            "message_start" => {
                if let Some(message) = event.get("message") {
                    Self::start(message, sink);
                }
            }
            "content_block_start" => {
                if let (Some(slot), Some(block)) = (slot(), event.get("content_block")) {
                    self.open(slot, block, sink);
                }
            }
            "content_block_delta" => {
                if let (Some(slot), Some(delta)) = (slot(), event.get("delta")) {
                    self.delta(slot, delta, sink);
                }
            }
            "content_block_stop" => {
                if let Some(slot) = slot() {
                    self.close(slot, sink);
                }
            }
            "message_delta" => self.message_delta(event, sink),
            "message_stop" => self.done(sink),
            "ping" => sink.event(Event::Ping),
            _ if name == "error" || event.get("error").is_some_and(error::is_said) => {
                self.is_done = true;
                sink.fault(error::failure_in(event, None));
            }
            _ => sink.note(Note::Diag("unknown_event")),
        }
    }
}

impl Stage for StreamIn {
    type In = Frame;
    type Out = Event;

    fn on(&mut self, frame: Frame, sink: &mut Sink<Event>) {
        if self.is_done {
            return;
        }
        if let Some(event) = self.repeat.event(&frame) {
            return sink.event(event);
        }
        let before = sink.items.len();
        self.read(&frame, sink);
        self.repeat.learn(&frame, before, sink);
    }

    fn doubts(&self) -> bool {
        self.has_broken_event && !self.has_stop
    }

    fn end(&mut self, end: End, sink: &mut Sink<Event>) {
        if self.is_done {
            return;
        }
        if self.has_stop {
            self.done(sink);
            return;
        }
        sink.fault(match end {
            End::Broken(failure) => failure,
            End::Clean | End::Truncated if self.has_malformed && !self.has_event => Failure::new(
                FailureKind::Malformed,
                "the upstream's stream holds nothing that can be read as an event",
            ),
            End::Clean | End::Truncated => {
                Failure::new(FailureKind::Truncated, "the upstream's stream ended early")
            }
        });
    }

    fn holding(&self) -> bool {
        self.open
            .iter()
            .any(|block| matches!(block.input, OpenInput::ServerTool { .. }))
    }
}

/// Calls that the provider runs itself stream their input as a client's tool call does.
pub(super) fn is_server_call(block: Value<'_>) -> bool {
    block
        .get("type")
        .and_then(Value::str)
        .is_some_and(|kind| matches!(&*kind, "server_tool_use" | "mcp_tool_use"))
}

/// The block with its streamed input in place.
fn with_input(opening: Foreign, input: &str) -> Foreign {
    let input = bytestring::ByteString::from(input);
    let (Ok(_), Ok(block)) = (
        scan_reply(&input, &[]),
        scan_reply(&opening.raw, opaque::MEMBERS),
    ) else {
        return opening;
    };
    let mut json = Writer::with_capacity(opening.raw.len() + input.len());
    json.begin_object();
    for (key, value) in block.root().members().filter(|(key, _)| key != "input") {
        json.member(&key).raw(value.raw());
    }
    json.key("input").raw(&input).end_object();
    String::from_utf8(json.into_bytes()).map_or(opening, |raw| Foreign {
        wire: Wire::Anthropic,
        raw: raw.into(),
    })
}
