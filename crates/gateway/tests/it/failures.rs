//! What a client of each wire is told when its upstream misbehaves.

use lingate_testkit::{Answer, Misbehaviour as M, OverflowWords, Reply, Upstream, chat};
use lingate_wire::Wire;
use serde_json::Value;

use crate::harness::{Lingate, completions, events, messages, text_of};

/// Before the commit: a status and a type.
async fn check(misbehaviour: M, status: u16, kind: &str, should_retry: &str) -> Value {
    let upstream = Upstream::start(misbehaviour).await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    let mut last = Value::Null;
    for is_stream in [true, false] {
        let what = format!("{misbehaviour:?}, stream: {is_stream}");
        let response = lingate
            .post("/v1/messages", &messages(is_stream))
            .send()
            .await;
        assert_eq!(response.status, status, "{what}");
        assert_eq!(
            response.header("content-type"),
            "application/json",
            "{what}"
        );
        assert_eq!(response.header("x-should-retry"), should_retry, "{what}");
        last = response.json().await;
        assert_eq!(
            (&last["type"], &last["error"]["type"]),
            (&"error".into(), &kind.into()),
            "{what}: {last}"
        );
        assert!(
            !last.to_string().contains("sk-upstream"),
            "{what}: a key in {last}"
        );
    }
    last
}

#[tokio::test]
async fn a_refused_key_of_ours_is_no_reason_to_log_in() {
    let error = check(M::WrongKey, 502, "api_error", "false").await;
    let message = error["error"]["message"].as_str().unwrap();
    for part in ["`up`", "401", "lingate.toml:"] {
        assert!(message.contains(part), "{part} in {message}");
    }
}

#[tokio::test]
async fn upstream_errors_before_content() {
    check(M::Overloaded, 529, "overloaded_error", "").await;
    check(M::HtmlPage200, 502, "api_error", "").await;
    check(M::EmptyStream, 502, "api_error", "").await;
    check(M::NoContent, 502, "api_error", "").await;
}

#[tokio::test]
async fn a_rate_limit_keeps_its_time() {
    let upstream = Upstream::start(M::RateLimited(7)).await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    let response = lingate.post("/v1/messages", &messages(true)).send().await;
    assert_eq!(
        (response.status, response.header("retry-after")),
        (429, "7")
    );
    assert_eq!(response.json().await["error"]["type"], "rate_limit_error");
}

#[tokio::test]
async fn overflow_in_every_wording_is_what_claude_code_compacts_on() {
    for words in [
        OverflowWords::OpenAi,
        OverflowWords::Moonshot,
        OverflowWords::Anthropic,
        OverflowWords::LlamaCpp,
    ] {
        let error = check(
            M::ContextOverflow(words),
            400,
            "invalid_request_error",
            "false",
        )
        .await;
        let message = error["error"]["message"].as_str().unwrap();
        assert!(
            message.contains("prompt is too long"),
            "{words:?}: {message}"
        );
    }
}

#[tokio::test]
async fn a_failure_before_the_first_content_is_an_error_status() {
    for misbehaviour in [M::ErrorInsideStream, M::CutBeforeContent] {
        let upstream = Upstream::start(misbehaviour).await;
        let lingate = Lingate::to_chat(&upstream.url()).await;
        let response = lingate.post("/v1/messages", &messages(true)).send().await;
        assert!(
            response.status >= 500,
            "{misbehaviour:?}: {}",
            response.status
        );
        assert_eq!(response.json().await["type"], "error");
    }
}

#[tokio::test]
async fn after_content_the_stream_ends_in_an_error_event() {
    for misbehaviour in [
        M::ErrorAfterText,
        M::CutAfterText,
        M::ResetAfterText,
        M::TruncatedToolJson,
    ] {
        let upstream = Upstream::start(misbehaviour).await;
        let lingate = Lingate::to_chat(&upstream.url()).await;
        let mut body = messages(true);
        body["tools"] = serde_json::json!([{"name": "Bash", "input_schema": {"type": "object"}}]);
        let response = lingate.post("/v1/messages", &body).send().await;
        assert_eq!(response.status, 200);
        let events = events(Wire::Anthropic, response).await;
        let last = events.last().unwrap();
        assert_eq!(
            (last.name.as_str(), last.json()["type"].as_str()),
            ("error", Some("error")),
            "{misbehaviour:?}"
        );
        assert!(
            !events.iter().any(|event| event.name == "message_stop"),
            "{misbehaviour:?}"
        );

        let lingate = Lingate::to_anthropic(&upstream.url()).await;
        let response = lingate
            .post("/v1/chat/completions", &completions(true))
            .send()
            .await;
        let events = crate::harness::events(Wire::Chat, response).await;
        assert!(
            events.last().unwrap().json()["error"]["message"].is_string(),
            "{misbehaviour:?}"
        );
        assert!(
            !events.iter().any(|event| event.data == "[DONE]"),
            "{misbehaviour:?}"
        );
    }
}

