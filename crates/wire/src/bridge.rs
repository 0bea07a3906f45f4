//! The lane table, and the one place that chooses a wire's functions by its name.

use bytes::Bytes;
use bytestring::ByteString;

use crate::codec::{Decoded, Encoded, Known, Peek, ReplyContext, StreamEncoder, UpstreamContext};
use crate::json::{Doc, Resumed, Text};
use crate::sse::Frame;
use crate::stage::Stage;
use crate::turn::{Event, Failure, FailureKind, Reply, Turn, only_foreign_tool};
use crate::{Wire, anthropic, chat, gemini, responses};

/// How a reply gets from an upstream's wire to a client's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Bytes to bytes: the wires are the same and nothing on the route has to look inside.
    Passthrough,
    /// Through the hub.
    Translate,
}

impl Lane {
    /// The lane of a pair of wires. `looks_inside`: a quirk or policy applies, or the body holds a seal of ours.
    #[must_use]
    pub fn of(client: Wire, upstream: Wire, looks_inside: bool) -> Self {
        if client == upstream && !looks_inside {
            Self::Passthrough
        } else {
            Self::Translate
        }
    }

    /// The name used in headers, records and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passthrough => "passthrough",
            Self::Translate => "translated",
        }
    }
}

/// What a request's path says that its body does not. Only the Gemini wire has such facts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PathFacts {
    /// The model, without `models/`.
    pub model: Text,
    /// Whether the reply is to be streamed.
    pub stream: bool,
}

impl PathFacts {
    /// Adds the facts to what the body told.
    pub fn complete_peek(&self, peek: &mut Peek) {
        peek.model = self.model.clone();
        peek.stream = self.stream;
    }

    /// Adds the facts to what the body told.
    pub fn complete(&self, decoded: &mut Decoded) {
        decoded.turn.model = self.model.clone();
        decoded.params.stream = self.stream;
    }
}

/// How a client wants its reply, beyond what every wire has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReplyOptions {
    /// A Chat client asked for usage on its stream.
    pub sends_usage: bool,
    /// Where a Chat client looks for calls.
    pub calls: chat::CallStyle,
    /// How a Gemini client's stream is framed.
    pub framing: gemini::Framing,
    /// A Gemini client asked for thoughts.
    pub shows_thoughts: bool,
}

/// Validates and indexes a request's body; its mark ([`Doc::has_mark`]) says that a seal of ours is in it.
///
/// # Errors
/// If it is not JSON.
pub fn scan_request(wire: Wire, body: &ByteString) -> Result<Doc, Failure> {
    match wire {
        Wire::Anthropic => anthropic::scan_request(body),
        Wire::Chat => chat::scan_request(body),
        Wire::Gemini => gemini::scan_request(body),
        Wire::Responses => responses::scan_request(body),
    }
}

/// Scans a request's body, most of which may stand in a `known` request of this wire. `None` if it is to be scanned whole:
/// because there is nothing to take over, or because it is wrong.
#[must_use]
pub fn scan_request_like(wire: Wire, known: &Doc, body: &Bytes) -> Option<Resumed> {
    match wire {
        Wire::Anthropic => anthropic::scan_request_like(known, body),
        Wire::Chat => chat::scan_request_like(known, body),
        Wire::Gemini => gemini::scan_request_like(known, body),
        Wire::Responses => responses::scan_request_like(known, body),
    }
}

/// Reads what every lane needs of a request.
///
/// # Errors
/// If what must be there is not.
pub fn peek(wire: Wire, doc: &Doc) -> Result<Peek, Failure> {
    match wire {
        Wire::Anthropic => anthropic::peek(doc),
        Wire::Chat => chat::peek(doc),
        Wire::Gemini => gemini::peek(doc),
        Wire::Responses => responses::peek(doc),
    }
}

/// Decodes a request.
///
/// # Errors
/// If it is not of the wire's shape.
pub fn decode_request(wire: Wire, doc: &Doc) -> Result<Decoded, Failure> {
    match wire {
        Wire::Anthropic => anthropic::decode_request(doc),
        Wire::Chat => chat::decode_request(doc),
        Wire::Gemini => gemini::decode_request(doc),
        Wire::Responses => responses::decode_request(doc),
    }
}

/// Whether requests of a wire are decoded item by item, so that [`decode_request_like`] has something to take over. On
/// the others an item is decoded by what stood before it.
#[must_use]
pub const fn is_decoded_by_item(wire: Wire) -> bool {
    match wire {
        Wire::Anthropic => true,
        Wire::Chat | Wire::Gemini | Wire::Responses => false,
    }
}

