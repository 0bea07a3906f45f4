//! Streams of this wire: in, out, and round.

use lingate_wire::anthropic::{StreamOut, decode_response};
use lingate_wire::stage::{End, Note};
use lingate_wire::turn::{
    Delta, Event, Failure, FailureKind, Opening, Reply, Slot, Start, Stop, StopReason, Usage, fold,
    replay,
};
use lingate_wire::{StreamEncoder, Wire};
use serde_json::{Value, json};

use crate::anthropic_chain::{Outcome, context, read, sequenced, stream_of, written};

const FIXTURES: [(&str, &str); 4] = [
    (
        "everything",
        include_str!("../../testdata/anthropic/everything.sse"),
    ),
    (
        "llama_cpp_text",
        include_str!("../../testdata/anthropic/llama_cpp_text.sse"),
    ),
    (
        "vllm_text",
        include_str!("../../testdata/anthropic/vllm_text.sse"),
    ),
    (
        "vllm_cut_call",
        include_str!("../../testdata/anthropic/vllm_cut_call.sse"),
    ),
];

fn vectors() -> Vec<(String, String)> {
    include_str!("../../testdata/anthropic/streams.jsonl")
        .lines()
        .map(|line| {
            let vector: Value = serde_json::from_str(line).unwrap();
            let events = vector["events"].as_array().unwrap();
            (vector["id"].as_str().unwrap().to_owned(), stream_of(events))
        })
        .collect()
}

fn all() -> Vec<(String, String)> {
    let fixtures = FIXTURES
        .iter()
        .map(|(name, body)| ((*name).to_owned(), (*body).to_owned()));
    fixtures.chain(vectors()).collect()
}

fn reply(outcome: &Outcome) -> Reply {
    fold(outcome.events.clone())
}

#[test]
fn every_way_of_cutting_gives_the_same_events() {
    for (name, body) in all() {
        let body = body.as_bytes();
        let whole = read(&[body], End::Clean);
        for cut in 0..=body.len() {
            let (head, tail) = body.split_at(cut);
            assert_eq!(
                read(&[head, tail], End::Clean),
                whole,
                "{name} cut at {cut}"
            );
        }
        let bytes: Vec<&[u8]> = body.chunks(1).collect();
        assert_eq!(read(&bytes, End::Clean), whole, "{name} byte by byte");
    }
}

#[test]
fn what_is_written_is_grammatical_and_says_the_same() {
    for (name, body) in all() {
        let mut first = read(&[body.as_bytes()], End::Clean);
        let mut sequence = sequenced(first.events);
        sequence.fault = sequence.fault.or(first.fault.take());
        let text = written(&sequence);
        let again = read(&[text.as_bytes()], End::Clean);
        assert_eq!(again.fault.is_some(), sequence.fault.is_some(), "{name}");
        let (mut before, mut after) = (reply(&sequence), reply(&sequenced(again.events)));
        for reply in [&mut before, &mut after] {
            // Our own id and the asked model stand in their place; cache counts that were not told become zero.
            (reply.id, reply.model, reply.usage) = (None, None, Usage::default());
        }
        if sequence.fault.is_none() {
            assert_eq!(after, before, "{name}");
        }
    }
}

#[test]
fn replaying_a_reply_folds_to_it_and_is_grammatical() {
    for (name, body) in all() {
        let read = read(&[body.as_bytes()], End::Clean);
        if read.fault.is_some() {
            continue;
        }
        let reply = reply(&sequenced(read.events));
        assert_eq!(fold(replay(&reply)), reply, "{name}");
        written(&sequenced(replay(&reply)));
    }
}

#[test]
fn stream_and_whole_reply_are_one_reply() {
    let stream = read(&[FIXTURES[0].1.as_bytes()], End::Clean);
    let whole =
        decode_response(&include_str!("../../testdata/anthropic/everything.json").into()).unwrap();
    assert_eq!(reply(&sequenced(stream.events)), reply(&sequenced(whole)));
}

/// The events of a stream without its first and last two: what stands between start and end.
#[track_caller]
fn check_blocks(blocks: &[Value], expected: &[Event]) {
    let mut events = vec![json!({"type": "message_start", "message": {"usage": {}}})];
    events.extend(blocks.iter().cloned());
    events.push(json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}));
    let got = read(&[stream_of(&events).as_bytes()], End::Clean).events;
    assert_eq!(got[1..got.len() - 2], *expected);
}

const SLOT: Slot = Slot(0);

fn delta(delta: Delta) -> Event {
    Event::Delta { slot: SLOT, delta }
}

