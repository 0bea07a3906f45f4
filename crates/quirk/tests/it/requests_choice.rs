//! Choices of tools, as hosts get them that do not know them.

use serde_json::{Value, json};

use crate::translate::{Sent, Upstream};

/// A conversation that may call two tools.
fn ask(choice: Value) -> Value {
    let tool = |name: &str| json!({ "name": name, "input_schema": { "type": "object", "properties": {} } });
    json!({
        "messages": [{ "role": "user", "content": "hi" }],
        "tools": [tool("ls"), tool("cat")],
        "tool_choice": choice,
    })
}

/// The declared tools, the choice, and what is said behind the conversation.
fn seen(sent: &Sent) -> (Vec<String>, Value, Vec<String>) {
    let body = sent.json();
    let names = |list: &Value, pick: &dyn Fn(&Value) -> String| -> Vec<String> {
        list.as_array().into_iter().flatten().map(pick).collect()
    };
    let tools = names(&body["tools"], &|tool| {
        tool["function"]["name"].as_str().unwrap().to_owned()
    });
    let said = names(&body["messages"], &|message| {
        message["content"].as_str().unwrap().to_owned()
    });
    (tools, body["tool_choice"].clone(), said[1..].to_vec())
}

#[track_caller]
fn check(upstream: &Upstream, choice: Value, tools: &[&str], sent_choice: Value, said: &[&str]) {
    let sent = upstream.send(&ask(choice.clone()));
    let (found_tools, found_choice, found_said) = seen(&sent);
    assert_eq!(found_tools, tools, "{choice} at {}", upstream.model);
    assert_eq!(found_choice, sent_choice, "{choice} at {}", upstream.model);
    assert_eq!(found_said, said, "{choice} at {}", upstream.model);
    let lost = if said.is_empty() { 0 } else { 1 };
    assert_eq!(sent.losses.len(), lost, "{choice} at {}", upstream.model);
}

const ANY: &str = "Answer this by calling one of the tools.";
const CAT: &str = "Answer this by calling the tool `cat`.";

#[test]
fn what_a_host_cannot_be_told_is_said() {
    let auto = json!({ "type": "auto" });
    let any = json!({ "type": "any" });
    let none = json!({ "type": "none" });
    let cat = json!({ "type": "tool", "name": "cat" });
    let both = ["ls", "cat"];
    let k2 = Upstream::new(&["moonshot"], "kimi-k2.6");
    check(&k2, auto.clone(), &both, json!("auto"), &[]);
    check(&k2, none.clone(), &both, json!("none"), &[]);
    check(&k2, any.clone(), &both, Value::Null, &[ANY]);
    check(&k2, cat.clone(), &["cat"], Value::Null, &[CAT]);
    let k3 = Upstream::new(&["moonshot"], "kimi-k3");
    check(&k3, any.clone(), &both, json!("required"), &[]);
    check(&k3, cat.clone(), &["cat"], json!("required"), &[]);
    let glm = Upstream::new(&["zai"], "glm-5.2");
    check(&glm, auto.clone(), &both, json!("auto"), &[]);
    check(&glm, none.clone(), &[], Value::Null, &[]);
    check(&glm, cat.clone(), &["cat"], Value::Null, &[CAT]);
    let ollama = Upstream::new(&["ollama"], "qwen3");
    check(&ollama, any.clone(), &both, Value::Null, &[ANY]);
    check(&ollama, none, &[], Value::Null, &[]);
    let llama = Upstream::new(&["llama-cpp"], "qwen3");
    check(&llama, any, &both, json!("required"), &[]);
    check(&llama, cat, &["cat"], json!("required"), &[]);
    check(&llama, auto, &both, json!("auto"), &[]);
}

#[test]
fn a_choice_of_a_tool_that_is_not_there_is_none() {
    let glm = Upstream::new(&["zai"], "glm-5.2");
    let sent = glm.send(&ask(json!({ "type": "tool", "name": "gone" })));
    assert_eq!(
        seen(&sent),
        (vec!["ls".into(), "cat".into()], Value::Null, vec![])
    );
    assert_eq!(sent.losses, ["tool_choice"]);
}

