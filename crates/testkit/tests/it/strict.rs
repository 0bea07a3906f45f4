use lingate_testkit::client::post;
use lingate_testkit::{Misbehaviour, Upstream, anthropic, complaints, gemini, responses};
use serde_json::{Value, json};

async fn check(body: Value, expected: &[&str]) {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    post(&upstream.url(), &body).send().await.text().await;
    let found = complaints(&upstream.requests()[0]);
    assert_eq!(found.len(), expected.len(), "{body}: {found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.contains(expected), "{body}: {found} lacks {expected}");
    }
}

fn call(id: &str, arguments: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": "Read", "arguments": arguments}})
}

#[tokio::test]
async fn finds_what_hosts_refuse() {
    let user = json!({"role": "user", "content": "hi"});
    let calls = |ids: &[&str]| {
        let calls: Vec<Value> = ids.iter().map(|id| call(id, "{}")).collect();
        json!({"role": "assistant", "content": null, "tool_calls": calls})
    };
    let result = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": ""});
    let tool = |name: &str| json!({"type": "function", "function": {"name": name, "parameters": {"type": "object"}}});
    let with = |messages: Value| json!({"model": "m", "messages": messages});

    check(json!({"messages": [user], "tools": [tool("a-b_c")]}), &[]).await;
    check(
        with(json!([
            user,
            calls(&["a", "b"]),
            result("b"),
            result("a"),
            user
        ])),
        &[],
    )
    .await;
    check(
        json!({"messages": [user], "context_management": {}}),
        &["unknown key context_management"],
    )
    .await;
    check(
        json!({"messages": [], "tools": [tool("a.b")]}),
        &["tool 0: its name", "no messages"],
    )
    .await;
    check(
        with(json!([user, calls(&["a"])])),
        &["[\"a\"] have no result"],
    )
    .await;
    check(
        with(json!([user, calls(&["a"]), user, result("a")])),
        &["message 2 stands between", "message 3 answers a"],
    )
    .await;
    check(
        with(json!([user, calls(&["a", "a"]), result("a"), result("a")])),
        &["repeats the call id a"],
    )
    .await;
    check(
        with(json!([{"role": "user", "content": []}])),
        &["message 0 (user) is empty"],
    )
    .await;
    check(with(json!([{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {}}]}])), &["cache_control"]).await;
    let cut = json!({"role": "assistant", "content": "x", "tool_calls": [call("a", "{\"x\":")]});
    check(
        with(json!([user, cut, result("a")])),
        &["the arguments of a are not a JSON object"],
    )
    .await;
    check(
        with(json!([{"role": "human", "content": "x"}])),
        &["the role \"human\""],
    )
    .await;
}

/// As [`check`], for a request of another wire.
async fn check_at(path: &str, body: Value, expected: &[&str]) {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let url = format!("{}{path}", upstream.url());
    post(&url, &body).send().await.text().await;
    let found = complaints(&upstream.requests()[0]);
    assert_eq!(found.len(), expected.len(), "{body}: {found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.contains(expected), "{body}: {found} lacks {expected}");
    }
}

#[tokio::test]
async fn finds_what_anthropic_refuses() {
    let check = |messages: Value, expected: &'static [&'static str]| {
        check_at(
            "/v1/messages",
            json!({"model": "m", "max_tokens": 1, "messages": messages}),
            expected,
        )
    };
    let said = |role: &str, block: Value| json!({"role": role, "content": [block]});
    let user = json!({"role": "user", "content": "hi"});
    let call = said(
        "assistant",
        json!({"type": "tool_use", "id": "a", "name": "Read", "input": {}}),
    );
    let result = said(
        "user",
        json!({"type": "tool_result", "tool_use_id": "a", "content": "x"}),
    );
    let thought = |seal: &str| {
        said(
            "assistant",
            json!({"type": "thinking", "thinking": "x", "signature": seal}),
        )
    };
    check(json!([user, call, result]), &[]).await;
    check(json!([user, thought(anthropic::SEAL)]), &[]).await;
    check(
        json!([user, thought("foreign")]),
        &["\"foreign\" is not ours"],
    )
    .await;
    check(json!([user, call, user]), &["message 2 leaves [\"a\"]"]).await;
    check(json!([user, result]), &["message 1 answers a"]).await;
    check(json!([call, result]), &["not the user's"]).await;
    check(
        json!([
            user,
            said("assistant", json!({"type": "text", "text": " "}))
        ]),
        &["an empty text"],
    )
    .await;
    check(
        json!([user, {"role": "system", "content": "x"}]),
        &["the role \"system\""],
    )
    .await;
    let tools =
        json!({"model": "m", "messages": [user], "tools": [{"name": "a.b"}], "store": true});
    let found = [
        "unknown key store",
        "no max_tokens",
        "tool 0: its name",
        "tool 0: its input_schema",
    ];
    check_at("/v1/messages", tools, &found).await;
}

