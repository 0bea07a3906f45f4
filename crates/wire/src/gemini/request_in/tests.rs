//! Every shape of a request, as the blocks and parameters it becomes.

use super::*;
use crate::gemini::scan_request;
use crate::turn::{
    Effort, MediaSource, OutputFormat, Role, ThinkingMode, ThoughtDisplay, Tool, ToolChoice,
    ToolInput,
};

fn decoded(body: &str) -> Result<Decoded, String> {
    scan_request(&body.into())
        .and_then(|doc| decode_request(&doc))
        .map_err(|failure| failure.message)
}

fn source(source: &MediaSource) -> String {
    match source {
        MediaSource::Base64 { media_type, data } => format!("{media_type} {data}"),
        MediaSource::Url(url) => format!("at {url}"),
        MediaSource::File(id) => format!("file {id}"),
        MediaSource::Text(text) => format!("text {text}"),
        MediaSource::Blocks(_) => "blocks".to_owned(),
    }
}

/// A block in words.
fn words(block: &Block) -> String {
    let signed = |signature: &Option<Text>| match signature {
        Some(signature) => format!(" signed {signature}"),
        None => String::new(),
    };
    match block {
        Block::Text {
            text, signature, ..
        } => format!("text {text}{}", signed(signature)),
        Block::Thinking(thinking) => {
            let kind = if thinking.is_redacted {
                "hidden"
            } else {
                "think"
            };
            format!("{kind} {}{}", thinking.text, signed(&thinking.signature))
        }
        Block::ToolUse(call) => {
            let ToolInput::Json(input) = &call.input else {
                panic!("this wire has no free text");
            };
            format!(
                "call {} {} {input}{}",
                call.id,
                call.name,
                signed(&call.signature)
            )
        }
        Block::ToolResult(result) => {
            let content: Vec<String> = result.content.iter().map(|block| words(block)).collect();
            let verb = if result.is_error { "fails" } else { "gives" };
            format!("{} {verb} [{}]", result.tool_use_id, content.join(", "))
        }
        Block::Image(image) => format!("image {}", source(&image.source)),
        Block::Media(media) => {
            let extra: Vec<&str> = media.extra.iter().map(|(key, _)| &**key).collect();
            format!(
                "{} {}{}",
                media.kind.name(),
                source(&media.source),
                extra.concat()
            )
        }
        Block::Document(document) => format!("document {}", source(&document.source)),
        Block::ServerTool(step) => format!("step {:?}", step.name.as_ref().map(Text::to_string)),
        Block::Foreign(foreign) => format!("foreign {}", foreign.raw),
        other => format!("{other:?}"),
    }
}

