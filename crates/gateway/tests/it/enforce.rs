//! `ensure_tool_call` through the running gateway: a reply without a call is continued by another attempt.
//!
//! Every case runs for both client wires, streamed and whole, before an upstream of each wire, and the strict acceptors
//! read every stream; all of them must say the same.

use std::time::{Duration, Instant};

use lingate_testkit::{Answer, Received, Reply, Upstream, chat};
use lingate_wire::Wire;
use serde_json::{Value, json};

use crate::harness::{Lingate, events};
use crate::said::{CLIENTS, asks, plain, said};

const READ: &str = r#"{"path":"a.rs"}"#;

fn config(upstream: &str, wire: &str, more: &str) -> String {
    format!(
        r#"
        default = "m"
        [providers.up]
        base_url = "{upstream}"
        speaks = ["{wire}"]
        api_key = "sk-upstream"
        [models.m]
        targets = ["up/served-model"]
        ensure_tool_call = true
        {more}
        "#
    )
}

fn user(text: &str) -> Value {
    json!({"role": "user", "content": text})
}

fn assistant(text: &str) -> Value {
    json!({"role": "assistant", "content": text})
}

fn called(id: &str) -> [Value; 2] {
    let call = json!({"type": "tool_use", "id": id, "name": "Read", "input": {"path": "a.rs"}});
    let result = json!({"type": "tool_result", "tool_use_id": id, "content": "fn main() {}"});
    [
        json!({"role": "assistant", "content": [call]}),
        json!({"role": "user", "content": [result]}),
    ]
}

/// One row.
struct Case<'a> {
    history: Vec<Value>,
    tools: &'a [&'a str],
    replies: Vec<Reply>,
    text: &'a str,
    calls: &'a [&'a str],
    stop: &'a str,
    n_attempts: usize,
}

impl Default for Case<'_> {
    fn default() -> Self {
        Self {
            history: vec![user("Fix the bug.")],
            tools: &["Read", "Bash"],
            replies: Vec::new(),
            text: "",
            calls: &[],
            stop: "end_turn",
            n_attempts: 1,
        }
    }
}

/// Runs a row in every combination; gives the upstream's requests of the last.
async fn check(case: Case<'_>) -> Vec<Received> {
    let mut received = Vec::new();
    for speaks in ["anthropic", "chat"] {
        for (wire, path) in CLIENTS {
            for is_stream in [false, true] {
                let what = format!(
                    "{wire} before {speaks}, streamed: {is_stream}, {:?}",
                    case.text
                );
                let replies = case.replies.clone();
                let last = replies.len() - 1;
                let script = move |request: &Received| replies[request.n.min(last)].answer(request);
                let upstream = Upstream::start(script).await;
                let lingate = Lingate::start(&config(&upstream.url(), speaks, "")).await;
                let body = asks(wire, is_stream, &case.history, case.tools);
                let response = lingate.post(path, &body).send().await;
                let said = said(wire, is_stream, response).await;
                received = upstream.requests();
                let names: Vec<&str> = said.calls.iter().map(|(name, _)| name.as_str()).collect();
                let got = (
                    said.text.as_str(),
                    &names[..],
                    plain(&said.stop),
                    received.len(),
                );
                assert_eq!(
                    got,
                    (case.text, case.calls, case.stop, case.n_attempts),
                    "{what}"
                );
                assert_eq!(
                    said.output,
                    12 * case.n_attempts as u64,
                    "summed output: {what}"
                );
            }
        }
    }
    received
}

fn done(arguments: &Value) -> Reply {
    Reply::default().call("call_9", "done", arguments)
}

fn read() -> Reply {
    Reply::default().call("call_1", "Read", &serde_json::from_str(READ).unwrap())
}

