//! Requests of this wire as turns and parameters.

use lingate_wire::anthropic::{decode_request, scan_request};
use lingate_wire::turn::{
    Block, CacheHint, Effort, MediaSource, OutputFormat, Role, ThinkingMode, Tool, ToolChoice,
    ToolInput,
};
use lingate_wire::{Decoded, Wire};
use serde_json::{Value, json};

fn decoded(body: &str) -> Result<Decoded, String> {
    scan_request(&body.into())
        .and_then(|doc| decode_request(&doc))
        .map_err(|failure| failure.message)
}

fn with(key: &str, value: Value) -> Decoded {
    let mut body = json!({"model": "m", "max_tokens": 1, "messages": []});
    body[key] = value;
    decoded(&body.to_string()).unwrap()
}

/// Decodes one block of a user message; returns it and the message's leftovers.
fn block(value: Value) -> (Block, Vec<(String, String)>) {
    let decoded = with("messages", json!([{"role": "user", "content": [value]}]));
    let message = &decoded.turn.messages[0];
    let rest = message
        .extra
        .iter()
        .map(|(key, raw)| (key.to_string(), raw.to_string()))
        .collect();
    ((*message.blocks[0]).clone(), rest)
}

fn extra(decoded: &Decoded) -> Vec<(&str, &str)> {
    decoded
        .params
        .extra
        .iter()
        .map(|(key, raw)| (&**key, &**raw))
        .collect()
}

#[test]
fn a_text_without_its_type_is_text() {
    let (found, rest) = block(json!({"text": "hello"}));
    assert_eq!(found, Block::text("hello".into()));
    assert_eq!(rest, []);
    assert!(matches!(
        block(json!({"type": null, "text": "hello"})).0,
        Block::Foreign(_)
    ));
}

#[test]
fn a_tool_search_session_of_claude_code() {
    let body = include_str!("../../testdata/anthropic/claude_code_toolsearch.json");
    let Decoded { turn, params } = decoded(body).unwrap();
    assert_eq!(
        (turn.origin, turn.model.to_string().as_str()),
        (Wire::Anthropic, "claude-opus-5-5")
    );
    assert_eq!(turn.system.len(), 3);
    let roles: Vec<Role> = turn.messages.iter().map(|message| message.role).collect();
    assert_eq!(&roles[..3], [Role::User, Role::System, Role::Assistant]);
    let results = turn
        .messages
        .iter()
        .flat_map(|message| &message.blocks)
        .filter_map(|block| match &**block {
            Block::ToolResult(result) => Some(result),
            _ => None,
        });
    let mut found = results.flat_map(|result| &result.content);
    assert!(found.any(|block| matches!(**block, Block::ToolReference { .. })));
    assert!(
        turn.tools
            .iter()
            .any(|tool| matches!(**tool, Tool::Function { deferred: true, .. }))
    );
    assert_eq!(turn.messages[1].extra[0].0, "output_config");
    assert_eq!(params.thinking, Some(ThinkingMode::Adaptive));
    assert_eq!(params.effort, Some(Effort::Medium));
    assert!(params.stream);
    let names: Vec<&str> = params.extra.iter().map(|(key, _)| &**key).collect();
    assert_eq!(names, ["thinking.display", "context_management"]);
}

