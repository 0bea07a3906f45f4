//! Chunks and bodies of the Gemini wire, as a provider of a thinking model sends them.

use serde_json::{Value, json};

use super::{Part, Reply, Usage, pieces};

/// The signature on the first call of every answer, which has to come back as it is.
pub const SEAL: &str = "Z2VtaW5pLXNlYWw=";

/// An answer as the frames of a stream.
pub fn stream(model: &str, reply: &Reply) -> Vec<String> {
    let frames = chunks(model, reply);
    frames.iter().map(frame).collect()
}

/// One frame.
pub fn frame(chunk: &Value) -> String {
    format!("data: {chunk}\r\n\r\n")
}

/// An answer as the chunks of a stream; they are also the items of the array that a client without `alt=sse` gets.
pub fn chunks(model: &str, reply: &Reply) -> Vec<Value> {
    let mut parts: Vec<Value> = Vec::new();
    for part in parts_of(reply) {
        match part["text"].as_str() {
            Some(text) => {
                let piece_of = |piece: &str| {
                    let mut of = part.clone();
                    of["text"] = piece.into();
                    of
                };
                parts.extend(pieces(text).into_iter().map(piece_of));
            }
            None => parts.push(part),
        }
    }
    let mut chunks: Vec<Value> = parts
        .iter()
        .map(|part| chunk(model, reply, json!([part])))
        .collect();
    let mut last = chunks
        .pop()
        .unwrap_or_else(|| chunk(model, reply, json!([{"text": ""}])));
    last["candidates"][0]["finishReason"] = finish_reason(reply).into();
    chunks.push(last);
    chunks
}

/// An answer as one body.
pub fn response(model: &str, reply: &Reply) -> Value {
    let mut whole = chunk(model, reply, parts_of(reply).into());
    whole["candidates"][0]["finishReason"] = finish_reason(reply).into();
    whole
}

/// An error body of this wire.
pub fn error(code: u16, status: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message, "status": status}})
}

fn chunk(model: &str, reply: &Reply, parts: Value) -> Value {
    json!({
        "candidates": [{"content": {"role": "model", "parts": parts}, "index": 0}],
        "usageMetadata": counts(reply.usage),
        "modelVersion": model,
        "responseId": format!("scripted-{}", reply.n),
    })
}

/// The calls carry no ids, as with most hosts; the first one of the answer carries the signature.
fn parts_of(reply: &Reply) -> Vec<Value> {
    let mut is_signed = false;
    let part = |part: &Part| match part {
        Part::Reasoning(thought) => json!({"text": thought, "thought": true}),
        Part::Text(text) => json!({ "text": text }),
        Part::Call {
            name, arguments, ..
        } => {
            let arguments: Value = serde_json::from_str(arguments).unwrap_or_default();
            let mut call = json!({"functionCall": {"name": name, "args": arguments}});
            if !is_signed {
                call["thoughtSignature"] = SEAL.into();
                is_signed = true;
            }
            call
        }
    };
    reply.parts.iter().map(part).collect()
}

fn finish_reason(reply: &Reply) -> &'static str {
    match reply.cut_by_limit {
        true => "MAX_TOKENS",
        false => "STOP",
    }
}

fn counts(usage: Usage) -> Value {
    json!({
        "promptTokenCount": usage.prompt,
        "cachedContentTokenCount": usage.cached,
        "candidatesTokenCount": usage.output,
        "totalTokenCount": usage.prompt + usage.output,
    })
}
