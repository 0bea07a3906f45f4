use bytestring::ByteString;

use super::super::peek::scan_request;
use super::*;
use crate::turn::{
    Block, CacheHint, Effort, MediaSource, OutputFormat, Params, Role, ThinkingMode, Tool,
    ToolChoice, ToolInput,
};

fn decoded(body: &str) -> Result<Decoded, String> {
    scan_request(&ByteString::from(body))
        .and_then(|doc| decode_request(&doc))
        .map_err(|failure| failure.message)
}

fn with(member: &str) -> Decoded {
    decoded(&format!(r#"{{"model":"m","messages":[],{member}}}"#)).unwrap()
}

fn params(member: &str) -> Params {
    with(member).params
}

/// Messages in one line each: the role, then the blocks as words.
#[track_caller]
fn check(messages: &str, expected: &[&str]) {
    let turn = decoded(&format!(r#"{{"model":"m","messages":{messages}}}"#))
        .unwrap()
        .turn;
    let system = turn
        .system
        .iter()
        .map(|block| format!("lead {}", words(block)));
    let conversation = turn.messages.iter().map(|message| {
        let role = match message.role {
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::System => "system",
        };
        message.blocks.iter().fold(role.to_owned(), |line, block| {
            format!("{line} | {}", words(block))
        })
    });
    let found: Vec<String> = system.chain(conversation).collect();
    assert_eq!(found, expected, "{messages}");
}

fn words(block: &Block) -> String {
    match block {
        Block::Text {
            text, cache: None, ..
        } => format!("text {text}"),
        Block::Text {
            text,
            cache: Some(hint),
            ..
        } => format!("text {text} {hint:?}"),
        Block::Thinking(thinking) => format!(
            "think {} {}",
            thinking.text,
            thinking.signature.clone().unwrap_or_default()
        ),
        Block::ToolUse(call) => match &call.input {
            ToolInput::Json(input) => format!("call {} {} {input}", call.id, call.name),
            ToolInput::Freeform(input) => format!("free {} {} {input}", call.id, call.name),
        },
        Block::ToolResult(result) => {
            let content: Vec<String> = result.content.iter().map(|block| words(block)).collect();
            format!("result {} [{}]", result.tool_use_id, content.join(", "))
        }
        Block::Image(image) => format!("image {}", source(&image.source)),
        Block::Media(media) => format!("{} {}", media.kind.name(), source(&media.source)),
        Block::Document(document) => format!(
            "file {} {}",
            document.title.clone().unwrap_or_default(),
            source(&document.source)
        ),
        Block::Refusal(text) => format!("refuse {text}"),
        Block::Foreign(foreign) => format!("foreign {}", foreign.raw),
        other => format!("{other:?}"),
    }
}

fn source(source: &MediaSource) -> String {
    match source {
        MediaSource::Base64 { media_type, data } => format!("{media_type} {data}"),
        MediaSource::Url(url) => format!("at {url}"),
        MediaSource::File(id) => format!("id {id}"),
        other => format!("{other:?}"),
    }
}

#[test]
fn roles_and_their_places() {
    check(
        r#"[{"role":"developer","content":"a"},{"role":"system","content":[{"type":"text","text":"b"}]},{"role":"user","content":"c"},{"role":"system","content":"d"}]"#,
        &[
            "lead text a",
            "lead text b",
            "user | text c",
            "system | text d",
        ],
    );
    check(
        r#"[{"role":"critic","content":"x"}]"#,
        &[r#"user | foreign {"role":"critic","content":"x"}"#],
    );
}

#[test]
fn every_shape_of_content() {
    check(
        r#"[{"role":"user","content":null},{"role":"user"}]"#,
        &["user", "user"],
    );
    check(
        r#"[{"role":"user","content":[{"text":"a"},"b",{"type":"input_text","text":"c"}]}]"#,
        &["user | text a | text b | text c"],
    );
    check(
        r#"[{"role":"user","content":{"type":"text","text":"a"}}]"#,
        &["user | text a"],
    );
    check(
        r#"[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"1h"}},{"type":"text","text":"b","prompt_cache_breakpoint":{"mode":"explicit"}}]}]"#,
        &["user | text a OneHour | text b Default"],
    );
    check(
        r#"[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}},{"type":"image_url","image_url":"https://x/y.png"}]}]"#,
        &["user | image image/png AA== | image at https://x/y.png"],
    );
    check(
        r#"[{"role":"user","content":[{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,AA=="}},{"type":"file","file":{"file_id":"f1"}}]}]"#,
        &["user | file a.pdf application/pdf AA== | file  id f1"],
    );
    check(
        r#"[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AA=="}}]}]"#,
        &["user | audio audio/wav AA=="],
    );
    check(
        r#"[{"role":"user","content":[{"type":"video_url","video_url":{"url":"https://x/y.mp4"}},{"type":"hologram"}]}]"#,
        &[r#"user | video at https://x/y.mp4 | foreign {"type":"hologram"}"#],
    );
}

#[test]
fn calls_and_results() {
    check(
        r#"[{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\": 1}"}},{"id":"b","type":"function","function":{"name":"g","arguments":{"y":2}}}]},
            {"role":"tool","tool_call_id":"a","content":"one"},{"role":"tool","tool_call_id":"b","content":[{"type":"text","text":"two"}]},{"role":"user","content":"next"}]"#,
        &[
            r#"assistant | call a f {"x": 1} | call b g {"y":2}"#,
            "user | result a [text one] | result b [text two]",
            "user | text next",
        ],
    );
    check(
        r#"[{"role":"assistant","function_call":{"name":"f","arguments":""}},{"role":"function","name":"f","content":"one"}]"#,
        &["assistant | call f f {}", "user | result f [text one]"],
    );
    check(
        r#"[{"role":"assistant","tool_calls":[{"id":"a","type":"custom","custom":{"name":"p","input":"*** x"}},{"id":"b","function":{"name":"f","arguments":"not json"}}]}]"#,
        &["assistant | free a p *** x | call b f {}"],
    );
}

#[test]
fn reasoning_of_earlier_turns() {
    check(
        r#"[{"role":"assistant","reasoning_content":"a","content":"b"}]"#,
        &["assistant | think a  | text b"],
    );
    check(
        r#"[{"role":"assistant","reasoning":"a","content":"b","refusal":"no"}]"#,
        &["assistant | think a  | text b | refuse no"],
    );
    check(
        r#"[{"role":"assistant","reasoning_content":"a","reasoning_details":[{"type":"reasoning.text","signature":"lg1.x","index":0},{"type":"reasoning.encrypted","data":"lg1.y","index":1}],"content":"b"}]"#,
        &["assistant | think a lg1.x | think  lg1.y | text b"],
    );
}

#[test]
fn bytes_are_kept_except_those_of_a_seal() {
    let turn = decoded(r#"{"model":"m","messages":[{"role": "user","content":"a"},{"role":"assistant","content":"b","reasoning_details":[{"signature":"lg1.x"}]}]}"#).unwrap().turn;
    let raws: Vec<Option<&str>> = turn
        .messages
        .iter()
        .map(|message| message.raw(Wire::Chat).map(|raw| &**raw))
        .collect();
    assert_eq!(raws, [Some(r#"{"role": "user","content":"a"}"#), None]);
}

#[test]
fn tools_old_and_new() {
    let turn = with(
        r#""tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"},"strict":true}},{"type":"custom","custom":{"name":"p"}},{"type":"web_search"}],"functions":[{"name":"g","parameters":{}}]"#,
    )
    .turn;
    let found: Vec<String> = turn
        .tools
        .iter()
        .map(|tool| match &**tool {
            Tool::Function {
                name,
                input_schema,
                strict,
                ..
            } => format!("{name} {input_schema:?} {strict:?}"),
            Tool::Freeform { name, .. } => format!("free {name}"),
            Tool::Hosted { kind, .. } => format!("hosted {kind}"),
        })
        .collect();
    assert_eq!(
        found,
        [
            r#"f Some("{\"type\":\"object\"}") Some(true)"#,
            "free p",
            "hosted web_search",
            r#"g Some("{}") None"#
        ]
    );
}

#[test]
fn parameters() {
    let all = params(
        r#""max_completion_tokens":5,"max_tokens":7,"temperature":0.70,"top_p":1,"stop":"x","user":"u","prompt_cache_key":"k","parallel_tool_calls":false,"stream":true,"seed":3"#,
    );
    assert_eq!(
        (
            all.max_tokens,
            all.temperature.as_deref(),
            all.top_p.as_deref()
        ),
        (Some(5), Some("0.70"), Some("1"))
    );
    assert_eq!(
        (all.stop, all.user, all.cache_key),
        (vec!["x".into()], Some("u".into()), Some("k".into()))
    );
    assert_eq!((all.parallel_tool_calls, all.stream), (Some(false), true));
    assert_eq!((all.seed.as_deref(), all.extra.len()), (Some("3"), 0));
    assert_eq!(params(r#""stop":["a","b"]"#).stop.len(), 2);
    assert_eq!(params(r#""reasoning_effort":null"#).effort, None);

    let choice = |choice: &str| params(&format!(r#""tool_choice":{choice}"#)).tool_choice;
    assert_eq!(choice(r#""required""#), Some(ToolChoice::Required));
    assert_eq!(
        choice(r#"{"type":"function","function":{"name":"f"}}"#),
        Some(ToolChoice::Tool("f".into()))
    );
    assert_eq!(
        choice(r#"{"type":"allowed_tools","allowed_tools":{}}"#),
        None
    );
    assert_eq!(
        params(r#""function_call":{"name":"f"}"#).tool_choice,
        Some(ToolChoice::Tool("f".into()))
    );

    let format = params(r#""response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"},"strict":true}}"#).format;
    let expected = OutputFormat::JsonSchema {
        name: Some("n".into()),
        schema: r#"{"type":"object"}"#.into(),
        strict: Some(true),
    };
    assert_eq!(format, Some(expected));
    assert_eq!(
        with(r#""cache_control":{"type":"ephemeral"}"#).turn.cache,
        Some(CacheHint::Default)
    );
}

#[test]
fn every_way_to_ask_for_thinking() {
    let enabled = |budget_tokens| Some(ThinkingMode::Enabled { budget_tokens });
    let cases = [
        (r#""reasoning_effort":"high""#, None, Some(Effort::High)),
        (
            r#""reasoning_effort":"none""#,
            Some(ThinkingMode::Disabled),
            Some(Effort::None),
        ),
        (
            r#""thinking":{"type":"disabled"}"#,
            Some(ThinkingMode::Disabled),
            None,
        ),
        (
            r#""thinking":{"type":"enabled"},"reasoning_effort":null"#,
            enabled(None),
            None,
        ),
        (r#""enable_thinking":true"#, enabled(None), None),
        (
            r#""chat_template_kwargs":{"enable_thinking":false}"#,
            Some(ThinkingMode::Disabled),
            None,
        ),
        (
            r#""reasoning":{"max_tokens":2000}"#,
            enabled(Some(2000)),
            None,
        ),
        (r#""reasoning":{"effort":"low"}"#, None, Some(Effort::Low)),
        (
            r#""reasoning":{"enabled":false}"#,
            Some(ThinkingMode::Disabled),
            None,
        ),
    ];
    for (member, thinking, effort) in cases {
        let params = params(member);
        assert_eq!(
            (params.thinking, params.effort),
            (thinking, effort),
            "{member}"
        );
    }
}

#[test]
fn what_is_wrong_is_named() {
    let cases = [
        (
            r#"{"model":"m","messages":[1]}"#,
            "messages[0]: must be an object",
        ),
        (
            r#"{"model":"m","messages":[{}]}"#,
            "messages[0].role: must be one of system, developer, user, assistant, tool",
        ),
        (
            r#"{"model":"m","messages":[],"n":2}"#,
            "n: must be 1; ask again for another choice",
        ),
        (
            r#"{"model":"m","messages":[],"tools":{}}"#,
            "tools: must be an array",
        ),
        (
            r#"{"messages":[]}"#,
            "model: missing; name the model to use",
        ),
    ];
    for (body, message) in cases {
        assert_eq!(decoded(body).unwrap_err(), message);
    }
    assert!(decoded(r#"{"model":"m","messages":[],"n":1,"tools":null}"#).is_ok());
}

/// What another wire loses nothing by, because the parameters tell all of it.
#[test]
fn members_that_are_told_by_the_parameters() {
    for (key, raw, is_told) in [
        ("reasoning_effort", r#""high""#, true),
        ("reasoning_effort", r#""someday""#, false),
        ("thinking", r#"{"type":"enabled","budget_tokens":5}"#, true),
        ("thinking", r#"{"type":"enabled","keep":"all"}"#, false),
        ("enable_thinking", "true", true),
        ("reasoning", r#"{"effort":"low"}"#, true),
        ("reasoning", r#"{"effort":"low","exclude":true}"#, false),
        ("chat_template_kwargs", r#"{"thinking":false}"#, true),
        ("chat_template_kwargs", r#"{"thinking":false,"x":1}"#, false),
        ("logprobs", "true", false),
    ] {
        assert_eq!(params::is_told(key, &raw.into()), is_told, "{key}: {raw}");
    }
}