#[test]
fn a_block_may_hold_something_when_it_opens() {
    let start =
        |block: Value| json!({"type": "content_block_start", "index": 0, "content_block": block});
    let stop = json!({"type": "content_block_stop", "index": 0});
    let open = |block: Opening| Event::Open { slot: SLOT, block };
    let close = Event::Close { slot: SLOT };
    check_blocks(
        &[start(json!({"type": "text", "text": "Hi"})), stop.clone()],
        &[
            open(Opening::Text),
            delta(Delta::Text("Hi".into())),
            close.clone(),
        ],
    );
    check_blocks(
        &[
            start(json!({"type": "thinking", "thinking": "t", "signature": "s"})),
            stop.clone(),
        ],
        &[
            open(Opening::Thinking),
            delta(Delta::Thinking("t".into())),
            delta(Delta::Signature("s".into())),
            close.clone(),
        ],
    );
    let call = || Opening::ToolUse {
        id: "a".into(),
        name: "f".into(),
        namespace: None,
        is_freeform: false,
        extra: vec![],
    };
    let input = json!({"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}});
    check_blocks(
        &[start(input.clone()), stop.clone()],
        &[
            open(call()),
            delta(Delta::Input("{\"x\":1}".into())),
            close.clone(),
        ],
    );
    // A placeholder in front of the real input.
    let piece = json!({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "{\"y\":2}"}});
    check_blocks(
        &[start(input), piece, stop],
        &[open(call()), delta(Delta::Input("{\"y\":2}".into())), close],
    );
}

#[track_caller]
fn check_end(body: &str, end: End, is_done: bool, fault: Option<FailureKind>) {
    let outcome = read(&[body.as_bytes()], end);
    assert_eq!(
        outcome.events.last() == Some(&Event::Done),
        is_done,
        "{body}"
    );
    assert_eq!(outcome.fault.map(|failure| failure.kind), fault, "{body}");
}

#[test]
fn how_streams_end() {
    let start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{}}\n\n";
    let stop = format!(
        "{start}data: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"end_turn\"}}}}\n\n"
    );
    let broken = || End::Broken(Failure::new(FailureKind::Timeout, "idle"));
    check_end(
        &format!("{stop}data: {{\"type\":\"message_stop\"}}\n\n"),
        End::Truncated,
        true,
        None,
    );
    check_end(
        &format!("{stop}data: [DONE]\n\n"),
        End::Truncated,
        true,
        None,
    );
    check_end(&stop, End::Clean, true, None);
    check_end(&stop, End::Truncated, true, None);
    check_end(&stop, broken(), true, None);
    check_end(start, End::Clean, false, Some(FailureKind::Truncated));
    check_end(
        &format!("{start}data: [DONE]\n\n"),
        End::Clean,
        false,
        Some(FailureKind::Truncated),
    );
    check_end(start, broken(), false, Some(FailureKind::Timeout));
    check_end("", End::Clean, false, Some(FailureKind::Truncated));
    check_end(
        "data: <html>\n\n",
        End::Clean,
        false,
        Some(FailureKind::Malformed),
    );
    check_end(
        &format!("{start}data: {{]\n\n"),
        End::Clean,
        false,
        Some(FailureKind::Truncated),
    );
    for (error, kind) in [
        (
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            FailureKind::Overloaded,
        ),
        (
            r#"{"error":{"message":"boom","code":500}}"#,
            FailureKind::Server,
        ),
        (
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens > 8 maximum"}}"#,
            FailureKind::ContextOverflow {
                tokens: Some(9),
                maximum: Some(8),
            },
        ),
    ] {
        check_end(
            &format!("{start}data: {error}\n\n"),
            End::Clean,
            false,
            Some(kind),
        );
    }
    let plain = format!("{start}event: error\ndata: upstream connect error\n\n");
    let failure = read(&[plain.as_bytes()], End::Clean).fault.unwrap();
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (FailureKind::Server, "upstream connect error")
    );
}

#[test]
fn an_empty_error_is_none_and_a_name_may_occur_twice() {
    for odd in [
        r#"{"type":"novelty","error":null}"#,
        r#"{"type":"novelty","error":""}"#,
        r#"{"type":"novelty","error":{}}"#,
        r#"{"type":"ping","type":"ping"}"#,
    ] {
        let outcome = read(&[format!("data: {odd}\n\n").as_bytes()], End::Clean);
        let failure = outcome.fault.unwrap();
        assert_eq!(failure.kind, FailureKind::Truncated, "{odd}");
    }
}

#[test]
fn a_call_that_never_stops_keeps_the_input_it_came_with() {
    let events = [
        json!({"type": "content_block_start", "index": 0,
            "content_block": {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}}}),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}}),
        json!({"type": "message_stop"}),
    ];
    let events = read(&[stream_of(&events).as_bytes()], End::Clean).events;
    assert!(
        events.contains(&delta(Delta::Input("{\"x\":1}".into()))),
        "{events:?}"
    );
}

#[test]
fn odd_events_are_passed_over_and_noted() {
    let body = "data: {\"type\":\"novelty\"}\n\ndata: <novelty>\n\nevent: ping\ndata: {}\n\n";
    let outcome = read(&[body.as_bytes()], End::Clean);
    assert_eq!(
        outcome.notes,
        [Note::Diag("unknown_event"), Note::Diag("malformed_chunk")]
    );
    assert_eq!(outcome.events, [Event::Ping]);
}

