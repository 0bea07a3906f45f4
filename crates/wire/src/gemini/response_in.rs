//! Decodes a whole reply, by the machine that decodes streams: a reply is one large chunk, and the other form of a stream
//! is an array of chunks.

use bytes::Bytes;
use bytestring::ByteString;

use super::stream_in::StreamIn;
use crate::chat;
use crate::json::{Kind, scan_reply};
use crate::sse::SseParser;
use crate::stage::{End, Sink, Stage};
use crate::turn::{Event, Failure, FailureKind};

/// Decodes the body of a reply with a success status: one response, an array of them, or a stream that nobody asked for.
///
/// # Errors
/// The body is an error in spite of its status, is no reply, or was cut.
pub fn decode_response(body: &ByteString) -> Result<Vec<Event>, Failure> {
    let mut machine = StreamIn::default();
    let mut sink = Sink::new();
    match scan_reply(body, super::stream_in::OPAQUE) {
        Ok(doc) if matches!(doc.root().kind(), Kind::Object | Kind::Array) => {
            machine.document(doc.root(), &mut sink);
        }
        Ok(_) => return Err(malformed("the upstream's reply is not a JSON object")),
        Err(_) if body.trim_start().starts_with("data:") => {
            let mut parser = SseParser::new();
            let mut frames = Vec::new();
            parser
                .push(Bytes::copy_from_slice(body.as_bytes()), &mut frames)
                .and_then(|()| parser.finish(&mut frames))
                .map_err(|error| malformed(&error.to_string()))?;
            for frame in frames {
                machine.on(frame, &mut sink);
            }
        }
        // A page or a proxy's words: said as for an error.
        Err(_) if body.trim_start().starts_with('<') => {
            return Err(malformed(&chat::decode_error(200, body.as_bytes()).message));
        }
        Err(error) => {
            return Err(malformed(&format!(
                "the upstream's reply is not JSON: {error}"
            )));
        }
    }
    if !sink.has_fault() {
        machine.end(End::Clean, &mut sink);
    }
    match sink.take_fault() {
        Some(failure) => Err(failure),
        None => Ok(sink.items),
    }
}

fn malformed(message: &str) -> Failure {
    Failure::new(FailureKind::Malformed, message)
}
