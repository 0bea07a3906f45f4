//! The lane table, and the one place that chooses a wire's functions by its name.

use bytestring::ByteString;

use crate::codec::{Decoded, Encoded, Peek, ReplyContext, StreamEncoder, UpstreamContext};
use crate::json::Doc;
use crate::sse::Frame;
use crate::stage::Stage;
use crate::turn::{Event, Failure, FailureKind, Reply};
use crate::{Wire, anthropic, chat};

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

/// Whether requests and replies of this wire can be read and written.
#[must_use]
pub const fn is_served(wire: Wire) -> bool {
    match wire {
        Wire::Anthropic | Wire::Chat => true,
        Wire::Responses | Wire::Gemini => false,
    }
}

/// Validates and indexes a request's body.
///
/// # Errors
/// If it is not JSON.
pub fn scan_request(wire: Wire, body: &ByteString) -> Result<Doc, Failure> {
    match wire {
        Wire::Anthropic => anthropic::scan_request(body),
        Wire::Chat => chat::scan_request(body),
        Wire::Responses | Wire::Gemini => Err(unserved(wire)),
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
        Wire::Responses | Wire::Gemini => Err(unserved(wire)),
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
        Wire::Responses | Wire::Gemini => Err(unserved(wire)),
    }
}

/// Encodes a request for an upstream.
///
/// # Errors
/// If the wire is not served.
pub fn encode_request(
    wire: Wire,
    decoded: &Decoded,
    upstream: &UpstreamContext<'_>,
    dialect: &chat::Dialect,
) -> Result<Encoded, Failure> {
    match wire {
        Wire::Anthropic => Ok(anthropic::encode_request(decoded, upstream)),
        Wire::Chat => Ok(chat::encode_request(decoded, upstream, dialect)),
        Wire::Responses | Wire::Gemini => Err(unserved(wire)),
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
        Wire::Responses | Wire::Gemini => Err(unserved(wire)),
    }
}

/// Encodes a whole reply for the client.
#[must_use]
pub fn encode_response(wire: Wire, reply: &Reply, context: &ReplyContext) -> Vec<u8> {
    match wire {
        Wire::Anthropic => anthropic::encode_response(reply, context),
        Wire::Chat | Wire::Responses | Wire::Gemini => chat::encode_response(reply, context),
    }
}

/// A decoder of an upstream's stream.
#[must_use]
pub fn stream_decoder(wire: Wire) -> Box<dyn Stage<In = Frame, Out = Event>> {
    match wire {
        Wire::Anthropic => Box::new(anthropic::StreamIn::default()),
        Wire::Chat | Wire::Responses | Wire::Gemini => Box::new(chat::StreamIn::default()),
    }
}

/// An encoder of the client's stream. `sends_usage`: a Chat client asked for usage on its stream.
#[must_use]
pub fn stream_encoder(
    wire: Wire,
    context: ReplyContext,
    sends_usage: bool,
) -> Box<dyn StreamEncoder> {
    match wire {
        Wire::Anthropic => Box::new(anthropic::StreamOut::new(context)),
        Wire::Chat | Wire::Responses | Wire::Gemini => {
            Box::new(chat::StreamOut::new(context, sends_usage))
        }
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
        Wire::Chat | Wire::Responses | Wire::Gemini => chat::decode_error(status, body),
    }
}

/// Whether an upstream's error body is one that a client of this wire reads as it was meant: of the wire's own shape, and
/// in the words that clients act on where the conversation does not fit.
#[must_use]
pub fn is_own_error(wire: Wire, failure: &Failure, body: &[u8]) -> bool {
    let text = ByteString::try_from(bytes::Bytes::copy_from_slice(body)).ok();
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
        Wire::Chat => {
            member("message").is_some()
                && (!is_overflow || member("code").as_deref() == Some("context_length_exceeded"))
        }
        Wire::Responses | Wire::Gemini => true,
    }
}

/// Writes a failure as the client's wire has it: status and body.
#[must_use]
pub fn encode_error(wire: Wire, failure: &Failure, request_id: &str) -> (u16, Vec<u8>) {
    match wire {
        Wire::Anthropic => anthropic::encode_error(failure, request_id),
        Wire::Chat | Wire::Responses | Wire::Gemini => chat::encode_error(failure, request_id),
    }
}

fn unserved(wire: Wire) -> Failure {
    Failure::new(
        FailureKind::InvalidRequest,
        format!("the {wire} wire is not served by this version; anthropic and chat are"),
    )
}