#[test]
fn a_broken_event_in_mid_stream_is_no_reply() {
    let broken = "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\"\n\n";
    let before = read(
        &[broken.as_bytes(), b"event: ping\ndata: {}\n\n"],
        End::Clean,
    );
    let fault = before.fault.map(|failure| failure.kind);
    assert_eq!(fault, Some(FailureKind::Malformed));
    // The last one was cut off with the stream, which is what the client is told.
    let last = read(&[broken.as_bytes()], End::Truncated);
    assert_eq!(
        last.fault.map(|failure| failure.kind),
        Some(FailureKind::Malformed)
    );
}

/// Writes `events` behind an opening, and checks the events of the stream from `message_delta` or the block on.
#[track_caller]
fn check_written(events: &[Event], expected: &[Value]) {
    let mut encoder = StreamOut::new(context());
    let mut out = Vec::new();
    encoder.open(&mut out);
    let from = out.len();
    encoder.open(&mut out);
    for event in events {
        encoder.event(event, &mut out);
    }
    let text = String::from_utf8(out.split_off(from)).unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let got: Vec<Value> = data
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    assert_eq!(got, expected);
}

#[test]
fn the_opening_may_go_out_early_and_is_not_repeated() {
    let mut out = Vec::new();
    StreamOut::new(context()).open(&mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_0193a1b2c3d47abc8def0123456789ab\",\
         \"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-asked\",\"content\":[],\"stop_reason\":null,\
         \"stop_sequence\":null,\"usage\":{\"input_tokens\":100,\"cache_creation_input_tokens\":0,\
         \"cache_read_input_tokens\":0,\"output_tokens\":0}}}\n\n"
    );
    check_written(
        &[Event::Start(Start::default()), Event::Ping],
        &[json!({"type": "ping"})],
    );
}

#[test]
fn usage_is_corrected_at_the_end_or_estimated() {
    let end = |usage: Value| json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage": usage});
    let told = Usage {
        input: Some(40),
        cache_read: Some(60),
        output: Some(7),
        reasoning: Some(3),
        ..Usage::default()
    };
    let stop = || Event::Stop(Stop::new(StopReason::EndTurn));
    check_written(
        &[Event::Usage(told), stop()],
        &[end(
            json!({"input_tokens": 40, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 60, "output_tokens": 7, "output_tokens_details": {"thinking_tokens": 3}}),
        )],
    );
    let mut encoder = StreamOut::new(context());
    let mut out = Vec::new();
    let text = Event::Open {
        slot: SLOT,
        block: Opening::Text,
    };
    for event in [
        text,
        delta(Delta::Text("123456789".into())),
        Event::Close { slot: SLOT },
        stop(),
    ] {
        encoder.event(&event, &mut out);
    }
    let text = String::from_utf8(out).unwrap();
    assert!(
        text.contains("\"output_tokens\":3}"),
        "nine bytes are about three tokens: {text}"
    );
}

#[test]
fn blocks_that_only_the_hub_knows() {
    let open = |block: Opening| Event::Open { slot: SLOT, block };
    let close = || Event::Close { slot: SLOT };
    let start =
        |block: Value| json!({"type": "content_block_start", "index": 0, "content_block": block});
    let grown = |delta: Value| json!({"type": "content_block_delta", "index": 0, "delta": delta});
    let stop = || json!({"type": "content_block_stop", "index": 0});
    check_written(
        &[
            open(Opening::Refusal),
            delta(Delta::Text("No.".into())),
            close(),
        ],
        &[
            start(json!({"type": "text", "text": ""})),
            grown(json!({"type": "text_delta", "text": "No."})),
            stop(),
        ],
    );
    check_written(
        &[
            open(Opening::Thinking),
            delta(Delta::Thinking("t".into())),
            close(),
        ],
        &[
            start(json!({"type": "thinking", "thinking": "", "signature": ""})),
            grown(json!({"type": "thinking_delta", "thinking": "t"})),
            grown(json!({"type": "signature_delta", "signature": ""})),
            stop(),
        ],
    );
    let input = |piece: &str| grown(json!({"type": "input_json_delta", "partial_json": piece}));
    check_written(
        &[
            open(Opening::ToolUse {
                id: "a".into(),
                name: "patch".into(),
                namespace: None,
                is_freeform: true,
                extra: vec![],
            }),
            delta(Delta::Input("say \"x\"\n".into())),
            close(),
        ],
        &[
            start(json!({"type": "tool_use", "id": "a", "name": "patch", "input": {}})),
            input("{\"input\":\""),
            input("say \\\"x\\\"\\n"),
            input("\"}"),
            stop(),
        ],
    );
    // Another wire's block is left out, and the next one takes its index.
    let foreign = lingate_wire::turn::Foreign {
        wire: Wire::Responses,
        raw: "{}".into(),
    };
    check_written(
        &[
            open(Opening::Foreign(foreign)),
            close(),
            Event::Open {
                slot: Slot(1),
                block: Opening::Text,
            },
            Event::Close { slot: Slot(1) },
        ],
        &[start(json!({"type": "text", "text": ""})), stop()],
    );
}
