//! Frames and bodies of the Anthropic Messages wire, as a provider sends them.

use serde_json::{Value, json};

use super::{Part, Reply, Usage, pieces};

/// The signature of every thought, which has to come back as it is.
pub const SEAL: &str = "c2NyaXB0ZWQ=";

/// An event with its name line; the name is the data's `type`.
pub fn event(data: &Value) -> String {
    format!(
        "event: {}\ndata: {data}\n\n",
        data["type"].as_str().unwrap_or("message")
    )
}

/// Starts a message. Clients take messages of the same id for parts of one: the id must be new in a conversation.
pub fn message_start(id: &str, model: &str, usage: Usage) -> String {
    let mut counts = input(usage);
    counts["output_tokens"] = 1.into();
    event(&json!({"type": "message_start", "message": {
        "id": id, "type": "message", "role": "assistant", "model": model, "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": counts,
    }}))
}

/// A block: its start, its deltas and its stop.
pub fn block(index: usize, part: &Part) -> Vec<String> {
    let (start, deltas): (Value, Vec<Value>) = match part {
        Part::Text(text) => (
            json!({"type": "text", "text": ""}),
            pieces(text)
                .into_iter()
                .map(|piece| json!({"type": "text_delta", "text": piece}))
                .collect(),
        ),
        Part::Reasoning(thought) => {
            let thoughts = pieces(thought)
                .into_iter()
                .map(|piece| json!({"type": "thinking_delta", "thinking": piece}));
            let signature = json!({"type": "signature_delta", "signature": SEAL});
            (
                json!({"type": "thinking", "thinking": "", "signature": ""}),
                thoughts.chain([signature]).collect(),
            )
        }
        Part::Call {
            id,
            name,
            arguments,
        } => (
            json!({"type": "tool_use", "id": id, "name": name, "input": {}}),
            pieces(arguments)
                .into_iter()
                .map(|piece| json!({"type": "input_json_delta", "partial_json": piece}))
                .collect(),
        ),
    };
    let mut frames = vec![event(
        &json!({"type": "content_block_start", "index": index, "content_block": start}),
    )];
    let delta =
        |delta| event(&json!({"type": "content_block_delta", "index": index, "delta": delta}));
    frames.extend(deltas.into_iter().map(delta));
    frames.push(event(
        &json!({"type": "content_block_stop", "index": index}),
    ));
    frames
}

/// Says why the message ended, and ends it.
pub fn message_end(reason: &str, usage: Usage) -> [String; 2] {
    let delta = json!({"stop_reason": reason, "stop_sequence": null});
    let usage = json!({"output_tokens": usage.output});
    [
        event(&json!({"type": "message_delta", "delta": delta, "usage": usage})),
        event(&json!({"type": "message_stop"})),
    ]
}

/// An answer as the frames of a stream.
pub fn stream(model: &str, reply: &Reply) -> Vec<String> {
    let mut frames = vec![message_start(&id(reply), model, reply.usage)];
    frames.extend(
        reply
            .parts
            .iter()
            .enumerate()
            .flat_map(|(index, part)| block(index, part)),
    );
    frames.extend(message_end(stop_reason(reply), reply.usage));
    frames
}

/// An answer as one body.
pub fn message(model: &str, reply: &Reply) -> Value {
    let mut usage = input(reply.usage);
    usage["output_tokens"] = reply.usage.output.into();
    json!({
        "id": id(reply),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": reply.parts.iter().map(content).collect::<Vec<_>>(),
        "stop_reason": stop_reason(reply),
        "stop_sequence": null,
        "usage": usage,
    })
}

/// An error body of this wire.
pub fn error(kind: &str, message: &str) -> Value {
    json!({"type": "error", "error": {"type": kind, "message": message}})
}

fn id(reply: &Reply) -> String {
    format!("msg_scripted_{}", reply.n)
}

fn content(part: &Part) -> Value {
    match part {
        Part::Text(text) => json!({"type": "text", "text": text}),
        Part::Reasoning(thought) => {
            json!({"type": "thinking", "thinking": thought, "signature": SEAL})
        }
        Part::Call {
            id,
            name,
            arguments,
        } => {
            let input: Value = serde_json::from_str(arguments).unwrap_or_default();
            json!({"type": "tool_use", "id": id, "name": name, "input": input})
        }
    }
}

fn stop_reason(reply: &Reply) -> &'static str {
    match (reply.cut_by_limit, reply.calls()) {
        (true, _) => "max_tokens",
        (false, true) => "tool_use",
        (false, false) => "end_turn",
    }
}

/// This wire counts cached tokens apart.
fn input(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.prompt.saturating_sub(usage.cached),
        "cache_read_input_tokens": usage.cached,
        "cache_creation_input_tokens": 0,
    })
}
