use std::time::Duration;

use lingate_testkit::client::{Response, post};
use lingate_testkit::{Misbehaviour, OverflowWords, Upstream};
use serde_json::json;

/// Who says nothing for so long says nothing.
const SILENCE: Duration = Duration::from_secs(1);

async fn ask(misbehaviour: Misbehaviour, path: &str) -> (Upstream, Result<Response, String>) {
    let upstream = Upstream::start(misbehaviour).await;
    let request = post(
        &format!("{}{path}", upstream.url()),
        &json!({"model": "m", "stream": true}),
    );
    let limited = tokio::time::timeout(SILENCE, request.try_send()).await;
    (
        upstream,
        limited.unwrap_or_else(|_| Err("silent".to_owned())),
    )
}

/// What a client sees: the status, what the body holds, and whether it broke off.
async fn check(misbehaviour: Misbehaviour, path: &str, status: u16, holds: &str, broken: bool) {
    let (_upstream, answer) = ask(misbehaviour, path).await;
    let mut answer = answer.unwrap_or_else(|error| panic!("{misbehaviour:?}: {error}"));
    let mut body = Vec::new();
    let mut broke = false;
    loop {
        match tokio::time::timeout(SILENCE, answer.piece()).await {
            Ok(Some(Ok(piece))) => body.extend_from_slice(&piece),
            Ok(Some(Err(_))) => broke = true,
            Ok(None) => break,
            Err(_) => broke = true,
        }
        if broke {
            break;
        }
    }
    let body = String::from_utf8_lossy(&body).into_owned();
    assert_eq!(
        (answer.status, broke),
        (status, broken),
        "{misbehaviour:?} on {path}: {body}"
    );
    assert!(body.contains(holds), "{misbehaviour:?} on {path}: {body}");
}

#[tokio::test]
async fn each_does_what_its_name_says() {
    use Misbehaviour::*;
    let chat = "/v1/chat/completions";
    let messages = "/v1/messages";
    check(Healthy, chat, 200, "[DONE]", false).await;
    check(Healthy, messages, 200, "message_stop", false).await;
    check(WrongKey, chat, 401, "Invalid Authentication", false).await;
    check(Overloaded, chat, 503, "overloaded", false).await;
    check(Overloaded, messages, 529, "\"type\":\"error\"", false).await;
    check(RateLimited(7), chat, 429, "max RPM", false).await;
    check(
        ContextOverflow(OverflowWords::OpenAi),
        chat,
        400,
        "context_length_exceeded",
        false,
    )
    .await;
    check(
        ContextOverflow(OverflowWords::Moonshot),
        chat,
        400,
        "exceeded model token limit",
        false,
    )
    .await;
    check(
        ContextOverflow(OverflowWords::Anthropic),
        messages,
        400,
        "prompt is too long",
        false,
    )
    .await;
    check(
        ContextOverflow(OverflowWords::LlamaCpp),
        chat,
        400,
        "n_prompt_tokens",
        false,
    )
    .await;
    check(ErrorInsideStream, chat, 200, "data: {\"error\"", false).await;
    check(ErrorInsideStream, messages, 200, "event: error\n", false).await;
    check(ErrorAfterText, chat, 200, "The engine died", false).await;
    check(HtmlPage200, chat, 200, "<!doctype html>", false).await;
    check(EmptyStream, chat, 200, "", false).await;
    check(NoContent, messages, 200, "message_stop", false).await;
    check(CutBeforeContent, messages, 200, "message_start", true).await;
    check(CutAfterText, chat, 200, "Hello", true).await;
    check(ResetAfterText, messages, 200, "Hello", true).await;
    check(StallsAfterHeaders, chat, 200, "", true).await;
    check(StallsAfterText, messages, 200, "Hello", true).await;
    check(
        TruncatedToolJson,
        chat,
        200,
        "finish_reason\":\"tool_calls",
        false,
    )
    .await;
    check(NotSse, chat, 200, "chat.completion\"", false).await;
    check(DripByte, messages, 200, "message_stop", false).await;
    check(
        SlowStart(2),
        chat,
        200,
        ": keep-alive\n\n: keep-alive\n\ndata: ",
        false,
    )
    .await;
    check(Gzip, chat, 200, "", false).await;
}

/// Clients fall back to one whole body: what is wrong with a stream is wrong with that too.
#[tokio::test]
async fn whole_bodies_are_as_bad() {
    use Misbehaviour::*;
    let cases = [
        (Healthy, 200, "Hello from the upstream.", true),
        (ErrorInsideStream, 200, "The engine died", true),
        (ErrorAfterText, 500, "The engine died", true),
        (CutAfterText, 200, "", false),
        (ResetAfterText, 200, "", false),
        (EmptyStream, 200, "", true),
        (SlowStart(2), 200, "Hello from the upstream.", true),
    ];
    for (misbehaviour, status, holds, whole) in cases {
        let upstream = Upstream::start(misbehaviour).await;
        let url = format!("{}/v1/chat/completions", upstream.url());
        let mut answer = post(&url, &json!({"model": "m"})).send().await;
        let mut body = Vec::new();
        let broke = loop {
            match answer.piece().await {
                Some(Ok(piece)) => body.extend_from_slice(&piece),
                Some(Err(_)) => break true,
                None => break false,
            }
        };
        let body = String::from_utf8(body).unwrap();
        assert_eq!(
            (answer.status, !broke),
            (status, whole),
            "{misbehaviour:?}: {body}"
        );
        assert!(body.contains(holds), "{misbehaviour:?}: {body}");
    }
}

#[tokio::test]
async fn headers_tell_the_same() {
    let (_upstream, answer) = ask(Misbehaviour::RateLimited(7), "/v1/chat/completions").await;
    assert_eq!(answer.unwrap().header("retry-after"), "7");
    let (_upstream, answer) = ask(Misbehaviour::Gzip, "/v1/chat/completions").await;
    let answer = answer.unwrap();
    assert_eq!(answer.header("content-encoding"), "gzip");
    assert!(answer.bytes().await.starts_with(&[0x1f, 0x8b]));
    let (_upstream, answer) = ask(Misbehaviour::NeverAnswers, "/v1/chat/completions").await;
    assert_eq!(answer.err().as_deref(), Some("silent"));
}
