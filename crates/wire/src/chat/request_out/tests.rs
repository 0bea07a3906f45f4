use bytestring::ByteString;
use serde_json::{Value, json};

use super::super::dialect::{MaxTokens, ReasoningField, ThinkingStyle};
use super::*;
use crate::turn::{Effort, SealKey, ThinkingMode};
use crate::{anthropic, chat};

fn key() -> SealKey {
    SealKey::new("p", "p#1", "m")
}

fn encode(decoded: &Decoded, dialect: &Dialect) -> (Value, Vec<String>) {
    let upstream = UpstreamContext {
        model: "up",
        seal: &key(),
    };
    let encoded = encode_request(decoded, &upstream, dialect);
    let losses = encoded.losses.iter().map(|loss| loss.path.clone()).collect();
    (serde_json::from_slice(&encoded.body).unwrap(), losses)
}

/// What an Anthropic client's members become.
fn from_anthropic(members: &Value, dialect: &Dialect) -> (Value, Vec<String>) {
    let mut body = json!({"model": "m", "max_tokens": 9, "messages": []});
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let doc = anthropic::scan_request(&ByteString::from(body.to_string())).unwrap();
    encode(&anthropic::decode_request(&doc).unwrap(), dialect)
}

fn from_chat(body: &str, dialect: &Dialect) -> (Value, Vec<String>) {
    let doc = chat::scan_request(&ByteString::from(body)).unwrap();
    encode(&chat::decode_request(&doc).unwrap(), dialect)
}

/// An Anthropic conversation becomes these messages, with these losses.
#[track_caller]
fn check(messages: Value, expected: Value, losses: &[&str]) {
    check_with(&Dialect::default(), messages, expected, losses);
}

#[track_caller]
fn check_with(dialect: &Dialect, messages: Value, expected: Value, losses: &[&str]) {
    let (body, found) = from_anthropic(&json!({"messages": messages}), dialect);
    assert_eq!(body["messages"], expected);
    assert_eq!(found, losses);
}

/// Members of a request become these members, with these losses.
#[track_caller]
fn check_members(dialect: &Dialect, members: Value, expected: Value, losses: &[&str]) {
    let (body, found) = from_anthropic(&members, dialect);
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(body.get(key).unwrap_or(&Value::Null), value, "{key} of {members}");
    }
    assert_eq!(found, losses, "{members}");
}

fn user(content: Value) -> Value {
    json!({"role": "user", "content": content})
}

fn call(id: &str) -> Value {
    json!({"type": "tool_use", "id": id, "name": "f", "input": {}})
}

fn called(ids: &[&str]) -> Value {
    let calls: Vec<Value> = ids.iter().map(|id| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}})).collect();
    json!({"role": "assistant", "tool_calls": calls})
}

fn result(id: &str, content: Value) -> Value {
    json!({"type": "tool_result", "tool_use_id": id, "content": content})
}

fn answered(id: &str, content: &str) -> Value {
    json!({"role": "tool", "tool_call_id": id, "content": content})
}

#[test]
fn text_is_one_string_and_blank_text_is_nothing() {
    check(
        json!([user(json!([{"type": "text", "text": "a"}, {"type": "text", "text": " \n"}, {"type": "text", "text": "b"}])), user(json!(""))]),
        json!([user(json!("a\n\nb"))]),
        &[],
    );
}

#[test]
fn results_come_first_and_in_received_order() {
    check(
        json!([
            {"role": "assistant", "content": [{"type": "text", "text": "a"}, call("x"), call("y"), {"type": "text", "text": "b"}]},
            user(json!([{"type": "text", "text": "c"}, result("y", json!("2")), result("x", json!([{"type": "text", "text": "1"}]))])),
        ]),
        json!([
            {"role": "assistant", "content": "a\n\nb", "tool_calls": called(&["x", "y"])["tool_calls"]},
            answered("y", "2"),
            answered("x", "1"),
            user(json!("c")),
        ]),
        &[],
    );
}

