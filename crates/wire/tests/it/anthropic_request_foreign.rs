//! Turns of another wire as requests of this one.

use lingate_wire::turn::{
    Block, Document, Effort, Foreign, Image, MediaSource, Message, Node, OutputFormat, Params,
    Role, Thinking, ThinkingMode, Tool, ToolChoice, ToolInput, ToolResult, ToolUse, Turn,
};
use lingate_wire::{Decoded, Wire};
use serde_json::{Value, json};

use crate::anthropic_request_out::encoded;

fn foreign(messages: Vec<Message>, params: Params) -> Decoded {
    Decoded {
        turn: Turn {
            origin: Wire::Chat,
            model: "asked".into(),
            system: vec![],
            messages: messages.into_iter().map(Node::new).collect(),
            tools: vec![].into(),
            cache: None,
        },
        params,
    }
}

fn message(role: Role, blocks: Vec<Block>) -> Message {
    Message {
        role,
        blocks: blocks.into_iter().map(Node::new).collect(),
        extra: vec![],
    }
}

fn text(text: &str) -> Block {
    Block::text(text.into())
}

fn call(id: &str, input: &str) -> Block {
    Block::ToolUse(ToolUse {
        id: id.into(),
        name: "f".into(),
        namespace: None,
        input: ToolInput::Json(input.into()),
        signature: None,
        cache: None,
        extra: vec![],
    })
}

fn result(id: &str, content: &str) -> Block {
    Block::ToolResult(ToolResult {
        tool_use_id: id.into(),
        content: vec![text(content).into()],
        is_error: false,
        cache: None,
    })
}

#[track_caller]
fn check_messages(messages: Vec<Message>, expected: Value, losses: &[&str]) {
    let (out, lost) = encoded(&foreign(messages, Params::default()), "m");
    let out: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(out["messages"], expected);
    assert_eq!(lost, losses);
}

#[test]
fn messages_of_one_role_become_one() {
    check_messages(
        vec![
            message(Role::User, vec![text("a")]),
            message(Role::User, vec![text(" "), text("b")]),
            message(Role::System, vec![text("c")]),
            message(Role::Assistant, vec![text("d")]),
            message(Role::Assistant, vec![Block::Refusal("e \n".into())]),
            message(Role::User, vec![]),
            message(Role::Assistant, vec![text("f \n")]),
        ],
        json!([
            {"role": "user", "content": [
                {"type": "text", "text": "a"},
                {"type": "text", "text": "b"},
                {"type": "text", "text": "<system-reminder>\nc\n</system-reminder>"}]},
            {"role": "assistant", "content": [
                {"type": "text", "text": "d"},
                {"type": "text", "text": "e \n"},
                {"type": "text", "text": "f"}]},
        ]),
        &[],
    );
}

#[test]
fn every_call_is_answered_by_the_next_message() {
    let missing = |id: &str| json!({"type": "tool_result", "tool_use_id": id, "content": "The result of this call is missing.", "is_error": true});
    let use_ = |id: &str| json!({"type": "tool_use", "id": id, "name": "f", "input": {}});
    let answer = |id: &str| json!({"type": "tool_result", "tool_use_id": id, "content": "r"});
    let said = |text: &str| json!({"type": "text", "text": text});
    // Results first, whatever came between; calls last.
    check_messages(
        vec![
            message(
                Role::Assistant,
                vec![call("a", "{}"), call("b", "{}"), text("t")],
            ),
            message(Role::User, vec![text("u")]),
            message(Role::User, vec![result("b", "r")]),
            message(Role::User, vec![result("a", "r")]),
        ],
        json!([
            {"role": "assistant", "content": [said("t"), use_("a"), use_("b")]},
            {"role": "user", "content": [answer("b"), answer("a"), said("u")]},
        ]),
        &[],
    );
    // Missing ones are added, also where no message follows; those that answer nothing, or again, are left out.
    check_messages(
        vec![
            message(Role::Assistant, vec![call("a", "{}"), call("b", "{}")]),
            message(
                Role::User,
                vec![result("a", "r"), result("x", "r"), result("a", "again")],
            ),
            message(Role::Assistant, vec![call("c", "{}")]),
        ],
        json!([
            {"role": "assistant", "content": [use_("a"), use_("b")]},
            {"role": "user", "content": [answer("a"), missing("b")]},
            {"role": "assistant", "content": [use_("c")]},
            {"role": "user", "content": [missing("c")]},
        ]),
        &["messages[1].content[1]", "messages[1].content[2]"],
    );
}

