//! Lane 1: the same wire on both sides and nothing to look at.

use lingate_testkit::client::Request;
use lingate_testkit::{Answer, Misbehaviour, Reply, Upstream, anthropic};
use lingate_wire::Wire;

use crate::harness::{Lingate, accept};

/// Odd white space, number spellings, unknown members: all of it must arrive.
const BODY: &str = "{ \"stream\":true,\"max_tokens\" : 1e2,\n \"model\":\"claude-opus-5-5\",\"new\":{\"a\":[1.50]},\
                    \"messages\":[{\"role\":\"user\",\"content\":\"caf\\u00e9\"}]}";

fn post(lingate: &Lingate, body: &str) -> Request {
    Request::new(
        "POST".parse().unwrap(),
        &format!("{}/v1/messages?beta=true&key=x", lingate.url),
    )
    .header("content-type", "application/json")
    .header("anthropic-version", "2023-06-01")
    .header("anthropic-beta", "a-2026,b-2026")
    .header("x-api-key", "client-key")
    .body(body.to_owned())
}

#[tokio::test]
async fn only_the_models_name_changes_on_the_way_up() {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let lingate = Lingate::to_anthropic(&upstream.url()).await;
    let response = post(&lingate, BODY).send().await;
    assert_eq!(response.header("x-lingate-lane"), "passthrough");
    response.bytes().await;
    let request = &upstream.requests()[0];
    assert_eq!(
        request.text(),
        BODY.replace("claude-opus-5-5", "served-model")
    );
    assert!(
        request.path().ends_with("/v1/messages"),
        "{}",
        request.path()
    );
    assert_eq!(request.header("anthropic-beta"), "a-2026,b-2026");
    assert_eq!(request.header("x-api-key"), "sk-upstream");
    assert_eq!(request.header("accept-encoding"), "identity");
}

#[tokio::test]
async fn the_answer_is_the_upstreams_byte_for_byte() {
    let reply = Reply::default().think("hm").say("Hello").call(
        "toolu_1",
        "Bash",
        &serde_json::json!({"command": "ls"}),
    );
    for size in [1, 7, 100_000] {
        let reply = reply.clone();
        let upstream = Upstream::start(move |request: &_| {
            reply
                .answer(request)
                .header("x-custom", "kept")
                .header("set-cookie", "a=b")
                .split_every(size)
        })
        .await;
        let lingate = Lingate::to_anthropic(&upstream.url()).await;
        for body in [BODY.to_owned(), BODY.replace("true", "false")] {
            let response = post(&lingate, &body).send().await;
            assert_eq!(response.header("x-custom"), "kept");
            assert_eq!(response.header("set-cookie"), "");
            let sent = response.bytes().await;
            let is_stream = body == BODY;
            let own = upstream.requests();
            let expected = reply_of(own.last().unwrap());
            assert_eq!(sent, expected, "stream: {is_stream}, pieces of {size}");
            if is_stream {
                accept(Wire::Anthropic, std::str::from_utf8(&sent).unwrap());
            }
        }
    }

    fn reply_of(request: &lingate_testkit::Received) -> Vec<u8> {
        let reply = Reply::default().think("hm").say("Hello").call(
            "toolu_1",
            "Bash",
            &serde_json::json!({"command": "ls"}),
        );
        reply.answer(request).body()
    }
}

#[tokio::test]
async fn the_upstreams_own_error_goes_back_as_it_is() {
    let error = anthropic::error(
        "invalid_request_error",
        "messages.0: thinking blocks cannot be modified",
    );
    let upstream = Upstream::start(Answer::json(400, &error).header("request-id", "req_up")).await;
    let lingate = Lingate::to_anthropic(&upstream.url()).await;
    let response = post(&lingate, BODY).send().await;
    assert_eq!(
        (response.status, response.header("request-id")),
        (400, "req_up")
    );
    assert_eq!(response.json().await, error);
}