#[tokio::test]
async fn a_reply_cut_short_is_an_error_for_a_client_that_wants_it_whole() {
    let whole = chat::completion("m", &Reply::text("Hello."));
    let upstream = Upstream::start(Answer::json(200, &whole).split_every(40).take(2).cut()).await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    let response = lingate.post("/v1/messages", &messages(false)).send().await;
    assert_eq!(response.status, 502);
}

#[tokio::test]
async fn a_reply_without_content_is_asked_for_once_more() {
    let upstream = Upstream::start(|request: &lingate_testkit::Received| match request.n {
        0 => Reply::default().answer(request),
        _ => Reply::text("Now.").answer(request),
    })
    .await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    let response = lingate.post("/v1/messages", &messages(true)).send().await;
    assert_eq!(response.header("x-lingate-attempts"), "2");
    assert_eq!(text_of(&events(Wire::Anthropic, response).await), "Now.");
}

#[tokio::test]
async fn nobody_there() {
    let lingate = Lingate::to_chat("http://127.0.0.1:1").await;
    let response = lingate.post("/v1/messages", &messages(true)).send().await;
    assert_eq!(response.status, 502);
    let error = response.json().await;
    let message = error["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("`up`") && message.contains("127.0.0.1:1"),
        "{message}"
    );
}

#[tokio::test]
async fn limits_on_silence_have_names() {
    let cases = [
        (M::NeverAnswers, "headers = \"200ms\"", "timeouts.headers"),
        (
            M::StallsAfterHeaders,
            "first_content = \"200ms\"",
            "timeouts.first_content",
        ),
    ];
    for (misbehaviour, limit, name) in cases {
        let upstream = Upstream::start(misbehaviour).await;
        let lingate = Lingate::start(&with_timeouts(&upstream.url(), limit)).await;
        let response = lingate.post("/v1/messages", &messages(true)).send().await;
        assert_eq!(response.status, 504, "{name}");
        let error = response.json().await;
        assert_eq!(error["error"]["type"], "timeout_error");
        assert!(
            error["error"]["message"].as_str().unwrap().contains(name),
            "{error}"
        );
    }
    let upstream = Upstream::start(M::StallsAfterText).await;
    let lingate = Lingate::start(&with_timeouts(&upstream.url(), "idle = \"200ms\"")).await;
    let response = lingate.post("/v1/messages", &messages(true)).send().await;
    let events = events(Wire::Anthropic, response).await;
    assert!(
        events.last().unwrap().data.contains("timeouts.idle"),
        "{events:?}"
    );
}

fn with_timeouts(url: &str, limit: &str) -> String {
    format!(
        r#"
        default = "up/m"
        [providers.up]
        base_url = "{url}"
        speaks = ["chat"]
        timeouts = {{ {limit} }}
        "#
    )
}

/// Hosts that repeat what they were shown.
fn echo(request: &lingate_testkit::Received) -> Answer {
    let words = format!("bad credential {}", request.header("authorization"));
    match request.n {
        0 => Answer::json(401, &chat::error("invalid_authentication_error", &words)),
        1 => Answer::json(400, &chat::error("invalid_request_error", &words)),
        2 => Answer::json(
            200,
            &serde_json::json!({"error": {"message": words, "type": "server_error"}}),
        ),
        _ => {
            let error = serde_json::json!({"error": {"message": words, "type": "server_error"}});
            Answer::sse([chat::text("m", "Hi"), format!("data: {error}\n\n")])
        }
    }
}

#[tokio::test]
async fn a_key_that_the_upstream_repeats_reaches_nobody() {
    let upstream = Upstream::start(echo).await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    for n in 0..4 {
        let text = lingate
            .post("/v1/messages", &messages(true))
            .send()
            .await
            .text()
            .await;
        assert!(text.contains("bad credential"), "{n}: {text}");
        assert!(
            !text.contains("sk-upstream") && text.contains("[key]"),
            "{n}: {text}"
        );
    }
    let upstream = Upstream::start(echo).await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    for n in 0..4 {
        let text = lingate
            .post("/v1/chat/completions", &completions(true))
            .send()
            .await
            .text()
            .await;
        assert!(
            !text.contains("sk-upstream") && text.contains("[key]"),
            "passthrough, {n}: {text}"
        );
    }
}