/// `parts` of one content, as blocks in words and the paths of what is left.
#[track_caller]
fn check(role: &str, parts: &str, expected: &[&str], rest: &[&str]) {
    let body = format!(r#"{{"contents":[{{"role":"{role}","parts":{parts}}}]}}"#);
    let decoded = decoded(&body).unwrap();
    let message = &decoded.turn.messages[0];
    let found: Vec<String> = message.blocks.iter().map(|block| words(block)).collect();
    assert_eq!(found, expected, "{parts}");
    let left: Vec<&str> = message.extra.iter().map(|(key, _)| &**key).collect();
    assert_eq!(left, rest, "{parts}");
}

#[test]
fn every_part() {
    check(
        "user",
        r#"[{"text":"Hi"},"there"]"#,
        &["text Hi", "text there"],
        &[],
    );
    check("user", r#"{"text":"Hi"}"#, &["text Hi"], &[]);
    check(
        "user",
        r#"[{"inline_data":{"mime_type":"image/png","data":"a-_b"}},{"inlineData":{"mimeType":"application/pdf","data":"JVBERi0x"}}]"#,
        &["image image/png a+/b", "document application/pdf JVBERi0x"],
        &[],
    );
    check(
        "user",
        r#"[{"inlineData":{"mimeType":"text/plain","data":"aGk="}},{"inlineData":{"mimeType":"audio/wav","data":"AA=="}}]"#,
        &["document text hi", "audio audio/wav AA=="],
        &[],
    );
    check(
        "user",
        r#"[{"fileData":{"mimeType":"video/mp4","fileUri":"https://v/x"},"videoMetadata":{"fps":1}},{"fileData":{"mimeType":"image/png","fileUri":"https://h/v1beta/files/abc"}},{"file_data":{"file_uri":"gs://b/c"}}]"#,
        &[
            "video at https://v/xvideoMetadata",
            "image file https://h/v1beta/files/abc",
            "document file gs://b/c",
        ],
        &[],
    );
    check(
        "model",
        r#"[{"text":"hm","thought":true},{"text":"Hi","thoughtSignature":"Sg=="},{"functionCall":{"name":"f","args":{"x":1}},"thought_signature":"Qw=="}]"#,
        &[
            "think hm",
            "text Hi signed Sg==",
            r#"call call_0 f {"x":1} signed Qw=="#,
        ],
        &[],
    );
    check(
        "model",
        r#"[{"executableCode":{"language":"PYTHON","code":"1"}},{"codeExecutionResult":{"outcome":"OUTCOME_OK"}},{"newKind":{}},{"text":"x","partMetadata":{"a":1}}]"#,
        &[
            r#"step Some("code_execution")"#,
            "step None",
            r#"foreign {"newKind":{}}"#,
            "text x",
        ],
        &["parts[3].partMetadata"],
    );
    check(
        "model",
        r#"[{"functionCall":{"id":"i","name":"f"},"thoughtSignature":"skip_thought_signature_validator"}]"#,
        &["call i f {}"],
        &[],
    );
}

#[test]
fn results_in_every_habit() {
    #[track_caller]
    fn gives(response: &str, expected: &str) {
        let parts = format!(r#"[{{"functionResponse":{{"id":"c","name":"f"{response}}}}}]"#);
        check("user", &parts, &[expected], &[]);
    }
    gives("", "c gives []");
    gives(r#","response":{}"#, "c gives []");
    gives(r#","response":{"output":"ok"}"#, "c gives [text ok]");
    gives(r#","response":{"result":[1]}"#, "c gives [text [1]]");
    gives(
        r#","response":{"name":"f","content":"fine"}"#,
        "c gives [text fine]",
    );
    gives(
        r#","response":{"name":"g","content":"fine"}"#,
        r#"c gives [text {"name":"g","content":"fine"}]"#,
    );
    gives(
        r#","response":{"name":"f","output":"fine"}"#,
        r#"c gives [text {"name":"f","output":"fine"}]"#,
    );
    gives(
        r#","response":{"content":"fine"}"#,
        r#"c gives [text {"content":"fine"}]"#,
    );
    gives(r#","response":{"output":""}"#, "c gives []");
    gives(r#","response":{"error":"no"}"#, "c fails [text no]");
    gives(
        r#","response":{"error":{"code":1}}"#,
        r#"c fails [text {"code":1}]"#,
    );
    gives(
        r#","response":{"a":1,"b":2}"#,
        r#"c gives [text {"a":1,"b":2}]"#,
    );
    gives(
        r#","response":{"output":"see"},"parts":[{"inlineData":{"mimeType":"image/png","data":"AA=="}}]"#,
        "c gives [text see, image image/png AA==]",
    );
    check(
        "function",
        r#"[{"functionResponse":{"name":"f","response":{"output":"x"},"scheduling":"WHEN_IDLE"}}]"#,
        &["result_0 gives [text x]"],
        &["parts[0].functionResponse.scheduling"],
    );
}

#[test]
fn roles_and_ids_over_a_conversation() {
    let body = r#"{"contents":[
        {"parts":[{"text":"go"}]},
        {"role":"model","parts":[{"functionCall":{"name":"f","args":{}}},{"functionCall":{"name":"g","args":{}}}]},
        {"role":"function","parts":[{"functionResponse":{"name":"g","response":{"output":"2"}}},{"functionResponse":{"name":"f","response":{"output":"1"}}}]},
        {"role":"system","parts":[{"text":"mind"}]}
    ],"systemInstruction":"be brief"}"#;
    let decoded = decoded(body).unwrap();
    let found: Vec<(Role, Vec<String>)> = decoded
        .turn
        .messages
        .iter()
        .map(|message| {
            (
                message.role,
                message.blocks.iter().map(|block| words(block)).collect(),
            )
        })
        .collect();
    let expected = [
        (Role::User, vec!["text go"]),
        (
            Role::Assistant,
            vec!["call call_0 f {}", "call call_1 g {}"],
        ),
        (
            Role::User,
            vec!["call_1 gives [text 2]", "call_0 gives [text 1]"],
        ),
        (Role::System, vec!["text mind"]),
    ]
    .map(|(role, words)| (role, words.into_iter().map(str::to_owned).collect()));
    assert_eq!(found, expected);
    assert_eq!(words(&decoded.turn.system[0]), "text be brief");
}

#[test]
fn the_system_instruction_in_every_shape() {
    for (shape, expected) in [
        (r#""a""#, vec!["text a"]),
        (
            r#"{"parts":[{"text":"a"},{"text":"b"}],"role":"user"}"#,
            vec!["text a", "text b"],
        ),
        (r#"{"parts":{"text":"a"}}"#, vec!["text a"]),
        (r#"{"text":"a"}"#, vec!["text a"]),
        (r#"[{"text":"a"}]"#, vec!["text a"]),
        ("null", vec![]),
    ] {
        let body = format!(r#"{{"contents":[],"system_instruction":{shape}}}"#);
        let decoded = decoded(&body).unwrap();
        let found: Vec<String> = decoded
            .turn
            .system
            .iter()
            .map(|block| words(block))
            .collect();
        assert_eq!(found, expected, "{shape}");
    }
}

#[test]
fn tools_of_every_kind() {
    let body = r#"{"contents":[],"tools":[{"function_declarations":[
        {"name":"f","description":"d","parameters":{"type":"OBJECT","properties":{"a":{"type":"STRING"}}},"behavior":"BLOCKING"},
        {"name":"g","parametersJsonSchema":{"type":"object"}}, {"name":"h"}]},
        {"googleSearch":{}},{"codeExecution":{}}]}"#;
    let tools = decoded(body).unwrap().turn.tools;
    let found: Vec<String> = tools
        .iter()
        .map(|tool| match &**tool {
            Tool::Function {
                name,
                input_schema,
                extra,
                ..
            } => format!(
                "{name} {} {}",
                input_schema.as_deref().unwrap_or("-"),
                extra.len()
            ),
            Tool::Hosted {
                kind, declaration, ..
            } => format!("{kind} {}", declaration.raw),
            Tool::Freeform { .. } => panic!("this wire has none"),
        })
        .collect();
    assert_eq!(
        found,
        [
            r#"f {"type":"object","properties":{"a":{"type":"string"}}} 1"#,
            r#"g {"type":"object"} 0"#,
            "h - 0",
            r#"googleSearch {"googleSearch":{}}"#,
            r#"codeExecution {"codeExecution":{}}"#,
        ]
    );
}

#[test]
fn parameters() {
    let config = r#"{"contents":[],"safetySettings":[],"labels":{"a":"b"},"cachedContent":"c/1",
        "generationConfig":{"temperature":1.50,"topP":0.9,"topK":64.0,"maxOutputTokens":9,"stopSequences":["a"],"candidateCount":1,"seed":7,
            "thinkingConfig":{"includeThoughts":true,"thinkingBudget":-1,"thinkingLevel":"LOW","new":1}}}"#;
    let params = decoded(config).unwrap().params;
    assert_eq!(params.temperature.as_deref(), Some("1.50"));
    assert_eq!(params.seed.as_deref(), Some("7"));
    assert_eq!(params.top_k.as_deref(), Some("64"));
    assert_eq!(params.max_tokens, Some(9));
    assert_eq!(params.stop, ["a"]);
    assert_eq!(params.thinking, Some(ThinkingMode::Adaptive));
    // The API refuses both, so that the older one counts and the other is kept as it is.
    assert_eq!(params.effort, None);
    assert_eq!(params.thoughts, Some(ThoughtDisplay::Shown));
    let extra: Vec<&str> = params.extra.iter().map(|(key, _)| &**key).collect();
    assert_eq!(
        extra,
        [
            "safetySettings",
            "labels",
            "cachedContent",
            "generationConfig.thinkingConfig.thinkingLevel",
            "generationConfig.thinkingConfig.new",
        ]
    );
    let level = r#"{"contents":[],"generationConfig":{"thinkingConfig":{"thinkingLevel":"LOW"}}}"#;
    assert_eq!(decoded(level).unwrap().params.effort, Some(Effort::Low));
}

#[test]
fn formats() {
    for (config, expected) in [
        ("{}", None),
        (r#"{"responseMimeType":"text/plain"}"#, None),
        (r#"{"responseMimeType":"application/json"}"#, Some("-")),
        (
            r#"{"responseMimeType":"application/json","responseSchema":{"type":"STRING"}}"#,
            Some(r#"{"type":"string"}"#),
        ),
        (
            r#"{"response_mime_type":"application/json","response_json_schema":{"type":"string"}}"#,
            Some(r#"{"type":"string"}"#),
        ),
    ] {
        let body = format!(r#"{{"contents":[],"generationConfig":{config}}}"#);
        let params = decoded(&body).unwrap().params;
        let found = params.format.as_ref().map(|format| match format {
            OutputFormat::JsonObject => "-",
            OutputFormat::JsonSchema { schema, .. } => &**schema,
        });
        assert_eq!(found, expected, "{config}");
        assert_eq!(params.extra, [], "{config}");
    }
}

#[test]
fn choices() {
    let among = |is_required| {
        Some(ToolChoice::Among {
            names: vec!["f".into(), "g".into()],
            is_required,
        })
    };
    for (config, expected, rest) in [
        (r#"{"mode":"AUTO"}"#, Some(ToolChoice::Auto), None),
        (r#"{"mode":"ANY"}"#, Some(ToolChoice::Required), None),
        (
            r#"{"mode":"ANY","allowedFunctionNames":["f"]}"#,
            Some(ToolChoice::Tool("f".into())),
            None,
        ),
        (
            r#"{"mode":"any","allowed_function_names":["f","g"]}"#,
            among(true),
            None,
        ),
        (r#"{"mode":"NONE"}"#, Some(ToolChoice::None), None),
        (
            r#"{"mode":"VALIDATED"}"#,
            Some(ToolChoice::Auto),
            Some("mode"),
        ),
        (
            r#"{"mode":"VALIDATED","allowedFunctionNames":["f","g"]}"#,
            among(false),
            None,
        ),
        (
            r#"{"mode":"AUTO","streamFunctionCallArguments":true}"#,
            Some(ToolChoice::Auto),
            Some("streamFunctionCallArguments"),
        ),
        (r#"{"mode":"NEW"}"#, None, Some("mode")),
    ] {
        let body =
            format!(r#"{{"contents":[],"toolConfig":{{"functionCallingConfig":{config}}}}}"#);
        let params = decoded(&body).unwrap().params;
        assert_eq!(params.tool_choice, expected, "{config}");
        let left: Vec<String> = params
            .extra
            .iter()
            .map(|(key, _)| key.to_string())
            .collect();
        let expected: Vec<String> = rest
            .map(|key| format!("toolConfig.functionCallingConfig.{key}"))
            .into_iter()
            .collect();
        assert_eq!(left, expected, "{config}");
    }
}

#[test]
fn a_count_is_about_the_request_in_it() {
    let body =
        r#"{"generateContentRequest":{"model":"models/m","contents":[{"parts":[{"text":"x"}]}]}}"#;
    let turn = decoded(body).unwrap().turn;
    assert_eq!(turn.model, "m");
    assert_eq!(turn.messages.len(), 1);
}

#[test]
fn a_call_whose_members_cannot_be_told_apart_stays_as_it_is() {
    for (call, is_carried) in [
        (r#"{"name":"f","xY":1}"#, false),
        (r#"{"name":"f","xY":1,"x_y":2}"#, true),
        (r#"{"name":"f","x.y":1}"#, true),
    ] {
        let body =
            format!(r#"{{"contents":[{{"role":"model","parts":[{{"functionCall":{call}}}]}}]}}"#);
        let turn = decoded(&body).unwrap().turn;
        let block = &turn.messages[0].blocks[0];
        assert_eq!(matches!(**block, Block::Foreign(_)), is_carried, "{call}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (body, expected) in [
        ("{}", "contents: expected"),
        (r#"{"contents":7}"#, "contents: expected"),
        (
            r#"{"contents":[{"role":"bot"}]}"#,
            "contents[0].role: expected",
        ),
        (
            r#"{"contents":[{"parts":"x"}]}"#,
            "contents[0].parts: expected",
        ),
        (
            r#"{"contents":[],"systemInstruction":7}"#,
            "systemInstruction: expected",
        ),
        (r#"{"contents":[],"tools":7}"#, "tools: expected"),
        (
            r#"{"contents":[],"generationConfig":{"candidateCount":2}}"#,
            "generationConfig.candidateCount: one candidate",
        ),
        // Kept by their paths, these would be written as other members.
        (
            r#"{"contents":[],"toolConfig":[],"toolConfig.x":1}"#,
            r#"unknown name "toolConfig.x""#,
        ),
        (
            r#"{"contents":[],"generationConfig":{"thinkingConfig.x":1}}"#,
            r#"generationConfig: unknown name "thinkingConfig.x""#,
        ),
        (
            r#"{"contents":[],"toolConfig":{"functionCallingConfig.x":1}}"#,
            r#"toolConfig: unknown name "functionCallingConfig.x""#,
        ),
        (
            r#"{"contents":[],"toolConfig":{"a":1},"tool_config":{"a":2}}"#,
            "toolConfig: given twice",
        ),
        (
            r#"{"contents":[],"generationConfig":{"thinkingConfig":{"x_y":1,"xY":2}}}"#,
            "generationConfig.thinkingConfig.xY: given twice",
        ),
        (
            r#"{"contents":[],"toolConfig":{"functionCallingConfig":{"x_y":1,"xY":2}}}"#,
            "toolConfig.functionCallingConfig.xY: given twice",
        ),
        (
            r#"{"contents":[],"tools":[{"functionDeclarations":[{"x_y":1,"xY":2}]}]}"#,
            "tools.functionDeclarations.xY: given twice",
        ),
    ] {
        let message = decoded(body).unwrap_err();
        assert!(message.starts_with(expected), "{body}: {message}");
    }
}