fn allowed(names: &[&str], mode: &str) -> String {
    let tools: Vec<Value> = ["ls", "cat", "rm"]
        .iter()
        .map(|name| json!({ "type": "function", "function": { "name": name, "parameters": { "type": "object" } } }))
        .collect();
    let among: Vec<Value> = names
        .iter()
        .map(|name| json!({ "type": "function", "function": { "name": name } }))
        .collect();
    json!({
        "model": "m",
        "messages": [{ "role": "user", "content": "hi" }],
        "tools": tools,
        "tool_choice": { "type": "allowed_tools", "allowed_tools": { "mode": mode, "tools": among } },
    })
    .to_string()
}

#[test]
fn some_of_the_tools_are_the_only_ones() {
    for (group, names, mode, tools, choice) in [
        (
            "groq",
            &["ls", "cat"][..],
            "auto",
            &["ls", "cat"][..],
            json!("auto"),
        ),
        (
            "groq",
            &["ls", "cat"],
            "required",
            &["ls", "cat"],
            json!("required"),
        ),
        (
            "llama-cpp",
            &["cat"],
            "required",
            &["cat"],
            json!("required"),
        ),
        ("zai", &["cat", "rm"], "auto", &["cat", "rm"], json!("auto")),
        (
            "groq",
            &["gone"],
            "auto",
            &["ls", "cat", "rm"],
            json!("none"),
        ),
    ] {
        let quirks: &[&str] = Box::leak(Box::new([group]));
        let sent = Upstream::new(quirks, "m").send_chat(&allowed(names, mode));
        let (found, found_choice, _) = seen(&sent);
        assert_eq!(
            (&found[..], &found_choice),
            (
                &tools
                    .iter()
                    .map(|&name| name.to_owned())
                    .collect::<Vec<_>>()[..],
                &choice
            ),
            "{group} {names:?} {mode}"
        );
    }
    // OpenAI knows the choice.
    let sent = Upstream::new(&["openai"], "gpt-5.6").send_chat(&allowed(&["ls"], "auto"));
    assert_eq!(sent.json()["tool_choice"]["type"], "allowed_tools");
    let sent = Upstream::anthropic("claude-sonnet-5-5")
        .send_chat(&allowed(&["ls", "cat"], "required"))
        .json();
    assert_eq!(sent["tool_choice"], json!({ "type": "any" }));
    assert_eq!(sent["tools"].as_array().unwrap().len(), 2);
}

#[test]
fn a_forced_call_goes_before_thinking() {
    let thinking = json!({ "type": "adaptive" });
    let request = |choice: Value, thinking: &Value| {
        let mut request = ask(choice);
        request["thinking"] = thinking.clone();
        request
    };
    let deepseek = Upstream::new(&["deepseek"], "deepseek-v4-pro");
    for (choice, expected) in [
        (json!({ "type": "any" }), "disabled"),
        (json!({ "type": "tool", "name": "ls" }), "disabled"),
        (json!({ "type": "auto" }), "enabled"),
        (json!({ "type": "none" }), "enabled"),
    ] {
        let sent = deepseek.send(&request(choice.clone(), &thinking)).json();
        assert_eq!(sent["thinking"]["type"], expected, "{choice}");
        assert!(!sent["tool_choice"].is_null());
    }
    let forced = |model| {
        let body = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"reasoning_effort":"high",
            "tools":[{"type":"function","function":{"name":"ls"}}],"tool_choice":"required"}"#;
        Upstream::anthropic(model).send_chat(body).json()
    };
    let claude = forced("claude-sonnet-5-5");
    assert_eq!(
        (&claude["thinking"], &claude["tool_choice"]),
        (&json!({ "type": "disabled" }), &json!({ "type": "any" }))
    );
    assert_ne!(
        forced("claude-opus-5-5")["thinking"],
        json!({ "type": "disabled" })
    );
}
