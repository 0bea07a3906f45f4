use lingate_testkit::client::post;
use lingate_testkit::{Misbehaviour, Upstream, complaints};
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
