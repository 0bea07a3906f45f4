//! What the upstream says: short replies in either wire, whole or as a stream.

use std::sync::Arc;
use std::time::Duration;

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
    /// How long the upstream waits before each piece but the first.
    pub pause: Duration,
}

impl Answer {
    /// With a pause before each piece, so that the gateway gets every one by itself however slow it is.
    pub(crate) fn paced(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }
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
    chat_stream_of(EVENTS)
}

/// A Chat stream of so many text events.
pub(crate) fn chat_stream_of(n_events: usize) -> Answer {
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
        (0..n_events).map(|n| {
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

/// A stream of response events as the API sends them: numbered, and padded against guessing lengths.
pub(crate) fn responses_stream() -> Answer {
    let response = |status: &str, output: &[&Value]| {
        json!({
            "id": "resp_bench", "object": "response", "created_at": 1_700_000_000, "model": "bench-model",
            "status": status, "output": output,
            "usage": {"input_tokens": 120, "output_tokens": 100, "total_tokens": 220},
        })
    };
    let item = |status: &str, content: &[&Value]| json!({"id": "msg_bench", "type": "message", "status": status, "role": "assistant", "content": content});
    let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": []});
    let of_part = |kind: &str, name: &str, value: Value| {
        let mut event =
            json!({"type": kind, "item_id": "msg_bench", "output_index": 0, "content_index": 0});
        event[name] = value;
        event
    };
    let whole = part(&text());
    let done = item("completed", &[&whole]);
    let mut events = vec![
        json!({"type": "response.created", "response": response("in_progress", &[])}),
        json!({"type": "response.in_progress", "response": response("in_progress", &[])}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": item("in_progress", &[])}),
        of_part("response.content_part.added", "part", part("")),
    ];
    events.extend((0..EVENTS).map(|n| {
        let mut event = of_part("response.output_text.delta", "delta", json!(word(n)));
        event["logprobs"] = json!([]);
        event["obfuscation"] = json!("x".repeat(n * 7 % 16));
        event
    }));
    events.extend([
        of_part("response.output_text.done", "text", json!(text())),
        of_part("response.content_part.done", "part", whole.clone()),
        json!({"type": "response.output_item.done", "output_index": 0, "item": done}),
        json!({"type": "response.completed", "response": response("completed", &[&done])}),
    ]);
    let pieces = events.iter_mut().enumerate().map(|(number, event)| {
        event["sequence_number"] = json!(number);
        let name = event["type"].as_str().unwrap_or_default();
        Bytes::from(format!("event: {name}\ndata: {event}\n\n"))
    });
    stream(pieces.collect())
}

/// A Gemini stream: every response counts anew.
pub(crate) fn gemini_stream() -> Answer {
    let pieces = (1..=EVENTS).map(|n| {
        let mut candidate = json!({
            "content": {"parts": [{"text": word(n - 1)}], "role": "model"}, "index": 0,
        });
        if n == EVENTS {
            candidate["finishReason"] = json!("STOP");
        }
        let response = json!({
            "candidates": [candidate],
            "usageMetadata": {
                "promptTokenCount": 120, "candidatesTokenCount": n, "totalTokenCount": 120 + n,
                "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 120}],
            },
            "modelVersion": "bench-model", "responseId": "bench",
        });
        Bytes::from(format!("data: {response}\r\n\r\n"))
    });
    stream(pieces.collect())
}

fn whole(body: &Value) -> Answer {
    Answer {
        content_type: "application/json",
        pieces: [Bytes::from(body.to_string())].into(),
        pause: Duration::ZERO,
    }
}

fn stream(pieces: Vec<Bytes>) -> Answer {
    Answer {
        content_type: "text/event-stream",
        pieces: pieces.into(),
        pause: Duration::ZERO,
    }
}

fn text() -> String {
    (0..EVENTS).map(word).collect()
}

fn word(n: usize) -> String {
    format!(" word{n}")
}
