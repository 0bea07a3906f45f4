//! What recording costs, measured by the bench's exchanges, without the gateway:
//! `cargo test --release -p lingate-store cost -- --ignored --nocapture --test-threads 1`.
//!
//! Under callgrind, a long run minus a short one is what the exchanges take: `COST_SHAPE` chooses one and takes no times,
//! `COST_COUNT` says how many.

use std::fmt::Write as _;
use std::time::Duration;

use lingate_store::{
    Attempt, Body, BodyBytes, BodyKind, Bytes, Details, Header, Mark, Mask, Options, StreamCoder,
};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

use crate::support::{Kept, accepted, exchange};

/// Exchanges that run at once: so many begin, then so many end.
const AT_ONCE: u64 = 20;

/// Bytes of each request that were never sent before.
const FRESH: usize = 2048;

/// One kind of exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    name: &'static str,
    is_large: bool,
    is_translated: bool,
    is_stream: bool,
}

const fn shape(name: &'static str, is_large: bool, is_translated: bool, is_stream: bool) -> Shape {
    Shape {
        name,
        is_large,
        is_translated,
        is_stream,
    }
}

const SHAPES: [Shape; 8] = [
    shape("small-json-passthrough", false, false, false),
    shape("small-json-translated", false, true, false),
    shape("small-stream-passthrough", false, false, true),
    shape("small-stream-translated", false, true, true),
    shape("large-json-passthrough", true, false, false),
    shape("large-json-translated", true, true, false),
    shape("large-stream-passthrough", true, false, true),
    shape("large-stream-translated", true, true, true),
];

/// Processor time of this process, in microseconds. None under callgrind, which does not have the clock for it.
fn processor_us() -> u64 {
    if std::env::var_os("COST_SHAPE").is_some() {
        return 0;
    }
    let time: Duration = clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap();
    time.as_micros() as u64
}

/// The bench's request with a turn more, and where its fresh text begins.
struct Asked {
    text: String,
    fresh: usize,
}

impl Asked {
    fn new(body: &Value) -> Self {
        let text = body.to_string();
        let fresh = text.find("@@@@").unwrap();
        Self { text, fresh }
    }

    /// With a text that no other number has.
    fn numbered(&self, number: u64) -> Bytes {
        let mut bytes = self.text.clone().into_bytes();
        let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        for byte in &mut bytes[self.fresh..self.fresh + FRESH] {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *byte = b'a' + (state % 26) as u8;
        }
        bytes.into()
    }
}

fn anthropic(is_large: bool) -> Value {
    let text = if is_large {
        include_str!("../../../../bench/bodies/large.json")
    } else {
        include_str!("../../../../bench/bodies/small.json")
    };
    let mut body: Value = serde_json::from_str(text).unwrap();
    body["messages"].as_array_mut().unwrap().extend([
        json!({"role": "assistant", "content": "Go on."}),
        json!({"role": "user", "content": "@".repeat(FRESH)}),
    ]);
    body
}

/// Roughly what a translation into Chat makes of an Anthropic request.
pub(crate) fn chat(body: &Value) -> Value {
    let mut messages = vec![json!({"role": "system", "content": body["system"]})];
    for message in body["messages"].as_array().unwrap() {
        let Some(blocks) = message["content"].as_array() else {
            messages.push(message.clone());
            continue;
        };
        for block in blocks {
            messages.push(match block["type"].as_str() {
                Some("tool_use") => json!({"role": "assistant", "tool_calls": [{"id": block["id"], "type": "function",
                    "function": {"name": block["name"], "arguments": block["input"].to_string()}}]}),
                Some("tool_result") => {
                    json!({"role": "tool", "tool_call_id": block["tool_use_id"], "content": block["content"]})
                }
                _ => json!({"role": message["role"], "content": block["text"]}),
            });
        }
    }
    let tools = body["tools"].as_array().cloned().unwrap_or_default();
    let tools: Vec<Value> = tools
        .into_iter()
        .map(|tool| {
            json!({"type": "function", "function": {
                "name": tool["name"], "description": tool["description"], "parameters": tool["input_schema"]}})
        })
        .collect();
    json!({"model": "kimi-k2", "stream": body["stream"], "messages": messages, "tools": tools})
}

