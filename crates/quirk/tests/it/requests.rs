//! What single quirks and settings do to a request, seen in the body that is sent.

use lingate_quirk::{CacheHints, MaxTokensField, Settings, Temperature, Thinking};
use serde_json::{Value, json};

use crate::translate::{Sent, Upstream};

/// One user message and `members` beside it.
fn ask(members: Value) -> Value {
    let mut request = json!({ "messages": [{ "role": "user", "content": "hi" }] });
    request
        .as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    request
}

/// The values of `names` in what is sent; absent ones are `null`.
fn picked(sent: &Sent, names: &[&str]) -> Value {
    let body = sent.json();
    names
        .iter()
        .map(|name| body.get(name).cloned().unwrap_or(Value::Null))
        .collect()
}

#[track_caller]
fn check(upstream: &Upstream, members: Value, names: &[&str], expected: Value) {
    let sent = upstream.send(&ask(members));
    assert_eq!(picked(&sent, names), expected, "{names:?} in {}", sent.body);
}

#[track_caller]
fn check_chat(upstream: &Upstream, members: &str, names: &[&str], expected: Value) {
    let sent = upstream.send_chat(&format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}]{members}}}"#
    ));
    assert_eq!(picked(&sent, names), expected, "{names:?} in {}", sent.body);
}

fn moonshot(model: &'static str) -> Upstream {
    Upstream::new(&["moonshot"], model)
}

#[test]
fn fixed_sampling_is_not_sent() {
    let names = ["temperature", "top_p", "top_k", "n", "presence_penalty"];
    let members = json!({ "temperature": 1, "top_p": 0.9, "top_k": 40 });
    check(
        &moonshot("kimi-k2.6"),
        members.clone(),
        &names,
        json!([null, null, null, null, null]),
    );
    check_chat(
        &moonshot("kimi-k3"),
        r#","temperature":0.3,"top_p":1,"presence_penalty":0.5"#,
        &names,
        json!([null, null, null, null, null]),
    );
    let fixed = moonshot("kimi-k2.6").with(Settings {
        temperature: Temperature::Fixed(1.0),
        ..Settings::default()
    });
    check(&fixed, members, &["temperature", "top_p"], json!([1, null]));
}

