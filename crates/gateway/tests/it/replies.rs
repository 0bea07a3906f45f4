//! An Anthropic client on a Chat provider: what goes up and what comes back.

use lingate_testkit::{Misbehaviour, Reply, Upstream, Usage};
use lingate_wire::Wire;
use serde_json::{Value, json};

use crate::harness::{Lingate, events, messages, text_of};

fn rich() -> Reply {
    Reply {
        usage: Usage::default(),
        ..Reply::default()
            .think("Let me look.")
            .say("I will read it.")
            .call(
                "functions.Read:0",
                "Read",
                &json!({"file_path": "/tmp/a", "limit": 3}),
            )
            .call("functions.Read:1", "Read", &json!({}))
    }
}

fn asks_with_tools(is_stream: bool) -> Value {
    let mut body = messages(is_stream);
    body["tools"] =
        json!([{"name": "Read", "description": "reads", "input_schema": {"type": "object"}}]);
    body
}

#[tokio::test]
async fn a_stream_with_thinking_text_and_two_calls() {
    let upstream = Upstream::start(|request: &_| rich().answer(request)).await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    let response = lingate
        .post("/v1/messages?beta=true", &asks_with_tools(true))
        .send()
        .await;
    assert_eq!(response.status, 200);
    assert_eq!(
        response.header("content-type"),
        "text/event-stream; charset=utf-8"
    );
    let events: Vec<Value> = events(Wire::Anthropic, response)
        .await
        .iter()
        .map(|event| event.json())
        .collect();
    let kinds: Vec<&str> = events
        .iter()
        .filter_map(|event| event["content_block"]["type"].as_str())
        .collect();
    assert_eq!(kinds, ["thinking", "text", "tool_use", "tool_use"]);
    assert_eq!(events[0]["message"]["model"], "claude-opus-5-5", "as asked");
    let arguments = |index: u64| -> String {
        let of_block = events.iter().filter(|event| event["index"] == index);
        of_block
            .filter_map(|event| event["delta"]["partial_json"].as_str())
            .collect()
    };
    assert_eq!(arguments(2), r#"{"file_path":"/tmp/a","limit":3}"#);
    assert_eq!(arguments(3), "{}");
    let ids: Vec<&str> = events
        .iter()
        .filter_map(|event| event["content_block"]["id"].as_str())
        .collect();
    assert!(
        ids.iter().all(|id| id.starts_with("toolu_")) && ids[0] != ids[1],
        "{ids:?}"
    );
    let signature = events
        .iter()
        .find_map(|event| event["delta"]["signature"].as_str());
    assert!(
        signature.is_some_and(|signature| signature.starts_with("lg1.")),
        "{signature:?}"
    );
    let end = events
        .iter()
        .find(|event| event["type"] == "message_delta")
        .unwrap();
    assert_eq!(end["delta"]["stop_reason"], "tool_use");
}

#[tokio::test]
async fn whole_and_streamed_replies_say_the_same() {
    let upstream = Upstream::start(|request: &_| rich().answer(request)).await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    let whole = lingate
        .post("/v1/messages", &asks_with_tools(false))
        .send()
        .await
        .json()
        .await;
    assert_eq!(whole["type"], "message");
    assert_eq!(whole["model"], "claude-opus-5-5");
    assert_eq!(whole["stop_reason"], "tool_use");
    assert_eq!(whole["content"][0]["thinking"], "Let me look.");
    assert_eq!(whole["content"][1]["text"], "I will read it.");
    assert_eq!(
        whole["content"][2]["input"],
        json!({"file_path": "/tmp/a", "limit": 3})
    );
    assert_eq!(whole["content"][3]["input"], json!({}));

    let response = lingate
        .post("/v1/messages", &asks_with_tools(true))
        .send()
        .await;
    let streamed = events(Wire::Anthropic, response).await;
    assert_eq!(text_of(&streamed), "I will read it.");
    let usage = streamed
        .iter()
        .map(|event| event.json())
        .find(|event| event["type"] == "message_delta")
        .unwrap();
    assert_eq!(
        usage["usage"]["output_tokens"],
        whole["usage"]["output_tokens"]
    );
    assert_eq!(
        usage["usage"]["input_tokens"],
        whole["usage"]["input_tokens"]
    );
}

#[tokio::test]
async fn the_upstream_gets_its_own_wire_key_and_model() {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    for (name, value) in [
        ("x-api-key", "client-key"),
        ("authorization", "Bearer client-key"),
    ] {
        for version in ["2023-06-01", "2026-10-21"] {
            let response = lingate
                .post("/v1/messages", &messages(true))
                .header(name, value)
                .header("anthropic-version", version)
                .header("anthropic-beta", "claude-code-20250219")
                .header("user-agent", "claude-cli/2.1.329 (external, sdk-cli)")
                .header("cookie", "a=b")
                .send()
                .await;
            assert_eq!(
                text_of(&events(Wire::Anthropic, response).await),
                "Hello from the upstream."
            );
        }
    }
    for request in upstream.requests() {
        assert_eq!(request.path(), "/v1/chat/completions");
        assert_eq!(request.header("authorization"), "Bearer sk-upstream");
        assert_eq!(
            request.header("user-agent"),
            "claude-cli/2.1.329 (external, sdk-cli)"
        );
        for absent in ["x-api-key", "cookie", "anthropic-version", "anthropic-beta"] {
            assert_eq!(request.header(absent), "", "{absent}");
        }
        assert_eq!(request.json()["model"], "served-model");
        assert_eq!(
            request.json()["messages"],
            json!([{"role": "user", "content": "hello"}])
        );
        assert!(!request.text().contains("client-key"));
    }
}

#[tokio::test]
async fn every_reply_says_what_happened_to_it() {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    for is_stream in [true, false] {
        let response = lingate
            .post("/v1/messages", &messages(is_stream))
            .send()
            .await;
        assert_eq!(response.header("x-lingate-lane"), "translated");
        assert_eq!(response.header("x-lingate-provider"), "up");
        assert_eq!(response.header("x-lingate-attempts"), "1");
        assert_eq!(response.header("x-lingate-id").len(), 36);
        assert!(!response.header("request-id").is_empty());
        assert!(
            response
                .header("x-lingate-overhead-us")
                .parse::<u64>()
                .is_ok()
        );
        assert_eq!(response.header("access-control-allow-origin"), "");
    }
}

#[tokio::test]
async fn bytes_may_arrive_in_any_pieces() {
    let upstream = Upstream::start(|request: &_| rich().answer(request).split_every(1)).await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    let response = lingate
        .post("/v1/messages", &asks_with_tools(true))
        .send()
        .await;
    assert_eq!(
        text_of(&events(Wire::Anthropic, response).await),
        "I will read it."
    );
}

#[tokio::test]
async fn a_host_that_answers_in_the_other_mode_is_understood() {
    let other_mode = |request: &lingate_testkit::Received| {
        let reply = Reply::text("Hello.");
        if request.streams() {
            lingate_testkit::Answer::json(200, &lingate_testkit::chat::completion("m", &reply))
        } else {
            lingate_testkit::Answer::sse(lingate_testkit::chat::stream("m", &reply))
        }
    };
    let upstream = Upstream::start(other_mode).await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    let response = lingate.post("/v1/messages", &messages(true)).send().await;
    assert_eq!(text_of(&events(Wire::Anthropic, response).await), "Hello.");
    let whole = lingate
        .post("/v1/messages", &messages(false))
        .send()
        .await
        .json()
        .await;
    assert_eq!(whole["content"][0]["text"], "Hello.");
}

#[tokio::test]
async fn configured_members_reach_the_body_and_headers() {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let lingate = Lingate::start(&format!(
        r#"
        default = "kimi"
        [providers.up]
        base_url = "{}"
        speaks = ["chat"]
        headers = {{ x-team = "blue" }}
        body = {{ provider = {{ order = ["a"] }} }}
        [models.kimi]
        targets = [{{ to = "up/moonshotai/kimi", body = {{ top_k = 3 }} }}]
        "#,
        upstream.url()
    ))
    .await;
    lingate
        .post("/v1/messages", &messages(false))
        .send()
        .await
        .json()
        .await;
    let request = &upstream.requests()[0];
    assert_eq!(request.header("x-team"), "blue");
    assert_eq!(request.json()["model"], "moonshotai/kimi");
    assert_eq!(request.json()["provider"], json!({"order": ["a"]}));
    assert_eq!(request.json()["top_k"], 3);
}

#[tokio::test]
async fn a_thread_is_refused_in_the_form_that_makes_sdks_send_the_history() {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    let mut body = messages(true);
    body["thread"] = json!({"type": "continue", "previous_message_id": "msg_1"});
    let response = lingate.post("/v1/messages", &body).send().await;
    assert_eq!(response.status, 400);
    let error = response.json().await;
    assert_eq!(
        error["error"]["details"]["error_code"],
        "thread_unsupported_request"
    );
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn a_tool_that_only_its_own_provider_has_is_named_in_an_error() {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    let mut body = messages(true);
    body["tools"] = json!([{"type": "web_search_20250305", "name": "web_search", "max_uses": 8}]);
    let response = lingate.post("/v1/messages", &body).send().await;
    assert_eq!(response.status, 400);
    let error = response.json().await;
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .contains("`web_search`"),
        "{error}"
    );
    assert!(upstream.requests().is_empty());
    // Beside another tool it is left out.
    body["tools"]
        .as_array_mut()
        .unwrap()
        .push(json!({"name": "Read", "input_schema": {"type": "object"}}));
    let response = lingate.post("/v1/messages", &body).send().await;
    assert_eq!(response.status, 200);
    assert_eq!(
        upstream.requests()[0].json()["tools"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn reasoning_goes_back_to_where_it_came_from() {
    let upstream = Upstream::start(|request: &_| rich().answer(request)).await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    let first = lingate
        .post("/v1/messages", &asks_with_tools(false))
        .send()
        .await
        .json()
        .await;
    let mut body = asks_with_tools(false);
    let calls: Vec<&Value> = first["content"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|block| block["type"] == "tool_use")
        .collect();
    let results: Vec<Value> = calls
        .iter()
        .map(|call| json!({"type": "tool_result", "tool_use_id": call["id"], "content": "ok"}))
        .collect();
    let history = body["messages"].as_array_mut().unwrap();
    history.push(json!({"role": "assistant", "content": first["content"]}));
    history.push(json!({"role": "user", "content": results}));
    lingate
        .post("/v1/messages", &body)
        .send()
        .await
        .json()
        .await;
    let sent = upstream.requests()[1].json();
    assert_eq!(sent["messages"][1]["reasoning_content"], "Let me look.");
    assert!(
        !sent.to_string().contains("lg1."),
        "no provider sees a seal: {sent}"
    );
    let ids: Vec<&Value> = sent["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| &message["tool_call_id"])
        .collect();
    assert_eq!(ids[2], &sent["messages"][1]["tool_calls"][0]["id"]);
}

#[tokio::test]
async fn estimates_learn_from_what_the_upstream_tells() {
    let usage = Usage {
        prompt: 3_000,
        cached: 0,
        ..Usage::default()
    };
    let upstream = Upstream::start(move |request: &_| {
        let reply = Reply::text("ok");
        Reply { usage, ..reply }.answer(request)
    })
    .await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    let mut body = messages(true);
    body["system"] = "x".repeat(8_000).into();
    let mut estimates = Vec::new();
    for _ in 0..2 {
        let response = lingate.post("/v1/messages", &body).send().await;
        let first = events(Wire::Anthropic, response).await.remove(0).json();
        estimates.push(first["message"]["usage"]["input_tokens"].as_u64().unwrap());
    }
    assert!((1_900..2_100).contains(&estimates[0]), "{estimates:?}");
    assert_eq!(estimates[1], 3_000, "{estimates:?}");
    let count = lingate
        .post("/v1/messages/count_tokens", &body)
        .send()
        .await
        .json()
        .await;
    assert_eq!(count["input_tokens"], 3_000);
}

#[tokio::test]
async fn a_session_keeps_its_prompt_cache_key() {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let lingate = Lingate::start(&format!(
        "default = \"up/kimi-k2.6\"\n[providers.up]\nbase_url = \"{}\"\nspeaks = [\"chat\"]\nquirks = [\"moonshot\"]",
        upstream.url()
    ))
    .await;
    for (session, agent) in [("s1", ""), ("s1", ""), ("s1", "sub"), ("s2", "")] {
        let request = lingate
            .post("/v1/messages", &messages(false))
            .header("x-claude-code-session-id", session);
        let request = if agent.is_empty() {
            request
        } else {
            request.header("x-claude-code-agent-id", agent)
        };
        assert_eq!(request.send().await.status, 200);
    }
    let keys: Vec<Value> = upstream
        .requests()
        .iter()
        .map(|request| request.json()["prompt_cache_key"].clone())
        .collect();
    assert!(keys[0].is_string() && keys[0] != "s1", "{keys:?}");
    assert_eq!(keys[0], keys[1]);
    assert!(
        keys[2] != keys[0] && keys[3] != keys[0] && keys[3] != keys[2],
        "{keys:?}"
    );
}

#[tokio::test]
async fn a_repair_is_learnt_and_paid_for_once() {
    let refuses = |request: &lingate_testkit::Received| {
        let body = request.json();
        let is_bare = body["messages"][1]["reasoning_content"].is_null();
        if is_bare {
            let words = "thinking is enabled but reasoning_content is missing in assistant tool call message at index 1";
            lingate_testkit::Answer::json(
                400,
                &lingate_testkit::chat::error("invalid_request_error", words),
            )
        } else {
            Reply::text("ok").answer(request)
        }
    };
    let upstream = Upstream::start(refuses).await;
    let lingate = Lingate::start(&format!(
        "default = \"up/kimi-k2.6\"\n[providers.up]\nbase_url = \"{}\"\nspeaks = [\"chat\"]\nquirks = [\"moonshot\"]",
        upstream.url()
    ))
    .await;
    let mut body = messages(false);
    body["thinking"] = json!({"type": "adaptive"});
    let call = json!({"type": "tool_use", "id": "t1", "name": "ls", "input": {}});
    let history = body["messages"].as_array_mut().unwrap();
    history.push(json!({"role": "assistant", "content": [call]}));
    history.push(json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "a"}]}));
    for attempts in ["2", "1"] {
        let response = lingate.post("/v1/messages", &body).send().await;
        assert_eq!(
            (response.status, response.header("x-lingate-attempts")),
            (200, attempts)
        );
    }
}
