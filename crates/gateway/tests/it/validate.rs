//! `validate_tool_calls` through the running gateway: calls against their tools' schemas.

use std::time::Duration;

use lingate_testkit::{Answer, Received, Reply, Upstream, chat};
use lingate_wire::Wire;
use serde_json::{Value, json};

use crate::harness::{Lingate, events};
use crate::said::{CLIENTS, Said, asks, plain, said};

fn config(upstream: &str, speaks: &str, mode: &str) -> String {
    format!(
        r#"
        default = "m"
        [providers.up]
        base_url = "{upstream}"
        speaks = ["{speaks}"]
        api_key = "sk-upstream"
        [models.m]
        targets = ["up/served-model"]
        validate_tool_calls = "{mode}"
        "#
    )
}

/// A request whose tools `Read` and `Edit` have a strict schema.
fn asks_strictly(wire: Wire, is_stream: bool) -> Value {
    let schema = json!({
        "type": "object",
        "properties": {"path": {"type": "string"}, "limit": {"type": "integer"}},
        "required": ["path"],
        "additionalProperties": false,
    });
    let history = [json!({"role": "user", "content": "Read it."})];
    let mut body = asks(wire, is_stream, &history, &["Read", "Edit"]);
    for tool in body["tools"].as_array_mut().unwrap() {
        match wire {
            Wire::Anthropic => tool["input_schema"] = schema.clone(),
            _ => tool["function"]["parameters"] = schema.clone(),
        }
    }
    body
}

fn read(input: Value) -> Reply {
    Reply::text("Let me look.").call("call_1", "Read", &input)
}

/// Runs replies in every combination and checks text and calls; gives the upstream's requests of the last.
async fn check(mode: &str, replies: Vec<Reply>, text: &str, calls: &[Value]) -> Vec<Received> {
    let mut received = Vec::new();
    for speaks in ["anthropic", "chat"] {
        for (wire, path) in CLIENTS {
            for is_stream in [false, true] {
                let what = format!("{wire} before {speaks}, streamed: {is_stream}");
                let (own, last) = (replies.clone(), replies.len() - 1);
                let script = move |request: &Received| own[request.n.min(last)].answer(request);
                let upstream = Upstream::start(script).await;
                let lingate = Lingate::start(&config(&upstream.url(), speaks, mode)).await;
                let body = asks_strictly(wire, is_stream);
                let response = lingate.post(path, &body).send().await;
                let Said {
                    text: got,
                    calls: made,
                    stop,
                    ..
                } = said(wire, is_stream, response).await;
                let made: Vec<Value> = made.into_iter().map(|(_, input)| input).collect();
                let stop = plain(&stop);
                assert_eq!(
                    (got.as_str(), &made[..], stop),
                    (text, calls, "tool_use"),
                    "{what}"
                );
                received = upstream.requests();
                assert_eq!(received.len(), replies.len(), "{what}");
            }
        }
    }
    received
}

#[tokio::test]
async fn what_fits_passes_and_what_means_the_right_thing_is_mended() {
    let text = "Let me look.";
    for mode in ["repair", "retry"] {
        for (sent, expected) in [
            (
                json!({"path": "a", "limit": 3}),
                json!({"path": "a", "limit": 3}),
            ),
            (
                json!({"path": "a", "limit": "3"}),
                json!({"path": "a", "limit": 3}),
            ),
            (json!({"path": 7}), json!({"path": "7"})),
            (json!({"path": "a", "offset": 1}), json!({"path": "a"})),
            (json!({"path": "a", "limit": null}), json!({"path": "a"})),
        ] {
            check(mode, vec![read(sent)], text, &[expected]).await;
        }
    }
}

#[tokio::test]
async fn what_cannot_be_mended_passes_as_it_is_or_is_asked_for_once_more() {
    let wrong = json!({"limit": "many"});
    let right = json!({"path": "a"});
    check(
        "repair",
        vec![read(wrong.clone())],
        "Let me look.",
        std::slice::from_ref(&wrong),
    )
    .await;

    let again = Reply::text("Again.").call("call_1", "Read", &right);
    let both = "Let me look.\n\nAgain.";
    let requests = check("retry", vec![read(wrong.clone()), again], both, &[right]).await;
    let messages = requests[1].json()["messages"].as_array().unwrap().clone();
    let [.., call, result] = &messages[..] else {
        panic!("{messages:?}");
    };
    assert_eq!(call["content"], "Let me look.");
    let call = &call["tool_calls"][0];
    assert_eq!(call["function"]["name"], "Read");
    assert_eq!(result["tool_call_id"], call["id"]);
    let complaint = result["content"].as_str().unwrap();
    assert!(
        complaint.contains("\"path\" is a required property"),
        "{complaint}"
    );
    assert!(complaint.contains("/limit"), "{complaint}");

    // Only once: the client's tool will say what is wrong.
    let again = Reply::default().call("call_2", "Read", &wrong);
    check(
        "retry",
        vec![read(wrong.clone()), again],
        "Let me look.",
        &[wrong],
    )
    .await;
}