/// A reply that nobody gave before.
fn reply(shape: Shape, number: u64, is_chat: bool) -> BodyBytes {
    let (mut coder, mut event) = (StreamCoder::default(), String::new());
    let words = (0..100_u64).map(|word| format!(" word{}", word * 7 + number * 131));
    if !shape.is_stream {
        let text = words.collect::<String>();
        let body = if is_chat {
            json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
                "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
                "usage": {"prompt_tokens": 120, "completion_tokens": 80, "total_tokens": 200}})
        } else {
            json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m",
                "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": null,
                "usage": {"input_tokens": 120, "output_tokens": 80}})
        };
        coder.push(body.to_string().as_bytes(), 5000);
        return BodyBytes::Streamed(coder.finish());
    }
    for (at, word) in words.enumerate() {
        event.clear();
        let _ = if is_chat {
            write!(
                event,
                "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"bench-model\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{word}\"}},\"finish_reason\":null}}]}}\n\n"
            )
        } else {
            write!(
                event,
                "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{word}\"}}}}\n\n"
            )
        };
        let at_us = 5000 + at as u64 * 200 + number % 97;
        coder.push(event.as_bytes(), at_us);
    }
    BodyBytes::Streamed(coder.finish())
}

/// What the gateway says of an exchange besides its row.
fn details() -> Details {
    let header = |number: usize| {
        Header(
            format!("x-ratelimit-header-{number}").into(),
            "some value".into(),
        )
    };
    let mark = |(at, what): (usize, &&str)| Mark {
        what: (*what).into(),
        at_us: 100 * at as u64,
    };
    let marks = ["body_read", "sent", "headers", "commit", "last_byte"];
    Details {
        client_request_headers: (0..6).map(header).collect(),
        client_response_headers: (0..8).map(header).collect(),
        attempts: vec![Attempt {
            number: 1,
            provider: "moonshot".into(),
            model: "kimi-k2".into(),
            wire: "chat".into(),
            lane: "translated".into(),
            url: "POST https://api.example.com/v1/chat/completions".into(),
            request_headers: (0..5).map(header).collect(),
            response_headers: (0..5).map(header).collect(),
            status: Some(200),
            reason: "first".into(),
            outcome: "served".into(),
            ..Attempt::default()
        }],
        timings: marks.iter().enumerate().map(mark).collect(),
        ..Details::default()
    }
}

/// Records so many exchanges of a shape. Processor time of one, and what of it the caller took, in microseconds.
fn measured(shape: Shape, count: u64) -> (u64, u64) {
    let mask = Mask::new(["a-key-of-usual-length-0123456789", "bench-key"]);
    let kept = Kept::new(Options {
        mask,
        ..Options::default()
    });
    let body = anthropic(shape.is_large);
    let asked = Asked::new(&body);
    let sent = shape.is_translated.then(|| Asked::new(&chat(&body)));
    let (mut total, mut pushing) = (0, 0);
    let recorder = kept.recorder();
    for first in (0..count).step_by(AT_ONCE as usize) {
        let mut ends = Vec::new();
        for number in first..(first + AT_ONCE).min(count) {
            let request = asked.numbered(number);
            let went = match &sent {
                Some(sent) => vec![sent.numbered(number)],
                // The model's name stands between two slices of what came.
                None => vec![
                    request.slice(..9),
                    Bytes::from_static(b"\"kimi-k2\""),
                    request.slice(20..),
                ],
            };
            let came = reply(shape, number, shape.is_translated);
            let gave = reply(shape, number, false);
            let body = |kind, attempt, bytes| Body {
                kind,
                attempt,
                bytes,
                alike: None,
            };
            let bodies = vec![
                body(BodyKind::ProviderRequest, 1, BodyBytes::Pieces(went)),
                body(BodyKind::ProviderResponse, 1, came),
                body(BodyKind::ClientResponse, 0, gave),
            ];
            let end = (exchange(number), details(), bodies);
            ends.push((
                accepted(&end.0),
                Body::whole(BodyKind::ClientRequest, 0, request),
                end,
            ));
        }
        let begin = processor_us();
        let mut closes = Vec::new();
        for (row, request, end) in ends {
            recorder.open(row, vec![request]);
            closes.push(end);
        }
        if shape.is_stream {
            // Their rows are written before they end.
            kept.flush();
        }
        let before = processor_us();
        for (row, details, bodies) in closes {
            recorder.close(row, details, bodies);
        }
        pushing += processor_us() - before;
        kept.flush();
        total += processor_us() - begin;
    }
    assert_eq!(recorder.state().counts.bodies_shed, 0);
    (total / count, pushing / count)
}

#[test]
#[ignore = "a measurement"]
fn of_an_exchange() {
    let named = std::env::var("COST_SHAPE").ok();
    let count = std::env::var("COST_COUNT").map_or(2000, |count| count.parse().unwrap());
    for shape in SHAPES {
        if named.as_deref().is_some_and(|name| name != shape.name) {
            continue;
        }
        let (all, caller) = measured(shape, count);
        println!(
            "{:26} {all:5} us an exchange, {caller:3} us of it in the caller",
            shape.name
        );
    }
}