#[test]
fn the_first_k2_runs_cooler() {
    let k2 = Upstream::new(&["groq", "kimi-k2"], "moonshotai/kimi-k2-instruct-0905");
    let names = ["temperature"];
    check(&k2, json!({ "temperature": 1 }), &names, json!([0.6]));
    check(&k2, json!({ "temperature": 0.7 }), &names, json!([0.42]));
    check(&k2, json!({}), &names, json!([0.6]));
    check_chat(&k2, r#","temperature":1"#, &names, json!([1]));
    let omit = k2.with(Settings {
        temperature: Temperature::Omit,
        ..Settings::default()
    });
    check(&omit, json!({ "temperature": 1 }), &names, json!([null]));
}

#[test]
fn output_limits_are_stated_clamped_and_spelled() {
    let names = ["max_tokens", "max_completion_tokens"];
    check(
        &moonshot("kimi-k2.6"),
        json!({ "max_tokens": 100 }),
        &names,
        json!([null, 100]),
    );
    check(
        &Upstream::third_party(),
        json!({ "max_tokens": 100 }),
        &names,
        json!([100, null]),
    );
    check_chat(&moonshot("kimi-k2.6"), "", &names, json!([null, 32000]));
    check_chat(&moonshot("kimi-k3"), "", &names, json!([null, null]));
    check(
        &moonshot("kimi-k2.6"),
        json!({ "max_tokens": 128000 }),
        &names,
        json!([null, 32000]),
    );
    check(
        &moonshot("kimi-k3"),
        json!({ "max_tokens": 128000 }),
        &names,
        json!([null, 128000]),
    );
    let large = moonshot("kimi-k2.6").with(Settings {
        max_output: Some(65_536),
        ..Settings::default()
    });
    check(
        &large,
        json!({ "max_tokens": 128000 }),
        &names,
        json!([null, 65536]),
    );
    let small = Upstream::third_party().with(Settings {
        max_output: Some(16_384),
        ..Settings::default()
    });
    check_chat(&small, "", &names, json!([16384, null]));
    check(
        &small,
        json!({ "max_tokens": 64000 }),
        &names,
        json!([16384, null]),
    );
    let both = Upstream::new(&[], "m").with(Settings {
        max_tokens_field: MaxTokensField::Both,
        ..Settings::default()
    });
    check(&both, json!({ "max_tokens": 9 }), &names, json!([9, 9]));
}

#[test]
fn thinking_is_asked_for_as_the_model_takes_it() {
    let names = ["thinking", "reasoning_effort"];
    let on = json!({ "thinking": { "type": "enabled", "budget_tokens": 2000 }, "output_config": { "effort": "medium" } });
    let off = json!({ "thinking": { "type": "disabled" } });
    check(
        &moonshot("kimi-k2.6"),
        on.clone(),
        &names,
        json!([{ "type": "enabled" }, null]),
    );
    check(
        &moonshot("kimi-k2.6"),
        off.clone(),
        &names,
        json!([{ "type": "disabled" }, null]),
    );
    check(
        &moonshot("kimi-k2.7-code"),
        on.clone(),
        &names,
        json!([null, null]),
    );
    check(
        &moonshot("kimi-k2.7-code"),
        off.clone(),
        &names,
        json!([null, null]),
    );
    check(
        &moonshot("kimi-k3"),
        on.clone(),
        &names,
        json!([null, "high"]),
    );
    check(
        &moonshot("kimi-k3"),
        off.clone(),
        &names,
        json!([null, "low"]),
    );
    check_chat(
        &moonshot("kimi-k2.7-code"),
        r#","reasoning_effort":"high","thinking":{"type":"disabled"}"#,
        &names,
        json!([null, null]),
    );
    check_chat(
        &moonshot("kimi-k3"),
        r#","thinking":{"type":"enabled"}"#,
        &names,
        json!([null, null]),
    );
    check(
        &Upstream::new(&["openrouter", "kimi-k2"], "moonshotai/kimi-k3"),
        json!({ "thinking": { "type": "disabled" } }),
        &["reasoning"],
        json!([{ "effort": "low" }]),
    );
    check_chat(
        &moonshot("kimi-k2.6"),
        r#","reasoning_effort":"none""#,
        &names,
        json!([{ "type": "disabled" }, null]),
    );
    let with = |thinking| {
        moonshot("kimi-k2.6").with(Settings {
            thinking,
            ..Settings::default()
        })
    };
    check(
        &with(Thinking::Off),
        on,
        &names,
        json!([{ "type": "disabled" }, null]),
    );
    check(
        &with(Thinking::On),
        off,
        &names,
        json!([{ "type": "enabled" }, null]),
    );
}

#[test]
fn forced_calls_degrade_to_what_the_model_knows() {
    let tool = json!([{ "name": "ls", "input_schema": { "type": "object" } }]);
    let forced = |choice: Value| json!({ "tools": tool, "tool_choice": choice });
    let names = ["tool_choice"];
    let named = json!({ "type": "tool", "name": "ls" });
    check(
        &moonshot("kimi-k2.6"),
        forced(json!({ "type": "any" })),
        &names,
        json!([null]),
    );
    check(
        &moonshot("kimi-k3"),
        forced(json!({ "type": "any" })),
        &names,
        json!(["required"]),
    );
    check(
        &moonshot("kimi-k3"),
        forced(named.clone()),
        &names,
        json!(["required"]),
    );
    check(
        &moonshot("kimi-k2.6"),
        forced(json!({ "type": "none" })),
        &names,
        json!(["none"]),
    );
    check(
        &Upstream::new(&["zai"], "glm-5"),
        forced(named.clone()),
        &names,
        json!([null]),
    );
    check(
        &Upstream::third_party(),
        forced(named),
        &names,
        json!([{ "type": "function", "function": { "name": "ls" } }]),
    );
}

#[test]
fn moonshots_own_tools_are_declared_by_name() {
    check_chat(
        &moonshot("kimi-k2.6"),
        r#","tools":[{"type":"function","function":{"name":"$web_search","parameters":{}}}]"#,
        &["tools"],
        json!([[{ "type": "builtin_function", "function": { "name": "$web_search" } }]]),
    );
}

#[test]
fn what_says_nothing_is_not_sent() {
    let messages = json!([
        { "role": "user", "content": "a" },
        { "role": "assistant", "content": [{ "type": "text", "text": "(no content)" }] },
        { "role": "user", "content": [{ "type": "text", "text": "" }, { "type": "text", "text": "b" }] },
        { "role": "assistant", "content": [{ "type": "text", "text": "(no content)\n(no content) c" }] },
        { "role": "user", "content": "(no content)" },
    ]);
    let sent = moonshot("kimi-k2.6").send(&json!({ "messages": messages }));
    let said: Vec<Value> = sent.json()["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["content"].clone())
        .collect();
    assert_eq!(
        json!(said),
        json!(["a", "b", "c", "(no content)"]),
        "{}",
        sent.body
    );
    assert_eq!(sent.hits, ["no-content-filler"]);
}

#[test]
fn a_chat_clients_empty_content_is_not_sent_either() {
    let sent = moonshot("kimi-k2.6").send_chat(
        r#"{"model":"m","max_tokens":9,"messages":[
            {"role":"user","content":"a"},
            {"role":"assistant","content":""},
            {"role":"user","content":[{"type":"text","text":""},{"type":"text","text":"b"}]},
            {"role":"assistant","content":[{"type":"text","text":""}],
             "tool_calls":[{"id":"functions.ls:0","type":"function","function":{"name":"ls","arguments":"{}"}}]},
            {"role":"tool","tool_call_id":"functions.ls:0","content":"c"}]}"#,
    );
    assert_eq!(
        sent.json()["messages"],
        json!([
            { "role": "user", "content": "a" },
            { "role": "user", "content": "b" },
            { "role": "assistant", "tool_calls": [
                { "id": "functions.ls:0", "type": "function", "function": { "name": "ls", "arguments": "{}" } },
            ] },
            { "role": "tool", "tool_call_id": "functions.ls:0", "content": "c" },
        ]),
    );
    assert_eq!(sent.hits, ["empty-content"]);
}

