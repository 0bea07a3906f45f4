//! Requests of other wires and of this one, as the bodies they become.

use serde_json::{Value, json};

use super::*;
use crate::turn::SealKey;
use crate::{anthropic, chat, gemini};

const NEW: &str = "gemini-3-flash";
const OLD: &str = "gemini-2.5-flash";
const SIGNED: &str = "skip_thought_signature_validator";

fn key() -> SealKey {
    SealKey::new("provider", "provider#1", "model")
}

fn encoded(decoded: &Decoded, model: &str) -> (Value, Vec<String>) {
    let upstream = UpstreamContext {
        model,
        seal: &key(),
    };
    let encoded = encode_request(decoded, &upstream);
    let losses = encoded
        .losses
        .iter()
        .map(|loss| loss.path.clone())
        .collect();
    let body = String::from_utf8(encoded.body).unwrap();
    (
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}")),
        losses,
    )
}

/// The body for an Anthropic client's request. Missing frame members are added.
fn sent(request: Value, model: &str) -> (Value, Vec<String>) {
    let mut body = json!({"model": "asked", "messages": [{"role": "user", "content": "hi"}]});
    for (key, value) in request.as_object().unwrap() {
        body[key] = value.clone();
    }
    let doc = anthropic::scan_request(&body.to_string().into()).unwrap();
    encoded(&anthropic::decode_request(&doc).unwrap(), model)
}

#[track_caller]
fn check_contents(messages: Value, model: &str, expected: Value, losses: &[&str]) {
    let (body, lost) = sent(json!({"messages": messages}), model);
    assert_eq!(body["contents"], expected, "{messages}");
    assert_eq!(lost, losses, "{messages}");
}

fn user(parts: Value) -> Value {
    json!({"parts": parts, "role": "user"})
}

fn model(parts: Value) -> Value {
    json!({"parts": parts, "role": "model"})
}

fn call(id: &str, name: &str, signature: Option<&str>) -> Value {
    let mut part = json!({"functionCall": {"id": id, "name": name, "args": {}}});
    if let Some(signature) = signature {
        part["thoughtSignature"] = json!(signature);
    }
    part
}

fn result(id: &str, name: &str, response: Value) -> Value {
    json!({"functionResponse": {"id": id, "name": name, "response": response}})
}

fn tool_use(id: &str, name: &str) -> Value {
    json!({"type": "tool_use", "id": id, "name": name, "input": {}})
}

fn tool_result(id: &str, content: &str) -> Value {
    json!({"type": "tool_result", "tool_use_id": id, "content": content})
}

#[test]
fn results_follow_their_calls_in_their_order() {
    check_contents(
        json!([
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": [{"type": "text", "text": "on it"}, tool_use("a", "f"), tool_use("b", "g")]},
            {"role": "user", "content": [tool_result("b", "2"), {"type": "text", "text": "and"}, tool_result("a", "1")]},
            {"role": "assistant", "content": "done"},
        ]),
        NEW,
        json!([
            user(json!([{"text": "go"}])),
            model(json!([{"text": "on it"}, call("a", "f", Some(SIGNED)), call("b", "g", None)])),
            user(json!([
                result("a", "f", json!({"output": "1"})),
                result("b", "g", json!({"output": "2"})),
                {"text": "and"},
            ])),
            model(json!([{"text": "done"}])),
        ]),
        &[],
    );
}

#[test]
fn what_the_api_would_refuse_is_mended() {
    check_contents(
        json!([
            {"role": "assistant", "content": [tool_use("a", "f")]},
            {"role": "assistant", "content": "more"},
            {"role": "user", "content": [tool_result("x", "late"), {"type": "text", "text": " "}]},
        ]),
        NEW,
        json!([
            user(json!([{"text": "Continue."}])),
            model(json!([{"text": "more"}, call("a", "f", Some(SIGNED))])),
            user(json!([
                result("a", "f", json!({"error": "The result of this call is missing."})),
                {"text": "[Result of an earlier tool call]\nlate"},
            ])),
        ]),
        &[],
    );
    check_contents(
        json!([{"role": "user", "content": "go"}, {"role": "assistant", "content": [tool_use("a", "f")]}]),
        NEW,
        json!([
            user(json!([{"text": "go"}])),
            model(json!([call("a", "f", Some(SIGNED))])),
            user(json!([result(
                "a",
                "f",
                json!({"error": "The result of this call is missing."})
            )])),
        ]),
        &[],
    );
}

