//! What the upstream says: short replies in either wire, whole or as a stream.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

/// Text events of a streamed answer.
pub(crate) const EVENTS: usize = 100;

/// A canned answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The body's media type.
    pub content_type: &'static str,
    /// Its pieces, each sent by itself.
    pub pieces: Arc<[Bytes]>,
}

/// An Anthropic message.
pub(crate) fn anthropic_json() -> Answer {
    whole(&json!({
        "id": "msg_bench", "type": "message", "role": "assistant", "model": "bench-model",
        "content": [{"type": "text", "text": text()}],
        "stop_reason": "end_turn", "stop_sequence": null,
        "usage": {"input_tokens": 120, "output_tokens": 80},
    }))
}

/// A Chat completion.
pub(crate) fn chat_json() -> Answer {
    whole(&json!({
        "id": "chatcmpl-bench", "object": "chat.completion", "created": 1_700_000_000, "model": "bench-model",
        "choices": [{
            "index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": text()},
        }],
        "usage": {"prompt_tokens": 120, "completion_tokens": 80, "total_tokens": 200},
    }))
}

/// An Anthropic stream.
pub(crate) fn anthropic_stream() -> Answer {
    let mut events = vec![
        json!({"type": "message_start", "message": {
            "id": "msg_bench", "type": "message", "role": "assistant", "model": "bench-model", "content": [],
            "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 120, "output_tokens": 1},
        }}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
    ];
    events.extend((0..EVENTS).map(|n| {
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word(n)}})
    }));
    events.extend([
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
            "usage": {"output_tokens": 100}}),
        json!({"type": "message_stop"}),
    ]);
    let pieces = events.iter().map(|event| {
        let name = event["type"].as_str().unwrap_or_default();
        Bytes::from(format!("event: {name}\ndata: {event}\n\n"))
    });
    stream(pieces.collect())
}

/// A Chat stream.
pub(crate) fn chat_stream() -> Answer {
    let chunk = |choice: Value| {
        json!({
            "id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1_700_000_000,
            "model": "bench-model", "choices": [choice],
        })
    };
    let mut events = vec![chunk(json!({
        "index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": null,
    }))];
    events.extend(
        (0..EVENTS).map(|n| {
            chunk(json!({"index": 0, "delta": {"content": word(n)}, "finish_reason": null}))
        }),
    );
    events.push(chunk(
        json!({"index": 0, "delta": {}, "finish_reason": "stop"}),
    ));
    events.push(json!({
        "id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "bench-model",
        "choices": [], "usage": {"prompt_tokens": 120, "completion_tokens": 100, "total_tokens": 220},
    }));
    let mut pieces: Vec<Bytes> = events
        .iter()
        .map(|event| format!("data: {event}\n\n").into())
        .collect();
    pieces.push(Bytes::from_static(b"data: [DONE]\n\n"));
    stream(pieces)
}

fn whole(body: &Value) -> Answer {
    Answer {
        content_type: "application/json",
        pieces: [Bytes::from(body.to_string())].into(),
    }
}

fn stream(pieces: Vec<Bytes>) -> Answer {
    Answer {
        content_type: "text/event-stream",
        pieces: pieces.into(),
    }
}

fn text() -> String {
    (0..EVENTS).map(word).collect()
}

fn word(n: usize) -> String {
    format!(" word{n}")
}