#[test]
fn nothing_stands_between_calls_and_results() {
    check(
        json!([
            {"role": "assistant", "content": [call("x"), call("y")]},
            user(json!([result("x", json!("1")), {"type": "text", "text": "early"}])),
            {"role": "system", "content": "note"},
            user(json!([result("y", json!("2")), {"type": "text", "text": "late"}])),
        ]),
        json!([
            called(&["x", "y"]),
            answered("x", "1"),
            answered("y", "2"),
            user(json!("early")),
            user(json!("<system-reminder>\nnote\n</system-reminder>")),
            user(json!("late")),
        ]),
        &[],
    );
}

#[test]
fn calls_and_results_without_each_other_are_mended() {
    check(
        json!([
            {"role": "assistant", "content": [call("x")]},
            user(json!("go on")),
            {"role": "assistant", "content": "ok"},
            user(json!([result("x", json!("late"))])),
        ]),
        json!([
            called(&["x"]),
            answered("x", "Error: the tool call was not answered"),
            user(json!("go on")),
            {"role": "assistant", "content": "ok"},
            user(json!("[Result of an earlier tool call]\nlate")),
        ]),
        &[],
    );
}

#[test]
fn what_a_tool_message_cannot_hold_goes_behind_the_batch() {
    let png = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}});
    let pdf = json!({"type": "document", "title": "a.pdf", "source": {"type": "base64", "media_type": "application/pdf", "data": "BB=="}});
    let text = json!({"type": "document", "source": {"type": "base64", "media_type": "text/plain", "data": "aGk="}});
    let messages = json!([
        {"role": "assistant", "content": [call("x"), call("y"), call("z")]},
        user(json!([result("x", json!([png, png])), result("y", json!([{"type": "text", "text": "read"}, pdf])), result("z", json!([text])), {"type": "text", "text": "see"}])),
    ]);
    let image = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}});
    let file = json!({"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,BB=="}});
    check(
        messages.clone(),
        json!([
            called(&["x", "y", "z"]),
            answered("x", "[2 image(s) attached in the next user message]"),
            answered("y", "read\n[1 document(s) attached in the next user message]"),
            answered("z", "hi"),
            user(json!([image, image, file, {"type": "text", "text": "see"}])),
        ]),
        &[],
    );
    let no_files = Dialect {
        has_files: false,
        ..Dialect::default()
    };
    let (body, losses) = from_anthropic(&json!({"messages": messages}), &no_files);
    assert_eq!(body["messages"][2], answered("y", "read\n[a.pdf left out: this provider takes no files]"));
    assert_eq!(losses, ["messages[1].content[1].content[1]"]);
}