#[test]
fn blocks_of_every_kind() {
    let text = |block: Block| match block {
        Block::Text { text, cache, .. } => (text.to_string(), cache),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        text(block(json!({"type": "text", "text": "a"})).0),
        ("a".to_owned(), None)
    );
    let hinted =
        json!({"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}});
    assert_eq!(text(block(hinted).0).1, Some(CacheHint::OneHour));

    let Block::ToolResult(result) = block(json!({"type": "tool_result", "tool_use_id": "t", "is_error": true, "content": [
        {"type": "text", "text": "a"},
        {"type": "tool_reference", "tool_name": "WebFetch"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AA=="}, "title": "T"},
        {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "x"}]}]}))
    .0
    else {
        panic!("no tool result")
    };
    assert!(result.is_error);
    let kinds: Vec<bool> = vec![
        matches!(*result.content[0], Block::Text { .. }),
        matches!(&*result.content[1], Block::ToolReference { name } if *name == "WebFetch"),
        matches!(&*result.content[2], Block::Image(image) if matches!(image.source, MediaSource::Base64 { .. })),
        matches!(&*result.content[3], Block::Document(document) if document.title == Some("T".into())),
        matches!(&*result.content[4], Block::SearchResult(found) if found.content.len() == 1),
    ];
    assert_eq!(kinds, [true; 5]);

    let call = json!({"type": "tool_use", "id": "t", "name": "f", "input": {"b": 1.0, "a": 2}, "caller": {"type": "direct"}});
    assert!(matches!(block(call).0, Block::ToolUse(call)
        if call.input == ToolInput::Json(r#"{"b":1.0,"a":2}"#.into()) && call.extra[0].0 == "caller"));
    assert!(
        matches!(block(json!({"type": "redacted_thinking", "data": "d"})).0,
        Block::Thinking(thinking) if thinking.is_redacted && thinking.signature == Some("d".into()))
    );
    assert!(
        matches!(block(json!({"type": "web_search_tool_result", "content": []})).0, Block::ServerTool(step) if step.name.is_none())
    );
    assert!(
        matches!(block(json!({"type": "server_tool_use", "name": "web_search"})).0, Block::ServerTool(step) if step.name == Some("web_search".into()))
    );
    for source in [
        json!({"type": "url", "url": "u"}),
        json!({"type": "file", "file_id": "f"}),
        json!({"type": "text", "media_type": "text/plain", "data": "d"}),
        json!({"type": "content", "content": "c"}),
    ] {
        assert!(matches!(
            block(json!({"type": "document", "source": source})).0,
            Block::Document(_)
        ));
    }
}

#[test]
fn what_is_not_known_is_carried_whole() {
    for value in [
        json!({"type": "hologram", "x": 1}),
        json!({"x": 1}),
        json!({"type": "text", "text": 5, "y": 1}),
        json!({"type": "image", "source": {"type": "telepathy"}}),
        json!({"type": "tool_result", "content": "no id"}),
        json!({"type": "tool_use", "id": "a", "name": "no input"}),
    ] {
        let raw = value.to_string();
        let (block, rest) = block(value);
        assert!(matches!(block, Block::Foreign(foreign) if *foreign.raw == *raw));
        assert_eq!(rest, [], "{raw}");
    }
}

#[test]
fn leftover_members_are_kept_under_their_path() {
    #[track_caller]
    fn check(value: Value, path: &str, raw: &str) {
        assert_eq!(block(value).1, [(path.to_owned(), raw.to_owned())]);
    }
    check(
        json!({"type": "text", "text": "a", "clear_at": 3}),
        "content[0].clear_at",
        "3",
    );
    check(
        json!({"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "scope": "global"}}),
        "content[0].cache_control.scope",
        "\"global\"",
    );
    check(
        json!({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "a", "z": 1}]}),
        "content[0].content[0].z",
        "1",
    );
    check(
        json!({"type": "image", "source": {"type": "url", "url": "u", "z": 1}}),
        "content[0].source.z",
        "1",
    );
    let decoded = with(
        "system",
        json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b", "z": 1}]),
    );
    assert_eq!(extra(&decoded), [("system[1].z", "1")]);
}

#[test]
fn tools() {
    let tool = |value: Value| (*with("tools", json!([value])).turn.tools[0]).clone();
    for value in [
        json!({"name": "f"}),
        json!({"name": "f", "type": "custom"}),
        json!({"name": "f", "type": null}),
    ] {
        assert!(matches!(
            tool(value),
            Tool::Function {
                input_schema: None,
                deferred: false,
                ..
            }
        ));
    }
    let whole = json!({"name": "f", "description": "d", "input_schema": {"type": "object"}, "strict": true, "defer_loading": true,
        "cache_control": {"type": "ephemeral"}, "eager_input_streaming": true});
    assert!(
        matches!(tool(whole), Tool::Function { strict: Some(true), deferred: true, cache: Some(CacheHint::Default), extra, .. }
        if extra == [("eager_input_streaming".into(), "true".into())])
    );
    let hosted = json!({"type": "web_search_20250305", "name": "web_search", "max_uses": 8});
    assert!(
        matches!(tool(hosted), Tool::Hosted { kind, name: Some(name), .. } if kind == "web_search_20250305" && name == "web_search")
    );
    assert!(matches!(
        tool(json!({"x": 1})),
        Tool::Hosted { name: None, .. }
    ));
}

#[test]
fn thinking_and_effort() {
    #[track_caller]
    fn check(thinking: Value, mode: Option<ThinkingMode>, rest: &[(&str, &str)]) {
        let decoded = with("thinking", thinking);
        assert_eq!(decoded.params.thinking, mode);
        assert_eq!(extra(&decoded), rest);
    }
    let budget_tokens = Some(2048);
    check(
        json!({"type": "enabled", "budget_tokens": 2048}),
        Some(ThinkingMode::Enabled { budget_tokens }),
        &[],
    );
    check(
        json!({"type": "disabled"}),
        Some(ThinkingMode::Disabled),
        &[],
    );
    check(
        json!({"type": "adaptive", "display": "omitted"}),
        Some(ThinkingMode::Adaptive),
        &[("thinking.display", "\"omitted\"")],
    );
    check(
        json!({"type": "between_tools"}),
        Some(ThinkingMode::Adaptive),
        &[("thinking.type", "\"between_tools\"")],
    );
    check(
        json!({"type": "novel"}),
        None,
        &[("thinking", "{\"type\":\"novel\"}")],
    );
    for (effort, expected) in [
        ("low", Some(Effort::Low)),
        ("max", Some(Effort::Max)),
        ("ultra", None),
    ] {
        let decoded = with("output_config", json!({"effort": effort}));
        assert_eq!(decoded.params.effort, expected);
        assert_eq!(decoded.params.extra.len(), usize::from(expected.is_none()));
    }
}

#[test]
fn other_parameters() {
    for key in ["output_config", "output_format"] {
        let format = json!({"type": "json_schema", "schema": {"type": "object"}});
        let value = if key == "output_config" {
            json!({"format": format})
        } else {
            format
        };
        let params = with(key, value).params;
        assert!(
            matches!(params.format, Some(OutputFormat::JsonSchema { schema, .. }) if schema == "{\"type\":\"object\"}")
        );
        assert_eq!(params.extra, []);
    }
    for (choice, expected, parallel) in [
        (
            json!({"type": "auto", "disable_parallel_tool_use": true}),
            ToolChoice::Auto,
            Some(false),
        ),
        (json!({"type": "any"}), ToolChoice::Required, None),
        (json!({"type": "none"}), ToolChoice::None, None),
        (
            json!({"type": "tool", "name": "f"}),
            ToolChoice::Tool("f".into()),
            None,
        ),
    ] {
        let params = with("tool_choice", choice).params;
        assert_eq!(
            (params.tool_choice, params.parallel_tool_calls),
            (Some(expected), parallel)
        );
    }
    let params = with("temperature", json!(0.70)).params;
    assert_eq!(
        (params.temperature, params.max_tokens),
        (Some("0.7".into()), Some(1))
    );
    assert_eq!(
        with("stop_sequences", json!(["a", "b"])).params.stop,
        ["a", "b"]
    );
    assert_eq!(
        with("metadata", json!({"user_id": "u"})).params.user,
        Some("u".into())
    );
    assert_eq!(
        with("cache_control", json!({"type": "ephemeral"}))
            .turn
            .cache,
        Some(CacheHint::Default)
    );
    for (key, value) in [
        ("max_tokens", json!("many")),
        ("temperature", json!("hot")),
        ("tool_choice", json!({"type": "novel"})),
        ("context_management", json!({"edits": []})),
        ("speed", json!("fast")),
    ] {
        assert_eq!(
            extra(&with(key, value.clone())),
            [(key, value.to_string().as_str())]
        );
    }
}

#[test]
fn a_wrong_frame_is_refused_by_name() {
    for (body, expected) in [
        (json!([]), "the body must be a JSON object"),
        (json!({"messages": "hi"}), "messages: expected an array"),
        (json!({"messages": ["hi"]}), "messages[0].role: expected"),
        (
            json!({"messages": [{"role": "user", "content": "a"}, {"role": "robot", "content": "b"}]}),
            "messages[1].role: expected",
        ),
        (
            json!({"messages": [{"role": "user"}]}),
            "messages[0].content: expected",
        ),
        (
            json!({"messages": [{"role": "user", "content": [1]}]}),
            "messages[0].content: expected",
        ),
        (json!({"system": 1}), "system: expected"),
        (json!({"tools": {}}), "tools: expected"),
        (
            json!({"messages": [], "thinking": {"type": "adaptive"}, "thinking.x": 1}),
            "unknown name \"thinking.x\"",
        ),
        (json!({"messages": [], "system[0].x": 1}), "unknown name"),
        (
            json!({"messages": [], "output_format": {"type": "json_schema", "schema": {}},
                "output_config": {"format": {"type": "x"}}}),
            "output_format: `output_config.format`",
        ),
        (
            json!({"messages": [], "output_config": {"format": {"type": "json_schema", "schema": {}}},
                "output_format": {"type": "json_schema", "schema": {}}}),
            "output_format: `output_config.format`",
        ),
        (
            json!({"messages": [], "output_config": "x", "output_format": {"type": "json_schema", "schema": {}}}),
            "output_format: `output_config.format`",
        ),
        (
            json!({"messages": [], "output_config": {"format.x": 1}}),
            "output_config: unknown name \"format.x\"",
        ),
    ] {
        let message = decoded(&body.to_string()).unwrap_err();
        assert!(message.starts_with(expected), "{body}: {message}");
    }
}