#[test]
fn media_of_a_result_stand_where_the_model_takes_them() {
    let image = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}});
    let messages = json!([
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [tool_use("a", "f")]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "is_error": true, "content": [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}, image]}]},
    ]);
    let inline = json!({"inlineData": {"mimeType": "image/png", "data": "AA=="}});
    let mut inside = result("a", "f", json!({"error": "x\ny"}));
    let bare = inside.clone();
    inside["functionResponse"]["parts"] = json!([inline]);
    let head = [
        user(json!([{"text": "go"}])),
        model(json!([call("a", "f", Some(SIGNED))])),
    ];
    for (name, last) in [(NEW, json!([inside])), (OLD, json!([bare, inline]))] {
        let expected = json!([head[0], head[1], user(last)]);
        check_contents(messages.clone(), name, expected, &[]);
    }
}

#[test]
fn media_and_documents() {
    check_contents(
        json!([{"role": "user", "content": [
            {"type": "image", "source": {"type": "url", "url": "https://h/a.PNG?x=1"}},
            {"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": "AA=="}},
            {"type": "image", "source": {"type": "file", "file_id": "f1"}},
            {"type": "document", "title": "T", "source": {"type": "base64", "media_type": "application/pdf", "data": "AA=="}},
            {"type": "document", "title": "T", "source": {"type": "text", "media_type": "text/plain", "data": "words"}, "cache_control": {"type": "ephemeral"}},
        ]}]),
        NEW,
        json!([user(json!([
            {"fileData": {"mimeType": "image/png", "fileUri": "https://h/a.PNG?x=1"}},
            {"text": "[Image left out: this provider does not take its type]"},
            {"text": "[Image left out: it is stored with another provider]"},
            {"inlineData": {"mimeType": "application/pdf", "data": "AA=="}},
            {"text": "Document: T\nwords"},
        ]))]),
        &[
            "messages[0].content[1]",
            "messages[0].content[2]",
            "messages[0].content[3].title",
            "messages[0].content[4].cache_control",
        ],
    );
}

#[test]
fn the_system_prompt_and_what_stands_in_the_middle() {
    let (body, losses) = sent(
        json!({
            "system": [{"type": "text", "text": "x-anthropic-billing-header: v1"}, {"type": "text", "text": "Be brief."}],
            "messages": [{"role": "user", "content": "hi"}, {"role": "system", "content": "mind"}],
        }),
        NEW,
    );
    assert_eq!(
        body["systemInstruction"],
        json!({"parts": [{"text": "Be brief."}]})
    );
    assert_eq!(
        body["contents"],
        json!([user(
            json!([{"text": "hi"}, {"text": "<system-reminder>\nmind\n</system-reminder>"}])
        )])
    );
    assert_eq!(losses, ["system[0]"]);
}