#[test]
fn results_empty_failed_referring_and_found() {
    let outcome = |result: Value| {
        let (body, _) = from_anthropic(&json!({"messages": [{"role": "assistant", "content": [call("x")]}, user(json!([result]))]}), &Dialect::default());
        body["messages"][1]["content"].clone()
    };
    let failed = |content: Value| json!({"type": "tool_result", "tool_use_id": "x", "content": content, "is_error": true});
    assert_eq!(outcome(result("x", json!(""))), "(empty)");
    assert_eq!(outcome(json!({"type": "tool_result", "tool_use_id": "x"})), "(empty)");
    assert_eq!(outcome(failed(json!("exit 1"))), "Error: exit 1");
    assert_eq!(outcome(failed(json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]))), "Error: a\nb");
    assert_eq!(outcome(failed(json!(""))), "Error: (empty)");
    assert_eq!(outcome(result("x", json!([{"type": "tool_reference", "tool_name": "WebFetch"}]))), "Tool loaded: WebFetch");
    let found = json!({"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "passage"}]});
    assert_eq!(outcome(result("x", json!([found]))), "t\ns\npassage");
}

#[test]
fn pictures_by_address() {
    let picture = json!([user(json!([{"type": "image", "source": {"type": "url", "url": "https://x/y.png"}}]))]);
    check(picture.clone(), json!([user(json!([{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]))]), &[]);
    let no_urls = Dialect {
        has_image_urls: false,
        ..Dialect::default()
    };
    check_with(&no_urls, picture, json!([user(json!("[Image: https://x/y.png]"))]), &["messages[0].content[0]"]);
}

#[test]
fn reasoning_goes_where_the_host_looks_for_it() {
    let details = r#"[{"type":"reasoning.text","text":"hm","signature":"S"}]"#;
    let history = |signature: String| {
        json!({
            "thinking": {"type": "adaptive"},
            "messages": [{"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": signature}, call("x")]}, user(json!([result("x", json!("1"))]))],
        })
    };
    let spoken = |reasoning, signature: String| {
        let dialect = Dialect {
            reasoning,
            missing_reasoning: Some(" "),
            ..Dialect::default()
        };
        let (body, losses) = from_anthropic(&history(signature), &dialect);
        let mut message = body["messages"][0].as_object().unwrap().clone();
        message.retain(|key, _| key.starts_with("reasoning"));
        (Value::from(message).to_string(), losses.into_iter().filter(|loss| loss.starts_with("messages")).collect::<Vec<_>>())
    };
    let lost = |path: &str| vec![format!("messages[0].content[0]{path}")];
    let none = Vec::new;
    assert_eq!(spoken(ReasoningField::ReasoningContent, key().seal("")), (r#"{"reasoning_content":"hm"}"#.into(), none()));
    assert_eq!(spoken(ReasoningField::Reasoning, "Native".into()), (r#"{"reasoning":"hm"}"#.into(), lost(".signature")));
    assert_eq!(spoken(ReasoningField::ReasoningDetails, key().seal("")), (r#"{"reasoning_details":[{"text":"hm","type":"reasoning.text"}]}"#.replace(r#""text":"hm","type":"reasoning.text""#, r#""type":"reasoning.text","text":"hm""#), none()));
    assert_eq!(spoken(ReasoningField::ReasoningDetails, key().seal(details)), (format!(r#"{{"reasoning_details":{details}}}"#), none()));
    let elsewhere = SealKey::new("q", "q#1", "m").seal(details);
    assert_eq!(spoken(ReasoningField::ReasoningDetails, elsewhere).1, lost(".signature"));
    assert_eq!(spoken(ReasoningField::None, key().seal("")), ("{}".into(), lost("")));
}

#[test]
fn a_placeholder_only_where_calls_were_made_while_thinking() {
    let dialect = Dialect {
        missing_reasoning: Some(" "),
        ..Dialect::default()
    };
    let reasoning = |thinking: Value, content: Value| {
        let members = json!({"thinking": thinking, "messages": [{"role": "assistant", "content": content}, user(json!([result("x", json!("1"))]))]});
        from_anthropic(&members, &dialect).0["messages"][0]["reasoning_content"].clone()
    };
    assert_eq!(reasoning(json!({"type": "enabled", "budget_tokens": 1024}), json!([call("x")])), " ");
    assert_eq!(reasoning(json!({"type": "disabled"}), json!([call("x")])), Value::Null);
    assert_eq!(reasoning(json!({"type": "adaptive"}), json!("text")), Value::Null);
}

#[test]
fn what_cannot_be_carried_is_a_loss() {
    check(
        json!([
            {"role": "assistant", "content": [{"type": "redacted_thinking", "data": "x"}, {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}, {"type": "text", "text": "a"}]},
            user(json!([{"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}}, {"type": "container_upload", "file_id": "f"}])),
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "alone", "signature": "s"}]},
        ]),
        json!([{"role": "assistant", "content": "a"}, user(json!("b"))]),
        &["messages[0].content[1]", "messages[0].content[0]", "messages[1].content[0].cache_control", "messages[1].content[1]", "messages[2].content[0]"],
    );
    check_members(
        &Dialect::default(),
        json!({"context_management": {}, "mcp_servers": [], "service_tier": "auto", "metadata": {"user_id": "u"}, "top_k": 5}),
        json!({"context_management": null, "user": null, "top_k": null}),
        &["top_k", "metadata.user_id", "context_management", "mcp_servers", "service_tier"],
    );
}

#[test]
fn the_system_prompt_without_the_attribution() {
    let system = json!([{"type": "text", "text": "x-anthropic-billing-header: cc_version=1;"}, {"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
    let (body, losses) = from_anthropic(&json!({"system": system, "messages": [{"role": "system", "content": "x-anthropic-billing-header: y"}]}), &Dialect::default());
    assert_eq!(body["messages"], json!([{"role": "system", "content": "a\n\nb"}]));
    assert_eq!(losses, ["system[0]", "messages[0].content[0]"]);
}

#[test]
fn cache_hints_in_the_hosts_spelling() {
    let members = json!({"system": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}], "messages": [user(json!([{"type": "text", "text": "b"}, {"type": "text", "text": "c", "cache_control": {"type": "ephemeral"}}]))]});
    let hinted = |cache, long: Value, short: Value| {
        let dialect = Dialect {
            cache,
            ..Dialect::default()
        };
        let part = |text: &str, hint: &Value| {
            let mut part = json!({"type": "text", "text": text});
            part.as_object_mut().unwrap().extend(hint.as_object().unwrap().clone());
            part
        };
        let expected = json!([{"role": "system", "content": [part("a", &long)]}, user(json!([{"type": "text", "text": "b"}, part("c", &short)]))]);
        check_members(&dialect, members.clone(), json!({"messages": expected}), &[]);
    };
    hinted(CacheSpelling::CacheControl, json!({"cache_control": {"type": "ephemeral", "ttl": "1h"}}), json!({"cache_control": {"type": "ephemeral"}}));
    let breakpoint = json!({"prompt_cache_breakpoint": {"mode": "explicit"}});
    hinted(CacheSpelling::Breakpoint, breakpoint.clone(), breakpoint);
}

#[test]
fn tools_and_the_choice_among_them() {
    let function = |name: &str| json!({"type": "function", "function": {"name": name, "parameters": {"type": "object"}}});
    let tool = |name: &str| json!({"name": name, "input_schema": {"type": "object"}});
    let hosted = json!({"type": "web_search_20250305", "name": "web_search"});
    check_members(
        &Dialect::default(),
        json!({"tools": [tool("f"), hosted, {"name": "g", "input_schema": {"type": "object"}, "strict": true, "input_examples": []}], "tool_choice": {"type": "any", "disable_parallel_tool_use": true}}),
        json!({"tools": [function("f"), function("g")], "tool_choice": "required", "parallel_tool_calls": false}),
        &["tools[1]", "tools[2].strict", "tools[2].input_examples"],
    );
    let named = json!({"type": "function", "function": {"name": "f"}});
    for (choice, expected, losses) in [
        (json!({"type": "auto"}), json!("auto"), vec![]),
        (json!({"type": "none"}), json!("none"), vec![]),
        (json!({"type": "tool", "name": "f"}), named, vec![]),
        (json!({"type": "tool", "name": "gone"}), Value::Null, vec!["tool_choice"]),
    ] {
        check_members(&Dialect::default(), json!({"tools": [tool("f")], "tool_choice": choice}), json!({"tool_choice": expected}), &losses);
    }
    check_members(&Dialect::default(), json!({"tools": [], "tool_choice": {"type": "auto"}}), json!({"tools": null, "tool_choice": null}), &["tool_choice"]);
}

#[test]
fn deferred_tools_are_sent_once_they_are_known() {
    let tool = |name: &str, is_deferred: bool| json!({"name": name, "input_schema": {}, "defer_loading": is_deferred});
    let names = |members: Value| {
        let (body, losses) = from_anthropic(&members, &Dialect::default());
        let names: Vec<String> = body["tools"].as_array().unwrap().iter().map(|tool| tool["function"]["name"].as_str().unwrap().to_owned()).collect();
        (names.join(" "), losses.into_iter().filter(|loss| !loss.contains("defer_loading")).collect::<Vec<_>>().join(" "))
    };
    let tools = json!([tool("a", true), tool("f", false), tool("b", true), tool("placeholder", true)]);
    let referred = json!([{"role": "assistant", "content": [call("x")]}, user(json!([result("x", json!([{"type": "tool_reference", "tool_name": "b"}, {"type": "tool_reference", "tool_name": "a"}]))]))]);
    assert_eq!(names(json!({"tools": tools, "messages": []})), ("f".into(), "tools[0] tools[2] tools[3]".into()));
    assert_eq!(names(json!({"tools": tools, "messages": referred})), ("f b a".into(), "tools[3]".into()));
    let search = json!([tool("f", false), tool("a", true), {"type": "tool_search_tool_bm25_20251119", "name": "search"}]);
    assert_eq!(names(json!({"tools": search, "messages": []})), ("f a".into(), "tools[2]".into()));
}

#[test]
fn limits_sampling_and_stops() {
    let both = Dialect {
        max_tokens: MaxTokens::Both,
        has_top_k: true,
        ..Dialect::default()
    };
    check_members(
        &both,
        json!({"max_tokens": 7, "temperature": 0.5, "top_p": 0.9, "top_k": 5, "stop_sequences": ["a", "b", "c", "d", "e"], "stream": true}),
        json!({"max_tokens": 7, "max_completion_tokens": 7, "temperature": 0.5, "top_p": 0.9, "top_k": 5, "stop": ["a", "b", "c", "d"], "stream": true, "stream_options": {"include_usage": true}}),
        &["stop_sequences[4]"],
    );
}

#[test]
fn a_schema_for_the_reply() {
    let members = json!({"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}});
    check_members(
        &Dialect::default(),
        members.clone(),
        json!({"response_format": {"type": "json_schema", "json_schema": {"name": "output", "strict": true, "schema": {"type": "object"}}}}),
        &[],
    );
    let in_words = Dialect {
        has_json_schema: false,
        ..Dialect::default()
    };
    let instruction = "Reply with one JSON object that follows this JSON Schema, and with nothing else:\n{\"type\":\"object\"}";
    check_members(
        &in_words,
        members,
        json!({"response_format": {"type": "json_object"}, "messages": [{"role": "system", "content": instruction}]}),
        &[],
    );
}

/// What is asked for, the members written, and the losses, for one style.
#[track_caller]
fn check_thinking(style: ThinkingStyle, thinking: Option<ThinkingMode>, effort: Option<Effort>, expected: Value, losses: &[&str]) {
    let doc = anthropic::scan_request(&ByteString::from(r#"{"model":"m","max_tokens":1,"messages":[]}"#)).unwrap();
    let mut decoded = anthropic::decode_request(&doc).unwrap();
    decoded.params.thinking = thinking;
    decoded.params.effort = effort;
    let dialect = Dialect {
        thinking: style,
        ..Dialect::default()
    };
    let (mut body, found) = encode(&decoded, &dialect);
    body.as_object_mut().unwrap().retain(|key, _| thinking::MEMBERS.contains(&key.as_str()));
    assert_eq!((body, found.as_slice()), (expected, losses.iter().map(ToString::to_string).collect::<Vec<_>>().as_slice()), "{style:?} {thinking:?} {effort:?}");
}

#[test]
fn thinking_in_every_style() {
    use ThinkingStyle::{EffortLowHighMax, None as Nothing, Reasoning, TemplateKwargs, Type};
    let budget = Some(ThinkingMode::Enabled {
        budget_tokens: Some(8000),
    });
    let (adaptive, off) = (Some(ThinkingMode::Adaptive), Some(ThinkingMode::Disabled));
    let cases: [(ThinkingStyle, Option<ThinkingMode>, Option<Effort>, Value, &[&str]); 16] = [
        (Nothing, adaptive, Some(Effort::High), json!({}), &["thinking", "output_config.effort"]),
        (Nothing, None, None, json!({}), &[]),
        (ThinkingStyle::Effort, adaptive, Some(Effort::Max), json!({"reasoning_effort": "max"}), &[]),
        (ThinkingStyle::Effort, budget, None, json!({"reasoning_effort": "medium"}), &["thinking.budget_tokens"]),
        (ThinkingStyle::Effort, off, Some(Effort::High), json!({"reasoning_effort": "none"}), &[]),
        (ThinkingStyle::Effort, adaptive, None, json!({}), &[]),
        (EffortLowHighMax, adaptive, Some(Effort::Medium), json!({"reasoning_effort": "high"}), &[]),
        (EffortLowHighMax, adaptive, Some(Effort::XHigh), json!({"reasoning_effort": "max"}), &[]),
        (EffortLowHighMax, off, None, json!({"reasoning_effort": "low"}), &["thinking"]),
        (Type, adaptive, Some(Effort::Low), json!({"thinking": {"type": "enabled"}}), &["output_config.effort"]),
        (Type, off, None, json!({"thinking": {"type": "disabled"}}), &[]),
        (TemplateKwargs, off, None, json!({"chat_template_kwargs": {"thinking": false, "enable_thinking": false}}), &[]),
        (Reasoning, budget, None, json!({"reasoning": {"max_tokens": 8000}}), &[]),
        (Reasoning, adaptive, Some(Effort::Max), json!({"reasoning": {"effort": "xhigh"}}), &[]),
        (Reasoning, adaptive, None, json!({"reasoning": {"enabled": true}}), &[]),
        (Reasoning, off, None, json!({"reasoning": {"enabled": false}}), &[]),
    ];
    for (style, thinking, effort, expected, losses) in cases {
        check_thinking(style, thinking, effort, expected, losses);
    }
}

#[test]
fn a_chat_clients_own_words_go_out_again() {
    let body = r#"{"model":"m","messages":[{"role":"developer","content":"d"},{"role":"user","content":[{"text":"a"}],"name":"n"},
        {"role":"assistant","content":null,"tool_calls":[{"id":"x","type":"function","function":{"name":"f","arguments":"{ }"}}]},
        {"role":"tool","tool_call_id":"x","content":""},{"role":"tool","tool_call_id":"stray","content":[]}],
        "tools":[{"type":"function","function":{"name":"f"}},{"type":"web_search"}],"tool_choice":{"type":"allowed_tools","allowed_tools":{}},
        "reasoning_effort":"low","thinking":{"type":"enabled","keep":"all"},"seed":3,"user":"u","top_k":1,"stop":["a","b","c","d","e"]}"#;
    let (found, losses) = from_chat(body, &Dialect::default());
    let mut expected: Value = serde_json::from_str(body).unwrap();
    expected["model"] = json!("up");
    assert_eq!(found, expected);
    assert_eq!(losses, Vec::<String>::new());
}

#[test]
fn another_hosts_words_for_thinking_are_translated() {
    let dialect = Dialect {
        thinking: ThinkingStyle::Type,
        ..Dialect::default()
    };
    let (body, _) = from_chat(r#"{"model":"m","messages":[],"reasoning":{"enabled":false}}"#, &dialect);
    assert_eq!((&body["thinking"], &body["reasoning"]), (&json!({"type": "disabled"}), &Value::Null));
    let (body, _) = from_chat(r#"{"model":"m","messages":[],"thinking":{"type":"enabled","keep":"all"}}"#, &dialect);
    assert_eq!(body["thinking"], json!({"type": "enabled", "keep": "all"}));
}

#[test]
fn a_changed_message_is_written_anew_and_the_rest_is_copied() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"a","name":"n"},{"role":"assistant","content":"b","name":"k"}]}"#;
    let doc = chat::scan_request(&ByteString::from(body)).unwrap();
    let mut decoded = chat::decode_request(&doc).unwrap();
    decoded.turn.messages.last_mut().unwrap().edit();
    let (body, losses) = encode(&decoded, &Dialect::default());
    assert_eq!(body["messages"], json!([{"role": "user", "content": "a", "name": "n"}, {"role": "assistant", "content": "b", "name": "k"}]));
    assert!(losses.is_empty());
}