#[tokio::test]
async fn e1_the_tool_and_the_instruction_are_there_from_the_first_request_on() {
    let upstream = Upstream::start(|request: &Received| read().answer(request)).await;
    let lingate = Lingate::start(&config(&upstream.url(), "anthropic", "")).await;
    let mut history = vec![user("Fix the bug.")];
    for turn in 0..3 {
        let body = asks(Wire::Anthropic, true, &history, &["Read", "Bash"]);
        let response = lingate.post("/v1/messages", &body).send().await;
        assert_eq!(response.header("x-lingate-lane"), "translated");
        said(Wire::Anthropic, true, response).await;
        history.extend(called(&format!("call_{turn}")));
    }
    let requests = upstream.requests();
    let first = requests[0].json();
    assert_eq!(first["tools"].as_array().unwrap().len(), 3);
    assert_eq!(first["tools"][2]["name"], "done");
    let schema = &first["tools"][2]["input_schema"];
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["properties"]["final_answer"]["type"], "string");
    assert_eq!(schema["required"], Value::Null, "the answer is optional");
    let system = first["system"].as_array().unwrap();
    assert_eq!(
        (system.len(), &system[0]["text"]),
        (2, &json!("Follow the rules."))
    );
    assert!(system[1]["text"].as_str().unwrap().contains("`done`"));
    for request in &requests {
        let body = request.json();
        assert_eq!(
            (&body["system"], &body["tools"]),
            (&first["system"], &first["tools"])
        );
    }
}