#[test]
fn tokens_go_back_to_their_own_upstream_only() {
    let own = key().seal("TOKEN");
    let foreign = SealKey::new("other", "o", "m").seal("X");
    let thinking = |text: &str, signature: &str| json!({"type": "thinking", "thinking": text, "signature": signature});
    let step = |blocks: &[Value]| {
        json!([
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": blocks},
            {"role": "user", "content": [tool_result("a", "1")]},
        ])
    };
    let thought = json!({"text": "hm", "thought": true});
    let hidden = json!({"type": "redacted_thinking", "data": own});
    let text = json!({"type": "text", "text": "say"});
    let cases: [(Vec<Value>, Value, &[&str]); 6] = [
        (
            vec![thinking("hm", &own), tool_use("a", "f")],
            json!([thought, call("a", "f", Some("TOKEN"))]),
            &[],
        ),
        (
            vec![hidden.clone(), text.clone(), tool_use("a", "f")],
            json!([{"text": "say"}, call("a", "f", Some("TOKEN"))]),
            &[],
        ),
        (
            vec![thinking("hm", &foreign), tool_use("a", "f")],
            json!([call("a", "f", Some(SIGNED))]),
            &["messages[1].content[0]"],
        ),
        (
            vec![thinking("hm", "NATIVE=="), tool_use("a", "f")],
            json!([call("a", "f", Some(SIGNED))]),
            &["messages[1].content[0]"],
        ),
        (
            vec![thinking("hm", &key().seal("")), tool_use("a", "f")],
            json!([thought, call("a", "f", Some(SIGNED))]),
            &[],
        ),
        (
            vec![
                thinking("hm", &foreign),
                thinking("hm", &own),
                tool_use("a", "f"),
                tool_use("b", "g"),
            ],
            json!([thought, call("a", "f", Some("TOKEN")), call("b", "g", None)]),
            &["messages[1].content[0]"],
        ),
    ];
    for (blocks, expected, losses) in cases {
        let (body, lost) = sent(json!({"messages": step(&blocks)}), NEW);
        assert_eq!(body["contents"][1]["parts"], expected, "{blocks:?}");
        assert_eq!(lost, losses, "{blocks:?}");
    }
    let (body, _) = sent(json!({"messages": step(&[hidden, text])}), NEW);
    assert_eq!(
        body["contents"][1]["parts"],
        json!([{"text": "say"}, {"text": "", "thoughtSignature": "TOKEN"}]),
        "without a call the token stands in an empty text"
    );
}