#[tokio::test]
async fn all_calls_of_a_reply_are_asked_for_again_together() {
    let first = Reply::default()
        .call("call_1", "Read", &json!({"path": "a"}))
        .call("call_2", "Edit", &json!({"file": "b"}));
    let second = Reply::default()
        .call("call_3", "Read", &json!({"path": "a"}))
        .call("call_4", "Edit", &json!({"path": "b"}));
    let calls = [json!({"path": "a"}), json!({"path": "b"})];
    let requests = check("retry", vec![first, second], "", &calls).await;
    let messages = requests[1].json()["messages"].as_array().unwrap().clone();
    let told: Vec<&str> = messages[messages.len() - 2..]
        .iter()
        .map(|message| message["content"].as_str().unwrap())
        .collect();
    assert!(told[0].contains("another call"), "{told:?}");
    assert!(told[1].contains("do not fit"), "{told:?}");
}

#[tokio::test]
async fn when_asking_again_fails_the_first_calls_stand() {
    for failure in [
        Answer::json(500, &chat::error("server_error", "down")),
        Answer::sse([chat::text("m", "More.")]).cut(),
    ] {
        for (wire, path) in CLIENTS {
            for is_stream in [false, true] {
                let failure = failure.clone();
                let script = move |request: &Received| match request.n {
                    0 => read(json!({"limit": 1})).answer(request),
                    _ => failure.clone(),
                };
                let upstream = Upstream::start(script).await;
                let lingate = Lingate::start(&config(&upstream.url(), "chat", "retry")).await;
                let body = asks_strictly(wire, is_stream);
                let response = lingate.post(path, &body).send().await;
                let said = said(wire, is_stream, response).await;
                let calls = vec![("Read".to_owned(), json!({"limit": 1}))];
                assert_eq!((said.calls, plain(&said.stop)), (calls, "tool_use"));
            }
        }
    }
}

#[tokio::test]
async fn text_streams_live_and_arguments_wait_only_where_they_are_judged() {
    let pause = Duration::from_millis(150);
    for (mode, waits) in [("off", false), ("repair", true)] {
        let script = move |request: &Received| {
            let input = json!({"path": "a/rather/long/path/to/a/file.rs"});
            read(input).answer(request).paced(pause)
        };
        let upstream = Upstream::start(script).await;
        let lingate = Lingate::start(&config(&upstream.url(), "chat", mode)).await;
        let body = asks_strictly(Wire::Anthropic, true);
        let response = lingate.post("/v1/messages", &body).send().await;
        let events = events(Wire::Anthropic, response).await;
        let of = |kind: &str| -> Vec<_> {
            let is_it = |event: &&lingate_testkit::client::Event| event.data.contains(kind);
            events
                .iter()
                .filter(is_it)
                .map(|event| event.after)
                .collect()
        };
        let (text, input) = (of("text_delta"), of("input_json_delta"));
        assert!(
            text.len() > 1 && text[1] - text[0] >= pause / 2,
            "text is live"
        );
        assert_eq!(input.len() == 1, waits, "{mode}: {input:?}");
    }
}

#[tokio::test]
async fn a_call_that_the_token_limit_cut_is_left_alone() {
    let cut = || {
        Answer::sse([
            chat::tool_call("m", 0, "call_1", "Read"),
            chat::arguments("m", 0, "{\"path\":\"a"),
            chat::finish("m", "length"),
            chat::DONE.to_owned(),
        ])
    };
    for mode in ["repair", "retry"] {
        let upstream = Upstream::start(move |_: &Received| cut()).await;
        let lingate = Lingate::start(&config(&upstream.url(), "chat", mode)).await;
        let body = asks_strictly(Wire::Anthropic, true);
        let response = lingate.post("/v1/messages", &body).send().await;
        let events = events(Wire::Anthropic, response).await;
        let all: String = events.iter().map(|event| event.data.as_str()).collect();
        assert!(
            all.contains("max_tokens") && all.contains("{\\\"path\\\":\\\"a"),
            "{all}"
        );
        assert_eq!(upstream.requests().len(), 1);
    }
}

#[tokio::test]
async fn how_calls_fit_is_counted_per_provider_and_model() {
    let inputs = [json!({"path": "a"}), json!({"path": 1}), json!({})];
    let script = move |request: &Received| read(inputs[request.n % 3].clone()).answer(request);
    let upstream = Upstream::start(script).await;
    let lingate = Lingate::start(&config(&upstream.url(), "chat", "repair")).await;
    for (n, (wire, path)) in CLIENTS.iter().cycle().take(6).enumerate() {
        let is_stream = n % 2 == 0;
        let body = asks_strictly(*wire, is_stream);
        said(*wire, is_stream, lingate.post(path, &body).send().await).await;
    }
    let request = lingate.get("/api/providers");
    let request = request.header("x-lingate-instance", &lingate.instance);
    let seen = request.send().await.json().await;
    let row = &seen["models"][0];
    assert_eq!(
        (&row["provider"], &row["model"]),
        (&json!("up"), &json!("served-model"))
    );
    assert_eq!(row["tool_calls"], 6);
    let share = row["schema_accuracy"].as_f64().unwrap();
    assert!((share - 1.0 / 3.0).abs() < 1e-9, "{share}");
    let metrics = lingate.get("/metrics").send().await.text().await;
    for valid in ["yes", "repaired", "no"] {
        let line = format!(r#"lingate_tool_calls_total{{provider="up",valid="{valid}"}} 2"#);
        assert!(metrics.contains(&line), "{line} in\n{metrics}");
    }
}
