//! Tool names: fit on the way up, the client's own in the reply, and how many tools there may be.

use lingate_wire::stage::Sink;
use lingate_wire::turn::{Event, Opening, Slot};
use serde_json::{Value, json};

use crate::translate::{Sent, Upstream};

const LONG: &str = "mcp__a-server-with-a-rather-long-name__and-a-tool-with-another-long-name";
const DOTTED: &str = "files.read";

fn ask() -> Value {
    let tool = |name: &str| json!({ "name": name, "input_schema": { "type": "object", "properties": {} } });
    json!({
        "messages": [
            { "role": "user", "content": "hi" },
            { "role": "assistant", "content": [{ "type": "tool_use", "id": "t", "name": LONG, "input": {} }] },
            { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "t", "content": "ok" }] },
        ],
        "tools": [tool("Bash"), tool(LONG), tool(DOTTED)],
        "tool_choice": { "type": "tool", "name": DOTTED },
    })
}

/// What the client sees of a call of `name`.
fn given_back(sent: Sent, name: &str) -> String {
    let mut items = vec![Event::Open {
        slot: Slot(0),
        block: Opening::ToolUse {
            id: "c".into(),
            name: name.into(),
            namespace: None,
            is_freeform: false,
            extra: Vec::new(),
        },
    }];
    for mut stage in sent.stages {
        let mut sink = Sink::default();
        for event in items.drain(..) {
            stage.on(event, &mut sink);
        }
        items = sink.items;
    }
    match items.as_slice() {
        [
            Event::Open {
                block: Opening::ToolUse { name, .. },
                ..
            },
        ] => name.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn names_are_fitted_everywhere_and_given_back() {
    for upstream in [
        Upstream::new(&["openai"], "gpt-4.1"),
        Upstream::new(&["groq", "kimi-k2"], "moonshotai/kimi-k2-instruct-0905"),
        Upstream::third_party(),
    ] {
        let body = upstream.send(&ask()).json();
        let fitted = |at: usize| {
            body["tools"][at]["function"]["name"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        assert_eq!(fitted(0), "Bash");
        assert!(
            fitted(1).len() <= 64 && fitted(1).starts_with("mcp__a-server"),
            "{body}"
        );
        assert!(fitted(2).starts_with("files_read_"), "{body}");
        let call = &body["messages"][1]["tool_calls"][0];
        assert_eq!(call["function"]["name"], fitted(1));
        if upstream.quirks.contains(&"kimi-k2") {
            assert_eq!(
                call["id"],
                format!("functions.{}:0", fitted(1)),
                "the id is made of the name that is sent"
            );
        }
        assert_eq!(body["tool_choice"]["function"]["name"], fitted(2));
        for (sent, expected) in [
            (fitted(1), LONG),
            (fitted(2), DOTTED),
            ("Bash".into(), "Bash"),
            ("other".into(), "other"),
        ] {
            assert_eq!(given_back(upstream.send(&ask()), &sent), expected);
        }
    }
}

#[test]
fn the_anthropic_wire_has_a_rule_of_its_own() {
    let body = format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}],"tools":[{{"type":"function","function":{{"name":"{LONG}"}}}},{{"type":"function","function":{{"name":"{DOTTED}"}}}}]}}"#
    );
    let sent = Upstream::anthropic("claude-sonnet-5-5").send_chat(&body);
    assert_eq!(sent.hits, ["anthropic-tool-names"]);
    let tools = sent.json()["tools"].clone();
    assert_eq!(tools[0]["name"], LONG);
    let fitted = tools[1]["name"].as_str().unwrap();
    assert!(fitted.starts_with("files_read_"), "{fitted}");
    assert_eq!(given_back(sent, fitted), DOTTED);
}

#[test]
fn names_that_fit_cost_nothing() {
    let mut request = ask();
    request["tools"] =
        json!([{ "name": "Bash", "input_schema": { "type": "object", "properties": {} } }]);
    request["messages"] = json!([{ "role": "user", "content": "hi" }]);
    request["tool_choice"] = Value::Null;
    let sent = Upstream::new(&["openai"], "gpt-4.1").send(&request);
    assert_eq!(sent.hits, Vec::<&str>::new());
    assert!(sent.stages.is_empty());
}

#[test]
fn ids_of_calls_are_short_and_unique_where_they_have_to_be() {
    let long = "call_".repeat(10);
    let ids = [long.as_str(), "ls:0", "toolu_1", "ls:0"];
    let mut messages = vec![json!({ "role": "user", "content": "hi" })];
    for id in ids {
        let call = json!({ "id": id, "type": "function", "function": { "name": "ls", "arguments": "{}" } });
        messages.push(json!({ "role": "assistant", "tool_calls": [call] }));
        messages.push(json!({ "role": "tool", "tool_call_id": id, "content": "ok" }));
    }
    let body = json!({ "model": "m", "messages": messages }).to_string();
    for (upstream, max) in [
        (Upstream::new(&["openai"], "gpt-4.1"), 40),
        (Upstream::anthropic("claude-sonnet-5-5"), 64),
    ] {
        let sent = upstream.send_chat(&body).json();
        let sent = sent["messages"].as_array().unwrap();
        let mut calls = Vec::new();
        let mut results = Vec::new();
        for message in sent {
            let call = &message["tool_calls"][0]["id"];
            let block = &message["content"][0];
            calls.extend(call.as_str().or(block["id"].as_str()).map(str::to_owned));
            let result = &message["tool_call_id"];
            results.extend(
                result
                    .as_str()
                    .or(block["tool_use_id"].as_str())
                    .map(str::to_owned),
            );
        }
        assert_eq!(calls, results, "{}", upstream.model);
        assert_eq!(calls.len(), 4);
        assert_eq!(calls[2], "toolu_1");
        let mut distinct = calls.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), 4, "{calls:?}");
        let is_fit = |id: &String| {
            id.len() <= max
                && id
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
        };
        assert!(calls.iter().all(is_fit), "{calls:?}");
    }
}

#[test]
fn too_many_tools_are_a_loss_and_a_hit() {
    let tools: Vec<Value> = (0..130)
        .map(|n| json!({ "name": format!("t{n}"), "input_schema": { "type": "object", "properties": {}, "required": [] } }))
        .collect();
    let ask = |n: usize| json!({ "messages": [{ "role": "user", "content": "hi" }], "tools": tools[..n] });
    for (group, model) in [
        ("openai", "gpt-4.1"),
        ("moonshot", "kimi-k3"),
        ("deepseek", "deepseek-v4-pro"),
    ] {
        let quirks: &[&str] = Box::leak(Box::new([group]));
        let upstream = Upstream::new(quirks, model);
        for (n, is_hit) in [(128, false), (129, true)] {
            let sent = upstream.send(&ask(n));
            assert_eq!(sent.hits.contains(&"tool-count"), is_hit, "{group} {n}");
            assert_eq!(sent.json()["tools"].as_array().unwrap().len(), 128);
        }
    }
    let sent = Upstream::new(&["vllm"], "m").send(&ask(130)).json();
    assert_eq!(sent["tools"].as_array().unwrap().len(), 130);
}