#[tokio::test]
async fn e1_a_tool_of_that_name_is_not_added_again() {
    let requests = check(Case {
        tools: &["Read", "Done"],
        replies: vec![Reply::default().call("call_1", "Done", &json!({"path": "x"}))],
        calls: &["Done"],
        stop: "tool_use",
        ..Case::default()
    })
    .await;
    assert_eq!(requests[0].json()["tools"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_does_not_ask_for_calls_is_left_alone() {
    let upstream = Upstream::start(|request: &Received| Reply::text("Hi.").answer(request)).await;
    let lingate = Lingate::start(&config(&upstream.url(), "chat", "")).await;
    let history = [user("Hello")];
    let plain = asks(Wire::Chat, false, &history, &[]);
    let mut none = asks(Wire::Chat, false, &history, &["Read"]);
    none["tool_choice"] = "none".into();
    let mut shaped = asks(Wire::Chat, false, &history, &["Read"]);
    shaped["response_format"] = json!({"type": "json_object"});
    for (n, mut body) in [plain, none, shaped].into_iter().enumerate() {
        if body["tools"].as_array().unwrap().is_empty() {
            body.as_object_mut().unwrap().remove("tools");
        }
        let response = lingate.post("/v1/chat/completions", &body).send().await;
        assert_eq!(said(Wire::Chat, false, response).await.text, "Hi.");
        let requests = upstream.requests();
        assert_eq!(requests.len(), n + 1, "one attempt");
        let sent = requests[n].json();
        assert_eq!(sent["tools"], body["tools"]);
        assert_eq!(sent["messages"], body["messages"]);
    }
}

#[tokio::test]
async fn e2_a_reply_without_a_call_is_continued_and_the_reminder_comes_last() {
    let replies = vec![
        Reply::text("I will look."),
        Reply::text("Now I look."),
        read(),
    ];
    let requests = check(Case {
        replies,
        text: "I will look.\n\nNow I look.",
        calls: &["Read"],
        stop: "tool_use",
        n_attempts: 3,
        ..Case::default()
    })
    .await;
    let messages: Vec<Value> = requests
        .iter()
        .map(|request| request.json()["messages"].clone())
        .collect();
    let all = |n: usize| messages[n].as_array().unwrap().clone();
    let (first, second, third) = (all(0), all(1), all(2));
    assert_eq!(
        second[..first.len()],
        first[..],
        "the client's request keeps its bytes"
    );
    assert_eq!(third[..second.len()], second[..]);
    let added: Vec<(&str, bool)> = third[first.len()..]
        .iter()
        .map(|message| {
            let text = message["content"].as_str().unwrap();
            (
                message["role"].as_str().unwrap(),
                text.contains("You called no tool"),
            )
        })
        .collect();
    assert_eq!(
        added,
        [
            ("assistant", false),
            ("user", true),
            ("assistant", false),
            ("user", true)
        ]
    );
    assert_eq!(second[first.len()]["content"], "I will look.");
}

#[tokio::test]
async fn e2_the_last_reply_stands_when_the_attempts_are_used_up() {
    check(Case {
        replies: vec![
            Reply::text("One."),
            Reply::text("Two."),
            Reply::text("Three."),
        ],
        text: "One.\n\nTwo.\n\nThree.",
        n_attempts: 3,
        ..Case::default()
    })
    .await;
    check(Case {
        replies: vec![Reply::default(), read()],
        calls: &["Read"],
        stop: "tool_use",
        n_attempts: 2,
        ..Case::default()
    })
    .await;
}

#[tokio::test]
async fn e2_a_reply_without_a_message_is_one_without_a_call() {
    for choice in [
        json!({"index": 0, "finish_reason": "stop"}),
        json!({"index": 0, "finish_reason": "stop", "message": null}),
        json!({"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": null}}),
    ] {
        let empty =
            json!({"id": "x", "object": "chat.completion", "model": "m", "choices": [choice]});
        let script = move |request: &Received| match request.n {
            0 => Answer::json(200, &empty),
            _ => read().answer(request),
        };
        let upstream = Upstream::start(script).await;
        let lingate = Lingate::start(&config(&upstream.url(), "chat", "")).await;
        let body = asks(Wire::Chat, false, &[user("Fix it.")], &["Read"]);
        let response = lingate.post("/v1/chat/completions", &body).send().await;
        assert_eq!(said(Wire::Chat, false, response).await.calls.len(), 1);
        assert_eq!(upstream.requests().len(), 2);
    }
}

#[tokio::test]
async fn e3_e4_an_end_is_a_call_of_done_final_or_final_answer() {
    let end = |name: &str, arguments: Value| Reply::default().call("call_2", name, &arguments);
    for (reply, text) in [
        (end("done", json!({"summary": "All done"})), "All done"),
        (
            end("Final", json!({"final_answer": "Relaxed match"})),
            "Relaxed match",
        ),
        (end("final_answer", json!({"answer": "Here."})), "Here."),
        (
            end("done", json!({"raw": {"final": "Wrapped."}})),
            "Wrapped.",
        ),
    ] {
        check(Case {
            replies: vec![Reply::default(), reply],
            text,
            n_attempts: 2,
            ..Case::default()
        })
        .await;
    }
}

#[tokio::test]
async fn e5_an_end_without_a_word_is_asked_for_the_answer() {
    let requests = check(Case {
        replies: vec![done(&json!({})), done(&json!({"final_answer": "Fixed."}))],
        text: "Fixed.",
        n_attempts: 2,
        ..Case::default()
    })
    .await;
    let messages = requests[1].json()["messages"].as_array().unwrap().clone();
    let (call, result) = (&messages[messages.len() - 2], &messages[messages.len() - 1]);
    assert_eq!(call["tool_calls"][0]["function"]["name"], "done");
    assert_eq!(result["role"], "tool");
    assert!(
        result["content"]
            .as_str()
            .unwrap()
            .contains("`final_answer`")
    );
    // Text that the user has got already is an answer: now, before, or in an earlier attempt.
    let mut history = vec![user("Fix the bug.")];
    history.extend(called("call_1"));
    for replies in [
        vec![Reply::text("Fixed.").call("call_9", "done", &json!({}))],
        vec![Reply::text("Fixed."), done(&json!({}))],
    ] {
        check(Case {
            history: history.clone(),
            n_attempts: replies.len(),
            replies,
            text: "Fixed.",
            ..Case::default()
        })
        .await;
    }
    // A model that will not say more is done all the same.
    check(Case {
        replies: vec![done(&json!({}))],
        n_attempts: 3,
        ..Case::default()
    })
    .await;
}

#[tokio::test]
async fn e6_to_e8_and_e12_what_is_kept() {
    let todo = json!({"todos": [{"content": "x", "status": "pending"}]});
    for (reply, text, calls) in [
        (
            Reply::text("Look:").call("call_9", "done", &json!({"final_answer": "42."})),
            "Look:\n\n42.",
            &[][..],
        ),
        (
            read().call("call_9", "done", &json!({"final_answer": "42."})),
            "",
            &["Read"],
        ),
        (
            Reply::default().call("64", "mcp__context7__resolve-library-id", &json!({})),
            "",
            &["mcp__context7__resolve-library-id"],
        ),
        (
            Reply::default().call("call_1", "15", &json!({})),
            "",
            &["15"],
        ),
        (
            Reply::text("Summary of changes.").call("call_1", "TodoWrite", &todo),
            "Summary of changes.",
            &["TodoWrite"],
        ),
        (
            Reply::text("Summary of changes.")
                .call("call_1", "TodoWrite", &todo)
                .call("call_2", "Bash", &json!({})),
            "Summary of changes.",
            &["TodoWrite", "Bash"],
        ),
        (
            Reply::default().call("call_1", "Bash", &json!({})),
            "",
            &["Bash"],
        ),
    ] {
        check(Case {
            tools: &[
                "Read",
                "Bash",
                "TodoWrite",
                "mcp__context7__resolve-library-id",
                "15",
            ],
            replies: vec![reply],
            text,
            calls,
            stop: if calls.is_empty() {
                "end_turn"
            } else {
                "tool_use"
            },
            ..Case::default()
        })
        .await;
    }
}

#[tokio::test]
async fn e9_a_reply_that_the_client_has_begun_goes_upstream_as_it_is() {
    let requests = check(Case {
        history: vec![user("Fix the bug."), assistant("The bug is")],
        replies: vec![Reply::text("in line 3.")],
        text: "in line 3.",
        ..Case::default()
    })
    .await;
    let body = requests[0].json();
    assert_eq!(
        body["tools"].as_array().unwrap().len(),
        2,
        "nothing is added"
    );
}

#[tokio::test]
async fn e10_earlier_turns_of_text_do_not_matter() {
    let history = vec![user("Hello"), assistant("Hi."), user("Fix the bug.")];
    check(Case {
        history,
        replies: vec![Reply::text("I will."), read()],
        text: "I will.",
        calls: &["Read"],
        stop: "tool_use",
        n_attempts: 2,
        ..Case::default()
    })
    .await;
}

#[tokio::test]
async fn other_ends_are_never_retried() {
    check(Case {
        replies: vec![Reply::text("Half a").cut_by_limit()],
        text: "Half a",
        stop: "max_tokens",
        ..Case::default()
    })
    .await;
    let chat_end = |reason: &str| {
        let m = "served-model";
        Answer::sse([
            chat::text(m, "No."),
            chat::finish(m, reason),
            chat::DONE.to_owned(),
        ])
    };
    let upstream = Upstream::start(vec![chat_end("content_filter")]).await;
    let lingate = Lingate::start(&config(&upstream.url(), "chat", "")).await;
    let body = asks(Wire::Anthropic, true, &[user("Hi")], &["Read"]);
    let response = lingate.post("/v1/messages", &body).send().await;
    assert_eq!(said(Wire::Anthropic, true, response).await.stop, "refusal");
    assert_eq!(upstream.requests().len(), 1);
}

/// The first reply is a text, the second fails as told.
async fn second_fails(failure: impl Fn(&Received) -> Answer + Send + Sync + 'static, text: &str) {
    let failure = std::sync::Arc::new(failure);
    for (wire, path) in CLIENTS {
        for is_stream in [false, true] {
            let failure = std::sync::Arc::clone(&failure);
            let script = move |request: &Received| match request.n {
                0 => Reply::text("I will look.").think("Hm.").answer(request),
                _ => failure(request),
            };
            let upstream = Upstream::start(script).await;
            let lingate = Lingate::start(&config(&upstream.url(), "chat", "")).await;
            let body = asks(wire, is_stream, &[user("Fix it.")], &["Read"]);
            let response = lingate.post(path, &body).send().await;
            let said = said(wire, is_stream, response).await;
            let expected = if is_stream { text } else { "I will look." };
            assert_eq!(
                (said.text.as_str(), plain(&said.stop)),
                (expected, "end_turn")
            );
            assert_eq!(upstream.requests().len(), 2);
        }
    }
}

#[tokio::test]
async fn an_error_in_a_retry_ends_what_the_client_has() {
    second_fails(
        |_| Answer::json(500, &chat::error("server_error", "overloaded")),
        "I will look.",
    )
    .await;
    second_fails(
        |_| Answer::json(429, &chat::error("rate_limit", "slow down")),
        "I will look.",
    )
    .await;
    let text = |n| chat::text("m", ["More ", "words"][n]);
    second_fails(
        move |_| Answer::sse([text(0), text(1)]).cut(),
        "I will look.\n\nMore words",
    )
    .await;
}

#[tokio::test]
async fn half_a_call_in_a_retry_is_no_normal_end() {
    let script = |request: &Received| match request.n {
        0 => Reply::text("I will look.").answer(request),
        _ => Answer::sse([
            chat::tool_call("m", 0, "call_1", "Read"),
            chat::arguments("m", 0, "{\"path\":\"a"),
        ])
        .cut(),
    };
    let upstream = Upstream::start(script).await;
    let lingate = Lingate::start(&config(&upstream.url(), "chat", "")).await;
    let body = asks(Wire::Anthropic, true, &[user("Fix it.")], &["Read"]);
    let response = lingate.post("/v1/messages", &body).send().await;
    let events = events(Wire::Anthropic, response).await;
    assert_eq!(events.last().unwrap().name, "error");
}

#[tokio::test]
async fn text_goes_out_live_and_only_the_end_waits() {
    let pause = Duration::from_millis(400);
    let script = move |request: &Received| match request.n {
        0 => Reply::text("I will look.").answer(request),
        _ => read().answer(request).paced(pause),
    };
    let upstream = Upstream::start(script).await;
    let lingate = Lingate::start(&config(&upstream.url(), "chat", "")).await;
    let body = asks(Wire::Anthropic, true, &[user("Fix it.")], &["Read"]);
    let response = lingate.post("/v1/messages", &body).send().await;
    let events = events(Wire::Anthropic, response).await;
    let at = |wanted: &str| {
        let event = events.iter().find(|event| event.data.contains(wanted));
        event.unwrap_or_else(|| panic!("{wanted}")).after
    };
    assert!(at("tool_use") - at("text_delta") >= pause);
    let starts = events
        .iter()
        .filter(|event| event.name == "message_start")
        .count();
    assert_eq!(starts, 1);
    let indexes: Vec<u64> = events
        .iter()
        .filter(|event| event.name == "content_block_start")
        .map(|event| event.json()["index"].as_u64().unwrap())
        .collect();
    assert_eq!(indexes, [0, 1]);
}

#[tokio::test]
async fn the_number_of_attempts_is_configured() {
    for (more, variable, n) in [
        ("ensure_tool_call_max_attempts = 2", "4", 2),
        ("", "4", 4),
        ("", "99", 5),
        ("ensure_tool_call_max_attempts = 1", "", 1),
    ] {
        let upstream =
            Upstream::start(|request: &Received| Reply::text("No.").answer(request)).await;
        let environment = [("ENSURE_TOOL_CALL_MAX_ATTEMPTS", variable)];
        let config = config(&upstream.url(), "chat", more);
        let lingate = Lingate::start_with(&config, &environment).await;
        let body = asks(Wire::Chat, true, &[user("Fix it.")], &["Read"]);
        let response = lingate.post("/v1/chat/completions", &body).send().await;
        said(Wire::Chat, true, response).await;
        assert_eq!(upstream.requests().len(), n, "{more:?} {variable:?}");
    }
}

#[tokio::test]
async fn every_attempt_counts_with_its_reason_and_its_tokens() {
    let script = |request: &Received| match request.n {
        0 => Reply::text("I will.").answer(request),
        _ => read().answer(request),
    };
    let upstream = Upstream::start(script).await;
    let lingate = Lingate::start(&config(&upstream.url(), "chat", "")).await;
    let body = asks(Wire::Anthropic, false, &[user("Fix it.")], &["Read"]);
    let response = lingate.post("/v1/messages", &body).send().await;
    assert_eq!(response.header("x-lingate-attempts"), "2");
    let began = Instant::now();
    loop {
        let metrics = lingate.get("/metrics").send().await.text().await;
        let wanted = [
            r#"lingate_attempts_total{provider="up",outcome="continued"} 1"#,
            r#"lingate_attempts_total{provider="up",outcome="served"} 1"#,
            r#"lingate_tokens_total{provider="up",kind="output"} 24"#,
        ];
        if wanted.iter().all(|line| metrics.contains(line)) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{metrics}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