/// Decodes a request that was scanned like a `known` one of this wire: the outcome is that of [`decode_request`].
///
/// # Errors
/// As [`decode_request`].
pub fn decode_request_like(wire: Wire, known: &Known<'_>, doc: &Doc) -> Result<Decoded, Failure> {
    match wire {
        Wire::Anthropic => anthropic::decode_request_like(known, doc),
        Wire::Chat | Wire::Gemini | Wire::Responses => decode_request(wire, doc),
    }
}

/// Encodes a request for an upstream.
///
/// # Errors
/// If it refers to what only a provider of the client's own wire can have stored.
pub fn encode_request(
    wire: Wire,
    decoded: &Decoded,
    upstream: &UpstreamContext<'_>,
    dialect: &chat::Dialect,
) -> Result<Encoded, Failure> {
    if wire != Wire::Responses
        && let Some(failure) = responses::depends_on_state(decoded)
    {
        return Err(failure);
    }
    if wire != Wire::Gemini
        && let Some(failure) = gemini::depends_on_state(decoded)
    {
        return Err(failure);
    }
    match wire {
        Wire::Anthropic => Ok(anthropic::encode_request(decoded, upstream)),
        Wire::Chat => Ok(chat::encode_request(decoded, upstream, dialect)),
        Wire::Gemini => Ok(gemini::encode_request(decoded, upstream)),
        Wire::Responses => {
            let has_breakpoints = dialect.cache == chat::CacheSpelling::Breakpoint;
            Ok(responses::encode_request(
                decoded,
                upstream,
                has_breakpoints,
            ))
        }
    }
}

/// Decodes an upstream's whole reply.
///
/// # Errors
/// If it is a failure or not a reply.
pub fn decode_response(wire: Wire, body: &ByteString) -> Result<Vec<Event>, Failure> {
    match wire {
        Wire::Anthropic => anthropic::decode_response(body),
        Wire::Chat => chat::decode_response(body),
        Wire::Gemini => gemini::decode_response(body),
        Wire::Responses => responses::decode_response(body),
    }
}

/// Encodes a whole reply for the client.
#[must_use]
pub fn encode_response(wire: Wire, reply: &Reply, context: &ReplyContext) -> Vec<u8> {
    encode_response_with(wire, reply, context, &ReplyOptions::default())
}

/// Encodes a whole reply as the client asked for it.
#[must_use]
pub fn encode_response_with(
    wire: Wire,
    reply: &Reply,
    context: &ReplyContext,
    options: &ReplyOptions,
) -> Vec<u8> {
    match wire {
        Wire::Anthropic => anthropic::encode_response(reply, context),
        Wire::Gemini => gemini::encode_response(reply, context, options.shows_thoughts),
        Wire::Chat => chat::encode_response(reply, context, options.calls),
        Wire::Responses => responses::encode_response(reply, context),
    }
}

/// A decoder of an upstream's stream.
#[must_use]
pub fn stream_decoder(wire: Wire) -> Box<dyn Stage<In = Frame, Out = Event>> {
    match wire {
        Wire::Anthropic => Box::new(anthropic::StreamIn::default()),
        Wire::Gemini => Box::new(gemini::StreamIn::default()),
        Wire::Chat => Box::new(chat::StreamIn::default()),
        Wire::Responses => Box::new(responses::StreamIn::default()),
    }
}

/// An encoder of the client's stream. `sends_usage`: a Chat client asked for usage on its stream.
#[must_use]
pub fn stream_encoder(
    wire: Wire,
    context: ReplyContext,
    sends_usage: bool,
) -> Box<dyn StreamEncoder> {
    let options = ReplyOptions {
        sends_usage,
        ..ReplyOptions::default()
    };
    stream_encoder_with(wire, context, &options)
}

/// An encoder of the client's stream, as the client asked for it.
#[must_use]
pub fn stream_encoder_with(
    wire: Wire,
    context: ReplyContext,
    options: &ReplyOptions,
) -> Box<dyn StreamEncoder> {
    match wire {
        Wire::Anthropic => Box::new(anthropic::StreamOut::new(context)),
        Wire::Gemini => Box::new(gemini::StreamOut::new(
            context,
            options.framing,
            options.shows_thoughts,
        )),
        Wire::Chat => Box::new(chat::StreamOut::new(
            context,
            options.sends_usage,
            options.calls,
        )),
        Wire::Responses => Box::new(responses::StreamOut::new(context)),
    }
}