#[test]
fn ids_and_arguments_are_made_fit() {
    check_messages(
        vec![
            message(
                Role::Assistant,
                vec![
                    call("functions.f:0", "{\"a\": 1.0}"),
                    call("ok", "[1]"),
                    call("", ""),
                ],
            ),
            message(
                Role::User,
                vec![
                    result("functions.f:0", "r"),
                    result("ok", "r"),
                    result("", "r"),
                ],
            ),
        ],
        json!([
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "functions_f_0_b9a7d792", "name": "f", "input": {"a": 1.0}},
                {"type": "tool_use", "id": "ok", "name": "f", "input": {}},
                {"type": "tool_use", "id": "_00000000", "name": "f", "input": {}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "functions_f_0_b9a7d792", "content": "r"},
                {"type": "tool_result", "tool_use_id": "ok", "content": "r"},
                {"type": "tool_result", "tool_use_id": "_00000000", "content": "r"}]},
        ]),
        &["messages[0].content[1].input"],
    );
}

#[test]
fn what_this_wire_cannot_say_is_a_loss() {
    let image = |source: MediaSource| {
        Block::Image(Image {
            source,
            detail: Some("high".into()),
            cache: None,
        })
    };
    let foreign = Foreign {
        wire: Wire::Chat,
        raw: "{}".into(),
    };
    let unsigned = Thinking {
        text: "t".into(),
        ..Thinking::default()
    };
    check_messages(
        vec![message(
            Role::User,
            vec![
                Block::Foreign(foreign),
                Block::Thinking(unsigned),
                image(MediaSource::Text("x".into())),
                image(MediaSource::Url("u".into())),
            ],
        )],
        json!([{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "u"}}]}]),
        &[
            "messages[0].content[0]",
            "messages[0].content[1]",
            "messages[0].content[2]",
            "messages[0].content[3].detail",
        ],
    );
}

/// Checks the members of a body of another wire's parameters, apart from model and messages.
#[track_caller]
fn check_params(params: Params, expected: Value, losses: &[&str]) {
    let (out, lost) = encoded(&foreign(vec![], params), "m");
    let mut out: Value = serde_json::from_str(&out).unwrap();
    let members = out.as_object_mut().unwrap();
    assert_eq!(members.remove("model"), Some(json!("m")));
    assert_eq!(members.remove("messages"), Some(json!([])));
    assert_eq!(out, expected);
    assert_eq!(lost, losses);
}