#[test]
fn a_model_that_reads_text_only_is_told_of_images() {
    let image = json!({ "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "AA==" } });
    let request = json!({ "messages": [
        { "role": "user", "content": [image] },
        { "role": "assistant", "content": [{ "type": "tool_use", "id": "t", "name": "Read", "input": {} }] },
        { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "t", "content": [image] }] },
    ] });
    let upstream = Upstream::new(&[], "m").with(Settings {
        omits_images: true,
        ..Settings::default()
    });
    let body = upstream.send(&request).body;
    assert_eq!(
        body.matches("[image omitted: this model reads text only]")
            .count(),
        2,
        "{body}"
    );
    assert!(!body.contains("image_url"), "{body}");
}

#[test]
fn cache_hints_follow_host_and_settings() {
    let request = json!({
        "system": [{ "type": "text", "text": "s", "cache_control": { "type": "ephemeral" } }],
        "messages": [{ "role": "user", "content": "hi" }],
    });
    let has_hint = |upstream: &Upstream| upstream.send(&request).body.contains("cache_control");
    let openrouter = Upstream::new(&["openrouter"], "m");
    assert!(has_hint(&openrouter));
    assert!(!has_hint(&Upstream::moonshot()));
    assert!(!has_hint(&openrouter.with(Settings {
        cache_hints: Some(CacheHints::None),
        ..Settings::default()
    })));
}

#[test]
fn schemas_of_replies_are_rewritten_where_the_model_knows_any() {
    let wants = |schema: Value| json!({ "output_config": { "format": { "type": "json_schema", "schema": schema } } });
    let sent = |upstream: &Upstream, schema: Value| {
        let body = upstream.send(&ask(wants(schema))).json();
        body["response_format"]["json_schema"]["schema"].clone()
    };
    let outside =
        json!({ "type": "object", "properties": { "a": { "format": "uri" } }, "required": ["a"] });
    let inside =
        json!({ "type": "object", "properties": { "a": { "type": "string" } }, "required": ["a"] });
    let list = json!({ "type": "array", "items": { "pattern": "x" } });
    assert_eq!(sent(&moonshot("kimi-k3"), outside.clone()), inside);
    assert_eq!(sent(&moonshot("kimi-k3"), list.clone()), list);
    assert_eq!(
        sent(&moonshot("kimi-k2.6"), outside.clone()),
        Value::Null,
        "told in words"
    );
    assert_eq!(sent(&Upstream::third_party(), outside.clone()), outside);
}
