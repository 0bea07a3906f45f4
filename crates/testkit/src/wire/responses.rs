//! Events and bodies of the OpenAI Responses wire, as a provider that stores nothing sends them.

use serde_json::{Value, json};

use super::{Part, Reply, Usage, pieces};

/// The encrypted content of every reasoning item, which has to come back as it is.
pub const SEAL: &str = "cmVzcG9uc2VzLXNlYWw=";

/// An event with its name line; the name is the data's `type`.
pub fn event(data: &Value) -> String {
    let name = data["type"].as_str().unwrap_or("error");
    format!("event: {name}\ndata: {data}\n\n")
}

/// An answer as the frames of a stream. `custom` says which tools were offered as free-form ones.
pub fn stream(model: &str, reply: &Reply, custom: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut begun = response(model, reply, custom);
    begun["status"] = "in_progress".into();
    begun["output"] = json!([]);
    begun["usage"] = Value::Null;
    begun["incomplete_details"] = Value::Null;
    let mut events = vec![
        json!({"type": "response.created", "response": begun}),
        json!({"type": "response.in_progress", "response": begun}),
    ];
    for (index, part) in reply.parts.iter().enumerate() {
        item_events(index, &item(reply, index, part, custom), &mut events);
    }
    let last = match reply.cut_by_limit {
        true => "response.incomplete",
        false => "response.completed",
    };
    events.push(json!({"type": last, "response": response(model, reply, custom)}));
    let numbered = events.iter_mut().enumerate().map(|(number, data)| {
        data["sequence_number"] = number.into();
        event(data)
    });
    numbered.collect()
}

/// An answer as one body.
pub fn response(model: &str, reply: &Reply, custom: &dyn Fn(&str) -> bool) -> Value {
    let parts = reply.parts.iter().enumerate();
    let output: Vec<Value> = parts
        .map(|(index, part)| item(reply, index, part, custom))
        .collect();
    let (status, details) = match reply.cut_by_limit {
        true => ("incomplete", json!({"reason": "max_output_tokens"})),
        false => ("completed", Value::Null),
    };
    json!({
        "id": format!("resp_scripted_{}", reply.n),
        "object": "response",
        "created_at": 1_790_000_000,
        "status": status,
        "error": null,
        "incomplete_details": details,
        "model": model,
        "output": output,
        "parallel_tool_calls": true,
        "store": false,
        "usage": counts(reply.usage),
    })
}

/// An error body of this wire.
pub fn error(kind: &str, message: &str) -> Value {
    json!({"error": {"message": message, "type": kind, "param": null, "code": null}})
}

/// The event of a stream that breaks off.
pub fn failed(message: &str) -> String {
    event(&json!({"type": "error", "code": "server_error", "message": message, "param": null}))
}

fn item(reply: &Reply, index: usize, part: &Part, custom: &dyn Fn(&str) -> bool) -> Value {
    let id = |kind: &str| format!("{kind}_scripted_{}_{index}", reply.n);
    match part {
        Part::Reasoning(thought) => json!({
            "id": id("rs"), "type": "reasoning", "encrypted_content": SEAL,
            "summary": [{"type": "summary_text", "text": thought}],
        }),
        Part::Text(text) => json!({
            "id": id("msg"), "type": "message", "status": "completed", "role": "assistant",
            "content": [{"type": "output_text", "annotations": [], "text": text}],
        }),
        Part::Call {
            id: call,
            name,
            arguments,
        } if custom(name) => {
            let whole: Value = serde_json::from_str(arguments).unwrap_or_default();
            json!({
                "id": id("ctc"), "type": "custom_tool_call", "status": "completed", "call_id": call,
                "name": name, "input": whole["input"].as_str().unwrap_or_default(),
            })
        }
        Part::Call {
            id: call,
            name,
            arguments,
        } => json!({
            "id": id("fc"), "type": "function_call", "status": "completed", "call_id": call,
            "name": name, "arguments": arguments,
        }),
    }
}

/// An item from its empty start over its deltas to its whole self.
fn item_events(index: usize, item: &Value, events: &mut Vec<Value>) {
    let empty = |member: &str, value: Value| {
        let mut start = item.clone();
        start[member] = value;
        if start.get("status").is_some() {
            start["status"] = "in_progress".into();
        }
        json!({"type": "response.output_item.added", "output_index": index, "item": start})
    };
    let within = |kind: &str, more: Value| {
        let mut data = json!({"type": format!("response.{kind}"), "item_id": item["id"], "output_index": index});
        for (name, value) in more.as_object().into_iter().flatten() {
            data[name] = value.clone();
        }
        data
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match item["type"].as_str() {
        Some("reasoning") => {
            let whole = text(&item["summary"][0]["text"]);
            events.push(empty("summary", json!([])));
            events.push(within(
                "reasoning_summary_part.added",
                json!({"summary_index": 0, "part": {"type": "summary_text", "text": ""}}),
            ));
            for piece in pieces(&whole) {
                events.push(within(
                    "reasoning_summary_text.delta",
                    json!({"summary_index": 0, "delta": piece}),
                ));
            }
            events.push(within(
                "reasoning_summary_text.done",
                json!({"summary_index": 0, "text": whole}),
            ));
            events.push(within(
                "reasoning_summary_part.done",
                json!({"summary_index": 0, "part": item["summary"][0]}),
            ));
        }
        Some("message") => {
            let whole = text(&item["content"][0]["text"]);
            events.push(empty("content", json!([])));
            events.push(within("content_part.added",
                json!({"content_index": 0, "part": {"type": "output_text", "annotations": [], "text": ""}})));
            for piece in pieces(&whole) {
                events.push(within(
                    "output_text.delta",
                    json!({"content_index": 0, "delta": piece}),
                ));
            }
            events.push(within(
                "output_text.done",
                json!({"content_index": 0, "text": whole}),
            ));
            events.push(within(
                "content_part.done",
                json!({"content_index": 0, "part": item["content"][0]}),
            ));
        }
        kind => {
            let (member, event) = match kind {
                Some("custom_tool_call") => ("input", "custom_tool_call_input"),
                _ => ("arguments", "function_call_arguments"),
            };
            let whole = text(&item[member]);
            events.push(empty(member, "".into()));
            for piece in pieces(&whole) {
                events.push(within(&format!("{event}.delta"), json!({"delta": piece})));
            }
            events.push(within(&format!("{event}.done"), json!({ member: whole })));
        }
    }
    events.push(json!({"type": "response.output_item.done", "output_index": index, "item": item}));
}

fn counts(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cached},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.prompt + usage.output,
    })
}
