use super::*;
use crate::json::Text;
use crate::responses::scan_request;
use crate::turn::{
    Block, Effort, MediaSource, OutputFormat, Params, Role, ThinkingMode, ThoughtDisplay, Tool,
    ToolChoice, ToolInput,
};

fn decoded(body: &str) -> Decoded {
    scan_request(&body.into())
        .and_then(|doc| decode_request(&doc))
        .unwrap_or_else(|failure| panic!("{}: {body}", failure.message))
}

/// A block in short.
fn short(block: &Block) -> String {
    let source = |source: &MediaSource| match source {
        MediaSource::Base64 { media_type, data } => format!("{media_type} {data}"),
        MediaSource::Url(url) => format!("at {url}"),
        MediaSource::File(id) => format!("file {id}"),
        other => panic!("{other:?}"),
    };
    let opt = |text: &Option<Text>| text.clone().unwrap_or_default().to_string();
    match block {
        Block::Text {
            text,
            citations,
            cache,
            ..
        } => {
            let cited = if citations.is_some() { " cited" } else { "" };
            let cached = if cache.is_some() { " cached" } else { "" };
            format!("text {text}{cited}{cached}")
        }
        Block::Thinking(thinking) => {
            let hidden = if thinking.is_redacted {
                "hidden"
            } else {
                "think"
            };
            format!("{hidden} {}|{}", thinking.text, opt(&thinking.signature))
        }
        Block::ToolUse(call) => {
            let input = match &call.input {
                ToolInput::Json(input) => input.to_string(),
                ToolInput::Freeform(input) => format!("free {input}"),
            };
            let namespace = call
                .namespace
                .as_ref()
                .map_or(String::new(), |own| format!("{own}/"));
            format!("call {} {namespace}{} {input}", call.id, call.name)
        }
        Block::ToolResult(result) => {
            let content: Vec<String> = result.content.iter().map(|block| short(block)).collect();
            let failed = if result.is_error { " failed" } else { "" };
            format!(
                "result {}{failed} [{}]",
                result.tool_use_id,
                content.join(", ")
            )
        }
        Block::Image(image) => format!("image {}", source(&image.source)),
        Block::Document(file) => format!("file {} {}", opt(&file.title), source(&file.source)),
        Block::Media(media) => format!("media {}", source(&media.source)),
        Block::ToolReference { name } => format!("tool {name}"),
        Block::ServerTool(step) => format!("step {}", opt(&step.name)),
        Block::Refusal(text) => format!("refuse {text}"),
        Block::Foreign(foreign) => format!("foreign {}", foreign.raw),
        Block::SearchResult(_) => panic!("none here"),
    }
}

