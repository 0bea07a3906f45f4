//! Thinking, effort and sampling, as each model takes them.

use lingate_quirk::{Settings, Temperature};
use serde_json::{Value, json};

use crate::translate::Upstream;

/// Members of what is sent; absent ones are `null`.
fn picked(body: &Value, names: &[&str]) -> Value {
    names.iter().map(|name| body[*name].clone()).collect()
}

#[track_caller]
fn check(upstream: &Upstream, members: Value, names: &[&str], expected: Value) {
    let mut request = json!({ "messages": [{ "role": "user", "content": "hi" }] });
    request
        .as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    let body = upstream.send(&request).json();
    assert_eq!(
        picked(&body, names),
        expected,
        "{members} at {}: {body}",
        upstream.model
    );
}

#[track_caller]
fn check_chat(upstream: &Upstream, members: &str, names: &[&str], expected: Value) {
    let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}]{members}}}"#);
    let body = upstream.send_chat(&body).json();
    assert_eq!(
        picked(&body, names),
        expected,
        "{members} at {}: {body}",
        upstream.model
    );
}

#[test]
fn openais_thinking_models_take_no_sampling() {
    let names = ["temperature", "top_p", "stop"];
    let members = json!({ "temperature": 0.2, "top_p": 0.9, "stop_sequences": ["x"] });
    let model = |model| Upstream::new(&["openai"], model);
    check(
        &model("gpt-5.6-sol"),
        members.clone(),
        &names,
        json!([null, null, null]),
    );
    check(
        &model("o3"),
        members.clone(),
        &names,
        json!([null, null, null]),
    );
    check(
        &model("gpt-4.1"),
        members.clone(),
        &names,
        json!([0.2, 0.9, ["x"]]),
    );
    let off = json!({ "temperature": 0.2, "thinking": { "type": "disabled" } });
    check(
        &model("gpt-6"),
        off.clone(),
        &names,
        json!([0.2, null, null]),
    );
    check(&model("gpt-5"), off, &names, json!([null, null, null]));
    let fixed = model("o3").with(Settings {
        temperature: Temperature::Fixed(1.0),
        ..Settings::default()
    });
    check(&fixed, members, &names, json!([1, null, null]));
    check_chat(
        &model("o3"),
        r#","presence_penalty":1,"logprobs":true,"seed":1"#,
        &["presence_penalty", "logprobs", "seed"],
        json!([null, null, 1]),
    );
}

#[test]
fn openais_models_are_asked_for_an_effort_they_have() {
    let names = ["reasoning_effort"];
    let effort = |effort: &str| json!({ "output_config": { "effort": effort } });
    for (model, asked, expected) in [
        ("gpt-5.6-sol", "max", json!("max")),
        ("gpt-5.2", "max", json!("xhigh")),
        ("o4-mini", "xhigh", json!("high")),
        ("gpt-4o", "high", Value::Null),
    ] {
        check(
            &Upstream::new(&["openai"], model),
            effort(asked),
            &names,
            json!([expected]),
        );
    }
}

#[test]
fn deepseek_is_graded_beside_its_switch() {
    let names = ["thinking", "reasoning_effort"];
    let on = json!({ "type": "enabled" });
    let deepseek = Upstream::new(&["deepseek"], "deepseek-v4-pro");
    check(
        &deepseek,
        json!({}),
        &names,
        json!([{ "type": "disabled" }, null]),
    );
    let asked =
        json!({ "thinking": { "type": "adaptive" }, "output_config": { "effort": "xhigh" } });
    check(&deepseek, asked.clone(), &names, json!([on, "high"]));
    check(
        &Upstream::new(&["mimo"], "mimo-v2.5-pro"),
        asked,
        &names,
        json!([on, null]),
    );
}

#[test]
fn glm_keeps_its_thoughts_and_streams_its_calls() {
    let names = ["thinking", "tool_stream"];
    let asked = json!({
        "thinking": { "type": "adaptive" },
        "tools": [{ "name": "f", "input_schema": { "type": "object" } }],
        "stream": true,
    });
    let glm = |model| Upstream::new(&["zai"], model);
    check(
        &glm("glm-5.3"),
        asked.clone(),
        &names,
        json!([{ "type": "enabled", "clear_thinking": false }, true]),
    );
    check(
        &glm("glm-4.6"),
        asked.clone(),
        &names,
        json!([{ "type": "enabled" }, true]),
    );
    check(
        &glm("glm-4.5-air"),
        asked,
        &names,
        json!([{ "type": "enabled" }, null]),
    );
    check_chat(
        &glm("glm-5.3"),
        r#","temperature":1.7"#,
        &["temperature"],
        json!([1]),
    );
}

#[test]
fn minimax_splits_its_thoughts_and_is_never_cold() {
    let names = ["thinking", "reasoning_split", "temperature"];
    let on = json!({ "thinking": { "type": "adaptive" }, "temperature": 0 });
    let minimax = |model| Upstream::new(&["minimax"], model);
    check(
        &minimax("MiniMax-M3"),
        on.clone(),
        &names,
        json!([{ "type": "adaptive" }, true, 0.01]),
    );
    check(
        &minimax("MiniMax-M2.7"),
        on,
        &names,
        json!([null, true, 0.01]),
    );
    check(
        &minimax("MiniMax-M3"),
        json!({ "temperature": 1 }),
        &names,
        json!([{ "type": "disabled" }, true, 1]),
    );
}

#[test]
fn claude_is_asked_as_its_generation_takes_it() {
    let names = ["temperature", "top_p", "top_k", "thinking", "output_config"];
    let members = r#","temperature":0.2,"top_p":0.9,"top_k":5"#;
    let claude = Upstream::anthropic;
    check_chat(
        &claude("claude-sonnet-5-5"),
        members,
        &names,
        json!([null, null, null, null, null]),
    );
    check_chat(
        &claude("claude-sonnet-4-5"),
        members,
        &names,
        json!([0.2, null, 5, null, null]),
    );
    check_chat(
        &claude("claude-3-5-haiku-20241022"),
        members,
        &names,
        json!([0.2, 0.9, 5, null, null]),
    );
    let effort = r#","temperature":0.2,"reasoning_effort":"medium""#;
    check_chat(
        &claude("claude-opus-5-5"),
        effort,
        &names,
        json!([null, null, null, { "type": "adaptive" }, { "effort": "medium" }]),
    );
    check_chat(
        &claude("claude-haiku-4-5"),
        effort,
        &names,
        json!([null, null, null, { "type": "enabled", "budget_tokens": 8192 }, null]),
    );
    // A client of this wire is taken at its word.
    check(
        &claude("claude-opus-5-5"),
        json!({ "temperature": 0.2, "thinking": { "type": "enabled", "budget_tokens": 2048 } }),
        &["temperature", "thinking"],
        json!([0.2, { "type": "enabled", "budget_tokens": 2048 }]),
    );
}