#[test]
fn tools_and_choices() {
    let tools = json!([
        {"name": "Read it", "description": "d", "input_schema": {"$schema": "s", "type": "object", "not": {}}},
        {"type": "web_search_20250305", "name": "web_search"},
    ]);
    let name = names::fit("Read it").into_owned();
    let declared = json!([{"functionDeclarations": [{"name": name, "description": "d", "parametersJsonSchema": {"type": "object"}}]}]);
    for (choice, calling, losses) in [
        (json!({"type": "auto"}), json!({"mode": "AUTO"}), vec![]),
        (json!({"type": "any"}), json!({"mode": "ANY"}), vec![]),
        (json!({"type": "none"}), json!({"mode": "NONE"}), vec![]),
        (
            json!({"type": "tool", "name": "Read it", "disable_parallel_tool_use": true}),
            json!({"mode": "ANY", "allowedFunctionNames": [name]}),
            vec!["tool_choice.disable_parallel_tool_use"],
        ),
    ] {
        let (body, lost) = sent(json!({"tools": tools, "tool_choice": choice}), NEW);
        assert_eq!(body["tools"], declared);
        assert_eq!(
            body["toolConfig"],
            json!({"functionCallingConfig": calling})
        );
        let mut expected = vec!["tools[1]", "tools[0].input_schema.not"];
        expected.extend(losses);
        assert_eq!(lost, expected, "{choice}");
    }
    let (body, lost) = sent(json!({"tool_choice": {"type": "any"}}), NEW);
    assert_eq!(
        (&body["tools"], &body["toolConfig"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(lost, ["tool_choice"]);
}

#[test]
fn thinking_in_the_terms_of_the_generation() {
    let pro = "gemini-3-pro-preview";
    let adaptive = json!({"thinking": {"type": "adaptive"}});
    let off = json!({"thinking": {"type": "disabled"}});
    let budget = |tokens: u64| json!({"thinking": {"type": "enabled", "budget_tokens": tokens}});
    let effort = |effort: &str| json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": effort}});
    let shown = |member: &str, value: Value| json!({"includeThoughts": true, member: value});
    for (request, model, expected) in [
        (json!({}), NEW, Value::Null),
        (adaptive.clone(), NEW, json!({"includeThoughts": true})),
        (off.clone(), NEW, json!({"thinkingLevel": "MINIMAL"})),
        (off.clone(), pro, json!({"thinkingLevel": "LOW"})),
        (budget(1024), NEW, shown("thinkingLevel", json!("LOW"))),
        (budget(31_999), NEW, shown("thinkingLevel", json!("HIGH"))),
        (
            effort("medium"),
            NEW,
            shown("thinkingLevel", json!("MEDIUM")),
        ),
        (effort("medium"), pro, shown("thinkingLevel", json!("HIGH"))),
        (effort("max"), NEW, shown("thinkingLevel", json!("HIGH"))),
        (adaptive, OLD, shown("thinkingBudget", json!(-1))),
        (off.clone(), OLD, json!({"thinkingBudget": 0})),
        (off, "gemini-2.5-pro", json!({"thinkingBudget": 128})),
        (budget(31_999), OLD, shown("thinkingBudget", json!(24_576))),
        (effort("low"), OLD, shown("thinkingBudget", json!(1024))),
        (
            json!({"thinking": {"type": "adaptive", "display": "omitted"}}),
            NEW,
            json!({"includeThoughts": true}),
        ),
        (budget(2048), "gemini-2.0-flash", Value::Null),
    ] {
        let (body, _) = sent(request.clone(), model);
        assert_eq!(
            body["generationConfig"]["thinkingConfig"], expected,
            "{model} {request}"
        );
    }
}

#[test]
fn limits_and_formats() {
    let schema = json!({"type": "object"});
    let format = json!({"output_config": {"format": {"type": "json_schema", "schema": schema}}});
    let (body, lost) = sent(format.clone(), NEW);
    assert_eq!(
        body["generationConfig"],
        json!({"responseMimeType": "application/json", "responseJsonSchema": schema})
    );
    assert_eq!(lost, Vec::<String>::new());
    let mut with_tools = format;
    with_tools["tools"] = json!([{"name": "f", "input_schema": schema}]);
    assert_eq!(sent(with_tools.clone(), NEW).1, Vec::<String>::new());
    assert_eq!(sent(with_tools, OLD).1, ["response_format"]);
    let (body, lost) = sent(
        json!({"max_tokens": 128_000, "temperature": 0.50, "top_k": 3, "stop_sequences": ["1", "2", "3", "4", "5", "6"], "metadata": {"user_id": "u"}, "service_tier": "auto"}),
        NEW,
    );
    assert_eq!(
        body["generationConfig"],
        json!({"temperature": 0.5, "topK": 3, "maxOutputTokens": 65_536, "stopSequences": ["1", "2", "3", "4", "5"]})
    );
    assert_eq!(
        lost,
        ["service_tier", "metadata.user_id", "max_tokens", "stop[5]"]
    );
}

#[test]
fn a_chat_clients_request() {
    let body = r#"{"model":"m","messages":[
        {"role":"system","content":"Be brief."},{"role":"user","content":"go"},
        {"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\": 1}"}}]},
        {"role":"tool","tool_call_id":"a","content":"1"}],
        "tools":[{"type":"function","function":{"name":"f","strict":true}}],"reasoning_effort":"low","user":"u","seed":7,"parallel_tool_calls":false}"#;
    let doc = chat::scan_request(&body.into()).unwrap();
    let (body, losses) = encoded(&chat::decode_request(&doc).unwrap(), NEW);
    let mut called = call("a", "f", Some(SIGNED));
    called["functionCall"]["args"] = json!({"x": 1});
    assert_eq!(
        body["contents"],
        json!([
            user(json!([{"text": "go"}])),
            model(json!([called])),
            user(json!([result("a", "f", json!({"output": "1"}))])),
        ])
    );
    assert_eq!(
        body["generationConfig"],
        json!({"seed": 7, "thinkingConfig": {"includeThoughts": true, "thinkingLevel": "LOW"}})
    );
    assert_eq!(losses, ["tools[0].strict", "parallel_tool_calls", "user"]);
}