#[test]
fn parameters_of_another_wire() {
    let base = Params::default;
    check_params(base(), json!({"max_tokens": 32000}), &[]);
    check_params(
        Params {
            max_tokens: Some(5),
            stream: true,
            temperature: Some("1.5".into()),
            top_p: Some("0.90".into()),
            stop: vec![" \n".into(), "x".into()],
            extra: vec![("seed".into(), "1".into())],
            ..base()
        },
        json!({"max_tokens": 5, "stream": true, "temperature": 1, "top_p": 0.9, "stop_sequences": ["x"]}),
        &["seed", "stop[0]", "temperature"],
    );
    for (effort, thinking, name) in [
        (Effort::Minimal, "adaptive", Some("low")),
        (Effort::High, "adaptive", Some("high")),
        (Effort::None, "disabled", None),
    ] {
        let mut expected = json!({"max_tokens": 32000, "thinking": {"type": thinking}});
        if let Some(name) = name {
            expected["output_config"] = json!({"effort": name});
        }
        check_params(
            Params {
                effort: Some(effort),
                ..base()
            },
            expected,
            &[],
        );
    }
    check_params(
        Params {
            thinking: Some(ThinkingMode::Enabled {
                budget_tokens: Some(5),
            }),
            user: Some("u".into()),
            cache_key: Some("k".into()),
            ..base()
        },
        json!({"max_tokens": 32000, "thinking": {"type": "enabled", "budget_tokens": 1024}, "metadata": {"user_id": "u"}}),
        &["prompt_cache_key"],
    );
    check_params(
        Params {
            format: Some(OutputFormat::JsonObject),
            cache_key: Some("k".into()),
            ..base()
        },
        json!({"max_tokens": 32000, "metadata": {"user_id": "k"},
            "system": [{"type": "text", "text": "Answer with one JSON object and nothing else."}]}),
        &[],
    );
    check_params(
        Params {
            format: Some(OutputFormat::JsonSchema {
                name: Some("n".into()),
                schema: "{\"type\":\"object\"}".into(),
                strict: Some(true),
            }),
            tool_choice: Some(ToolChoice::Required),
            ..base()
        },
        json!({"max_tokens": 32000, "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}}),
        &["tool_choice", "response_format.json_schema.strict"],
    );
}

#[test]
fn tools_of_another_wire() {
    let function = Tool::Function {
        namespace: None,
        name: "f".into(),
        description: Some("d".into()),
        input_schema: None,
        strict: Some(true),
        deferred: true,
        cache: None,
        extra: vec![("novel".into(), "1".into())],
    };
    let freeform = Tool::Freeform {
        namespace: None,
        name: "patch".into(),
        description: None,
        format: Some("{}".into()),
    };
    let hosted = |wire| Tool::Hosted {
        kind: "web_search".into(),
        name: None,
        declaration: Foreign {
            wire,
            raw: r#"{"type":"web_search"}"#.into(),
        },
    };
    let mut decoded = foreign(
        vec![],
        Params {
            parallel_tool_calls: Some(false),
            ..Params::default()
        },
    );
    decoded.turn.tools = [
        function,
        freeform,
        hosted(Wire::Responses),
        hosted(Wire::Anthropic),
    ]
    .into_iter()
    .map(Node::new)
    .collect();
    let (out, losses) = encoded(&decoded, "m");
    let out: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        out["tools"],
        json!([
            {"name": "f", "description": "d", "input_schema": {"type": "object"}, "strict": true, "defer_loading": true},
            {"name": "patch", "input_schema": {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}},
            {"type": "web_search"},
        ])
    );
    assert_eq!(
        out["tool_choice"],
        json!({"type": "auto", "disable_parallel_tool_use": true})
    );
    assert_eq!(losses, ["tools[0].novel", "tools[1].format", "tools[2]"]);
}

#[test]
fn appending_a_turn_changes_no_earlier_bytes() {
    let history = [
        message(Role::User, vec![text("a")]),
        message(Role::Assistant, vec![text("b"), call("x", "{}")]),
        message(Role::User, vec![result("x", "r")]),
        message(Role::System, vec![text("s")]),
        message(Role::Assistant, vec![text("c")]),
        message(Role::User, vec![text("d")]),
    ];
    for length in [1, 4, 5] {
        let messages = |length: usize| {
            let (out, _) = encoded(&foreign(history[..length].to_vec(), Params::default()), "m");
            let (messages, _) = out.split_once("],\"max_tokens\"").unwrap();
            messages.to_owned()
        };
        assert!(
            messages(history.len()).starts_with(&messages(length)),
            "{length}"
        );
    }
}

#[test]
fn a_file_that_another_provider_keeps_is_named_and_not_asked_for() {
    let note =
        json!({"type": "text", "text": "[File left out: it is stored with another provider]"});
    let document = Block::Document(Document {
        source: MediaSource::File("file-123".into()),
        title: Some("a.pdf".into()),
        context: None,
        cache: None,
        extra: vec![],
    });
    let image = Block::Image(Image {
        source: MediaSource::File("file-4".into()),
        detail: None,
        cache: None,
    });
    check_messages(
        vec![message(Role::User, vec![document, image, text("read")])],
        json!([{"role": "user", "content": [note, note, {"type": "text", "text": "read"}]}]),
        &["messages[0].content[0]", "messages[0].content[1]"],
    );
}
