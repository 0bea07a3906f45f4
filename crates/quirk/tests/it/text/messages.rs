//! Whole messages of third-party hosts as they were reported, and what an agent must get of them.

use lingate_wire::chat;
use serde_json::{Value, json};

use super::kimi_k2::{line, spelled};
use super::{Setting, Stages};
use crate::translate::Upstream;

fn tools(names: &[(&str, &str)]) -> Stages {
    let tools: serde_json::Map<String, Value> = names
        .iter()
        .map(|(name, key)| {
            let schema = json!({ "properties": { *key: { "type": "string" } }, "required": [key] });
            ((*name).to_owned(), schema)
        })
        .collect();
    Setting::new(
        Upstream::new(&["kimi-k2"], "kimi-k2-instruct"),
        &Value::Object(tools),
    )
    .stages()
}

/// A message's members, with markers in short, and its `finish_reason`.
#[track_caller]
fn check(stages: &Stages, message: &Value, finish: &str, expected: &str) {
    let message: Value = serde_json::from_str(&spelled(&message.to_string())).unwrap();
    let body = json!({ "id": "c", "choices": [{ "index": 0, "message": message, "finish_reason": finish }] });
    let events = chat::decode_response(&body.to_string().into()).unwrap();
    let outcome = stages.run_events(events, true);
    assert_eq!(line(&outcome), expected, "{message} {:?}", outcome.diags);
}

#[test]
fn calls_in_reasoning_or_content() {
    let grep = tools(&[("Grep", "pattern")]);
    check(
        &grep,
        &json!({
            "reasoning": "  (no content)(no content) «S» «C» functions.Grep:6 «A» {\"pattern\":\"test query\",\"-n\":true} «c» «C» functions.Grep:7 «A» {\"pattern\":\"hello\",\"-i\":true} «c»",
            "content": "",
            "tool_calls": null,
        }),
        "stop",
        r#"call Grep {"pattern":"test query","-n":true} | call Grep {"pattern":"hello","-i":true} > tool_use"#,
    );
    let lookup = tools(&[("lookup", "term")]);
    check(
        &lookup,
        &json!({ "content": "«S» «C» functions.lookup:42 «A» {\"term\":\"express\"} «c» «s»" }),
        "stop",
        r#"call lookup {"term":"express"} > tool_use"#,
    );
    check(
        &lookup,
        &json!({ "content": "Let me search for that.     «C»    functions.lookup:42  «A»   {\"term\":\"express\"}   «C»  " }),
        "stop",
        r#"text Let me search for that. | call lookup {"term":"express"} > tool_use"#,
    );
    let weather = tools(&[("get_weather", "location"), ("get_stock_price", "symbol")]);
    check(
        &weather,
        &json!({ "reasoning_content": "«S»«C»15«A»{\"location\":\"New York\"}«c»«s»" }),
        "stop",
        r#"call get_weather {"location":"New York"} > tool_use"#,
    );
}

#[test]
fn thoughts_and_debris() {
    let search = tools(&[("search", "q")]);
    let implicit = Upstream::new(&["kimi-k2-implicit"], "kimi-k2-thinking");
    let implicit = Setting::new(implicit, &json!({})).stages();
    check(
        &implicit,
        &json!({ "content": "(no content)(no content)  Let me break down... </think>   The answer is 42." }),
        "stop",
        "think Let me break down... | text The answer is 42. > end_turn",
    );
    check(
        &search,
        &json!({ "reasoning": "<thinking>This is my thought</thinking> Let's do this.", "content": "B" }),
        "stop",
        "think This is my thought Let's do this. | text B > end_turn",
    );
    check(
        &search,
        &json!({ "content": "Searching now.<tool_call>Web<tool_call>mcp__per" }),
        "stop",
        "text Searching now. > end_turn",
    );
    check(
        &search,
        &json!({ "content": "Let me search.<tool_call>search", "reasoning": "Thinking about searching" }),
        "stop",
        "think Thinking about searching | text Let me search. > end_turn",
    );
    check(
        &search,
        &json!({ "content": "B", "reasoning_details": [{ "type": "reasoning.text", "text": "Thinking via details" }] }),
        "stop",
        "think Thinking via details | text B > end_turn",
    );
}

#[test]
fn structured_calls_with_odd_names_and_arguments() {
    let call = |name: Value, arguments: Value| json!({ "content": null, "tool_calls": [{ "type": "function", "function": { "name": name, "arguments": arguments } }] });
    let weather = tools(&[("get_weather", "location"), ("get_stock_price", "symbol")]);
    let good = r#"call get_weather {"location":"San Francisco"} > tool_use"#;
    let location = json!("{\"location\":\"San Francisco\"}");
    for name in [
        json!(15),
        json!("15"),
        json!(""),
        json!("functions.get_weather:0"),
        json!("call_3"),
    ] {
        check(&weather, &call(name, location.clone()), "tool_calls", good);
    }
    check(
        &weather,
        &call(json!("get_weather"), json!({ "location": "San Francisco" })),
        "stop",
        good,
    );
    let both = tools(&[("tool_a", "id"), ("tool_b", "id")]);
    check(
        &both,
        &call(json!("99"), json!("{\"id\":\"123\"}")),
        "tool_calls",
        r#"call 99 {"id":"123"} > tool_use"#,
    );
    check(
        &both,
        &call(json!("tool_a"), Value::Null),
        "tool_calls",
        "call tool_a {} > tool_use",
    );
    // Never an invented wrapper around broken arguments: they fail the reply, which is tried again.
    for broken in ["{", "{invalid json", "[not valid json"] {
        let outcome = call(json!("tool_a"), json!(broken));
        let body = json!({ "choices": [{ "index": 0, "message": outcome, "finish_reason": "tool_calls" }] });
        let events = chat::decode_response(&body.to_string().into()).unwrap();
        let failure = both.run_events(events, true).failure;
        assert_eq!(
            failure,
            Some(lingate_wire::turn::FailureKind::BrokenToolCall),
            "{broken}"
        );
    }
}