/// A body of this wire as it goes out again.
fn own(body: &str) -> (String, Vec<String>) {
    let doc = gemini::scan_request(&body.into()).unwrap();
    let upstream = UpstreamContext {
        model: NEW,
        seal: &key(),
    };
    let encoded = encode_request(&gemini::decode_request(&doc).unwrap(), &upstream);
    let losses = encoded
        .losses
        .iter()
        .map(|loss| loss.path.clone())
        .collect();
    (String::from_utf8(encoded.body).unwrap(), losses)
}

#[test]
fn what_came_on_this_wire_goes_out_as_it_came() {
    let body = concat!(
        r#"{"contents":[{"parts":[{"text":"a\u00e9"},{"newKind":{}}],"role":"user"},{"parts":[{"functionCall":{"name":"f","args":{"b":1.0,"a":1e2}},"thoughtSignature":"Tg=="}],"role":"model"},"#,
        r#"{"parts":[{"functionResponse":{"name":"f","response":{"output":"x"}}}],"role":"user"}],"#,
        r#""systemInstruction":{"parts":[{"text":"s"}],"role":"user"},"tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"OBJECT"}}]},{"googleSearch":{}}],"#,
        r#""toolConfig":{"functionCallingConfig":{"mode":"VALIDATED"}},"safetySettings":[{"category":"X"}],"#,
        r#""generationConfig":{"temperature":1,"topP":0.95,"topK":64,"maxOutputTokens":100,"seed":3,"responseMimeType":"application/json","thinkingConfig":{"includeThoughts":true,"thinkingBudget":8192}}}"#
    );
    // A mode that only this wire has is an extra, and stands where extras do.
    assert_eq!(own(body), (body.to_owned(), vec![]));
}

#[test]
fn our_tokens_never_leave_and_the_step_stays_legal() {
    let ours = gemini_token(&SealKey::new("other", "o", "m").seal("X"));
    let mine = gemini_token(&key().seal("MINE"));
    let body = |token: &str| {
        format!(
            r#"{{"contents":[{{"parts":[{{"text":"say","partMetadata":{{}}}},{{"functionCall":{{"id":"a","name":"f","args":{{}}}},"thoughtSignature":"{token}"}}],"role":"model"}}]}}"#
        )
    };
    for (token, expected, losses) in [
        (
            &ours,
            SIGNED,
            vec![
                "contents[0].parts[0].partMetadata",
                "contents[0].parts[1].signature",
            ],
        ),
        (&mine, "MINE", vec!["contents[0].parts[0].partMetadata"]),
    ] {
        let (sent, lost) = own(&body(token));
        let sent: Value = serde_json::from_str(&sent).unwrap();
        assert_eq!(
            sent["contents"][0]["parts"][1]["thoughtSignature"],
            expected
        );
        assert_eq!(lost, losses);
    }
}

fn gemini_token(seal: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(seal)
}

#[test]
fn hosted_tools_alone_cannot_be_served() {
    let turn = |tools: Value| {
        let body = json!({"model": "m", "messages": [], "tools": tools}).to_string();
        let doc = anthropic::scan_request(&body.into()).unwrap();
        anthropic::decode_request(&doc).unwrap().turn
    };
    let hosted = json!({"type": "web_search_20250305", "name": "web_search"});
    let found = unservable_tools(&turn(json!([hosted]))).unwrap();
    assert_eq!(
        (found.name.to_string(), found.is_run_by_client),
        ("web_search".into(), false)
    );
    assert_eq!(
        unservable_tools(&turn(json!([hosted, {"name": "f", "input_schema": {}}]))),
        None
    );
    let found =
        unservable_tools(&turn(json!([{"type": "bash_20250124", "name": "bash"}]))).unwrap();
    assert!(found.is_run_by_client);
}
