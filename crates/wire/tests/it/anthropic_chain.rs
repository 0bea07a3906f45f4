//! What the tests of this wire share: the stream chain without quirks, and fixtures.

use bytes::Bytes;
use lingate_wire::anthropic::{StreamIn, StreamOut, grammar::Acceptor};
use lingate_wire::sse::SseParser;
use lingate_wire::stage::{End, Note, Sink, Stage};
use lingate_wire::turn::{EmptyReply, Event, Failure, Sequencer};
use lingate_wire::{ReplyContext, StreamEncoder};

/// What a provider's stream became.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) events: Vec<Event>,
    pub(crate) notes: Vec<Note>,
    pub(crate) fault: Option<Failure>,
}

/// Reads a provider's stream, given in pieces.
pub(crate) fn read(pieces: &[&[u8]], end: End) -> Outcome {
    let mut parser = SseParser::new();
    let mut frames = Vec::new();
    for piece in pieces {
        parser
            .push(Bytes::copy_from_slice(piece), &mut frames)
            .unwrap();
    }
    parser.finish(&mut frames).unwrap();
    let mut stage = StreamIn::new();
    let mut sink = Sink::new();
    for frame in frames {
        stage.on(frame, &mut sink);
    }
    if !sink.has_fault() {
        stage.end(end, &mut sink);
    }
    outcome(sink)
}

/// Puts events in sequence.
pub(crate) fn sequenced(events: Vec<Event>) -> Outcome {
    let mut sequencer = Sequencer::new(EmptyReply::Pass);
    let mut sink = Sink::new();
    for event in events {
        sequencer.on(event, &mut sink);
    }
    outcome(sink)
}

fn outcome(mut sink: Sink<Event>) -> Outcome {
    let fault = sink.take_fault();
    Outcome {
        events: sink.items,
        notes: sink.notes,
        fault,
    }
}

/// The exchange that replies are written for.
pub(crate) fn context() -> ReplyContext {
    ReplyContext {
        exchange: "0193a1b2-c3d4-7abc-8def-0123456789ab".to_owned(),
        model: "claude-asked".into(),
        created: 1_700_000_000,
        input_estimate: 100,
    }
}

/// Writes a sequenced reply as a stream, which the acceptor must take.
#[track_caller]
pub(crate) fn written(outcome: &Outcome) -> String {
    let mut encoder = StreamOut::new(context());
    let mut out = Vec::new();
    for event in &outcome.events {
        encoder.event(event, &mut out);
    }
    if let Some(failure) = &outcome.fault {
        encoder.fail(failure, &mut out);
    }
    let mut acceptor = Acceptor::new();
    let accepted = acceptor.feed(&out).and_then(|()| acceptor.finish());
    let text = String::from_utf8(out).unwrap();
    assert_eq!(accepted, Ok(()), "{text}");
    text
}

/// A provider's stream out of a list of JSON events.
pub(crate) fn stream_of(events: &[serde_json::Value]) -> String {
    events
        .iter()
        .map(|event| {
            format!(
                "event: {}\ndata: {event}\n\n",
                event["type"].as_str().unwrap()
            )
        })
        .collect()
}
