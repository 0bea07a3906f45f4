//! What a client asks and gets, in terms that are the same for every wire.

use lingate_testkit::client::Response;
use lingate_wire::Wire;
use serde_json::{Value, json};

use crate::harness::events;

pub(crate) const CLIENTS: [(Wire, &str); 2] = [
    (Wire::Anthropic, "/v1/messages"),
    (Wire::Chat, "/v1/chat/completions"),
];

/// What the client got, whatever its wire.
#[derive(Debug, PartialEq, Default)]
pub(crate) struct Said {
    pub thinking: String,
    pub text: String,
    pub calls: Vec<(String, Value)>,
    pub stop: String,
    pub output: u64,
}

/// A request with tools; `history` is in the Anthropic wire's words.
pub(crate) fn asks(wire: Wire, is_stream: bool, history: &[Value], tools: &[&str]) -> Value {
    let schema = json!({"type": "object", "properties": {"path": {"type": "string"}}});
    match wire {
        Wire::Anthropic => json!({
            "model": "claude-x", "max_tokens": 500, "stream": is_stream,
            "system": "Follow the rules.", "messages": history,
            "tools": tools.iter().map(|name| json!({"name": name, "input_schema": schema})).collect::<Vec<_>>(),
        }),
        _ => {
            let mut messages = vec![json!({"role": "system", "content": "Follow the rules."})];
            for message in history {
                messages.extend(as_chat(message));
            }
            json!({
                "model": "gpt-x", "stream": is_stream, "messages": messages,
                "stream_options": if is_stream { json!({"include_usage": true}) } else { Value::Null },
                "tools": tools.iter().map(|name| json!({"type": "function", "function": {"name": name, "parameters": schema}})).collect::<Vec<_>>(),
            })
        }
    }
}

fn as_chat(message: &Value) -> Vec<Value> {
    let Some(blocks) = message["content"].as_array() else {
        return vec![message.clone()];
    };
    let block = &blocks[0];
    match block["type"].as_str().unwrap() {
        "tool_use" => vec![
            json!({"role": "assistant", "content": null, "tool_calls": [{
                "id": block["id"], "type": "function",
                "function": {"name": block["name"], "arguments": block["input"].to_string()},
            }]}),
        ],
        _ => vec![
            json!({"role": "tool", "tool_call_id": block["tool_use_id"], "content": block["content"]}),
        ],
    }
}

/// Reads an answer; the wire's acceptor reads it too.
pub(crate) async fn said(wire: Wire, is_stream: bool, response: Response) -> Said {
    assert_eq!(response.status, 200);
    if !is_stream {
        let body = response.json().await;
        return match wire {
            Wire::Anthropic => said_in_message(&body),
            _ => said_in_completion(&body),
        };
    }
    let events = events(wire, response).await;
    let mut said = Said::default();
    let mut inputs: Vec<(String, String)> = Vec::new();
    let add = |to: &mut String, piece: &Value| to.push_str(piece.as_str().unwrap_or_default());
    for event in events
        .iter()
        .filter(|event| event.name != ":" && event.data != "[DONE]")
    {
        let data = event.json();
        if wire == Wire::Anthropic {
            let block = &data["content_block"];
            if block["type"] == "tool_use" {
                inputs.push((block["name"].as_str().unwrap().to_owned(), String::new()));
            }
            add(&mut said.text, &data["delta"]["text"]);
            add(&mut said.thinking, &data["delta"]["thinking"]);
            if let Some((_, input)) = inputs.last_mut() {
                add(input, &data["delta"]["partial_json"]);
            }
            add(&mut said.stop, &data["delta"]["stop_reason"]);
            if data["type"] == "message_delta" {
                said.output = data["usage"]["output_tokens"].as_u64().unwrap();
            }
            assert_ne!(data["type"], "error", "{data}");
        } else {
            let choice = &data["choices"][0];
            add(&mut said.text, &choice["delta"]["content"]);
            add(&mut said.thinking, &choice["delta"]["reasoning_content"]);
            for call in choice["delta"]["tool_calls"]
                .as_array()
                .into_iter()
                .flatten()
            {
                let at = call["index"].as_u64().unwrap() as usize;
                if at == inputs.len() {
                    inputs.push(Default::default());
                }
                add(&mut inputs[at].0, &call["function"]["name"]);
                add(&mut inputs[at].1, &call["function"]["arguments"]);
            }
            add(&mut said.stop, &choice["finish_reason"]);
            if let Some(output) = data["usage"]["completion_tokens"].as_u64() {
                said.output = output;
            }
        }
    }
    said.calls = inputs
        .into_iter()
        .map(|(name, input)| (name, serde_json::from_str(&input).unwrap()))
        .collect();
    said
}

fn said_in_message(body: &Value) -> Said {
    let mut said = Said {
        stop: body["stop_reason"].as_str().unwrap().to_owned(),
        output: body["usage"]["output_tokens"].as_u64().unwrap(),
        ..Said::default()
    };
    for block in body["content"].as_array().unwrap() {
        match block["type"].as_str().unwrap() {
            "text" => said.text.push_str(block["text"].as_str().unwrap()),
            "thinking" => said.thinking.push_str(block["thinking"].as_str().unwrap()),
            _ => said.calls.push((
                block["name"].as_str().unwrap().to_owned(),
                block["input"].clone(),
            )),
        }
    }
    said
}

fn said_in_completion(body: &Value) -> Said {
    let message = &body["choices"][0]["message"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let calls = message["tool_calls"].as_array().into_iter().flatten();
    Said {
        thinking: text(&message["reasoning_content"]),
        text: text(&message["content"]),
        calls: calls
            .map(|call| {
                let call = &call["function"];
                let input = call["arguments"].as_str().unwrap();
                (text(&call["name"]), serde_json::from_str(input).unwrap())
            })
            .collect(),
        stop: text(&body["choices"][0]["finish_reason"]),
        output: body["usage"]["completion_tokens"].as_u64().unwrap(),
    }
}

/// A stop reason in one wire's words.
pub(crate) fn plain(stop: &str) -> &str {
    match stop {
        "stop" => "end_turn",
        "tool_calls" => "tool_use",
        "length" => "max_tokens",
        other => other,
    }
}