#[tokio::test]
async fn an_answer_that_is_compressed_all_the_same_is_decoded() {
    let upstream = Upstream::start(Misbehaviour::Gzip).await;
    let lingate = Lingate::to_anthropic(&upstream.url()).await;
    for body in [BODY.to_owned(), BODY.replace("true", "false")] {
        let response = post(&lingate, &body).send().await;
        assert_eq!(response.header("content-encoding"), "");
        let text = response.text().await;
        assert!(text.contains("Hello"), "{text}");
    }
}

#[tokio::test]
async fn a_broken_stream_is_ended_by_an_error_event() {
    for misbehaviour in [
        Misbehaviour::CutAfterText,
        Misbehaviour::ResetAfterText,
        Misbehaviour::TruncatedToolJson,
    ] {
        let upstream = Upstream::start(misbehaviour).await;
        let lingate = Lingate::to_anthropic(&upstream.url()).await;
        let body = BODY.replace(
            "\"new\"",
            "\"tools\":[{\"name\":\"Bash\",\"input_schema\":{\"type\":\"object\"}}],\"new\"",
        );
        let text = post(&lingate, &body).send().await.text().await;
        accept(Wire::Anthropic, &text);
        assert!(text.contains("event: error\n"), "{misbehaviour:?}: {text}");
        assert!(!text.contains("message_stop"), "{misbehaviour:?}: {text}");
    }
}

#[tokio::test]
async fn a_stream_cut_at_any_byte_is_still_legal() {
    let reply = Reply::text("Hello there");
    let whole = anthropic::stream("m", &reply).concat();
    for cut in (400..whole.len() - 1).step_by(13) {
        let part = whole[..cut].to_owned();
        let upstream =
            Upstream::start(move |_: &lingate_testkit::Received| Answer::sse([part.clone()]).cut())
                .await;
        let lingate = Lingate::to_anthropic(&upstream.url()).await;
        let response = post(&lingate, BODY).send().await;
        if response.status == 200 {
            let text = response.text().await;
            accept(Wire::Anthropic, &text);
            // Behind the stop reason everything is there but the last word, which is supplied.
            let is_whole = text.contains("event: message_delta\n");
            assert_eq!(
                text.contains("event: message_stop\n"),
                is_whole,
                "cut at {cut}: {text}"
            );
            assert_eq!(
                text.contains("event: error\n"),
                !is_whole,
                "cut at {cut}: {text}"
            );
        }
    }
}

#[tokio::test]
async fn the_upstreams_own_error_event_is_the_only_one() {
    let upstream = Upstream::start(Misbehaviour::ErrorAfterText).await;
    let lingate = Lingate::to_anthropic(&upstream.url()).await;
    let text = post(&lingate, BODY).send().await.text().await;
    accept(Wire::Anthropic, &text);
    assert_eq!(text.matches("event: error\n").count(), 1, "{text}");
}

#[tokio::test]
async fn the_callers_own_credential_reaches_this_provider_only() {
    let upstream = Upstream::start(Misbehaviour::WrongKey).await;
    let lingate = Lingate::start(&format!(
        "default = \"up/*\"\n[providers.up]\nbase_url = \"{}\"\nspeaks = [\"anthropic\"]\nauth = \"client\"",
        upstream.url()
    ))
    .await;
    let response = post(&lingate, BODY).send().await;
    assert_eq!(response.status, 401, "as it is: the caller can log in");
    let request = &upstream.requests()[0];
    assert_eq!(request.header("x-api-key"), "client-key");
    assert_eq!(
        request.text(),
        BODY,
        "the name was kept, so the bytes are the same"
    );
}

