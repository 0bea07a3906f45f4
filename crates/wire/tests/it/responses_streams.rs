//! Streams of the Responses wire: what clients are given, and what is read of it again.

use bytes::Bytes;
use bytestring::ByteString;
use lingate_wire::sse::SseParser;
use lingate_wire::stage::{End, Sink, Stage};
use lingate_wire::turn::{
    Event, Freeform, FreeformStage, NamespaceStage, Namespaces, Reply, StopReason, fold, replay,
};
use lingate_wire::{StreamEncoder, responses};
use serde_json::{Value, json};

use crate::chat_chain::{Read, context, data, fixture, lines, read_anthropic, read_chat, through};
use crate::vectors_stream::chat_stream;

/// A reply as a Responses client is sent it.
pub(crate) fn to_responses(read: &Read) -> String {
    let mut encoder = responses::StreamOut::new(context());
    let mut out = Vec::new();
    for event in &read.events {
        encoder.event(event, &mut out);
    }
    if let Some(failure) = &read.fault {
        encoder.fail(failure, &mut out);
    }
    let text = String::from_utf8(out).unwrap();
    responses::grammar::check(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    text
}

/// The events decoded from a stream given in pieces, and what broke it.
fn decoded(pieces: &[&[u8]]) -> Read {
    let mut parser = SseParser::new();
    let mut frames = Vec::new();
    for piece in pieces {
        parser
            .push(Bytes::copy_from_slice(piece), &mut frames)
            .unwrap();
    }
    parser.finish(&mut frames).unwrap();
    let mut decoder = responses::StreamIn::default();
    let mut sink = Sink::new();
    for frame in frames {
        decoder.on(frame, &mut sink);
    }
    if !sink.has_fault() {
        decoder.end(End::Clean, &mut sink);
    }
    Read {
        fault: sink.take_fault(),
        events: sink.items,
    }
}

/// Reads a Responses host's stream, given in pieces, as the gateway does.
pub(crate) fn read_responses(pieces: &[&[u8]]) -> Read {
    let first = decoded(pieces);
    let mut read = through(first.events);
    read.fault = first.fault.or(read.fault);
    read
}

/// Takes out what the exchange decides, and the seal.
fn shape(mut value: Value) -> Value {
    fn walk(value: &mut Value) {
        match value {
            Value::Object(object) => {
                for key in ["id", "item_id"] {
                    if let Some(id) = object.get_mut(key) {
                        let kind = id.as_str().unwrap().split('_').next().unwrap().to_owned();
                        *id = json!(kind);
                    }
                }
                if object.contains_key("encrypted_content") {
                    object.insert("encrypted_content".to_owned(), json!("SEAL"));
                }
                if object.contains_key("object") {
                    object.remove("model");
                }
                object.values_mut().for_each(walk);
            }
            Value::Array(items) => items.iter_mut().for_each(walk),
            _ => {}
        }
    }
    walk(&mut value);
    value
}

#[test]
fn the_vectors_come_out_event_by_event() {
    for vector in lines("responses/vectors.jsonl") {
        let events = vector["events"].as_array().unwrap();
        let stream: String = events
            .iter()
            .map(|event| {
                format!(
                    "event: {}\ndata: {event}\n\n",
                    event["type"].as_str().unwrap()
                )
            })
            .collect();
        let found = data(&to_responses(&read_anthropic(&stream)));
        let expected = vector["responses"].as_array().unwrap();
        for (nth, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert_eq!(
                shape(found.clone()),
                shape(expected.clone()),
                "{} {}: event {nth}",
                vector["id"],
                vector["note"]
            );
        }
        assert_eq!(found.len(), expected.len(), "{}", vector["id"]);
    }
}

/// The reply without what only the exchange knows.
fn bare(events: Vec<Event>) -> Reply {
    Reply {
        id: None,
        model: None,
        ..fold(events)
    }
}

/// Every vector's stream survives the way to a Responses client, streamed and whole.
#[test]
fn what_is_written_is_read_again() {
    for vector in lines("vectors/stream.jsonl") {
        let stream = chat_stream(vector["chunks"].as_array().unwrap());
        let first = read_chat(&[stream.as_bytes()]);
        let is_fault = first.fault.is_some();
        let written = to_responses(&first);
        let second = decoded(&[written.as_bytes()]);
        assert_eq!(second.fault.is_some(), is_fault, "{}", vector["id"]);
        if is_fault {
            continue;
        }
        let reply = bare(first.events.clone());
        let again = bare(through(second.events.clone()).events);
        assert_eq!(texts(&again), texts(&reply), "{}", vector["id"]);
        assert_eq!(
            again.usage.output.unwrap_or(0),
            reply.usage.output.unwrap_or(0)
        );

        let whole = responses::encode_response(&fold(first.events), &context());
        let whole = ByteString::try_from(Bytes::from(whole)).unwrap();
        let from_whole = responses::decode_response(&whole).unwrap();
        assert_eq!(
            bare(from_whole),
            bare(second.events),
            "{}: streamed and whole",
            vector["id"]
        );
    }
}

/// The blocks of a reply in short, and why it ends.
pub(crate) fn texts(reply: &Reply) -> Vec<String> {
    use lingate_wire::turn::{Block, ToolInput};
    let blocks = reply.blocks.iter().map(|block| match &**block {
        Block::Text { text, .. } => format!("text {text}"),
        Block::Refusal(text) => format!("refuse {text}"),
        Block::Thinking(thinking) => format!("think {}", thinking.text),
        Block::ToolUse(call) => match &call.input {
            ToolInput::Json(input) => format!("call {} {input}", call.name),
            ToolInput::Freeform(input) => format!("custom {} {input}", call.name),
        },
        other => format!("{other:?}"),
    });
    blocks.collect()
}

#[test]
fn every_cut_gives_the_same() {
    for vector in lines("responses/vectors.jsonl") {
        let events = vector["responses"].as_array().unwrap();
        let stream: String = events
            .iter()
            .map(|event| {
                format!(
                    "event: {}\ndata: {event}\n\n",
                    event["type"].as_str().unwrap()
                )
            })
            .collect();
        let whole = decoded(&[stream.as_bytes()]);
        let each: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        assert_eq!(decoded(&each).events, whole.events);
        for cut in (0..stream.len()).step_by(7) {
            let (head, tail) = stream.as_bytes().split_at(cut);
            let read = decoded(&[head, tail]);
            assert_eq!(read.events, whole.events, "{} cut at {cut}", vector["id"]);
            assert_eq!(read.fault, whole.fault);
        }
    }
}

/// Recorded streams of real hosts, whole and cut: one numbers nothing, the other says `completed` of what a limit cut.
#[test]
fn real_hosts_are_read() {
    for (name, text, stop) in [
        (
            "llama_cpp",
            "text I'm a creative writing AI assistant. I can assist with various aspects of creative",
            StopReason::EndTurn,
        ),
        (
            "vllm",
            "text The USS Kassim is more than any small town. It's about a",
            StopReason::MaxTokens,
        ),
    ] {
        let stream = fixture(&format!("responses/{name}.sse"));
        let read = read_responses(&[stream.as_bytes()]);
        assert_eq!(read.fault, None, "{name}");
        let reply = fold(read.events.clone());
        assert_eq!(texts(&reply), [text], "{name}");
        assert_eq!(reply.stop.map(|stop| stop.reason), Some(stop), "{name}");
        assert_eq!(reply.usage.total_input(), Some(10), "{name}");
        assert_eq!(reply.usage.output, Some(16), "{name}");
        for cut in (0..stream.len()).step_by(11) {
            let (head, tail) = stream.as_bytes().split_at(cut);
            assert_eq!(read_responses(&[head, tail]).events, read.events);
        }
        to_responses(&read);
    }
}

/// A stream that breaks off anywhere is a fault, never an answer.
#[test]
fn a_cut_stream_is_a_fault() {
    for vector in lines("responses/vectors.jsonl") {
        let events = vector["responses"].as_array().unwrap();
        for n in 0..events.len() - 1 {
            let stream: String = events
                .iter()
                .take(n)
                .map(|event| format!("data: {event}\n\n"))
                .collect();
            let read = read_responses(&[stream.as_bytes()]);
            assert!(read.fault.is_some(), "{} after {n}", vector["id"]);
            let written = to_responses(&read);
            assert!(written.contains("response.failed"));
            assert!(!written.contains("response.completed"));
        }
    }
}

/// Folding and replaying loses nothing of what this wire brings.
#[test]
fn fold_and_replay() {
    for vector in lines("responses/vectors.jsonl") {
        let events = vector["responses"].as_array().unwrap();
        let stream: String = events
            .iter()
            .map(|event| format!("data: {event}\n\n"))
            .collect();
        let reply = fold(read_responses(&[stream.as_bytes()]).events);
        assert_eq!(fold(replay(&reply)), reply, "{}", vector["id"]);
    }
}

/// Codex' own tools on a host that knows functions only: out as functions, back as what they are.
#[test]
fn namespaces_and_free_text_come_back() {
    let request = r#"{"model":"m","input":"hi","tools":[{"type":"custom","name":"apply_patch","format":{"type":"grammar","syntax":"lark","definition":"x"}},{"type":"namespace","name":"agents","description":"d","tools":[{"type":"function","name":"spawn","parameters":{"type":"object"}}]}]}"#;
    let doc = responses::scan_request(&request.into()).unwrap();
    let mut decoded = responses::decode_request(&doc).unwrap();
    let namespaces = Namespaces::flatten(&mut decoded.turn, &mut decoded.params).unwrap();
    let freeform = Freeform::wrap(&mut decoded.turn).unwrap();
    let chunks = [
        json!({"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"apply_patch","arguments":"{\"input\":\"*** Begin\\n"}}]}}]}),
        json!({"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"+x\\u00e9\"}"}}]}}]}),
        json!({"choices":[{"delta":{"tool_calls":[{"index":1,"id":"b","function":{"name":"agents__spawn","arguments":"{}"}}]}}]}),
        json!({"choices":[{"delta":{},"finish_reason":"tool_calls"}]}),
    ];
    let stream = chat_stream(&chunks);
    let mut parser = SseParser::new();
    let mut frames = Vec::new();
    parser
        .push(Bytes::from(stream.into_bytes()), &mut frames)
        .unwrap();
    let mut decoder = lingate_wire::chat::StreamIn::default();
    let mut sink = Sink::new();
    for frame in frames {
        decoder.on(frame, &mut sink);
    }
    let mut events = sink.items;
    let stages: [Box<dyn Stage<In = Event, Out = Event>>; 2] = [
        Box::new(FreeformStage::new(freeform)),
        Box::new(NamespaceStage::new(namespaces)),
    ];
    for mut stage in stages {
        let mut sink = Sink::new();
        for event in events {
            stage.on(event, &mut sink);
        }
        events = sink.items;
    }
    let written = data(&to_responses(&through(events)));
    let output = &written.last().unwrap()["response"]["output"];
    assert_eq!(output[0]["type"], "custom_tool_call");
    assert_eq!(output[0]["input"], "*** Begin\n+x\u{e9}");
    assert_eq!(output[0]["status"], "completed");
    assert_eq!(output[1]["type"], "function_call");
    assert_eq!(output[1]["namespace"], "agents");
    assert_eq!(output[1]["name"], "spawn");
}