#[tokio::test]
async fn a_key_in_a_header_of_the_upstream_reaches_nobody() {
    let script = |request: &lingate_testkit::Received| {
        let key = request.header("authorization").to_owned();
        let reply = match request.n {
            0 => Answer::json(200, &chat::completion("m", &Reply::text("Hi"))),
            1 => Answer::json(400, &chat::error("invalid_request_error", "no")),
            _ => {
                let to = format!("https://elsewhere.test/{key}?key={key}");
                Answer::json(302, &serde_json::json!({})).header("location", &to)
            }
        };
        reply
            .header("x-request-id", &key)
            .header("x-other", &format!("for {key}"))
    };
    for (path, body) in [
        ("/v1/messages", messages(false)),
        ("/v1/chat/completions", completions(false)),
    ] {
        let upstream = Upstream::start(script).await;
        let lingate = Lingate::to_chat(&upstream.url()).await;
        for n in 0..3 {
            let response = lingate.post(path, &body).send().await;
            let headers = format!("{:?}", response.headers);
            assert!(!headers.contains("sk-upstream"), "{path} {n}: {headers}");
            let text = response.text().await;
            assert!(!text.contains("sk-upstream"), "{path} {n}: {text}");
            assert!(n < 2 || text.contains("https://elsewhere.test/"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_refused_key_is_ours_wherever_the_upstream_says_it() {
    let inside =
        r#"{"error":{"message":"Invalid Authentication","type":"invalid_authentication_error"}}"#;
    let scripts = [
        Answer::json(
            200,
            &serde_json::json!({"base_resp": {"status_code": 1004, "status_msg": "login fail"}}),
        ),
        Answer::sse([format!("data: {inside}\n\n")]),
    ];
    for script in scripts {
        let upstream = Upstream::start(script).await;
        let lingate = Lingate::to_chat(&upstream.url()).await;
        let response = lingate.post("/v1/messages", &messages(true)).send().await;
        assert_eq!(
            (response.status, response.header("x-should-retry")),
            (502, "false")
        );
        assert_eq!(response.json().await["error"]["type"], "api_error");
    }
    let upstream = Upstream::start(Answer::sse([
        chat::text("m", "Hi"),
        format!("data: {inside}\n\n"),
    ]))
    .await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    let response = lingate.post("/v1/messages", &messages(true)).send().await;
    let last = events(Wire::Anthropic, response)
        .await
        .pop()
        .unwrap()
        .json();
    assert_eq!(last["error"]["type"], "api_error", "{last}");
}

#[tokio::test]
async fn nothing_follows_a_fault_in_the_same_piece() {
    let stream = [
        chat::text("m", "Hi"),
        chat::tool_call("m", 0, "a", "Bash"),
        chat::arguments("m", 0, "{\"command\":"),
        chat::finish("m", "tool_calls"),
        "data: [DONE]\n\n".to_owned(),
    ];
    for pieces in [vec![stream.concat()], stream.to_vec()] {
        let upstream = Upstream::start(Answer::sse(pieces)).await;
        let lingate = Lingate::to_chat(&upstream.url()).await;
        let mut body = messages(true);
        body["tools"] = serde_json::json!([{"name": "Bash", "input_schema": {"type": "object"}}]);
        let response = lingate.post("/v1/messages", &body).send().await;
        let events = events(Wire::Anthropic, response).await;
        assert_eq!(events.last().unwrap().name, "error");
        assert!(
            !events.iter().any(|event| event.name == "message_delta"),
            "{events:?}"
        );
    }
}

#[tokio::test]
async fn a_host_that_does_not_close_is_not_waited_for() {
    let stream = [chat::text("m", "Hi"), chat::finish("m", "stop")];
    let upstream = Upstream::start(Answer::sse(stream).stall()).await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    let began = std::time::Instant::now();
    let response = lingate.post("/v1/messages", &messages(true)).send().await;
    let events = events(Wire::Anthropic, response).await;
    assert_eq!(events.last().unwrap().name, "message_stop");
    assert!(
        began.elapsed() < std::time::Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn a_stream_under_another_content_type_is_a_stream() {
    for content_type in ["text/plain", "application/json"] {
        let body = chat::stream("m", &Reply::text("Hello")).concat();
        let upstream = Upstream::start(Answer::text(200, content_type, body)).await;
        let lingate = Lingate::to_chat(&upstream.url()).await;
        let response = lingate.post("/v1/messages", &messages(true)).send().await;
        assert_eq!(
            text_of(&events(Wire::Anthropic, response).await),
            "Hello",
            "{content_type}"
        );
    }
}

#[tokio::test]
async fn a_whole_reply_may_take_longer_than_the_first_content_of_a_stream() {
    let reply = chat::completion("m", &Reply::text("Slow."));
    let bytes = serde_json::to_vec(&reply).unwrap();
    let answer = Answer::json(200, &reply)
        .take(0)
        .pause(std::time::Duration::from_millis(300))
        .write(bytes);
    let upstream = Upstream::start(answer).await;
    // A limit of the usual length is stretched for it; this one is shorter, and meant.
    let lingate =
        Lingate::start(&with_timeouts(&upstream.url(), "first_content = \"100ms\"")).await;
    assert_eq!(
        lingate
            .post("/v1/messages", &messages(false))
            .send()
            .await
            .status,
        504
    );
    let lingate = Lingate::to_chat(&upstream.url()).await;
    assert_eq!(
        lingate
            .post("/v1/messages", &messages(false))
            .send()
            .await
            .status,
        200
    );
}
