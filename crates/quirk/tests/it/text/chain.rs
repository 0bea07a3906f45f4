//! The whole way: a Chat host's chunks in, an Anthropic client's stream out, in that wire's grammar; streamed or whole.

use lingate_wire::sse::Frame;
use lingate_wire::stage::{End, Sink, Stage as _};
use lingate_wire::turn::{
    Delta, EmptyReply, Event, Failure, Reply, SealKey, SealStage, Sequencer, ToolIdStage, fold,
};
use lingate_wire::{ReplyContext, StreamEncoder as _, anthropic, chat};
use serde_json::{Value, json};

use super::kimi_k2::{pieces, stages, vectors};
use super::{Piece, Stages, in_pieces};

const EXCHANGE: &str = "0193a1b2-c3d4-7abc-8def-0123456789ab";

/// A host's chunks for these deltas.
fn chunks(pieces: &[Piece<'_>], finish: &str) -> Vec<String> {
    let chunk = |delta: Value, finish: Value| {
        json!({ "id": "c", "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] })
            .to_string()
    };
    let mut chunks: Vec<String> = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Content(text) => chunk(json!({ "content": text }), Value::Null),
            Piece::Reasoning(text) => chunk(json!({ "reasoning_content": text }), Value::Null),
        })
        .collect();
    chunks.push(chunk(json!({}), finish.into()));
    chunks.push("[DONE]".to_owned());
    chunks
}

/// The events of a stream, as decoded.
fn streamed(pieces: &[Piece<'_>], finish: &str) -> Vec<Event> {
    let mut decoder = chat::StreamIn::default();
    let mut sink = Sink::new();
    for chunk in chunks(pieces, finish) {
        let frame = Frame {
            event: None,
            data: chunk.into(),
        };
        decoder.on(frame, &mut sink);
    }
    decoder.end(End::Clean, &mut sink);
    assert_eq!(sink.take_fault(), None);
    sink.items
}

/// The events of the same reply, not streamed.
fn whole(pieces: &[Piece<'_>], finish: &str) -> Vec<Event> {
    let all = |is_content: bool| -> String {
        let own = pieces
            .iter()
            .filter(|piece| matches!(piece, Piece::Content(_)) == is_content);
        own.map(Piece::text).collect()
    };
    let message =
        json!({ "role": "assistant", "reasoning_content": all(false), "content": all(true) });
    let body = json!({ "id": "c", "choices": [{ "index": 0, "message": message, "finish_reason": finish }] });
    chat::decode_response(&body.to_string().into()).unwrap()
}

/// Takes decoded events to the end of the chain.
fn through(stages: &Stages, mut events: Vec<Event>) -> (Vec<Event>, Option<Failure>) {
    let mut fault = None;
    let mut chain = stages.make();
    chain.push(Box::new(ToolIdStage::new(EXCHANGE, Vec::new())));
    chain.push(Box::new(SealStage::new(SealKey::new("p", "p#1", "m"))));
    chain.push(Box::new(Sequencer::new(EmptyReply::Fault)));
    for stage in &mut chain {
        let mut sink = Sink::new();
        for event in events {
            if !sink.has_fault() {
                stage.on(event, &mut sink);
            }
        }
        fault = fault.or(sink.take_fault());
        events = sink.items;
    }
    (events, fault)
}

/// Writes a stream for the client and holds it against the grammar.
#[track_caller]
fn accepted(id: &str, events: &[Event], fault: Option<&Failure>) {
    let mut encoder = anthropic::StreamOut::new(ReplyContext {
        exchange: EXCHANGE.to_owned(),
        model: "m".into(),
        created: 1,
        input_estimate: 1,
    });
    let mut out = Vec::new();
    for event in events {
        encoder.event(event, &mut out);
    }
    if let Some(failure) = fault {
        encoder.fail(failure, &mut out);
    }
    let mut acceptor = anthropic::grammar::Acceptor::new();
    let accepted = acceptor.feed(&out).and_then(|()| acceptor.finish());
    assert_eq!(accepted, Ok(()), "{id}: {:?}", String::from_utf8(out));
}

#[test]
fn every_vector_streams_in_the_clients_grammar_and_equals_the_whole_reply() {
    for vector in vectors() {
        let id = vector["id"].as_str().unwrap();
        let stages = stages(&vector);
        let finish = vector["finish"].as_str().unwrap();
        let pieces = pieces(&vector);
        let not_streamed = through(&stages, whole(&pieces, finish));
        let reply = |events: &[Event]| -> Reply { fold(events.to_vec()) };
        for size in [1, 7, usize::MAX] {
            let (events, fault) = through(&stages, streamed(&in_pieces(&pieces, size), finish));
            accepted(id, &events, fault.as_ref());
            assert_eq!(fault, not_streamed.1, "{id}");
            assert_eq!(reply(&events), reply(&not_streamed.0), "{id}");
        }
        let errs = !vector["expect"]["error"].is_null() || id == "K57" || id == "K19";
        assert_eq!(not_streamed.1.is_some(), errs, "{id}: {:?}", not_streamed.1);
    }
}

#[test]
fn arguments_go_out_as_they_come() {
    let stages = super::kimi_k2::explicit().stages();
    let text = super::kimi_k2::spelled(
        r#"Look. «S»«C»functions.Write:0«A»{"file_path":"a","content":"0123456789"#,
    );
    let pieces = in_pieces(&[Piece::Content(&text)], 1);
    let mut events = streamed(&pieces, "stop");
    // The stream is still open.
    events.truncate(events.len() - 3);
    let (events, fault) = through(&stages, events);
    assert_eq!(fault, None);
    let arguments: String = events
        .iter()
        .filter_map(|event| match event {
            Event::Delta {
                delta: Delta::Input(piece),
                ..
            } => Some(piece.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(arguments, r#"{"file_path":"a","content":"0123456789"#);
}