#[tokio::test]
async fn a_provider_that_counts_tokens_is_asked() {
    for (answer, expected, is_ours) in [
        (
            Answer::json(200, &serde_json::json!({"input_tokens": 321})),
            321,
            "",
        ),
        (
            Answer::json(404, &anthropic::error("not_found_error", "no such path")),
            1,
            "true",
        ),
    ] {
        let upstream = Upstream::start(answer).await;
        let lingate = Lingate::to_anthropic(&upstream.url()).await;
        let body = serde_json::json!({"model": "claude-opus-5-5", "messages": [{"role": "user", "content": ""}]});
        let response = lingate
            .post("/v1/messages/count_tokens?beta=true", &body)
            .send()
            .await;
        assert_eq!(response.header("x-lingate-estimate"), is_ours);
        let counted = response.json().await["input_tokens"].as_u64().unwrap();
        assert!(
            counted >= 1 && (is_ours == "true" || counted == expected),
            "{counted}"
        );
        let request = &upstream.requests()[0];
        assert_eq!(request.path(), "/v1/messages/count_tokens");
        assert_eq!(request.json()["model"], "served-model");
    }
}

#[tokio::test]
async fn an_error_in_a_foreign_shape_is_said_in_the_wires_own() {
    let overflow = serde_json::json!({"error": {
        "code": 400, "type": "exceed_context_size_error",
        "message": "request (6031 tokens) exceeds the available context size (4096 tokens)",
        "n_prompt_tokens": 6031, "n_ctx": 4096,
    }});
    let upstream = Upstream::start(Answer::json(400, &overflow)).await;
    let lingate = Lingate::to_anthropic(&upstream.url()).await;
    let error = post(&lingate, BODY).send().await.json().await;
    assert_eq!(error["type"], "error");
    assert_eq!(
        error["error"]["message"],
        "prompt is too long: 6031 tokens > 4096 maximum"
    );
    let lingate = Lingate::to_chat(&upstream.url()).await;
    let response = lingate
        .post("/v1/chat/completions", &crate::harness::completions(true))
        .send()
        .await;
    assert!(!response.header("x-request-id").is_empty());
    assert_eq!(
        response.json().await["error"]["code"],
        "context_length_exceeded"
    );
}

#[tokio::test]
async fn half_a_call_never_ends_normally_on_the_chat_wire_either() {
    let upstream = Upstream::start(Misbehaviour::TruncatedToolJson).await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    let mut body = crate::harness::completions(true);
    body["tools"] = serde_json::json!([{"type": "function", "function": {"name": "Bash", "parameters": {"type": "object"}}}]);
    let response = lingate.post("/v1/chat/completions", &body).send().await;
    assert_eq!(response.header("x-lingate-lane"), "passthrough");
    let text = response.text().await;
    assert!(text.contains("\"error\""), "{text}");
    assert!(
        !text.contains("\"finish_reason\":\"tool_calls\"") && !text.contains("[DONE]"),
        "{text}"
    );
    accept(Wire::Chat, &text);
}

#[tokio::test]
async fn thinking_that_another_provider_signed_does_not_poison_a_session() {
    // Refuses every signature but its own, as the Anthropic API does.
    let strict = |request: &lingate_testkit::Received| {
        if request.text().contains("foreign-token") {
            let words = "messages.1.content.0: Invalid `signature` in `thinking` block";
            return Answer::json(400, &anthropic::error("invalid_request_error", words));
        }
        Reply::text("Welcome.").answer(request)
    };
    let upstream = Upstream::start(strict).await;
    let lingate = Lingate::to_anthropic(&upstream.url()).await;
    for is_stream in [true, false] {
        let body = serde_json::json!({
            "model": "claude-opus-5-5", "max_tokens": 4000, "stream": is_stream,
            "thinking": {"type": "adaptive"},
            "messages": [
                {"role": "user", "content": "go"},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "foreign-token"},
                    {"type": "text", "text": "done"},
                ]},
                {"role": "user", "content": "and now?"},
            ],
        });
        let response = lingate.post("/v1/messages", &body).send().await;
        assert_eq!(
            (response.status, response.header("x-lingate-attempts")),
            (200, "2")
        );
        assert_eq!(response.header("x-lingate-lane"), "translated");
        assert!(response.text().await.contains("Wel"));
        let sent = upstream.requests().last().unwrap().json();
        assert_eq!(
            sent["messages"][1]["content"],
            serde_json::json!([{"type": "text", "text": "done"}])
        );
    }
}
