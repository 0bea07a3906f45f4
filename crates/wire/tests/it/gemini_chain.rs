//! What the tests of the Gemini wire share: the whole way of a stream, in and out.

use bytes::Bytes;
use lingate_wire::gemini::{self, Framing, grammar};
use lingate_wire::sse::SseParser;
use lingate_wire::stage::{End, Sink, Stage};
use lingate_wire::turn::{Reply, fold};
use lingate_wire::{Encoded, StreamEncoder, UpstreamContext};

use crate::chat_chain::{Read, context, seal_key, through};

/// Reads an upstream's stream, given in pieces, as the gateway does.
pub(crate) fn read_gemini(pieces: &[&[u8]]) -> Read {
    let mut parser = SseParser::new();
    let mut frames = Vec::new();
    for piece in pieces {
        parser
            .push(Bytes::copy_from_slice(piece), &mut frames)
            .unwrap();
    }
    parser.finish(&mut frames).unwrap();
    let mut decoder = gemini::StreamIn::default();
    let mut sink = Sink::new();
    for frame in frames {
        decoder.on(frame, &mut sink);
    }
    if !sink.has_fault() {
        decoder.end(End::Clean, &mut sink);
    }
    let fault = sink.take_fault();
    let mut read = through(sink.items);
    read.fault = read.fault.or(fault);
    read
}

/// Writes a stream for a Gemini client; its grammar must hold.
#[track_caller]
pub(crate) fn to_gemini(read: &Read, framing: Framing, shows_thoughts: bool) -> String {
    let mut encoder = gemini::StreamOut::new(context(), framing, shows_thoughts);
    let mut out = Vec::new();
    encoder.open(&mut out);
    for event in &read.events {
        encoder.event(event, &mut out);
        encoder.keep_alive(&mut out);
    }
    if let Some(failure) = &read.fault {
        encoder.fail(failure, &mut out);
    } else {
        // Nothing follows the end.
        let end = out
            .iter()
            .rposition(|byte| !byte.is_ascii_whitespace())
            .unwrap()
            + 1;
        out.truncate(end);
        out.extend_from_slice(b"\n\n");
    }
    let mut acceptor = grammar::Acceptor::new(framing);
    let accepted = acceptor.feed(&out).and_then(|()| acceptor.finish());
    let text = String::from_utf8(out).unwrap();
    assert_eq!(accepted, Ok(()), "{text}");
    text
}

/// The responses of a stream that was written, in either framing.
pub(crate) fn responses(stream: &str) -> Vec<serde_json::Value> {
    if stream.trim_start().starts_with('[') {
        return serde_json::from_str(stream).unwrap();
    }
    let data = stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

/// The parts of all responses.
pub(crate) fn parts(stream: &str) -> Vec<serde_json::Value> {
    let parts = |response: serde_json::Value| {
        let parts = response["candidates"][0]["content"]["parts"].clone();
        parts.as_array().cloned().unwrap_or_default()
    };
    responses(stream).into_iter().flat_map(parts).collect()
}

/// A reply as a whole; must not have failed.
#[track_caller]
pub(crate) fn whole(read: &Read) -> Reply {
    assert_eq!(read.fault, None);
    fold(read.events.iter().cloned())
}

/// Encodes a request for a Gemini host.
pub(crate) fn encoded(decoded: &lingate_wire::Decoded, model: &str) -> (String, Vec<String>) {
    let upstream = UpstreamContext {
        model,
        seal: &seal_key(),
    };
    written(gemini::encode_request(decoded, &upstream))
}

/// A body and the paths of what it lost.
pub(crate) fn written(encoded: Encoded) -> (String, Vec<String>) {
    let losses = encoded
        .losses
        .iter()
        .map(|loss| loss.path.clone())
        .collect();
    let body = String::from_utf8(encoded.body).unwrap();
    serde_json::from_str::<serde_json::Value>(&body)
        .unwrap_or_else(|error| panic!("{error}: {body}"));
    (body, losses)
}
