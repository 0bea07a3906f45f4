//! `tool_format = "xml"`: tools in the prompt, calls and results as text, calls read from the text.

use lingate_quirk::Settings;
use lingate_wire::stage::Sink;
use lingate_wire::turn::{Event, Opening};
use serde_json::{Value, json};

use crate::text::{Piece, events};
use crate::translate::{Sent, Upstream};

fn send(request: &Value) -> Sent {
    let settings = Settings {
        has_tools_in_prompt: true,
        ..Settings::default()
    };
    Upstream::new(&[], "small").with(settings).send(request)
}

fn tool(name: &str) -> Value {
    let schema = json!({"type": "object", "properties": {"path": {"type": "string"}, "n": {"type": "integer"}}});
    json!({"name": name, "description": "Does \"it\".", "input_schema": schema})
}

fn conversation() -> Value {
    json!({
        "system": "Follow.",
        "tools": [tool("Read")],
        "messages": [
            {"role": "user", "content": "Go."},
            {"role": "assistant", "content": [
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"path": "a \"b\"\n", "n": 2, "l": [1, 2]}},
                {"type": "tool_use", "id": "toolu_2", "name": "Read", "input": {}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "one"},
                {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": true,
                 "content": [{"type": "text", "text": "two"}, {"type": "text", "text": "three"}]},
                {"type": "text", "text": "More."},
            ]},
        ],
    })
}

#[test]
fn everything_about_tools_is_text() {
    let sent = send(&conversation());
    let body = sent.json();
    assert_eq!(body.get("tools"), None);
    assert_eq!(body.get("tool_choice"), None);
    assert_eq!(sent.hits, ["tool-format"]);
    let text = |at: usize| {
        let content = &body["messages"][at]["content"];
        match content.as_array() {
            None => content.as_str().unwrap().to_owned(),
            Some(parts) => {
                let texts = parts.iter().map(|part| part["text"].as_str().unwrap());
                texts.collect::<Vec<_>>().join("|")
            }
        }
    };
    let system = text(0);
    assert!(system.starts_with("Follow."), "{system}");
    assert!(
        system.contains(r#"{"name":"Read","description":"Does \"it\".","parameters":{"#),
        "{system}"
    );
    let call = "<tool_call>\n<function=Read>\n<parameter=path>\na \"b\"\n\n</parameter>\n<parameter=n>\n2\n</parameter>\n\
                <parameter=l>\n[1,2]\n</parameter>\n</function>\n</tool_call>";
    assert!(text(2).starts_with("I look."), "{body}");
    assert!(text(2).contains(call), "{body}");
    assert!(text(2).ends_with("<tool_call>\n<function=Read>\n</function>\n</tool_call>"));
    let results = text(3);
    for result in [
        "<tool_response name=\"Read\">\none\n</tool_response>",
        "<tool_response name=\"Read\" error=\"true\">\ntwo\nthree\n</tool_response>",
        "More.",
    ] {
        assert!(results.contains(result), "{result} in {results}");
    }
    assert_eq!(body["messages"][2].get("tool_calls"), None);
}

#[test]
fn a_further_turn_changes_nothing_before_it() {
    let longer = conversation();
    let mut shorter = longer.clone();
    shorter["messages"].as_array_mut().unwrap().truncate(1);
    let (shorter, longer) = (send(&shorter).json(), send(&longer).json());
    for (at, message) in shorter["messages"].as_array().unwrap().iter().enumerate() {
        assert_eq!(message, &longer["messages"][at]);
    }
}

#[test]
fn the_choice_of_a_tool_is_said_in_words() {
    let system = |choice: Value| {
        let mut request = conversation();
        request["tool_choice"] = choice;
        let body = send(&request).json();
        assert_eq!(body.get("tool_choice"), None);
        body["messages"][0]["content"].as_str().unwrap().to_owned()
    };
    let auto = system(json!({"type": "auto"}));
    for (choice, words) in [
        (
            json!({"type": "any"}),
            "Call at least one tool in this answer.",
        ),
        (
            json!({"type": "tool", "name": "Read"}),
            "Call the tool Read in this answer.",
        ),
        (json!({"type": "none"}), "Answer without calling a tool."),
    ] {
        assert_eq!(system(choice), format!("{auto}\n\n{words}"));
    }
}

#[test]
fn without_tools_nothing_changes() {
    let request = json!({"messages": [{"role": "user", "content": "hi"}]});
    let sent = send(&request);
    let plain = Upstream::new(&[], "small").send(&request);
    assert_eq!(sent.body, plain.body);
    assert!(sent.hits.is_empty());
    assert!(sent.stages.is_empty());
}

#[test]
fn hosted_tools_are_left_out_with_a_note() {
    let mut request = conversation();
    request["tools"] = json!([{"type": "web_search_20250305", "name": "web_search"}, tool("Read")]);
    let sent = send(&request);
    assert_eq!(sent.losses, ["tools[0]"]);
    assert!(!sent.body.contains("web_search"), "{}", sent.body);
}

#[test]
fn calls_are_read_from_the_text() {
    let mut sent = send(&conversation());
    let reply = "Ok <tool_call><function=Read><parameter=path>7</parameter><parameter=n>7</parameter></function></tool_call>";
    let mut sink = Sink::new();
    let stage = sent.stages.last_mut().unwrap();
    for event in events(&[Piece::Content(reply)], "stop") {
        stage.on(event, &mut sink);
    }
    let mut calls = Vec::new();
    let mut input = String::new();
    for event in sink.items {
        match event {
            Event::Open {
                block: Opening::ToolUse { name, .. },
                ..
            } => calls.push(name.to_string()),
            Event::Delta {
                delta: lingate_wire::turn::Delta::Input(piece),
                ..
            } => input.push_str(&piece.decode()),
            _ => {}
        }
    }
    assert_eq!(
        (calls, input.as_str()),
        (vec!["Read".to_owned()], r#"{"path":"7","n":7}"#)
    );
}
