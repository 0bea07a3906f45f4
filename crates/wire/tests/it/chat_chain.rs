//! What the tests of the Chat wire share: the whole way of a stream, and fixtures.

use std::path::PathBuf;

use bytes::Bytes;
use bytestring::ByteString;
use lingate_wire::sse::{Frame, SseParser};
use lingate_wire::stage::{End, Sink, Stage};
use lingate_wire::turn::{EmptyReply, Event, Failure, SealKey, SealStage, Sequencer, ToolIdStage};
use lingate_wire::{ReplyContext, StreamEncoder, anthropic, chat};

const EXCHANGE: &str = "0193a1b2-c3d4-7abc-8def-0123456789ab";

/// The text of a fixture.
pub(crate) fn fixture(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names and texts of a folder's fixtures, in order.
pub(crate) fn fixtures(folder: &str) -> Vec<(String, String)> {
    let mut names: Vec<String> = std::fs::read_dir(root().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
        .into_iter()
        .map(|name| (name.clone(), fixture(&format!("{folder}/{name}"))))
        .collect()
}

/// The lines of a fixture as JSON.
pub(crate) fn lines(path: &str) -> Vec<serde_json::Value> {
    fixture(path)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

pub(crate) fn seal_key() -> SealKey {
    SealKey::new("provider", "provider#1", "model")
}

pub(crate) fn context() -> ReplyContext {
    ReplyContext {
        exchange: EXCHANGE.to_owned(),
        model: "asked".into(),
        created: 1,
        input_estimate: 10,
    }
}

/// The sequenced events of a stream, and what broke it.
pub(crate) struct Read {
    pub(crate) events: Vec<Event>,
    pub(crate) fault: Option<Failure>,
}

/// Reads a Chat host's stream, given in pieces, as the gateway does.
pub(crate) fn read_chat(pieces: &[&[u8]]) -> Read {
    read(pieces, &mut chat::StreamIn::default())
}

/// Reads an Anthropic provider's stream.
pub(crate) fn read_anthropic(text: &str) -> Read {
    read(&[text.as_bytes()], &mut anthropic::StreamIn::default())
}

fn read(pieces: &[&[u8]], decoder: &mut dyn Stage<In = Frame, Out = Event>) -> Read {
    let mut parser = SseParser::new();
    let mut frames = Vec::new();
    for piece in pieces {
        parser
            .push(Bytes::copy_from_slice(piece), &mut frames)
            .unwrap();
    }
    parser.finish(&mut frames).unwrap();
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

/// Takes decoded events through the stages that follow every decoder.
pub(crate) fn through(events: Vec<Event>) -> Read {
    let mut stages: [Box<dyn Stage<In = Event, Out = Event>>; 3] = [
        Box::new(ToolIdStage::new(EXCHANGE, Vec::new())),
        Box::new(SealStage::new(seal_key())),
        Box::new(Sequencer::new(EmptyReply::Pass)),
    ];
    let mut events = events;
    let mut fault = None;
    for stage in &mut stages {
        let mut sink = Sink::new();
        for event in events {
            stage.on(event, &mut sink);
        }
        fault = fault.or(sink.take_fault());
        events = sink.items;
    }
    Read { events, fault }
}

/// Writes a stream for an Anthropic client.
pub(crate) fn write_anthropic(read: &Read) -> String {
    write(read, &mut anthropic::StreamOut::new(context()))
}

/// Writes a stream for an Anthropic client; its grammar must hold.
#[track_caller]
pub(crate) fn to_anthropic(read: &Read) -> String {
    let mut acceptor = anthropic::grammar::Acceptor::new();
    let text = write_anthropic(read);
    let accepted = acceptor
        .feed(text.as_bytes())
        .and_then(|()| acceptor.finish());
    assert_eq!(accepted, Ok(()), "{text}");
    text
}

/// Writes a stream for a Chat client that asked for usage; its grammar must hold.
#[track_caller]
pub(crate) fn to_chat(read: &Read) -> String {
    let mut acceptor = chat::grammar::Acceptor::new();
    let text = write(
        read,
        &mut chat::StreamOut::new(context(), true, chat::CallStyle::Tools),
    );
    let accepted = acceptor
        .feed(text.as_bytes())
        .and_then(|()| acceptor.finish());
    assert_eq!(accepted, Ok(()), "{text}");
    text
}

fn write(read: &Read, encoder: &mut dyn StreamEncoder) -> String {
    let mut out = Vec::new();
    for event in &read.events {
        encoder.event(event, &mut out);
    }
    if let Some(failure) = &read.fault {
        encoder.fail(failure, &mut out);
    }
    String::from_utf8(out).unwrap()
}

/// The JSON events of a stream that was written; `[DONE]` is left out.
pub(crate) fn data(stream: &str) -> Vec<serde_json::Value> {
    let data = stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

/// Translates an Anthropic client's request; gives the body and the losses.
#[track_caller]
pub(crate) fn translated(body: &str, dialect: &chat::Dialect) -> (String, Vec<String>) {
    let doc = anthropic::scan_request(&ByteString::from(body)).unwrap();
    encoded(&anthropic::decode_request(&doc).unwrap(), dialect)
}

/// Encodes a request for a Chat host.
pub(crate) fn encoded(
    decoded: &lingate_wire::Decoded,
    dialect: &chat::Dialect,
) -> (String, Vec<String>) {
    let upstream = lingate_wire::UpstreamContext {
        model: "upstream-model",
        seal: &seal_key(),
    };
    let encoded = chat::encode_request(decoded, &upstream, dialect);
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