#[tokio::test]
async fn finds_what_responses_refuses() {
    let check = |input: Value, expected: &'static [&'static str]| {
        check_at(
            "/v1/responses",
            json!({"model": "m", "store": false, "input": input}),
            expected,
        )
    };
    let user = json!({"role": "user", "content": [{"type": "input_text", "text": "hi"}]});
    let call = json!({"type": "function_call", "call_id": "a", "name": "Read", "arguments": "{}"});
    let output = json!({"type": "function_call_output", "call_id": "a", "output": "x"});
    let thought = |seal: &str| json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": seal});
    check(json!("hi"), &[]).await;
    check(json!([user, thought(responses::SEAL), call, output]), &[]).await;
    check(
        json!([user, thought("foreign")]),
        &["\"foreign\" is not ours"],
    )
    .await;
    check(json!([user, call]), &["{\"a\"} have no output"]).await;
    check(json!([user, output]), &["item 1 answers a"]).await;
    check(
        json!([{"role": "assistant", "content": [{"type": "input_text"}]}]),
        &["a part \"input_text\""],
    )
    .await;
    check(
        json!([{"type": "function_call", "call_id": "", "id": "x", "arguments": "{"}]),
        &["the id \"x\"", "the call_id \"\"", "its arguments"],
    )
    .await;
    let kept = json!({"model": "m", "input": "hi", "tools": [{"type": "other"}]});
    check_at(
        "/v1/responses",
        kept,
        &[
            "store is not false",
            "tool 0 is of the type",
            "tool 0: its name",
        ],
    )
    .await;
}

#[tokio::test]
async fn finds_what_gemini_refuses() {
    let path = "/v1beta/models/m:generateContent";
    let check = |contents: Value, expected: &'static [&'static str]| {
        check_at(path, json!({ "contents": contents }), expected)
    };
    let said = |role: &str, part: Value| json!({"role": role, "parts": [part]});
    let user = said("user", json!({"text": "hi"}));
    let call = |seal: Value| {
        said(
            "model",
            json!({"functionCall": {"name": "Read", "args": {}}, "thoughtSignature": seal}),
        )
    };
    let response = said(
        "user",
        json!({"functionResponse": {"name": "Read", "response": {}}}),
    );
    check(json!([user, call(gemini::SEAL.into()), response]), &[]).await;
    check(
        json!([
            user,
            call("skip_thought_signature_validator".into()),
            response
        ]),
        &[],
    )
    .await;
    check(
        json!([user, call("foreign".into()), response]),
        &["\"foreign\" is not ours"],
    )
    .await;
    check(
        json!([user, call(Value::Null), response]),
        &["has no signature"],
    )
    .await;
    check(json!([user, call(Value::Null), response, user]), &[]).await;
    check(
        json!([user, call(gemini::SEAL.into()), user]),
        &["content 2 answers []"],
    )
    .await;
    check(
        json!([user, call(gemini::SEAL.into())]),
        &["[\"Read\"] have no response"],
    )
    .await;
    check(
        json!([said("model", json!({"text": "x"}))]),
        &["do not begin"],
    )
    .await;
    let schema = json!({"contents": [user], "tools": [{"functionDeclarations": [
        {"name": "a b", "parameters": {"additionalProperties": false}}]}]});
    check_at(path, schema, &["\"a b\"", "additionalProperties"]).await;
}
