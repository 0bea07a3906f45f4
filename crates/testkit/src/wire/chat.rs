//! Frames and bodies of the OpenAI Chat wire, as a provider sends them.

use serde_json::{Value, json};

use super::{Part, Reply, Usage, pieces};

/// Ends a stream.
pub const DONE: &str = "data: [DONE]\n\n";

/// A chunk with this delta.
pub fn delta(model: &str, delta: &Value) -> String {
    chunk(
        model,
        &json!([{"index": 0, "delta": delta, "finish_reason": null}]),
        &Value::Null,
    )
}

/// A piece of the answer's text.
pub fn text(model: &str, text: &str) -> String {
    delta(model, &json!({ "content": text }))
}

/// A piece of the model's reasoning.
pub fn reasoning(model: &str, text: &str) -> String {
    delta(model, &json!({ "reasoning_content": text }))
}

/// The start of a tool call.
pub fn tool_call(model: &str, index: usize, id: &str, name: &str) -> String {
    let function = json!({"name": name, "arguments": ""});
    delta(
        model,
        &json!({"tool_calls": [{"index": index, "id": id, "type": "function", "function": function}]}),
    )
}

/// A piece of a tool call's arguments.
pub fn arguments(model: &str, index: usize, piece: &str) -> String {
    delta(
        model,
        &json!({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}),
    )
}

/// The chunk that says why the model stopped.
pub fn finish(model: &str, reason: &str) -> String {
    chunk(
        model,
        &json!([{"index": 0, "delta": {}, "finish_reason": reason}]),
        &Value::Null,
    )
}

/// The last chunk: no choice, token counts.
pub fn usage(model: &str, usage: Usage) -> String {
    chunk(model, &json!([]), &counts(usage))
}

/// An answer as the frames of a stream.
pub fn stream(model: &str, reply: &Reply) -> Vec<String> {
    let mut frames = vec![delta(model, &json!({"role": "assistant", "content": ""}))];
    let mut index = 0;
    for part in &reply.parts {
        match part {
            Part::Reasoning(thought) => frames.extend(
                pieces(thought)
                    .into_iter()
                    .map(|piece| reasoning(model, piece)),
            ),
            Part::Text(said) => {
                frames.extend(pieces(said).into_iter().map(|piece| text(model, piece)))
            }
            Part::Call {
                id,
                name,
                arguments: whole,
            } => {
                frames.push(tool_call(model, index, id, name));
                frames.extend(
                    pieces(whole)
                        .into_iter()
                        .map(|piece| arguments(model, index, piece)),
                );
                index += 1;
            }
        }
    }
    frames.push(finish(model, finish_reason(reply)));
    frames.push(usage(model, reply.usage));
    frames.push(DONE.to_owned());
    frames
}

/// An answer as one body.
pub fn completion(model: &str, reply: &Reply) -> Value {
    let joined = |pick: fn(&Part) -> Option<&str>| -> Option<String> {
        let found: Vec<&str> = reply.parts.iter().filter_map(pick).collect();
        (!found.is_empty()).then(|| found.concat())
    };
    let calls: Vec<Value> = reply.parts.iter().filter_map(call).collect();
    let mut message = json!({
        "role": "assistant",
        "content": joined(|part| if let Part::Text(text) = part { Some(text) } else { None }),
    });
    if let Some(thought) = joined(|part| {
        if let Part::Reasoning(text) = part {
            Some(text)
        } else {
            None
        }
    }) {
        message["reasoning_content"] = thought.into();
    }
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    json!({
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason(reply)}],
        "usage": counts(reply.usage),
    })
}

/// An error body of this wire.
pub fn error(kind: &str, message: &str) -> Value {
    json!({"error": {"message": message, "type": kind, "param": null, "code": null}})
}

fn chunk(model: &str, choices: &Value, usage: &Value) -> String {
    let mut chunk = json!({
        "id": "chatcmpl-scripted",
        "object": "chat.completion.chunk",
        "created": 1_790_000_000,
        "model": model,
        "choices": choices,
    });
    if !usage.is_null() {
        chunk["usage"] = usage.clone();
    }
    format!("data: {chunk}\n\n")
}

fn call(part: &Part) -> Option<Value> {
    match part {
        Part::Call {
            id,
            name,
            arguments,
        } => Some(
            json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}),
        ),
        Part::Reasoning(_) | Part::Text(_) => None,
    }
}

fn finish_reason(reply: &Reply) -> &'static str {
    match (reply.cut_by_limit, reply.calls()) {
        (true, _) => "length",
        (false, true) => "tool_calls",
        (false, false) => "stop",
    }
}

fn counts(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.output,
        "total_tokens": usage.prompt + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
    })
}