/// The system prompt and the messages in short.
#[track_caller]
fn check(input: &str, expected: &[&str]) {
    let turn = decoded(&format!(r#"{{"model":"m","input":{input}}}"#)).turn;
    let mut found: Vec<String> = turn
        .system
        .iter()
        .map(|block| format!("! {}", short(block)))
        .collect();
    for message in &turn.messages {
        let role = match message.role {
            Role::User => "u",
            Role::Assistant => "a",
            Role::System => "s",
        };
        let blocks: Vec<String> = message.blocks.iter().map(|block| short(block)).collect();
        found.push(format!("{role} {}", blocks.join("; ")));
    }
    assert_eq!(found, expected, "{input}");
}

#[test]
fn input_in_every_shape() {
    check(r#""hi""#, &["u text hi"]);
    check(
        r#"["a",{"type":"input_text","text":"b"},{"text":"c"}]"#,
        &["u text a; text b; text c"],
    );
    check(
        r#"["a",{"role":"user","content":"b"},"c"]"#,
        &["u text a", "u text b", "u text c"],
    );
    check(
        r#"[{"role":"user","content":[{"type":"input_text","text":"x","prompt_cache_breakpoint":{"mode":"explicit"}},{"type":"input_image","image_url":"data:image/png;base64,aGk="},{"type":"input_image","file_id":"f"},{"type":"input_file","filename":"a.txt","file_data":"aGk="},{"type":"input_file","file_url":"u"},{"type":"input_audio","input_audio":{"data":"aGk=","format":"mp3"}},{"type":"new","x":1}]}]"#,
        &[
            r#"u text x cached; image image/png aGk=; image file f; file a.txt text/plain aGk=; file  at u; media audio/mp3 aGk=; foreign {"type":"new","x":1}"#,
        ],
    );
    check("[]", &[]);
}

#[test]
fn instructions_lead_and_reminders_stay() {
    let body = r#"{"model":"m","instructions":"I","input":[{"role":"developer","content":"D"},{"role":"system","content":[{"type":"input_text","text":"S"}]},{"role":"user","content":"u"},{"role":"developer","content":"later"}]}"#;
    let turn = decoded(body).turn;
    let system: Vec<String> = turn.system.iter().map(|block| short(block)).collect();
    assert_eq!(system, ["text I", "text D", "text S"]);
    assert_eq!(turn.messages[1].role, Role::System);
    check(
        r#"[{"role":"developer","content":"D"},{"role":"user","content":"u"},{"role":"developer","content":"later"}]"#,
        &["! text D", "u text u", "s text later"],
    );
}

#[test]
fn an_answer_is_one_message_and_so_are_its_results() {
    check(
        r#"[{"type":"reasoning","summary":[{"type":"summary_text","text":"a"},{"type":"summary_text","text":"b"}],"encrypted_content":"E"},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Hi","annotations":[{"type":"url_citation"}]},{"type":"refusal","refusal":"no"}]},{"type":"function_call","call_id":"1","name":"f","namespace":"ns","arguments":"{\"x\": 1}"},{"type":"custom_tool_call","call_id":"2","name":"p","input":"raw"},{"type":"function_call_output","call_id":"1","output":"out"},{"type":"custom_tool_call_output","call_id":"2","output":[{"type":"input_text","text":"t"},{"type":"input_image","image_url":"u"}]},{"type":"reasoning","summary":[],"content":null,"encrypted_content":"H"},{"role":"assistant","content":"Done"}]"#,
        &[
            r#"a think a

b|E; text Hi cited; refuse no; call 1 ns/f {"x": 1}; call 2 p free raw"#,
            "u result 1 [text out]; result 2 [text t, image at u]",
            "a hidden |H; text Done",
        ],
    );
    check(
        r#"[{"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"raw"}]}]"#,
        &["a think raw|"],
    );
}

#[test]
fn items_without_a_type_are_what_they_can_only_be() {
    check(
        r#"[{"call_id":"1","name":"f","arguments":{"x":1}},{"call_id":"1","output":"o"},{"call_id":"2","name":"p","input":"i"},{"summary":[{"text":"s"}]}]"#,
        &[
            r#"a call 1 f {"x":1}"#,
            "u result 1 [text o]",
            "a call 2 p free i; think s|",
        ],
    );
}

#[test]
fn tools_known_by_their_type_are_functions_of_that_name() {
    check(
        r#"[{"type":"local_shell_call","call_id":"1","action":{"type":"exec"}},{"type":"local_shell_call_output","call_id":"1","output":"o"},{"type":"shell_call","call_id":"2","action":{"commands":["x"]}},{"type":"shell_call_output","call_id":"2","output":[{"stdout":"a","stderr":"","outcome":{"type":"exit","exit_code":0}},{"stdout":"","stderr":"b","outcome":{"type":"timeout"}}]},{"type":"computer_call","call_id":"3","action":{"type":"screenshot"}},{"type":"computer_call_output","call_id":"3","output":{"type":"computer_screenshot","image_url":"u"}},{"type":"apply_patch_call","call_id":"4","operation":{"type":"delete_file"}},{"type":"apply_patch_call_output","call_id":"4","status":"failed"}]"#,
        &[
            r#"a call 1 local_shell {"type":"exec"}"#,
            "u result 1 [text o]",
            r#"a call 2 shell {"commands":["x"]}"#,
            "u result 2 [text a, text b, text the command timed out]",
            r#"a call 3 computer {"type":"screenshot"}"#,
            "u result 3 [image at u]",
            r#"a call 4 apply_patch {"type":"delete_file"}"#,
            "u result 4 failed []",
        ],
    );
}

#[test]
fn steps_of_the_provider_and_unknown_items_are_kept() {
    check(
        r#"[{"type":"web_search_call","id":"w"},{"type":"mcp_list_tools","id":"l"},{"type":"compaction","encrypted_content":"C"},{"type":"next_year","x":1},{"type":"message","role":"critic","content":"?"}]"#,
        &[
            r#"a step web_search; step mcp_list_tools; foreign {"type":"compaction","encrypted_content":"C"}; foreign {"type":"next_year","x":1}; foreign {"type":"message","role":"critic","content":"?"}"#,
        ],
    );
}

#[test]
fn tools_found_on_the_way_are_declared() {
    let turn = decoded(
        r#"{"model":"m","input":[{"type":"tool_search_call","call_id":"1","arguments":{"q":"x"}},{"type":"tool_search_output","call_id":"1","tools":[{"type":"function","name":"mail"}]},{"type":"additional_tools","role":"developer","tools":[{"type":"custom","name":"note"}]}],"tools":[{"type":"function","name":"ls"}]}"#,
    )
    .turn;
    let names: Vec<String> = turn
        .tools
        .iter()
        .map(|tool| tool.name().to_string())
        .collect();
    assert_eq!(names, ["ls", "mail", "note"]);
    assert_eq!(short(&turn.messages[1].blocks[0]), "result 1 [tool mail]");
}

#[test]
fn tools_flat_nested_and_in_namespaces() {
    let turn = decoded(
        r#"{"model":"m","input":"","tools":[{"type":"function","name":"a","strict":true,"parameters":{"x":1},"defer_loading":true,"output_schema":{}},{"type":"function","function":{"name":"b"}},{"name":"c"},{"type":"custom","name":"d","format":{"type":"text"}},{"type":"namespace","name":"n","description":"N","tools":[{"type":"function","name":"e"},{"type":"custom","name":"f"}]},{"type":"namespace","name":"empty","tools":[]},{"type":"mcp","server_label":"s"}]}"#,
    )
    .turn;
    let found: Vec<String> = turn
        .tools
        .iter()
        .map(|tool| {
            let kind = match &**tool {
                Tool::Function { extra, .. } => {
                    let extra: Vec<&str> = extra.iter().map(|(key, _)| &**key).collect();
                    format!("function {}", extra.join(","))
                }
                Tool::Freeform { .. } => "freeform".to_owned(),
                Tool::Hosted { .. } => "hosted".to_owned(),
            };
            let namespace = tool.namespace().cloned().unwrap_or_default();
            format!("{namespace}/{} {kind}", tool.name())
        })
        .collect();
    assert_eq!(
        found,
        [
            "/a function output_schema",
            "/b function ",
            "/c function ",
            "/d freeform",
            "n/e function namespace.description",
            "n/f freeform",
            "/empty hosted",
            "/mcp hosted",
        ]
    );
    let Tool::Function {
        strict,
        deferred,
        input_schema,
        ..
    } = &*turn.tools[0]
    else {
        panic!("no function");
    };
    assert_eq!((*strict, *deferred), (Some(true), true));
    assert_eq!(input_schema.as_deref(), Some(r#"{"x":1}"#));
}

fn params(members: &str) -> Params {
    decoded(&format!(r#"{{"model":"m","input":"",{members}}}"#)).params
}

fn extra(params: &Params) -> Vec<String> {
    let members = params.extra.iter();
    members.map(|(key, raw)| format!("{key}={raw}")).collect()
}

#[test]
fn parameters() {
    let all = params(
        r#""max_output_tokens":9,"stream":true,"temperature":0.50,"top_p":1,"parallel_tool_calls":false,"user":"u","prompt_cache_key":"k","store":false,"include":["x"],"metadata":null,"safety_identifier":"s""#,
    );
    assert_eq!(all.max_tokens, Some(9));
    assert!(all.stream);
    assert_eq!(all.temperature.as_deref(), Some("0.50"));
    assert_eq!(all.parallel_tool_calls, Some(false));
    assert_eq!(all.user.as_ref().unwrap(), "u");
    assert_eq!(all.cache_key.as_ref().unwrap(), "k");
    assert_eq!(
        extra(&all),
        [
            r"store=false",
            r#"include=["x"]"#,
            r#"safety_identifier="s""#
        ]
    );
}

#[test]
fn reasoning_and_text_are_taken_apart() {
    let auto = params(r#""reasoning":{"effort":"xhigh","summary":"auto"}"#);
    assert_eq!(auto.effort, Some(Effort::XHigh));
    assert_eq!(auto.thoughts, Some(ThoughtDisplay::Shown));
    assert!(auto.extra.is_empty());
    let none = params(r#""reasoning":{"effort":"none","summary":null}"#);
    assert_eq!(none.thinking, Some(ThinkingMode::Disabled));
    assert_eq!(none.thoughts, None);
    let more = params(r#""reasoning":{"effort":"future","summary":"detailed","context":"x"}"#);
    assert_eq!(more.effort, None);
    assert_eq!(
        extra(&more),
        [
            r#"reasoning.effort="future""#,
            r#"reasoning.summary="detailed""#,
            r#"reasoning.context="x""#
        ]
    );
    let text = params(
        r#""text":{"format":{"type":"json_schema","name":"n","schema":{"a":1},"description":"d"},"verbosity":"low"}"#,
    );
    assert_eq!(
        text.format,
        Some(OutputFormat::JsonSchema {
            name: Some("n".into()),
            schema: r#"{"a":1}"#.into(),
            strict: None
        })
    );
    assert_eq!(
        extra(&text),
        [r#"text.format.description="d""#, r#"text.verbosity="low""#]
    );
    assert_eq!(
        params(r#""text":{"format":{"type":"json_object"}}"#).format,
        Some(OutputFormat::JsonObject)
    );
    assert_eq!(
        extra(&params(r#""text":{"format":{"type":"grammar"}}"#)),
        [r#"text.format={"type":"grammar"}"#]
    );
}

#[test]
fn choices() {
    let choice = |raw: &str| params(&format!(r#""tool_choice":{raw}"#)).tool_choice;
    assert_eq!(choice(r#""auto""#), Some(ToolChoice::Auto));
    assert_eq!(choice(r#""required""#), Some(ToolChoice::Required));
    assert_eq!(choice(r#""none""#), Some(ToolChoice::None));
    for named in [
        r#"{"type":"function","name":"f"}"#,
        r#"{"type":"custom","name":"f"}"#,
        r#"{"type":"function","function":{"name":"f"}}"#,
    ] {
        assert_eq!(choice(named), Some(ToolChoice::Tool("f".into())));
    }
    assert_eq!(
        choice(
            r#"{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"f"},{"type":"custom","name":"g"}]}"#
        ),
        Some(ToolChoice::Among {
            names: vec!["f".into(), "g".into()],
            is_required: true
        })
    );
    let hosted = params(r#""tool_choice":{"type":"file_search"}"#);
    assert_eq!(hosted.tool_choice, None);
    assert_eq!(extra(&hosted), [r#"tool_choice={"type":"file_search"}"#]);
}

#[test]
fn what_is_no_request_is_named() {
    let message = |body: &str| {
        scan_request(&body.into())
            .and_then(|doc| decode_request(&doc))
            .unwrap_err()
            .message
    };
    assert_eq!(
        message(r#"{"model":"m","input":[7]}"#),
        "input[0]: must be an item, as an object"
    );
    assert_eq!(
        message(r#"{"model":"m","input":[{"type":"message","content":"x"}]}"#),
        "input[0].role: must be one of user, assistant, system, developer"
    );
    assert_eq!(
        message(r#"{"model":"m","input":"","tools":{}}"#),
        "tools: must be an array"
    );
    assert_eq!(
        message(r#"{"model":"m","input":"","instructions":7}"#),
        "instructions: must be a string"
    );
    // Kept by their paths, these would be written as other members.
    for (body, expected) in [
        (
            r#"{"model":"m","input":"","text.verbosity":"low"}"#,
            r#"unknown name "text.verbosity""#,
        ),
        (
            r#"{"model":"m","input":"","text":{"format.x":1}}"#,
            r#"text: unknown name "format.x""#,
        ),
    ] {
        assert!(message(body).starts_with(expected), "{body}");
    }
}

#[test]
fn a_seal_takes_the_bytes_with_it() {
    let turn = decoded(
        r#"{"model":"m","input":[{"type":"reasoning","summary":[],"encrypted_content":"lg1.a.b.c..d"},{"type":"reasoning","summary":[],"encrypted_content":"E"}]}"#,
    )
    .turn;
    let blocks = &turn.messages[0].blocks;
    assert!(blocks[0].raw(Wire::Responses).is_none());
    assert!(blocks[1].raw(Wire::Responses).is_some());
}