/// What a complete stream still needs when its upstream closed without the wire's last word. The official Anthropic SDKs
/// throw a stream away without it; Chat clients take a clean end of the body for it.
#[must_use]
pub const fn missing_last_word(wire: Wire, is_clean_end: bool) -> &'static [u8] {
    match (wire, is_clean_end) {
        (Wire::Anthropic, _) => b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        (Wire::Chat, false) => b"data: [DONE]\n\n",
        (Wire::Chat, true) | (Wire::Responses | Wire::Gemini, _) => b"",
    }
}

/// Reads an upstream's error body.
#[must_use]
pub fn decode_error(wire: Wire, status: u16, body: &[u8]) -> Failure {
    match wire {
        Wire::Anthropic => anthropic::decode_error(status, body),
        Wire::Gemini => gemini::decode_error(status, body),
        Wire::Chat => chat::decode_error(status, body),
        Wire::Responses => responses::decode_error(status, body),
    }
}

/// Whether an upstream's error body is one that a client of this wire reads as it was meant: of the wire's own shape, and
/// in the words that clients act on where the conversation does not fit.
#[must_use]
pub fn is_own_error(wire: Wire, failure: &Failure, body: &[u8]) -> bool {
    let text = ByteString::try_from(Bytes::copy_from_slice(body)).ok();
    let Some(doc) = text.and_then(|text| crate::json::scan(&text).ok()) else {
        return false;
    };
    let error = doc.root().get("error");
    let member = |key: &str| error.and_then(|error| error.get(key)?.str());
    let is_overflow = matches!(failure.kind, FailureKind::ContextOverflow { .. });
    match wire {
        Wire::Anthropic => {
            let is_shaped = doc
                .root()
                .get("type")
                .is_some_and(|kind| kind.is_str("error"))
                && member("type").is_some();
            let message = member("message");
            is_shaped
                && message
                    .is_some_and(|message| !is_overflow || message.contains("prompt is too long"))
        }
        Wire::Chat | Wire::Responses => {
            member("message").is_some()
                && (!is_overflow || member("code").as_deref() == Some("context_length_exceeded"))
        }
        Wire::Gemini => {
            let has_code = error
                .is_some_and(|error| error.get("code").is_some_and(|code| code.u64().is_some()));
            has_code
                && member("status").is_some()
                && member("message")
                    .is_some_and(|message| !is_overflow || message.contains(gemini::OVERFLOW))
        }
    }
}

/// Writes a failure as the client's wire has it: status and body.
#[must_use]
pub fn encode_error(wire: Wire, failure: &Failure, request_id: &str) -> (u16, Vec<u8>) {
    match wire {
        Wire::Anthropic => anthropic::encode_error(failure, request_id),
        Wire::Gemini => gemini::encode_error(failure, request_id),
        Wire::Chat => chat::encode_error(failure, request_id),
        Wire::Responses => responses::encode_error(failure, request_id),
    }
}

/// Whether a client that asked for a stream acts on a failure before the first event only if a stream tells it: then it
/// is to be sent a success status and a stream that fails. True of Codex; programs on an SDK expect the status.
#[must_use]
pub const fn is_told_in_stream(wire: Wire, failure: &Failure) -> bool {
    match wire {
        Wire::Responses => responses::is_told_in_stream(failure.kind),
        Wire::Anthropic | Wire::Chat | Wire::Gemini => false,
    }
}

/// A stage that puts back the names of tools that an upstream's wire does not take as they are. It stands before every other
/// stage that looks at names, and `turn` is what the encoder is given.
#[must_use]
pub fn name_stage(wire: Wire, turn: &Turn) -> Option<Box<dyn Stage<In = Event, Out = Event>>> {
    match wire {
        Wire::Gemini => Some(Box::new(gemini::NameStage::of(turn)?)),
        Wire::Anthropic | Wire::Chat | Wire::Responses => None,
    }
}

/// The tool that makes a request impossible on an upstream's wire, if one does.
#[must_use]
pub fn unservable_tools(wire: Wire, turn: &Turn) -> Option<chat::Unservable> {
    match wire {
        Wire::Chat => chat::unservable_tools(turn),
        Wire::Gemini => gemini::unservable_tools(turn),
        Wire::Anthropic | Wire::Responses => {
            only_foreign_tool(turn, wire).map(|(tool, is_run_by_client)| chat::Unservable {
                name: tool.name().clone(),
                is_run_by_client,
            })
        }
    }
}
